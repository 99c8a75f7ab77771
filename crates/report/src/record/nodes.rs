//! `nodes.csv`: one row a node and second.

use serde::{Deserialize, Serialize};

use super::{
    Row,
    number::{rounded, rounded_option},
};

/// One node in one second, as the balancer sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeRow {
    /// Seconds since the start of the load.
    pub second: u32,
    /// The node's name.
    pub node: String,
    /// `primary`, `replica` or `candidate`.
    pub role: String,
    /// `serving`, `standby`, `joining`, `draining`, `disabled` or `down`.
    pub state: String,
    /// Reads answered in this second.
    pub reads: u64,
    /// Writes and statements of transactions answered in this second.
    pub writes: u64,
    /// Statements that failed because of the node in this second.
    pub errors: u64,
    /// Mean time of a statement at the node, in ms; 0 when there was none.
    #[serde(serialize_with = "rounded")]
    pub mean_ms: f64,
    /// 99th percentile of the same.
    #[serde(serialize_with = "rounded")]
    pub p99_ms: f64,
    /// How far the node's data is behind the primary's, in ms; empty when unknown.
    #[serde(serialize_with = "rounded_option")]
    pub lag_ms: Option<f64>,
    /// Connections that the balancer holds to it.
    pub connections: u32,
}

impl Row for NodeRow {
    const FILE: &'static str = "nodes.csv";
    const COLUMNS: &'static [&'static str] = &[
        "second",
        "node",
        "role",
        "state",
        "reads",
        "writes",
        "errors",
        "mean_ms",
        "p99_ms",
        "lag_ms",
        "connections",
    ];
}
