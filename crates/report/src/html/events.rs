//! The table of events: a row for each that caused something, with what it cost and what followed from it.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::scrolled;
use crate::{
    plot::{causes, fault_words},
    summary::{EventSummary, Summary},
    text::{cost_words, count, happened, tenth},
};

/// With more causes than this their table is folded, and one by kind stands before it.
const MANY: usize = 40;

/// So many of them stand in it then.
const DEAREST: usize = 100;
/// Longer lists of all events end here: their file has the rest.
const LISTED: usize = 3000;

/// Causes with their figures, and all events one by one below.
pub(super) fn table(run: &Summary) -> Markup {
    let all: Vec<&EventSummary> = run.events.iter().filter(|e| e.kind != "phase").collect();
    if all.is_empty() {
        return html! { p.muted { "Nothing happened but the load." } };
    }
    let causes = causes(run).count();
    html! {
        @if causes > MANY {
            (scrolled("events and their cost by kind", by_kind(run)))
            details {
                summary { @if causes > DEAREST { "The " (DEAREST) " of " (causes) " that cost most; all are in summary.json" }
                    @else { "What each of the " (causes) " cost" } }
                (scrolled("events and their cost", costs(run, &all, &dearest(run))))
            }
        } @else if causes > 0 {
            (scrolled("events and their cost", costs(run, &all, &dearest(run))))
        }
        details {
            summary { @if all.len() > LISTED { "The first " (LISTED) " of " (all.len()) " events; all are in events.csv" }
                @else { "All " (all.len()) " events one by one" } }
            (scrolled("all events", html! { table {
                thead { tr { th.n { "at, s" } th { "event" } th { "node" } th { "why" } th { "more" } } }
                tbody { @for e in all.iter().take(LISTED) { tr {
                    td.n { (format!("{:.2}", e.second)) } td { (happened(&e.kind, &e.detail)) } td { (e.node) }
                    td { (e.cause) } td { (e.detail) }
                } } }
            } }))
        }
    }
}

/// A row for each kind of cause and each fault by name.
fn by_kind(run: &Summary) -> Markup {
    let mut kinds: BTreeMap<String, Vec<&EventSummary>> = BTreeMap::new();
    for (_, event) in causes(run) {
        kinds.entry(kind_words(event)).or_default().push(event);
    }
    html! { table {
        thead {
            tr {
                th { "event" } th.n { "times" } th.n { "with a gap" } th.n { "median gap, s" } th.n { "longest, s" }
                th.n { "median back at 90 %, s" } th.n { "longest, s" } th.n { "not yet" }
                th.n { "interactions lost" } th.n { "tries failed" } th.n { "reconnected" }
            }
        }
        tbody { @for (kind, events) in &kinds {
            @let gaps = sorted(events, |e| e.unavailable_ms.filter(|ms| *ms > 0.0));
            @let back = sorted(events, |e| e.recovered_90_ms.filter(|ms| *ms > 0.0));
            @let sum = |of: fn(&EventSummary) -> f64| events.iter().map(|e| of(e)).sum::<f64>().round() as u64;
            @let figure = |sum: u64| cell((sum > 0).then(|| count(sum)));
            tr class=[kind.starts_with("fault injected").then_some("fault")] {
                td { strong { (kind) } } td.n { (events.len()) }
                (figure(gaps.len() as u64)) (seconds(middle(&gaps))) (seconds(gaps.last().copied()))
                (seconds(middle(&back))) (seconds(back.last().copied()))
                (figure(events.iter().filter(|e| e.dip_pct.is_some() && e.recovered_90_ms.is_none()).count() as u64))
                (figure(sum(|e| e.interactions_lost.unwrap_or(0.0).max(0.0)))) (figure(sum(|e| e.errors.unwrap_or(0) as f64)))
                (figure(sum(|e| e.reconnects.unwrap_or(0) as f64)))
            }
        } }
    } }
}

/// What an event is counted under: its kind, a fault by its name too.
fn kind_words(event: &EventSummary) -> String {
    let kind = event.kind.replace('_', " ");
    match event.kind.as_str() {
        "fault_injected" => format!("{kind}: {}", fault_words(&event.detail)),
        _ => kind,
    }
}

/// A figure of all events that have it, in ms, the least first.
fn sorted(events: &[&EventSummary], of: fn(&EventSummary) -> Option<f64>) -> Vec<f64> {
    let mut values: Vec<f64> = events.iter().filter_map(|event| of(event)).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The middle one, or the mean of both.
fn middle(sorted: &[f64]) -> Option<f64> {
    let (low, high) = (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}

fn seconds(ms: Option<f64>) -> Markup {
    cell(ms.map(|ms| tenth(ms / 1000.0)))
}

/// The numbers of the [`DEAREST`].
fn dearest(run: &Summary) -> BTreeSet<usize> {
    let mut costs: Vec<(usize, f64)> = causes(run).map(|(number, event)| (number, cost(event))).collect();
    costs.sort_by(|a, b| b.1.total_cmp(&a.1));
    costs.into_iter().take(DEAREST).map(|(number, _)| number).collect()
}

/// One figure to order events by: interactions that were not served, and tries that failed.
fn cost(event: &EventSummary) -> f64 {
    event.interactions_lost.unwrap_or(0.0).max(0.0) + event.errors.unwrap_or(0) as f64
}

/// The causes of these numbers.
fn costs(run: &Summary, all: &[&EventSummary], numbers: &BTreeSet<usize>) -> Markup {
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
        tbody { @for (number, e) in causes(run).filter(|(number, _)| numbers.contains(number)) {
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
    fn many_causes_are_told_by_kind_before_they_are_told_one_by_one() {
        let fault = |at: u32, name: &str, gap: f64| EventSummary {
            second: f64::from(at),
            kind: "fault_injected".to_owned(),
            node: "n1".to_owned(),
            detail: format!("{name}: at second {at}"),
            followed_s: Some(1.0),
            unavailable_ms: Some(gap),
            errors: Some(2),
            ..EventSummary::default()
        };
        let events =
            |count| (0..count).map(|at| fault(at, ["kill", "pause"][at as usize % 2], f64::from(at) * 100.0));
        let page =
            |count| table(&Summary { events: events(count).collect(), ..Summary::default() }).into_string();
        let few = page(MANY as u32);
        assert!(!few.contains("median gap") && few.contains("first error after"));
        let many = page(50);
        // Every second one of 0 to 49 is a kill, the first without a gap: 200 to 4,800 ms.
        let row = "<strong>fault injected: kill</strong></td><td class=\"n\">25</td><td class=\"n\">24</td><td class=\"n\">2.5</td>\
                   <td class=\"n\">4.8</td>";
        assert!(many.contains(row), "{many}");
        assert!(many.contains("What each of the 50 cost") && many.contains("first error after"));
        let rows = |page: &str| page.matches("<tr class=\"fault\">").count();
        assert!(page(300).contains("The 100 of 300 that cost most"));
        assert_eq!((rows(&page(50)), rows(&page(300))), (2 + 50, 2 + 100), "two kinds, and one by one");
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
