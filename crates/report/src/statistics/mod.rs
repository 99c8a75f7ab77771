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

/// The arithmetic mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
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
}
