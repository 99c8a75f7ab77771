//! `report.html`: the whole run on one page that needs nothing else, light or dark, on a phone or on paper.
//!
//! From the top: whether the figures can be believed and the limits were held, the headline, the run over time, what each event
//! cost, the interactions, the nodes, servers and generator, errors, consistency, and how to repeat the run. No script.

mod compliance;
mod consistency;
mod events;
mod headline;
mod interactions;
mod intervals;
mod parts;
mod repeat;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    folder::Folder,
    plot::{Picture, palette::page_rules},
    summary::Summary,
    text::load_words,
};

/// File name of the page.
pub const PAGE_FILE: &str = "report.html";

const STYLE: &str = include_str!("page.css");

/// The page as text; the same folder gives the same bytes.
pub fn page(folder: &Folder, run: &Summary, pictures: &[Picture]) -> String {
    let title = format!("{}: {}, mix {}", run.workload, load_words(run), run.mix);
    let parts = sections(folder, run, &Pictures(pictures));
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(page_rules())) (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (title) }
                    p.muted { (folder.manifest.label) @if !folder.manifest.load_started.is_empty() {
                        " · load from " (folder.manifest.load_started) " to " (folder.manifest.load_ended)
                    } }
                    nav aria-label="sections" { @for part in &parts { a href=(format!("#{}", part.id)) { (part.name) } } }
                }
                main {
                    (headline::verdict(run))
                    (headline::tiles(folder, run))
                    @for part in &parts {
                        section id=(part.id) { h2 { (part.title) } (part.body) }
                    }
                }
            }
        }
    };
    let mut page = body.into_string();
    page.push('\n');
    page
}

/// A part of the page.
struct Section {
    id: &'static str,
    /// As in the list of parts on top.
    name: &'static str,
    title: &'static str,
    body: Markup,
}

fn sections(folder: &Folder, run: &Summary, pictures: &Pictures<'_>) -> Vec<Section> {
    let section = |id, name, title, body| Section { id, name, title, body };
    vec![
        section("timeline", "Timeline", "Timeline", timeline(pictures)),
        section("events", "Events", "What happened, and what it cost", events::table(run)),
        section("interactions", "Interactions", "Interactions", interactions::body(folder, run, pictures)),
        section("load", "Load", "Was it the benchmark's load?", compliance::section(run)),
        section("nodes", "Nodes", "Nodes", parts::nodes(folder, run, pictures)),
        section("servers", "Servers", "Database servers", parts::servers(folder, pictures)),
        section("generator", "Generator", "Generator", parts::generator(folder, run, pictures)),
        section("errors", "Errors", "Errors", parts::errors(folder, run)),
        section("consistency", "Consistency", "Consistency", consistency::body(folder, run)),
        section("limits", "Limits", "Limits", headline::thresholds(run)),
        section("repeat", "Repeat", "How to repeat it", repeat::body(folder, pictures)),
        section("method", "Method", "How the figures are found", repeat::method()),
    ]
}

/// The drawn pictures by name.
struct Pictures<'a>(&'a [Picture]);

impl Pictures<'_> {
    /// A picture as a figure; nothing where the folder has no data for it.
    fn shown(&self, name: &str) -> Option<Markup> {
        let picture = self.0.iter().find(|picture| picture.name == name)?;
        Some(html! {
            figure {
                // What is wider than a phone scrolls inside itself, by keys as well.
                div.wide tabindex="0" role="region" aria-label=(picture.title) { (PreEscaped(&picture.svg)) }
                figcaption { (links(picture)) }
            }
        })
    }
}

fn links(picture: &Picture) -> Markup {
    html! {
        a href=(format!("{}.svg", picture.name)) { "SVG" } " · "
        a href=(format!("{}.png", picture.name)) { "PNG" } " · "
        a href=(format!("{}.points.csv", picture.name)) { "points (CSV)" }
    }
}

/// A table that scrolls inside itself where it is wider than the page.
fn scrolled(name: &str, table: Markup) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label=(name) { (table) } }
}

fn timeline(pictures: &Pictures<'_>) -> Markup {
    let slides = ["throughput", "latency", "read_latency", "nodes_serving", "nodes", "resources"];
    let single: Vec<&Picture> = pictures.0.iter().filter(|p| slides.contains(&p.name)).collect();
    html! {
        @match pictures.shown("timeline") {
            Some(figure) => (figure),
            None => p.muted { "No second of the load was recorded." },
        }
        @if !single.is_empty() {
            details {
                summary { "The same as single pictures for slides" }
                ul.small { @for picture in single { li { (picture.title) ": " (links(picture)) } } }
            }
        }
    }
}

/// A mark that says whether something was kept.
fn mark(kept: bool) -> Markup {
    html! { @if kept { span.good { "✓" } } @else { span.bad { "✗" } } }
}
