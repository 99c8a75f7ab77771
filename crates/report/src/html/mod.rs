//! `report.html`: the whole run on one page that needs nothing else, light or dark, on a phone or on paper.

mod compliance;
mod tables;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    folder::Folder,
    plot::{Picture, axis::figure, palette::dark_rules},
    summary::{LatencyMs, Summary, ValidityState, Verdict},
    text::{audit_words, count, load_words, tenth},
};

/// File name of the page.
pub const PAGE_FILE: &str = "report.html";

const STYLE: &str = include_str!("page.css");

/// The page as text; the same folder gives the same bytes.
pub fn page(folder: &Folder, run: &Summary, pictures: &[Picture]) -> String {
    let title = format!("{}: {}, mix {}", run.workload, load_words(run), run.mix);
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(dark_rules())) }
            }
            body {
                header {
                    h1 { (title) }
                    p.muted { (folder.manifest.label) @if !folder.manifest.load_started.is_empty() {
                        " · load from " (folder.manifest.load_started) " to " (folder.manifest.load_ended)
                    } }
                }
                main {
                    (verdict(run))
                    (headline(run))
                    h2 { "What happened, and what it cost" }
                    (tables::events(run))
                    h2 { "Pictures" }
                    @for picture in pictures { (drawn(picture)) }
                    h2 { "Interactions" }
                    (tables::interactions(folder, run))
                    h2 { "Was it the benchmark's load?" }
                    (compliance::section(run))
                    h2 { "Nodes" }
                    (tables::nodes(run))
                    h2 { "Errors" }
                    (tables::errors(run))
                    h2 { "Audit" }
                    (tables::audit(folder, run))
                    h2 { "Limits" }
                    (tables::thresholds(run))
                    h2 { "How to repeat it" }
                    (tables::repeat(folder))
                    h2 { "How the figures are found" }
                    (tables::method())
                }
            }
        }
    };
    let mut page = body.into_string();
    page.push('\n');
    page
}

fn verdict(run: &Summary) -> Markup {
    let held = run.thresholds.iter().filter(|t| t.held).count();
    let of = run.thresholds.len();
    html! {
        section class={ "verdict " (run.verdict.name()) } {
            p {
                strong class=(if run.verdict == Verdict::Pass { "good" } else { "bad" }) {
                    @if run.verdict == Verdict::Pass { "PASS" } @else { "FAIL" }
                }
                " · " (held) " of " (of) " limits held"
            }
            @for t in run.thresholds.iter().filter(|t| !t.held) {
                p.bad { (t.name) ": " (t.value.map_or("unknown".to_owned(), figure)) ", limit " (figure(t.limit)) }
            }
            p { "Run " strong.small class=(class_of(run.validity.state)) { (run.validity.state.name()) }
                @if run.validity.reasons.is_empty() { ": nothing speaks against the figures." }
            }
            @if !run.validity.reasons.is_empty() {
                ul.small { @for (state, reason) in run.validity.weighed() {
                    li { strong class=(class_of(state)) { (state.name()) } ": " (reason) }
                } }
            }
        }
    }
}

fn class_of(state: ValidityState) -> &'static str {
    match state {
        ValidityState::Valid => "good",
        ValidityState::Suspect => "warn",
        ValidityState::Invalid => "bad",
    }
}

fn headline(run: &Summary) -> Markup {
    let l = &run.latency_ms;
    let errors = run.error_pct().map_or("–".to_owned(), |pct| format!("{} %", figure(pct)));
    let unavailable: f64 = run.events.iter().filter_map(|e| e.unavailable_ms).sum();
    let orders =
        run.audit.as_ref().map_or("not audited".to_owned(), |a| format!("{} / {}", a.lost, a.duplicated));
    let p99 = |times: &Option<LatencyMs>| {
        times.as_ref().map_or("–".to_owned(), |t| format!("{} ms", tenth(t.p99)))
    };
    let tiles = [
        (tenth(run.wips), "interactions a second"),
        (count(run.interactions), "interactions measured"),
        (format!("{} ms", tenth(l.p50)), "median latency"),
        (format!("{} ms", tenth(l.p90)), "90 % are faster"),
        (format!("{} ms", tenth(l.p99)), "99 % are faster"),
        (p99(&run.service_ms), "99 % when counted from asking"),
        (p99(&run.lateness_ms), "99 % of wake-ups are less late"),
        (errors, "of the tries failed"),
        (format!("{} ms", tenth(run.statements.read_mean_ms)), "mean time of a read"),
        (format!("{} ms", unavailable.round()), "without any answer, all events"),
        (orders, "orders lost / duplicated"),
        (count(run.node_seconds), "node seconds in service"),
    ];
    html! {
        section.tiles aria-label="figures" {
            @for (value, name) in &tiles { div.tile { b { (value) } span { (name) } } }
        }
        p.small.muted { (run.measured_s) " s measured of " (run.load_s) " s of load. Latency counts from when an interaction "
            "was due to when it was done, its failed tries included. " (audit_words(run)) "." }
    }
}

fn drawn(picture: &Picture) -> Markup {
    html! {
        figure {
            (PreEscaped(&picture.svg))
            figcaption {
                (picture.title) " · "
                a href=(format!("{}.svg", picture.name)) { "SVG" } " · "
                a href=(format!("{}.png", picture.name)) { "PNG" } " · "
                a href=(format!("{}.points.csv", picture.name)) { "points (CSV)" }
            }
        }
    }
}
