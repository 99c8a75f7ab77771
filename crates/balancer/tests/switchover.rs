//! A planned change of the primary under load: no statement fails.

mod steering;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use balancer::config::Outcomes;
use balancer::event::EventKind;
use balancer::request::Action;
use balancer::server;
use cluster::{Admin, LocalCluster, NodeId};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use steering::{PATIENCE, config, session_options};

/// How often the primary is changed.
const CHANGES: usize = 6;

/// What a session did.
#[derive(Default)]
struct Tally {
    statements: AtomicU64,
    longest_us: AtomicU64,
    ended: AtomicBool,
}

impl Tally {
    async fn run(&self, session: &mut Conn, text: &str) -> Result<(), Error> {
        let began = Instant::now();
        session.query_drop(text).await?;
        self.statements.fetch_add(1, Relaxed);
        self.longest_us.fetch_max(began.elapsed().as_micros() as u64, Relaxed);
        Ok(())
    }
}

/// Writes alone, in transactions, and reads, one after the other until the end.
async fn work(options: OptsBuilder, number: u32, tally: Arc<Tally>) -> Result<u32, Error> {
    let mut session = Conn::new(options).await?;
    let mut written = 0;
    while !tally.ended.load(Relaxed) {
        tally.run(&mut session, &format!("INSERT INTO tpcw.t VALUES ({number}, {written})")).await?;
        tally.run(&mut session, "BEGIN").await?;
        tally.run(&mut session, &format!("INSERT INTO tpcw.t VALUES ({number}, {})", written + 1)).await?;
        tally.run(&mut session, &format!("SELECT COUNT(*) FROM tpcw.t WHERE session = {number}")).await?;
        tally.run(&mut session, "COMMIT").await?;
        written += 2;
        let seen: Option<u32> =
            session.query_first(format!("SELECT COUNT(*) FROM tpcw.t WHERE session = {number}")).await?;
        assert_eq!(seen, Some(written), "session {number} reads its own writes");
    }
    Ok(written)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planned_changes_of_the_primary_fail_no_statement() {
    println!("{}", change_the_primary(Outcomes::Tell).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_where_commits_leave_marks_and_writes_are_put_into_transactions() {
    println!("{}", change_the_primary(Outcomes::Ask).await);
}

/// In words, what it took.
async fn change_the_primary(outcomes: Outcomes) -> String {
    let cluster = LocalCluster::for_tests(3).await.expect("a cluster");
    let mut config = config(&cluster, &[]);
    config.failover.outcomes = outcomes;
    let balancer = server::start(config, CancellationToken::new()).await.expect("it starts");
    let shop = &cluster.accounts().shop;
    let mut first = Conn::new(session_options(balancer.address, shop)).await.expect("a session");
    let table = "CREATE TABLE tpcw.t (session INT, n INT, PRIMARY KEY (session, n))";
    first.query_drop(table).await.expect("a table");
    let tally = Arc::new(Tally::default());
    let sessions: Vec<_> = (0..6)
        .map(|number| tokio::spawn(work(session_options(balancer.address, shop), number, tally.clone())))
        .collect();
    for change in 0..CHANGES {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let next = NodeId::new(format!("n{}", (change + 1) % 3 + 1));
        // Whoever was the primary before has to be back first.
        let settled = |view: &balancer::view::ClusterView| view.primary().is_some() && view.serving() == 3;
        balancer.view.wait_for(PATIENCE, settled).await.expect("all serve");
        balancer.handle.ask(Action::Switchover(next.clone()), "test").expect("it may be promoted");
        let done =
            balancer.view.wait_for(PATIENCE, |view| view.primary().is_some_and(|p| p.id == next)).await;
        assert!(done.is_some(), "{next}: {:#?}", balancer.events.after(0));
    }
    tally.ended.store(true, Relaxed);
    let mut written = 0;
    for session in sessions {
        let ended = timeout(PATIENCE, session).await.expect("in time").expect("no panic");
        written += ended.unwrap_or_else(|error| panic!("{error}: {:#?}", balancer.events.after(0)));
    }
    let events = balancer.events.after(0);
    let promoted = events.iter().filter(|event| event.kind == EventKind::Promoted);
    let details: Vec<&str> = promoted.map(|event| event.detail.as_str()).collect();
    let (statements, longest) = (tally.statements.load(Relaxed), tally.longest_us.load(Relaxed) as f64 / 1e3);
    let figures =
        format!("{CHANGES} changes, {statements} statements, 0 failed, longest wait {longest:.1} ms");
    let address = cluster.node(&balancer.view.load().primary().expect("a primary").id).expect("known").server;
    let mut node = Admin::connect(address, shop, PATIENCE).await.expect("it answers");
    let rows: Vec<u32> = node.rows("SELECT COUNT(*) FROM tpcw.t").await.expect("it answers");
    assert_eq!(rows, [written], "each write is there once");
    first.disconnect().await.expect("it ends");
    balancer.shutdown().await;
    cluster.stop().await.expect("all stops");
    format!("{}\n{figures}", details.join("\n"))
}
