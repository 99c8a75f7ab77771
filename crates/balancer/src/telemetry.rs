//! A live meter a node: counters that sessions and probes raise and everybody else reads. No locks, no allocation.

pub mod freshness;
pub mod pace;
pub mod warm_up;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use cluster::replication::gtid::GtidPosition;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use self::freshness::Freshness;
use self::pace::Pace;
use self::warm_up::WarmUp;

/// Buckets of [`Latencies`]: 8 an octave from 1 µs to 2³² µs (over an hour).
const BUCKETS: usize = 8 * 32;

/// A histogram of durations with a relative error of at most 1/8, made to be raised from any thread.
#[derive(Debug)]
pub struct Latencies {
    counts: Box<[AtomicU64]>,
    sum_us: AtomicU64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), sum_us: AtomicU64::new(0) }
    }
}

impl Latencies {
    /// Counts one duration.
    pub fn record(&self, took: Duration) {
        let us = (took.as_micros() as u64).max(1);
        self.counts[Self::bucket(us)].fetch_add(1, Relaxed);
        self.sum_us.fetch_add(us, Relaxed);
    }

    fn bucket(us: u64) -> usize {
        let octave = 63 - us.leading_zeros() as usize;
        let eighth = if octave >= 3 { (us >> (octave - 3)) & 7 } else { (us << (3 - octave)) & 7 } as usize;
        (octave * 8 + eighth).min(BUCKETS - 1)
    }

    /// The upper bound of a bucket, in microseconds.
    fn upper_us(bucket: usize) -> f64 {
        let (octave, eighth) = (bucket / 8, bucket % 8);
        (1u64 << octave) as f64 * (1.0 + (eighth + 1) as f64 / 8.0)
    }

    /// What has been counted so far. Buckets after the last one that holds anything are left out.
    pub fn snapshot(&self) -> LatencySnapshot {
        let mut counts: Vec<u64> = self.counts.iter().map(|count| count.load(Relaxed)).collect();
        counts.truncate(counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1));
        LatencySnapshot { counts, sum_us: self.sum_us.load(Relaxed) }
    }
}

/// A copy of [`Latencies`] at one moment. A reader that asks twice takes the difference with [`LatencySnapshot::since`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencySnapshot {
    counts: Vec<u64>,
    sum_us: u64,
}

impl LatencySnapshot {
    /// How many durations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their mean in milliseconds, 0 for none.
    pub fn mean_ms(&self) -> f64 {
        match self.count() {
            0 => 0.0,
            count => self.sum_us as f64 / count as f64 / 1e3,
        }
    }

    /// The sum of all, in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// The duration that a share `q` (0 to 1) of all does not exceed, in milliseconds, at most 1/8 too high; 0 for none.
    pub fn quantile_ms(&self, q: f64) -> f64 {
        let wanted = (self.count() as f64 * q).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Latencies::upper_us(bucket) / 1e3;
            }
        }
        0.0
    }

    /// Adds what another one has counted.
    pub fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.sum_us += other.sum_us;
    }

    /// What was counted since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            counts: self
                .counts
                .iter()
                .enumerate()
                .map(|(at, count)| count - earlier.counts.get(at).copied().unwrap_or(0).min(*count))
                .collect(),
            sum_us: self.sum_us.saturating_sub(earlier.sum_us),
        }
    }
}

