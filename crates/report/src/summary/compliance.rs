//! Did the generator make the load that the benchmark describes? Its walk, its think times, its visits, and the rate that follows
//! from them, held against what they should be.
//!
//! | figure | test | of |
//! |---|---|---|
//! | mix | chi-square of the shares, with the covariance that pages of a walk have | pages that ended well, measured interval |
//! | transitions | chi-square row by row | every step of every walk, whole run |
//! | think time | Kolmogorov–Smirnov for buckets | what lay between two pages, whole run |
//! | session length | the same | the drawn least length of every visit begun: none is cut off by the run's end |
//! | scaling | browsers / 14 < WIPS < browsers / 7 | measured interval, at the specification's think time |

use serde::{Deserialize, Serialize};

use crate::{
    folder::Folder,
    record::round3,
    statistics::{chi_square, kolmogorov, markov},
};

/// Chances below this do not fit.
const LEVEL: f64 = 0.001;
/// A distribution is not judged by fewer values.
const LEAST_VALUES: u64 = 8;
/// The specification's mean think time, and mean of a visit's least length, in ms.
const SPEC_THINK_MS: f64 = 7_000.0;
const SPEC_VISIT_MS: f64 = 900_000.0;
/// Rates within so many standard errors of a bound are not beyond it.
const BEYOND_CHANCE: f64 = 3.0;

/// What each test found; a part that the folder tells nothing of is missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Compliance {
    /// The interactions' shares against the mix.
    pub mix: Option<Test>,
    /// Each page's successors against the mix's table.
    pub transitions: Option<Test>,
    /// Think times against the negative exponential distribution with the mean asked for, cut off at ten means.
    pub think_time: Option<ThinkTimes>,
    /// Least lengths of visits against the negative exponential distribution with the mean asked for, cut off at four means.
    pub session_length: Option<SessionLengths>,
    /// The rate against the number of browsers; only at the specification's think time.
    pub scaling: Option<Scaling>,
}

/// One test.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Test {
    /// Its name.
    pub name: String,
    /// What it computes: chi-square, or the greatest distance between two distributions.
    pub statistic: f64,
    /// Degrees of freedom of a chi-square.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freedom: Option<u32>,
    /// How many values went into it.
    pub n: u64,
    /// The chance of a statistic at least this great if all is as it should be; unknown of too few values.
    pub p: Option<f64>,
    /// Whether they fit, at a level of 0.1 %.
    pub verdict: Agreement,
}

/// Whether a sample fits what it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// Nothing speaks against it.
    Fits,
    /// Chance does not explain the difference.
    DoesNotFit,
    /// Too few values to tell.
    #[default]
    TooFew,
}

/// Think times.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ThinkTimes {
    /// Of those that browsers really took: drawn, and woken up late.
    pub slept: Test,
    /// Of those that were drawn.
    pub drawn: Test,
    /// Mean of those really taken, from the buckets, in ms.
    pub mean_ms: f64,
    /// The mean asked for.
    pub asked_ms: f64,
    /// Drawn ones longer than any may be; one is enough not to fit.
    pub beyond_cut: u64,
    /// Whether the mean asked for is the specification's.
    pub specification: bool,
}

/// Lengths of visits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionLengths {
    /// Of the drawn least lengths of all visits begun.
    pub planned: Test,
    /// Visits that ended by themselves; the others were under way at the end of the run, or given up.
    pub ended: u64,
    /// Mean of the drawn least lengths, from the buckets, in s.
    pub mean_s: f64,
    /// The mean asked for.
    pub asked_s: f64,
    /// Drawn ones longer than any may be; one is enough not to fit.
    pub beyond_cut: u64,
    /// Whether the mean asked for is the specification's.
    pub specification: bool,
}

/// The scaling rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scaling {
    /// Browsers in every measured second.
    pub browsers: u32,
    /// Browsers / 14: fewer interactions a second mean that pages took longer than their thinking.
    pub low: f64,
    /// Browsers / 7: the rate if no page took any time.
    pub high: f64,
    /// The rate measured.
    pub wips: f64,
    /// How far a rate may be beyond a bound by mere chance, in per cent of it: three standard errors.
    pub allowance_pct: f64,
    /// Whether it lies between the bounds.
    pub within: bool,
}

impl Compliance {
    pub(super) fn of(folder: &Folder) -> Self {
        let walk = Walk::of(folder);
        Self {
            mix: mix(folder, walk.as_ref()),
            transitions: walk.as_ref().and_then(Walk::test),
            think_time: think_time(folder),
            session_length: session_length(folder),
            scaling: scaling(folder),
        }
    }

