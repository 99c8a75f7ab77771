//! What clients may use up, in the servers' own codes; and clients that do their worst.

mod nodes;
mod raw;

use balancer::config::AccountLimits;
use balancer::wire::capabilities::Capabilities;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use nodes::{Front, Node, eventually, opts};
use raw::Raw;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn code<T>(result: Result<T, Error>) -> u16 {
    match result {
        Err(Error::Server(error)) => error.code,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("no error"),
    }
}

/// A figure of this process, which holds the balancer, in KiB.
fn memory_kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_account_has_so_many_clients_and_no_more() {
    let server = Node::start(1).await;
    let front = Front::start_with(&[&server], |config| {
        let limits = AccountLimits { clients: Some(2), node_connections: None };
        config.limits.accounts.insert("shop".into(), limits);
    });
    let (one, _two) = (front.client().await, front.client().await);
    assert_eq!(code(Conn::new(front.shop()).await), 1226);
    let mut root = Conn::new(opts(front.port(), "root", "")).await.unwrap();
    let as_shop = mysql_async::ChangeUserOpts::new()
        .with_user(Some("shop".into()))
        .with_pass(Some("secret".into()))
        .with_db_name(Some("tpcw".into()));
    assert_eq!(code(root.change_user(as_shop).await), 1226);
    one.disconnect().await.unwrap();
    eventually("a seat is free", async || Conn::new(front.shop()).await.is_ok()).await;
}

#[tokio::test]
async fn who_does_not_log_in_makes_room_for_who_does() {
    let server = Node::start(1).await;
    let front = Front::start_with(&[&server], |config| {
        (config.workers, config.limits.logins) = (2, 10);
    });
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(TcpStream::connect(front.plane.address).await.unwrap());
    }
    eventually("a client gets in all the same", async || Conn::new(front.shop()).await.is_ok()).await;
    // A flood of them: whoever is turned away is told so.
    let mut refused = 0;
    for _ in 0..300 {
        silent.push(TcpStream::connect(front.plane.address).await.unwrap());
    }
    for stream in &mut silent[10..] {
        let mut first = [0; 5];
        stream.read_exact(&mut first).await.unwrap();
        refused += usize::from(first[4] == 0xFF);
    }
    assert!(refused >= 200, "{refused}");
    eventually("and again", async || Conn::new(front.shop()).await.is_ok()).await;
}

