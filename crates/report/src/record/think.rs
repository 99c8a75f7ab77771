//! `think_times.csv`: the think times that the browsers drew and took, as histograms.

use serde::{Deserialize, Serialize};

use super::{Row, number::rounded};

/// One bucket; rows rise by `le_ms`, and a bucket begins where the one before ends (the first at 0). A bucket beyond the longest
/// think time that can be drawn is there only if something lies in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ThinkRow {
    /// Upper end of the bucket in ms, included.
    #[serde(serialize_with = "rounded")]
    pub le_ms: f64,
    /// Drawn think times in it.
    pub count: u64,
    /// Think times in it as they really were, from the end of a page to asking for the next: drawn, and late.
    pub slept: u64,
}

impl Row for ThinkRow {
    const FILE: &'static str = "think_times.csv";
    const COLUMNS: &'static [&'static str] = &["le_ms", "count", "slept"];
}
