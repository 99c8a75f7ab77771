//! Nodes, database servers, generator, errors.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::{Pictures, scrolled};
use crate::{
    folder::Folder,
    inside::InsideSecond,
    plot::axis::figure,
    record::{ErrorRow, NodeRow, PART_MACHINE, ResourceRow},
    statistics::mean,
    summary::Summary,
    text::{count, tenth},
};

/// What each node answered, and how evenly.
pub(super) fn nodes(folder: &Folder, run: &Summary, pictures: &Pictures<'_>) -> Markup {
    if run.nodes.is_empty() {
        return html! { p.muted { "The target tells nothing of its nodes." } };
    }
    let rows = |name: &str| -> Vec<&NodeRow> { folder.nodes.iter().filter(|row| row.node == name).collect() };
    html! {
        (scrolled("nodes", html! { table {
            thead { tr {
                th { "node" } th.n { "reads" } th.n { "writes" } th.n { "errors" } th.n { "in service, s" } th.n { "first served at, s" }
                th.n { "mean of a statement, ms" } th.n { "connections, most" } th.n { "lag, mean / most, ms" }
            } }
            tbody { @for (name, n) in &run.nodes {
                @let rows = rows(name);
                tr {
                    td { (name) } td.n { (count(n.reads)) } td.n { (count(n.writes)) } td.n { (count(n.errors)) } td.n { (n.serving_s) }
                    td.n { (rows.iter().find(|r| r.reads + r.writes > 0).map_or("never".to_owned(), |r| r.second.to_string())) }
                    td.n { (statement_mean(&rows)) }
                    td.n { (rows.iter().map(|r| r.connections).max().unwrap_or(0)) }
                    td.n { (lag(folder, name, &rows)) }
                }
            } }
        } }))
        @if let Some(index) = fairness(folder) {
            p.small.muted { "How evenly the replicas in service shared the reads, second by second (Jain's index, 1 is even): " (index) "." }
        }
        @if pictures.shown("nodes_serving").is_some() { p.small.muted { "Roles, reads, writes and lag over time are in the timeline above." } }
    }
}

fn statement_mean(rows: &[&NodeRow]) -> String {
    let statements: f64 = rows.iter().map(|r| (r.reads + r.writes) as f64).sum();
    let time: f64 = rows.iter().map(|r| (r.reads + r.writes) as f64 * r.mean_ms).sum();
    if statements > 0.0 { tenth(time / statements) } else { "–".to_owned() }
}

/// By the heartbeat where there is one.
fn lag(folder: &Folder, name: &str, rows: &[&NodeRow]) -> String {
    let beaten: Vec<f64> =
        folder.resources.iter().filter(|r| r.part == name).filter_map(|r| r.lag_ms).collect();
    let seen = if beaten.is_empty() { rows.iter().filter_map(|r| r.lag_ms).collect() } else { beaten };
    if seen.is_empty() {
        return "–".to_owned();
    }
    format!("{} / {}", tenth(mean(&seen)), tenth(seen.iter().copied().fold(0.0, f64::max)))
}

/// Jain's index (sum of shares squared over the sum of their squares) of the serving replicas' reads, in the mean of the seconds.
fn fairness(folder: &Folder) -> Option<String> {
    let mut seconds: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for row in folder.nodes.iter().filter(|r| r.state == "serving" && r.role == "replica") {
        seconds.entry(row.second).or_default().push(row.reads as f64);
    }
    let index = |reads: &Vec<f64>| {
        let (sum, squares) = reads.iter().fold((0.0, 0.0), |(s, q), r| (s + r, q + r * r));
        (reads.len() > 1 && squares > 0.0).then(|| sum * sum / (reads.len() as f64 * squares))
    };
    let all: Vec<f64> = seconds.values().filter_map(index).collect();
    (!all.is_empty()).then(|| format!("{:.3}", mean(&all)))
}

