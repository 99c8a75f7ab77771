//! What browsers do after a failure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::span::Span;

/// What a browser does after a failure: it waits, each time longer, and asks for the same page again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// The first wait, before jitter.
    pub first: Span,
    /// No wait is longer, before jitter.
    pub most: Span,
    /// Each wait is so many times the one before, 1 to 10.
    pub factor: f64,
    /// Each wait is drawn evenly from this share of itself below and above it, 0 to 1, so that browsers do not come back in
    /// step.
    pub jitter: f64,
    /// A page that is *refused* (an error of no other class) so many times is given up: waiting would not help.
    pub refusals: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self { first: Span::millis(50), most: Span::secs(2), factor: 2.0, jitter: 0.5, refusals: 3 }
    }
}

impl Retry {
    /// The wait before try number `tries + 1`, drawn with `unit` uniform in [0, 1).
    pub fn wait(&self, tries: u32, unit: f64) -> Duration {
        let grown = self.first.0.as_secs_f64() * self.factor.powi(tries.saturating_sub(1).min(64) as i32);
        let wait = grown.min(self.most.0.as_secs_f64());
        Duration::from_secs_f64(wait * (1.0 + self.jitter * (2.0 * unit - 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_are_spread() {
        let retry = Retry::default();
        let middle: Vec<u128> = (1..=8).map(|tries| retry.wait(tries, 0.5).as_millis()).collect();
        assert_eq!(middle, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(retry.wait(1, 0.0), Duration::from_millis(25));
        assert!(retry.wait(100, 0.999) < Duration::from_secs(3));
    }
}
