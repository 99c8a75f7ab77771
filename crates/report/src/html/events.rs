//! The table of events: a row for each that caused something, with what it cost and what followed from it.

use maud::{Markup, html};

use super::scrolled;
use crate::{
    plot::causes,
    summary::{EventSummary, Summary},
    text::{cost_words, count, happened, tenth},
};

/// Causes with their figures, and all events one by one below.
pub(super) fn table(run: &Summary) -> Markup {
    let all: Vec<&EventSummary> = run.events.iter().filter(|e| e.kind != "phase").collect();
    if all.is_empty() {
        return html! { p.muted { "Nothing happened but the load." } };
    }
    html! {
        @if causes(run).next().is_some() { (scrolled("events and their cost", costs(run, &all))) }
        details {
            summary { "All " (all.len()) " events one by one" }
            (scrolled("all events", html! { table {
                thead { tr { th.n { "at, s" } th { "event" } th { "node" } th { "why" } th { "more" } } }
                tbody { @for e in &all { tr {
                    td.n { (format!("{:.2}", e.second)) } td { (happened(&e.kind, &e.detail)) } td { (e.node) }
                    td { (e.cause) } td { (e.detail) }
                } } }
            } }))
        }
    }
}

fn costs(run: &Summary, all: &[&EventSummary]) -> Markup {
    let starts: Vec<f64> = causes(run).map(|(_, e)| e.second).collect();
    html! { table {
        thead {
            tr {
                th.n { "no." } th.n { "at, s" } th { "event" } th { "what followed" }
                th.n { "first error after, s" } th.n { "unavailable, s" } th.n { "dip (usual), %" }
                th.n { "back at 90 %, s" } th.n { "at 99 %, s" } th.n { "interactions lost" }
                th.n { "tries failed" } th { "failed as" } th.n { "reconnected" }
            }
        }
        tbody { @for (number, e) in causes(run) {
            @let end = starts.iter().copied().find(|s| *s > e.second).unwrap_or(f64::MAX);
            tr class=[(e.kind == "fault_injected").then_some("fault")] {
                td.n { (number) } td.n { (format!("{:.1}", e.second)) }
                td.event { strong { (e.kind.replace('_', " ")) @if !e.node.is_empty() { " " (e.node) } }
                    @if !e.detail.is_empty() { br; span.muted { (e.detail) } }
                    @if e.kind.starts_with("scale") && !e.cause.is_empty() { br; span.muted { (e.cause) } } }
                td.event { @for words in followed(e, all, end) { (words) br; } }
                (cell(e.first_error_ms.map(|ms| tenth(ms / 1000.0))))
                (cell(e.unavailable_ms.filter(|ms| *ms > 0.0).map(|ms| tenth(ms / 1000.0))))
                (cell(e.dip_pct.filter(|dip| *dip > 0.0).map(|dip| dip_words(dip, e.usual_dip_pct))))
                (cell(back(e, e.recovered_90_ms))) (cell(back(e, e.recovered_99_ms)))
                (cell(e.interactions_lost.filter(|lost| *lost >= 0.5).map(|lost| count(lost.round() as u64))))
                (cell(e.errors.filter(|errors| *errors > 0).map(count)))
                td { @for (class, tries) in &e.errors_by_class { (class.replace('_', " ")) " " (count(*tries)) br; } }
                (cell(e.reconnects.filter(|count| *count > 0).map(count)))
            }
        } }
    } }
}

/// What followed from a cause until the next one: when, what, and what it is known to have cost.
fn followed(cause: &EventSummary, all: &[&EventSummary], end: f64) -> Vec<String> {
    let mut words = Vec::new();
    if cause.detected_ms.is_some() || cause.writable_ms.is_some() {
        let known = EventSummary {
            detected_ms: cause.detected_ms,
            writable_ms: cause.writable_ms,
            ..EventSummary::default()
        };
        words.push(cost_words(&known));
    }
    let within = |e: &&&EventSummary| e.followed_s.is_none() && e.second >= cause.second && e.second < end;
    words.extend(all.iter().filter(within).map(|e| {
        let figures = EventSummary { errors: None, dip_pct: None, ..(*e).clone() };
        let cost = cost_words(&figures);
        let cost = if cost.is_empty() { cost } else { format!(" ({cost})") };
        let after = (e.second - cause.second).max(0.0);
        let node = if e.node.is_empty() { String::new() } else { format!(" {}", e.node) };
        format!("+{after:.2} s {}{node}{cost}", happened(&e.kind, &e.detail))
    }));
    words
}

/// A figure; a dash where there was nothing.
fn cell(value: Option<String>) -> Markup {
    html! { @match value { Some(value) => td.n { (value) }, None => td.n.muted { "–" } } }
}

/// The dip beside the one that chance alone brings, in per cent.
fn dip_words(dip: f64, usual: Option<f64>) -> String {
    let usual = usual.map_or(String::new(), |usual| format!(" ({:.0})", usual));
    format!("{dip:.0}{usual}")
}

/// When throughput was back, in s; nothing where it never fell.
fn back(event: &EventSummary, recovered: Option<f64>) -> Option<String> {
    match (event.dip_pct?, recovered) {
        (dip, Some(_)) if dip <= 0.0 => None,
        (_, Some(ms)) => Some(tenth(ms / 1000.0)),
        (_, None) => Some("not yet".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_followed_ends_with_the_next_cause() {
        let event = |second, kind: &str, followed_s| EventSummary {
            second,
            kind: kind.to_owned(),
            node: "n1".to_owned(),
            followed_s,
            ..EventSummary::default()
        };
        let cause = EventSummary { detected_ms: Some(120.0), ..event(10.0, "fault_injected", Some(5.0)) };
        let (down, healed, up) = (
            event(10.12, "node_down", None),
            event(15.0, "fault_healed", Some(9.0)),
            event(15.5, "node_up", None),
        );
        let set = EventSummary {
            node: String::new(),
            detail: "random".to_owned(),
            ..event(15.75, "strategy_set", None)
        };
        let all = [&cause, &down, &healed, &up, &set];
        assert_eq!(followed(&cause, &all, 15.0), ["noticed in 120 ms", "+0.12 s node down n1"]);
        assert_eq!(
            followed(&healed, &all, f64::MAX),
            ["+0.50 s node up n1", "+0.75 s strategy set to random"]
        );
    }

    #[test]
    fn a_recovery_that_never_came_is_no_zero() {
        let event =
            |dip_pct, recovered| back(&EventSummary { dip_pct, ..EventSummary::default() }, recovered);
        assert_eq!(
            [
                event(None, None),
                event(Some(40.0), None),
                event(Some(0.0), Some(0.0)),
                event(Some(40.0), Some(1_500.0))
            ],
            [None, Some("not yet"), None, Some("1.5")].map(|words| words.map(str::to_owned))
        );
    }
}
