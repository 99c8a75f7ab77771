//! Think times and lengths of visits (`docs/tpcw.md`, 4.1 and 4.2).
//!
//! Both are negative exponential and cut off: a think time at ten means, a visit at four. The functions are our own, so that
//! an upgrade of a crate never shifts what a seed draws.

use std::fmt;
use std::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::span::{ALLOWED, Span};

/// The specification's mean think time.
pub const SPEC_THINK: Duration = Duration::from_secs(7);
/// The specification's mean of a visit's least length.
pub const SPEC_VISIT: Duration = Duration::from_secs(15 * 60);
/// Think times are cut off at so many means.
pub(crate) const THINK_CUT: f64 = 10.0;
/// Lengths of visits are cut off at so many means.
pub(crate) const VISIT_CUT: f64 = 4.0;

/// The mean time that a browser thinks between two pages: `"spec"` (7 s) or a span. 0 is no thinking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThinkTime {
    /// The specification's: mean 7 s, at most 70 s.
    #[default]
    Spec,
    /// Another mean, cut off at ten times itself.
    Mean(Span),
}

impl ThinkTime {
    /// The mean before the cut; the cut takes off 0.05 per mille of it.
    pub fn mean(self) -> Duration {
        match self {
            Self::Spec => SPEC_THINK,
            Self::Mean(span) => span.0,
        }
    }

    /// Draws one think time.
    pub fn draw(self, random: &mut Xoshiro256PlusPlus) -> Duration {
        exponential(self.mean(), THINK_CUT, random)
    }

    /// Draws a browser's first wait, which keeps browsers from starting in step: uniform in 0.1..20.1 s, in the same
    /// proportion for other means.
    pub fn first_wait(self, random: &mut Xoshiro256PlusPlus) -> Duration {
        let proportion = self.mean().as_secs_f64() / SPEC_THINK.as_secs_f64();
        Duration::from_secs_f64((0.1 + 20.0 * unit(random)) * proportion)
    }
}

/// Draws the least length of a visit with this mean (15 min in the specification), at most four times it.
pub fn visit_length(mean: Duration, random: &mut Xoshiro256PlusPlus) -> Duration {
    exponential(mean, VISIT_CUT, random)
}

/// A time in means of its distribution; 0 where the mean is.
pub(crate) fn means(time: Duration, mean: Duration) -> f64 {
    if mean.is_zero() { 0.0 } else { time.as_secs_f64() / mean.as_secs_f64() }
}

/// −ln(r) × mean with r uniform in (0, 1], cut off.
fn exponential(mean: Duration, cut: f64, random: &mut Xoshiro256PlusPlus) -> Duration {
    let means = -(1.0 - unit(random)).ln();
    mean.mul_f64(means.min(cut))
}

/// Uniform in [0, 1), with 53 bits.
pub(crate) fn unit(random: &mut Xoshiro256PlusPlus) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

impl Serialize for ThinkTime {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Spec => to.serialize_str("spec"),
            Self::Mean(span) => span.serialize(to),
        }
    }
}

impl std::str::FromStr for ThinkTime {
    type Err = crate::span::NotASpan;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "spec" { Ok(Self::Spec) } else { text.parse().map(Self::Mean) }
    }
}

impl<'de> Deserialize<'de> for ThinkTime {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = ThinkTime;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "\"spec\" or {ALLOWED}")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ThinkTime, E> {
                text.parse().map_err(|e| E::custom(format!("\"spec\" or a mean: {e}")))
            }
        }
        from.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;

    const DRAWS: usize = 200_000;

    fn draws(think: ThinkTime) -> Vec<f64> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
        let mut drawn: Vec<f64> = (0..DRAWS).map(|_| think.draw(&mut random).as_secs_f64()).collect();
        drawn.sort_by(f64::total_cmp);
        drawn
    }

    /// Two-sample Kolmogorov–Smirnov at p = 0.001 against another author's negative exponential.
    #[test]
    fn think_times_are_distributed_as_another_implementation_has_it() {
        use rand_distr::{Distribution, Exp};
        let mut random = Xoshiro256PlusPlus::seed_from_u64(8);
        let exponential = Exp::new(1.0_f64 / 7.0).expect("a rate above 0");
        let mut theirs: Vec<f64> = (0..DRAWS).map(|_| exponential.sample(&mut random).min(70.0)).collect();
        theirs.sort_by(f64::total_cmp);
        let ours = draws(ThinkTime::Spec);
        let share_below = |drawn: &[f64], at: f64| drawn.partition_point(|t| *t < at) as f64 / DRAWS as f64;
        let apart = theirs
            .iter()
            .map(|at| (share_below(&ours, *at) - share_below(&theirs, *at)).abs())
            .fold(0.0, f64::max);
        let allowed = 1.949 * (2.0 / DRAWS as f64).sqrt();
        assert!(apart < allowed, "{apart} apart, {allowed} allowed");
    }

    #[test]
    fn think_times_have_the_means_asked_for_and_end_at_ten_of_them() {
        for (think, mean) in [(ThinkTime::Spec, 7.0), (ThinkTime::Mean(Span::millis(500)), 0.5)] {
            let drawn = draws(think);
            let found = drawn.iter().sum::<f64>() / DRAWS as f64;
            // The standard error of the mean is mean / √draws = 0.22 %.
            assert!((found / mean - 1.0).abs() < 0.01, "mean {found} s, asked for {mean} s");
            assert!(drawn.last().is_some_and(|&longest| longest <= 10.0 * mean));
        }
    }

    #[test]
    fn think_times_are_exponential() {
        // Kolmogorov-Smirnov against 1 − e^(−t/7); 1.95/√n is the limit at p = 0.001.
        let drawn = draws(ThinkTime::Spec);
        let n = DRAWS as f64;
        let distance = drawn
            .iter()
            .enumerate()
            .map(|(i, t)| {
                let expected = 1.0 - (-t / 7.0).exp();
                (expected - i as f64 / n).abs().max((expected - (i + 1) as f64 / n).abs())
            })
            .fold(0.0, f64::max);
        assert!(distance < 1.95 / n.sqrt(), "distance {distance}");
    }

    #[test]
    fn no_think_time_is_no_wait_at_all() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let none = ThinkTime::Mean(Span::default());
        assert_eq!(none.draw(&mut random), Duration::ZERO);
        assert_eq!(none.first_wait(&mut random), Duration::ZERO);
    }

    #[test]
    fn first_waits_spread_over_twenty_seconds() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let waits: Vec<f64> =
            (0..10_000).map(|_| ThinkTime::Spec.first_wait(&mut random).as_secs_f64()).collect();
        assert!(waits.iter().all(|wait| (0.1..20.1).contains(wait)));
        assert!(waits.iter().any(|&wait| wait < 0.2) && waits.iter().any(|&wait| wait > 20.0));
    }

    #[test]
    fn visits_end_at_four_means() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
        let longest = (0..10_000).map(|_| visit_length(SPEC_VISIT, &mut random)).max();
        assert_eq!(longest, Some(SPEC_VISIT * 4), "one in 55 draws is cut at 60 min");
    }
}
