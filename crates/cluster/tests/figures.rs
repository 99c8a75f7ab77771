//! How long things take on this machine. Prints; judges nothing.
//!
//! `cargo test -p cluster --test figures -- --ignored --nocapture`

use std::path::PathBuf;
use std::time::Duration;

use cluster::replication::{drain_relay_log, follow, open, stop_receiving};
use cluster::{Admin, Cache, ClusterSpec, FindOptions, LocalCluster, LoneServer, Template, program};
use tokio::time::Instant;

const LIMIT: Duration = Duration::from_secs(60);

/// About 200 MB.
async fn fill(lone: LoneServer) -> Result<(), cluster::AdminError> {
    let mut admin = Admin::connect(lone.address, &lone.operator, LIMIT).await?;
    for (table, row) in [
        (
            "CREATE TABLE tpcw.a (n INT PRIMARY KEY, t VARCHAR(200))",
            "INSERT INTO tpcw.a SELECT seq, RPAD(MD5(seq),200,'x') FROM tpcw.seq_1_to_400000",
        ),
        (
            "CREATE TABLE tpcw.b (n INT PRIMARY KEY, t VARCHAR(200))",
            "INSERT INTO tpcw.b SELECT seq, RPAD(MD5(seq),200,'x') FROM tpcw.seq_1_to_400000",
        ),
    ] {
        admin.run(table).await?;
        admin.run(row).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures"]
async fn figures() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let explicit = std::env::var_os("TPCW_SERVER_BINARY").map(PathBuf::from);
    let start = Instant::now();
    let program =
        program::find(FindOptions { explicit, offline: true, cache: &cache }, |_| {}).await.unwrap();
    println!("find the program            {:?}", start.elapsed());
    let start = Instant::now();
    Template::empty(&program, &cache).await.unwrap();
    println!("empty template              {:?}", start.elapsed());
    let start = Instant::now();
    let shop = Template::populated(&program, &cache, "figures", "tpcw", fill).await.unwrap();
    println!("filled template             {:?} ({} MiB)", start.elapsed(), size(shop.path()) >> 20);
    for name in ["empty", "filled"] {
        let source = if name == "empty" {
            Template::empty(&program, &cache).await.unwrap()
        } else {
            Template::populated(&program, &cache, "figures", "tpcw", fill).await.unwrap()
        };
        for nodes in [1, 4] {
            let spec = ClusterSpec { replicas: nodes - 1, candidates: 0, ..ClusterSpec::default() };
            let again = if name == "empty" {
                Template::empty(&program, &cache).await.unwrap()
            } else {
                Template::populated(&program, &cache, "figures", "tpcw", fill).await.unwrap()
            };
            let start = Instant::now();
            let cluster = LocalCluster::start(&program, spec, again).await.unwrap();
            println!("start {nodes} nodes, {name:<7}      {:?}", start.elapsed());
            let start = Instant::now();
            cluster.stop().await.unwrap();
            println!("stop {nodes} nodes               {:?}", start.elapsed());
        }
        drop(source);
    }
    let spec = ClusterSpec { replicas: 2, candidates: 0, ..ClusterSpec::default() };
    for pause in [false, true] {
        let cluster =
            LocalCluster::start(&program, spec.clone(), Template::empty(&program, &cache).await.unwrap())
                .await
                .unwrap();
        let mut client = cluster.admin(&"n1".into(), LIMIT).await.unwrap();
        client.run("CREATE TABLE tpcw.t (n INT PRIMARY KEY)").await.unwrap();
        let start = Instant::now();
        for _ in 0..300 {
            client.run("INSERT INTO tpcw.t SELECT COUNT(*) FROM tpcw.t").await.unwrap();
        }
        println!("a commit                    {:?}", start.elapsed() / 300);
        if pause {
            cluster.pause(&"n1".into()).await.unwrap()
        } else {
            cluster.kill(&"n1".into()).await.unwrap()
        };
        let (mut chosen, mut other) = (
            cluster.admin(&"n2".into(), LIMIT).await.unwrap(),
            cluster.admin(&"n3".into(), LIMIT).await.unwrap(),
        );
        let start = Instant::now();
        let (one, two) = tokio::join!(stop_receiving(&mut chosen), stop_receiving(&mut other));
        one.and(two).unwrap();
        println!("stopped receiving           {:?}", start.elapsed());
        drain_relay_log(&mut chosen, LIMIT).await.unwrap();
        println!("drained (paused: {pause:<5})     {:?}", start.elapsed());
        let to = chosen.address();
        let host = to.ip().to_string();
        let (opened, followed) = tokio::join!(
            open(&mut chosen),
            follow(&mut other, &host, to.port(), &cluster.accounts().replication)
        );
        println!("opened and followed         {:?}", start.elapsed());
        opened.and(followed).unwrap();
        chosen.run("INSERT INTO tpcw.t VALUES (-1)").await.unwrap();
        println!("first commit on the new     {:?}", start.elapsed());
        cluster.stop().await.unwrap();
    }
}

fn size(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries.map(|e| if e.path().is_dir() { size(&e.path()) } else { e.metadata().unwrap().len() }).sum()
}
