//! `tpcw report DIR`: plots and page again, from the files alone.

use report::RunDir;

use crate::cli::ReportArgs;
use crate::failure::{Failure, Kind, Outcome};

/// Makes summary, plots and page of a run folder again. The exit code is that of the run's verdict.
pub fn report(args: &ReportArgs) -> Outcome {
    let folder = RunDir::open(&args.dir).map_err(Failure::usage)?;
    finish(&folder, args.json, false)
}

/// Writes summary, plots and page; prints the table (or the summary as JSON); turns the verdict into an exit code.
pub fn finish(folder: &RunDir, json: bool, quiet: bool) -> Outcome {
    let (summary, _) = report::render_and_tell(folder).map_err(Failure::from_below)?;
    if json {
        let text = serde_json::to_string_pretty(&summary).map_err(Failure::from_below)?;
        crate::print(&format!("{text}\n"));
    } else if !quiet {
        crate::print(&report::text::table(&summary));
    }
    if !json {
        crate::print(&format!("report: {}\n", folder.file("report.html").display()));
    }
    verdict(&summary)
}

fn verdict(summary: &report::summary::Summary) -> Outcome {
    use report::summary::{ValidityState, Verdict};
    if summary.validity.state == ValidityState::Invalid {
        let reasons = summary.validity.invalid_reasons.join("; ");
        return Err(Failure {
            kind: Kind::NoVerdict,
            message: format!("no verdict can be given: {reasons}"),
        });
    }
    match summary.verdict {
        Verdict::Pass => Ok(()),
        Verdict::Fail => {
            let broken: Vec<&str> = summary
                .thresholds
                .iter()
                .filter(|limit| !limit.held)
                .map(|limit| limit.name.as_str())
                .collect();
            Err(Failure { kind: Kind::Verdict, message: format!("not kept: {}", broken.join(", ")) })
        }
    }
}
