//! What all pictures over time share: title, legend, phases as bands, faults as bands, events as lines.

mod labels;

use std::{cmp::Reverse, collections::BTreeMap};

pub use self::labels::fault_words;
use self::labels::{ROW, draw_labels, place};
use crate::{
    folder::Folder,
    plot::{
        HEIGHT, WIDTH,
        axis::{Panel, Scale, thousands},
        canvas::{Canvas, HPos, Stroke, Type},
        palette::Colour,
    },
    record::{EventKind, EventRow},
};

/// Room for axis, names of phases and name of the axis below a panel.
const BELOW: f64 = 76.0;
/// How far below its axis the name of the axis of time stands; figures and names of phases are between.
pub const NAME_BELOW: f64 = 58.0;
/// Name of the axis of time.
pub const TIME: &str = "time since the start of the load, s";
/// Lines nearer than this lie on each other, in pixels: less than their width.
const APART: f64 = 1.0;
/// More events than this get neither lines nor labels.
const MANY: usize = 120;
/// How near a pointer must come to an event, and how near events lie that it cannot tell apart, in pixels.
const NEAR: f64 = 3.0;

/// A sample of how a series is drawn.
#[derive(Clone, Copy, Debug)]
pub enum Sample {
    /// A line.
    Line(Stroke),
    /// A dot.
    Dot(Colour),
    /// A filled area with its opacity.
    Area(Colour, f64),
}

/// Words above a picture.
#[derive(Debug)]
pub struct Heading<'a> {
    /// What is seen.
    pub title: &'a str,
    /// How to read it.
    pub subtitle: &'a str,
    /// What is drawn how.
    pub legend: &'a [(Sample, String)],
}

/// Draws title, subtitle and legend; gives the height at which they end.
pub fn heading(canvas: &mut Canvas, heading: &Heading<'_>) -> f64 {
    canvas.text(28.0, 40.0, heading.title, Type::new(25.0, Colour::Ink).bold());
    canvas.text(28.0, 64.0, heading.subtitle, Type::new(15.0, Colour::Muted));
    if heading.legend.is_empty() {
        return 78.0;
    }
    let mut x = 28.0;
    for (sample, words) in heading.legend {
        draw_sample(canvas, *sample, (x, 86.0), 26.0);
        let style = Type::new(14.0, Colour::Ink);
        canvas.text(x + 32.0, 91.0, words, style);
        x += 32.0 + style.width(words) + 26.0;
    }
    102.0
}

/// Draws a sample of some width whose middle line begins at a point.
pub fn draw_sample(canvas: &mut Canvas, sample: Sample, (x, y): (f64, f64), width: f64) {
    let high = width * 0.54;
    match sample {
        Sample::Line(stroke) => canvas.line((x, y), (x + width, y), stroke),
        Sample::Dot(colour) => canvas.dots(&[(x + width / 2.0, y)], width * 0.15, colour, 0.9),
        Sample::Area(colour, opacity) => canvas.rect(x, y - high / 2.0, width, high, colour, opacity),
    }
}

/// Begins a picture over time: heading, rows of labels, bands; gives the panel for the data and its scale of seconds.
/// `right` is the room on the right for a second axis.
pub fn over_time(canvas: &mut Canvas, folder: &Folder, words: &Heading<'_>, right: f64) -> (Panel, Scale) {
    let top = heading(canvas, words);
    let mut panel = Panel { left: 96.0, top, right: WIDTH - right, bottom: HEIGHT - BELOW };
    let scale = panel.across(0.0, f64::from(folder.load_seconds().max(1)));
    let crowd = crowd(folder);
    let placed = if crowd.is_none() { place(&folder.events, &scale, panel.right) } else { Vec::new() };
    let rows = placed.iter().filter_map(|l| l.row).max().map_or(0, |row| row + 1);
    panel.top = top + 10.0 + rows as f64 * ROW;
    bands(canvas, folder, &panel, &scale);
    phase_names(canvas, folder, &panel, &scale);
    draw_labels(canvas, &placed, &panel);
    if let Some(events) = crowd {
        let words = format!("{} events, told by the timeline", thousands(events as f64));
        let style = Type::new(12.5, Colour::Muted).at(HPos::Right);
        canvas.text(panel.right, panel.top - 6.0, &words, style);
    }
    (panel, scale)
}

/// How many events there are, where lines for all of them would hide what the picture shows.
fn crowd(folder: &Folder) -> Option<usize> {
    let events = folder.events.iter().filter(|event| event.kind != EventKind::Phase).count();
    (events > MANY).then_some(events)
}

