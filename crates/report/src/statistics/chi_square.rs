//! The chi-square distribution, and Pearson's test by it.

/// Pearson's statistic of counts against shares (which need not sum to 1) with its degrees of freedom, one fewer than classes.
/// `None` without counts, or when a share is missing.
pub fn pearson(observed: &[u64], shares: &[f64]) -> Option<(f64, u32)> {
    let total: u64 = observed.iter().sum();
    let whole: f64 = shares.iter().sum();
    if total == 0 || observed.len() < 2 || shares.iter().any(|&s| s.is_nan() || s <= 0.0) {
        return None;
    }
    let parts = observed.iter().zip(shares).map(|(&count, share)| {
        let expected = total as f64 * share / whole;
        (count as f64 - expected).powi(2) / expected
    });
    Some((parts.sum(), observed.len() as u32 - 1))
}

/// The chance of a statistic of at least this size when there is nothing to find.
pub fn tail(statistic: f64, freedom: u32) -> f64 {
    gamma_q(f64::from(freedom) / 2.0, statistic / 2.0)
}

/// Regularised upper incomplete gamma function, by its series below a + 1 and by Lentz's continued fraction above.
fn gamma_q(a: f64, x: f64) -> f64 {
    const STEPS: u32 = 500;
    if x <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for n in 1..STEPS {
            term *= x / (a + f64::from(n));
            sum += term;
            if term < sum * 1e-15 {
                break;
            }
        }
        return (1.0 - front * sum).clamp(0.0, 1.0);
    }
    const TINY: f64 = 1e-300;
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1.0 / TINY, 1.0 / b);
    let mut fraction = d;
    for n in 1..STEPS {
        let n = f64::from(n);
        let factor = -n * (n - a);
        b += 2.0;
        d = 1.0 / keep_off_zero(factor * d + b, TINY);
        c = keep_off_zero(b + factor / c, TINY);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    (front * fraction).clamp(0.0, 1.0)
}

fn keep_off_zero(value: f64, tiny: f64) -> f64 {
    if value.abs() < tiny { tiny } else { value }
}

/// ln Γ for positive multiples of a half, which is all that degrees of freedom need: Γ(a + 1) = a Γ(a).
fn ln_gamma(a: f64) -> f64 {
    let (mut rest, mut sum) = (a, 0.0);
    while rest > 1.0 {
        rest -= 1.0;
        sum += rest.ln();
    }
    if (rest - 0.5).abs() < 0.25 { sum + std::f64::consts::PI.sqrt().ln() } else { sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_agrees_with_the_tables() {
        // Critical values of the chi-square distribution as printed in any table of it.
        for (freedom, statistic, p) in [
            (1.0, 3.841, 0.05),
            (2.0, 9.210, 0.01),
            (13.0, 22.362, 0.05),
            (13.0, 34.528, 0.001),
            (13.0, 3.565, 0.995),
        ] {
            let found = gamma_q(freedom / 2.0, statistic / 2.0);
            assert!((found / p - 1.0).abs() < 2e-3, "{freedom} {statistic}: {found}");
        }
        assert_eq!(gamma_q(6.5, 0.0), 1.0);
    }

    #[test]
    fn perfect_shares_fit_and_wrong_ones_do_not() {
        let p =
            |observed: &[u64], shares: &[f64]| pearson(observed, shares).map(|(x, freedom)| tail(x, freedom));
        assert_eq!(p(&[500, 300, 200], &[50.0, 30.0, 20.0]), Some(1.0));
        assert!(p(&[400, 400, 200], &[50.0, 30.0, 20.0]).expect("a test") < 1e-6);
        assert_eq!(p(&[0, 0], &[50.0, 50.0]), None);
        assert_eq!(p(&[3, 4], &[0.0, 0.0]), None);
    }
}
