//! `seconds.csv`: one row a second of load.

use serde::{Deserialize, Serialize};

use super::{Row, number::rounded};

/// One second of the run, as seen by the emulator.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecondRow {
    /// Seconds since the start of the load; the row covers `[second, second + 1)`.
    pub second: u32,
    /// The phase's own name from the workload.
    pub phase: String,
    /// Browsers running at the end of the second.
    pub sessions: u32,
    /// Interactions that ended well.
    pub interactions: u64,
    /// Interactions (tries of them) that did not.
    pub errors: u64,
    /// Interactions that ended well, a second.
    #[serde(serialize_with = "rounded")]
    pub wips: f64,
    /// Median time from due to done of interactions that ended well, in ms.
    #[serde(serialize_with = "rounded")]
    pub p50_ms: f64,
    /// 90th percentile of the same.
    #[serde(serialize_with = "rounded")]
    pub p90_ms: f64,
    /// 99th percentile of the same.
    #[serde(serialize_with = "rounded")]
    pub p99_ms: f64,
    /// The longest of the same.
    #[serde(serialize_with = "rounded")]
    pub max_ms: f64,
    /// Statements that only read, sent outside a read-write transaction.
    pub reads: u64,
    /// All other statements.
    pub writes: u64,
    /// Mean time of a read, in ms.
    #[serde(serialize_with = "rounded")]
    pub read_mean_ms: f64,
    /// Mean time of a write, in ms.
    #[serde(serialize_with = "rounded")]
    pub write_mean_ms: f64,
    /// Nodes in service at the end of the second, primary included; 0 when the target tells nothing of its nodes.
    pub serving_nodes: u32,
    /// Whether the second belongs to the measurement interval: its phase is one that measures.
    pub measured: bool,
}

impl Row for SecondRow {
    const FILE: &'static str = "seconds.csv";
    const COLUMNS: &'static [&'static str] = &[
        "second",
        "phase",
        "sessions",
        "interactions",
        "errors",
        "wips",
        "p50_ms",
        "p90_ms",
        "p99_ms",
        "max_ms",
        "reads",
        "writes",
        "read_mean_ms",
        "write_mean_ms",
        "serving_nodes",
        "measured",
    ];
}
