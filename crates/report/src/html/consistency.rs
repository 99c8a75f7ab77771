//! What the nodes hold, and how old what they showed was.

use maud::{Markup, html};

use super::{mark, scrolled};
use crate::{
    folder::Folder,
    record::Audit,
    summary::Summary,
    text::{audit_words, count},
};

/// Upper ends of the classes of staleness in ms, with their names.
const CLASSES: [(f64, &str); 5] =
    [(0.0, "none"), (10.0, "to 10 ms"), (100.0, "to 100 ms"), (1_000.0, "to 1 s"), (f64::INFINITY, "longer")];

/// Audit and staleness.
pub(super) fn body(folder: &Folder, run: &Summary) -> Markup {
    html! {
        @match &folder.audit {
            Some(audit) => { p { (audit_words(run)) "." } (audited(audit)) }
            None => p.warn { "No audit was done: whether orders were lost is not known." },
        }
        (staleness(folder))
        @if let Some(stale) = run.stale_after_reconnect.filter(|stale| *stale > 0) {
            p.small.muted { (count(stale)) " pages were older than their browser knew after a reconnection, across which nothing is promised." }
        }
    }
}

fn audited(audit: &Audit) -> Markup {
    html! {
        @if !audit.nodes.is_empty() { (scrolled("audit by node", html! { table {
            thead { tr { th { "node" } th.n { "orders" } th.n { "lost" } th.n { "duplicated" } th.n { "out of nothing" } th { "tables equal to the primary's" } } }
            tbody { @for (name, n) in &audit.nodes { tr {
                td { (name) } td.n { (count(n.orders)) } td.n { (n.lost) } td.n { (n.duplicated) } td.n { (n.phantom) }
                td { (mark(n.diverged_tables.is_empty())) " " (n.diverged_tables.join(", ")) }
            } } }
        } })) }
        @if !audit.conditions.is_empty() { (scrolled("conditions of the data", html! { table {
            thead { tr { th { "condition of the data" } th.n { "offending rows" } th { "kept" } } }
            tbody { @for c in &audit.conditions { tr {
                td { (c.name.replace('_', " ")) } td.n { (count(c.offending)) }
                td { @if c.offending > 0 && c.informative { "told only" } @else { (mark(c.offending == 0)) } }
            } } }
        } })) }
        @for note in &audit.notes { p.small.muted { (note) } }
    }
}

/// A histogram of how far behind each node was found, once a second, by the heartbeat row or else by the balancer.
fn staleness(folder: &Folder) -> Markup {
    let beaten = folder.resources.iter().any(|row| row.lag_ms.is_some());
    let lags = |node: &str| -> Vec<f64> {
        if beaten {
            folder.resources.iter().filter(|r| r.part == node).filter_map(|r| r.lag_ms).collect()
        } else {
            folder.nodes.iter().filter(|r| r.node == node).filter_map(|r| r.lag_ms).collect()
        }
    };
    let nodes: Vec<(&str, Vec<f64>)> = folder
        .node_names()
        .into_iter()
        .map(|node| (node, lags(node)))
        .filter(|(_, lags)| !lags.is_empty())
        .collect();
    if nodes.is_empty() {
        return html! { p.muted { "How far nodes were behind was not recorded." } };
    }
    html! {
        h3 { "How far behind the primary, once a second" }
        (scrolled("staleness", html! { table {
            thead { tr { th { "node" } th.n { "looked at" } @for (_, name) in CLASSES { th.n { (name) } } } }
            tbody { @for (node, lags) in &nodes { tr {
                td { (node) } td.n { (count(lags.len() as u64)) }
                @for share in shares(lags) {
                    td.n.bar style=(format!("--share:{share:.1}%")) { @if share > 0.0 { (format!("{share:.1} %")) } @else { "–" } }
                }
            } } }
        } }))
    }
}

/// The share of each class in per cent.
fn shares(lags: &[f64]) -> [f64; CLASSES.len()] {
    let mut counts = [0.0; CLASSES.len()];
    for lag in lags {
        let class = CLASSES.iter().position(|(end, _)| lag <= end).unwrap_or(CLASSES.len() - 1);
        counts[class] += 100.0 / lags.len() as f64;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lag_has_one_class() {
        assert_eq!(shares(&[0.0, 5.0, 10.0, 3_600_000.0]), [25.0, 50.0, 0.0, 0.0, 25.0]);
        assert_eq!(shares(&[]), [0.0; 5]);
    }
}
