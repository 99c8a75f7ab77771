//! `failover.outcomes = "ask"` on real nodes: the answer to a commit is lost in every way, and the client is told the truth.

mod steering;

use std::time::Duration;

use balancer::config::Outcomes;
use balancer::event::EventKind;
use balancer::server::{self, Balancer};
use cluster::{ClusterSpec, Fault, LocalCluster, NodeId, Peer, Way};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use steering::{PATIENCE, config, session_options};

async fn cluster(nodes: usize) -> LocalCluster {
    let spec = ClusterSpec { replicas: nodes - 1, candidates: 0, relays: true, ..ClusterSpec::default() };
    LocalCluster::for_tests_with(spec).await.expect("a cluster")
}

/// A balancer that asks, with a table to write into.
async fn start(cluster: &LocalCluster) -> Balancer {
    let mut config = config(cluster, &[]);
    config.failover.outcomes = Outcomes::Ask;
    let balancer = server::start(config, CancellationToken::new()).await.expect("it starts");
    let mut shop = session(cluster, &balancer).await;
    let table = "CREATE TABLE tpcw.t (id INT AUTO_INCREMENT PRIMARY KEY, n INT UNIQUE)";
    shop.query_drop(table).await.expect("the primary takes writes");
    balancer
}

async fn session(cluster: &LocalCluster, balancer: &Balancer) -> Conn {
    let options = session_options(balancer.address, &cluster.accounts().shop);
    Conn::new(options).await.expect("the shop logs in")
}

fn id(name: &str) -> NodeId {
    NodeId::new(name)
}

