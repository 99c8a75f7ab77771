//! Folder → [`Summary`]: the figures of a run, from its files alone.
//!
//! Everything but the events is counted in the measurement interval only: the seconds whose row says `measured`.

mod compliance;
mod cost;
mod series;
mod types;
mod validity;

use std::collections::BTreeMap;

pub use compliance::{Agreement, Compliance, Scaling, SessionLengths, Test, ThinkTimes};
use hdrhistogram::Histogram;
pub use types::{
    AuditSummary, EventSummary, InteractionSummary, LatencyMs, NodeSummary, Statements, Summary, Validity,
    ValidityState, Verdict,
};

use crate::{
    ReportError, RunDir,
    folder::{Folder, ms, percent},
    record::{MANIFEST_FILE, SCHEMA_VERSION, SecondRow, WarmUp, round3, write_json},
    thresholds::Thresholds,
};

/// File name of the summary.
pub const SUMMARY_FILE: &str = "summary.json";

/// Computes the figures of a run from its folder.
///
/// # Errors
/// Names the file that cannot be read or does not fit.
pub fn summarize(run: &RunDir) -> Result<Summary, ReportError> {
    of_folder(&Folder::read(run)?, run)
}

/// Writes `summary.json`.
pub fn write(run: &RunDir, summary: &Summary) -> Result<(), ReportError> {
    write_json(&run.file(SUMMARY_FILE), summary)
}

pub(crate) fn of_folder(folder: &Folder, run: &RunDir) -> Result<Summary, ReportError> {
    let thresholds = thresholds_of(folder, run)?;
    let mut summary = figures(folder);
    summary.thresholds = thresholds.evaluate(&summary);
    summary.validity = validity::judge(folder);
    let held = summary.thresholds.iter().all(|t| t.held);
    summary.verdict = if held { Verdict::Pass } else { Verdict::Fail };
    Ok(summary)
}

/// The `[thresholds]` of the workload in the manifest; none are none.
fn thresholds_of(folder: &Folder, run: &RunDir) -> Result<Thresholds, ReportError> {
    match folder.manifest.workload.get("thresholds") {
        None | Some(serde_json::Value::Null) => Ok(Thresholds::default()),
        Some(value) => serde_json::from_value(value.clone()).map_err(|e| ReportError::Format {
            path: run.file(MANIFEST_FILE),
            message: format!("workload.thresholds: {e}"),
        }),
    }
}

fn figures(folder: &Folder) -> Summary {
    let measured: Vec<&SecondRow> = folder.measured().collect();
    let measured_s = measured.len() as u32;
    let interactions = measured.iter().map(|s| s.interactions).sum();
    let errors_by_class = errors_by_class(folder, &measured);
    let compliance = Compliance::of(folder);
    let mut outcomes = errors_by_class.clone();
    outcomes.insert("ok".to_owned(), interactions);
    Summary {
        schema_version: SCHEMA_VERSION,
        label: folder.manifest.label.clone(),
        workload: folder.manifest.workload_name.clone(),
        mix: folder.manifest.mix.clone(),
        sessions: sessions(folder),
        load_s: folder.load_seconds(),
        measured_s,
        warm_up: warm_up(folder),
        interactions,
        errors: measured.iter().map(|s| s.errors).sum(),
        outcomes,
        errors_by_class,
        wips: round3(interactions as f64 / f64::from(measured_s.max(1))),
        latency_ms: latency(&folder.latencies.all),
        service_ms: known(&folder.latencies.service),
        lateness_ms: known(&folder.latencies.late),
        rate: folder.manifest.workload.pointer("/load/arrivals/rate").and_then(serde_json::Value::as_f64),
        turned_away: folder.outcome.as_ref().map(|o| o.turned_away),
        by_interaction: folder.interactions.iter().map(|row| (row.interaction.clone(), row.into())).collect(),
        mix_p: compliance.mix.as_ref().and_then(|test| test.p),
        compliance,
        statements: statements(folder, &measured),
        nodes: nodes(folder, &measured),
        node_seconds: node_seconds(&measured),
        events: cost::of_events(folder),
        sessions_ended_early: folder.outcome.as_ref().map(|o| o.sessions_ended_early),
        reconnects: folder.outcome.as_ref().map(|o| o.reconnects),
        stale_after_reconnect: folder.outcome.as_ref().map(|o| o.stale_after_reconnect),
        pages_given_up: folder.outcome.as_ref().map(|o| o.pages_given_up),
        audit: folder.audit.as_ref().map(AuditSummary::from),
        thresholds: Vec::new(),
        validity: Validity::default(),
        verdict: Verdict::Fail,
    }
}

