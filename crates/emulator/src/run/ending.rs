//! What a run leaves at its end: the tables of the whole run, and how it ended.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use report::record::{OUTCOME_FILE, Outcome, write_json};

use super::{RunError, RunOutcome, RunPlan};
use crate::load::CrowdReport;
use crate::recorder::collector::Totals;
use crate::recorder::files::Files;

/// How the browsing ended.
pub(super) struct Browsed {
    /// Stopped from outside before its time.
    pub interrupted: bool,
    /// What became of the browsers.
    pub crowds: CrowdReport,
    /// What the first failed try of each class said.
    pub first_messages: BTreeMap<String, String>,
}

/// Writes the files that are known at the end, `outcome.json` last: a folder without it was cut off.
pub(super) fn write(
    plan: &RunPlan,
    started: SystemTime,
    browsed: Browsed,
    totals: &Totals,
    files: &Files,
    ledger: &Path,
) -> Result<RunOutcome, RunError> {
    files.finish(&plan.workload, totals)?;
    let outcome = outcome(started, &browsed, totals, ledger);
    let first_messages = browsed.first_messages;
    let told = Outcome { first_messages, ..told(&outcome, browsed.crowds, totals) };
    write_json(&plan.folder.join(OUTCOME_FILE), &told)?;
    Ok(outcome)
}

fn outcome(started: SystemTime, browsed: &Browsed, totals: &Totals, ledger: &Path) -> RunOutcome {
    RunOutcome {
        started,
        ended: SystemTime::now(),
        interrupted: browsed.interrupted,
        sessions_started: browsed.crowds.started,
        sessions_ended_early: browsed.crowds.ended_early,
        reconnects: totals.whole.reconnects,
        interactions: totals.measured.served(),
        errors: totals.measured.failures(),
        stale_reads: totals.whole.stale,
        stale_after_reconnect: totals.whole.stale_across,
        ledger: ledger.to_owned(),
    }
}

fn told(outcome: &RunOutcome, crowds: CrowdReport, totals: &Totals) -> Outcome {
    Outcome {
        interrupted: outcome.interrupted,
        sessions_started: outcome.sessions_started,
        sessions_ended_early: outcome.sessions_ended_early,
        sessions_cut_off: crowds.cut_off,
        turned_away: crowds.turned_away,
        reconnects: outcome.reconnects,
        stale_reads: outcome.stale_reads,
        stale_after_reconnect: outcome.stale_after_reconnect,
        pages_given_up: totals.whole.given_up,
        tries_after_end: totals.after_end,
        warm_up: totals.warm_up.clone(),
        notes: crowds.notes,
        ..Outcome::default()
    }
}