/// Bands of phases and faults.
fn bands(canvas: &mut Canvas, folder: &Folder, panel: &Panel, scale: &Scale) {
    for (number, phase) in phases(folder).iter().enumerate() {
        let (from, to) = (scale.at(phase.from), scale.at(phase.to));
        if number % 2 == 0 {
            canvas.rect(from, panel.top, to - from, panel.height(), Colour::Band, 1.0);
        }
    }
    let bands = faults(folder).map(|(from, to)| (scale.at(from), scale.at(to)));
    canvas.cells(&united(bands, panel), Colour::Red, 0.09);
}

/// Bands from top to bottom of a panel, each at least a pixel wide; those that meet become one, as strong as each of them was.
pub fn united(bands: impl Iterator<Item = (f64, f64)>, panel: &Panel) -> Vec<[(f64, f64); 2]> {
    let mut bands: Vec<(f64, f64)> = bands.map(|(from, to)| (from, to.max(from + 1.0))).collect();
    bands.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut united: Vec<[(f64, f64); 2]> = Vec::new();
    for (from, to) in bands {
        match united.last_mut() {
            Some([_, end]) if from <= end.0 => end.0 = end.0.max(to),
            _ => united.push([(from, panel.top), (to, panel.bottom)]),
        }
    }
    united
}

/// Lines from top to bottom of a panel; one stands for others of its kind that would lie on it.
pub fn upright(places: impl Iterator<Item = f64>, panel: &Panel) -> Vec<[(f64, f64); 2]> {
    let mut places: Vec<f64> = places.collect();
    places.sort_by(f64::total_cmp);
    places.dedup_by(|next, kept| *next - *kept < APART);
    places.into_iter().map(|x| [(x, panel.top), (x, panel.bottom)]).collect()
}

/// A line for every event over panels, in the colour of its kind or in one for all, unless there are too many; its words show under a pointer, with those
/// of events too near to be pointed at alone. What came seldom is drawn over what came often.
pub fn event_lines(
    canvas: &mut Canvas,
    folder: &Folder,
    panels: &[&Panel],
    scale: &Scale,
    all: Option<Colour>,
) {
    let events = || folder.events.iter().filter(|e| e.kind != EventKind::Phase);
    let mut kinds: BTreeMap<Colour, Vec<f64>> = BTreeMap::new();
    let few = crowd(folder).is_none();
    for event in events().filter(|_| few) {
        kinds.entry(all.unwrap_or(colour_of(event.kind))).or_default().push(scale.at(event.second));
    }
    let mut kinds: Vec<(Colour, Vec<f64>)> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, places)| Reverse(places.len()));
    for (colour, places) in kinds {
        let lines: Vec<[(f64, f64); 2]> =
            panels.iter().flat_map(|panel| upright(places.iter().copied(), panel)).collect();
        canvas.lines(&lines, Stroke::new(colour, 1.2).dashed(4, 3), 1.0);
    }
    let (Some(first), Some(last)) = (panels.first(), panels.last()) else { return };
    let mut told: Option<(f64, f64, String)> = None;
    let mut tell = |told: Option<(f64, f64, String)>| {
        if let Some((from, to, words)) = told {
            canvas.hint(from - NEAR, first.top, to - from + 2.0 * NEAR, last.bottom - first.top, &words);
        }
    };
    for event in events() {
        let (x, words) = (scale.at(event.second), told_of(event));
        match &mut told {
            Some((from, to, before)) if x - *from < NEAR => {
                *to = x;
                *before = format!("{before} | {words}");
            }
            _ => tell(told.replace((x, x, words))),
        }
    }
    tell(told);
}

/// All there is to say of an event.
fn told_of(event: &EventRow) -> String {
    let EventRow { second, kind, node, cause, detail, .. } = event;
    let words = format!("{second:.1} s {} {node} {cause} {detail}", kind.name());
    words.trim().to_owned()
}

/// Names of the phases in a row below the figures of the axis.
fn phase_names(canvas: &mut Canvas, folder: &Folder, panel: &Panel, scale: &Scale) {
    let (top, bottom) = (panel.bottom + 26.0, panel.bottom + 42.0);
    for (number, phase) in phases(folder).iter().enumerate() {
        let (from, to) = (scale.at(phase.from), scale.at(phase.to));
        if number % 2 == 0 {
            canvas.rect(from, top, to - from, bottom - top, Colour::Band, 1.0);
        }
        let style = Type::new(12.5, Colour::Muted).at(HPos::Center);
        if style.width(&phase.name) < to - from {
            canvas.text((from + to) / 2.0, bottom - 4.0, &phase.name, style);
        }
    }
}

/// A phase of the load, in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// Its beginning.
    pub from: f64,
    /// Its end.
    pub to: f64,
    /// Whether it belongs to the measurement interval.
    pub measured: bool,
}

