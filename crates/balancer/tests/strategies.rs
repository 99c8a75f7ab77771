//! Each strategy in front of real replicas of which one is slow.

mod steering;

use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use balancer::config::{self, Config};
use balancer::server;
use balancer::view::{ClusterView, Strategy};
use cluster::{Cache, Capacity, CapacityMode, ClusterSpec, FindOptions, LocalCluster, Template, program};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use tokio_util::sync::CancellationToken;

/// Three nodes, each also reachable over a link on which a statement takes 15 ms longer.
async fn cluster() -> LocalCluster {
    let cache = Cache::from_environment(|name| std::env::var_os(name));
    let explicit = std::env::var_os("TPCW_SERVER_BINARY").map(PathBuf::from);
    let program =
        program::find(FindOptions { explicit, offline: false, cache: &cache }, |_| {}).await.unwrap();
    let source = Template::empty(&program, &cache).await.unwrap();
    let capacity = Capacity { delay_ms: 15.0, mode: CapacityMode::Link, ..Capacity::default() };
    let spec = ClusterSpec { candidates: 0, capacity: Some(capacity), ..ClusterSpec::default() };
    LocalCluster::start(&program, spec, source).await.unwrap()
}

/// n2 is reached directly and weighs 3, n3 over its link.
fn config(cluster: &LocalCluster) -> Config {
    let node = |node: cluster::LocalNode| {
        let address = if node.id == "n3".into() { node.address } else { node.server };
        config::Node {
            name: node.id.to_string(),
            address,
            direct_address: Some(address),
            weight: if node.id == "n2".into() { 3 } else { 1 },
            candidate: false,
        }
    };
    Config {
        admin: None,
        workers: 2,
        nodes: cluster.nodes().into_iter().map(node).collect(),
        health: config::Health { interval_ms: 100, timeout_ms: 2000, fall: 5, rise: 1 },
        ..steering::config(cluster, &[])
    }
}

/// Eight clients read `each` times as the strategy has it; tells the slow node's share of all reads.
async fn share_of_the_slow_one(
    clients: &mut Vec<Conn>,
    view: &ClusterView,
    strategy: Strategy,
    each: usize,
) -> f64 {
    let reads = || -> Vec<u64> { view.nodes.iter().map(|node| node.meter.reads.load(Relaxed)).collect() };
    let before = reads();
    let sql = format!("SELECT /* tpcw: strategy={} */ 1", strategy.as_str());
    let mut tasks = Vec::new();
    for mut client in clients.drain(..) {
        let sql = sql.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..each {
                client.query_drop(&sql).await.expect("answered");
            }
            client
        }));
    }
    for task in tasks {
        clients.push(task.await.expect("all answered"));
    }
    let took: Vec<u64> = reads().iter().zip(before).map(|(after, before)| after - before).collect();
    assert_eq!(took[0], 0, "{strategy:?}: reads go to replicas");
    took[2] as f64 / (took[1] + took[2]) as f64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_that_look_avoid_the_slow_node_and_the_others_split_as_told() {
    let cluster = cluster().await;
    let balancer = server::start(config(&cluster), CancellationToken::new()).await.expect("it starts");
    let ready = |view: &ClusterView| {
        view.serving() == 3 && view.nodes.iter().all(|node| node.meter.ping_us.load(Relaxed) > 0)
    };
    let mut view = balancer.view.load_full();
    for _ in 0..400 {
        if ready(&view) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
        view = balancer.view.load_full();
    }
    assert!(ready(&view), "{view:#?}");
    let shop = &cluster.accounts().shop;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let opts = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(balancer.address.port())
            .user(Some(&shop.user))
            .pass(Some(shop.password.expose()))
            .prefer_socket(false)
            .max_allowed_packet(Some(16 << 20))
            .wait_timeout(Some(28_800));
        clients.push(Conn::new(opts).await.expect("the shop logs in"));
    }
    for (strategy, each, low, high) in [
        (Strategy::RoundRobin, 20, 0.45, 0.55),
        (Strategy::Random, 40, 0.40, 0.60),
        (Strategy::Weighted, 40, 0.22, 0.28),
        (Strategy::LeastConnections, 60, 0.001, 0.40),
        (Strategy::LeastLatency, 60, 0.0, 0.20),
        (Strategy::PeakEwma, 60, 0.0, 0.20),
        (Strategy::LowestPing, 60, 0.0, 0.0),
    ] {
        let share = share_of_the_slow_one(&mut clients, &view, strategy, each).await;
        println!("{strategy:?}: {share:.3} of the reads on the slow node");
        assert!((low..=high).contains(&share), "{strategy:?}: {share}");
    }
    drop(clients);
    balancer.shutdown().await;
    cluster.stop().await.expect("all stops");
}
