//! Real nodes: they replicate, one dies, another takes over, the old one comes back.

use std::time::Duration;

use cluster::replication::{drain_relay_log, errant, fence, follow, open, status, wait_applied};
use cluster::{Admin, LocalCluster, NodeId};

const LIMIT: Duration = Duration::from_secs(10);

async fn admin(cluster: &LocalCluster, node: &str) -> Admin {
    cluster.admin(&NodeId::new(node), LIMIT).await.unwrap()
}

/// Has `node` follow `primary`.
async fn attach(cluster: &LocalCluster, node: &str, primary: &str) {
    let server = cluster.node(&NodeId::new(primary)).unwrap().server;
    let host = server.ip().to_string();
    let mut admin = admin(cluster, node).await;
    follow(&mut admin, &host, server.port(), &cluster.accounts().replication).await.unwrap();
}

/// Waits until `node` has all that `primary` has, and is the same.
async fn caught_up(cluster: &LocalCluster, node: &str, primary: &str) {
    let position = status(&mut admin(cluster, primary).await).await.unwrap().current;
    let mut admin = admin(cluster, node).await;
    let applied = wait_applied(&mut admin, &position, LIMIT).await.unwrap();
    assert!(applied, "{node} behind {primary}: {:?}", status(&mut admin).await);
}

