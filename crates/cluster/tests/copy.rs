//! A new node from one that serves; and a copy that breaks off.

use std::time::Duration;

use cluster::replication::{follow, status, wait_applied};
use cluster::{Admin, BackupTools, Cache, Error, LocalCluster, NodeId};

const LIMIT: Duration = Duration::from_secs(20);

async fn tools(cluster: &LocalCluster) -> BackupTools {
    let cache = Cache::from_environment(|name| std::env::var_os(name));
    BackupTools::find(cluster.program(), &cache, false, |_| ()).await.unwrap()
}

async fn admin(cluster: &LocalCluster, node: &str) -> Admin {
    cluster.admin(&NodeId::new(node), LIMIT).await.unwrap()
}

async fn shop(cluster: &LocalCluster) -> Admin {
    let address = cluster.node(&"n1".into()).unwrap().address;
    Admin::connect(address, &cluster.accounts().shop, LIMIT).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_copied_while_it_serves_and_follows_from_where_its_copy_stood() {
    let cluster = LocalCluster::for_tests(2).await.unwrap();
    let mut client = shop(&cluster).await;
    client.run("CREATE TABLE tpcw.t (n INT AUTO_INCREMENT PRIMARY KEY, x VARCHAR(200))").await.unwrap();
    for _ in 0..50 {
        client.run("INSERT INTO tpcw.t (x) SELECT REPEAT('x', 200) FROM tpcw.seq_1_to_100").await.unwrap();
    }
    let tools = tools(&cluster).await;
    // Written all the while: the copy is of one moment among them.
    let writing = tokio::spawn(async move {
        for _ in 0..200 {
            client.run("INSERT INTO tpcw.t (x) VALUES ('meanwhile')").await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let (node, figures) = cluster.copy_node(&"n2".into(), &tools).await.unwrap();
    println!("{figures:?}, {:.0} MB/s", figures.mb_per_second());
    assert_eq!((node.id.as_str(), node.server_id, node.state), ("n3", 3, "running"));
    assert!(figures.bytes > 1_000_000 && cluster.nodes().len() == 3);
    let mut new = admin(&cluster, "n3").await;
    let before = status(&mut new).await.unwrap();
    assert!(before.read_only && before.follows.is_none(), "closed, and following nobody: {before:?}");
    assert!(!before.current.is_empty(), "it knows where it stands");

    writing.await.unwrap();
    let primary = cluster.node(&"n1".into()).unwrap().peers;
    let host = primary.ip().to_string();
    follow(&mut new, &host, primary.port(), &cluster.accounts().replication).await.unwrap();
    let end = status(&mut admin(&cluster, "n1").await).await.unwrap().current;
    assert!(wait_applied(&mut new, &end, LIMIT).await.unwrap(), "{:?}", status(&mut new).await);
    const SUM: &str = "CHECKSUM TABLE tpcw.t";
    let sum = |rows: Vec<(String, u64)>| rows[0].1;
    let original = sum(admin(&cluster, "n1").await.rows(SUM).await.unwrap());
    assert_eq!(sum(new.rows(SUM).await.unwrap()), original);
    // A node like any other: it dies and comes back.
    cluster.kill(&node.id).await.unwrap();
    assert!(cluster.heal(&node.id).await.unwrap().starts_with("started again"));
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_breaks_off_leaves_nothing_and_the_next_one_is_not_in_its_way() {
    let cluster = LocalCluster::for_tests(3).await.unwrap();
    let tools = tools(&cluster).await;
    let left =
        || std::fs::read_dir(cluster.folder()).unwrap().flatten().any(|entry| entry.file_name() == "n4");
    // The original dies in the middle.
    let (n2, n3) = (NodeId::new("n2"), NodeId::new("n3"));
    let killing = async {
        while !cluster.folder().join("n4/copy.log").exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        cluster.kill(&n2).await.unwrap();
    };
    let (copied, ()) = tokio::join!(cluster.copy_node(&n2, &tools), killing);
    let broken_off = copied.unwrap_err();
    assert!(matches!(&broken_off, Error::Copy { reason, .. } if !reason.is_empty()), "{broken_off}");
    assert!(!left() && cluster.nodes().len() == 3);
    // Whoever asked gives up in the middle.
    tokio::select! {
        copied = cluster.copy_node(&n3, &tools) => panic!("not so soon: {copied:?}"),
        () = async {
            while !cluster.folder().join("n4/copy.log").exists() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        } => {}
    }
    assert!(!left() && cluster.nodes().len() == 3);
    let (node, _) = cluster.copy_node(&n3, &tools).await.unwrap();
    assert_eq!(node.id.as_str(), "n4");
    let gone = cluster.copy_node(&"n9".into(), &tools).await.unwrap_err();
    assert!(matches!(gone, Error::UnknownNode(_)), "{gone}");
    cluster.stop().await.unwrap();
}
