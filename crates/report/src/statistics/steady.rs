//! Had a series settled, and where? MSER-5 (White, Cobb and Spratt: *A comparison of five steady-state truncation heuristics for
//! simulation*, Winter Simulation Conference 2000): means of five values each, and the beginning to leave out is the one that makes
//! the marginal standard error of the rest the least.
//!
//! By itself it would always leave out a little noise. A beginning is only told of when it differs from the rest by more than 5 % and by
//! more than four standard errors; and a series whose best beginning reaches its middle had not settled at all.

use super::{mean, variance};

/// The method's name.
pub const METHOD: &str = "MSER-5";
/// Values whose mean is one value of the series.
pub const BATCH: usize = 5;
/// The shortest series, in single values, that a [`Lookout`] calls steady: [`TAIL`] batches, looked at [`LOOKS`] times.
pub const SHORTEST: u32 = ((TAIL + LOOKS - 1) * BATCH) as u32;

/// The fewest batches that tell where a series of the past settled.
const LEAST: usize = 10;
/// The fewest batches that must have been steady while a series grows.
const TAIL: usize = 6;
/// Batches that are looked at in a series that grows, or its later half where that is more.
const WINDOW: usize = 24;
/// Looks in a row that must find a growing series steady, so that a lucky one does not end a warm-up.
const LOOKS: usize = 3;
/// Differences within this share of the rest are no matter.
const MATTERS: f64 = 0.05;
/// Standard errors that are beyond chance, where the place of the cut was chosen to make the difference great.
const BEYOND_CHANCE: f64 = 4.0;
/// Standard errors that are beyond chance between two halves.
const DRIFT: f64 = 2.0;

/// Where a series settles, in batches, and what it is before and after.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settling {
    /// The first batch that belongs to the rest.
    pub at: usize,
    /// Mean of the beginning.
    pub before: f64,
    /// Mean of the rest.
    pub after: f64,
}

impl Settling {
    /// Nothing when the series of batches is steady from its beginning, or too short to tell.
    pub fn of(batches: &[f64]) -> Option<Self> {
        if batches.len() < LEAST { None } else { beginning(batches) }
    }
}

/// The beginning to leave out, if it differs from the rest beyond chance.
fn beginning(batches: &[f64]) -> Option<Settling> {
    let at = truncation(batches);
    if at == 0 {
        return None;
    }
    let (begin, rest) = batches.split_at(at);
    let (before, after) = (mean(begin), mean(rest));
    let error = (variance(rest) * (1.0 / begin.len() as f64 + 1.0 / rest.len() as f64)).sqrt();
    let apart = (before - after).abs();
    (apart > MATTERS * after && apart > BEYOND_CHANCE * error).then_some(Settling { at, before, after })
}

/// How many batches at the beginning leave the rest with the least marginal standard error; half of them at most.
fn truncation(batches: &[f64]) -> usize {
    let (mut sum, mut squares) = (0.0, 0.0);
    let mut least = (f64::INFINITY, 0);
    for at in (0..batches.len()).rev() {
        sum += batches[at];
        squares += batches[at].powi(2);
        let count = (batches.len() - at) as f64;
        let error = (squares - sum * sum / count).max(0.0) / (count * count);
        // The earliest of equals, so that a series without any noise loses nothing.
        if at <= batches.len() / 2 && error <= least.0 {
            least = (error, at);
        }
    }
    least.1
}

/// Whether a series that still grows has been steady for a while.
fn settled(batches: &[f64]) -> bool {
    let begin = beginning(batches).map_or(0, |settling| settling.at);
    let rest = &batches[begin..];
    begin * 2 < batches.len().max(1) && rest.len() >= TAIL && !drifts(rest)
}

/// Whether two halves differ beyond chance, and by more than matters if it went on like this for a whole window.
fn drifts(batches: &[f64]) -> bool {
    let goes_on = (WINDOW as f64 / batches.len() as f64).max(1.0);
    let (one, other) = batches.split_at(batches.len() / 2);
    let apart = (mean(one) - mean(other)).abs();
    let error = (variance(one) / one.len() as f64 + variance(other) / other.len() as f64).sqrt();
    apart * goes_on > MATTERS * mean(other).abs() && apart > DRIFT * error
}

/// Looks at a load as it goes on, every five seconds: are throughput and 90th percentile of the latency steady?
///
/// Looked at are the last two minutes, or the later half of all seconds where that is more. Each of the two series must settle
/// there by MSER-5 before the middle, with half a minute or more after it that does not drift: its halves do not differ by more than
/// two standard errors, or not by 5 % if that went on for two minutes; and that three times in a row.
#[derive(Clone, Debug, Default)]
pub struct Lookout {
    /// Seconds of the batch that is not whole yet: interactions, and 90th percentile in ms.
    open: Vec<(u64, f64)>,
    throughput: Vec<f64>,
    p90_ms: Vec<f64>,
    /// Looks in a row that found the load steady.
    steady: usize,
}

