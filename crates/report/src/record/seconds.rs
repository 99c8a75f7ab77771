//! `seconds.csv`: one row a second of load.

use serde::{Deserialize, Serialize};

/// One second of the run, as seen by the emulator.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SecondRow {
    /// Seconds since the start of the load; the row covers `[second, second + 1)`.
    pub second: u32,
    /// `warmup`, `measure` or `drain`, or a phase's own name from the workload.
    pub phase: String,
    /// Browsers running at the end of the second.
    pub sessions: u32,
    /// Interactions that ended well.
    pub interactions: u64,
    /// Interactions (tries of them) that did not.
    pub errors: u64,
    /// Interactions that ended well, a second.
    pub wips: f64,
    /// Median time from due to done of interactions that ended well, in ms.
    pub p50_ms: f64,
    /// 90th percentile of the same.
    pub p90_ms: f64,
    /// 99th percentile of the same.
    pub p99_ms: f64,
    /// The longest of the same.
    pub max_ms: f64,
    /// Statements that only read, sent outside a read-write transaction.
    pub reads: u64,
    /// All other statements.
    pub writes: u64,
    /// Mean time of a read, in ms.
    pub read_mean_ms: f64,
    /// Mean time of a write, in ms.
    pub write_mean_ms: f64,
    /// Nodes in service at the end of the second, primary included; 0 when the target tells nothing of its nodes.
    pub serving_nodes: u32,
}
