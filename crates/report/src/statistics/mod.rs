//! What can be said of two series of figures on a noisy machine: intervals by the bootstrap, chances by permutation, a
//! correction for asking many questions at once, and change points in a long series; and what can be said of a sample against the distribution
//! that it should have.
//!
//! All of it is deterministic: the random numbers come from a seed, and the generator is our own few lines, so that no
//! upgrade of a library ever changes a verdict.

pub mod bootstrap;
pub mod change_points;
pub mod chi_square;
pub mod holm;
pub mod kolmogorov;
pub mod markov;
pub mod normal;
pub mod permutation;
pub mod random;
pub mod steady;
pub mod student;

use hdrhistogram::Histogram;

/// The arithmetic mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// The geometric mean of what was recorded, within the histogram's precision; `None` of nothing.
pub fn geometric_mean(recorded: &Histogram<u64>) -> Option<f64> {
    let logarithms = recorded.iter_recorded().map(|bucket| {
        let value = recorded.median_equivalent(bucket.value_iterated_to()).max(1);
        (value as f64).ln() * bucket.count_at_value() as f64
    });
    (!recorded.is_empty()).then(|| (logarithms.sum::<f64>() / recorded.len() as f64).exp())
}

/// The unbiased variance; 0 of fewer than two values.
pub fn variance(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let middle = mean(values);
    values.iter().map(|value| (value - middle).powi(2)).sum::<f64>() / (values.len() - 1) as f64
}

/// Correlation of each value with the next one; 0 where it cannot be told.
pub fn autocorrelation(values: &[f64]) -> f64 {
    if values.len() < 3 {
        return 0.0;
    }
    let middle = mean(values);
    let whole: f64 = values.iter().map(|value| (value - middle).powi(2)).sum();
    if whole <= f64::EPSILON {
        return 0.0;
    }
    values.windows(2).map(|pair| (pair[0] - middle) * (pair[1] - middle)).sum::<f64>() / whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simple_figures() {
        assert_eq!((mean(&[]), mean(&[1.0, 2.0, 6.0])), (0.0, 3.0));
        assert_eq!((variance(&[4.0]), variance(&[1.0, 2.0, 6.0])), (0.0, 7.0));
        let up: Vec<f64> = (0..100).map(f64::from).collect();
        assert!(autocorrelation(&up) > 0.9);
        let zigzag: Vec<f64> = (0..100).map(|n| f64::from(n % 2)).collect();
        assert!(autocorrelation(&zigzag) < -0.9);
        assert_eq!(autocorrelation(&[5.0; 10]), 0.0);
    }

    #[test]
    fn the_geometric_mean_is_hardly_moved_by_a_few() {
        let mut times = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).expect("sound bounds");
        assert_eq!(geometric_mean(&times), None);
        for time in [100, 1_000, 10_000] {
            times.record(time).expect("within bounds");
        }
        let near = |value: f64| (geometric_mean(&times).expect("something") / value - 1.0).abs() < 0.001;
        assert!(near(1_000.0), "{:?}", geometric_mean(&times));
        times.record_n(1_000, 997).expect("within bounds");
        times.record_n(1_000_000, 3).expect("within bounds");
        let moved = geometric_mean(&times).expect("something") / 1_000.0;
        assert!((1.0..1.03).contains(&moved), "the arithmetic mean would be four times as much: {moved}");
    }
}
