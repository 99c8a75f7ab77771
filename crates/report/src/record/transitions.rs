//! `transitions.csv`: how often each page followed each other, so that the mix can be verified.

use serde::{Deserialize, Serialize};

use super::Row;

/// One cell of the table; cells of 0 may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TransitionRow {
    /// The page shown; `start` for the first page of a visit.
    pub from: String,
    /// The page that followed.
    pub to: String,
    /// How often, within a visit; pages that ended well.
    pub count: u64,
    /// How often the walk led from one to the other, whatever became of the page, and where that ended a visit too.
    pub drawn: u64,
    /// The chance of it in the mix's table.
    pub chance: f64,
}

impl Row for TransitionRow {
    const FILE: &'static str = "transitions.csv";
    const COLUMNS: &'static [&'static str] = &["from", "to", "count", "drawn", "chance"];
}