/// The servers' own counters.
pub(super) fn servers(folder: &Folder, pictures: &Pictures<'_>) -> Markup {
    let mut parts: BTreeMap<&str, Vec<&ResourceRow>> = BTreeMap::new();
    for row in folder.resources.iter().filter(|row| row.statements.is_some()) {
        parts.entry(&row.part).or_default().push(row);
    }
    if parts.is_empty() {
        return html! { p.muted { "Their counters were not recorded." } };
    }
    html! {
        (scrolled("database servers", html! { table {
            thead { tr {
                th { "node" } th.n { "statements" } th.n { "row-lock waits" } th.n { "waited, ms" } th.n { "deadlocks" }
                th.n { "found in memory, %" } th.n { "cores, mean / most" } th.n { "memory at the end, MiB" }
                th.n { "written, MiB" } th.n { "read, MiB" } th.n { "transactions behind, most" }
            } }
            tbody { @for (name, rows) in &parts { tr {
                td { (name) }
                @for of in [statements, waits, waited, deadlocks] { td.n { (count(sum(rows, of))) } }
                td.n { (means(rows, |r| r.buffer_pool_hit_pct)) }
                td.n { (means(rows, |r| r.cpu_cores)) " / " (most(rows, |r| r.cpu_cores)) }
                td.n { (rows.iter().rev().find_map(|r| r.memory_mib).map_or("–".to_owned(), |mib| figure(mib.round()))) }
                td.n { (figure((sum(rows, |r| r.written_kib) as f64 / 1024.0).round())) }
                td.n { (figure((sum(rows, |r| r.read_kib) as f64 / 1024.0).round())) }
                td.n { (rows.iter().filter_map(|r| r.lag_transactions).max().map_or("–".to_owned(), count)) }
            } } }
        } }))
        @if let Some(figure) = pictures.shown("servers") { (figure) }
    }
}

fn statements(row: &ResourceRow) -> Option<u64> {
    row.statements
}

fn waits(row: &ResourceRow) -> Option<u64> {
    row.row_lock_waits
}

fn waited(row: &ResourceRow) -> Option<u64> {
    row.row_lock_wait_ms
}

fn deadlocks(row: &ResourceRow) -> Option<u64> {
    row.deadlocks
}

fn sum(rows: &[&ResourceRow], of: fn(&ResourceRow) -> Option<u64>) -> u64 {
    rows.iter().filter_map(|row| of(row)).sum()
}

fn means(rows: &[&ResourceRow], of: fn(&ResourceRow) -> Option<f64>) -> String {
    let known: Vec<f64> = rows.iter().filter_map(|row| of(row)).collect();
    if known.is_empty() { "–".to_owned() } else { figure((mean(&known) * 100.0).round() / 100.0) }
}

fn most(rows: &[&ResourceRow], of: fn(&ResourceRow) -> Option<f64>) -> String {
    let most = rows.iter().filter_map(|row| of(row)).reduce(f64::max);
    most.map_or("–".to_owned(), |most| figure((most * 100.0).round() / 100.0))
}

/// Did the generator keep up?
pub(super) fn generator(folder: &Folder, run: &Summary, pictures: &Pictures<'_>) -> Markup {
    let known = |value: Option<u64>| value.map_or("–".to_owned(), count);
    let machine: Vec<&ResourceRow> = folder.resources.iter().filter(|r| r.part == PART_MACHINE).collect();
    let mut facts = vec![
        ("browsers started", known(folder.outcome.as_ref().map(|o| o.sessions_started))),
        ("browsers that ended before they were told", known(run.sessions_ended_early)),
        ("connections made again", known(run.reconnects)),
        ("pages given up", known(run.pages_given_up)),
    ];
    if run.rate.is_some() {
        facts.push(("visitors turned away", known(run.turned_away)));
    }
    if let Some(late) = &run.lateness_ms {
        let words = format!("p50 {}, p99 {}, at most {}", tenth(late.p50), tenth(late.p99), tenth(late.max));
        facts.push(("wake-ups late by, ms", words));
    }
    if let Some(service) = &run.service_ms {
        let words =
            format!("p50 {}, p90 {}, p99 {}", tenth(service.p50), tenth(service.p90), tenth(service.p99));
        facts.push(("service time (from asking, the last try alone), ms", words));
    }
    if let Some(words) = inside(folder) {
        facts.push(("browsers inside an interaction, mean of the measured time", words));
    }
    if !machine.is_empty() {
        let cores = folder.manifest.machine.cores;
        let words = format!(
            "mean {}, most {} of {cores}",
            means(&machine, |r| r.cpu_cores),
            most(&machine, |r| r.cpu_cores)
        );
        facts.push(("cores in use on the whole machine", words));
    }
    html! {
        (scrolled("generator", html! { table.facts { tbody {
            @for (name, value) in &facts { tr { th scope="row" { (name) } td { (value) } } }
        } } }))
        @if let Some(figure) = pictures.shown("generator") { (figure) }
        @if let Some(figure) = pictures.shown("littles_law") { (figure) }
        @if let Some(outcome) = &folder.outcome { @for note in &outcome.notes { p.small.muted { (note) } } }
    }
}

