//! Strips of stacked columns.

use super::{Line, Strip};
use crate::plot::{
    axis::{Panel, Scale, round_top},
    canvas::Canvas,
    marks::Sample,
    palette::Colour,
};

/// One part of each column.
#[derive(Debug)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its colour.
    pub colour: Colour,
    /// Counts by second; those of one second add up.
    pub counts: Vec<(u32, f64)>,
}

/// A strip of columns, a second of several standing for their mean; nothing where all counts are 0.
pub fn stacked<'a>(
    name: &str,
    height: f64,
    parts: Vec<Part>,
    load_s: u32,
    width_s: u32,
) -> Option<Strip<'a>> {
    let width_s = width_s.max(1);
    let columns: Vec<(Part, Vec<f64>)> = parts
        .into_iter()
        .map(|part| {
            let mut sums = vec![0.0; load_s.div_ceil(width_s) as usize];
            for (second, count) in part.counts.iter().filter(|(second, _)| *second < load_s) {
                sums[(second / width_s) as usize] += count / f64::from(width_s);
            }
            (part, sums)
        })
        .filter(|(_, sums)| sums.iter().any(|sum| *sum > 0.0))
        .collect();
    columns.first()?;
    let middle = move |at: usize| (at as f64 + 0.5) * f64::from(width_s);
    let series = columns
        .iter()
        .map(|(part, sums)| {
            let shown = sums.iter().enumerate().filter(|(_, sum)| **sum > 0.0);
            let line: Line = shown.map(|(at, sum)| (middle(at), *sum)).collect();
            (part.name.clone(), line)
        })
        .collect();
    let legend =
        columns.iter().map(|(part, _)| (Sample::Area(part.colour, 1.0), part.name.clone())).collect();
    let draw = move |canvas: &mut Canvas, panel: &Panel, x: &Scale| draw(canvas, &columns, width_s, panel, x);
    Some(Strip { name: name.to_owned(), height, legend, series, draw: Box::new(draw) })
}

fn draw(canvas: &mut Canvas, columns: &[(Part, Vec<f64>)], width_s: u32, panel: &Panel, x: &Scale) {
    let count = columns.first().map_or(0, |(_, sums)| sums.len());
    let mut heights = vec![0.0; count];
    columns.iter().for_each(|(_, sums)| heights.iter_mut().zip(sums).for_each(|(all, sum)| *all += sum));
    let y = panel.up(0.0, round_top(heights.iter().copied().fold(0.0, f64::max)));
    panel.small_axis(canvas, &y);
    // From the whole down: each part is covered by those before it, and what stays to be seen is its own.
    for (part, sums) in columns.iter().rev() {
        let ends = |at: usize| [at, at + 1].map(|end| x.at(end as f64 * f64::from(width_s)));
        let standing: Vec<usize> = (0..count).filter(|at| heights[*at] > 0.0).collect();
        for run in standing.chunk_by(|a, b| b - a == 1) {
            let mut outline = vec![(ends(run[0])[0], panel.bottom)];
            for &at in run {
                outline.extend(ends(at).map(|end| (end, y.at(heights[at]))));
            }
            outline.push((ends(run[run.len() - 1])[1], panel.bottom));
            canvas.area(&outline, part.colour, 1.0);
        }
        heights.iter_mut().zip(sums).for_each(|(left, sum)| *left -= sum);
        heights.iter_mut().filter(|left| **left < 1e-9).for_each(|left| *left = 0.0);
    }
}
