//! `errors.csv`: tries that failed, by second, interaction and class. Only what happened has a row.

use serde::{Deserialize, Serialize};

use super::Row;

/// How often one interaction failed in one way in one second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorRow {
    /// Seconds since the start of the load.
    pub second: u32,
    /// The interaction: `buy_confirm`.
    pub interaction: String,
    /// What went wrong: `lost`, `timed_out`, `deadlock`, `unknown_commit`, …
    pub class: String,
    /// How many tries ended so.
    pub count: u64,
}

impl Row for ErrorRow {
    const FILE: &'static str = "errors.csv";
    const COLUMNS: &'static [&'static str] = &["second", "interaction", "class", "count"];
}
