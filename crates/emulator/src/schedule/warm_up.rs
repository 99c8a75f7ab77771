//! A warm-up that ends by itself: watches the load second by second and ends the phase when it has been steady.

use report::record::WarmUp;
use report::statistics::steady::{Lookout, METHOD, SHORTEST};

use super::Plan;

/// The phase ends so many seconds after the one that showed it, so that everybody hears of it before.
const NOTICE: u32 = 2;
/// A warm-up of fewer seconds after its ramp cannot be found steady.
pub(crate) const LEAST: u32 = SHORTEST + NOTICE;

/// Watches over the warm-up of a plan.
#[derive(Debug)]
pub(crate) struct WarmUpWatch {
    plan: Plan,
    /// The first second of the phase.
    start: u32,
    /// The second at which its ramp is over.
    from: u32,
    /// It does not end before this second.
    least: u32,
    /// It ends at this second at the latest.
    most: u32,
    lookout: Lookout,
}

impl WarmUpWatch {
    /// None where no phase has an open end.
    pub(crate) fn of(plan: &Plan) -> Option<Self> {
        let (start, most, phase) = plan.open_ended()?;
        let (from, least) = (start + phase.ramp_seconds, start + phase.least_seconds);
        Some(Self { plan: plan.clone(), start, from, least, most, lookout: Lookout::default() })
    }

    /// Takes in a second that is over.
    pub(crate) fn second(&mut self, second: u32, interactions: u64, p90_ms: f64) {
        if self.plan.was_cut().is_some() || !(self.from..self.most).contains(&second) {
            return;
        }
        self.lookout.second(interactions, p90_ms);
        let end = second + NOTICE;
        if self.lookout.steady() && (self.least..=self.most).contains(&end) {
            self.plan.cut(end);
        }
    }

    /// How the warm-up ended, when `seconds` of the load are over; none while it has not.
    pub(crate) fn ended(&self, seconds: u32) -> Option<WarmUp> {
        let cut = self.plan.was_cut();
        let end = cut.unwrap_or(self.most);
        (seconds > end).then(|| WarmUp {
            seconds: end - self.start,
            least_seconds: self.least - self.start,
            most_seconds: self.most - self.start,
            steady: Some(cut.is_some()),
            method: METHOD.to_owned(),
            reason: if cut.is_some() { String::new() } else { self.lookout.words() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Level, Phase, PhaseKind, Until};

    fn watch(seconds: u32, least_seconds: u32) -> WarmUpWatch {
        let (name, kind, sessions) = ("warm".to_owned(), PhaseKind::Warmup, Level::default());
        let warm = Phase {
            name,
            kind,
            seconds,
            until: Some(Until::Steady),
            least_seconds,
            sessions,
            ramp_seconds: 10,
        };
        WarmUpWatch::of(&Plan::new(vec![warm], 8)).expect("an open end")
    }

    #[test]
    fn a_steady_load_is_waited_for_no_longer_than_the_least() {
        for least in [0, 30, 55, 200] {
            let mut watch = watch(300, least);
            (0..300).for_each(|second| watch.second(second, 100, 5.0));
            let end = watch.plan.was_cut().expect("it ended");
            // The last of the seconds that have to be seen is the one before that sum.
            assert_eq!(end, least.max(10 + LEAST - 1), "least {least}");
            assert_eq!(watch.ended(end), None, "not before it has");
            let told = watch.ended(end + 1).expect("over");
            assert_eq!((told.seconds, told.steady, told.most_seconds), (end, Some(true), 300));
        }
    }

    #[test]
    fn one_that_never_settles_ends_at_its_most_and_says_why() {
        let mut watch = watch(100, 0);
        (0..100).for_each(|second| watch.second(second, 100, f64::from(second)));
        assert_eq!(watch.plan.was_cut(), None);
        let told = watch.ended(101).expect("over");
        assert_eq!((told.seconds, told.steady), (100, Some(false)));
        assert!(told.reason.starts_with("90th percentile"), "{}", told.reason);
    }
}
