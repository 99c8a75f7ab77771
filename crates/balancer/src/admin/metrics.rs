//! The figures as Prometheus text (exposition format 0.0.4).

use std::fmt::Write;

use super::api::{NodeRow, Sessions, Status};
use crate::telemetry::LatencySnapshot;
use crate::telemetry::freshness::{BEHIND_MS, BEHIND_TRANSACTIONS, Histogram};
use crate::view::NodeState;

/// Quantiles of latency that are told.
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// The whole page.
pub fn text(status: &Status, nodes: &[NodeRow], sessions: &Sessions) -> String {
    let mut page = Page(String::new());
    page.single("tpcw_view_generation", "counter", "Number of the view", status.generation as f64);
    page.single("tpcw_serving_nodes", "gauge", "Nodes in service, primary included", status.serving as f64);
    let has_primary = f64::from(u8::from(status.primary.is_some()));
    page.single("tpcw_has_primary", "gauge", "Whether a node takes writes", has_primary);
    let waiting = status.progress.queued.len() as f64;
    page.single("tpcw_requests_waiting", "gauge", "Requests in the executor's queue", waiting);
    let running = status.progress.running.len() as f64;
    page.single("tpcw_jobs_running", "gauge", "Jobs of the executor", running);
    let warnings = status.warnings.len() as f64;
    page.single("tpcw_warnings", "gauge", "Warnings on /status", warnings);
    page.sessions(sessions);
    page.each(nodes, "tpcw_node_up", "gauge", "Whether the node is alive", |n| {
        Some(f64::from(u8::from(n.alive)))
    });
    page.each(nodes, "tpcw_node_serving", "gauge", "Whether the node takes statements", |n| {
        Some(f64::from(u8::from(n.state == NodeState::Serving)))
    });
    page.each(nodes, "tpcw_node_reads_total", "counter", "Reads answered", |n| Some(n.reads as f64));
    page.each(nodes, "tpcw_node_writes_total", "counter", "Other statements answered", |n| {
        Some(n.writes as f64)
    });
    page.each(nodes, "tpcw_node_errors_total", "counter", "Statements failed because of the node", |n| {
        Some(n.errors as f64)
    });
    page.each(nodes, "tpcw_node_in_flight", "gauge", "Statements under way", |n| Some(n.in_flight.into()));
    page.each(nodes, "tpcw_node_connections", "gauge", "Connections held", |n| Some(n.connections.into()));
    page.each(nodes, "tpcw_node_waiting", "gauge", "Statements waiting for a connection", |n| {
        Some(n.waiting.into())
    });
    page.each(nodes, "tpcw_node_wait_timeouts_total", "counter", "Statements that waited in vain", |n| {
        Some(n.wait_timeouts as f64)
    });
    page.each(nodes, "tpcw_node_opened_total", "counter", "Connections made", |n| Some(n.opened as f64));
    page.each(nodes, "tpcw_node_resets_total", "counter", "Sessions of the node that were reset", |n| {
        Some(n.resets as f64)
    });
    page.each(nodes, "tpcw_node_lag_seconds", "gauge", "How far the data is behind", |n| {
        n.lag_ms.map(|ms| ms / 1e3)
    });
    page.each(nodes, "tpcw_node_lag_transactions", "gauge", "The same in transactions", |n| {
        n.lag_transactions.map(|n| n as f64)
    });
    page.each(nodes, "tpcw_node_share", "gauge", "The part of its share of the reads that it gets", |n| {
        Some(n.share)
    });
    page.each(nodes, "tpcw_node_ping_seconds", "gauge", "Round trip of a probe", |n| Some(n.ping_ms / 1e3));
    page.latency(nodes, "tpcw_node_wait_seconds", "Time in line for a connection", |n| &n.waits);
    page.latency(nodes, "tpcw_node_read_seconds", "Time of reads", |n| &n.read_latency);
    page.latency(nodes, "tpcw_node_write_seconds", "Time of other statements", |n| &n.write_latency);
    let (ms, transactions) = ("tpcw_node_read_behind_seconds", "tpcw_node_read_behind_transactions");
    page.histogram(nodes, ms, "How far behind the answers to reads were", 1e3, &BEHIND_MS, |n| {
        &n.freshness.ms
    });
    page.histogram(nodes, transactions, "The same in transactions", 1.0, &BEHIND_TRANSACTIONS, |n| {
        &n.freshness.transactions
    });
    let unknown = "tpcw_node_read_behind_unknown_total";
    page.each(nodes, unknown, "counter", "Answers of which nobody knows how far behind they were", |n| {
        Some(n.freshness.unknown as f64)
    });
    page.0
}