/// The phases as the seconds tell them.
pub fn phases(folder: &Folder) -> Vec<Phase> {
    let mut phases: Vec<Phase> = Vec::new();
    for second in &folder.seconds {
        let (from, to) = (f64::from(second.second), f64::from(second.second) + 1.0);
        match phases.last_mut() {
            Some(last) if last.name == second.phase => last.to = to,
            _ => phases.push(Phase { name: second.phase.clone(), from, to, measured: second.measured }),
        }
    }
    phases
}

/// From each fault to its healing, or to the end.
fn faults(folder: &Folder) -> impl Iterator<Item = (f64, f64)> {
    let injected = folder.events.iter().filter(|e| e.kind == EventKind::FaultInjected);
    injected.map(|fault| (fault.second, healing(folder, &fault.node, fault.second)))
}

/// When a fault on a node that was injected at some second was healed; the end of the load where it was not.
pub fn healing(folder: &Folder, node: &str, injected: f64) -> f64 {
    let heals = |e: &&EventRow| e.kind == EventKind::FaultHealed && e.node == node && e.second >= injected;
    folder.events.iter().find(heals).map_or(f64::from(folder.load_seconds()), |e| e.second)
}

/// The colour of a kind of event.
fn colour_of(kind: EventKind) -> Colour {
    match kind {
        EventKind::FaultInjected | EventKind::NodeDown | EventKind::ActionFailed | EventKind::Refused => {
            Colour::Red
        }
        EventKind::FaultHealed | EventKind::NodeUp | EventKind::Rejoined => Colour::Green,
        EventKind::Promoted => Colour::Purple,
        EventKind::Phase | EventKind::Other => Colour::Muted,
        _ => Colour::Blue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn down(second: f64, node: &str) -> EventRow {
        EventRow { second, kind: EventKind::NodeDown, node: node.to_owned(), ..EventRow::default() }
    }

    #[test]
    fn bands_that_meet_are_one_and_lines_on_each_other_too() {
        let panel = Panel { left: 0.0, top: 5.0, right: 100.0, bottom: 9.0 };
        let bands = [(30.0, 30.2), (10.0, 20.0), (12.0, 15.0), (20.0, 25.0)];
        let expected = [[(10.0, 5.0), (25.0, 9.0)], [(30.0, 5.0), (31.0, 9.0)]];
        assert_eq!(united(bands.into_iter(), &panel), expected);
        let lines = upright([7.5, 3.0, 3.9, 4.1].into_iter(), &panel);
        assert_eq!(lines.iter().map(|ends| ends[0].0).collect::<Vec<_>>(), [3.0, 4.1, 7.5]);
    }

    #[test]
    fn every_event_is_told_also_where_a_pointer_cannot_part_them() {
        let mut folder = Folder::default();
        for (at, second) in [10.0, 10.1, 10.2, 50.0].into_iter().enumerate() {
            folder.events.push(down(second, &format!("n{at}")));
        }
        let panel = Panel { left: 0.0, top: 0.0, right: 100.0, bottom: 10.0 };
        let mut canvas = Canvas::new("events");
        event_lines(&mut canvas, &folder, &[&panel], &panel.across(0.0, 100.0), None);
        let svg = canvas.finish();
        let told = ["10.0 s node_down n0 | 10.1 s node_down n1 | 10.2 s node_down n2", "50.0 s node_down n3"];
        for words in told {
            assert!(svg.contains(&format!("<title>{words}</title>")), "{svg}");
        }
        assert_eq!(svg.matches("<title>").count(), 2);
        assert_eq!(svg.matches("stroke-dasharray").count(), 1, "lines of a kind are one path");
        let drawn = super::super::without_hints(&svg);
        assert!(!drawn.contains("<title>") && drawn.ends_with("</svg>\n"), "{drawn}");
    }

    #[test]
    fn what_a_picture_shows_is_not_hidden_by_a_thousand_events() {
        let mut folder = Folder::default();
        let words = Heading { title: "T", subtitle: "s", legend: &[] };
        let drawn = |folder: &Folder| {
            let mut canvas = Canvas::new("events");
            let (panel, scale) = over_time(&mut canvas, folder, &words, 30.0);
            event_lines(&mut canvas, folder, &[&panel], &scale, None);
            canvas.finish()
        };
        folder.events = (0..MANY).map(|at| down(at as f64, "n1")).collect();
        let few = drawn(&folder);
        assert!(few.contains("stroke-dasharray") && few.contains("n1 down") && !few.contains("told by the"));
        folder.events = (0..1_200).map(|at| down(f64::from(at), "n1")).collect();
        let many = drawn(&folder);
        assert!(many.contains("1\u{a0}200 events, told by the timeline"), "{many}");
        assert!(
            !many.contains("stroke-dasharray") && many.contains("<title>"),
            "words are still under a pointer"
        );
    }
}