impl Lookout {
    /// Takes in the next second.
    pub fn second(&mut self, interactions: u64, p90_ms: f64) {
        self.open.push((interactions, p90_ms));
        if self.open.len() < BATCH {
            return;
        }
        let batch = std::mem::take(&mut self.open);
        let counts: Vec<f64> = batch.iter().map(|(count, _)| *count as f64).collect();
        // A second in which nothing ended has no percentile.
        let told: Vec<f64> = batch.iter().filter(|(count, _)| *count > 0).map(|(_, p90)| *p90).collect();
        self.throughput.push(mean(&counts));
        self.p90_ms.push(mean(&told));
        let steady = self.series().iter().all(|(_, _, batches)| settled(window(batches)));
        self.steady = if steady { self.steady + 1 } else { 0 };
    }

    /// Whether the last looks found it steady.
    pub fn steady(&self) -> bool {
        self.steady >= LOOKS
    }

    /// What it looks like, for people: `throughput 48.1 then 61.3 a second`, for what had not settled at the last look.
    pub fn words(&self) -> String {
        let found = self.series().into_iter().filter_map(|(name, unit, batches)| {
            let shown = window(batches);
            if shown.len() < TAIL {
                return Some(format!("{name} seen for {} s only", shown.len() * BATCH));
            }
            if settled(shown) {
                return None;
            }
            let (one, other) = shown.split_at(shown.len() / 2);
            Some(format!("{name} {:.1} and then {:.1} {unit}", mean(one), mean(other)))
        });
        let found: Vec<String> = found.collect();
        if found.is_empty() { "steady for too short a time".to_owned() } else { found.join(", ") }
    }

    fn series(&self) -> [(&'static str, &'static str, &[f64]); 2] {
        [("throughput", "a second", &self.throughput), ("90th percentile", "ms", &self.p90_ms)]
    }
}

fn window(batches: &[f64]) -> &[f64] {
    let shown = WINDOW.max(batches.len() / 2).min(batches.len());
    &batches[batches.len() - shown..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::random::SplitMix64;

    /// The second at which a lookout calls this load steady, within so many.
    fn steady_after(seconds: u32, noise: f64, load: impl Fn(u32) -> (f64, f64)) -> Option<u32> {
        let mut random = SplitMix64::new(17);
        let mut lookout = Lookout::default();
        (0..seconds).find(|second| {
            let mut noisy = |value: f64| value * (1.0 + noise * (random.below(2001) as f64 / 1000.0 - 1.0));
            let (throughput, p90) = load(*second);
            let (throughput, p90) = (noisy(throughput), noisy(p90));
            lookout.second(throughput as u64, p90);
            lookout.steady()
        })
    }

    #[test]
    fn a_load_that_is_steady_from_its_start_is_seen_as_soon_as_that_can_be_told() {
        for noise in [0.0, 0.05, 0.2] {
            let found = steady_after(600, noise, |_| (500.0, 20.0)).expect("steady");
            assert!((SHORTEST - 1..=120).contains(&found), "noise {noise}: second {found}");
        }
        assert_eq!(steady_after(600, 0.0, |_| (500.0, 20.0)), Some(SHORTEST - 1));
    }

    #[test]
    fn a_load_that_settles_is_seen_after_it_has_and_not_before() {
        for settles in [40, 100, 300] {
            let rising = |s: u32| (200.0 + 300.0 * f64::from(s.min(settles)) / f64::from(settles), 20.0);
            let falling = |s: u32| (500.0, 100.0 - 80.0 * f64::from(s.min(settles)) / f64::from(settles));
            for noise in [0.0, 0.05] {
                for found in [steady_after(900, noise, rising), steady_after(900, noise, falling)] {
                    let found = found.expect("steady in the end");
                    assert!(
                        found >= settles,
                        "settled at {settles}, called steady at {found}, noise {noise}"
                    );
                    assert!(found <= settles * 3 / 2 + 120, "settled at {settles}, seen only at {found}");
                }
            }
        }
    }

    #[test]
    fn a_load_that_never_settles_is_never_called_steady() {
        assert_eq!(steady_after(600, 0.02, |s| (500.0, 20.0 + f64::from(s))), None);
        assert_eq!(steady_after(600, 0.02, |s| (1000.0 - 1.5 * f64::from(s), 20.0)), None);
        assert_eq!(steady_after(600, 0.0, |s| (100.0 * f64::from(1 + s / 20), 20.0)), None, "steps");
    }

    #[test]
    fn what_had_not_settled_is_told() {
        let mut lookout = Lookout::default();
        (0..20).for_each(|_| lookout.second(100, 5.0));
        assert_eq!(lookout.words(), "throughput seen for 20 s only, 90th percentile seen for 20 s only");
        (20..120).for_each(|s| lookout.second(100, f64::from(s)));
        let words = lookout.words();
        assert!(words.starts_with("90th percentile") && words.ends_with("ms"), "{words}");
    }

    #[test]
    fn the_cut_is_where_the_rest_is_least_uncertain() {
        let mut batches = vec![10.0; 30];
        assert_eq!(truncation(&batches), 0, "nothing to gain");
        batches[..7].fill(3.0);
        assert_eq!(truncation(&batches), 7);
        assert_eq!(Settling::of(&batches), Some(Settling { at: 7, before: 3.0, after: 10.0 }));
        assert_eq!(Settling::of(&batches[..9]), None, "too short to tell");
        assert_eq!(truncation(&[]), 0);
    }
}
