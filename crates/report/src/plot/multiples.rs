//! Each interaction over time, fourteen small panels on the same axes, with the specification's limit for the 90th percentile.

use crate::{
    folder::Folder,
    plot::{
        axis::{Panel, SMALL_SIZE, Scale, figure, log_ends},
        canvas::{Canvas, HPos, Stroke, Type},
        marks::{Sample, draw_sample, phases},
        palette::Colour,
        points::Points,
        runs,
        stack::Line,
    },
    record::InteractionRow,
    spread::Column,
};

/// Width of the picture.
const WIDTH: f64 = 1000.0;
/// Panels side by side.
const ACROSS: usize = 4;
/// Height of a panel.
const HIGH: f64 = 96.0;
/// Room above a panel for its name, and below.
const NAME: f64 = 30.0;
/// Room for the figures on the left.
const LEFT: f64 = 52.0;
/// Room between panels.
const GAP: f64 = 14.0;
/// Columns of a panel at most: as many as there is room to see.
const COLUMNS: usize = 80;

/// An interaction with its columns.
pub struct Panelled<'a> {
    /// Its row.
    pub row: &'a InteractionRow,
    /// Second, median, 90th percentile and the slowest; nothing where none ended.
    pub columns: Vec<(f64, Option<[f64; 3]>)>,
}

/// The interactions that have latencies over time, in the order of the table.
pub fn interactions(folder: &Folder, most_columns: usize) -> Vec<Panelled<'_>> {
    let spread = &folder.spread;
    let together = spread.all.len().div_ceil(most_columns).max(1);
    let width = f64::from(spread.width_s()) * together as f64;
    let told = |(at, columns): (usize, &[Column])| {
        let mut whole = Column::default();
        columns.iter().for_each(|column| whole.merge(column));
        let figures = (|| Some([whole.quantile_ms(0.5)?, whole.quantile_ms(0.9)?, whole.max_ms()?]))();
        ((at as f64 + 0.5) * width, figures)
    };
    let known = folder
        .interactions
        .iter()
        .filter_map(|row| Some((row, spread.by_interaction.get(&row.interaction)?)));
    known
        .map(|(row, columns)| Panelled {
            row,
            columns: columns.chunks(together).enumerate().map(told).collect(),
        })
        .collect()
}

pub(super) fn draw(folder: &Folder) -> Option<(String, String)> {
    let all = interactions(folder, COLUMNS);
    all.first()?;
    let rows = all.len().div_ceil(ACROSS);
    let height = 78.0 + rows as f64 * (HIGH + NAME) + 30.0;
    let mut canvas = Canvas::sized("Each interaction over time", (WIDTH, height));
    head(&mut canvas);
    let values =
        all.iter().flat_map(|p| p.columns.iter().filter_map(|c| c.1).flatten().chain([p.row.limit_ms]));
    let ends = log_ends(values);
    let wide = (WIDTH - LEFT - 16.0 - GAP * (ACROSS - 1) as f64) / ACROSS as f64;
    for (number, panelled) in all.iter().enumerate() {
        let (row, column) = (number / ACROSS, number % ACROSS);
        let left = LEFT + column as f64 * (wide + GAP);
        let top = 78.0 + row as f64 * (HIGH + NAME) + 18.0;
        let panel = Panel { left, top, right: left + wide, bottom: top + HIGH };
        one(&mut canvas, folder, panelled, &panel, (ends, column == 0, number + ACROSS >= all.len()));
    }
    Some((canvas.finish(), points(&all)))
}

fn head(canvas: &mut Canvas) {
    canvas.text(12.0, 24.0, "Each interaction over time", Type::new(18.0, Colour::Ink).bold());
    let style = Type::new(12.5, Colour::Muted);
    let words = "Latency in ms on one log axis for all; seconds since the start of the load across; beside each name how many \
                 ended well in the measured time";
    canvas.text(12.0, 44.0, words, style);
    let mut x = 12.0;
    for (sample, words) in [
        (Sample::Line(Stroke::new(Colour::Blue, 2.0)), "median"),
        (Sample::Area(Colour::Sky, 0.35), "to the 90th percentile"),
        (Sample::Dot(Colour::Grey), "the slowest"),
        (Sample::Line(Stroke::new(Colour::Red, 1.6)), "limit of the 90th percentile"),
    ] {
        let style = Type::new(12.5, Colour::Ink);
        draw_sample(canvas, sample, (x, 62.0), 20.0);
        canvas.text(x + 26.0, 66.0, words, style);
        x += 26.0 + style.width(words) + 18.0;
    }
}

