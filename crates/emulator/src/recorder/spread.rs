//! Counts of values in equal buckets from 0 up to a cut, and of those beyond it.

use report::record::round3;

/// `N` buckets, the end of each included. Values are in means of the distribution that they are held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread<const N: usize> {
    buckets: [u64; N],
    beyond: u64,
    /// The greatest value beyond the cut.
    greatest: f64,
}

impl<const N: usize> Spread<N> {
    pub(crate) const fn new() -> Self {
        Self { buckets: [0; N], beyond: 0, greatest: 0.0 }
    }

    /// Counts a value; the last bucket ends at `cut`.
    pub(crate) fn note(&mut self, value: f64, cut: f64) {
        // A value at the end of a bucket stays in it, whatever its last bits say.
        let number = (value / cut * N as f64 - 1e-6).ceil().max(1.0) as usize - 1;
        match self.buckets.get_mut(number) {
            Some(count) => *count += 1,
            None => {
                self.beyond += 1;
                self.greatest = self.greatest.max(value);
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(other.buckets).for_each(|(mine, theirs)| *mine += theirs);
        self.beyond += other.beyond;
        self.greatest = self.greatest.max(other.greatest);
    }

    pub(crate) fn total(&self) -> u64 {
        self.buckets.iter().sum::<u64>() + self.beyond
    }

    /// Counts by bucket, and last those beyond the cut.
    pub(crate) fn counts(&self) -> impl Iterator<Item = u64> {
        self.buckets.into_iter().chain([self.beyond])
    }
}

/// The ends of the buckets of some spreads with the same cut, in ms, when a mean lasts `mean_ms`; one beyond the cut where any has
/// something there.
pub(crate) fn ends<const N: usize>(spreads: &[&Spread<N>], cut: f64, mean_ms: f64) -> Vec<f64> {
    let end = |number: usize| number as f64 * cut * mean_ms / N as f64;
    let greatest = spreads.iter().map(|spread| spread.greatest * mean_ms).fold(0.0, f64::max);
    // Written to three digits, it still lies beyond.
    let beyond = (greatest > 0.0).then_some(round3(greatest).max(end(N) + 0.001));
    (1..=N).map(end).chain(beyond).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_into_the_bucket_that_ends_at_or_after_them() {
        let mut spread = Spread::<100>::new();
        for value in [0.0, 0.05, 0.1, 0.100_001, 9.95, 10.0, 10.000_000_000_000_002, 10.2, 35.0] {
            spread.note(value, 10.0);
        }
        let counts: Vec<u64> = spread.counts().collect();
        assert_eq!((counts[0], counts[1], counts[99], counts[100]), (3, 1, 3, 2));
        assert_eq!((spread.total(), spread.greatest), (9, 35.0));
        let mut both = spread;
        both.merge(&spread);
        assert_eq!((both.total(), both.greatest), (18, 35.0));
    }

    #[test]
    fn ends_rise_and_one_lies_beyond_the_cut_where_something_does() {
        let (mut none, mut some) = (Spread::<4>::new(), Spread::<4>::new());
        none.note(2.0, 4.0);
        assert_eq!(ends(&[&none], 4.0, 1_000.0), [1_000.0, 2_000.0, 3_000.0, 4_000.0]);
        some.note(4.5, 4.0);
        assert_eq!(ends(&[&none, &some], 4.0, 1_000.0)[4], 4_500.0);
        some = Spread::new();
        some.note(4.000_01, 4.0);
        assert!(ends(&[&some], 4.0, 10.0)[4] > 40.0);
    }
}
