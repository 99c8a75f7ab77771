//! The tables of the page.

use maud::{Markup, html};

use crate::{
    folder::Folder,
    plot::axis::figure,
    record::HISTOGRAMS_FILE,
    summary::{EventSummary, SUMMARY_FILE, Summary},
    text::{audit_words, cost_words, count, tenth},
};

fn optional(value: Option<f64>) -> String {
    value.map_or(String::new(), tenth)
}

pub(super) fn events(run: &Summary) -> Markup {
    let shown: Vec<&EventSummary> = run.events.iter().filter(|e| e.kind != "phase").collect();
    if shown.is_empty() {
        return html! { p.muted { "Nothing happened but the load." } };
    }
    html! {
        div.scroll { table {
            thead { tr {
                th.n { "at, s" } th { "event" } th { "node" } th { "why" } th { "cost" }
                th.n { "dip (usual), %" } th.n { "unavailable, ms" } th.n { "back at 90 %, ms" } th.n { "lost" } th.n { "errors" }
            } }
            tbody { @for e in &shown { tr {
                td.n { (format!("{:.1}", e.second)) }
                td { (e.kind.replace('_', " ")) }
                td { (e.node) }
                td { (e.cause) @if !e.detail.is_empty() { span.muted { " · " (e.detail) } } }
                td { (cost_words(e)) }
                td.n { @if let Some(dip) = e.dip_pct { (tenth(dip)) " (" (optional(e.usual_dip_pct)) ")" } }
                td.n { (optional(e.unavailable_ms)) }
                td.n { @if e.dip_pct.is_some() { (e.recovered_90_ms.map_or("not yet".to_owned(), tenth)) } }
                td.n { (optional(e.interactions_lost)) }
                td.n { (e.errors.map_or(String::new(), count)) }
            } } }
        } }
    }
}

pub(super) fn interactions(folder: &Folder, run: &Summary) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th { "interaction" } th.n { "count" } th.n { "errors" } th.n { "share, %" } th.n { "mix, %" } th.n { "mean, ms" }
                th.n { "p50" } th.n { "p90" } th.n { "p95" } th.n { "p99" } th.n { "p99.9" } th.n { "max" } th.n { "limit of p90" } th { "kept" }
            } }
            tbody { @for r in &folder.interactions { tr {
                td { (r.interaction.replace('_', " ")) }
                td.n { (count(r.count)) } td.n { (count(r.errors)) }
                td.n { (format!("{:.2}", r.share_pct)) } td.n { (format!("{:.2}", r.target_share_pct)) }
                @for value in [r.mean_ms, r.p50_ms, r.p90_ms, r.p95_ms, r.p99_ms, r.p999_ms, r.max_ms, r.limit_ms] {
                    td.n { (tenth(value)) }
                }
                td { @if r.count == 0 { "–" } @else if r.within_limit { span.good { "✓" } } @else { span.bad { "✗" } } }
            } } }
        } }
        @if let Some(p) = run.mix_p {
            p.small.muted { "Chi-square test of the shares against the mix: p = " (p) "." }
        }
    }
}

pub(super) fn nodes(run: &Summary) -> Markup {
    if run.nodes.is_empty() {
        return html! { p.muted { "The target tells nothing of its nodes." } };
    }
    html! {
        div.scroll { table {
            thead { tr { th { "node" } th.n { "reads" } th.n { "writes" } th.n { "errors" } th.n { "in service, s" } } }
            tbody { @for (name, n) in &run.nodes { tr {
                td { (name) } td.n { (count(n.reads)) } td.n { (count(n.writes)) } td.n { (count(n.errors)) } td.n { (n.serving_s) }
            } } }
        } }
    }
}

pub(super) fn errors(run: &Summary) -> Markup {
    if run.errors_by_class.is_empty() {
        return html! { p { "No try of an interaction failed in the measurement interval." } };
    }
    html! {
        div.scroll { table {
            thead { tr { th { "class" } th.n { "tries" } } }
            tbody { @for (class, tries) in &run.errors_by_class { tr { td { (class) } td.n { (count(*tries)) } } } }
        } }
        p.small.muted { "A failed try is repeated until it succeeds (not after a commit whose outcome is unknown); its time is part of the latency." }
    }
}