async fn numbers(cluster: &LocalCluster, node: &str) -> Vec<u32> {
    admin(cluster, node).await.rows("SELECT n FROM tpcw.t ORDER BY n").await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_primary_is_replaced_and_comes_back_as_a_follower() {
    let cluster = LocalCluster::for_tests(3).await.unwrap();
    let shop = cluster.accounts().shop.clone();
    let n1 = cluster.node(&"n1".into()).unwrap();
    let mut client = Admin::connect(n1.address, &shop, LIMIT).await.unwrap();
    client.run("CREATE TABLE tpcw.t (n INT PRIMARY KEY)").await.unwrap();
    client.run("INSERT INTO tpcw.t VALUES (1),(2)").await.unwrap();
    caught_up(&cluster, "n2", "n1").await;
    caught_up(&cluster, "n3", "n1").await;
    assert_eq!(numbers(&cluster, "n2").await, [1, 2]);
    let primary = status(&mut admin(&cluster, "n1").await).await.unwrap();
    assert!(primary.semi_sync_master.active && !primary.read_only, "{primary:?}");
    assert_eq!(primary.semi_sync_master.clients, 2);

    // A replica takes no writes from the shop's account.
    let n2 = cluster.node(&"n2".into()).unwrap();
    let mut on_replica = Admin::connect(n2.address, &shop, LIMIT).await.unwrap();
    let refused = on_replica.run("INSERT INTO tpcw.t VALUES (99)").await.unwrap_err();
    assert_eq!(refused.code(), Some(1290), "{refused}");

    // The primary dies; n2 takes over while n3 is re-pointed.
    cluster.kill(&"n1".into()).await.unwrap();
    assert_eq!(cluster.node(&"n1".into()).unwrap().state, "down");
    let mut chosen = admin(&cluster, "n2").await;
    assert!(drain_relay_log(&mut chosen, LIMIT).await.unwrap());
    let (opened, ()) = tokio::join!(open(&mut chosen), attach(&cluster, "n3", "n2"));
    opened.unwrap();
    on_replica.run("INSERT INTO tpcw.t VALUES (3)").await.unwrap();

    // The old one comes back closed, follows and has everything.
    cluster.restart(&"n1".into()).await.unwrap();
    let back = status(&mut admin(&cluster, "n1").await).await.unwrap();
    let new = status(&mut chosen).await.unwrap();
    assert!(back.read_only && back.follows.is_none() && !back.semi_sync_master.on, "{back:?}");
    assert_eq!(errant(&back.current, &new.binlog_state), []);
    attach(&cluster, "n1", "n2").await;
    on_replica.run("INSERT INTO tpcw.t VALUES (4)").await.unwrap();
    for node in ["n1", "n3"] {
        caught_up(&cluster, node, "n2").await;
        assert_eq!(numbers(&cluster, node).await, [1, 2, 3, 4], "{node}");
    }
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_nobody_acknowledged_is_rolled_back_when_the_primary_comes_back() {
    let cluster = LocalCluster::for_tests(2).await.unwrap();
    let n1 = cluster.node(&"n1".into()).unwrap();
    let mut client = Admin::connect(n1.address, &cluster.accounts().shop, LIMIT).await.unwrap();
    client.run("CREATE TABLE tpcw.t (n INT PRIMARY KEY)").await.unwrap();
    caught_up(&cluster, "n2", "n1").await;

    // Cut off from its only follower, the primary's commit waits.
    cluster.pause(&"n2".into()).await.unwrap();
    client.set_limit(Duration::from_millis(500));
    client.run("INSERT INTO tpcw.t VALUES (1)").await.unwrap_err();
    cluster.kill(&"n1".into()).await.unwrap();
    cluster.resume(&"n2".into()).await.unwrap();
    let mut chosen = admin(&cluster, "n2").await;
    drain_relay_log(&mut chosen, LIMIT).await.unwrap();
    let have = numbers(&cluster, "n2").await;
    open(&mut chosen).await.unwrap();

    cluster.restart(&"n1".into()).await.unwrap();
    let back = status(&mut admin(&cluster, "n1").await).await.unwrap();
    println!("n2 has {have:?}, n1 is back at {}", back.current);
    println!("{}", cluster.log_tail(&"n1".into(), 40).unwrap());
    attach(&cluster, "n1", "n2").await;
    chosen.run("INSERT INTO tpcw.t VALUES (2)").await.unwrap();
    caught_up(&cluster, "n1", "n2").await;
    assert_eq!(numbers(&cluster, "n1").await, numbers(&cluster, "n2").await);
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fenced_primary_takes_no_write_and_is_rebuilt_when_it_has_diverged() {
    let cluster = LocalCluster::for_tests(2).await.unwrap();
    let n1 = cluster.node(&"n1".into()).unwrap();
    let shop = cluster.accounts().shop.clone();
    let mut client = Admin::connect(n1.address, &shop, LIMIT).await.unwrap();
    client.run("CREATE TABLE tpcw.t (n INT PRIMARY KEY)").await.unwrap();
    client.run("INSERT INTO tpcw.t VALUES (1),(2)").await.unwrap();
    caught_up(&cluster, "n2", "n1").await;
    cluster.kill(&"n2".into()).await.unwrap();
    // This commit waits for an acknowledgement that cannot come, and must never be told to be done.
    let waiting = tokio::spawn(async move { client.run("INSERT INTO tpcw.t VALUES (3)").await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    let mut operator = admin(&cluster, "n1").await;
    fence(&mut operator).await.unwrap();
    assert!(waiting.await.unwrap().is_err());
    assert!(status(&mut operator).await.unwrap().read_only);
    let mut late = Admin::connect(n1.address, &shop, LIMIT).await.unwrap();
    assert_eq!(late.run("INSERT INTO tpcw.t VALUES (4)").await.unwrap_err().code(), Some(1290));

    // n2 becomes the primary. The fenced node has kept row 3, which nobody was told of and n2 never had.
    cluster.restart(&"n2".into()).await.unwrap();
    let mut chosen = admin(&cluster, "n2").await;
    open(&mut chosen).await.unwrap();
    let (old, new) = (status(&mut operator).await.unwrap(), status(&mut chosen).await.unwrap());
    assert_eq!(errant(&old.current, &new.binlog_state).len(), 1, "{old:?}");
    cluster.rebuild(&"n1".into()).await.unwrap();
    attach(&cluster, "n1", "n2").await;
    chosen.run("INSERT INTO tpcw.t VALUES (5)").await.unwrap();
    caught_up(&cluster, "n1", "n2").await;
    assert_eq!(numbers(&cluster, "n1").await, [1, 2, 5]);
    assert!(!status(&mut admin(&cluster, "n1").await).await.unwrap().semi_sync_master.on);
    cluster.stop().await.unwrap();
}
