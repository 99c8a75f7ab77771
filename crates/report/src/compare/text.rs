//! A comparison in a few lines for a terminal.

use std::fmt::Write;

use super::{Change, Comparison, Figure};

/// The table that `tpcw compare` prints. Ends with a line break.
pub fn text(found: &Comparison) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:<34}{:>11}{:>11}{:>9}  {:<20}answer",
        "figure", "baseline", "candidate", "change", "may lie in"
    );
    for figure in &found.figures {
        let name = if figure.gates { format!("{} *", figure.name) } else { figure.name.clone() };
        let _ = writeln!(
            text,
            "{name:<34}{:>11}{:>11}{:>9}  {:<20}{}",
            short(figure.baseline),
            short(figure.candidate),
            change(figure),
            interval(figure),
            figure.verdict.name()
        );
    }
    let _ = writeln!(text, "* these decide whether the whole has an answer");
    for note in &found.notes {
        let _ = writeln!(text, "note: {note}");
    }
    let _ = writeln!(text, "verdict: {}{}", found.verdict.name(), because(found));
    text
}

/// The change with its unit.
pub(super) fn change(figure: &Figure) -> String {
    format!("{:+.1} {}", figure.change, unit(figure))
}

/// The interval with its unit.
pub(super) fn interval(figure: &Figure) -> String {
    figure
        .interval
        .map_or("too few blocks".to_owned(), |(low, high)| format!("{low:+.1} … {high:+.1} {}", unit(figure)))
}

fn unit(figure: &Figure) -> &'static str {
    if figure.name == "errors_pct" { "pp" } else { "%" }
}

/// Three digits are enough for the eye; the JSON has more.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Which figures made the verdict.
pub(super) fn because(found: &Comparison) -> String {
    let of = |verdict, gates_only: bool| {
        let names = found.figures.iter().filter(|f| f.verdict == verdict && (f.gates || !gates_only));
        names.map(|figure| figure.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    match found.verdict {
        Change::Regressed => format!(" ({})", of(Change::Regressed, false)),
        Change::Improved => format!(" ({})", of(Change::Improved, true)),
        Change::Inconclusive => match of(Change::Inconclusive, true) {
            names if names.is_empty() => " (nothing to compare)".to_owned(),
            names => format!(" ({names}: more or longer runs are needed, interleaved ones at best)"),
        },
        Change::Unchanged => format!(" (within {} %)", found.options.smallest_effect_pct),
    }
}
