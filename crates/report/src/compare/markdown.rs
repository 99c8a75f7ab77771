//! A comparison as Markdown, for a pull request.

use std::fmt::Write;

use super::{
    Change, Comparison,
    text::{because, change, interval, short},
};

/// The gates and whatever has changed stand in the table; the rest is folded away.
pub fn markdown(found: &Comparison) -> String {
    let mut text = String::new();
    let sign = match found.verdict {
        Change::Improved => "🟢",
        Change::Unchanged => "⚪",
        Change::Regressed => "🔴",
        Change::Inconclusive => "🟡",
    };
    let _ = writeln!(text, "### {sign} tpcw: {}{}\n", found.verdict.name(), because(found));
    let told = |figure: &&super::Figure| {
        figure.gates || matches!(figure.verdict, Change::Regressed | Change::Improved)
    };
    table(&mut text, found.figures.iter().filter(told));
    let rest: Vec<&super::Figure> = found.figures.iter().filter(|figure| !told(figure)).collect();
    if !rest.is_empty() {
        let _ = writeln!(text, "\n<details><summary>{} more figures</summary>\n", rest.len());
        table(&mut text, rest.into_iter());
        let _ = writeln!(text, "\n</details>");
    }
    for note in &found.notes {
        let _ = writeln!(text, "\n> {note}");
    }
    let _ = writeln!(
        text,
        "\nSmallest effect of interest {} %, false alarms at most {} %, blocks of {} s. TPC-W-like, unaudited.",
        found.options.smallest_effect_pct,
        100.0 * found.options.level,
        found.options.block_s
    );
    text
}

fn table<'a>(text: &mut String, figures: impl Iterator<Item = &'a super::Figure>) {
    let _ = writeln!(
        text,
        "| figure | baseline | candidate | change | may lie in | answer |\n|---|--:|--:|--:|---|---|"
    );
    for figure in figures {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            figure.name,
            short(figure.baseline),
            short(figure.candidate),
            change(figure),
            interval(figure),
            figure.verdict.name()
        );
    }
}