fn one(
    canvas: &mut Canvas,
    folder: &Folder,
    panelled: &Panelled<'_>,
    panel: &Panel,
    (ends, first, last): ((f64, f64), bool, bool),
) {
    let row = panelled.row;
    let (x, y) = (panel.across(0.0, f64::from(folder.load_seconds())), panel.up_log(ends));
    for phase in phases(folder).iter().filter(|phase| !phase.measured) {
        let (from, to) = (x.at(phase.from), x.at(phase.to));
        canvas.rect(from, panel.top, to - from, panel.height(), Colour::Band, 1.0);
    }
    axes(canvas, panel, (&x, &y), (first, last));
    let place = |which: usize| {
        panelled
            .columns
            .iter()
            .map(move |(second, f)| Some((x.at(*second), y.at(f.as_ref()?[which].max(ends.0)))))
    };
    for (below, above) in runs(place(0)).iter().zip(runs(place(1))) {
        let outline: Line = above.iter().chain(below.iter().rev()).copied().collect();
        canvas.area(&outline, Colour::Sky, 0.35);
    }
    let slowest: Line = place(2).flatten().collect();
    canvas.dots(&slowest, 1.1, Colour::Grey, 0.9);
    for run in runs(place(0)) {
        canvas.path(&run, Stroke::new(Colour::Blue, 1.5));
        if let [only] = run.as_slice() {
            canvas.dots(&[*only], 1.2, Colour::Blue, 1.0);
        }
    }
    if row.limit_ms > 0.0 {
        canvas.line(
            (panel.left, y.at(row.limit_ms)),
            (panel.right, y.at(row.limit_ms)),
            Stroke::new(Colour::Red, 1.6),
        );
    }
    let name = row.interaction.replace('_', " ");
    let style = Type::new(12.5, if row.within_limit { Colour::Ink } else { Colour::Red }).bold();
    canvas.text(panel.left, panel.top - 5.0, &name, style);
    let count = Type::new(SMALL_SIZE, Colour::Muted).at(HPos::Right);
    canvas.text(panel.right, panel.top - 5.0, &figure(row.count as f64), count);
}

/// Figures only where panels begin: on the left, and in the lowest of each column.
fn axes(canvas: &mut Canvas, panel: &Panel, (x, y): (&Scale, &Scale), (first, last): (bool, bool)) {
    for tick in y.few_ticks(6) {
        let at = y.at(tick);
        canvas.line((panel.left, at), (panel.right, at), Stroke::new(Colour::Grid, 1.0));
        if first {
            let style = Type::new(SMALL_SIZE, Colour::Muted).at(HPos::Right);
            canvas.text(panel.left - 6.0, at + 4.0, &figure(tick), style);
        }
    }
    canvas.line((panel.left, panel.bottom), (panel.right, panel.bottom), Stroke::new(Colour::Muted, 0.8));
    if last {
        for tick in x.few_ticks(5) {
            let style = Type::new(SMALL_SIZE, Colour::Muted).at(HPos::Center);
            canvas.text(x.at(tick).min(panel.right - 10.0), panel.bottom + 15.0, &figure(tick), style);
        }
    }
}

fn points(all: &[Panelled<'_>]) -> String {
    let mut points = Points::new("second", "ms");
    for Panelled { row, columns } in all {
        for (which, name) in ["p50", "p90", "max"].into_iter().enumerate() {
            let line = columns.iter().filter_map(|(second, f)| Some((*second, f.as_ref()?[which])));
            points = points.series(&format!("{} {name}", row.interaction), line);
        }
    }
    points.finish()
}
