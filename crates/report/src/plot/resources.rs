//! Processor time of each part, and the memory of its process, over time.

use std::collections::BTreeSet;

use crate::{
    folder::Folder,
    plot::{
        axis::{Panel, round_top},
        canvas::{Canvas, Stroke},
        marks::{Heading, NAME_BELOW, Sample, TIME, event_lines, over_time},
        palette::Colour,
        points::Points,
        stack::thinned,
        timeline::stroke_of_part,
    },
    record::{PART_MACHINE, ResourceRow},
};

/// Room between the two panels.
const GAP: f64 = 18.0;

pub(super) fn draw(folder: &Folder) -> Option<String> {
    folder.resources.iter().find(|row| row.cpu_cores.is_some())?;
    let parts: Vec<&str> = parts(folder);
    let stroke = |at: usize| Stroke { width: 2.0, ..stroke_of_part(folder, parts[at]) };
    let legend: Vec<(Sample, String)> =
        parts.iter().enumerate().map(|(at, part)| (Sample::Line(stroke(at)), (*part).to_owned())).collect();
    let words = Heading {
        title: "Processor and memory",
        subtitle: "Cores in use by each part (above), memory held by each process (below)",
        legend: &legend,
    };
    let mut canvas = Canvas::new(words.title);
    let (whole, x) = over_time(&mut canvas, folder, &words, 40.0);
    let middle = whole.top + (whole.height() - GAP) * 0.6;
    let upper = Panel { bottom: middle, ..whole };
    let lower = Panel { top: middle + GAP, ..whole };
    canvas.rect(whole.left - 1.0, middle, whole.width() + 2.0, GAP, Colour::Background, 1.0);
    event_lines(&mut canvas, folder, &[&upper, &lower], &x, None);
    for (panel, figure, name) in
        [(&upper, cores as fn(&ResourceRow) -> Option<f64>, "cores"), (&lower, memory, "memory, MiB")]
    {
        let shown: Vec<Vec<(f64, f64)>> = parts.iter().map(|part| line(folder, part, figure)).collect();
        let most = shown.iter().flatten().map(|point| point.1).fold(0.0, f64::max);
        let y = panel.up(0.0, round_top(most));
        panel.left_axis(&mut canvas, &y, name);
        for (at, points) in shown.iter().enumerate() {
            let path: Vec<(f64, f64)> =
                points.iter().map(|(second, value)| (x.at(*second), y.at(*value))).collect();
            canvas.path(&path, stroke(at));
        }
    }
    upper.lower_line(&mut canvas);
    lower.lower_axis(&mut canvas, &x, TIME, NAME_BELOW);
    Some(canvas.finish())
}

pub(super) fn points(folder: &Folder) -> String {
    let mut points = Points::new("second", "value");
    for part in parts(folder) {
        points = points.series(&format!("{part} cores"), line(folder, part, cores));
        points = points.series(&format!("{part} MiB"), line(folder, part, memory));
    }
    points.finish()
}

fn parts(folder: &Folder) -> Vec<&str> {
    let all: BTreeSet<&str> = folder.resources.iter().map(|row| row.part.as_str()).collect();
    all.into_iter().collect()
}

fn cores(row: &ResourceRow) -> Option<f64> {
    row.cpu_cores
}

/// That of the whole machine would hide all others.
fn memory(row: &ResourceRow) -> Option<f64> {
    row.memory_mib.filter(|_| row.part != PART_MACHINE)
}

fn line(folder: &Folder, part: &str, figure: fn(&ResourceRow) -> Option<f64>) -> Vec<(f64, f64)> {
    let rows = folder.resources.iter().filter(|row| row.part == part);
    let values = rows.filter_map(|row| Some((row.second, figure(row)?)));
    thinned(values, folder.spread.width_s()).iter().map(|column| (column.second, column.mean)).collect()
}
