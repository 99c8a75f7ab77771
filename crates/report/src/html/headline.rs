//! The top of the page: can the figures be believed, were the limits held, and the run in a dozen figures.

use maud::{Markup, html};

use super::{intervals::Intervals, mark, scrolled};
use crate::{
    folder::Folder,
    plot::axis::figure,
    record::{PART_BALANCER, PART_GENERATOR},
    statistics::bootstrap::Interval,
    summary::{Summary, ValidityState, Verdict},
    text::{audit_words, count, tenth},
};

/// Whether every limit was held, and whether the figures can be believed.
pub(super) fn verdict(run: &Summary) -> Markup {
    let held = run.thresholds.iter().filter(|t| t.held).count();
    let of = run.thresholds.len();
    html! {
        section id="verdict" class={ "verdict " (run.verdict.name()) } aria-label="verdict" {
            p {
                strong class=(if run.verdict == Verdict::Pass { "good" } else { "bad" }) {
                    @if run.verdict == Verdict::Pass { "PASS" } @else { "FAIL" }
                }
                " · " (held) " of " a href="#limits" { (of) " limits" } " held · run "
                strong class=(class_of(run.validity.state)) { (run.validity.state.name().to_uppercase()) }
                @if run.validity.reasons.is_empty() { ": nothing speaks against the figures" }
            }
            @for t in run.thresholds.iter().filter(|t| !t.held) {
                p.bad { "not held: " (t.name.replace('_', " ")) ", " (t.value.map_or("unknown".to_owned(), figure)) ", limit " (figure(t.limit)) }
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

/// A figure with its unit, what it is, and what else is to be known of it.
struct Tile {
    value: String,
    name: &'static str,
    beside: String,
}

/// The headline.
pub(super) fn tiles(folder: &Folder, run: &Summary) -> Markup {
    let tiles = [load(folder, run), cost(run), generator(folder, run)].into_iter().flatten();
    html! {
        section id="headline" class="tiles" aria-label="headline" {
            @for Tile { value, name, beside } in tiles {
                div.tile { b { (value) } span { (name) } @if !beside.is_empty() { small { (beside) } } }
            }
        }
        p.small.muted { (run.measured_s) " s measured of " (run.load_s) " s of load. Latency counts from when an interaction "
            "was due to when it was done, its failed tries included. In brackets: 95 % intervals, by a bootstrap over blocks of the "
            "measured time; none where the load changed. Audit: " (audit_words(run)) "." }
    }
}

fn load(folder: &Folder, run: &Summary) -> Vec<Tile> {
    let intervals = Intervals::of(folder);
    let l = &run.latency_ms;
    let tile = |value, name, beside: String| Tile { value, name, beside };
    let latency = |value: f64, name, interval: Option<Interval>| {
        let value = if run.interactions > 0 { format!("{} ms", digits(value)) } else { "–".to_owned() };
        tile(value, name, words(interval))
    };
    vec![
        tile(digits(run.wips), "interactions a second (WIPS)", words(intervals.wips)),
        tile(
            count(run.interactions),
            "interactions measured",
            format!("{} browsers at the peak", run.sessions),
        ),
        latency(l.p50, "median latency", intervals.p50),
        latency(l.p90, "90 % are faster", intervals.p90),
        latency(l.p99, "99 % are faster", intervals.p99),
        latency(l.max, "the slowest", None),
    ]
}

fn cost(run: &Summary) -> Vec<Tile> {
    let tile = |value, name, beside: String| Tile { value, name, beside };
    let errors = run.error_pct().map_or("–".to_owned(), |pct| format!("{} %", figure(pct)));
    let unavailable: f64 = run.events.iter().filter_map(|e| e.unavailable_ms).sum::<f64>() / 1000.0;
    let followed = run.events.iter().any(|e| e.unavailable_ms.is_some());
    let audited = |value: String| if run.audit.is_some() { value } else { "not audited".to_owned() };
    let audit = run.audit.clone().unwrap_or_default();
    vec![
        tile(errors, "of all tries failed", format!("{} tries", count(run.errors))),
        tile(
            if followed { format!("{} s", tenth(unavailable)) } else { "–".to_owned() },
            "unavailable",
            "without any answer, all events".to_owned(),
        ),
        tile(
            audited(format!("{} / {}", audit.lost, audit.duplicated)),
            "orders lost / duplicated",
            format!("of {} acknowledged", count(audit.acknowledged_orders)),
        ),
        tile(audited(count(audit.stale_reads)), "stale reads", "older than their browser knew".to_owned()),
    ]
}

fn generator(folder: &Folder, run: &Summary) -> Vec<Tile> {
    let tile = |value, name, beside: String| Tile { value, name, beside };
    let mut shares: Vec<f64> = measured_shares(folder);
    shares.sort_by(f64::total_cmp);
    let busiest =
        shares.last().map_or("–".to_owned(), |most| format!("{} %", figure((most * 100.0).round())));
    let median =
        shares.get(shares.len() / 2).map_or(String::new(), |m| format!("median {} %", tenth(m * 100.0)));
    let late = run
        .lateness_ms
        .as_ref()
        .map_or(String::new(), |l| format!("99 % less than {} ms late", tenth(l.p99)));
    let beside = [median, late].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(", ");
    let mut tiles = vec![tile(busiest, "of a core: generator's busiest second", beside)];
    let statements = run.statements.reads + run.statements.writes;
    let micros = |part: &str| per_statement(folder, part, statements).map(|us| format!("{} µs", tenth(us)));
    if let Some(us) = micros(PART_GENERATOR) {
        let beside = micros(PART_BALANCER).map_or(String::new(), |us| format!("balancer {us}"));
        tiles.push(tile(us, "generator's processor time a statement", beside));
    }
    tiles
}

fn measured_shares(folder: &Folder) -> Vec<f64> {
    let measured: std::collections::BTreeSet<u32> = folder.measured().map(|s| s.second).collect();
    let rows = folder.generator.iter().filter(|row| measured.contains(&row.second));
    rows.map(|row| row.cpu_share).collect()
}

/// Processor time of a part over the measured seconds for each statement in them, in µs.
fn per_statement(folder: &Folder, part: &str, statements: u64) -> Option<f64> {
    let measured: std::collections::BTreeSet<u32> = folder.measured().map(|s| s.second).collect();
    let rows = folder.resources.iter().filter(|row| row.part == part && measured.contains(&row.second));
    let used: Vec<f64> = rows.filter_map(|row| row.cpu_cores).collect();
    (!used.is_empty() && statements > 0).then(|| used.iter().sum::<f64>() * 1e6 / statements as f64)
}

/// Three digits that count.
fn digits(value: f64) -> String {
    if value >= 100.0 {
        figure(value.round())
    } else if value >= 10.0 {
        tenth(value)
    } else {
        figure((value * 100.0).round() / 100.0)
    }
}

fn words(interval: Option<Interval>) -> String {
    interval.map_or(String::new(), |i| format!("[{} … {}]", digits(i.low), digits(i.high)))
}

/// Every limit with what was found.
pub(super) fn thresholds(run: &Summary) -> Markup {
    if run.thresholds.is_empty() {
        return html! { p.muted { "The workload sets none." } };
    }
    scrolled(
        "limits",
        html! { table {
            thead { tr { th { "limit" } th.n { "allowed" } th.n { "found" } th { "held" } } }
            tbody { @for t in &run.thresholds { tr {
                td { (t.name) } td.n { (figure(t.limit)) } td.n { (t.value.map_or("unknown".to_owned(), figure)) }
                td { (mark(t.held)) }
            } } }
        } },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_that_count() {
        let shown = [0.123, 9.876, 98.76, 987.6, 12_345.6].map(digits);
        assert_eq!(shown, ["0.12", "9.88", "98.8", "988", "12\u{a0}346"]);
        assert_eq!(words(Some(Interval { low: 1.0, high: 2.5 })), "[1 … 2.5]");
    }
}
