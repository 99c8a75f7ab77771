//! `tpcw compare BASELINE CANDIDATE` and `tpcw history DIR`: verdicts from files alone.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use report::RunDir;
use report::compare::{Change, CompareError, Comparison, Options};
use report::history::{History, LEAST_RUNS};

use crate::cli::{CompareArgs, FormatArg, HistoryArgs};
use crate::failure::{Failure, Kind, Outcome};

/// Compares runs; the exit code tells a regression (1) and an answer that cannot be given (4).
pub fn compare(args: &CompareArgs) -> Outcome {
    let options = options(args)?;
    let (baseline, candidate) = (runs(&args.baseline)?, runs(&args.candidate)?);
    let found = report::compare::compare(&baseline, &candidate, &options).map_err(|error| match error {
        CompareError::Folder(error) => Failure::from_below(error),
        CompareError::Incomparable(_) => {
            Failure::usage(format!("{error}; --force compares them all the same"))
        }
        CompareError::Invalid(_) => Failure { kind: Kind::NoVerdict, message: error.to_string() },
    })?;
    let text = written(&found, args.format)?;
    match &args.out {
        Some(path) => {
            std::fs::write(path, &text).map_err(|error| {
                Failure::surroundings(format!("cannot write {}: {error}", path.display()))
            })?;
            crate::print(&report::compare::text(&found));
        }
        None => crate::print(&text),
    }
    match found.verdict {
        Change::Improved | Change::Unchanged => Ok(()),
        Change::Regressed => Err(Failure { kind: Kind::Verdict, message: String::new() }),
        Change::Inconclusive => Err(Failure { kind: Kind::NoVerdict, message: String::new() }),
    }
}

fn written(found: &Comparison, format: FormatArg) -> Outcome<String> {
    match format {
        FormatArg::Text => Ok(report::compare::text(found)),
        FormatArg::Markdown => Ok(report::compare::markdown(found)),
        FormatArg::Json => {
            serde_json::to_string_pretty(found).map(|text| text + "\n").map_err(Failure::from_below)
        }
        FormatArg::Junit => report::compare::junit(found).map_err(Failure::surroundings),
    }
}

fn options(args: &CompareArgs) -> Outcome<Options> {
    let defaults = Options::default();
    let within = |name: &str, value: f64, low: f64, high: f64| {
        if (low..=high).contains(&value) {
            return Ok(value);
        }
        Err(Failure::usage(format!("--{name} {value}: {low} to {high} is allowed")))
    };
    let noise = if args.interleaved { 0.0 } else { args.run_noise };
    Ok(Options {
        block_s: within("block", f64::from(args.block), 1.0, 3600.0)? as u32,
        smallest_effect_pct: within("smallest-effect", args.smallest_effect, 0.1, 100.0)?,
        level: within("level", args.level, 0.0001, 0.2)?,
        run_noise_pct: within("run-noise", noise, 0.0, 100.0)?,
        force: args.force,
        ..defaults
    })
}

/// The run in a folder, or the runs in its folders in the order of their names.
fn runs(path: &Path) -> Outcome<Vec<RunDir>> {
    if let Ok(run) = RunDir::open(path) {
        return Ok(vec![run]);
    }
    let found = runs_inside(path);
    if found.is_empty() {
        let message = format!("{} is neither a run folder nor a folder of run folders", path.display());
        return Err(Failure::usage(message));
    }
    Ok(found)
}

fn runs_inside(path: &Path) -> Vec<RunDir> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    // `latest` is a link to one of the others.
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir() && !path.is_symlink()).collect();
    folders.sort();
    folders.iter().filter_map(|folder| RunDir::open(folder).ok()).collect()
}

/// Tells where the level of many runs changed.
pub fn history(args: &HistoryArgs) -> Outcome {
    let runs = runs_inside(&args.dir);
    if runs.is_empty() {
        return Err(Failure::usage(format!("{} holds no run folders", args.dir.display())));
    }
    let found = report::history::history(&runs);
    if args.json {
        let text = serde_json::to_string_pretty(&found).map_err(Failure::from_below)?;
        crate::print(&format!("{text}\n"));
    } else {
        crate::print(&table(&found));
    }
    if found.runs.len() < LEAST_RUNS {
        let message = format!("{} valid runs; {LEAST_RUNS} are the least for a history", found.runs.len());
        return Err(Failure { kind: Kind::NoVerdict, message });
    }
    Ok(())
}

fn table(found: &History) -> String {
    let mut text =
        format!("{:<4}{:<26}{:>10}{:>10}{:>10}  version\n", "", "started", "wips", "mean ms", "p90 ms");
    for (at, run) in found.runs.iter().enumerate() {
        for change in found.changes.iter().filter(|change| change.at == at) {
            let _ = writeln!(
                text,
                "    ── {} {} from {:.1} to {:.1} ({:+.1} %)",
                change.figure,
                if change.worse { "worse:" } else { "better:" },
                change.before,
                change.after,
                change.change_pct
            );
        }
        let _ = writeln!(
            text,
            "{at:<4}{:<26}{:>10.1}{:>10.1}{:>10.1}  {}",
            run.started, run.wips, run.mean_ms, run.p90_ms, run.version
        );
    }
    for line in &found.left_out {
        let _ = writeln!(text, "left out: {line}");
    }
    let _ = writeln!(text, "{} runs, {} changes of level", found.runs.len(), found.changes.len());
    text
}