/// Browsers inside an interaction over the measured time, counted and by Little's law.
fn inside(folder: &Folder) -> Option<String> {
    let measured: BTreeSet<u32> = folder.measured().map(|second| second.second).collect();
    let mut seconds = folder.inside.seconds(&folder.errors);
    seconds.retain(|second| measured.contains(&second.second));
    seconds.first()?;
    let of = |value: fn(&InsideSecond) -> f64| {
        let values: Vec<f64> = seconds.iter().map(value).collect();
        figure((mean(&values) * 100.0).round() / 100.0)
    };
    let (counted, by_latency) = (of(|second| second.counted), of(|second| second.by_latency));
    Some(format!("counted {counted}, rate × mean latency {by_latency}"))
}

/// A class of failed tries.
#[derive(Default)]
struct Class<'a> {
    tries: u64,
    first: u32,
    last: u32,
    by_interaction: BTreeMap<&'a str, u64>,
}

/// Failed tries by class: how many, when first and last, in which interactions. Over the whole load, beside the measured time.
pub(super) fn errors(folder: &Folder, run: &Summary) -> Markup {
    let mut classes: BTreeMap<&str, Class<'_>> = BTreeMap::new();
    for ErrorRow { second, interaction, class, count } in &folder.errors {
        let found = classes.entry(class).or_insert_with(|| Class { first: *second, ..Class::default() });
        found.tries += count;
        (found.first, found.last) = (found.first.min(*second), found.last.max(*second));
        *found.by_interaction.entry(interaction).or_default() += count;
    }
    if classes.is_empty() {
        return html! { p { "No try of an interaction failed." } };
    }
    let said = |class: &str| folder.outcome.as_ref().and_then(|outcome| outcome.first_messages.get(class));
    html! {
        (scrolled("errors", html! { table {
            thead { tr {
                th { "class" } th.n { "tries" } th.n { "measured" } th.n { "first at, s" } th.n { "last at, s" } th { "interactions" } th { "the first said, and what the class means" }
            } }
            tbody { @for (name, class) in &classes { tr {
                td { (name.replace('_', " ")) } td.n { (count(class.tries)) }
                td.n { (count(run.errors_by_class.get(*name).copied().unwrap_or(0))) }
                td.n { (class.first) } td.n { (class.last) }
                td { @for (interaction, tries) in &class.by_interaction { (interaction.replace('_', " ")) " " (count(*tries)) br; } }
                td.event { @if let Some(said) = said(name) { q { (said) } br; } span.muted { (meaning(name)) } }
            } } }
        } }))
        p.small.muted { "A failed try is repeated until it succeeds (not after a commit whose outcome is unknown); its time is part of the latency." }
    }
}

fn meaning(class: &str) -> &'static str {
    match class {
        "refused" => "the server answered with an error of the application's making",
        "deadlock" => "error 1213 or 1020: rolled back in favour of another transaction",
        "lock_timeout" => "error 1205: a row's lock did not come free in time",
        "read_only" => "errors 1290, 1792, 1836: written to a node that takes no writes",
        "connection_refused" => "no connection could be made, or no more are allowed",
        "connection_lost" | "lost" => "the connection ended in the middle of a page",
        "timed_out" => "no answer within the statement's time",
        "unknown_commit" => "the connection ended after COMMIT was sent: kept or not, nobody was told",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_share_is_one_and_a_lone_reader_a_half() {
        let row = |second, node: &str, reads| NodeRow {
            second,
            node: node.to_owned(),
            state: "serving".to_owned(),
            role: "replica".to_owned(),
            reads,
            ..NodeRow::default()
        };
        let folder = |nodes| Folder { nodes, ..Folder::default() };
        assert_eq!(fairness(&folder(vec![row(0, "a", 5), row(0, "b", 5)])).as_deref(), Some("1.000"));
        assert_eq!(fairness(&folder(vec![row(0, "a", 5), row(0, "b", 0)])).as_deref(), Some("0.500"));
        assert_eq!(fairness(&folder(vec![row(0, "a", 5)])), None);
    }
}