async fn asked<T>(cluster: &LocalCluster, node: &str, question: &'static str) -> Vec<T>
where
    T: mysql_async::prelude::FromRow + Send + 'static,
{
    let mut admin = cluster.admin(&id(node), PATIENCE).await.expect("the node answers");
    admin.rows(question).await.expect(question)
}

async fn eventually<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    let end = Instant::now() + PATIENCE;
    while !so().await {
        assert!(Instant::now() < end, "waited in vain: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// A transaction of its own, and how its COMMIT ends.
async fn transaction(mut conn: Conn, n: u32) -> Result<(), Error> {
    conn.query_drop("BEGIN").await?;
    conn.query_drop(format!("INSERT INTO tpcw.t (n) VALUES ({n})")).await?;
    conn.query_drop("COMMIT").await?;
    // Whatever has become of it, the connection is usable, and the session sees what it was told.
    let seen: Vec<u32> = conn.query(format!("SELECT n FROM tpcw.t WHERE n = {n}")).await?;
    assert_eq!(seen, [n], "read by whom it was acknowledged to");
    Ok(())
}

/// A write outside a transaction, prepared; its AUTO_INCREMENT id.
async fn write(mut conn: Conn, n: u32) -> Result<Option<u64>, Error> {
    conn.exec_drop("INSERT INTO tpcw.t (n) VALUES (?)", (n,)).await?;
    assert_eq!(conn.affected_rows(), 1);
    let told = conn.last_insert_id();
    let seen: Vec<u64> = conn.exec("SELECT id FROM tpcw.t WHERE n = ?", (n,)).await?;
    assert_eq!(seen, [told.expect("an id")], "read by whom it was acknowledged to");
    let last: Option<u64> = conn.query_first("SELECT LAST_INSERT_ID()").await?;
    assert_eq!(last, told, "and known as the last");
    Ok(told)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_cut_off_is_asked_for_and_acknowledged() {
    let cluster = cluster(2).await;
    let balancer = start(&cluster).await;
    for n in 0..6 {
        cluster.fail(&id("n1"), &Fault::CutCommit { commits: 1 }).await.expect("there are relays");
        let conn = session(&cluster, &balancer).await;
        if n % 2 == 0 {
            transaction(conn, n).await.expect("acknowledged");
        } else {
            write(conn, n).await.expect("acknowledged");
        }
        cluster.heal(&id("n1")).await.expect("healed");
    }
    assert_eq!(asked::<u32>(&cluster, "n1", "SELECT n FROM tpcw.t ORDER BY n").await, [0, 1, 2, 3, 4, 5]);
    // Nobody but the operator can see the marks, and a session finds nothing of its own changed.
    let mut conn = session(&cluster, &balancer).await;
    conn.query_drop("SELECT * FROM tpcw_balancer.outcomes").await.expect_err("not for applications");
    let wrong = conn.query_drop("INSERT INTO tpcw.t (n) VALUES (1)").await.expect_err("it is there already");
    assert!(matches!(&wrong, Error::Server(error) if error.code == 1062), "{wrong}");
    conn.query_drop("UPDATE tpcw.t SET n = n + 100").await.expect("written");
    assert_eq!(conn.affected_rows(), 6);
    balancer.shutdown().await;
    cluster.stop().await.expect("all stops");
}

/// Cuts the followers off from n1 and starts a transaction and a write, whose commits then wait for them.
async fn commits_that_wait(
    cluster: &LocalCluster,
    balancer: &Balancer,
) -> (JoinHandle<Result<(), Error>>, JoinHandle<Result<Option<u64>, Error>>) {
    let (one, other) = (session(cluster, balancer).await, session(cluster, balancer).await);
    for node in ["n2", "n3"] {
        let cut = Fault::Partition { from: Peer::Node(id("n1")), way: Way::Both };
        cluster.fail(&id(node), &cut).await.expect("there are relays");
    }
    let waiting = (tokio::spawn(transaction(one, 1)), tokio::spawn(write(other, 2)));
    let question = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO = 'COMMIT'";
    eventually("both commits wait for a follower", || async {
        asked::<u32>(cluster, "n1", question).await == [2]
    })
    .await;
    waiting
}

async fn ended<T>(task: JoinHandle<T>) -> T {
    timeout(PATIENCE, task).await.expect("it is told in time").expect("no panic")
}

async fn new_primary(balancer: &Balancer) -> String {
    let other = |view: &balancer::view::ClusterView| view.primary().is_some_and(|p| p.id != id("n1"));
    let view = balancer.view.wait_for(PATIENCE, other).await;
    let view = view.unwrap_or_else(|| panic!("no new primary: {:#?}", balancer.events.after(0)));
    view.primary().expect("a primary").id.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_primary_dies_after_a_commit_has_reached_a_follower_and_before_its_answer() {
    let cluster = cluster(3).await;
    let balancer = start(&cluster).await;
    let (transaction, write) = commits_that_wait(&cluster, &balancer).await;
    // From now on no answer leaves n1; what waits is received, acknowledged and done.
    let silent = Fault::Partition { from: Peer::Balancer, way: Way::Out };
    cluster.fail(&id("n1"), &silent).await.expect("there are relays");
    for node in ["n2", "n3"] {
        cluster.heal(&id(node)).await.expect("healed");
    }
    for node in ["n1", "n2", "n3"] {
        eventually("it is done everywhere", || async {
            asked::<u32>(&cluster, node, "SELECT n FROM tpcw.t ORDER BY n").await == [1, 2]
        })
        .await;
    }
    assert!(!transaction.is_finished() && !write.is_finished(), "nobody has been told");
    cluster.fail(&id("n1"), &Fault::Kill).await.expect("killed");
    ended(transaction).await.expect("it was kept, and that is told");
    ended(write).await.expect("it was kept, and that is told");
    let primary = new_primary(&balancer).await;
    assert_eq!(asked::<u32>(&cluster, &primary, "SELECT n FROM tpcw.t ORDER BY n").await, [1, 2]);
    balancer.shutdown().await;
    cluster.stop().await.expect("all stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_primary_dies_before_a_commit_has_reached_anybody() {
    let cluster = cluster(3).await;
    let balancer = start(&cluster).await;
    let (transaction, write) = commits_that_wait(&cluster, &balancer).await;
    cluster.fail(&id("n1"), &Fault::Kill).await.expect("killed");
    let primary = new_primary(&balancer).await;
    let undone = ended(transaction).await.expect_err("nothing of it was kept");
    let Error::Server(undone) = undone else { panic!("{undone}") };
    assert_eq!((undone.code, &*undone.state), (1927, "40001"), "{undone}");
    ended(write).await.expect("as nothing was kept of it, it was done on the new primary");
    assert_eq!(asked::<u32>(&cluster, &primary, "SELECT n FROM tpcw.t").await, [2], "once");
    let failed = balancer.events.after(0).into_iter().find(|event| event.kind == EventKind::ActionFailed);
    assert!(failed.is_none(), "{failed:?}");
    balancer.shutdown().await;
    cluster.stop().await.expect("all stops");
}