struct Page(String);

impl Page {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.0.write_fmt(line);
        self.0.push('\n');
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.head(name, kind, help);
        self.line(format_args!("{name} {value}"));
    }

    fn sessions(&mut self, sessions: &Sessions) {
        for (name, kind, help, value) in [
            ("tpcw_sessions", "gauge", "Clients logged in", sessions.sessions as f64),
            (
                "tpcw_sessions_running",
                "gauge",
                "Sessions with a statement under way",
                sessions.running as f64,
            ),
            ("tpcw_logging_in", "gauge", "Clients that have not logged in", sessions.logging_in as f64),
            ("tpcw_memory_bytes", "gauge", "Held in sessions' buffers", sessions.memory_bytes as f64),
            ("tpcw_memory_refusals_total", "counter", "Refused for memory", sessions.memory_refusals as f64),
        ] {
            self.single(name, kind, help, value);
        }
        self.head("tpcw_sessions_pinned", "gauge", "Sessions pinned to a node connection, by cause");
        for (cause, count) in &sessions.pinned_by {
            self.line(format_args!("tpcw_sessions_pinned{{cause=\"{cause}\"}} {count}"));
        }
    }

    fn each(
        &mut self,
        nodes: &[NodeRow],
        name: &str,
        kind: &str,
        help: &str,
        value: impl Fn(&NodeRow) -> Option<f64>,
    ) {
        self.head(name, kind, help);
        for node in nodes {
            if let Some(value) = value(node) {
                self.line(format_args!("{name}{{{}}} {value}", labels(node)));
            }
        }
    }

    fn latency(
        &mut self,
        nodes: &[NodeRow],
        name: &str,
        help: &str,
        latency: impl Fn(&NodeRow) -> &LatencySnapshot,
    ) {
        self.head(name, "summary", help);
        for node in nodes {
            let (labels, latency) = (labels(node), latency(node));
            for q in QUANTILES {
                let value = latency.quantile_ms(q) / 1e3;
                self.line(format_args!("{name}{{{labels},quantile=\"{q}\"}} {value}"));
            }
            self.line(format_args!("{name}_sum{{{labels}}} {}", latency.sum_us() as f64 / 1e6));
            self.line(format_args!("{name}_count{{{labels}}} {}", latency.count()));
        }
    }

    /// Values are divided by `unit`; the last bucket has no bound.
    fn histogram(
        &mut self,
        nodes: &[NodeRow],
        name: &str,
        help: &str,
        unit: f64,
        bounds: &[u64],
        of: impl Fn(&NodeRow) -> &Histogram,
    ) {
        self.head(name, "histogram", help);
        for node in nodes {
            let (labels, histogram) = (labels(node), of(node));
            let mut seen = 0;
            for (bound, count) in bounds.iter().zip(&histogram.counts) {
                seen += count;
                let bound = *bound as f64 / unit;
                self.line(format_args!("{name}_bucket{{{labels},le=\"{bound}\"}} {seen}"));
            }
            let count = histogram.count();
            self.line(format_args!("{name}_bucket{{{labels},le=\"+Inf\"}} {count}"));
            self.line(format_args!("{name}_sum{{{labels}}} {}", histogram.sum as f64 / unit));
            self.line(format_args!("{name}_count{{{labels}}} {count}"));
        }
    }
}

fn labels(node: &NodeRow) -> String {
    let name = node.node.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    format!("node=\"{name}\",role=\"{}\"", node.role)
}
