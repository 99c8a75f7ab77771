//! One session: writes its counter now and then, and reads it and its neighbour's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use balancer::config::Consistency;
use balancer::telemetry::{Latencies, LatencySnapshot};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::time::Instant;

use crate::Error;

/// What a session is to do.
pub struct Run {
    /// Its number, which is its counter's.
    pub number: u32,
    /// How many there are.
    pub sessions: u32,
    /// What it is promised.
    pub level: Consistency,
    /// Reads from one write to the next.
    pub reads_per_write: u32,
    /// So long after a write its reads belong to replicas again.
    pub settled: Duration,
    /// Reads that are left to all sessions together.
    pub left: Arc<AtomicI64>,
}

/// What was counted.
#[derive(Clone, Debug)]
pub struct Counts {
    /// Under which level.
    pub level: Consistency,
    /// Acknowledged writes.
    pub writes: u64,
    /// Answered reads by node, n1 to n3.
    pub reads: [u64; 3],
    /// Reads that showed less than the session's last acknowledged write.
    pub stale: u64,
    /// Reads that showed less than an earlier read of the session.
    pub back_in_time: u64,
    /// Reads longer after the session's last write than the late replica needs, by node.
    pub settled: [u64; 3],
    /// Time from a read's sending to its answer.
    pub latency: LatencySnapshot,
    /// From the first session's start to the last one's end.
    pub took: Duration,
}

impl Counts {
    /// Nothing yet.
    pub fn new(level: Consistency) -> Self {
        Self {
            level,
            writes: 0,
            reads: [0; 3],
            stale: 0,
            back_in_time: 0,
            settled: [0; 3],
            latency: LatencySnapshot::default(),
            took: Duration::ZERO,
        }
    }

    /// Adds another session's.
    pub fn add(&mut self, other: &Self) {
        self.writes += other.writes;
        self.stale += other.stale;
        self.back_in_time += other.back_in_time;
        for node in 0..3 {
            self.reads[node] += other.reads[node];
            self.settled[node] += other.settled[node];
        }
        self.latency.merge(&other.latency);
    }

    /// All reads.
    pub fn all_reads(&self) -> u64 {
        self.reads.iter().sum()
    }

    /// The promises of its level that were broken, in words.
    pub fn broken(&self) -> Vec<String> {
        let level = self.level.as_str();
        let own = matches!(self.level, Consistency::Causal | Consistency::Primary);
        let forward = matches!(self.level, Consistency::Monotonic | Consistency::Primary);
        let mut broken = Vec::new();
        if own && self.stale > 0 {
            broken.push(format!("{level}: {} stale reads", self.stale));
        }
        if forward && self.back_in_time > 0 {
            broken.push(format!("{level}: {} reads back in time", self.back_in_time));
        }
        if self.level == Consistency::Causal && self.settled[0] > 0 {
            broken.push(format!("{level}: the primary answered {} reads without need", self.settled[0]));
        }
        broken
    }
}

/// Runs a session until no reads are left.
pub async fn run(mut conn: Conn, run: Run) -> Result<Counts, Error> {
    let mut counts = Counts::new(run.level);
    let latencies = Latencies::default();
    conn.query_drop(format!("SET tpcw_consistency='{}'", run.level.as_str())).await?;
    let neighbour = (run.number + 1) % run.sessions;
    let read = format!(
        "SELECT a.n, b.n, who.node FROM counter a, counter b, who WHERE a.id={} AND b.id={neighbour}",
        run.number
    );
    // What was written before this run belongs to it.
    let start = "SELECT /* tpcw: role=primary */ n FROM counter WHERE id=";
    let first: Option<i64> = conn.query_first(format!("{start}{}", run.number)).await?;
    let mut written = first.unwrap_or_default();
    let mut shown = (i64::MIN, i64::MIN);
    let mut wrote = Instant::now();
    // Sessions do not all write at the same time.
    let mut until_write = 1 + run.number * run.reads_per_write / run.sessions;
    while run.left.fetch_sub(1, Relaxed) > 0 {
        until_write -= 1;
        if until_write == 0 {
            conn.query_drop(format!("UPDATE counter SET n={} WHERE id={}", written + 1, run.number)).await?;
            written += 1;
            counts.writes += 1;
            wrote = Instant::now();
            until_write = run.reads_per_write;
        }
        let began = Instant::now();
        let row: Option<(i64, i64, usize)> = conn.query_first(&read).await?;
        latencies.record(began.elapsed());
        let (own, other, node) = row.ok_or("a counter is gone")?;
        let node = Some(node).filter(|node| *node < 3).ok_or("an unknown node answered")?;
        counts.reads[node] += 1;
        counts.settled[node] += u64::from(began.duration_since(wrote) > run.settled);
        counts.stale += u64::from(own < written);
        counts.back_in_time += u64::from(own < shown.0 || other < shown.1);
        shown = (shown.0.max(own), shown.1.max(other));
    }
    counts.latency = latencies.snapshot();
    conn.disconnect().await?;
    Ok(counts)
}
