//! Strips of lines.

use super::{Line, Strip, Thinned, thinned};
use crate::plot::{
    axis::{Panel, Scale, log_ends, round_top},
    canvas::{Canvas, Stroke},
    marks::Sample,
    runs,
};

/// How strongly the room between least and greatest values is filled.
const BAND: f64 = 0.16;

/// One line of a strip.
#[derive(Debug)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// How it is drawn.
    pub stroke: Stroke,
    /// Its values by second; a second without one is a gap.
    pub values: Vec<(u32, f64)>,
}

/// What is drawn of several seconds that share a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Their mean, with a band from the least to the greatest.
    Mean,
    /// The greatest: what counts of a lag or a lateness.
    Greatest,
}

/// The axis of a strip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Axis {
    /// Even, from 0 to a round value above the greatest, and to this one at least.
    FromZero(f64),
    /// Even between two values.
    Between(f64, f64),
    /// Logarithmic, wide enough for all values above 0.
    Log,
}

impl Axis {
    fn scale(self, panel: &Panel, values: impl Iterator<Item = f64>) -> Scale {
        match self {
            Self::FromZero(least) => panel.up(0.0, round_top(values.fold(least, f64::max))),
            Self::Between(low, high) => panel.up(low, high),
            Self::Log => panel.up_log(log_ends(values)),
        }
    }
}

/// A strip of lines; nothing where no line has a value.
pub fn lines<'a>(
    name: &str,
    height: f64,
    series: Vec<Series>,
    axis: Axis,
    (width_s, keep): (u32, Keep),
) -> Option<Strip<'a>> {
    let drawn: Vec<(Series, Vec<Thinned>)> = series
        .into_iter()
        .map(|series| {
            let thin = thinned(series.values.iter().copied(), width_s);
            (series, thin)
        })
        .filter(|(_, thin)| !thin.is_empty())
        .collect();
    drawn.first()?;
    let value = move |t: &Thinned| if keep == Keep::Mean { t.mean } else { t.high };
    let legend = drawn.iter().map(|(series, _)| (Sample::Line(series.stroke), series.name.clone())).collect();
    let series = drawn
        .iter()
        .flat_map(|(series, thin)| {
            let line: Line = thin.iter().map(|t| (t.second, value(t))).collect();
            let greatest = || thin.iter().map(|t| (t.second, t.high)).collect();
            let band = width_s > 1 && keep == Keep::Mean;
            let greatest = band.then(|| (format!("{} greatest", series.name), greatest()));
            [Some((series.name.clone(), line)), greatest].into_iter().flatten()
        })
        .collect();
    let draw = move |canvas: &mut Canvas, panel: &Panel, x: &Scale| {
        let y = axis.scale(panel, drawn.iter().flat_map(|(_, thin)| thin.iter().map(|t| t.high)));
        panel.small_axis(canvas, &y);
        let place = |second: f64, value: f64| (x.at(second), y.at(value.max(y.low())));
        for (series, thin) in &drawn {
            for run in unbroken(thin, width_s) {
                if width_s > 1 && keep == Keep::Mean {
                    let above = run.iter().map(|t| place(t.second, t.high));
                    let below = run.iter().rev().map(|t| place(t.second, t.low));
                    let outline: Vec<(f64, f64)> = above.chain(below).collect();
                    canvas.area(&outline, series.stroke.colour, BAND);
                }
                let path: Vec<(f64, f64)> = run.iter().map(|t| place(t.second, value(t))).collect();
                canvas.path(&path, series.stroke);
                if let [only] = path.as_slice() {
                    canvas.dots(&[*only], series.stroke.width, series.stroke.colour, 1.0);
                }
            }
        }
    };
    Some(Strip { name: name.to_owned(), height, legend, series, draw: Box::new(draw) })
}

/// Parts of a series between which a column is missing.
fn unbroken(thin: &[Thinned], width_s: u32) -> Vec<Vec<Thinned>> {
    thin.chunk_by(|a, b| b.second - a.second < 1.5 * f64::from(width_s.max(1))).map(<[_]>::to_vec).collect()
}

/// The same for plain points with gaps.
pub fn draw_runs(canvas: &mut Canvas, points: impl Iterator<Item = Option<(f64, f64)>>, stroke: Stroke) {
    for run in runs(points) {
        canvas.path(&run, stroke);
        if let [only] = run.as_slice() {
            canvas.dots(&[*only], stroke.width, stroke.colour, 1.0);
        }
    }
}
