//! How likely a difference is by chance alone: the labels are dealt out again and again.
//!
//! No distribution has to be supposed; only that blocks could have changed places if both sides were the same. The chance
//! counts the outcome itself, so it is never 0 (Phipson and Smyth, 2010).

use super::{mean, random::SplitMix64};

/// Up to so many pairs all sign changes are tried.
const EXACT_PAIRS: usize = 16;

/// The chance of a mean at least as far from 0 as that of `differences`, were their signs a matter of luck.
pub fn of_signs(differences: &[f64], rounds: usize, seed: u64) -> f64 {
    let count = differences.len();
    if count == 0 {
        return 1.0;
    }
    let found = differences.iter().sum::<f64>().abs() - tolerance(differences);
    if count <= EXACT_PAIRS {
        let all = 1_u32 << count;
        let as_far =
            (0..all).filter(|signs| signed_sum(differences, |at| signs >> at & 1 == 1).abs() >= found);
        return as_far.count() as f64 / f64::from(all);
    }
    let mut random = SplitMix64::new(seed);
    let as_far = (0..rounds).filter(|_| signed_sum(differences, |_| random.coin()).abs() >= found).count();
    (as_far + 1) as f64 / (rounds + 1) as f64
}

fn signed_sum(differences: &[f64], mut flip: impl FnMut(usize) -> bool) -> f64 {
    differences.iter().enumerate().map(|(at, value)| if flip(at) { -value } else { *value }).sum()
}

/// The chance of means at least as far apart, were it luck which value belongs to which sample.
pub fn of_labels(a: &[f64], b: &[f64], rounds: usize, seed: u64) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 1.0;
    }
    let mut all: Vec<f64> = a.iter().chain(b).copied().collect();
    let found = (mean(b) - mean(a)).abs() - tolerance(&all);
    let mut random = SplitMix64::new(seed);
    let as_far = (0..rounds)
        .filter(|_| {
            random.shuffle(&mut all);
            let (left, right) = all.split_at(a.len());
            (mean(right) - mean(left)).abs() >= found
        })
        .count();
    (as_far + 1) as f64 / (rounds + 1) as f64
}

/// Sums of the same values in another order differ by this at most.
fn tolerance(values: &[f64]) -> f64 {
    values.iter().map(|value| value.abs()).sum::<f64>() * 1e-12
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_pairs_are_counted_out() {
        // All five of one sign: 2 of 32 outcomes are as far.
        assert_eq!(of_signs(&[1.0, 2.0, 1.5, 0.5, 3.0], 0, 0), 2.0 / 32.0);
        assert_eq!(of_signs(&[1.0, -1.0], 0, 0), 1.0);
        assert_eq!(of_signs(&[], 0, 0), 1.0);
    }

    #[test]
    fn chances_without_a_difference_are_even() {
        let mut random = SplitMix64::new(9);
        let mut below = 0;
        for trial in 0..400 {
            let mut draw = |n: usize| (0..n).map(|_| random.below(1000) as f64).collect::<Vec<_>>();
            let (a, b) = (draw(20), draw(25));
            below += u32::from(of_labels(&a, &b, 200, trial) <= 0.1);
            let signed: Vec<f64> = draw(24).iter().map(|value| value - 500.0).collect();
            below += u32::from(of_signs(&signed, 200, trial) <= 0.1);
        }
        assert!((45..=125).contains(&below), "{below} of 800 at a level of 10 %");
    }

    #[test]
    fn a_clear_difference_is_no_luck() {
        let a: Vec<f64> = (0..20).map(|n| 10.0 + f64::from(n % 5)).collect();
        let b: Vec<f64> = a.iter().map(|value| value + 6.0).collect();
        assert!(of_labels(&a, &b, 999, 1) <= 0.002);
    }
}
