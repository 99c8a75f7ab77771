//! A workload made shorter or longer: what happens in it keeps its place.

use super::Workload;
use crate::schedule::warm_up::LEAST as SHORTEST;
use crate::schedule::{Level, Phase, PhaseKind, Until};

/// The longest warm-up that can be told on the command line, in seconds: a day.
const MOST_WARM_UP: u32 = 24 * 3600;

/// How long a warm-up lasts, as told on the command line: `steady`, or a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarmUpLength {
    /// Until the load is steady: at least as long as the workload says, at most ten times as long (2 min where that is less).
    Steady,
    /// So many seconds.
    Told(u32),
}

impl std::str::FromStr for WarmUpLength {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "steady" {
            return Ok(Self::Steady);
        }
        let seconds: Option<u32> = text.strip_suffix('s').unwrap_or(text).parse().ok();
        seconds
            .filter(|seconds| (1..=MOST_WARM_UP).contains(seconds))
            .map(Self::Told)
            .ok_or_else(|| format!("allowed is `steady` or 1 to {MOST_WARM_UP} seconds"))
    }
}

impl Workload {
    /// Gives the first warm-up another length; what comes after it moves along, and what happens in it stays in it. One is put
    /// before all phases where there is none.
    pub fn set_warm_up(&mut self, warm_up: WarmUpLength) {
        let first =
            self.phases.iter().position(|phase| phase.kind == PhaseKind::Warmup).unwrap_or_else(|| {
                let (name, kind, sessions) = ("warm-up".to_owned(), PhaseKind::Warmup, self.first_level());
                let none = Phase {
                    name,
                    kind,
                    seconds: 0,
                    until: None,
                    least_seconds: 0,
                    sessions,
                    ramp_seconds: 0,
                };
                self.phases.insert(0, none);
                0
            });
        let old_end = self.plan().spans().nth(first).map_or(0, |(_, end, _)| end);
        let phase = &mut self.phases[first];
        let told = phase.seconds;
        match warm_up {
            WarmUpLength::Told(seconds) => {
                (phase.seconds, phase.until, phase.least_seconds) = (seconds, None, 0);
            }
            WarmUpLength::Steady if phase.until.is_none() => {
                phase.until = Some(Until::Steady);
                phase.least_seconds = told;
                phase.seconds = (told * 10).max(phase.ramp_seconds + 3 * SHORTEST);
            }
            WarmUpLength::Steady => {}
        }
        phase.ramp_seconds = phase.ramp_seconds.min(phase.seconds);
        let by = f64::from(phase.seconds) - f64::from(told);
        self.move_by(f64::from(old_end), by);
    }

    /// Browsers of the first phase.
    fn first_level(&self) -> Level {
        self.phases.first().map_or_else(Level::default, |phase| phase.sessions)
    }

    /// Moves all that happens from a second on.
    fn move_by(&mut self, from: f64, by: f64) {
        let moved = |at: f64| if at >= from { at + by } else { at.min(from + by.min(0.0)) };
        for event in &mut self.events {
            event.at = moved(event.at);
        }
        if let Some(chaos) = &mut self.chaos {
            chaos.from = moved(chaos.from);
            chaos.until = chaos.until.map(moved);
        }
    }

    /// Makes the load about `seconds` long: every phase, ramp and event time in the same proportion, no phase below a second. A
    /// warm-up that becomes too short to be found steady lasts as long as it may.
    pub fn stretch(&mut self, seconds: u32) {
        let factor = f64::from(seconds) / f64::from(self.seconds().max(1));
        for phase in &mut self.phases {
            phase.seconds = ((f64::from(phase.seconds) * factor).round() as u32).max(1);
            phase.ramp_seconds = ((f64::from(phase.ramp_seconds) * factor).round() as u32).min(phase.seconds);
            phase.least_seconds =
                ((f64::from(phase.least_seconds) * factor).round() as u32).min(phase.seconds);
            if phase.seconds < phase.ramp_seconds + SHORTEST {
                (phase.until, phase.least_seconds) = (None, 0);
            }
        }
        let end = f64::from(self.seconds());
        for event in &mut self.events {
            event.at = (event.at * factor).min(end);
            event.heal_after = event.heal_after.map(|after| after * factor);
        }
        if let Some(chaos) = &mut self.chaos {
            chaos.from = (chaos.from * factor).min(end);
            chaos.until = chaos.until.map(|until| (until * factor).min(end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::EventAction;
    use crate::workload::sample::{open_end, small};

    #[test]
    fn a_warm_up_of_another_length_moves_what_comes_after_it() {
        let mut workload = small();
        workload.set_warm_up(WarmUpLength::Told(30));
        assert_eq!((workload.phases[0].seconds, workload.events[0].at), (30, 33.0));
        workload.set_warm_up(WarmUpLength::Steady);
        let warm = &workload.phases[0];
        assert_eq!((warm.until, warm.least_seconds, warm.seconds), (Some(Until::Steady), 30, 300));
        assert_eq!((workload.events[0].at, workload.check()), (303.0, Ok(())));
        let known = workload.clone();
        workload.set_warm_up(WarmUpLength::Steady);
        assert_eq!(workload, known, "it is so already");
        workload.set_warm_up(WarmUpLength::Told(5));
        assert_eq!(workload, small());
        workload.phases.remove(0);
        workload.events[0].at = 3.0;
        workload.set_warm_up(WarmUpLength::Told(7));
        assert_eq!((workload.phases[0].seconds, workload.phases[0].kind), (7, PhaseKind::Warmup));
        assert_eq!((workload.events[0].at, workload.check()), (10.0, Ok(())));
        for (text, length) in [
            ("steady", Ok(WarmUpLength::Steady)),
            ("60", Ok(WarmUpLength::Told(60))),
            ("60s", Ok(WarmUpLength::Told(60))),
        ] {
            assert_eq!(text.parse(), length);
        }
        for text in ["", "0", "-1", "soon", "1.5", "90000"] {
            assert!(text.parse::<WarmUpLength>().expect_err(text).contains("`steady`"));
        }
    }

    #[test]
    fn stretching_keeps_proportions() {
        let mut workload = small();
        workload.stretch(50);
        assert_eq!((workload.phases[0].seconds, workload.phases[1].seconds), (10, 40));
        assert_eq!(workload.phases[1].ramp_seconds, 20);
        assert_eq!(workload.events[0].at, 16.0);
        assert_eq!(workload.events[0].action, EventAction::Kill);
        workload.stretch(2);
        assert_eq!(workload.check(), Ok(()), "no phase falls below a second");
        let mut open = small();
        open_end(&mut open, 100, 50);
        open.events.clear();
        open.stretch(60);
        assert_eq!((open.phases[0].until, open.phases[0].least_seconds), (Some(Until::Steady), 25));
        open.stretch(20);
        assert_eq!((open.phases[0].until, open.check()), (None, Ok(())), "too short to be found steady");
    }
}
