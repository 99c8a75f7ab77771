//! The greatest load that keeps every limit: bracket, bisect, confirm.
//!
//! What to try next follows from what was tried alone, so that a search that was cut off goes on where it stood: its trials
//! are its state.

use serde::{Deserialize, Serialize};

/// How to search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The first level tried.
    pub from: f64,
    /// No lower level is tried.
    pub least: f64,
    /// No greater level is tried.
    pub most: f64,
    /// The interval is narrow enough when its ends differ by so many per cent.
    pub precision_pct: f64,
    /// Trials that the answer must hold beyond its first.
    pub confirmations: u32,
    /// Whether levels are whole numbers.
    pub whole: bool,
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The load.
    pub level: f64,
    /// Whether every limit was held.
    pub held: bool,
    /// Why not, or what it came to.
    pub words: String,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Try this level.
    Try(f64),
    /// The search is over.
    Done(Found),
}

/// The answer: the greatest load that keeps every limit lies between these.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The greatest level that held every time; `null` when not even the least did.
    pub low: Option<f64>,
    /// The least level above it that did not; `null` when the greatest allowed held.
    pub high: Option<f64>,
}

/// The next step after these trials.
pub fn next(settings: &Settings, probes: &[Probe]) -> Step {
    let found = bounds(probes);
    match (found.low, found.high) {
        (None, None) => Step::Try(settings.round(settings.from)),
        (None, Some(high)) if high <= settings.least => Step::Done(found),
        (None, Some(high)) => Step::Try(settings.round(high / 2.0).max(settings.least)),
        (Some(low), None) if low < settings.most => Step::Try(settings.round(low * 2.0).min(settings.most)),
        (Some(low), None) => settings.confirm(low, found, probes),
        (Some(low), Some(high)) => {
            // Between equal ratios: a step of ten matters more at fifty than at five thousand.
            let middle = settings.round((low * high).sqrt());
            let narrow = high / low - 1.0 <= settings.precision_pct / 100.0;
            if narrow || middle <= low || middle >= high {
                settings.confirm(low, found, probes)
            } else {
                Step::Try(middle)
            }
        }
    }
}

impl Settings {
    fn round(&self, level: f64) -> f64 {
        let level = if self.whole { level.round() } else { (level * 100.0).round() / 100.0 };
        level.clamp(self.least, self.most)
    }

    fn confirm(&self, low: f64, found: Found, probes: &[Probe]) -> Step {
        let times = probes.iter().filter(|probe| probe.level == low).count();
        if times > self.confirmations as usize { Step::Done(found) } else { Step::Try(low) }
    }
}

/// The greatest level that held each time it was tried and lies below every one that did not.
pub fn bounds(probes: &[Probe]) -> Found {
    let high = probes.iter().filter(|probe| !probe.held).map(|probe| probe.level).reduce(f64::min);
    let below = |level: f64| high.is_none_or(|high| level < high);
    let low = probes.iter().filter(|p| p.held && below(p.level)).map(|p| p.level).reduce(f64::max);
    Found { low, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(from: f64) -> Settings {
        Settings { from, least: 1.0, most: 10_000.0, precision_pct: 5.0, confirmations: 2, whole: true }
    }

    /// Searches where a level holds by this rule; the rule is told how often the level was tried before.
    fn search(settings: &Settings, holds: impl Fn(f64, usize) -> bool) -> (Found, Vec<Probe>) {
        let mut probes: Vec<Probe> = Vec::new();
        loop {
            match next(settings, &probes) {
                Step::Done(found) => return (found, probes),
                Step::Try(level) => {
                    let before = probes.iter().filter(|probe| probe.level == level).count();
                    let held = holds(level, before);
                    probes.push(Probe { level, held, words: String::new() });
                    assert!(probes.len() < 60, "{probes:?}");
                }
            }
        }
    }

    #[test]
    fn the_limit_is_found_from_wherever_the_search_begins() {
        for truth in [1.0, 7.0, 640.0, 641.0, 3_333.0] {
            for from in [1.0, 60.0, 10_000.0] {
                let (found, probes) = search(&settings(from), |level, _| level <= truth);
                let (low, high) = (found.low.expect("held"), found.high.expect("not held"));
                assert!(low <= truth && truth < high, "{truth} from {from}: {found:?}");
                assert!(high / low <= 1.05 || high - low == 1.0, "{truth} from {from}: {found:?}");
                assert_eq!(probes.iter().filter(|probe| probe.level == low).count(), 3, "confirmed");
                assert!(probes.len() <= 26, "{} trials", probes.len());
            }
        }
    }

    #[test]
    fn the_ends_of_what_is_allowed_are_answers_too() {
        let (found, _) = search(&settings(60.0), |_, _| true);
        assert_eq!(found, Found { low: Some(10_000.0), high: None });
        let (found, probes) = search(&settings(60.0), |_, _| false);
        assert_eq!(found, Found { low: None, high: Some(1.0) });
        assert!(probes.len() < 10);
    }

    #[test]
    fn a_level_that_held_by_luck_is_not_the_answer() {
        // 90 and above hold only the first time.
        let (found, _) =
            search(&settings(80.0), |level, before| level < 90.0 || (level < 120.0 && before == 0));
        let (low, high) = (found.low.expect("held"), found.high.expect("not held"));
        assert!(low < 90.0 && high >= 85.0 && high / low < 1.06, "{found:?}");
    }

    #[test]
    fn a_search_that_was_cut_off_goes_on_where_it_stood() {
        let (found, probes) = search(&settings(60.0), |level, _| level <= 500.0);
        for kept in 0..probes.len() {
            match next(&settings(60.0), &probes[..kept]) {
                Step::Try(level) => assert_eq!(level, probes[kept].level),
                Step::Done(early) => panic!("{early:?} after {kept}"),
            }
        }
        assert_eq!(next(&settings(60.0), &probes), Step::Done(found));
    }
}
