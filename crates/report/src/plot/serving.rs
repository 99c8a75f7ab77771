//! How many nodes served, and the state and role of each node over time.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    folder::Folder,
    plot::{
        axis::{Panel, Scale},
        canvas::{Canvas, FontTransform, HPos, Stroke, Type},
        marks::{Heading, NAME_BELOW, Sample, TIME, event_lines, over_time},
        palette::Colour,
        runs,
    },
    record::NodeRow,
};

/// Room between the two panels.
const GAP: f64 = 22.0;
/// How states are drawn: colour and opacity.
pub const LOOKS: [(&str, Colour, f64); 5] = [
    ("primary", Colour::Purple, 0.9),
    ("replica in service", Colour::Blue, 0.85),
    ("joining, draining", Colour::Sky, 0.6),
    ("standby, disabled", Colour::Grey, 0.35),
    ("down", Colour::Red, 0.85),
];

pub(super) fn draw(folder: &Folder) -> Option<String> {
    folder.nodes.first()?;
    let legend = LOOKS.map(|(words, colour, opacity)| (Sample::Area(colour, opacity), words.to_owned()));
    let words = Heading {
        title: "Nodes in service",
        subtitle: "How many nodes answered statements (above), and the state of each as the balancer saw it (below)",
        legend: &legend,
    };
    let mut canvas = Canvas::new(words.title);
    let (whole, x) = over_time(&mut canvas, folder, &words, 40.0);
    let names: Vec<&str> = folder.node_names().into_iter().collect();
    let middle = whole.top + (whole.height() - GAP) * 0.45;
    let upper = Panel { bottom: middle, ..whole };
    let lower = Panel { top: middle + GAP, ..whole };
    canvas.rect(whole.left - 1.0, middle, whole.width() + 2.0, GAP, Colour::Background, 1.0);
    event_lines(&mut canvas, folder, &[&upper, &lower], &x, None);
    counts(&mut canvas, folder, (&upper, &x));
    upper.lower_line(&mut canvas);
    lower.lower_axis(&mut canvas, &x, TIME, NAME_BELOW);
    let step = lower.height() / names.len() as f64;
    for (number, name) in names.iter().enumerate() {
        let lane = Panel {
            top: lower.top + number as f64 * step + step * 0.14,
            bottom: lower.top + (number as f64 + 1.0) * step - step * 0.14,
            ..lower
        };
        let style = Type::new(15.0, Colour::Ink).at(HPos::Right);
        canvas.text(lane.left - 10.0, f64::midpoint(lane.top, lane.bottom) + 5.0, name, style);
        states(&mut canvas, folder, name, (&lane, &x), 13.0);
    }
    Some(canvas.finish())
}

/// A step line of the serving nodes.
fn counts(canvas: &mut Canvas, folder: &Folder, (panel, x): (&Panel, &Scale)) {
    let most = folder.seconds.iter().map(|s| s.serving_nodes).max().unwrap_or(0);
    let y = panel.up(0.0, f64::from(most) + 1.0);
    for count in 0..=most + 1 {
        let height = y.at(f64::from(count));
        canvas.line((panel.left, height), (panel.right, height), Stroke::new(Colour::Grid, 1.0));
        let style = Type::new(14.0, Colour::Ink).at(HPos::Right);
        canvas.text(panel.left - 8.0, height + 5.0, &count.to_string(), style);
    }
    let style = Type::new(14.0, Colour::Muted).at(HPos::Center);
    let middle = f64::midpoint(panel.top, panel.bottom);
    canvas.text_turned(panel.left - 64.0, middle, "nodes in service", style, FontTransform::Rotate270);
    // A second in which the balancer told nothing is a gap, not a cluster without nodes.
    let told: BTreeSet<u32> = folder.nodes.iter().map(|row| row.second).collect();
    let steps = folder.seconds.iter().flat_map(|s| {
        let point = |second: f64| (x.at(second), y.at(f64::from(s.serving_nodes)));
        let (from, to) = (f64::from(s.second), f64::from(s.second) + 1.0);
        let known = told.contains(&s.second);
        [known.then(|| point(from)), known.then(|| point(to))]
    });
    runs(steps).iter().for_each(|run| canvas.path(run, Stroke::new(Colour::Blue, 3.0)));
}

/// A node's states as blocks, each named in letters of some size where there is room.
pub fn states(canvas: &mut Canvas, folder: &Folder, name: &str, (lane, x): (&Panel, &Scale), size: f64) {
    let rows: Vec<&NodeRow> = folder.nodes.iter().filter(|row| row.node == name).collect();
    let end = |row: &NodeRow| (x.at(f64::from(row.second) + 1.0), lane.bottom);
    let block = |rows: &[&NodeRow]| [(x.at(f64::from(rows[0].second)), lane.top), end(rows[rows.len() - 1])];
    // The background first, so that the bands do not shine through.
    let told: Vec<[(f64, f64); 2]> = rows.chunk_by(|a, b| b.second == a.second + 1).map(block).collect();
    canvas.slivers(&told, Colour::Background, 1.0);
    let blocks: Vec<&[&NodeRow]> = rows
        .chunk_by(|a, b| (&a.state, &a.role) == (&b.state, &b.role) && b.second == a.second + 1)
        .collect();
    let mut kinds: BTreeMap<(&str, &str), Vec<&[&NodeRow]>> = BTreeMap::new();
    for rows in &blocks {
        kinds.entry((&rows[0].role, &rows[0].state)).or_default().push(rows);
    }
    for ((role, state), blocks) in kinds {
        let corners: Vec<[(f64, f64); 2]> = blocks.iter().map(|rows| block(rows)).collect();
        let (colour, opacity) = look(blocks[0][0]);
        canvas.slivers(&corners, colour, opacity);
        canvas.hint_cells(&corners, &format!("{name}: {role} {state}"));
    }
    for rows in blocks {
        let ([(from, _), (to, _)], words, (_, opacity)) = (block(rows), words_of(rows[0]), look(rows[0]));
        let style = Type::new(size, if opacity > 0.7 { Colour::Background } else { Colour::Ink });
        if style.width(&words) + 8.0 < to - from {
            let middle = f64::midpoint(lane.top, lane.bottom) + 0.35 * size;
            canvas.text(from + 6.0, middle, &words, style);
        }
    }
}

fn words_of(row: &NodeRow) -> String {
    if row.state == "serving" { row.role.clone() } else { row.state.clone() }
}

fn look(row: &NodeRow) -> (Colour, f64) {
    let (_, colour, opacity) = LOOKS[match (row.state.as_str(), row.role.as_str()) {
        ("serving", "primary") => 0,
        ("serving", _) => 1,
        ("joining" | "draining", _) => 2,
        ("down", _) => 4,
        _ => 3,
    }];
    (colour, opacity)
}
