//! Intervals by the bootstrap, bias-corrected and accelerated (Efron, 1987).

use super::{mean, normal, random::SplitMix64};

/// From where to where a figure may lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The interval of the mean of `values` that misses with the chance `alpha`; `None` of fewer than three values, of which no
/// spread can be told.
pub fn of_mean(values: &[f64], alpha: f64, rounds: usize, seed: u64) -> Option<Interval> {
    if values.len() < 3 {
        return None;
    }
    let mut random = SplitMix64::new(seed);
    let resampled = (0..rounds).map(|_| resampled_mean(values, &mut random)).collect();
    let left_out = without_each(values);
    Some(accelerated(resampled, mean(values), &left_out, alpha))
}

/// The interval of `mean(b) - mean(a)`, two samples that are not paired.
pub fn of_difference(a: &[f64], b: &[f64], alpha: f64, rounds: usize, seed: u64) -> Option<Interval> {
    if a.len() < 3 || b.len() < 3 {
        return None;
    }
    let mut random = SplitMix64::new(seed);
    let resampled = (0..rounds)
        .map(|_| {
            let from_a = resampled_mean(a, &mut random);
            resampled_mean(b, &mut random) - from_a
        })
        .collect();
    let (mean_a, mean_b) = (mean(a), mean(b));
    let mut left_out: Vec<f64> = without_each(a).iter().map(|without| mean_b - without).collect();
    left_out.extend(without_each(b).iter().map(|without| without - mean_a));
    Some(accelerated(resampled, mean_b - mean_a, &left_out, alpha))
}

fn resampled_mean(values: &[f64], random: &mut SplitMix64) -> f64 {
    let sum: f64 = (0..values.len()).map(|_| values[random.below(values.len())]).sum();
    sum / values.len() as f64
}

/// The mean without each of the values in turn.
fn without_each(values: &[f64]) -> Vec<f64> {
    let (sum, count) = (values.iter().sum::<f64>(), values.len());
    values.iter().map(|value| (sum - value) / (count - 1) as f64).collect()
}

/// Reads the interval off the resampled figures, after moving its ends by bias and skewness.
fn accelerated(mut resampled: Vec<f64>, figure: f64, left_out: &[f64], alpha: f64) -> Interval {
    resampled.sort_by(f64::total_cmp);
    let below = resampled.iter().filter(|found| **found < figure).count() as f64;
    let equal = resampled.iter().filter(|found| **found == figure).count() as f64;
    let bias = normal::quantile((below + equal / 2.0) / resampled.len() as f64);
    let middle = mean(left_out);
    let (squares, cubes) = left_out.iter().fold((0.0, 0.0), |(squares, cubes), found| {
        let off: f64 = middle - found;
        (squares + off.powi(2), cubes + off.powi(3))
    });
    let acceleration = if squares > 0.0 { cubes / (6.0 * squares.powf(1.5)) } else { 0.0 };
    let end = |p: f64| {
        let z = bias + normal::quantile(p);
        let moved = normal::cumulative(bias + z / (1.0 - acceleration * z));
        let at = (moved * resampled.len() as f64) as usize;
        resampled[at.min(resampled.len() - 1)]
    };
    Interval { low: end(alpha / 2.0), high: end(1.0 - alpha / 2.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Normal enough: the sum of twelve even numbers.
    fn noisy(random: &mut SplitMix64, middle: f64, spread: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| (random.draw() >> 11) as f64 / (1_u64 << 53) as f64).sum();
        middle + spread * (sum - 6.0)
    }

    #[test]
    fn the_interval_holds_the_truth_as_often_as_it_says() {
        let mut random = SplitMix64::new(11);
        let trials = 400;
        let mut held = 0;
        for trial in 0..trials {
            let values: Vec<f64> = (0..30).map(|_| noisy(&mut random, 5.0, 2.0)).collect();
            let interval = of_mean(&values, 0.1, 500, trial).expect("enough values");
            held += u32::from(interval.low <= 5.0 && 5.0 <= interval.high);
        }
        let share = f64::from(held) / trials as f64;
        assert!((0.84..=0.95).contains(&share), "{share}");
    }

    #[test]
    fn a_skewed_sample_has_a_skewed_interval() {
        // Golden: scipy 1.x, stats.bootstrap(method="BCa", n_resamples=200000), gives 1.62 to 15.93 at 95 %.
        let values = [1.0, 1.2, 1.3, 1.1, 1.0, 1.4, 2.0, 3.0, 5.0, 30.0];
        let interval = of_mean(&values, 0.05, 50_000, 1).expect("enough values");
        assert!((interval.low - 1.62).abs() < 0.05 && (interval.high - 15.93).abs() < 0.6, "{interval:?}");
    }

    #[test]
    fn two_samples_differ_by_what_they_differ() {
        let mut random = SplitMix64::new(2);
        let a: Vec<f64> = (0..60).map(|_| noisy(&mut random, 10.0, 1.0)).collect();
        let b: Vec<f64> = (0..40).map(|_| noisy(&mut random, 11.0, 1.0)).collect();
        let interval = of_difference(&a, &b, 0.01, 2_000, 5).expect("enough values");
        assert!(interval.low > 0.2 && interval.high < 1.8, "{interval:?}");
        assert_eq!(of_difference(&a[..2], &b, 0.01, 100, 5), None);
    }

    #[test]
    fn equal_values_have_an_interval_without_width() {
        let interval = of_mean(&[3.0; 8], 0.05, 200, 1).expect("enough values");
        assert_eq!((interval.low, interval.high), (3.0, 3.0));
    }
}