#[tokio::test]
async fn a_login_a_byte_at_a_time_is_cut_at_its_limit() {
    let server = Node::start(1).await;
    let front = Front::start_with(&[&server], |config| config.limits.login_ms = 300);
    let mut slow = TcpStream::connect(front.plane.address).await.unwrap();
    let packet = [200u8, 0, 0, 1].into_iter().chain([b'a'; 200]);
    for byte in packet {
        if slow.write_all(&[byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    eventually("it is gone", async || front.plane.clients() == 0).await;
}

#[tokio::test]
async fn a_client_that_says_nothing_for_too_long_is_cut() {
    let server = Node::start(1).await;
    let front = Front::start_with(&[&server], |config| config.limits.idle_ms = 200);
    let mut client = Raw::connect(front.plane.address, Capabilities::default()).await;
    assert!(client.try_packet().await.is_none());
    eventually("it is gone", async || front.plane.clients() == 0).await;
}

#[tokio::test]
async fn memory_is_bounded_over_all_clients() {
    let server = Node::start(1).await;
    let front = Front::start_with(&[&server], |config| config.limits.memory_bytes = 1 << 20);
    // Half a command, which stays in the balancer.
    let mut half = Raw::connect(front.plane.address, Capabilities::default()).await;
    let length = (900u32 << 10).to_le_bytes();
    half.send_bytes(&[length[0], length[1], length[2], 0, 3]).await;
    half.send_bytes(&vec![b' '; 600 << 10]).await;
    let long = format!("SELECT LENGTH('{}')", "x".repeat(700 << 10));
    let mut client = front.client().await;
    eventually("there is no room for another one", async || match client.query_drop(&long).await {
        Ok(()) => false,
        // It may be cut before it has sent all, and never read why.
        Err(Error::Io(_)) => true,
        error => code(error) == 1041,
    })
    .await;
    let mut small = front.client().await;
    small.query_drop("SELECT 1").await.expect("small ones are not concerned");
    // Parameters that are kept for later count as well; the statement is refused, the session goes on.
    let mut keeper = Raw::connect(front.plane.address, Capabilities::default()).await;
    let id = keeper.prepare("SELECT LENGTH(?)").await;
    for _ in 0..20 {
        keeper.send(&[&[0x18], &id.to_le_bytes()[..], &[0, 0], &[b'y'; 60_000]].concat()).await;
    }
    let refused = keeper.execute(id, 0, &[""]).await;
    assert_eq!(raw::error(&refused).unwrap().0, 1041);
    assert_eq!(keeper.value("SELECT 5").await, "5", "it goes on");
    drop(half);
    let mut client = front.client().await;
    eventually("there is room again", async || {
        if client.query_drop(&long).await.is_ok() {
            return true;
        }
        client = front.client().await;
        false
    })
    .await;
}

#[tokio::test]
async fn a_length_that_is_only_announced_costs_nothing() {
    let server = Node::start(1).await;
    let front = Front::start(&[&server]);
    let mut good = front.client().await;
    good.query_drop("SELECT 1").await.unwrap();
    let before = memory_kib("VmSize");
    let mut liars = Vec::new();
    for _ in 0..100 {
        let mut liar = Raw::connect(front.plane.address, Capabilities::default()).await;
        liar.send_bytes(&[0xFE, 0xFF, 0xFF, 0, 3, b'S']).await;
        liars.push(liar);
    }
    let told: Option<u32> = good.query_first("SELECT 42").await.unwrap();
    assert_eq!(told, Some(42));
    let grown = memory_kib("VmSize").saturating_sub(before);
    assert!(grown < 400 << 10, "{grown} KiB for 100 announcements of 16 MiB");
    // Beyond the limit it is refused as soon as it is announced.
    let front = Front::start_with(&[&server], |config| config.limits.packet_bytes = 1 << 20);
    let mut liar = Raw::connect(front.plane.address, Capabilities::default()).await;
    liar.send_bytes(&[0xFE, 0xFF, 0xFF, 0, 3]).await;
    assert_eq!(raw::error(&liar.packet().await).unwrap().0, 1153);
}

#[tokio::test]
async fn a_client_that_never_reads_costs_little_and_hinders_nobody() {
    let server = Node::start(1).await;
    let front = Front::start_with(&[&server], |config| (config.workers, config.pool.max) = (1, 8));
    let mut good = front.client().await;
    good.query_drop("SELECT 1").await.unwrap();
    let before = memory_kib("VmRSS");
    let mut deaf = Vec::new();
    for _ in 0..4 {
        let mut client = Raw::connect(front.plane.address, Capabilities::default()).await;
        client.send(b"\x03SELECT REPEAT('x', 1048576) FROM seq_1_to_200").await;
        // And it asks for more, over and over.
        for _ in 0..100 {
            client.send(b"\x03SELECT 1").await;
        }
        deaf.push(client);
    }
    for round in 0..200u32 {
        let told: Option<u32> = good.query_first(format!("SELECT {round}")).await.unwrap();
        assert_eq!(told, Some(round));
    }
    let grown = memory_kib("VmRSS").saturating_sub(before);
    assert!(grown < 100 << 10, "{grown} KiB for 800 MiB that nobody takes");
    drop(deaf);
    eventually("they are gone, and with them what ran for them", async || front.plane.clients() == 1).await;
    good.query_drop("SELECT 1").await.unwrap();
}
