//! Every interaction by when it ended and how long it took, counted in cells: what percentiles hide (two kinds of answers at once,
//! a queue that drains) is seen here, and so is every failed try. The slowest of each column has its dot, however few there are.

use crate::{
    folder::Folder,
    plot::{
        axis::{Panel, Scale, log_ends},
        canvas::Canvas,
        marks::Sample,
        palette::Colour,
        stack::{Line, Strip},
    },
    spread::{Column, PER_DECADE},
};

/// Cells of the columns drawn as one: an eighth of a decade.
const TOGETHER: usize = PER_DECADE / 8;
/// Shades from few to many; each level stands for some factor more than the one before.
const SHADES: [f64; 5] = [0.16, 0.32, 0.5, 0.72, 1.0];

/// A cell with its count.
struct Cell {
    column: usize,
    low: f64,
    high: f64,
    count: u64,
}

/// Time against latency of all interactions and failed tries; nothing where the folder has no histograms.
pub(super) fn outages(folder: &Folder) -> Option<Strip<'_>> {
    let spread = &folder.spread;
    let cells = cells(&spread.all);
    let most = cells.iter().map(|cell| cell.count).max()?;
    let failed = cells_middle(folder, &spread.failed);
    let slowest: Line = dots(folder, &spread.all);
    let mut legend = vec![
        (Sample::Area(Colour::Blue, SHADES[0]), "one interaction".to_owned()),
        (Sample::Area(Colour::Blue, SHADES[4]), format!("up to {most} in a cell")),
        (Sample::Dot(Colour::Ink), "the slowest of its column".to_owned()),
    ];
    if !failed.is_empty() {
        legend.push((Sample::Dot(Colour::Red), "tries that failed".to_owned()));
    }
    let middle = |cell: &Cell| (spread.middle(cell.column), (cell.low * cell.high).sqrt());
    let series = vec![
        ("cells that hold interactions".to_owned(), cells.iter().map(middle).collect()),
        ("the slowest".to_owned(), slowest.clone()),
        ("failed".to_owned(), failed.clone()),
    ];
    let draw = move |canvas: &mut Canvas, panel: &Panel, x: &Scale| {
        let values = cells.iter().flat_map(|c| [c.low.max(0.02), c.high]).chain(failed.iter().map(|p| p.1));
        let y = panel.up_log(log_ends(values));
        panel.small_axis(canvas, &y);
        let width = f64::from(spread.width_s());
        let edge = |column: usize| x.at(column as f64 * width);
        for (level, shade) in SHADES.into_iter().enumerate() {
            let of_level = cells.iter().filter(|cell| level_of(cell.count, most) == level);
            let corners: Vec<[(f64, f64); 2]> = of_level
                .map(|c| [(edge(c.column), y.at(c.high)), (edge(c.column + 1), y.at(c.low))])
                .collect();
            canvas.cells(&corners, Colour::Blue, shade);
        }
        let place =
            |line: &Line| -> Line { line.iter().map(|p| (x.at(p.0), y.at(p.1.max(y.low())))).collect() };
        canvas.dots(&place(&slowest), 1.3, Colour::Ink, 1.0);
        canvas.dots(&place(&failed), 2.4, Colour::Red, 1.0);
    };
    let name = "Every interaction, ms".to_owned();
    Some(Strip { name, height: 138.0, legend, series, draw: Box::new(draw) })
}

fn cells(columns: &[Column]) -> Vec<Cell> {
    let of = |(column, cells): (usize, &Column)| -> Vec<Cell> {
        cells.cells(TOGETHER).map(|(low, high, count)| Cell { column, low, high, count }).collect()
    };
    columns.iter().enumerate().flat_map(of).collect()
}

/// The middle of each cell.
fn cells_middle(folder: &Folder, columns: &[Column]) -> Line {
    cells(columns).iter().map(|c| (folder.spread.middle(c.column), (c.low * c.high).sqrt())).collect()
}

fn dots(folder: &Folder, columns: &[Column]) -> Line {
    let all = columns.iter().enumerate();
    all.filter_map(|(at, column)| Some((folder.spread.middle(at), column.max_ms()?))).collect()
}

/// The shade of a count: one alone has the lightest, the most the darkest, and equal factors are equal steps.
#[expect(clippy::cast_sign_loss, reason = "counts of 1 and more")]
fn level_of(count: u64, most: u64) -> usize {
    let share = (count as f64).ln() / (most as f64).ln().max(f64::MIN_POSITIVE);
    ((share * (SHADES.len() - 1) as f64).ceil() as usize).min(SHADES.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_seen_and_the_most_are_darkest() {
        assert_eq!([1, 2, 10, 999, 1000].map(|count| level_of(count, 1000)), [0, 1, 2, 4, 4]);
        assert_eq!(level_of(1, 1), 0);
    }
}
