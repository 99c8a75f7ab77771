//! The nodes: state and role, what each answered, how far behind it was.

use crate::{
    folder::Folder,
    plot::{
        axis::{Panel, SMALL_SIZE, Scale},
        canvas::{Canvas, HPos, Stroke, Type},
        marks::Sample,
        palette::Colour,
        serving,
        stack::{Axis, Keep, Part, Series, Strip, colour_of_node, lines, stacked},
    },
    record::NodeRow,
};

/// Height of a node's lane in pixels.
const LANE: f64 = 15.0;

/// A lane a node: primary, replica, down, …
pub(super) fn states(folder: &Folder) -> Option<Strip<'_>> {
    folder.nodes.first()?;
    let names: Vec<&str> = folder.node_names().into_iter().collect();
    let legend =
        serving::LOOKS.map(|(words, colour, opacity)| (Sample::Area(colour, opacity), words.to_owned()));
    let counts = folder.seconds.iter().map(|s| (f64::from(s.second), f64::from(s.serving_nodes)));
    let series = vec![("in service".to_owned(), counts.collect())];
    let height = names.len() as f64 * LANE + 2.0;
    let draw = move |canvas: &mut Canvas, panel: &Panel, x: &Scale| {
        for (number, name) in names.iter().enumerate() {
            let top = panel.top + 2.0 + number as f64 * LANE;
            let lane = Panel { top, bottom: top + LANE - 3.0, ..*panel };
            let style = Type::new(SMALL_SIZE, Colour::Muted).at(HPos::Right);
            canvas.text(lane.left - 6.0, lane.bottom - 2.0, &short(name), style);
            serving::states(canvas, folder, name, (&lane, x), SMALL_SIZE - 1.0);
        }
    };
    Some(Strip { name: "Nodes".to_owned(), height, legend: legend.to_vec(), series, draw: Box::new(draw) })
}

/// A name as far as there is room for it.
fn short(name: &str) -> String {
    if name.chars().count() <= 7 { name.to_owned() } else { name.chars().take(6).chain(['…']).collect() }
}

pub(super) fn reads(folder: &Folder) -> Option<Strip<'_>> {
    answered(folder, "Reads a second, by node", 74.0, |row| row.reads)
}

pub(super) fn writes(folder: &Folder) -> Option<Strip<'_>> {
    answered(folder, "Writes and transactions a second, by node", 52.0, |row| row.writes)
}

fn answered<'a>(
    folder: &'a Folder,
    name: &str,
    height: f64,
    figure: fn(&NodeRow) -> u64,
) -> Option<Strip<'a>> {
    let part = |node: &str| Part {
        name: node.to_owned(),
        colour: colour_of_node(folder, node),
        counts: of_node(folder, node).map(|row| (row.second, figure(row) as f64)).collect(),
    };
    let parts = folder.node_names().into_iter().map(part).collect();
    stacked(name, height, parts, folder.load_seconds(), folder.spread.width_s())
}

/// By the heartbeat row where that was looked for, as the balancer saw it else.
pub(super) fn lag(folder: &Folder) -> Option<Strip<'_>> {
    let beaten = folder.resources.iter().any(|row| row.lag_ms.is_some());
    let series = |node: &str| {
        let values = if beaten {
            let rows = folder.resources.iter().filter(|row| row.part == node);
            rows.filter_map(|row| Some((row.second, row.lag_ms?))).collect()
        } else {
            of_node(folder, node).filter_map(|row| Some((row.second, row.lag_ms?))).collect()
        };
        Series { name: node.to_owned(), stroke: Stroke::new(colour_of_node(folder, node), 1.5), values }
    };
    let all = folder.node_names().into_iter().map(series).collect();
    lines("Lag behind the primary, ms", 52.0, all, Axis::Log, (folder.spread.width_s(), Keep::Greatest))
}

fn of_node<'a>(folder: &'a Folder, node: &'a str) -> impl Iterator<Item = &'a NodeRow> {
    folder.nodes.iter().filter(move |row| row.node == node)
}
