//! What has to be said to a node before a statement costs a read no round trip, and a write one.

mod nodes;
mod raw;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use balancer::pool::prelude::LAST_PREPARED;
use balancer::wire::capabilities::Capabilities;
use balancer::wire::packet::HEADER;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use nodes::{Front, Node};
use raw::{Raw, error, execute};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Stands before a node and counts how often the balancer speaks after the node has.
struct Tap {
    address: SocketAddr,
    turns: Arc<AtomicUsize>,
}

impl Tap {
    async fn before(node: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, turns) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counter = turns.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(node).await.unwrap();
                tokio::spawn(pass(near, far, counter.clone()));
            }
        });
        Self { address, turns }
    }

    /// Round trips since the last call.
    fn turns(&self) -> usize {
        self.turns.swap(0, Relaxed)
    }
}

/// Passes bytes in both directions until one side ends.
async fn pass(mut near: TcpStream, mut far: TcpStream, turns: Arc<AtomicUsize>) {
    let (mut from_near, mut from_far) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let mut node_spoke = true;
    loop {
        tokio::select! {
            read = near.read(&mut from_near) => {
                let Ok(length @ 1..) = read else { return };
                if std::mem::replace(&mut node_spoke, false) {
                    turns.fetch_add(1, Relaxed);
                }
                if far.write_all(&from_near[..length]).await.is_err() {
                    return;
                }
            }
            read = far.read(&mut from_far) => {
                let Ok(length @ 1..) = read else { return };
                node_spoke = true;
                if near.write_all(&from_far[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// A balancer with one thread in front of nodes, and a tap before the last of them.
async fn tapped(nodes: &[&Node], connections: usize, wait_ms: u64) -> (Front, Tap) {
    let front = Front::start_with(nodes, |config| {
        config.workers = 1;
        config.pool.max = connections;
        config.causal.wait_ms = wait_ms;
    });
    let last = nodes.len() - 1;
    let tap = Tap::before(nodes[last].address()).await;
    front.publish(|view| {
        view.nodes[last].address = tap.address;
        view.nodes[last].epoch += 1;
    });
    (front, tap)
}

async fn zone(client: &mut Conn) -> String {
    client.query_first("SELECT @@time_zone").await.unwrap().unwrap()
}

fn code(error: &Error) -> u16 {
    match error {
        Error::Server(error) => error.code,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_read_and_what_goes_ahead_of_it_are_one_round_trip() {
    let node = Node::start(1).await;
    node.root().await.query_drop("CREATE TABLE tpcw.z (v VARCHAR(20))").await.unwrap();
    let (front, tap) = tapped(&[&node], 1, 0).await;
    // Two sessions on one connection: each has to bring it into its own state, the first by a reset.
    let (mut a, mut b) = (front.client().await, front.client().await);
    a.query_drop("SET time_zone='+01:00'").await.unwrap();
    b.query_drop("SET time_zone='+02:00', sql_mode='ANSI_QUOTES'").await.unwrap();
    let statement = a.prep("SELECT ? + 1, @@time_zone").await.unwrap();
    b.query_drop("DO 1").await.unwrap();
    tap.turns();
    for round in 0..3 {
        assert_eq!((zone(&mut a).await.as_str(), tap.turns()), ("+01:00", 1), "reset, two SETs and the read");
        assert_eq!((zone(&mut b).await.as_str(), tap.turns()), ("+02:00", 1), "a SET and the read");
        let sum: (i64, String) = a.exec_first(&statement, (round,)).await.unwrap().unwrap();
        assert_eq!((sum.0, sum.1.as_str(), tap.turns()), (round + 1, "+01:00", 1), "and a preparation");
        let sum: (i64, String) = a.exec_first(&statement, (round,)).await.unwrap().unwrap();
        assert_eq!((sum.0, tap.turns()), (round + 1, 1), "nothing but the execute");
        b.query_drop("INSERT INTO z VALUES (@@time_zone)").await.unwrap();
        assert_eq!(tap.turns(), 2, "a write waits for the answers");
    }
    let written: Vec<String> = b.query("SELECT v FROM z").await.unwrap();
    assert_eq!(written, ["+02:00"; 3]);
    // A write that has to be prepared first.
    let insert = a.prep("INSERT INTO z VALUES (?)").await.unwrap();
    assert_eq!(zone(&mut b).await, "+02:00");
    tap.turns();
    a.exec_drop(&insert, ("x",)).await.unwrap();
    assert_eq!(tap.turns(), 2);
    a.exec_drop(&insert, ("y",)).await.unwrap();
    assert_eq!(tap.turns(), 1);
    let written: Vec<String> = a.query("SELECT v FROM z WHERE v < 'z' AND v > 'a'").await.unwrap();
    assert_eq!(written, ["x", "y"]);
}

#[tokio::test]
async fn what_is_refused_ahead_of_a_statement_is_the_answer_and_harms_nobody_else() {
    let node = Node::start(1).await;
    let mut root = node.root().await;
    for sql in ["CREATE DATABASE other", "GRANT ALL ON other.* TO shop@'%'", "CREATE TABLE tpcw.gone (a INT)"]
    {
        root.query_drop(sql).await.unwrap();
    }
    let (front, _tap) = tapped(&[&node], 1, 0).await;
    let (mut a, mut b) = (front.client().await, front.client().await);
    b.query_drop("SET sql_mode='ANSI_QUOTES'").await.unwrap();
    let gone = a.prep("SELECT COUNT(*) FROM gone WHERE a = ?").await.unwrap();
    let write = a.prep("INSERT INTO gone VALUES (?)").await.unwrap();
    assert_eq!(zone(&mut b).await, "SYSTEM");
    root.query_drop("DROP TABLE tpcw.gone").await.unwrap();
    for statement in [&gone, &write] {
        for _ in 0..2 {
            let error = a.exec_drop(statement, (1,)).await.unwrap_err();
            assert_eq!(code(&error), 1146, "{error}");
            assert_eq!((zone(&mut a).await, zone(&mut b).await), ("SYSTEM".into(), "SYSTEM".into()));
        }
    }
    a.query_drop("USE other").await.unwrap();
    assert_eq!(zone(&mut b).await, "SYSTEM");
    root.query_drop("DROP DATABASE other").await.unwrap();
    for _ in 0..2 {
        assert_eq!(a.query_first::<i32, _>("SELECT 1").await.unwrap(), Some(1), "it needs no schema");
        let error = a.query_drop("DELETE FROM t").await.unwrap_err();
        assert_eq!(code(&error), 1046, "{error}");
        assert_eq!(zone(&mut b).await, "SYSTEM");
    }
    root.query_drop("CREATE DATABASE other").await.unwrap();
    assert_eq!(a.query_first::<String, _>("SELECT DATABASE()").await.unwrap().as_deref(), Some("other"));
}

/// What all this rests on: behind a preparation that fails, the id of the last one names no statement.
#[tokio::test]
async fn an_execute_behind_a_refused_preparation_runs_nothing() {
    let node = Node::start(1).await;
    node.root().await.query_drop("CREATE TABLE tpcw.k (v INT)").await.unwrap();
    let mut raw = Raw::connect(node.address(), Capabilities(0)).await;
    raw.prepare("INSERT INTO k VALUES (1)").await;
    assert_eq!(error(&raw.ask(&[&[0x16][..], b"SELECT * FROM missing"].concat()).await).unwrap().0, 1146);
    let told = raw.ask(&execute(LAST_PREPARED, 0, &[])).await;
    assert_eq!(error(&told).map(|error| error.0), Some(1243), "{}", told[HEADER]);
    assert_eq!(raw.value("SELECT COUNT(*) FROM k").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_causal_read_waits_at_its_replica_within_one_round_trip() {
    let (n1, n2) = (Node::start(1).await, Node::start(2).await);
    n2.follow(&n1).await;
    let (front, tap) = tapped(&[&n1, &n2], 4, 20_000).await;
    let mut client = front.client().await;
    client.query_drop("CREATE TABLE t (v INT)").await.unwrap();
    let read = "SELECT COUNT(*) FROM t";
    let statement = client.prep(read).await.unwrap();
    for count in 1..=5 {
        client.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
        tap.turns();
        let told: Option<u32> = client.query_first(read).await.unwrap();
        let turns = tap.turns();
        assert_eq!(told, Some(count));
        assert!(turns == 1 || count == 1, "{turns} turns at the replica; the first made the connection");
        client.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
        client.query_drop("DELETE FROM t LIMIT 1").await.unwrap();
        let told: Option<u32> = client.exec_first(&statement, ()).await.unwrap();
        assert_eq!((told, tap.turns()), (Some(count), 1), "the wait, perhaps a preparation, the execute");
    }
    // In vain: the primary answers, and the answer that comes late meets nobody.
    n2.root().await.query_drop("STOP SLAVE SQL_THREAD").await.unwrap();
    client.query_drop("SET tpcw_wait_ms = 100").await.unwrap();
    for count in 6..=9 {
        client.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
        assert_eq!(client.query_first::<u32, _>(read).await.unwrap(), Some(count));
        let told: Option<u32> = client.exec_first(&statement, ()).await.unwrap();
        assert_eq!(told, Some(count));
    }
    let eventual = "SELECT /* tpcw: consistency=eventual */ COUNT(*) FROM t";
    assert_eq!(client.query_first::<u32, _>(eventual).await.unwrap(), Some(5));
}
