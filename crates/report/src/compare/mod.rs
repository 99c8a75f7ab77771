//! Two runs, or two rows of runs, against each other: improved, unchanged, regressed, or *inconclusive*.
//!
//! Blocks of a few seconds are paired: block k of one run with block k of the other, which stand at the same place of the
//! same workload. The figure is the mean of the logarithms of their ratios; its interval comes from the bootstrap, its
//! chance from changing signs at random, corrected (Holm) for all figures that are looked at. A figure has changed when that
//! is no luck *and* the change may be as large as the smallest effect of interest; it is unchanged when the whole interval lies
//! within that effect; everything else is inconclusive, and said to be.
//!
//! Two runs made one after the other also differ by what the machine did in between, which no block of either can tell.
//! [`Options::run_noise_pct`] is the spread allowed for that; runs that were interleaved need none, and from six pairs
//! of them on the pairs themselves are the units.

mod blocks;
mod comparable;
mod judge;
mod junit;
mod markdown;
mod text;
pub mod turns;

use serde::{Deserialize, Serialize};

pub use junit::junit;
pub use markdown::markdown;
pub use text::text;

use crate::{ReportError, RunDir, folder::Folder};

/// Pairs of runs from which on the pairs are the units, and their own spread tells the noise.
pub const ENOUGH_PAIRS: usize = 6;

/// How to compare.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Length of a block in seconds.
    pub block_s: u32,
    /// The smallest effect of interest, in per cent of the baseline.
    pub smallest_effect_pct: f64,
    /// The same for the share of failed tries, in percentage points.
    pub smallest_error_points: f64,
    /// The chance of a false alarm, over all figures together.
    pub level: f64,
    /// Spread (standard deviation, in per cent) of one and the same run when it is repeated later on this machine; 0 for
    /// interleaved runs.
    pub run_noise_pct: f64,
    /// Resamplings.
    pub rounds: usize,
    /// Seed of the resamplings.
    pub seed: u64,
    /// Compare although the runs differ in something that matters; the differences are still told.
    pub force: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            block_s: 5,
            smallest_effect_pct: 5.0,
            smallest_error_points: 0.5,
            level: 0.01,
            run_noise_pct: 5.0,
            rounds: 10_000,
            seed: 1,
            force: false,
        }
    }
}

/// What has become of a figure, or of a run as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Better, and by no luck.
    Improved,
    /// The same, as far as anybody cares.
    Unchanged,
    /// Worse, and by no luck.
    Regressed,
    /// Not to be told from these runs.
    Inconclusive,
}

impl Change {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Improved => "improved",
            Self::Unchanged => "unchanged",
            Self::Regressed => "regressed",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// One figure of both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Its name: `wips`, `mean_ms`, `p90_ms`, `errors_pct`, …, `home mean_ms`.
    pub name: String,
    /// Whether the verdict on the whole needs a clear answer for it.
    pub gates: bool,
    /// The baseline's, over all its blocks.
    pub baseline: f64,
    /// The candidate's.
    pub candidate: f64,
    /// The change in per cent of the baseline (`errors_pct`: in percentage points).
    pub change: f64,
    /// From where to where the change may lie; `null` when there are too few blocks.
    pub interval: Option<(f64, f64)>,
    /// Pairs that the answer rests on.
    pub pairs: usize,
    /// The chance of such a difference by luck, corrected for the number of figures.
    pub chance: f64,
    /// The answer.
    pub verdict: Change,
}

/// The answer to `compare`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What was compared, as given.
    pub baseline: Vec<String>,
    /// With what.
    pub candidate: Vec<String>,
    /// How.
    pub options: Options,
    /// The answer for the whole.
    pub verdict: Change,
    /// Why the whole is what it is, and what to know of it.
    pub notes: Vec<String>,
    /// All figures.
    pub figures: Vec<Figure>,
}

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A folder cannot be read.
    #[error(transparent)]
    Folder(#[from] ReportError),
    /// The runs measure different things.
    #[error("the runs cannot be compared: {}", .0.join("; "))]
    Incomparable(Vec<String>),
    /// One of the runs is no measurement.
    #[error("the runs cannot be compared: {}", .0.join("; "))]
    Invalid(Vec<String>),
}

/// Compares runs: the first of `baseline` with the first of `candidate`, and so on.
///
/// # Errors
/// Folders that cannot be read, runs that differ in something that matters (unless forced), runs that are invalid.
pub fn compare(
    baseline: &[RunDir],
    candidate: &[RunDir],
    options: &Options,
) -> Result<Comparison, CompareError> {
    let read = |runs: &[RunDir]| runs.iter().map(Folder::read).collect::<Result<Vec<_>, _>>();
    let (before, after) = (read(baseline)?, read(candidate)?);
    let mut notes = comparable::differences(&before, &after);
    if !notes.is_empty() && !options.force {
        return Err(CompareError::Incomparable(notes));
    }
    let invalid = comparable::invalid(baseline, &before, candidate, &after)?;
    if !invalid.is_empty() && !options.force {
        return Err(CompareError::Invalid(invalid));
    }
    notes.extend(invalid);
    let pairs: Vec<blocks::Pair> = baseline
        .iter()
        .zip(&before)
        .zip(candidate.iter().zip(&after))
        .map(|(one, other)| blocks::Pair::read(one, other, options.block_s))
        .collect::<Result<_, _>>()?;
    let figures = judge::figures(&pairs, options);
    let verdict = judge::whole(&figures);
    if pairs.len() < ENOUGH_PAIRS && options.run_noise_pct > 0.0 {
        notes.push(format!(
            "{} allowed for what the machine does from one run to the next: {} % of spread a run",
            if pairs.len() == 1 { "one run each;" } else { "few runs;" },
            options.run_noise_pct
        ));
    }
    let names = |runs: &[RunDir]| runs.iter().map(|run| run.path().display().to_string()).collect();
    Ok(Comparison {
        baseline: names(baseline),
        candidate: names(candidate),
        options: options.clone(),
        verdict,
        notes,
        figures,
    })
}
