//! A run in a few lines for a terminal.

use std::fmt::Write;

use crate::{
    plot::axis::{figure, thousands},
    record::EventKind,
    summary::{EventSummary, Summary},
};

/// The short table that ends a run on the terminal: figures, events with their cost, audit, limits that were not held, and
/// the verdict. Ends with a line break.
pub fn table(run: &Summary) -> String {
    let mut text = String::new();
    let mut line = |name: &str, words: String| {
        let _ = writeln!(text, "{name:<14}{words}");
    };
    line(
        "workload",
        format!("{}, mix {}, {}, {} s measured", run.workload, run.mix, load_words(run), run.measured_s),
    );
    let share = run.error_pct().map_or(String::new(), |pct| format!(" ({} %)", figure(pct)));
    line(
        "interactions",
        format!(
            "{} done, {} a second, {} tries failed{share}",
            count(run.interactions),
            tenth(run.wips),
            count(run.errors)
        ),
    );
    let l = &run.latency_ms;
    line(
        "latency",
        format!("p50 {}  p90 {}  p99 {}  max {} ms", tenth(l.p50), tenth(l.p90), tenth(l.p99), tenth(l.max)),
    );
    if let (Some(s), true) = (&run.service_ms, run.rate.is_some()) {
        let times = format!(
            "p50 {}  p90 {}  p99 {}  max {} ms",
            tenth(s.p50),
            tenth(s.p90),
            tenth(s.p99),
            tenth(s.max)
        );
        line("service time", format!("{times}, counted from asking"));
    }
    if let Some(late) = &run.lateness_ms {
        line(
            "generator",
            format!("late by p50 {}  p99 {}  max {} ms", tenth(late.p50), tenth(late.p99), tenth(late.max)),
        );
    }
    let s = &run.statements;
    line(
        "statements",
        format!(
            "{} reads, mean {} ms; {} writes, mean {} ms",
            count(s.reads),
            tenth(s.read_mean_ms),
            count(s.writes),
            tenth(s.write_mean_ms)
        ),
    );
    let nodes: Vec<String> =
        run.nodes.iter().map(|(name, n)| format!("{name} {}/{}", count(n.reads), count(n.writes))).collect();
    if !nodes.is_empty() {
        line("reads/writes", nodes.join("  ·  "));
    }
    for event in run.events.iter().filter(|e| e.kind != "phase") {
        line(&format!("{:>7.1} s", event.second), event_words(event));
    }
    line("audit", audit_words(run));
    for t in run.thresholds.iter().filter(|t| !t.held) {
        let value = t.value.map_or("unknown".to_owned(), figure);
        line("not held", format!("{}: {value}, limit {}", t.name, figure(t.limit)));
    }
    for (state, reason) in run.validity.weighed() {
        line(state.name(), reason.to_owned());
    }
    let held = run.thresholds.iter().filter(|t| t.held).count();
    line(
        "verdict",
        format!(
            "{}: {held} of {} limits held; run {}",
            run.verdict.name(),
            run.thresholds.len(),
            run.validity.state.name()
        ),
    );
    text
}

/// How much load there was at the peak.
pub(crate) fn load_words(run: &Summary) -> String {
    match run.rate {
        Some(rate) => format!("{} interactions due a second", tenth(rate)),
        None => format!("{} browsers", run.sessions),
    }
}

/// What happened, by the kind of an event; of a strategy that was set, which one, as the event's detail tells.
pub fn happened(kind: &str, detail: &str) -> String {
    let words = kind.replace('_', " ");
    if kind == EventKind::StrategySet.name() && !detail.is_empty() {
        format!("{words} to {detail}")
    } else {
        words
    }
}

/// An event and its cost in one line.
pub(crate) fn event_words(event: &EventSummary) -> String {
    let mut words = happened(&event.kind, &event.detail);
    if !event.node.is_empty() {
        let _ = write!(words, " {}", event.node);
    }
    let cost = cost_words(event);
    if !cost.is_empty() {
        let _ = write!(words, ": {cost}");
    }
    words
}

/// What an event cost, as far as there is something to tell.
pub(crate) fn cost_words(event: &EventSummary) -> String {
    let mut parts = Vec::new();
    let mut part = |name: &str, value: Option<f64>| {
        if let Some(value) = value {
            parts.push(format!("{name} {} ms", value.round()));
        }
    };
    part("noticed in", event.detected_ms);
    part("writable in", event.writable_ms);
    part("unavailable", event.unavailable_ms.filter(|v| *v > 0.0));
    part("took", event.took_ms);
    if let Some(errors) = event.errors.filter(|e| *e > 0) {
        parts.push(format!("{} tries failed", count(errors)));
    }
    match (event.dip_pct, event.recovered_90_ms) {
        (Some(dip), Some(back)) if dip > 0.0 => {
            parts.push(format!("throughput -{} %, back in {} ms", dip.round(), back.round()));
        }
        (Some(dip), None) if dip > 0.0 => {
            parts.push(format!("throughput -{} %, not back while followed", dip.round()));
        }
        (Some(_), _) => parts.push("no fall beyond chance".to_owned()),
        _ => {}
    }
    if let (Some(before), Some(after)) = (event.read_before_ms, event.read_after_ms) {
        parts.push(format!("mean read {} → {} ms", tenth(before), tenth(after)));
    }
    parts.join(", ")
}

pub(crate) fn audit_words(run: &Summary) -> String {
    let Some(a) = &run.audit else { return "not done".to_owned() };
    let mut words = format!(
        "{} orders acknowledged: {} lost, {} duplicated, {} out of nothing; {} unknown, {} of them applied; {} stale reads, \
         {} nodes diverged, {} conditions failed",
        count(a.acknowledged_orders),
        a.lost,
        a.duplicated,
        a.phantom,
        a.unknown_outcome,
        a.unknown_applied,
        a.stale_reads,
        a.replicas_diverged,
        a.conditions_failed
    );
    if !a.unreachable.is_empty() {
        let _ = write!(words, "; not reached: {}", a.unreachable.join(", "));
    }
    words
}

/// A count with its thousands parted.
pub(crate) fn count(value: u64) -> String {
    thousands(value as f64)
}

/// At most one decimal.
pub(crate) fn tenth(value: f64) -> String {
    figure((value * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_that_was_set_is_named() {
        let event = |kind: &str, detail: &str| EventSummary {
            kind: kind.to_owned(),
            detail: detail.to_owned(),
            ..EventSummary::default()
        };
        assert_eq!(event_words(&event("strategy_set", "peak_ewma")), "strategy set to peak_ewma");
        assert_eq!(event_words(&event("strategy_set", "")), "strategy set");
        assert_eq!(event_words(&event("node_up", "after 12 ms")), "node up");
        let run = Summary { events: vec![event("strategy_set", "random")], ..Summary::default() };
        assert!(table(&run).contains("strategy set to random\n"), "{}", table(&run));
    }
}
