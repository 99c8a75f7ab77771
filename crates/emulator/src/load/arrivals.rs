//! When visitors of an open load arrive: a schedule that nobody's slowness moves.
//!
//! A visitor comes, walks through the shop from home until the walk would lead home again, and leaves. By Kac's lemma that is
//! one over the home page's long-run share pages in the mean, so visitors arrive at the rate of interactions times that share, and
//! the pages seen keep the mix exactly.

use std::time::Duration;

use bookstore::{Interaction, Mix};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::think::unit;
use crate::workload::FULL_RATE;

/// The greatest rate, in interactions a second.
pub const MOST_RATE: f64 = 1_000_000.0;
/// An arrival further away than this is looked at again when the rate changes.
const FAR: Duration = Duration::from_secs(3600);

/// How visitors of an open load arrive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Arrivals {
    /// Interactions that are due in a second at the peak, in the mean, above 0 and up to 1,000,000.
    pub rate: f64,
    /// How arrivals are spread.
    pub spacing: Spacing,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self { rate: 10.0, spacing: Spacing::default() }
    }
}

/// How arrivals are spread over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// Independent of each other, as those of many people are: exponential gaps.
    #[default]
    Poisson,
    /// Equal gaps.
    Constant,
}

impl Arrivals {
    /// Refuses rates that make no sense; the message names key, value and what is allowed.
    ///
    /// # Errors
    /// See above.
    pub fn check(&self) -> Result<(), String> {
        if self.rate > 0.0 && self.rate <= MOST_RATE {
            return Ok(());
        }
        Err(format!("arrivals.rate = {}: allowed is above 0 and up to {MOST_RATE}", self.rate))
    }

    /// Visitors a second at the peak.
    pub(crate) fn visitors(&self, mix: Mix) -> f64 {
        self.rate * mix.transitions().long_run_shares()[Interaction::Home.index()]
    }
}

/// The arrivals of one worker. The rate may change at any time; what was waited for already counts.
#[derive(Debug)]
pub(crate) struct Process {
    spacing: Spacing,
    random: Xoshiro256PlusPlus,
    /// Visitors a second at the peak.
    peak: f64,
    /// Now.
    rate: f64,
    /// Up to when the rate has been taken into account.
    from: Instant,
    /// Arrivals that the rate has yet to make, from `from` on, before the next one happens.
    left: f64,
}

impl Process {
    /// Begins at `start` with no rate. `phase`, 0 to 1, moves constant gaps, so that workers take turns.
    pub(crate) fn new(
        spacing: Spacing,
        random: Xoshiro256PlusPlus,
        peak: f64,
        start: Instant,
        phase: f64,
    ) -> Self {
        let mut process = Self { spacing, random, peak, rate: 0.0, from: start, left: phase };
        if spacing == Spacing::Poisson {
            process.left = process.gap();
        }
        process
    }

    /// The rate is this many millionths of the peak from `now` on.
    pub(crate) fn set(&mut self, level: u32, now: Instant) {
        let passed = now.saturating_duration_since(self.from).as_secs_f64();
        self.left = (self.left - passed * self.rate).max(0.0);
        self.from = self.from.max(now);
        self.rate = self.peak * f64::from(level) / f64::from(FULL_RATE);
    }

    /// When the next visitor arrives; `None` while nobody does.
    pub(crate) fn next(&self) -> Option<Instant> {
        if self.rate <= 0.0 {
            return None;
        }
        let wait = (self.left / self.rate).min(FAR.as_secs_f64());
        Some(self.from + Duration::from_secs_f64(wait))
    }

    /// The visitor of [`Process::next`] has arrived.
    pub(crate) fn arrive(&mut self, at: Instant) {
        self.from = at;
        self.left = self.gap();
    }

    fn gap(&mut self) -> f64 {
        match self.spacing {
            Spacing::Constant => 1.0,
            Spacing::Poisson => -(1.0 - unit(&mut self.random)).ln(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;

    fn process(spacing: Spacing, peak: f64, start: Instant) -> Process {
        let mut process = Process::new(spacing, Xoshiro256PlusPlus::seed_from_u64(5), peak, start, 0.5);
        process.set(FULL_RATE, start);
        process
    }

    fn arrivals(process: &mut Process, until: Instant) -> Vec<Instant> {
        let mut all = Vec::new();
        while let Some(at) = process.next().filter(|at| *at < until) {
            process.arrive(at);
            all.push(at);
        }
        all
    }

    #[test]
    fn constant_arrivals_have_equal_gaps() {
        let start = Instant::now();
        let all = arrivals(&mut process(Spacing::Constant, 50.0, start), start + Duration::from_secs(20));
        assert_eq!(all.len(), 1000);
        let gaps = all.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.into_iter().all(|gap| gap.as_micros().abs_diff(20_000) <= 1));
    }

    #[test]
    fn poisson_arrivals_have_exponential_gaps() {
        let start = Instant::now();
        let all = arrivals(&mut process(Spacing::Poisson, 100.0, start), start + Duration::from_secs(1000));
        let n = all.len() as f64;
        assert!((n / 100_000.0 - 1.0).abs() < 0.015, "{n} arrivals, deviation 316");
        let mut gaps: Vec<f64> =
            all.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 100.0).collect();
        gaps.sort_by(f64::total_cmp);
        let apart = gaps
            .iter()
            .enumerate()
            .map(|(i, gap)| ((1.0 - (-gap).exp()) - i as f64 / n).abs())
            .fold(0.0, f64::max);
        assert!(apart < 1.95 / n.sqrt(), "Kolmogorov–Smirnov at p = 0.001: {apart}");
    }

    #[test]
    fn a_change_of_rate_loses_nothing_that_was_waited_for() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut process = process(Spacing::Constant, 1.0, start);
        assert_eq!(process.next(), Some(start + second / 2));
        process.arrive(start + second / 2);
        // Half of the gap passes at the full rate, the other half at a tenth of it.
        process.set(FULL_RATE / 10, start + second);
        assert_eq!(process.next(), Some(start + second * 6));
        process.set(0, start + second * 2);
        assert_eq!(process.next(), None);
        process.set(FULL_RATE, start + second * 100);
        let next = process.next().expect("somebody comes");
        assert!(next - (start + second * 100) <= Duration::from_millis(401), "{:?}", next - start);
    }

    #[test]
    fn every_mix_sees_the_rate_that_was_asked_for() {
        for (mix, visitors) in [(Mix::Browsing, 29.0), (Mix::Shopping, 16.0), (Mix::Ordering, 9.12)] {
            let found = Arrivals { rate: 100.0, ..Arrivals::default() }.visitors(mix);
            assert!((found - visitors).abs() < 0.25, "{mix:?}: {found}");
        }
    }
}
