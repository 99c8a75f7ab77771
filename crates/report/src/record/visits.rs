//! `visits.csv`: how long the visits of a closed load were to last at least, and did, as histograms.

use serde::{Deserialize, Serialize};

use super::{Row, number::rounded};

/// One bucket; rows rise by `le_ms`, and a bucket begins where the one before ends (the first at 0). A bucket beyond the longest
/// length that can be drawn is there only if something lies in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VisitRow {
    /// Upper end of the bucket in ms, included.
    #[serde(serialize_with = "rounded")]
    pub le_ms: f64,
    /// Visits begun whose drawn least length lies in it, those among them that the end of the run cut off.
    pub planned: u64,
    /// Those of them that ended by themselves, by their drawn least length.
    pub ended: u64,
    /// The same by the length that they really had: until the walk led home again.
    pub lasted: u64,
}

impl Row for VisitRow {
    const FILE: &'static str = "visits.csv";
    const COLUMNS: &'static [&'static str] = &["le_ms", "planned", "ended", "lasted"];
}
