//! `outcome.json`: how the run ended, as the generator saw it. A folder without it belongs to a run that was cut off.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// File name of the outcome.
pub const OUTCOME_FILE: &str = "outcome.json";

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// Whether it was stopped from outside before its time.
    pub interrupted: bool,
    /// Browsers started.
    pub sessions_started: u64,
    /// Browsers that ended before they were told to.
    pub sessions_ended_early: u64,
    /// Browsers that were still in a page when the patience after the load was over.
    pub sessions_cut_off: u64,
    /// Visitors of an open load who found as many others in the shop as there may be, and left: their pages were due and never
    /// asked for.
    pub turned_away: u64,
    /// Connections made again after one was lost.
    pub reconnects: u64,
    /// Pages older than what their browser had seen or written before on the same connection; 0 is what is promised.
    pub stale_reads: u64,
    /// The same, where a reconnection lay between: nothing is promised across connections.
    pub stale_after_reconnect: u64,
    /// Pages that their browser gave up: refused again and again, of unknown outcome, or unanswered at the end.
    pub pages_given_up: u64,
    /// Tries of pages that ended after the load's last second, well or not; they are in no table.
    pub tries_after_end: u64,
    /// What the first failed try of each class said, by class. Unknown (empty) in folders of older versions.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub first_messages: BTreeMap<String, String>,
    /// How a warm-up that ends by itself ended; none where its length was told, or it did not end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<WarmUp>,
    /// Why the run could not be recorded to its end; none when it could.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// More for people.
    pub notes: Vec<String>,
}

/// How the warm-up ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WarmUp {
    /// Its length.
    pub seconds: u32,
    /// It was not to be shorter.
    #[serde(skip_serializing_if = "is_zero")]
    pub least_seconds: u32,
    /// It was not to be longer.
    #[serde(skip_serializing_if = "is_zero")]
    pub most_seconds: u32,
    /// Whether the load had become steady; `null` where the length was told and nobody looked.
    pub steady: Option<bool>,
    /// How that was found: `MSER-5`, or `told`.
    pub method: String,
    /// What had not settled, in words; empty when all had.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

fn is_zero(seconds: &u32) -> bool {
    *seconds == 0
}
