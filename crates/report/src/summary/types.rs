//! `summary.json` as types. Fields may be added; those here keep their names and meaning.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::compliance::Compliance;
use crate::{
    record::{Audit, Condition, InteractionRow, WarmUp},
    thresholds::ThresholdResult,
};

/// A run in figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// Version of the folder's formats.
    pub schema_version: u32,
    /// What such results may be called.
    pub label: String,
    /// The workload's name.
    pub workload: String,
    /// `browsing`, `shopping` or `ordering`.
    pub mix: String,
    /// Browsers at the peak.
    pub sessions: u32,
    /// Length of the load in seconds.
    pub load_s: u32,
    /// Length of the measurement interval in seconds.
    pub measured_s: u32,
    /// What came before the first measured second; none where the load was measured from its start, or never.
    pub warm_up: Option<WarmUp>,
    /// Interactions that ended well.
    pub interactions: u64,
    /// Tries that did not.
    pub errors: u64,
    /// How tries ended, each in exactly one way: `ok`, or the class of its failure. Their sum is `interactions` + `errors`.
    pub outcomes: BTreeMap<String, u64>,
    /// Those that failed, by class.
    pub errors_by_class: BTreeMap<String, u64>,
    /// Interactions that ended well, a second.
    pub wips: f64,
    /// Time from due to done of interactions that ended well.
    pub latency_ms: LatencyMs,
    /// Time from asking to done of the same, the last try alone: what is reported where latency counts from sending. Unknown for
    /// folders of older versions.
    pub service_ms: Option<LatencyMs>,
    /// How much later than due the generator woke browsers up.
    pub lateness_ms: Option<LatencyMs>,
    /// Interactions that were to be due in a second at the peak; of an open load.
    pub rate: Option<f64>,
    /// Visitors of an open load who found no room.
    pub turned_away: Option<u64>,
    /// The same for each interaction.
    pub by_interaction: BTreeMap<String, InteractionSummary>,
    /// Chi-square test of the interactions' shares against the mix: the chance of such shares if the mix were met; see
    /// `compliance.mix`.
    pub mix_p: Option<f64>,
    /// Whether the load was the one that the benchmark describes.
    pub compliance: Compliance,
    /// Single statements.
    pub statements: Statements,
    /// What each node answered.
    pub nodes: BTreeMap<String, NodeSummary>,
    /// Sum of the serving nodes over the measured seconds: what the run would cost.
    pub node_seconds: u64,
    /// What happened, and what it cost the browsers.
    pub events: Vec<EventSummary>,
    /// Browsers that ended before they were told; unknown for a run that was cut off.
    pub sessions_ended_early: Option<u64>,
    /// Connections made again after one was lost.
    pub reconnects: Option<u64>,
    /// Pages older than their browser knew, where a reconnection lay between: nothing is promised across connections.
    pub stale_after_reconnect: Option<u64>,
    /// Pages that their browser gave up: refused again and again, of unknown outcome, or unanswered at the end.
    pub pages_given_up: Option<u64>,
    /// What the nodes really hold; `null` when nobody looked.
    pub audit: Option<AuditSummary>,
    /// Limits, held or not.
    pub thresholds: Vec<ThresholdResult>,
    /// Whether the figures can be believed.
    pub validity: Validity,
    /// `pass` when every limit was held.
    pub verdict: Verdict,
}

/// Latencies in ms.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "percentiles say what they are")]
pub struct LatencyMs {
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// One interaction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InteractionSummary {
    /// How many ended well.
    pub count: u64,
    /// Tries that did not.
    pub errors: u64,
    /// Share of all that ended well, in per cent.
    pub share_pct: f64,
    /// The mix's share.
    pub target_share_pct: f64,
    /// Median of the time from due to done.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// The specification's limit for the 90th percentile; 0 where not known.
    pub limit_ms: f64,
    /// Whether it was kept.
    pub within_limit: bool,
}

impl From<&InteractionRow> for InteractionSummary {
    fn from(row: &InteractionRow) -> Self {
        let row = row.clone();
        Self {
            count: row.count,
            errors: row.errors,
            share_pct: crate::record::round3(row.share_pct),
            target_share_pct: row.target_share_pct,
            p50_ms: row.p50_ms,
            p90_ms: row.p90_ms,
            p99_ms: row.p99_ms,
            limit_ms: row.limit_ms,
            within_limit: row.within_limit,
        }
    }
}

/// Single statements.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Statements {
    /// Statements that only read, outside a read-write transaction.
    pub reads: u64,
    /// All others.
    pub writes: u64,
    /// Mean time of a read.
    pub read_mean_ms: f64,
    /// Mean time of a write.
    pub write_mean_ms: f64,
    /// 99th percentile of a read's time.
    pub read_p99_ms: f64,
    /// 99th percentile of a write's time.
    pub write_p99_ms: f64,
}