/// The peak as asked for, or as seen where the manifest does not tell.
fn sessions(folder: &Folder) -> u32 {
    match folder.manifest.sessions {
        0 => folder.seconds.iter().map(|s| s.sessions).max().unwrap_or(0),
        asked => asked,
    }
}

/// As the run tells it, or the seconds before the first measured one.
fn warm_up(folder: &Folder) -> Option<WarmUp> {
    let told = folder.outcome.as_ref().and_then(|outcome| outcome.warm_up.clone());
    told.or_else(|| {
        let seconds = folder.measured().next().map(|first| first.second).filter(|second| *second > 0)?;
        Some(WarmUp { seconds, method: "told".to_owned(), ..WarmUp::default() })
    })
}

fn errors_by_class(folder: &Folder, measured: &[&SecondRow]) -> BTreeMap<String, u64> {
    let mut classes = BTreeMap::new();
    for row in &folder.errors {
        if measured.binary_search_by_key(&row.second, |s| s.second).is_ok() {
            *classes.entry(row.class.clone()).or_default() += row.count;
        }
    }
    classes
}

fn known(latencies: &Histogram<u64>) -> Option<LatencyMs> {
    (!latencies.is_empty()).then(|| latency(latencies))
}

fn latency(all: &Histogram<u64>) -> LatencyMs {
    let q = |quantile| ms(all.value_at_quantile(quantile));
    LatencyMs {
        mean: round3(all.mean() / 1000.0),
        p50: q(0.5),
        p90: q(0.9),
        p95: q(0.95),
        p99: q(0.99),
        p999: q(0.999),
        max: ms(all.max()),
    }
}

fn statements(folder: &Folder, measured: &[&SecondRow]) -> Statements {
    let reads = measured.iter().map(|s| s.reads).sum();
    let writes = measured.iter().map(|s| s.writes).sum();
    let latencies = &folder.latencies;
    Statements {
        reads,
        writes,
        read_mean_ms: read_mean(measured.iter().copied()).map_or(0.0, round3),
        write_mean_ms: mean(measured.iter().map(|s| (s.writes, s.write_mean_ms))).map_or(0.0, round3),
        read_p99_ms: ms(latencies.reads.value_at_quantile(0.99)),
        write_p99_ms: ms(latencies.writes.value_at_quantile(0.99)),
    }
}

/// Mean time of a read over some seconds, each weighted by its reads.
pub(crate) fn read_mean<'a>(seconds: impl Iterator<Item = &'a SecondRow>) -> Option<f64> {
    mean(seconds.map(|s| (s.reads, s.read_mean_ms)))
}

fn mean(parts: impl Iterator<Item = (u64, f64)>) -> Option<f64> {
    let (count, sum) = parts.fold((0, 0.0), |(n, sum), (count, mean)| (n + count, sum + count as f64 * mean));
    (count > 0).then(|| sum / count as f64)
}

fn nodes(folder: &Folder, measured: &[&SecondRow]) -> BTreeMap<String, NodeSummary> {
    let mut nodes: BTreeMap<String, NodeSummary> = BTreeMap::new();
    for row in &folder.nodes {
        let node = nodes.entry(row.node.clone()).or_default();
        if measured.binary_search_by_key(&row.second, |s| s.second).is_ok() {
            node.reads += row.reads;
            node.writes += row.writes;
            node.errors += row.errors;
            node.serving_s += u32::from(row.state == "serving");
        }
    }
    nodes
}

/// Serving nodes summed over the seconds; a second in which the balancer told nothing counts as the one before.
fn node_seconds(measured: &[&SecondRow]) -> u64 {
    let carried = measured.iter().scan(0, |last, s| {
        *last = if s.serving_nodes > 0 { s.serving_nodes } else { *last };
        Some(u64::from(*last))
    });
    carried.sum()
}

impl Summary {
    /// Failed tries in per cent of all tries; unknown when there was none.
    pub fn error_pct(&self) -> Option<f64> {
        let tries = self.interactions + self.errors;
        (tries > 0).then(|| round3(percent(self.errors, tries)))
    }
}
