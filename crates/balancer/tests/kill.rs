//! Statements that are ended early: killed, out of time, or left by their client.

mod nodes;
mod raw;

use std::time::Duration;

use balancer::wire::capabilities::Capabilities;
use balancer::wire::packet::HEADER;
use balancer::wire::reply::Expect;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use nodes::{Front, Node};
use raw::{PATIENCE, Raw, error};

const PLAIN: Capabilities = Capabilities(0);

/// Waits until so many threads of the node run a statement with this text.
async fn running(node: &Node, text: &str, count: i64) {
    running_where(node, text, "TRUE", count).await;
}

/// Waits until a thread of the node is well into a statement with this text: one that is ended while the server still plans it is answered
/// with the error alone, a little later with columns and the error.
async fn under_way(node: &Node, text: &str) {
    running_where(node, text, "state = 'Sending data' AND time_ms > 100", 1).await;
}

async fn running_where(node: &Node, text: &str, condition: &str, count: i64) {
    let mut root = node.root().await;
    let sql = format!(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '{text}%' AND id <> CONNECTION_ID() AND {condition}"
    );
    let waited = tokio::time::timeout(PATIENCE, async {
        while root.query_first::<i64, _>(&sql).await.unwrap() != Some(count) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{count} × {text}"));
}

fn code(error: &Error) -> u16 {
    match error {
        Error::Server(error) => error.code,
        other => panic!("{other}"),
    }
}

/// What a client sees whose statement, or session, is killed; by the id of its greeting.
async fn killed(address: std::net::SocketAddr, node: &Node, how: &str, sql: &str) -> (Vec<u8>, Vec<u8>) {
    let mut victim = Raw::connect(address, PLAIN).await;
    let mut killer = Raw::connect(address, PLAIN).await;
    assert_eq!(victim.value("SELECT CONNECTION_ID()").await, victim.id.to_string());
    victim.send(&[&[3], sql.as_bytes()].concat()).await;
    under_way(node, sql).await;
    let answer = killer.query(&format!("{how} {}", victim.id)).await;
    assert_eq!(answer[HEADER], 0, "{}", String::from_utf8_lossy(&answer));
    let told = victim.try_answer(Expect::Result).await.unwrap_or_default();
    running(node, sql, 0).await;
    if told.is_empty() {
        return (told, Vec::new());
    }
    victim.send(&[0x0E]).await;
    (told, victim.try_packet().await.unwrap_or_default())
}

#[tokio::test]
async fn a_statement_is_killed_as_at_a_server() {
    let node = Node::start(1).await;
    let front = Front::start(&[&node]);
    for (how, sql) in [
        ("KILL QUERY", "SELECT 1, COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b"),
        ("KILL HARD QUERY", "INSERT INTO k SELECT COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b"),
        ("KILL", "SELECT 2, COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b"),
        ("KILL CONNECTION", "INSERT INTO k SELECT COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b"),
    ] {
        let mut root = node.root().await;
        root.query_drop("CREATE TABLE IF NOT EXISTS tpcw.k (v INT)").await.unwrap();
        let direct = killed(node.address(), &node, how, sql).await;
        let through = killed(front.plane.address, &node, how, sql).await;
        assert_eq!(error(&direct.0), error(&through.0), "{how} {sql}");
        assert_eq!(direct, through, "{how} {sql}");
    }
    for how in ["KILL QUERY CONNECTION_ID()", "KILL CONNECTION_ID()", "KILL HARD CONNECTION_ID()"] {
        let mut told = Vec::new();
        for address in [node.address(), front.plane.address] {
            let mut own = Raw::connect(address, PLAIN).await;
            let answer = own.query(how).await;
            own.send(&[0x0E]).await;
            told.push((error(&answer), own.try_packet().await));
        }
        assert_eq!(told[0], told[1], "{how}");
    }
}

#[tokio::test]
async fn only_ones_own_sessions_can_be_killed() {
    let node = Node::start(1).await;
    let front = Front::start(&[&node]);
    let mut shop = Raw::connect(front.plane.address, PLAIN).await;
    let mut root = Raw::connect_as(front.plane.address, PLAIN, "root", "").await;
    let mut other = Raw::connect(front.plane.address, PLAIN).await;
    assert!(shop.id >= 1 << 30 && shop.id != root.id, "no thread of a node has such an id");
    let told = error(&shop.query(&format!("KILL {}", root.id)).await).unwrap();
    assert_eq!(told, (1095, format!("You are not owner of thread {}", root.id)));
    assert_eq!(error(&shop.query("KILL 5").await).unwrap(), (1094, "Unknown thread id: 5".to_owned()));
    assert_eq!(error(&shop.query("KILL USER shop").await).unwrap().0, 1235);
    assert_eq!(error(&shop.query("KILL QUERY CONNECTION_ID()").await).unwrap().0, 1317);
    // An idle session takes no notice of KILL QUERY, and a later statement neither.
    assert_eq!(shop.query(&format!("KILL QUERY {}", other.id)).await[HEADER], 0);
    assert_eq!(other.value("SELECT SLEEP(0.2)").await, "0");
    // COM_PROCESS_KILL ends a session.
    assert_eq!(shop.ask(&[&[0x0C][..], &other.id.to_le_bytes()].concat()).await[HEADER], 0);
    assert_eq!(other.try_packet().await, None);
    assert_eq!(error(&shop.query(&format!("KILL {}", other.id)).await).unwrap().0, 1094, "it is gone");
    // The operator's account may end any.
    assert_eq!(root.query(&format!("KILL {}", shop.id)).await[HEADER], 0);
    assert_eq!(shop.try_packet().await, None);
    let told = error(&root.query("KILL CONNECTION_ID()").await).unwrap();
    assert_eq!((told.0, root.try_packet().await), (1927, None));
}

#[tokio::test]
async fn kills_race_with_ends_and_hit_nobody_else() {
    let node = Node::start(1).await;
    let front = Front::start_with(&[&node], |config| config.pool.max = 4);
    let mut victim = front.client().await;
    let id = victim.id();
    let mut others = Vec::new();
    let stop = tokio_util::sync::CancellationToken::new();
    for at in 0..4i64 {
        let (mut other, stop) = (front.client().await, stop.clone());
        others.push(tokio::spawn(async move {
            while !stop.is_cancelled() {
                let told: i64 = other.query_first(format!("SELECT {at}")).await.unwrap().unwrap();
                assert_eq!(told, at);
            }
        }));
    }
    let mut killer = front.client().await;
    let killing = tokio::spawn(async move {
        for _ in 0..60 {
            killer.query_drop(format!("KILL QUERY {id}")).await.unwrap();
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    });
    while !killing.is_finished() {
        match victim.query_first::<i64, _>("SELECT SLEEP(0.002)").await {
            // SLEEP itself returns 1 when it is killed.
            Ok(slept) => assert!(matches!(slept, Some(0 | 1))),
            Err(error) => assert_eq!(code(&error), 1317),
        }
    }
    stop.cancel();
    for other in others {
        other.await.expect("nobody else was hit");
    }
    assert_eq!(victim.query_first::<i64, _>("SELECT 5").await.unwrap(), Some(5));
}

#[tokio::test]
async fn a_client_that_leaves_leaves_nothing_running() {
    let node = Node::start(1).await;
    let front = Front::start(&[&node]);
    node.root().await.query_drop("CREATE TABLE tpcw.k (v INT)").await.unwrap();
    for (at, sql) in [
        "SELECT 1, COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b",
        "INSERT INTO k SELECT COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b",
        "BEGIN; INSERT INTO k VALUES (1); SELECT 2, COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b",
    ]
    .iter()
    .enumerate()
    {
        let mut leaving = Raw::connect(front.plane.address, Capabilities::MULTI_STATEMENTS).await;
        leaving.send(&[&[3], sql.as_bytes()].concat()).await;
        let text = sql.rsplit("; ").next().unwrap();
        running(&node, text, 1).await;
        if at == 1 {
            // Some say goodbye first.
            leaving.send(&[0x01]).await;
        }
        drop(leaving);
        running(&node, text, 0).await;
    }
    let count: i64 = node.root().await.query_first("SELECT COUNT(*) FROM tpcw.k").await.unwrap().unwrap();
    assert_eq!(count, 0, "what was begun is undone");
    // Who says more before leaving wants it done.
    let mut hasty = Raw::connect(front.plane.address, PLAIN).await;
    hasty.send(b"\x03SELECT SLEEP(2.5)").await;
    hasty.send(b"\x03INSERT INTO k VALUES (7)").await;
    hasty.send(&[0x01]).await;
    drop(hasty);
    let mut root = node.root().await;
    let waited = tokio::time::timeout(PATIENCE, async {
        while root.query_first::<i64, _>("SELECT v FROM tpcw.k").await.unwrap() != Some(7) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.expect("done");
}

#[tokio::test]
async fn a_statement_has_its_time() {
    let node = Node::start(1).await;
    let front = Front::start_with(&[&node], |config| config.limits.statement_ms = 300);
    node.root().await.query_drop("CREATE TABLE tpcw.k (v INT)").await.unwrap();
    let mut client = front.client().await;
    for sql in [
        "SELECT 1, COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b",
        "INSERT INTO k SELECT COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b",
        // After a part of the answer has been passed on.
        "SELECT REPEAT('x', 100000) UNION ALL SELECT COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b",
    ] {
        let error = client.query_drop(sql).await.unwrap_err();
        assert_eq!(code(&error), 1969, "{sql}: {error}");
        assert_eq!(client.query_first::<i64, _>("SELECT 5").await.unwrap(), Some(5), "the session goes on");
    }
    client.query_drop("BEGIN").await.unwrap();
    client.query_drop("INSERT INTO k VALUES (1)").await.unwrap();
    let error = client
        .query_drop("SELECT 2, COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b")
        .await
        .unwrap_err();
    assert_eq!(code(&error), 1969);
    client.query_drop("COMMIT").await.unwrap();
    assert_eq!(client.query_first::<i64, _>("SELECT v FROM k").await.unwrap(), Some(1), "as at a server");
    running(&node, "%seq_1", 0).await;
}

#[tokio::test]
async fn a_node_that_hangs_does_not_hold_a_killed_statement() {
    let node = Node::start(1).await;
    let front = Front::start(&[&node]);
    let mut victim = front.client().await;
    let mut killer = front.client().await;
    let id = victim.id();
    assert_eq!(victim.query_first::<i64, _>("SELECT 1").await.unwrap(), Some(1));
    node.pause(true).await;
    let waiting = tokio::spawn(async move { victim.query_drop("SELECT 2").await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    killer.query_drop(format!("KILL QUERY {id}")).await.unwrap();
    let told = tokio::time::timeout(PATIENCE, waiting).await.expect("an answer").unwrap();
    assert_eq!(code(&told.unwrap_err()), 1317);
    node.pause(false).await;
}

#[tokio::test]
async fn a_held_statement_can_be_killed() {
    let node = Node::start(1).await;
    let front = Front::start_with(&[&node], |config| config.failover.hold_ms = 600_000);
    let mut victim = front.client().await;
    let mut killer = front.client().await;
    let id = victim.id();
    front.publish(|view| view.nodes[0].state = balancer::view::NodeState::Down);
    let held = tokio::spawn(async move {
        let told = victim.query_drop("DELETE FROM nothing").await;
        (victim, told)
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    killer.query_drop(format!("KILL QUERY {id}")).await.unwrap();
    let (mut victim, told): (Conn, _) = tokio::time::timeout(PATIENCE, held).await.expect("told").unwrap();
    assert_eq!(code(&told.unwrap_err()), 1317);
    front.publish(|view| view.nodes[0].state = balancer::view::NodeState::Serving);
    assert_eq!(victim.query_first::<i64, _>("SELECT 5").await.unwrap(), Some(5));
}