    /// Every test with its name for people.
    pub fn tests(&self) -> Vec<(&'static str, &Test)> {
        let think = self.think_time.as_ref();
        let all = [
            ("interactions' shares", self.mix.as_ref()),
            ("transitions", self.transitions.as_ref()),
            ("think times taken", think.map(|think| &think.slept)),
            ("think times drawn", think.map(|think| &think.drawn)),
            ("session lengths", self.session_length.as_ref().map(|lengths| &lengths.planned)),
        ];
        all.into_iter().filter_map(|(name, test)| Some((name, test?))).collect()
    }
}

impl Test {
    fn new(name: &str, statistic: f64, n: u64, p: f64) -> Self {
        let verdict = if p < LEVEL { Agreement::DoesNotFit } else { Agreement::Fits };
        let (name, p) = (name.to_owned(), Some((p * 1e6).round() / 1e6));
        Self { name, statistic, freedom: None, n, p, verdict }
    }

    fn chi_square(name: &str, test: markov::Test) -> Self {
        let freedom = Some(test.freedom);
        Self { freedom, ..Self::new(name, round3(test.statistic), test.values, test.p) }
    }
}

/// The steps of all walks and the chances that they should have.
struct Walk {
    chances: Vec<Vec<f64>>,
    counts: Vec<Vec<u64>>,
}

impl Walk {
    /// Nothing where the folder does not tell the chances.
    fn of(folder: &Folder) -> Option<Self> {
        let pages: Vec<&str> = folder.interactions.iter().map(|row| row.interaction.as_str()).collect();
        let place = |name: &str| pages.iter().position(|page| *page == name);
        let mut chances = vec![vec![0.0; pages.len()]; pages.len()];
        let mut counts = vec![vec![0; pages.len()]; pages.len()];
        for row in &folder.transitions {
            if let (Some(from), Some(to)) = (place(&row.from), place(&row.to)) {
                (chances[from][to], counts[from][to]) = (row.chance, row.drawn);
            }
        }
        let known = chances.iter().all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-3);
        (known && !pages.is_empty()).then_some(Self { chances: normal(chances), counts })
    }

    fn test(&self) -> Option<Test> {
        let found = markov::transitions(&self.chances, &self.counts)?;
        Some(Test::chi_square("chi-square, row by row", found))
    }
}

/// Rows that sum to 1 exactly, whatever was lost in writing them.
fn normal(mut rows: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    for row in &mut rows {
        let whole: f64 = row.iter().sum();
        row.iter_mut().for_each(|chance| *chance /= whole);
    }
    rows
}

/// With the walk's chances the test that is right for a walk; without them, as in older folders, the one for independent pages,
/// which finds differences somewhat more often than it says.
fn mix(folder: &Folder, walk: Option<&Walk>) -> Option<Test> {
    let counts: Vec<u64> = folder.interactions.iter().map(|row| row.count).collect();
    if let Some(found) = walk.and_then(|walk| markov::shares(&walk.chances, &counts)) {
        return Some(Test::chi_square("chi-square, for pages of a walk", found));
    }
    let shares: Vec<f64> = folder.interactions.iter().map(|row| row.target_share_pct).collect();
    let (statistic, freedom) = chi_square::pearson(&counts, &shares)?;
    let p = chi_square::tail(statistic, freedom);
    let found = markov::Test { statistic, freedom, values: counts.iter().sum(), p };
    Some(Test::chi_square("chi-square, for independent pages", found))
}

/// Values in buckets that should be negative exponential up to a cut.
struct Buckets<'a> {
    ends_ms: &'a [f64],
    mean_ms: f64,
    cut_ms: f64,
}

impl Buckets<'_> {
    fn test(&self, counts: &[u64]) -> Test {
        let up_to = |end: &f64| {
            if self.beyond(*end) || *end >= self.cut_ms * 0.999_999 {
                1.0
            } else {
                1.0 - (-end / self.mean_ms).exp()
            }
        };
        let chances: Vec<f64> = self.ends_ms.iter().map(up_to).collect();
        let (name, n) = ("Kolmogorov–Smirnov, for buckets", counts.iter().sum());
        match kolmogorov::grouped(counts, &chances).filter(|fit| fit.values >= LEAST_VALUES) {
            Some(fit) => Test::new(name, (fit.distance * 1e6).round() / 1e6, n, fit.p),
            None => Test { name: name.to_owned(), n, ..Test::default() },
        }
    }

    fn beyond(&self, end: f64) -> bool {
        end > self.cut_ms * 1.000_001
    }

    fn count_beyond(&self, counts: &[u64]) -> u64 {
        self.ends_ms.iter().zip(counts).filter(|(end, _)| self.beyond(**end)).map(|(_, count)| count).sum()
    }

    /// The mean if values lie at the middle of their bucket.
    fn mean(&self, counts: &[u64]) -> f64 {
        let mut from = 0.0;
        let mut sum = 0.0;
        for (end, count) in self.ends_ms.iter().zip(counts) {
            sum += f64::midpoint(from, *end) * *count as f64;
            from = *end;
        }
        round3(sum / counts.iter().sum::<u64>().max(1) as f64)
    }
}

