//! The part of the page that tells whether the load was the one that the benchmark describes.

use maud::{Markup, html};

use crate::{
    plot::axis::figure,
    summary::{Agreement, Compliance, Scaling, SessionLengths, Summary, Test, ThinkTimes},
    text::{count, tenth},
};

/// The section without its heading.
pub(super) fn section(run: &Summary) -> Markup {
    let found = &run.compliance;
    html! {
        (warm_up(run))
        @if *found == Compliance::default() {
            p.muted { "The folder tells nothing of the walks and think times of its browsers." }
        } @else {
            div.scroll { table {
                thead { tr { th { "figure" } th { "test" } th.n { "values" } th.n { "statistic" } th.n { "p" } th { "fits" } } }
                tbody { @for (name, test) in found.tests() { tr {
                    td { (name) } td { (test.name) } td.n { (count(test.n)) }
                    td.n { (statistic(test)) } td.n { (test.p.map_or("–".to_owned(), chance)) }
                    td { (mark(test.verdict)) }
                } } }
            } }
            @if let Some(think) = &found.think_time { (think_words(think)) }
            @if let Some(lengths) = &found.session_length { (session_words(lengths)) }
            @if let Some(scaling) = &found.scaling { (scaling_words(scaling)) }
        }
    }
}

fn warm_up(run: &Summary) -> Markup {
    let Some(warm_up) = &run.warm_up else { return html! {} };
    let how = match warm_up.steady {
        None => "as told; nobody looked whether the load was steady".to_owned(),
        Some(true) => format!("until throughput and 90th percentile were steady ({})", warm_up.method),
        Some(false) => {
            format!("its most, and the load was not steady ({}): {}", warm_up.method, warm_up.reason)
        }
    };
    html! { p { "Warm-up of " (warm_up.seconds) " s: "
    @if warm_up.steady == Some(false) { span.warn { (how) } } @else { (how) } "." } }
}

fn statistic(test: &Test) -> String {
    match test.freedom {
        Some(freedom) => format!("χ² {} ({freedom})", tenth(test.statistic)),
        None => format!("D {:.4}", test.statistic),
    }
}

fn chance(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("{p:.4}") }
}

fn mark(verdict: Agreement) -> Markup {
    match verdict {
        Agreement::Fits => html! { span.good { "✓" } },
        Agreement::DoesNotFit => html! { span.bad { "✗" } },
        Agreement::TooFew => html! { span.muted { "too few" } },
    }
}

fn think_words(think: &ThinkTimes) -> Markup {
    html! { p.small { "Think times: mean " (figure(think.mean_ms.round())) " ms, asked for "
    (figure(think.asked_ms)) " ms" @if !think.specification { " (the specification's is 7 s)" }
    @if think.beyond_cut > 0 { ", " span.bad { (count(think.beyond_cut)) " longer than ten means" } } "." } }
}

fn session_words(lengths: &SessionLengths) -> Markup {
    html! { p.small { "Session lengths are those drawn when a session began, of all " (count(lengths.planned.n))
    " sessions: " (count(lengths.ended)) " ended by themselves, the others were under way when the run ended, or given up. Mean "
    (figure(lengths.mean_s.round())) " s, asked for " (figure(lengths.asked_s)) " s"
    @if !lengths.specification { " (the specification's is 15 min)" }
    @if lengths.beyond_cut > 0 { ", " span.bad { (count(lengths.beyond_cut)) " longer than four means" } } "." } }
}

fn scaling_words(scaling: &Scaling) -> Markup {
    html! { p.small { "Scaling rule: " (tenth(scaling.wips)) " interactions a second of " (scaling.browsers)
    " browsers, which must lie between " (tenth(scaling.low)) " and " (tenth(scaling.high)) ": "
    @if scaling.within { span.good { "kept" } } @else { span.bad { "not kept" } }
    " (within " (figure(scaling.allowance_pct)) " % of chance)." } }
}
