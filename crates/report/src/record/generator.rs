//! `generator.csv`: whether the generator itself kept up, once a second.

use serde::{Deserialize, Serialize};

use super::{Row, number::rounded};

/// The generator in one second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GeneratorRow {
    /// Seconds since the start of the load.
    pub second: u32,
    /// Processor share of the busiest `browser-N` thread, 0 to 1 (1 = a whole core).
    #[serde(serialize_with = "rounded")]
    pub cpu_share: f64,
    /// How late browsers woke up after their think time, in ms: median.
    #[serde(serialize_with = "rounded")]
    pub late_p50_ms: f64,
    /// 99th percentile of the same.
    #[serde(serialize_with = "rounded")]
    pub late_p99_ms: f64,
    /// The latest.
    #[serde(serialize_with = "rounded")]
    pub late_max_ms: f64,
}

impl Row for GeneratorRow {
    const FILE: &'static str = "generator.csv";
    const COLUMNS: &'static [&'static str] =
        &["second", "cpu_share", "late_p50_ms", "late_p99_ms", "late_max_ms"];
}
