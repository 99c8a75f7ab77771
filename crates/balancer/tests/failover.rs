//! Real nodes behind the control plane: they die, others take over, the dead come back.

mod steering;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use balancer::event::{ClusterEvent, EventKind};
use balancer::request::Action;
use balancer::server::{self, Balancer, StartError};
use balancer::view::{ClusterView, NodeState};
use cluster::{Account, Admin, LocalCluster, NodeId, Role};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use steering::{PATIENCE, config, session_options};

async fn start(cluster: &LocalCluster, candidates: &[&str]) -> Balancer {
    server::start(config(cluster, candidates), CancellationToken::new()).await.expect("it starts")
}

async fn eventually(
    balancer: &Balancer,
    what: &str,
    pleases: impl FnMut(&ClusterView) -> bool,
) -> Arc<ClusterView> {
    match balancer.view.wait_for(PATIENCE, pleases).await {
        Some(view) => view,
        None => panic!("{what}: {:#?}\n{:#?}", balancer.view.load(), balancer.events.after(0)),
    }
}

fn state(view: &ClusterView, id: &str) -> (Role, NodeState) {
    let node = view.nodes.iter().find(|node| node.id.as_str() == id).expect("a known node");
    (node.role, node.state)
}

fn last(balancer: &Balancer, kind: EventKind) -> Option<ClusterEvent> {
    balancer.events.after(0).into_iter().rfind(|event| event.kind == kind)
}