pub(super) fn audit(folder: &Folder, run: &Summary) -> Markup {
    let Some(audit) = &folder.audit else {
        return html! { p.warn { "Not done: whether orders were lost is not known." } };
    };
    html! {
        p { (audit_words(run)) "." }
        @if !audit.nodes.is_empty() { div.scroll { table {
            thead { tr { th { "node" } th.n { "orders" } th.n { "lost" } th.n { "duplicated" } th.n { "out of nothing" } th { "differing tables" } } }
            tbody { @for (name, n) in &audit.nodes { tr {
                td { (name) } td.n { (count(n.orders)) } td.n { (n.lost) } td.n { (n.duplicated) } td.n { (n.phantom) }
                td { (n.diverged_tables.join(", ")) }
            } } }
        } } }
        @if !audit.conditions.is_empty() { div.scroll { table {
            thead { tr { th { "condition" } th.n { "offending rows" } th { "" } } }
            tbody { @for c in &audit.conditions { tr {
                td { (c.name.replace('_', " ")) } td.n { (count(c.offending)) }
                td { @if c.offending == 0 { span.good { "✓" } } @else if c.informative { "told only" } @else { span.bad { "✗" } } }
            } } }
        } } }
        @for note in &audit.notes { p.small.muted { (note) } }
    }
}

pub(super) fn thresholds(run: &Summary) -> Markup {
    if run.thresholds.is_empty() {
        return html! { p.muted { "The workload sets none." } };
    }
    html! {
        div.scroll { table {
            thead { tr { th { "limit" } th.n { "allowed" } th.n { "found" } th { "held" } } }
            tbody { @for t in &run.thresholds { tr {
                td { (t.name) } td.n { (figure(t.limit)) } td.n { (t.value.map_or("unknown".to_owned(), figure)) }
                td { @if t.held { span.good { "✓" } } @else { span.bad { "✗" } } }
            } } }
        } }
    }
}

pub(super) fn repeat(folder: &Folder) -> Markup {
    let m = &folder.manifest;
    let capacity =
        if m.node_capacity.is_null() { "not limited".to_owned() } else { m.node_capacity.to_string() };
    let facts = [
        ("seed", m.seed.to_string()),
        ("tpcw", m.versions.tpcw.clone()),
        ("server", m.versions.server.clone()),
        ("kernel", m.versions.kernel.clone()),
        (
            "machine",
            format!("{}, {} cores, {} MiB", m.machine.processor, m.machine.cores, m.machine.memory_mib),
        ),
        ("capacity of a node", capacity),
    ];
    html! {
        pre { (m.command_line.join(" ")) }
        div.scroll { table { tbody { @for (name, value) in &facts { tr { th { (name) } td { (value) } } } } } }
        details {
            summary { "The workload as it was run" }
            pre { (serde_json::to_string_pretty(&m.workload).unwrap_or_default()) }
        }
        p.small { "Files: "
            @for file in [SUMMARY_FILE, "manifest.json", "seconds.csv", "interactions.csv", "nodes.csv", "events.csv", "errors.csv",
                "fine.csv", HISTOGRAMS_FILE] { a href=(file) { (file) } " " }
        }
    }
}

pub(super) fn method() -> Markup {
    html! { div.small {
        p { "An event that causes something (a fault, its healing, a request to scale, an unexplained loss) is followed for 30 s, "
            "but not beyond the next cause or the end of the load, in bins of 100 ms; nothing is known more finely." }
        p { "Its baseline is the throughput of the 10 s before, less where browsers left since. Unavailable is time in which no "
            "interaction ended well: from the first failed try on, or whole where the baseline makes it unlikelier than one in a "
            "thousand that such a silence comes up by chance. A fall is a second (longer at low rates) below 90 % of the baseline and four standard deviations "
            "below it, or unavailable time; the dip is the deepest second, beside the deepest of the 10 s before. Recovery is the "
            "beginning of the first second after it with 90 % of the baseline. Lost are the interactions that the baseline promised "
            "until then and that did not come." }
    } }
}
