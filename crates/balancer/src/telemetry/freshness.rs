//! How far behind a node's answers were, as two histograms: in time and in transactions.
//!
//! Costs a session nothing. A probe that learns how far behind a node is counts for all reads that the node has answered
//! since the probe before, each with the larger of the two lags. The lag in time is at most one probe interval too low (see
//! [`crate::health::lag`]), the lag in transactions by what the primary has written since its last probe; an answer that was
//! waited for (a causal read) may well have been fresher than this says.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

/// Upper bounds of the buckets in milliseconds; one more holds the rest.
pub const BEHIND_MS: [u64; 13] = [0, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000, 600_000];
/// Upper bounds of the buckets in transactions; one more holds the rest.
pub const BEHIND_TRANSACTIONS: [u64; 13] =
    [0, 1, 2, 5, 10, 25, 100, 250, 1_000, 5_000, 25_000, 100_000, 1_000_000];
const BUCKETS: usize = 14;

/// How far behind a node is at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// In milliseconds.
    pub ms: u64,
    /// In transactions.
    pub transactions: u64,
}

impl Behind {
    /// The worse of both, figure by figure.
    pub fn worse(self, other: Self) -> Self {
        Self { ms: self.ms.max(other.ms), transactions: self.transactions.max(other.transactions) }
    }
}

/// The histograms of one node.
#[derive(Debug, Default)]
pub struct Freshness {
    ms: Counts,
    transactions: Counts,
    unknown: AtomicU64,
}

#[derive(Debug, Default)]
struct Counts {
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
}

impl Counts {
    fn record(&self, value: u64, answers: u64, bounds: &[u64]) {
        self.buckets[bounds.partition_point(|bound| *bound < value)].fetch_add(answers, Relaxed);
        self.sum.fetch_add(value.saturating_mul(answers), Relaxed);
    }

    fn snapshot(&self) -> Histogram {
        Histogram {
            counts: self.buckets.iter().map(|count| count.load(Relaxed)).collect(),
            sum: self.sum.load(Relaxed),
        }
    }
}

impl Freshness {
    /// So many answers were this far behind; `None`: nobody knows how far.
    pub fn record(&self, answers: u64, behind: Option<Behind>) {
        if answers == 0 {
            return;
        }
        let Some(behind) = behind else {
            self.unknown.fetch_add(answers, Relaxed);
            return;
        };
        self.ms.record(behind.ms, answers, &BEHIND_MS);
        self.transactions.record(behind.transactions, answers, &BEHIND_TRANSACTIONS);
    }

    /// What has been counted so far.
    pub fn snapshot(&self) -> FreshnessSnapshot {
        FreshnessSnapshot {
            ms: self.ms.snapshot(),
            transactions: self.transactions.snapshot(),
            unknown: self.unknown.load(Relaxed),
        }
    }
}

/// A copy of [`Freshness`] at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreshnessSnapshot {
    /// Answers by how many milliseconds they were behind; bounds: [`BEHIND_MS`].
    pub ms: Histogram,
    /// Answers by how many transactions they were behind; bounds: [`BEHIND_TRANSACTIONS`].
    pub transactions: Histogram,
    /// Answers of which nobody knows how far behind they were.
    pub unknown: u64,
}

/// Counts, one more than there are bounds, and the sum of all values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// The bounds of the buckets, but the last, are where they are defined.
    pub counts: Vec<u64>,
    /// The sum of all values.
    pub sum: u64,
}

impl Histogram {
    /// How many values.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their mean, 0 for none.
    pub fn mean(&self) -> f64 {
        match self.count() {
            0 => 0.0,
            count => self.sum as f64 / count as f64,
        }
    }

    /// The bound that a share `q` (0 to 1) of all does not exceed; `None` when that is beyond the last one, or for none.
    pub fn quantile(&self, q: f64, bounds: &[u64]) -> Option<u64> {
        let wanted = (self.count() as f64 * q).ceil().max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        bounds.get(bucket?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_how_far_behind_they_were() {
        let freshness = Freshness::default();
        freshness.record(0, None);
        freshness.record(90, Some(Behind::default()));
        freshness.record(9, Some(Behind { ms: 240, transactions: 3 }));
        freshness.record(1, Some(Behind { ms: 4_000_000, transactions: 5 }));
        freshness.record(7, None);
        let told = freshness.snapshot();
        assert_eq!((told.ms.count(), told.transactions.count(), told.unknown), (100, 100, 7));
        for (q, ms, transactions) in
            [(0.5, Some(0), Some(0)), (0.95, Some(250), Some(5)), (1.0, None, Some(5))]
        {
            assert_eq!(told.ms.quantile(q, &BEHIND_MS), ms, "{q}");
            assert_eq!(told.transactions.quantile(q, &BEHIND_TRANSACTIONS), transactions, "{q}");
        }
        assert!((told.transactions.mean() - 0.32).abs() < 1e-9);
        assert_eq!(Histogram::default().quantile(0.5, &BEHIND_MS), None);
    }
}
