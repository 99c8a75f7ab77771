//! Whether the generator itself kept up: the share of its busiest thread, and how late browsers woke up.

use crate::{
    folder::Folder,
    plot::{
        canvas::Stroke,
        palette::Colour,
        stack::{Axis, Keep, Series, Stack, Strip, columns_words, lines},
    },
    record::GeneratorRow,
    summary::Summary,
};

/// Above this share of a core a run is suspect, in per cent; as in [`crate::summary`]'s validity.
const SUSPECT_PCT: f64 = 80.0;

pub(super) fn draw(folder: &Folder, run: &Summary) -> Option<(String, String)> {
    let strips: Vec<Strip<'_>> = [busiest(folder), lateness(folder)].into_iter().flatten().collect();
    let subtitle = format!("The part of the program that plays the browsers{}", columns_words(folder));
    Stack { title: "The generator of the load", subtitle, named: false, strips, told: Vec::new() }
        .draw(folder, run)
}

fn series(folder: &Folder, name: &str, colour: Colour, figure: fn(&GeneratorRow) -> f64) -> Series {
    let values = folder.generator.iter().map(|row| (row.second, figure(row))).collect();
    Series { name: name.to_owned(), stroke: Stroke::new(colour, 1.6), values }
}

fn busiest(folder: &Folder) -> Option<Strip<'_>> {
    let share = series(folder, "in use", Colour::Blue, |row| row.cpu_share * 100.0);
    let name = "Busiest thread of the browsers, % of a core";
    let mut strip =
        lines(name, 64.0, vec![share], Axis::FromZero(100.0), (folder.spread.width_s(), Keep::Greatest))?;
    let limit = Stroke::new(Colour::Red, 1.2).dashed(5, 3);
    let words = format!("{SUSPECT_PCT:.0} %: beyond it the run is suspect");
    strip.legend.push((crate::plot::marks::Sample::Line(limit), words));
    let drawn = strip.draw;
    strip.draw = Box::new(move |canvas, panel, x| {
        drawn(canvas, panel, x);
        // The axis of a share goes to a round value above 100 %.
        let y = panel.up(0.0, crate::plot::axis::round_top(100.0));
        canvas.line((panel.left, y.at(SUSPECT_PCT)), (panel.right, y.at(SUSPECT_PCT)), limit);
    });
    Some(strip)
}

fn lateness(folder: &Folder) -> Option<Strip<'_>> {
    let all = vec![
        series(folder, "the latest", Colour::Grey, |row| row.late_max_ms),
        series(folder, "99 % are less late", Colour::Orange, |row| row.late_p99_ms),
        series(folder, "median", Colour::Blue, |row| row.late_p50_ms),
    ];
    lines("Browsers woke up late by, ms", 78.0, all, Axis::Log, (folder.spread.width_s(), Keep::Greatest))
}
