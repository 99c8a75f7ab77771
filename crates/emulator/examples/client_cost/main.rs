//! What a statement costs the emulator, beside what it costs sysbench: processor time a statement, both against the same
//! node, in turns: `cargo run --release -p emulator --example client_cost -- [rounds] [seconds] [connections…]`.
//! Without sysbench on the path only the emulator's figures are told. Beside them stands what the sockets and the runtime alone cost.
#![expect(clippy::print_stdout, reason = "a program for people")]

mod floor;

use std::time::Duration;

use bookstore::store::{Statement, Store};
use cluster::LocalCluster;
use emulator::target::sql::SqlTarget;
use emulator::target::{Link, Target};
use hdrhistogram::Histogram;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rustix::time::{ClockId, clock_gettime};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::Instant;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The statement of sysbench's `oltp_point_select`.
static POINT: Statement = Statement { id: 0, name: "point", sql: "SELECT c FROM sbtest1 WHERE id=?" };
const ROWS: u32 = 10_000;
/// The unit of `/proc/self/stat`.
const TICKS_A_SECOND: f64 = 100.0;

#[derive(Clone, Copy, Default)]
struct Cost {
    statements: u64,
    cpu_seconds: f64,
}

impl Cost {
    fn us(self) -> f64 {
        self.cpu_seconds * 1e6 / self.statements.max(1) as f64
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let numbers: Vec<u64> = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let number = |index: usize, default| numbers.get(index).copied().unwrap_or(default);
    let (rounds, seconds) = (number(0, 3), number(1, 5));
    let connections = numbers.get(2..).filter(|given| !given.is_empty()).unwrap_or(&[8, 32]);

    let cluster = LocalCluster::for_tests(1).await?;
    let opts = prepared(&cluster).await?;
    println!(
        "connections round  emulator µs  stmts/s  sysbench µs  stmts/s  ratio  floor µs  stmts/s  ratio"
    );
    for &connections in connections {
        for round in 0..rounds {
            let length = Duration::from_secs(seconds);
            let asked = opts.clone();
            let ours = alone(async move { crowd(&asked, connections, length).await }).await?;
            let address = cluster.nodes()[0].address;
            let least = alone(floor::crowd(address, connections, length)).await?;
            let theirs = sysbench(&opts, connections, seconds).await.unwrap_or_default();
            let rate = |cost: Cost| cost.statements as f64 / seconds as f64;
            println!(
                "{connections:>11} {round:>5}  {:>11.2}  {:>7.0}  {:>11.2}  {:>7.0}  {:>5.2}  {:>8.2}  {:>7.0}  {:>5.2}",
                ours.us(),
                rate(ours),
                theirs.us(),
                rate(theirs),
                ours.us() / theirs.us(),
                least.us(),
                rate(least),
                least.us() / theirs.us()
            );
        }
    }
    cluster.stop().await?;
    Ok(())
}

/// A table like sysbench's, and an account without a password for it; the node listens on loopback only.
async fn prepared(cluster: &LocalCluster) -> Result<Opts, Error> {
    let address = cluster.nodes()[0].address;
    let at = OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .prefer_socket(false);
    let operator = &cluster.accounts().operator;
    let opts = at.clone().user(Some(operator.user.clone())).pass(Some(operator.password.expose()));
    let mut conn = Conn::new(opts).await?;
    for sql in [
        "CREATE DATABASE sbtest".to_owned(),
        "CREATE USER sbtest@'%'".to_owned(),
        "GRANT ALL ON sbtest.* TO sbtest@'%'".to_owned(),
        "CREATE TABLE sbtest.sbtest1 (id INT PRIMARY KEY AUTO_INCREMENT, k INT NOT NULL DEFAULT 0, c CHAR(120) \
         NOT NULL DEFAULT '', pad CHAR(60) NOT NULL DEFAULT '', KEY k_1 (k))"
            .to_owned(),
        format!(
            "INSERT INTO sbtest.sbtest1 SELECT seq, seq, REPEAT('0123456789-', 10), REPEAT('x', 59) \
             FROM sbtest.seq_1_to_{ROWS}"
        ),
    ] {
        conn.query_drop(sql).await?;
    }
    conn.disconnect().await?;
    Ok(at.user(Some("sbtest")).db_name(Some("sbtest")).into())
}

/// Runs something on a thread and a runtime of its own.
async fn alone(work: impl Future<Output = Result<Cost, Error>> + Send + 'static) -> Result<Cost, Error> {
    let (done, cost) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("browser-0".into()).spawn(move || {
        let made = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let _ = done.send(made.map_err(Error::from).and_then(|runtime| runtime.block_on(work)));
    })?;
    cost.await?
}

/// So many connections on one thread, each with one statement under way at all times, recorded as in a run.
async fn crowd(opts: &Opts, connections: u64, length: Duration) -> Result<Cost, Error> {
    let target = SqlTarget::new(opts, Duration::from_secs(5), Duration::from_secs(10))?;
    let mut links = Vec::new();
    for _ in 0..connections {
        links.push(target.connect().await?);
    }
    let (begun, until) = (cpu_seconds(), Instant::now() + length);
    let mut tasks = JoinSet::new();
    for (seed, mut link) in (0..).zip(links) {
        tasks.spawn(async move {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            let mut times = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).expect("sound bounds");
            while Instant::now() < until {
                let rows = link.rows(&POINT, vec![random.random_range(1..=ROWS).into()]).await?;
                assert_eq!(rows.len(), 1, "every row that is asked for is there");
                for answered in link.answered().drain(..) {
                    times.saturating_record(answered.took.as_micros() as u64);
                }
            }
            Ok::<_, Error>((times.len(), link))
        });
    }
    let mut statements = 0;
    let mut links = Vec::new();
    for ended in tasks.join_all().await {
        let (count, link) = ended?;
        statements += count;
        links.push(link);
    }
    let cost = Cost { statements, cpu_seconds: cpu_seconds() - begun };
    for link in links {
        link.close().await;
    }
    Ok(cost)
}

/// Processor time of the calling thread.
fn cpu_seconds() -> f64 {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

/// The same with sysbench; `None` where there is none.
async fn sysbench(opts: &Opts, connections: u64, seconds: u64) -> Option<Cost> {
    let before = children_cpu_seconds()?;
    let output = Command::new("sysbench")
        .arg("oltp_point_select")
        .arg(format!("--mysql-host={}", opts.ip_or_hostname()))
        .arg(format!("--mysql-port={}", opts.tcp_port()))
        .args(["--mysql-user=sbtest", "--mysql-db=sbtest", "--tables=1", "--rand-type=uniform"])
        .arg(format!("--table-size={ROWS}"))
        .arg(format!("--threads={connections}"))
        .arg(format!("--time={seconds}"))
        .arg("run")
        .output()
        .await
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("total:"))?;
    Some(Cost { statements: line.trim().parse().ok()?, cpu_seconds: children_cpu_seconds()? - before })
}

/// Processor time of children that have ended. The node has not.
fn children_cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((ticks(13)? + ticks(14)?) / TICKS_A_SECOND)
}
