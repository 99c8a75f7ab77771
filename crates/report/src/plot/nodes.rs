//! Reads and writes a second by node, stacked, in two panels over one axis of time.

use std::collections::BTreeMap;

use crate::{
    folder::Folder,
    plot::{
        axis::{Panel, Scale, round_top},
        canvas::Canvas,
        marks::{Heading, NAME_BELOW, Sample, TIME, event_lines, over_time},
        palette::{Colour, SERIES},
    },
    record::NodeRow,
};

/// Steps across a panel at most; longer runs show means of several seconds, or the file would grow with the run.
const STEPS: u32 = 300;
/// Room between the two panels.
const GAP: f64 = 18.0;

pub(super) fn draw(folder: &Folder) -> Option<String> {
    folder.nodes.first()?;
    let names: Vec<&str> = folder.node_names().into_iter().collect();
    let legend: Vec<(Sample, String)> = names
        .iter()
        .enumerate()
        .map(|(n, name)| (Sample::Area(colour(n), 0.85), (*name).to_owned()))
        .collect();
    let words = Heading {
        title: "Reads and writes by node",
        subtitle: "Statements that each node answered, a second, stacked: reads above, writes and transactions below",
        legend: &legend,
    };
    let mut canvas = Canvas::new(words.title);
    let (whole, x) = over_time(&mut canvas, folder, &words, 40.0);
    let middle = whole.top + (whole.height() - GAP) * 0.6;
    let upper = Panel { bottom: middle, ..whole };
    let lower = Panel { top: middle + GAP, ..whole };
    canvas.rect(whole.left - 1.0, middle, whole.width() + 2.0, GAP, Colour::Background, 1.0);
    let reads = stacked(&mut canvas, folder, &names, (&upper, &x), |row| row.reads);
    upper.left_axis(&mut canvas, &reads, "reads per second");
    let writes = stacked(&mut canvas, folder, &names, (&lower, &x), |row| row.writes);
    lower.left_axis(&mut canvas, &writes, "writes per second");
    upper.lower_line(&mut canvas);
    lower.lower_axis(&mut canvas, &x, TIME, NAME_BELOW);
    // After the data, which covers its panel.
    event_lines(&mut canvas, folder, &[&upper, &lower], &x, Some(Colour::Ink));
    Some(canvas.finish())
}

fn colour(node: usize) -> Colour {
    SERIES[node % SERIES.len()]
}

/// One panel of stacked steps; gives its scale.
fn stacked(
    canvas: &mut Canvas,
    folder: &Folder,
    names: &[&str],
    (panel, x): (&Panel, &Scale),
    figure: fn(&NodeRow) -> u64,
) -> Scale {
    let width = folder.load_seconds().div_ceil(STEPS).max(1);
    let mut steps: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for row in &folder.nodes {
        let node = names.iter().position(|n| *n == row.node).unwrap_or(0);
        let step = steps.entry(row.second / width * width).or_insert_with(|| vec![0.0; names.len()]);
        step[node] += figure(row) as f64 / f64::from(width);
    }
    let most = steps.values().map(|nodes| nodes.iter().sum::<f64>()).fold(0.0, f64::max);
    let y = panel.up(0.0, round_top(most));
    for node in (0..names.len()).rev() {
        let mut outline = vec![(x.at(0.0), y.at(0.0))];
        for (second, nodes) in &steps {
            let height = y.at(nodes[..=node].iter().sum::<f64>());
            let (from, to) = (f64::from(*second), f64::from(*second + width));
            outline.extend([(x.at(from), height), (x.at(to), height)]);
        }
        let end = outline.last().map_or(0.0, |p| p.0);
        outline.push((end, y.at(0.0)));
        // The background first, so that the stack's own colours do not mix with the bands'.
        canvas.area(&outline, Colour::Background, 1.0);
        canvas.area(&outline, colour(node), 0.85);
    }
    y
}
