//! The pictures of a run, drawn from its folder alone: the same folder gives the same bytes.
//!
//! Every picture over time shows the phases as grey bands, each fault as a band from injection to healing, and each event as
//! a mark with a label. Most are slides; the page shows the run over time in one tall picture ([`stack`]) instead of many.
//!
//! Layout, marks and colours are ours; plotters maps values to places ([`axis`]) and writes the SVG ([`canvas`]).

pub mod axis;
pub mod canvas;
mod distribution;
mod generator;
mod latency;
mod littles_law;
mod marks;
mod multiples;
mod nodes;
pub mod palette;
mod percentiles;
mod points;
mod reads;
mod resources;
mod servers;
mod serving;
mod slower;
mod stack;
mod svg;
mod think;
mod throughput;
mod timeline;

pub(crate) use marks::{fault_words, phases};
pub(crate) use multiples::{Panelled, interactions};
pub(crate) use stack::causes;
pub(crate) use svg::without_hints;

use crate::{folder::Folder, summary::Summary};

/// Width of a slide in pixels.
pub const WIDTH: f64 = 1200.0;
/// Height of a slide in pixels.
pub const HEIGHT: f64 = 675.0;

/// A drawn picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Its file name without ending: `throughput`.
    pub name: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// The drawing.
    pub svg: String,
    /// Its points as CSV: `series`, x and y.
    pub points: String,
}

/// Draws all pictures that the folder has data for, in the order of the page.
pub fn all(folder: &Folder, summary: &Summary) -> Vec<Picture> {
    let picture = |name, title, svg: Option<String>, points: fn(&Folder) -> String| {
        svg.map(|svg| Picture { name, title, svg, points: points(folder) })
    };
    let slides = [
        picture("throughput", "Throughput over time", throughput::draw(folder, summary), points::throughput),
        picture("latency", "Latency over time", latency::draw(folder), points::latency),
        picture("percentiles", "Latency by percentile", percentiles::draw(folder), percentiles::points),
        picture("read_latency", "Read latency and scaling", reads::draw(folder, summary), points::reads),
        picture("nodes_serving", "Nodes in service", serving::draw(folder), points::serving),
        picture("nodes", "Reads and writes by node", nodes::draw(folder), points::nodes),
        picture(
            "distribution",
            "Latency by interaction against its limit",
            distribution::draw(folder),
            points::distribution,
        ),
        picture("think_times", "Think times", think::draw(folder), points::think_times),
        picture("resources", "Processor and memory", resources::draw(folder), resources::points),
    ];
    let whole = |name, title, drawn: Option<(String, String)>| {
        drawn.map(|(svg, points)| Picture { name, title, svg, points })
    };
    let tall = [
        whole("timeline", "The run over time", timeline::draw(folder, summary)),
        whole("interactions", "Each interaction over time", multiples::draw(folder)),
        whole("slower", "Slower than", slower::draw(folder)),
        whole("servers", "The database servers", servers::draw(folder, summary)),
        whole("generator", "The generator of the load", generator::draw(folder, summary)),
        whole("littles_law", littles_law::TITLE, littles_law::draw(folder, summary)),
    ];
    slides.into_iter().chain(tall).flatten().collect()
}

/// Mean of a series over a centred window of `width` seconds; where it has no value the line breaks (`None`).
fn moving_mean(values: &[Option<f64>], width: usize) -> Vec<Option<f64>> {
    let half = width / 2;
    (0..values.len())
        .map(|at| {
            values[at]?;
            let window = &values[at.saturating_sub(half)..(at + half + 1).min(values.len())];
            let known: Vec<f64> = window.iter().flatten().copied().collect();
            Some(known.iter().sum::<f64>() / known.len() as f64)
        })
        .collect()
}

/// The window of moving means in seconds: short where the run is.
fn window_of(folder: &Folder) -> usize {
    match folder.load_seconds() {
        0..=60 => 3,
        61..=300 => 5,
        301..=900 => 15,
        _ => 30,
    }
}

/// Parts of a series without a break, as points.
fn runs(points: impl Iterator<Item = Option<(f64, f64)>>) -> Vec<Vec<(f64, f64)>> {
    let mut runs = vec![Vec::new()];
    for point in points {
        match point {
            Some(point) => runs.last_mut().expect("never empty").push(point),
            None if runs.last().is_some_and(Vec::is_empty) => {}
            None => runs.push(Vec::new()),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_mean_breaks_where_the_series_does() {
        let values = [Some(1.0), Some(3.0), None, Some(10.0)];
        assert_eq!(moving_mean(&values, 3), [Some(2.0), Some(2.0), None, Some(10.0)]);
    }

    #[test]
    fn runs_part_at_gaps() {
        let points = [Some((0.0, 0.0)), None, None, Some((3.0, 1.0)), Some((4.0, 1.0))];
        assert_eq!(runs(points.into_iter()), [vec![(0.0, 0.0)], vec![(3.0, 1.0), (4.0, 1.0)]]);
    }
}