/// The live figures of one node. Lives as long as the node is known, over all views and restarts.
#[derive(Debug, Default)]
pub struct Meter {
    // Raised by sessions.
    /// Statements sent to the node and not yet answered.
    pub in_flight: AtomicU32,
    /// Sessions that must come back to it: inside a transaction, with locks or temporary tables.
    pub pinned: AtomicU32,
    /// Statements routed to it as reads and answered.
    pub reads: AtomicU64,
    /// All others answered.
    pub writes: AtomicU64,
    /// Statements that failed because of the node (not by the client's or the statement's own fault).
    pub errors: AtomicU64,
    /// Connections that the pools hold to it.
    pub connections: AtomicU32,
    /// Statements that wait in line for a connection.
    pub waiting: AtomicU32,
    /// How long those waited that had to, also in vain.
    pub waited: Latencies,
    /// Statements that waited in vain.
    pub wait_timeouts: AtomicU64,
    /// Connections that were made.
    pub opened: AtomicU64,
    /// Sessions of the node that were reset for somebody else.
    pub resets: AtomicU64,
    /// Time from sending a read to the last byte of its answer.
    pub read_latency: Latencies,
    /// The same for everything else.
    pub write_latency: Latencies,
    /// A decaying average of statement latency, in microseconds; 0: none yet.
    pub ewma_us: AtomicU64,
    /// The newest transaction of replication domain 0 that a client was told of as kept, by its sequence number, since
    /// the node became the primary: whoever takes over must have it.
    pub acknowledged: AtomicU64,
    /// How often sessions here have made, changed or dropped schemas: connections that are in one enter it again, since a
    /// node's session goes on with what it knew of it.
    pub schemas: AtomicU64,
    /// A decaying peak of statement latency, in microseconds; 0: none yet. Jumps up at once, comes down by an eighth of the
    /// difference a statement, and by a sixteenth a probe, so that a node that is left alone is forgiven.
    pub peak_us: AtomicU64,
    // Raised by probes.
    /// The last probe's round trip, in microseconds; 0: none yet.
    pub ping_us: AtomicU64,
    /// How far its data is behind the primary's in milliseconds; negative: unknown.
    pub lag_ms: AtomicI64,
    /// The same in transactions: what the primary had at its last probe and the node lacks. An upper bound, since sequence
    /// numbers may have gaps.
    pub lag_transactions: AtomicU64,
    /// How far behind its answers were.
    pub freshness: Freshness,
    /// How fast it applies; `None`: it is the primary, or nothing is known yet.
    pub pace: ArcSwapOption<Pace>,
    /// When the last probe began that has brought [`Meter::applied`]: at least so much was there at that moment.
    pub probed: ArcSwapOption<Instant>,
    /// Set while it is new in service.
    pub warm_up: WarmUp,
    /// How far it has applied, as last seen by a probe or learned by a session (never moves back while the node lives).
    pub applied: ArcSwap<GtidPosition>,
    /// Whether the node answers that it is read-only.
    pub read_only: AtomicBool,
}

impl Meter {
    /// Takes one answered statement into the decaying average, with a weight of 1/16, and into the peak.
    pub fn smooth(&self, took: Duration) {
        let us = (took.as_micros() as u64).max(1);
        let old = self.ewma_us.load(Relaxed);
        let new = if old == 0 { us } else { old - old / 16 + us / 16 };
        self.ewma_us.store(new.max(1), Relaxed);
        let peak = self.peak_us.load(Relaxed);
        let next = if us >= peak { us } else { peak - (peak - us).div_ceil(8) };
        self.peak_us.store(next, Relaxed);
    }

    /// Tells everybody that the node has applied that much.
    pub fn learned(&self, position: &GtidPosition) {
        self.applied.rcu(|applied| {
            let mut applied = GtidPosition::clone(applied);
            applied.merge(position);
            applied
        });
    }

    /// A client is told that its write is kept: whoever takes over must have it.
    pub fn told(&self, position: &GtidPosition) {
        self.acknowledged.fetch_max(position.sequence(0), Relaxed);
    }

    /// Lets the peak come down a little; called by each probe.
    pub fn forgive(&self) {
        let peak = self.peak_us.load(Relaxed);
        self.peak_us.store(peak - peak / 16, Relaxed);
    }
}

/// What a session saw of a node, for the judge. Sent on a bounded channel with `try_send`: a full channel loses nothing,
/// since the judge is busy with the same news already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// The node refused the connection, or closed or reset a living one: believed at once, checked by one probe.
    Broken,
    /// No answer in time: a hint only.
    Silent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_at_most_an_eighth_too_high() {
        let latencies = Latencies::default();
        (1..=100_000u64).for_each(|us| latencies.record(Duration::from_micros(us)));
        let all = latencies.snapshot();
        for q in [0.01, 0.5, 0.9, 0.99, 1.0] {
            let (found, exact) = (all.quantile_ms(q), q * 100.0);
            assert!(found >= exact && found <= exact * 1.126, "{q}: {found} for {exact}");
        }
        assert!((all.mean_ms() - 50.0).abs() < 0.1);
    }

    #[test]
    fn a_difference_holds_only_what_came_between() {
        let latencies = Latencies::default();
        latencies.record(Duration::from_secs(3));
        let before = latencies.snapshot();
        latencies.record(Duration::from_millis(2));
        let between = latencies.snapshot().since(&before);
        assert_eq!((between.count(), between.mean_ms()), (1, 2.0));
        assert_eq!(LatencySnapshot::default().quantile_ms(0.5), 0.0);
    }

    #[test]
    fn extremes_find_a_bucket() {
        let latencies = Latencies::default();
        [Duration::ZERO, Duration::from_secs(100_000)].iter().for_each(|d| latencies.record(*d));
        assert_eq!(latencies.snapshot().count(), 2);
    }
}
