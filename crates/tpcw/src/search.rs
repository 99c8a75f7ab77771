//! The greatest load that keeps every limit: bracket, bisect, confirm.
//!
//! A level that fails is tried again, for a machine that others use too fails now and then for no reason of the shop's: it is out when
//! it has failed twice before it held twice. One level that is out by bad luck would keep the search below it for good.
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
    /// Trials of both ends of the answer beyond their first, all with the same outcome.
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

/// The answer: the greatest load that keeps every limit lies between these two.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The greatest level that held, each time or all times but one; `null` when not even the least did.
    pub low: Option<f64>,
    /// The least level above it that failed each time; `null` when the greatest allowed held. Levels between them held at one time and
    /// failed at another.
    pub high: Option<f64>,
}

/// The next step after these trials.
pub fn next(settings: &Settings, probes: &[Probe]) -> Step {
    if let Some(open) = probes.iter().find(|probe| standing(probe.level, probes) == Standing::Open) {
        return Step::Try(open.level);
    }
    let found = bounds(probes);
    match (found.low, found.high) {
        (None, None) => Step::Try(settings.round(settings.from)),
        (None, Some(high)) if high <= settings.least => Step::Done(found),
        (None, Some(high)) => Step::Try(settings.round(high / 2.0).max(settings.least)),
        (Some(low), None) if low < settings.most => Step::Try(settings.round(low * 2.0).min(settings.most)),
        (Some(_), None) => settings.confirm(found, probes),
        (Some(low), Some(high)) => {
            // Between equal ratios: a step of ten matters more at fifty than at five thousand.
            let middle = settings.round((low * high).sqrt());
            let narrow = high / low - 1.0 <= settings.precision_pct / 100.0;
            if narrow || middle <= low || middle >= high {
                settings.confirm(found, probes)
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

    /// Whether both ends of the bracket were tried often enough: a level that holds at one time and fails at another is where the limit
    /// lies, so it lies inside the answer and not at its end. The next search might call it the other way.
    fn confirm(&self, bracket: Found, probes: &[Probe]) -> Step {
        let enough = 1 + self.confirmations as usize;
        // A hiccup of the machine fails a level by luck; twice as many trials that hold make up for one. Nothing holds by luck.
        if let Some(low) = bracket.low {
            let (held, failed) = trials(low, probes);
            if held < enough * (1 + failed) {
                return Step::Try(low);
            }
        }
        let levels = || probes.iter().map(|probe| probe.level);
        let above = levels().filter(|level| bracket.low.is_none_or(|low| *level > low));
        let never_held = above.filter(|level| trials(*level, probes).0 == 0).reduce(f64::min);
        let top = levels().fold(self.least, f64::max);
        match (never_held, bracket.high) {
            (Some(high), _) if trials(high, probes).1 < enough => Step::Try(high),
            // Every level that failed has held, too: one that never does lies further up.
            (None, Some(_)) if top < self.most => Step::Try(self.round(top * 2.0).min(self.most)),
            _ => Step::Done(Found { high: never_held.or(bracket.high), ..bracket }),
        }
    }
}

/// How often a level held, and how often it failed.
fn trials(level: f64, probes: &[Probe]) -> (usize, usize) {
    let of_level = probes.iter().filter(|probe| probe.level == level);
    of_level.fold(
        (0, 0),
        |(held, failed), probe| if probe.held { (held + 1, failed) } else { (held, failed + 1) },
    )
}

/// The trials of each level between two, which held at one time and failed at another: level, held, tried.
pub fn between(found: Found, probes: &[Probe]) -> Vec<(f64, usize, usize)> {
    let (Some(low), Some(high)) = (found.low, found.high) else { return Vec::new() };
    let mut levels: Vec<f64> = probes.iter().map(|probe| probe.level).collect();
    levels.retain(|level| *level > low && *level < high);
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    let told = |level| {
        let (held, failed) = trials(level, probes);
        (level, held, held + failed)
    };
    levels.into_iter().map(told).collect()
}

/// What the trials of a level say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It keeps the limits.
    In,
    /// It does not.
    Out,
    /// It failed once; another trial tells whether that was luck.
    Open,
}

fn standing(level: f64, probes: &[Probe]) -> Standing {
    match trials(level, probes) {
        (_, 2..) => Standing::Out,
        (0..2, 1) => Standing::Open,
        _ => Standing::In,
    }
}

/// The least level that is out, and the greatest below it that is in.
pub fn bounds(probes: &[Probe]) -> Found {
    let levels =
        |of: Standing| probes.iter().map(|p| p.level).filter(move |level| standing(*level, probes) == of);
    let high = levels(Standing::Out).reduce(f64::min);
    let low = levels(Standing::In).filter(|level| high.is_none_or(|high| *level < high)).reduce(f64::max);
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
                for end in [low, high] {
                    assert!(probes.iter().filter(|probe| probe.level == end).count() >= 3, "{end} confirmed");
                }
                assert!(probes.len() <= 40, "{} trials", probes.len());
            }
        }
    }

    #[test]
    fn the_ends_of_what_is_allowed_are_answers_too() {
        let (found, _) = search(&settings(60.0), |_, _| true);
        assert_eq!(found, Found { low: Some(10_000.0), high: None });
        let (found, probes) = search(&settings(60.0), |_, _| false);
        assert_eq!(found, Found { low: None, high: Some(1.0) });
        assert!(probes.len() < 16, "{} trials", probes.len());
    }

    #[test]
    fn a_level_that_holds_at_one_time_and_fails_at_another_lies_inside_the_answer() {
        // From 331 to 360 a coin decides.
        let coin = std::cell::Cell::new(false);
        let (found, probes) = search(&settings(320.0), |level, _| {
            coin.set(!coin.get());
            level <= 330.0 || (level <= 360.0 && coin.get())
        });
        let (low, high) = (found.low.expect("held"), found.high.expect("not held"));
        assert!(low <= 360.0 && high > 360.0 && high < 400.0, "{found:?} after {probes:?}");
        for (level, held, tried) in between(found, &probes) {
            assert!(
                (331.0..=360.0).contains(&level) && held > 0 && held < tried,
                "{level}: {held} of {tried}"
            );
        }
    }

    #[test]
    fn the_answer_ends_at_a_level_that_never_held_and_the_search_ends_in_any_case() {
        // From 90 to 1,000 each level holds when it is tried for the second time, and later, or not.
        for later in [false, true] {
            let rule = |level: f64, before: usize| {
                level < 90.0 || (level < 1_000.0 && (before == 1 || (later && before > 2)))
            };
            let (found, probes) = search(&settings(80.0), rule);
            let (low, high) = (found.low.expect("held"), found.high.expect("not held"));
            assert!(low < 90.0 && high >= 1_000.0, "{found:?} after {probes:?}");
        }
        let most = Settings { most: 500.0, ..settings(80.0) };
        let (found, _) = search(&most, |level, before| level < 90.0 || before == 1 || before > 2);
        assert!(found.low.is_some_and(|low| low < 90.0) && found.high.is_some(), "{found:?}");
    }

    #[test]
    fn one_failure_by_bad_luck_moves_nothing() {
        let (truth, settings) = (500.0, settings(60.0));
        let (quiet, probes) = search(&settings, |level, _| level <= truth);
        for unlucky in 0..probes.len() {
            let tried = std::cell::Cell::new(0);
            let (found, _) = search(&settings, |level, _| {
                let now = tried.replace(tried.get() + 1);
                level <= truth && now != unlucky
            });
            assert_eq!(found, quiet, "trial {unlucky} failed");
        }
    }

    #[test]
    fn a_level_that_held_by_luck_is_not_the_answer() {
        // 90 and above hold only the first time.
        let (found, _) =
            search(&settings(80.0), |level, before| level < 90.0 || (level < 120.0 && before == 0));
        let (low, high) = (found.low.expect("held"), found.high.expect("not held"));
        assert!(low < 90.0 && (120.0..=160.0).contains(&high), "{found:?}");
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
