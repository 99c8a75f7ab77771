//! A histogram with few buckets of fixed bounds, as scrapers want it.

use hdrhistogram::Histogram;

/// Upper ends in µs, included; what is longer is in one more bucket. The specification's limits (3, 5, 10 and 20 s) are among them.
pub(super) const BOUNDS_US: [u64; 16] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_000_000,
    3_000_000, 5_000_000, 10_000_000, 20_000_000,
];

/// Counts by bucket, and the sum of all values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Buckets {
    counts: [u64; BOUNDS_US.len() + 1],
    /// In seconds.
    pub sum: f64,
}

impl Buckets {
    /// Adds a second's values, which are in µs.
    pub(super) fn add(&mut self, second: &Histogram<u64>) {
        for value in second.iter_recorded() {
            let us = second.median_equivalent(value.value_iterated_to());
            let count = value.count_at_value();
            self.counts[BOUNDS_US.partition_point(|bound| *bound < us)] += count;
            self.sum += us as f64 / 1e6 * count as f64;
        }
    }

    /// How many values are no longer than each bound.
    pub(super) fn up_to(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut seen = 0;
        BOUNDS_US.into_iter().zip(self.counts).map(move |(bound, count)| {
            seen += count;
            (bound, seen)
        })
    }

    /// All values.
    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use report::record::new_histogram;

    use super::*;

    #[test]
    fn values_are_counted_up_to_their_bound() {
        let mut second = new_histogram();
        for (us, times) in [(400, 2), (500, 1), (501, 1), (2_900_000, 3), (60_000_000, 1)] {
            second.record_n(us, times).expect("in range");
        }
        let mut buckets = Buckets::default();
        buckets.add(&second);
        buckets.add(&second);
        let found: Vec<u64> = buckets.up_to().map(|(_, count)| count).collect();
        assert_eq!(found, [6, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 14, 14, 14, 14]);
        assert_eq!(buckets.count(), 16);
        assert!((buckets.sum / 137.4 - 1.0).abs() < 0.01, "{}", buckets.sum);
    }
}
