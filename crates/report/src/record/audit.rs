//! `audit.json`: what the nodes really hold, set against what browsers were told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// File name of the audit.
pub const AUDIT_FILE: &str = "audit.json";

/// The audit after a run. Every node is read directly, none through the balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Audit {
    /// Orders whose commit was acknowledged to a browser.
    pub acknowledged_orders: u64,
    /// Orders whose outcome no browser can know: the connection ended after COMMIT had gone out.
    pub unknown_outcome: u64,
    /// Of these, the ones that are in the data: both are right.
    pub unknown_applied: u64,
    /// Acknowledged orders that are missing, or differ from what was told, on at least one node.
    pub lost: u64,
    /// Orders that are there more than once.
    pub duplicated: u64,
    /// New orders in the data that no browser ever sent.
    pub phantom: u64,
    /// Times a browser was shown something older than what it had seen or written before.
    pub stale_reads: u64,
    /// Nodes whose tables differ from the primary's.
    pub replicas_diverged: u64,
    /// Conditions with offending rows, informative ones left out.
    pub conditions_failed: u64,
    /// What each node was found to hold, by its name.
    pub nodes: BTreeMap<String, NodeAudit>,
    /// Every condition with its count of offending rows.
    pub conditions: Vec<Condition>,
    /// Nodes that could not be read although they should have been.
    pub unreachable: Vec<String>,
    /// More for people: what was waited for, what was left out and why.
    pub notes: Vec<String>,
}

/// One node's part of the audit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeAudit {
    /// Orders of this run found.
    pub orders: u64,
    /// Acknowledged orders missing or different here.
    pub lost: u64,
    /// Orders here more than once.
    pub duplicated: u64,
    /// Orders here that nobody sent.
    pub phantom: u64,
    /// Tables that differ from the primary's.
    pub diverged_tables: Vec<String>,
}

/// A condition that the data must meet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// Its name: `stock_moves_by_sales`.
    pub name: String,
    /// Rows that break it.
    pub offending: u64,
    /// Whether it is only told, and fails nothing.
    pub informative: bool,
}
