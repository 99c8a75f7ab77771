//! The interactions: how many, how fast, against the mix and the limits.

use std::fmt::Write;

use maud::{Markup, html};

use super::{Pictures, mark, scrolled};
use crate::{
    folder::Folder,
    plot::{Panelled, interactions},
    record::InteractionRow,
    summary::Summary,
    text::{count, tenth},
};

/// Size of a sparkline in pixels.
const SPARK: (f64, f64) = (110.0, 22.0);
/// Its columns at most.
const COLUMNS: usize = 55;
/// Interactions in which customers only look, by the specification's grouping; the others order.
const BROWSE: [&str; 6] =
    ["home", "new_products", "best_sellers", "product_detail", "search_request", "search_results"];

/// Table, pictures over time and distributions.
pub(super) fn body(folder: &Folder, run: &Summary, pictures: &Pictures<'_>) -> Markup {
    if folder.interactions.is_empty() {
        return html! { p.muted { "No interaction was recorded." } };
    }
    html! {
        (scrolled("interactions", table(folder)))
        p.small.muted { (groups(folder)) @if let Some(p) = run.mix_p {
            " Chi-square test of the shares against the mix: p = " (p) "."
        } }
        @for name in ["interactions", "distribution", "slower", "percentiles", "think_times"] {
            @if let Some(figure) = pictures.shown(name) { (figure) }
        }
    }
}

fn table(folder: &Folder) -> Markup {
    let over_time = interactions(folder, COLUMNS);
    html! { table {
        thead { tr {
            th { "interaction" } th { "p90 over time" } th.n { "count" } th.n { "errors" } th.n { "share, %" } th.n { "mix, %" }
            th.n { "p50, ms" } th.n { "p90" } th.n { "p99" } th.n { "max" } th.n { "limit of p90" } th { "kept" }
        } }
        tbody { @for r in &folder.interactions { tr {
            td.name { (r.interaction.replace('_', " ")) }
            td { @if let Some(panelled) = over_time.iter().find(|p| p.row.interaction == r.interaction) { (spark(panelled)) } }
            td.n { (count(r.count)) } td.n { (count(r.errors)) }
            td.n { (hundredth(r.share_pct)) }
            td.n { @if r.target_share_pct > 0.0 { (hundredth(r.target_share_pct)) } @else { "–" } }
            @for value in [r.p50_ms, r.p90_ms, r.p99_ms, r.max_ms] {
                td.n { @if r.count > 0 { (tenth(value)) } @else { "–" } }
            }
            td.n { @if r.limit_ms > 0.0 { (tenth(r.limit_ms)) } @else { "–" } }
            td { @if r.count == 0 || r.limit_ms <= 0.0 { "–" } @else { (mark(r.within_limit)) } }
        } } }
    } }
}

/// The 90th percentile over time from its own least to its own greatest, in equal factors: a shape, no scale.
fn spark(panelled: &Panelled<'_>) -> Markup {
    let values: Vec<(f64, Option<f64>)> =
        panelled.columns.iter().map(|(second, figures)| (*second, figures.map(|f| f[1]))).collect();
    let known = || values.iter().filter_map(|v| v.1);
    let (least, most) = (known().fold(f64::MAX, f64::min), known().fold(f64::MIN_POSITIVE, f64::max));
    // What hardly moves stays flat.
    let decades = (most / least).log10().max(0.5);
    let end = values.last().map_or(1.0, |v| v.0);
    let mut path = String::new();
    let mut pen = 'M';
    for (second, value) in &values {
        let Some(value) = value else {
            pen = 'M';
            continue;
        };
        let height = (value / least).log10() / decades * (SPARK.1 - 3.0);
        let (x, y) = (second / end * (SPARK.0 - 2.0) + 1.0, SPARK.1 - 1.0 - height);
        let _ = write!(path, "{pen}{x:.1} {y:.1}");
        if pen == 'M' {
            // A column between two gaps is a dot.
            path.push_str("h0");
        }
        pen = 'L';
    }
    let name = panelled.row.interaction.replace('_', " ");
    html! {
        svg.spark width=(SPARK.0) height=(SPARK.1) viewBox=(format!("0 0 {} {}", SPARK.0, SPARK.1)) role="img"
            aria-label={ "90th percentile of " (name) " over time, at most " (tenth(most)) " ms" } {
            path d=(path) fill="none" stroke="#0072B2" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round" {}
        }
    }
}

/// Two decimals, so that shares stand below each other.
fn hundredth(value: f64) -> String {
    if value.is_finite() { format!("{value:.2}") } else { "–".to_owned() }
}

/// The specification's two groups of the mix.
fn groups(folder: &Folder) -> String {
    let share = |wanted: bool, of: fn(&InteractionRow) -> f64| -> f64 {
        let rows = folder.interactions.iter();
        rows.filter(|r| BROWSE.contains(&r.interaction.as_str()) == wanted).map(of).sum()
    };
    let words = |wanted: bool| {
        let (found, mix) = (share(wanted, |r| r.share_pct), share(wanted, |r| r.target_share_pct));
        let asked = if mix > 0.0 { format!(" (mix {} %)", hundredth(mix)) } else { String::new() };
        format!("{} %{asked}", hundredth(found))
    };
    format!("Browse group {}, order group {}.", words(true), words(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_breaks_where_nothing_ended() {
        let row = InteractionRow { interaction: "home".to_owned(), ..InteractionRow::default() };
        let columns = vec![
            (0.5, Some([1.0, 2.0, 3.0])),
            (1.5, None),
            (2.5, Some([1.0, 4.0, 5.0])),
            (3.5, Some([1.0, 1.0, 5.0])),
        ];
        let drawn = spark(&Panelled { row: &row, columns }).into_string();
        assert!(drawn.contains("d=\"M16.4 11.5h0M78.1 2.0h0L109.0 21.0\""), "{drawn}");
    }
}
