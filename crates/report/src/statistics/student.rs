//! Student's t distribution, and the test of a trimmed mean by it (Yuen, 1974).
//!
//! A noisy machine has bursts: a few differences far from all others. The usual t test pays for them with its spread; here the
//! outermost differences on both sides are cut off, and the spread is the winsorized one.

use super::{mean, variance};

/// The share of the values that is cut off on each side: one difference in ten may be a burst, and half of these lie on one side.
const TRIMMED: f64 = 0.2;

/// A trimmed mean with what it may be off by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trimmed {
    /// The mean of what is left.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
    /// Degrees of freedom.
    pub freedom: f64,
}

impl Trimmed {
    /// `None` of fewer than three values.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.len() < 3 {
            return None;
        }
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let cut = (values.len() as f64 * TRIMMED) as usize;
        let left = values.len() - 2 * cut;
        let middle = mean(&sorted[cut..values.len() - cut]);
        let (low, high) = (sorted[cut], sorted[values.len() - 1 - cut]);
        let winsorized: Vec<f64> = sorted.iter().map(|value| value.clamp(low, high)).collect();
        let squares = variance(&winsorized) * (values.len() - 1) as f64;
        let error = (squares / (left as f64 * (left - 1) as f64)).sqrt();
        Some(Self { mean: middle, error, freedom: (left - 1) as f64 })
    }

    /// The chance of a mean at least this far from 0 by luck.
    pub fn chance(&self) -> f64 {
        if self.error <= f64::EPSILON * self.mean.abs() {
            return if self.mean == 0.0 { 1.0 } else { 0.0 };
        }
        two_sided(self.mean / self.error, self.freedom)
    }

    /// From where to where it may lie, missed with the chance `alpha`.
    pub fn interval(&self, alpha: f64) -> (f64, f64) {
        let reach = self.error * quantile(alpha, self.freedom);
        (self.mean - reach, self.mean + reach)
    }
}

/// The chance of a t at least this far from 0.
pub fn two_sided(t: f64, freedom: f64) -> f64 {
    incomplete_beta(freedom / (freedom + t * t), freedom / 2.0)
}

/// The t that is exceeded in size with the chance `alpha`, by bisection.
pub fn quantile(alpha: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e4);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if two_sided(middle, freedom) > alpha { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The regularised incomplete beta function with b = 1/2, by Lentz's continued fraction.
fn incomplete_beta(x: f64, a: f64) -> f64 {
    const HALF: f64 = 0.5;
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front =
        (a * x.ln() + HALF * (1.0 - x).ln() + log_gamma(a + HALF) - log_gamma(a) - log_gamma(HALF)).exp();
    // The fraction converges fast on one side of the middle; the other is reached by symmetry.
    let swapped = x > (a + 1.0) / (a + HALF + 2.0);
    let value = if swapped {
        1.0 - front * fraction(1.0 - x, HALF, a) / HALF
    } else {
        front * fraction(x, a, HALF) / a
    };
    value.clamp(0.0, 1.0)
}

fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let off_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / off_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut found = d;
    for step in 1..300 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / off_zero(1.0 + even * d);
        c = off_zero(1.0 + even / c);
        found *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / off_zero(1.0 + odd * d);
        c = off_zero(1.0 + odd / c);
        found *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    found
}

/// ln Γ by Stirling's series, for arguments above 0 shifted to where it is exact to 1e-12.
fn log_gamma(argument: f64) -> f64 {
    let (mut x, mut less) = (argument, 0.0);
    while x < 15.0 {
        less += x.ln();
        x += 1.0;
    }
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - less
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_one_of_the_tables() {
        for (t, freedom, p) in [
            (12.706, 1.0, 0.05),
            (4.303, 2.0, 0.05),
            (2.571, 5.0, 0.05),
            (4.032, 5.0, 0.01),
            (2.228, 10.0, 0.05),
            (3.169, 10.0, 0.01),
            (3.850, 20.0, 0.001),
            (1.960, 1e6, 0.05),
        ] {
            assert!(
                (two_sided(t, freedom) / p - 1.0).abs() < 3e-3,
                "{t} {freedom}: {}",
                two_sided(t, freedom)
            );
            assert!((quantile(p, freedom) / t - 1.0).abs() < 1e-3, "{p} {freedom}");
        }
        assert_eq!(two_sided(0.0, 5.0), 1.0);
    }

    #[test]
    fn bursts_are_cut_off() {
        let mut values: Vec<f64> = (0..20).map(|n| 1.0 + 0.01 * f64::from(n % 5)).collect();
        let calm = Trimmed::of(&values).expect("enough");
        (values[3], values[9]) = (40.0, -30.0);
        let burst = Trimmed::of(&values).expect("enough");
        assert!((calm.mean - 1.02).abs() < 0.002 && (burst.mean - 1.02).abs() < 0.005, "{calm:?} {burst:?}");
        assert!(burst.error < 0.01 && burst.freedom == 11.0 && burst.chance() < 1e-9, "{burst:?}");
        let (low, high) = burst.interval(0.01);
        assert!(low < 1.02 && 1.02 < high);
    }

    #[test]
    fn values_without_spread_and_few_of_them() {
        assert_eq!(Trimmed::of(&[1.0, 2.0]), None);
        assert_eq!(Trimmed::of(&[0.0; 8]).map(|found| found.chance()), Some(1.0));
        assert_eq!(Trimmed::of(&[2.0; 8]).map(|found| found.chance()), Some(0.0));
    }

    #[test]
    fn luck_is_called_luck_as_often_as_the_level_says() {
        let mut random = crate::statistics::random::SplitMix64::new(4);
        let mut normal =
            || (0..12).map(|_| random.below(1 << 20) as f64 / f64::from(1 << 20)).sum::<f64>() - 6.0;
        let alarms = (0..2_000)
            .filter(|_| {
                let values: Vec<f64> = (0..20).map(|_| normal()).collect();
                Trimmed::of(&values).expect("enough").chance() < 0.05
            })
            .count();
        // 100 expected, deviation 10.
        assert!((60..=140).contains(&alarms), "{alarms}");
    }
}