/// An account that `read_only` binds.
async fn shop(cluster: &LocalCluster, node: &str) -> Admin {
    let address = cluster.node(&NodeId::new(node)).expect("a known node").server;
    Admin::connect(address, &cluster.accounts().shop, PATIENCE).await.expect("the shop logs in")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_primary_is_replaced_writes_go_on_and_it_comes_back_as_a_replica() {
    let cluster = LocalCluster::for_tests(3).await.expect("a cluster");
    let balancer = start(&cluster, &["n3"]).await;
    assert_eq!(balancer.view.load().primary().expect("a primary").id, "n1".into());
    assert_eq!(state(&balancer.view.load(), "n3"), (Role::Candidate, NodeState::Standby));
    shop(&cluster, "n1").await.run("CREATE TABLE tpcw.t (n INT PRIMARY KEY)").await.expect("n1 takes writes");
    // Whoever alone has the last transaction is the right choice; here both are to have it.
    let mut n2 = shop(&cluster, "n2").await;
    for _ in 0..250 {
        if n2.rows::<u32>("SELECT n FROM tpcw.t").await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    cluster.kill(&"n1".into()).await.expect("n1 can be killed");
    let view =
        eventually(&balancer, "a new primary", |view| view.primary().is_some_and(|p| p.id != "n1".into()))
            .await;
    assert_eq!(view.primary().expect("a primary").id, "n2".into(), "a serving replica before a candidate");
    assert_eq!(state(&view, "n1"), (Role::Replica, NodeState::Down));
    println!("{:?}", last(&balancer, EventKind::Promoted).expect("it was told"));
    // Also needs a follower that acknowledges.
    shop(&cluster, "n2").await.run("INSERT INTO tpcw.t VALUES (1)").await.expect("n2 takes writes");

    cluster.restart(&"n1".into()).await.expect("n1 can be restarted");
    let back = |view: &ClusterView| state(view, "n1") == (Role::Replica, NodeState::Serving);
    eventually(&balancer, "n1 is back", back).await;
    println!("{:?}", last(&balancer, EventKind::Rejoined).expect("it was told"));
    let mut n1 = shop(&cluster, "n1").await;
    assert_eq!(n1.rows::<u32>("SELECT n FROM tpcw.t").await.expect("n1 answers"), [1]);
    let refused = n1.run("INSERT INTO tpcw.t VALUES (2)").await.expect_err("n1 is a replica now");
    assert_eq!(refused.code(), Some(1290));

    // And back again, this time as asked for, with nothing broken.
    balancer.handle.ask(Action::Switchover("n1".into()), "test").expect("n1 may be promoted");
    let again = |view: &ClusterView| {
        view.primary().is_some_and(|p| p.id == "n1".into())
            && state(view, "n2") == (Role::Replica, NodeState::Serving)
    };
    eventually(&balancer, "n1 is the primary again and n2 follows", again).await;
    println!("{:?}", last(&balancer, EventKind::Promoted).expect("it was told"));
    shop(&cluster, "n1").await.run("INSERT INTO tpcw.t VALUES (2)").await.expect("n1 takes writes");
    assert!(last(&balancer, EventKind::ActionFailed).is_none(), "{:?}", balancer.events.after(0));
    balancer.shutdown().await;
    cluster.stop().await.expect("all stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_go_into_service_and_out_and_a_dead_replica_is_left_out() {
    let cluster = LocalCluster::for_tests(3).await.expect("a cluster");
    let balancer = start(&cluster, &["n3"]).await;
    let n3 = |role: Role, state_: NodeState| move |view: &ClusterView| state(view, "n3") == (role, state_);
    balancer.handle.ask(Action::ScaleOut(None), "test").expect("n3 stands by");
    eventually(&balancer, "n3 serves", n3(Role::Replica, NodeState::Serving)).await;
    println!("{:?}", last(&balancer, EventKind::ScaleOutDone).expect("it was told"));

    cluster.kill(&"n3".into()).await.expect("n3 can be killed");
    eventually(&balancer, "n3 is left out", n3(Role::Replica, NodeState::Down)).await;
    println!("{:?}", last(&balancer, EventKind::NodeDown).expect("it was told"));
    cluster.restart(&"n3".into()).await.expect("n3 can be restarted");
    eventually(&balancer, "n3 serves again", n3(Role::Replica, NodeState::Serving)).await;

    balancer.handle.ask(Action::ScaleIn(None), "test").expect("one can be spared");
    eventually(&balancer, "n3 stands by", n3(Role::Candidate, NodeState::Standby)).await;
    balancer.handle.ask(Action::ScaleIn(None), "test").expect_err("the floor is reached");
    balancer.shutdown().await;
    cluster.stop().await.expect("all stops");
}

/// Writes through the balancer every 10 ms, with a new session where one is lost, until another node answers. Tells the
/// longest time between two acknowledged writes, and the writes.
async fn write_until_moved(address: SocketAddr, account: Account) -> (Duration, Vec<u32>) {
    let (mut last, mut gap, mut kept) = (Instant::now(), Duration::ZERO, Vec::new());
    let (mut session, mut moved) = (None, false);
    for n in 1..3_000 {
        if session.is_none() {
            session = timeout(PATIENCE, Conn::new(session_options(address, &account)))
                .await
                .ok()
                .and_then(Result::ok);
        }
        let Some(open) = session.as_mut().filter(|_| !moved) else { break };
        let write = timeout(PATIENCE, open.query_drop(format!("INSERT INTO tpcw.t VALUES ({n})"))).await;
        if write.is_ok_and(|done| done.is_ok()) {
            kept.push(n);
            let took = last.elapsed();
            (last, gap, moved) = (Instant::now(), gap.max(took), took > Duration::from_secs(1));
        } else {
            session = None;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (gap, kept)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_primary_is_replaced_and_never_writable_again_when_it_wakes() {
    let cluster = LocalCluster::for_tests(3).await.expect("a cluster");
    let balancer = start(&cluster, &[]).await;
    shop(&cluster, "n1").await.run("CREATE TABLE tpcw.t (n INT PRIMARY KEY)").await.expect("n1 takes writes");
    let writer = tokio::spawn(write_until_moved(balancer.address, cluster.accounts().shop.clone()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    cluster.pause(&"n1".into()).await.expect("n1 can be paused");
    let view =
        eventually(&balancer, "a new primary", |view| view.primary().is_some_and(|p| p.id != "n1".into()))
            .await;
    println!("{:?}", last(&balancer, EventKind::Promoted).expect("it was told"));
    let primary = view.primary().expect("a primary").id.clone();
    let (gap, kept) = writer.await.expect("the writer ends");
    println!("a client that writes every 10 ms saw a gap of {} ms", gap.as_millis());
    shop(&cluster, primary.as_str())
        .await
        .run("INSERT INTO tpcw.t VALUES (0)")
        .await
        .expect("it takes writes");
    cluster.resume(&"n1".into()).await.expect("n1 can be resumed");
    // Whether its last write had reached its own log when it was paused is chance: with such a write it must be refused.
    let refused = || last(&balancer, EventKind::Refused).is_some_and(|event| event.node == Some("n1".into()));
    let back = || state(&balancer.view.load(), "n1") == (Role::Replica, NodeState::Serving);
    // A refusal publishes no view, so there is none to wait for.
    let end = Instant::now() + PATIENCE;
    while !refused() && !back() {
        assert!(Instant::now() < end, "n1 is neither back nor refused: {:#?}", balancer.events.after(0));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    if refused() {
        assert_eq!(state(&balancer.view.load(), "n1"), (Role::Replica, NodeState::Down), "it must not serve");
    }
    let found =
        shop(&cluster, primary.as_str()).await.rows::<u32>("SELECT n FROM tpcw.t").await.expect("rows");
    assert!(kept.iter().all(|n| found.contains(n)), "acknowledged and lost: {kept:?} {found:?}");
    let mut n1 = shop(&cluster, "n1").await;
    assert_eq!(
        n1.run("INSERT INTO tpcw.t VALUES (-1)").await.expect_err("n1 is a replica now").code(),
        Some(1290)
    );
    balancer.shutdown().await;
    cluster.stop().await.expect("all stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_refuses_to_start_between_two_writable_nodes_and_without_a_login() {
    let cluster = LocalCluster::for_tests(2).await.expect("a cluster");
    let mut wrong = config(&cluster, &[]);
    wrong.operator.password = "wrong".into();
    let refused = server::start(wrong, CancellationToken::new()).await.expect_err("the password is wrong");
    assert!(matches!(refused, StartError::Denied { .. }), "{refused}");

    let mut n2 = cluster.admin(&"n2".into(), PATIENCE).await.expect("n2 answers");
    for statement in ["STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only=OFF"] {
        n2.run(statement).await.expect(statement);
    }
    let refused =
        server::start(config(&cluster, &[]), CancellationToken::new()).await.expect_err("two primaries");
    assert!(refused.to_string().starts_with("n1 and n2 are both writable"), "{refused}");
    cluster.stop().await.expect("all stops");
}
