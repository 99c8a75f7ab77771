//! What an event cost the browsers, from bins of 100 ms.
//!
//! *Which events.* Figures stand with causes: a fault, its healing, a request to scale, and a lost or promoted node that no
//! fault explains. Consequences (`node_down`, `promoted`, `…_done`) have none of their own, so that nothing is counted twice.
//!
//! *How long.* An event is followed for 30 s, but not beyond the next cause or the end of the load.
//!
//! *Against what.* The baseline is the mean throughput of the 10 s before (3 s at least), or that of the cause before when its
//! fall reaches into them: an outage must not lower the measure of the next one. Where browsers leave, less is
//! expected: the baseline shrinks with their number, so that a ramp-down is no dip. Where they come, nothing more is expected.
//!
//! *Unavailable* is every stretch of bins in which no interaction ended well, though browsers ran: from the first failed try
//! in it, or whole when the baseline makes it unlikelier than one in a thousand that so long a
//! silence comes up anywhere in the 30 s.
//!
//! *A fall* is a window (1 s, longer where the baseline has fewer than 30 interactions a second, 10 s at most) that lies
//! below 90 % of the baseline and below it by four standard deviations, or an unavailable stretch. The deviation is that of a
//! Poisson stream, or of the seconds of the baseline where they scatter more. The dip is the deepest window; recovery is the
//! beginning of the first window after the fall's beginning with 90 % of the baseline and nothing unavailable in it.

use std::collections::BTreeMap;

use crate::{
    folder::Folder,
    record::{EventKind, EventRow, FINE_BIN_MS, round3},
    summary::{
        EventSummary, read_mean,
        series::{Series, bin_of},
    },
};

/// A node's loss within this time after a fault on it is the fault's.
const EXPLAINED_S: f64 = 60.0;
/// Seconds before and after a scaling over which reads are compared.
const COMPARED_S: f64 = 10.0;

/// All events of the run, causes with their figures.
pub(super) fn of_events(folder: &Folder) -> Vec<EventSummary> {
    let series = Series::of(folder);
    let mut shadow = None;
    let causes: Vec<f64> =
        folder.events.iter().filter(|e| is_cause(e, &folder.events)).map(|e| e.second).collect();
    folder
        .events
        .iter()
        .map(|event| {
            let mut summary = plain(event);
            if is_cause(event, &folder.events) && !folder.fine.is_empty() {
                let next = causes.iter().copied().find(|&s| s > event.second).unwrap_or(f64::MAX);
                shadow = series.follow(&mut summary, next, shadow.take());
                summary.errors_by_class = errors_by_class(folder, &summary);
            }
            match event.kind {
                EventKind::FaultInjected => reaction(folder, event, &mut summary),
                EventKind::ScaleOutDone | EventKind::ScaleInDone => scaling(folder, event, &mut summary),
                _ => {}
            }
            summary
        })
        .collect()
}

fn plain(event: &EventRow) -> EventSummary {
    EventSummary {
        kind: event.kind.name().to_owned(),
        second: round3(event.second),
        node: event.node.clone(),
        cause: event.cause.clone(),
        detail: event.detail.clone(),
        ..EventSummary::default()
    }
}

fn is_cause(event: &EventRow, all: &[EventRow]) -> bool {
    let explained_by = |kinds: &[EventKind], same_node: bool| {
        all.iter().any(|e| {
            kinds.contains(&e.kind)
                && e.second <= event.second
                && event.second - e.second <= EXPLAINED_S
                && (!same_node || e.node == event.node)
        })
    };
    use EventKind::{FaultHealed, FaultInjected, NodeDown, Promoted, ScaleInRequested, ScaleOutRequested};
    match event.kind {
        FaultInjected | FaultHealed | ScaleOutRequested | ScaleInRequested => true,
        NodeDown => !explained_by(&[FaultInjected], true),
        Promoted => !explained_by(&[FaultInjected, NodeDown], false),
        _ => false,
    }
}

/// How soon the balancer noticed a fault, and how soon writes went through again when it struck the primary.
fn reaction(folder: &Folder, fault: &EventRow, summary: &mut EventSummary) {
    let again = |e: &&EventRow| e.kind == EventKind::FaultInjected && e.second > fault.second;
    let until = folder.events.iter().find(again).map_or(f64::MAX, |e| e.second);
    let after = |kind: EventKind| {
        folder.events.iter().filter(move |e| e.kind == kind && e.second >= fault.second && e.second < until)
    };
    let noticed = after(EventKind::NodeDown).find(|e| e.node == fault.node);
    summary.detected_ms = noticed.map(|e| since(fault, e.second));
    let promoted = after(EventKind::Promoted).find(|e| e.node != fault.node);
    // The end of the first bin with a write: it went through by then at the latest.
    summary.writable_ms = promoted.and_then(|promotion| {
        let from = bin_of(promotion.second) as u64 * FINE_BIN_MS;
        let write = folder.fine.iter().find(|bin| bin.ms >= from && bin.writes_ok > 0)?;
        Some(since(fault, (write.ms + FINE_BIN_MS) as f64 / 1000.0))
    });
}

/// How long a scaling took, and what it did to reads.
fn scaling(folder: &Folder, done: &EventRow, summary: &mut EventSummary) {
    let asked = match done.kind {
        EventKind::ScaleOutDone => EventKind::ScaleOutRequested,
        _ => EventKind::ScaleInRequested,
    };
    let request = folder.events.iter().rfind(|e| e.kind == asked && e.second <= done.second);
    let began = request.map_or(done.second, |e| e.second);
    summary.took_ms = request.map(|e| since(e, done.second));
    let reads = |from: f64, to: f64| {
        let within = |second: u32| f64::from(second) >= from && f64::from(second) + 1.0 <= to;
        read_mean(folder.seconds.iter().filter(|s| within(s.second))).map(round3)
    };
    summary.read_before_ms = reads(began.floor() - COMPARED_S, began.floor());
    summary.read_after_ms = reads(done.second.ceil(), done.second.ceil() + COMPARED_S);
}

fn errors_by_class(folder: &Folder, event: &EventSummary) -> BTreeMap<String, u64> {
    let end = event.second + event.followed_s.unwrap_or(0.0);
    let mut classes = BTreeMap::new();
    for row in &folder.errors {
        if f64::from(row.second) >= event.second.floor() && f64::from(row.second) < end {
            *classes.entry(row.class.clone()).or_default() += row.count;
        }
    }
    classes
}

fn since(event: &EventRow, second: f64) -> f64 {
    round3(((second - event.second) * 1000.0).max(0.0))
}

#[cfg(test)]
mod tests;