/// A value beyond the cut cannot come from what was asked for.
fn unless_beyond(test: Test, beyond: u64) -> Test {
    if beyond == 0 { test } else { Test { p: Some(0.0), verdict: Agreement::DoesNotFit, ..test } }
}

/// Nothing where browsers do not think, or the folder does not tell what they really did.
fn think_time(folder: &Folder) -> Option<ThinkTimes> {
    let manifest = &folder.manifest;
    let ends: Vec<f64> = folder.thinks.iter().map(|row| row.le_ms).collect();
    let slept: Vec<u64> = folder.thinks.iter().map(|row| row.slept).collect();
    let drawn: Vec<u64> = folder.thinks.iter().map(|row| row.count).collect();
    if manifest.think_mean_ms <= 0.0 || manifest.think_max_ms <= 0.0 || slept.iter().sum::<u64>() == 0 {
        return None;
    }
    let buckets = Buckets { ends_ms: &ends, mean_ms: manifest.think_mean_ms, cut_ms: manifest.think_max_ms };
    let beyond_cut = buckets.count_beyond(&drawn);
    Some(ThinkTimes {
        slept: buckets.test(&slept),
        drawn: unless_beyond(buckets.test(&drawn), beyond_cut),
        mean_ms: buckets.mean(&slept),
        asked_ms: manifest.think_mean_ms,
        beyond_cut,
        specification: same(manifest.think_mean_ms, SPEC_THINK_MS),
    })
}

fn session_length(folder: &Folder) -> Option<SessionLengths> {
    let manifest = &folder.manifest;
    if manifest.visit_mean_ms <= 0.0 || folder.visits.is_empty() {
        return None;
    }
    let ends: Vec<f64> = folder.visits.iter().map(|row| row.le_ms).collect();
    let planned: Vec<u64> = folder.visits.iter().map(|row| row.planned).collect();
    let buckets = Buckets { ends_ms: &ends, mean_ms: manifest.visit_mean_ms, cut_ms: manifest.visit_max_ms };
    let beyond_cut = buckets.count_beyond(&planned);
    Some(SessionLengths {
        planned: unless_beyond(buckets.test(&planned), beyond_cut),
        ended: folder.visits.iter().map(|row| row.ended).sum(),
        mean_s: round3(buckets.mean(&planned) / 1000.0),
        asked_s: manifest.visit_mean_ms / 1000.0,
        beyond_cut,
        specification: same(manifest.visit_mean_ms, SPEC_VISIT_MS),
    })
}

fn same(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-6 * other
}

/// Only where a closed load had the same number of browsers throughout, with the specification's think time.
fn scaling(folder: &Folder) -> Option<Scaling> {
    let manifest = &folder.manifest;
    let open = manifest.workload.pointer("/load/arrivals").is_some_and(|arrivals| !arrivals.is_null());
    let browsers = folder.measured().next()?.sessions;
    let constant = folder.measured().all(|second| second.sessions == browsers);
    if open || !constant || browsers == 0 || !same(manifest.think_mean_ms, SPEC_THINK_MS) {
        return None;
    }
    let interactions: u64 = folder.measured().map(|second| second.interactions).sum();
    let wips = interactions as f64 / folder.measured().count() as f64;
    let (low, high) = (f64::from(browsers) / 14.0, f64::from(browsers) / 7.0);
    // Think times vary as much as their mean, and so does what comes in between two pages.
    let allowance = BEYOND_CHANCE / (interactions.max(1) as f64).sqrt();
    let within = wips > low * (1.0 - allowance) && wips < high * (1.0 + allowance);
    let allowance_pct = round3(100.0 * allowance);
    Some(Scaling {
        browsers,
        low: round3(low),
        high: round3(high),
        wips: round3(wips),
        allowance_pct,
        within,
    })
}

#[cfg(test)]
mod tests;
