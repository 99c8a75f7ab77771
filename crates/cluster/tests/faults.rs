//! Every fault, on real nodes: what it does, to whom, and that nothing is left of it when it is healed.

use std::net::SocketAddr;
use std::time::Duration;

use cluster::replication::status;
use cluster::{
    Admin, AdminError, Capacity, CapacityMode, ClusterSpec, Error, Fault, LocalCluster, NodeId, Peer, Way,
};
use tokio::time::{Instant, sleep};

const LIMIT: Duration = Duration::from_secs(10);
/// Long enough for an answer, short enough to wait for none.
const SHORT: Duration = Duration::from_millis(700);

async fn cluster(nodes: usize) -> LocalCluster {
    let spec = ClusterSpec { replicas: nodes - 1, candidates: 0, relays: true, ..ClusterSpec::default() };
    LocalCluster::for_tests_with(spec).await.unwrap()
}

fn id(name: &str) -> NodeId {
    NodeId::new(name)
}

async fn login(cluster: &LocalCluster, node: &str, limit: Duration) -> Result<Admin, AdminError> {
    let address = cluster.node(&id(node)).unwrap().address;
    Admin::connect(address, &cluster.accounts().shop, limit).await
}

/// What happens as soon as it is so, within the patience of tests.
async fn eventually<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    let patience = std::env::var("TPCW_TEST_PATIENCE").ok().and_then(|s| s.parse().ok()).unwrap_or(30);
    let end = Instant::now() + Duration::from_secs(patience);
    while !so().await {
        assert!(Instant::now() < end, "waited in vain: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn receives(cluster: &LocalCluster, node: &str) -> bool {
    let mut admin = cluster.admin(&id(node), LIMIT).await.unwrap();
    status(&mut admin).await.unwrap().follows.is_some_and(|follows| follows.io_running && follows.sql_running)
}

async fn writes(cluster: &LocalCluster, sql: &'static str) {
    login(cluster, "n1", LIMIT).await.unwrap().run(sql).await.unwrap();
}

async fn has_the_table(cluster: &LocalCluster, node: &str) -> bool {
    let mut admin = cluster.admin(&id(node), LIMIT).await.unwrap();
    let tables =
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'tpcw' AND table_name = 't'";
    admin.first::<u64>(tables).await.unwrap() == Some(1)
}

async fn count(cluster: &LocalCluster, node: &str) -> u64 {
    let mut admin = cluster.admin(&id(node), LIMIT).await.unwrap();
    admin.first("SELECT COUNT(*) FROM tpcw.t").await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_goes_through_the_relay_and_without_one_no_network_is_broken() {
    let with = cluster(2).await;
    let nodes = with.nodes();
    assert!(nodes.iter().all(|node| node.address == node.peers && node.peers != node.server), "{nodes:?}");
    let follows = status(&mut with.admin(&id("n2"), LIMIT).await.unwrap()).await.unwrap().follows.unwrap();
    assert_eq!(follows.port, nodes[0].peers.port(), "replication goes through the relay");
    eventually("n2 receives through the relay", || receives(&with, "n2")).await;

    let without = LocalCluster::for_tests(1).await.unwrap();
    let refused = without.fail(&id("n1"), &Fault::Mute).await.unwrap_err();
    assert!(matches!(refused, Error::NoRelay(_)), "{refused}");
    let itself = Fault::Partition { from: Peer::Node(id("n1")), way: Way::Both };
    assert!(with.fail(&id("n1"), &itself).await.is_err());

    // A link with limits of its own has a second door, for those who are not limited.
    let capacity =
        Capacity { statements_per_second: Some(100), mode: CapacityMode::Link, ..Capacity::default() };
    let spec = ClusterSpec {
        replicas: 0,
        candidates: 0,
        relays: true,
        capacity: Some(capacity),
        ..ClusterSpec::default()
    };
    let both = LocalCluster::for_tests_with(spec).await.unwrap();
    let node = &both.nodes()[0];
    assert!(node.address != node.peers && node.peers != node.server, "{node:?}");
    both.fail(&id("n1"), &Fault::Refuse).await.unwrap();
    for door in [node.address, node.peers] {
        eventually("both doors are shut", || async move { is_refused(door).await }).await;
    }
}

async fn is_refused(door: SocketAddr) -> bool {
    tokio::net::TcpStream::connect(door)
        .await
        .is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionRefused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_door_that_is_shut_or_mute_leaves_standing_connections_alone() {
    let cluster = cluster(1).await;
    let mut standing = login(&cluster, "n1", LIMIT).await.unwrap();
    let door = cluster.node(&id("n1")).unwrap().address;

    cluster.fail(&id("n1"), &Fault::Refuse).await.unwrap();
    eventually("nobody listens", || is_refused(door)).await;
    standing.run("DO 1").await.unwrap();
    assert_eq!(cluster.heal(&id("n1")).await.unwrap(), "its network is well again");
    eventually("they listen again", || async { login(&cluster, "n1", LIMIT).await.is_ok() }).await;

    cluster.fail(&id("n1"), &Fault::Mute).await.unwrap();
    let silent = login(&cluster, "n1", SHORT).await.unwrap_err();
    assert!(matches!(silent, AdminError::TimedOut { what: "login", .. }), "{silent}");
    standing.run("DO 1").await.unwrap();
    cluster.heal(&id("n1")).await.unwrap();
    eventually("they answer again", || async { login(&cluster, "n1", LIMIT).await.is_ok() }).await;
    assert_eq!(cluster.heal(&id("n1")).await.unwrap(), "was well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_cut_in_the_middle() {
    let cluster = cluster(1).await;
    let mut client = login(&cluster, "n1", LIMIT).await.unwrap();
    cluster.fail(&id("n1"), &Fault::Cut { after: 50_000 }).await.unwrap();
    let small: Option<String> = client.first("SELECT REPEAT('x', 100)").await.unwrap();
    assert_eq!(small.unwrap().len(), 100, "what fits passes whole");
    let cut = client.first::<String>("SELECT REPEAT('x', 100000)").await.unwrap_err();
    assert!(matches!(cut, AdminError::Lost { .. }), "{cut}");
    cluster.heal(&id("n1")).await.unwrap();
    let mut again = login(&cluster, "n1", LIMIT).await.unwrap();
    let whole: Option<String> = again.first("SELECT REPEAT('x', 100000)").await.unwrap();
    assert_eq!(whole.unwrap().len(), 100_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_happens_and_nobody_is_told() {
    let cluster = cluster(2).await;
    writes(&cluster, "CREATE TABLE tpcw.t (n INT PRIMARY KEY)").await;
    cluster.fail(&id("n1"), &Fault::CutCommit { commits: 1 }).await.unwrap();
    let mut client = login(&cluster, "n1", LIMIT).await.unwrap();
    for sql in ["BEGIN", "INSERT INTO tpcw.t VALUES (1)"] {
        client.run(sql).await.unwrap();
    }
    let unknown = client.run("COMMIT").await.unwrap_err();
    assert!(matches!(unknown, AdminError::Lost { .. }), "{unknown}");
    assert_eq!(count(&cluster, "n1").await, 1, "it was committed all the same");
    // One was asked for: the next one is told.
    let mut next = login(&cluster, "n1", LIMIT).await.unwrap();
    for sql in ["BEGIN", "INSERT INTO tpcw.t VALUES (2)", "COMMIT"] {
        next.run(sql).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_network_is_slow_both_ways_and_only_while_it_lasts() {
    let cluster = cluster(1).await;
    let mut client = login(&cluster, "n1", LIMIT).await.unwrap();
    let by = Duration::from_millis(40);
    cluster.fail(&id("n1"), &Fault::Delay { by, jitter: Duration::from_millis(10) }).await.unwrap();
    let start = Instant::now();
    client.run("DO 1").await.unwrap();
    assert!(start.elapsed() >= 2 * by, "{:?}", start.elapsed());
    cluster.heal(&id("n1")).await.unwrap();

    cluster.fail(&id("n1"), &Fault::Bandwidth { bytes_per_second: 100_000 }).await.unwrap();
    let start = Instant::now();
    client.first::<String>("SELECT REPEAT('x', 40000)").await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(400), "{:?}", start.elapsed());
    cluster.heal(&id("n1")).await.unwrap();
    client.run("DO 1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_cuts_off_whom_it_names_and_no_other() {
    let cluster = cluster(3).await;
    writes(&cluster, "CREATE TABLE tpcw.t (n INT PRIMARY KEY)").await;
    eventually("the table arrives", || async {
        has_the_table(&cluster, "n2").await && has_the_table(&cluster, "n3").await
    })
    .await;
    let partition = |from, way| Fault::Partition { from, way };
    let mut client = login(&cluster, "n1", SHORT).await.unwrap();

    // From the other nodes: clients are answered, followers hear nothing, and so no commit is acknowledged.
    cluster.fail(&id("n1"), &partition(Peer::Nodes, Way::Both)).await.unwrap();
    client.run("DO 1").await.unwrap();
    let waiting = client.run("INSERT INTO tpcw.t VALUES (1)").await.unwrap_err();
    assert!(matches!(waiting, AdminError::TimedOut { .. }), "{waiting}");
    assert_eq!((count(&cluster, "n2").await, count(&cluster, "n3").await), (0, 0));
    cluster.heal(&id("n1")).await.unwrap();
    eventually("what was held back arrives", || async { count(&cluster, "n3").await == 1 }).await;

    // From one of them: the other one goes on.
    cluster.fail(&id("n2"), &partition(Peer::Node(id("n1")), Way::Both)).await.unwrap();
    writes(&cluster, "INSERT INTO tpcw.t VALUES (2)").await;
    eventually("n3 has it", || async { count(&cluster, "n3").await == 2 }).await;
    assert_eq!(count(&cluster, "n2").await, 1);
    cluster.heal(&id("n2")).await.unwrap();
    eventually("n2 has it too", || async { count(&cluster, "n2").await == 2 }).await;

    // From the balancer, one way: what is asked does arrive, no answer comes back; replication goes on.
    let mut client = login(&cluster, "n1", SHORT).await.unwrap();
    cluster.fail(&id("n1"), &partition(Peer::Balancer, Way::Out)).await.unwrap();
    client.run("INSERT INTO tpcw.t VALUES (3)").await.unwrap_err();
    for node in ["n1", "n2", "n3"] {
        eventually("it was done everywhere", || async { count(&cluster, node).await == 3 }).await;
    }
    cluster.heal(&id("n1")).await.unwrap();
    // The other way: nothing that is asked arrives.
    let mut client = login(&cluster, "n1", SHORT).await.unwrap();
    cluster.fail(&id("n1"), &partition(Peer::All, Way::In)).await.unwrap();
    client.run("INSERT INTO tpcw.t VALUES (4)").await.unwrap_err();
    assert_eq!(count(&cluster, "n1").await, 3);
    cluster.heal_all().await.unwrap();
    eventually("all follow again", || async {
        receives(&cluster, "n2").await && receives(&cluster, "n3").await
    })
    .await;
    writes(&cluster, "INSERT INTO tpcw.t VALUES (5)").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replication_stops_or_comes_late_and_goes_on() {
    let cluster = cluster(3).await;
    writes(&cluster, "CREATE TABLE tpcw.t (n INT PRIMARY KEY)").await;
    cluster.fail(&id("n2"), &Fault::StopReplication).await.unwrap();
    cluster.fail(&id("n3"), &Fault::DelayReplication { seconds: 3600 }).await.unwrap();
    let none = cluster.fail(&id("n1"), &Fault::StopReplication).await.unwrap_err();
    assert!(matches!(none, Error::WrongState { .. }), "{none}");
    writes(&cluster, "INSERT INTO tpcw.t VALUES (1)").await;
    let late = status(&mut cluster.admin(&id("n3"), LIMIT).await.unwrap()).await.unwrap();
    let primary = status(&mut cluster.admin(&id("n1"), LIMIT).await.unwrap()).await.unwrap();
    assert!(late.follows.unwrap().received.covers(&primary.current), "received, and acknowledged");
    assert!(!late.current.covers(&primary.current), "and not applied");
    for node in ["n2", "n3"] {
        assert_eq!(cluster.heal(&id(node)).await.unwrap(), "replicates again");
        eventually("it has caught up", || async { count(&cluster, node).await == 1 }).await;
    }
}

/// The processor time of a process so far (proc(5), `/proc/pid/stat`), in ticks of 10 ms.
fn worked(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1.split(' ').skip(11).take(2);
    Duration::from_millis(fields.map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_node_turns_newcomers_away_and_a_slow_one_takes_its_time() {
    let cluster = cluster(1).await;
    let mut standing = login(&cluster, "n1", LIMIT).await.unwrap();
    cluster.fail(&id("n1"), &Fault::TooManyConnections).await.unwrap();
    let turned_away = login(&cluster, "n1", LIMIT).await.unwrap_err();
    assert!(turned_away.to_string().contains("1040"), "{turned_away}");
    // Others have what is the operator's alone: healing does not need it.
    let mut beyond = Vec::new();
    while let Ok(operator) = cluster.admin(&id("n1"), LIMIT).await {
        beyond.push(operator);
        assert!(beyond.len() < 5, "places without end");
    }
    standing.run("DO 1").await.unwrap();
    assert_eq!(cluster.heal(&id("n1")).await.unwrap(), "connections are free again");
    login(&cluster, "n1", LIMIT).await.unwrap();

    // However busy the machine is, a process of which a fifth is left takes longer than what it works.
    let pid = cluster.node(&id("n1")).unwrap().pid.unwrap();
    cluster.fail(&id("n1"), &Fault::Slow { percent: 20 }).await.unwrap();
    let (start, before) = (Instant::now(), worked(pid));
    standing.run("DO BENCHMARK(400000, MD5('x'))").await.unwrap();
    let (took, worked) = (start.elapsed(), worked(pid) - before);
    println!("{took:?} at 20 %, of which it worked {worked:?}");
    assert!(took > 2 * worked, "{took:?} at 20 %, of which it worked {worked:?}");
    cluster.fail(&id("n1"), &Fault::Pause).await.unwrap();
    assert_eq!(cluster.node(&id("n1")).unwrap().state, "paused", "and no turn lets it run");
    cluster.heal(&id("n1")).await.unwrap();
    standing.run("DO 1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_nothing_is_committed_and_what_is_there_can_be_read() {
    let spec = ClusterSpec { replicas: 1, candidates: 0, watch_writes: true, ..ClusterSpec::default() };
    let cluster = LocalCluster::for_tests_with(spec).await.unwrap();
    writes(&cluster, "CREATE TABLE tpcw.t (n INT PRIMARY KEY)").await;
    writes(&cluster, "INSERT INTO tpcw.t VALUES (1)").await;
    let (mut reader, mut writer) =
        (login(&cluster, "n1", LIMIT).await.unwrap(), login(&cluster, "n1", SHORT).await.unwrap());
    let before = cluster.node(&id("n1")).unwrap().pid;
    cluster.fail(&id("n1"), &Fault::DiskFull).await.unwrap();
    let waiting = writer.run("INSERT INTO tpcw.t VALUES (2)").await.unwrap_err();
    assert!(matches!(waiting, AdminError::TimedOut { .. }), "{waiting}");
    assert_eq!(reader.first::<u64>("SELECT COUNT(*) FROM tpcw.t").await.unwrap(), Some(1), "it answers");
    eventually("the server says so itself", || async {
        cluster.log_tail(&id("n1"), 20).unwrap().contains("Disk is full writing")
    })
    .await;
    let healed = cluster.heal(&id("n1")).await.unwrap();
    assert!(healed.starts_with("there is space again, started again as process"), "{healed}");
    assert_ne!(cluster.node(&id("n1")).unwrap().pid, before);
    for node in ["n1", "n2"] {
        assert_eq!(count(&cluster, node).await, 1, "what was not acknowledged is nowhere");
    }
    cluster.admin(&id("n1"), LIMIT).await.unwrap().run("SET GLOBAL read_only=OFF").await.unwrap();
    let mut again = cluster.admin(&id("n1"), LIMIT).await.unwrap();
    again.run("INSERT INTO tpcw.t VALUES (3)").await.unwrap();

    let unwatched = LocalCluster::for_tests(1).await.unwrap();
    let refused = unwatched.fail(&id("n1"), &Fault::DiskFull).await.unwrap_err();
    assert!(refused.to_string().contains("not watched"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_stopped_ends_in_good_order_and_faults_of_one_node_add_up() {
    let cluster = cluster(2).await;
    writes(&cluster, "CREATE TABLE tpcw.t (n INT PRIMARY KEY)").await;
    let n2 = id("n2");
    for fault in [Fault::Mute, Fault::TooManyConnections, Fault::StopReplication, Fault::Stop] {
        cluster.fail(&n2, &fault).await.unwrap();
    }
    assert_eq!(cluster.node(&n2).unwrap().state, "down");
    assert!(cluster.log_tail(&n2, 20).unwrap().contains("Shutdown complete"), "in good order");
    assert!(matches!(cluster.fail(&n2, &Fault::Stop).await, Err(Error::WrongState { .. })));
    let healed = cluster.heal(&n2).await.unwrap();
    assert!(healed.starts_with("its network is well again, started again as process"), "{healed}");
    login(&cluster, "n2", LIMIT).await.unwrap();
    assert!(!receives(&cluster, "n2").await, "a node that has been down follows nobody until it is told to");
    cluster.stop().await.unwrap();
    assert!(matches!(cluster.fail(&n2, &Fault::Mute).await, Err(Error::Stopped)));
}