/// What one node answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeSummary {
    /// Reads.
    pub reads: u64,
    /// Writes and statements of transactions.
    pub writes: u64,
    /// Statements that failed because of the node.
    pub errors: u64,
    /// Seconds in service.
    pub serving_s: u32,
}

/// An event and, where the run shows it, what it cost. How each figure is found is told in the documentation of the
/// crate's module `summary::cost` and in `docs/measuring.md`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventSummary {
    /// As in `events.csv`.
    pub kind: String,
    /// When, in seconds since the start of the load.
    pub second: f64,
    /// To which node.
    pub node: String,
    /// Why.
    pub cause: String,
    /// More for people.
    pub detail: String,
    /// How long the event was followed, in s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub followed_s: Option<f64>,
    /// Throughput in the 10 s before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_wips: Option<f64>,
    /// From the event to the first failed try, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_error_ms: Option<f64>,
    /// Time in which nobody got an answer, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unavailable_ms: Option<f64>,
    /// How far throughput fell below the baseline, in per cent of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dip_pct: Option<f64>,
    /// How far it falls by mere chance: the deepest dip within the baseline itself, in per cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usual_dip_pct: Option<f64>,
    /// From the event until throughput was back at 90 % of the baseline, in ms; 0 when it never fell beyond chance, nothing
    /// when it was not back while the event was followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered_90_ms: Option<f64>,
    /// The same until throughput was back at 99 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered_99_ms: Option<f64>,
    /// Interactions fewer than the baseline promised until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interactions_lost: Option<f64>,
    /// Browsers that had to connect anew while the event was followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnects: Option<u64>,
    /// Tries that failed while the event was followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<u64>,
    /// The same by class, in whole seconds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub errors_by_class: BTreeMap<String, u64>,
    /// From a fault to the balancer's noticing it, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detected_ms: Option<f64>,
    /// From the loss of a primary to the first write that went through on the next one, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writable_ms: Option<f64>,
    /// From the request to the deed, in ms (scaling).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<f64>,
    /// Mean time of a read in the 10 s before the request, in ms (scaling).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_before_ms: Option<f64>,
    /// Mean time of a read in the 10 s after the deed, in ms (scaling).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_after_ms: Option<f64>,
}

/// The audit in counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "see the fields of the same names in `record::Audit`")]
pub struct AuditSummary {
    pub acknowledged_orders: u64,
    pub unknown_outcome: u64,
    pub unknown_applied: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub phantom: u64,
    pub stale_reads: u64,
    pub replicas_diverged: u64,
    pub conditions_failed: u64,
    /// Conditions with offending rows, informative ones included.
    pub offended: Vec<Condition>,
    pub unreachable: Vec<String>,
}

impl From<&Audit> for AuditSummary {
    fn from(audit: &Audit) -> Self {
        Self {
            acknowledged_orders: audit.acknowledged_orders,
            unknown_outcome: audit.unknown_outcome,
            unknown_applied: audit.unknown_applied,
            lost: audit.lost,
            duplicated: audit.duplicated,
            phantom: audit.phantom,
            stale_reads: audit.stale_reads,
            replicas_diverged: audit.replicas_diverged,
            conditions_failed: audit.conditions_failed,
            offended: audit.conditions.iter().filter(|c| c.offending > 0).cloned().collect(),
            unreachable: audit.unreachable.clone(),
        }
    }
}

/// Whether a run's figures can be believed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Validity {
    /// The worst that was found.
    pub state: ValidityState,
    /// What was found, the gravest first.
    pub reasons: Vec<String>,
    /// Those among them that alone make the run invalid; the others make it suspect.
    pub invalid_reasons: Vec<String>,
}

impl Validity {
    /// Each reason with what it makes of the run: `invalid` or `suspect`.
    pub fn weighed(&self) -> impl Iterator<Item = (ValidityState, &str)> {
        self.reasons.iter().map(|reason| {
            let invalid = self.invalid_reasons.contains(reason);
            (if invalid { ValidityState::Invalid } else { ValidityState::Suspect }, reason.as_str())
        })
    }
}

/// See [`Validity`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValidityState {
    /// Nothing speaks against the figures.
    #[default]
    Valid,
    /// Read the reasons first.
    Suspect,
    /// The figures tell of the generator or of chance, not of the cluster.
    Invalid,
}

impl ValidityState {
    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Suspect => "suspect",
            Self::Invalid => "invalid",
        }
    }
}

/// Whether every limit was held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every one.
    Pass,
    /// At least one was not.
    #[default]
    Fail,
}

impl Verdict {
    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
        }
    }
}
