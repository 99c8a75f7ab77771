//! Many runs of one workload, oldest first: where their level changed.

use serde::{Deserialize, Serialize};

use crate::{
    ReportError, RunDir,
    record::{Manifest, read_json, round3},
    statistics::change_points,
    summary::{self, Summary, ValidityState},
};

/// A change point is no luck below this chance.
pub const LEVEL: f64 = 0.01;
/// Fewer valid runs have no history.
pub const LEAST_RUNS: usize = 6;
/// The seed of the shuffles.
const SEED: u64 = 1;

/// One run of a history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its folder.
    pub folder: String,
    /// When it began, RFC 3339 in UTC.
    pub started: String,
    /// The program that ran it.
    pub version: String,
    /// Interactions a second.
    pub wips: f64,
    /// Latency of all interactions in ms.
    pub mean_ms: f64,
    /// 90th percentile of the same.
    pub p90_ms: f64,
}

/// A change of level of one figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// `wips`, `mean_ms` or `p90_ms`.
    pub figure: String,
    /// The first run of the new level, by its place in [`History::runs`].
    pub at: usize,
    /// Mean of the level before.
    pub before: f64,
    /// Mean of the level from here on.
    pub after: f64,
    /// In per cent.
    pub change_pct: f64,
    /// Whether it got worse.
    pub worse: bool,
    /// The chance of such a cut in a series that only wavers.
    pub chance: f64,
}

/// The history of a folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Valid runs, oldest first.
    pub runs: Vec<Entry>,
    /// Where their level changed.
    pub changes: Vec<Change>,
    /// Runs that were left out, and why.
    pub left_out: Vec<String>,
}

/// Reads the history of runs; those of another workload than the newest one's, invalid ones and broken folders are left out.
pub fn history(runs: &[RunDir]) -> History {
    let mut found = History::default();
    let mut read: Vec<(Manifest, Summary, &RunDir)> = Vec::new();
    for run in runs {
        match read_one(run) {
            Ok((manifest, summary)) => read.push((manifest, summary, run)),
            Err(error) => found.left_out.push(error.to_string()),
        }
    }
    read.sort_by(|(a, ..), (b, ..)| a.started.cmp(&b.started));
    let kind = read.last().map(|(manifest, ..)| kind_of(manifest));
    for (manifest, summary, run) in read {
        let name = run.path().display().to_string();
        if Some(kind_of(&manifest)) != kind {
            found
                .left_out
                .push(format!("{name}: another workload, mix, load or machine than the newest run's"));
        } else if summary.validity.state == ValidityState::Invalid {
            found.left_out.push(format!("{name}: invalid: {}", summary.validity.invalid_reasons.join(", ")));
        } else {
            found.runs.push(Entry {
                folder: name,
                started: manifest.started,
                version: manifest.versions.tpcw,
                wips: summary.wips,
                mean_ms: summary.latency_ms.mean,
                p90_ms: summary.latency_ms.p90,
            });
        }
    }
    if found.runs.len() >= LEAST_RUNS {
        let series = |of: fn(&Entry) -> f64| -> Vec<f64> { found.runs.iter().map(of).collect() };
        let mut all = changes("wips", &series(|run| run.wips), true);
        all.extend(changes("mean_ms", &series(|run| run.mean_ms), false));
        all.extend(changes("p90_ms", &series(|run| run.p90_ms), false));
        found.changes = all;
    }
    found
}

fn changes(figure: &str, series: &[f64], more_is_better: bool) -> Vec<Change> {
    let points = change_points::find(series, LEVEL, SEED);
    let change = points.into_iter().map(|point| Change {
        figure: figure.to_owned(),
        at: point.at,
        before: round3(point.before),
        after: round3(point.after),
        change_pct: round3(100.0 * (point.after / point.before - 1.0)),
        worse: (point.after < point.before) == more_is_better,
        chance: point.chance,
    });
    change.collect()
}

fn read_one(run: &RunDir) -> Result<(Manifest, Summary), ReportError> {
    let manifest = Manifest::read(run.path())?;
    let manifest = manifest.ok_or_else(|| ReportError::NoRun(run.path().to_owned()))?;
    let kept: Option<Summary> = read_json(&run.file(summary::SUMMARY_FILE))?;
    let summary = kept.map_or_else(|| summary::summarize(run), Ok)?;
    Ok((manifest, summary))
}

/// What runs must have in common to be of one history.
fn kind_of(manifest: &Manifest) -> (String, String, u32, String, String, u32) {
    (
        manifest.workload_name.clone(),
        manifest.mix.clone(),
        manifest.sessions,
        manifest.think_mean_ms.to_string(),
        manifest.machine.processor.clone(),
        manifest.machine.cores,
    )
}
