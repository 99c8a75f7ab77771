//! What all pictures over time share: title, legend, phases as bands, faults as bands, events as marks with labels.

use std::{cmp::Reverse, collections::BTreeMap};

use crate::{
    folder::Folder,
    plot::{
        HEIGHT, WIDTH,
        axis::{Panel, Scale},
        canvas::{Canvas, HPos, Stroke, Type},
        palette::Colour,
    },
    record::{EventKind, EventRow},
};

/// Size of the labels of events, in pixels.
const LABEL_SIZE: f64 = 12.5;
/// Height of a row of labels.
const ROW: f64 = 17.0;
/// Room for axis, names of phases and name of the axis below a panel.
const BELOW: f64 = 76.0;
/// How far below its axis the name of the axis of time stands; figures and names of phases are between.
pub const NAME_BELOW: f64 = 58.0;
/// Name of the axis of time.
pub const TIME: &str = "time since the start of the load, s";
/// Rows of labels at most; what does not fit keeps its mark and its line in the page's table.
const ROWS: usize = 6;
/// Events nearer than this share one label.
const TOGETHER: f64 = 9.0;
/// The longest words for a fault in characters.
const FAULT_WORDS: usize = 26;
/// Words that no label ends with.
const SMALL_WORDS: [&str; 8] = ["a", "and", "at", "by", "is", "of", "the", "to"];
/// The longest label in characters.
const LONGEST: usize = 34;

/// Lines nearer than this lie on each other, in pixels: less than their width.
const APART: f64 = 1.0;
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
    let placed = place(&folder.events, &scale, panel.right);
    let rows = placed.iter().filter_map(|l| l.row).max().map_or(0, |row| row + 1);
    panel.top = top + 10.0 + rows as f64 * ROW;
    bands(canvas, folder, &panel, &scale);
    phase_names(canvas, folder, &panel, &scale);
    draw_labels(canvas, &placed, &panel);
    (panel, scale)
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

/// A line for every event over panels, in the colour of its kind or in one for all; its words show under a pointer, with those
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
    for event in events() {
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

/// A few words for an event.
fn words_of(event: &EventRow) -> String {
    let node = event.node.as_str();
    let after = |words: &str| if node.is_empty() { words.to_owned() } else { format!("{node} {words}") };
    match event.kind {
        EventKind::FaultInjected => {
            let how = fault_words(&event.detail);
            after(if how.is_empty() || how == node { "fault" } else { &how })
        }
        EventKind::FaultHealed => after("healed"),
        EventKind::ScaleOutRequested => "scale out".to_owned(),
        EventKind::ScaleOutDone => after("serves"),
        EventKind::ScaleInRequested => "scale in".to_owned(),
        EventKind::ScaleInDone => after("left"),
        EventKind::NodeDown => after("down"),
        EventKind::NodeUp => after("up"),
        EventKind::Promoted => after("promoted"),
        EventKind::Rejoined => after("rejoined"),
        EventKind::ActionFailed => after("action failed"),
        EventKind::Refused => after("refused"),
        EventKind::StrategySet => event.detail.clone(),
        EventKind::Phase | EventKind::Other => after("event"),
    }
}

/// What was done to a node, in a few words: the first part of its description, cut between words.
pub fn fault_words(detail: &str) -> String {
    let part = detail.split([',', ':', ';']).next().unwrap_or_default();
    let mut words = String::new();
    for word in part.split_whitespace() {
        if words.chars().count() + word.chars().count() >= FAULT_WORDS {
            break;
        }
        words.push_str(if words.is_empty() { "" } else { " " });
        words.push_str(word);
    }
    // A cut behind a small word leaves it hanging.
    while let Some((before, last)) = words.rsplit_once(' ')
        && SMALL_WORDS.contains(&last)
    {
        words.truncate(before.len());
    }
    words
}

/// A label with its place; without a row it did not fit.
struct Label {
    words: String,
    colour: Colour,
    mark: f64,
    left: f64,
    row: Option<usize>,
}

impl Label {
    fn style(&self) -> Type {
        Type::new(LABEL_SIZE, self.colour).bold()
    }
}

/// Gives each label the first row in which it covers no other. Events at nearly the same time share a label.
fn place(events: &[EventRow], scale: &Scale, right: f64) -> Vec<Label> {
    let mut labels: Vec<Label> = Vec::new();
    for event in events.iter().filter(|e| e.kind != EventKind::Phase) {
        let mark = scale.at(event.second);
        let words = words_of(event);
        match labels.last_mut() {
            Some(last) if mark - last.mark < TOGETHER && joined(&last.words, &words).is_some() => {
                last.words = joined(&last.words, &words).unwrap_or_default();
            }
            _ => labels.push(Label { words, colour: colour_of(event.kind), mark, left: 0.0, row: None }),
        }
    }
    let mut ends = [f64::MIN; ROWS];
    for label in &mut labels {
        let width = label.style().width(&label.words);
        label.left = (label.mark + 5.0).min(right + 32.0 - width);
        label.row = ends.iter().position(|&end| end + 10.0 < label.left);
        if let Some(row) = label.row {
            ends[row] = label.left + width;
        }
    }
    labels
}

/// Two labels as one, without repeating the node; `None` when that would be too long.
fn joined(first: &str, second: &str) -> Option<String> {
    let same_node = first.split(' ').next() == second.split(' ').next();
    let rest = if same_node { second.split_once(' ').map_or(second, |(_, rest)| rest) } else { second };
    let both = format!("{first}, {rest}");
    (both.chars().count() <= LONGEST).then_some(both)
}

/// Lines from the labels down to the panel, then the labels: a line passes behind the labels below its own.
fn draw_labels(canvas: &mut Canvas, labels: &[Label], panel: &Panel) {
    let base = |row: usize| panel.top - 8.0 - row as f64 * ROW;
    for label in labels {
        let top = label.row.map_or(panel.top - 4.0, |row| base(row) - 11.0);
        canvas.line((label.mark, top), (label.mark, panel.top), Stroke::new(label.colour, 1.4));
    }
    for label in labels {
        if let Some(row) = label.row {
            let width = label.style().width(&label.words);
            canvas.rect(label.left - 3.0, base(row) - 12.0, width + 6.0, ROW - 1.0, Colour::Background, 1.0);
            canvas.text(label.left, base(row), &label.words, label.style());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(second: f64, kind: EventKind, node: &str, detail: &str) -> EventRow {
        EventRow { second, kind, node: node.to_owned(), detail: detail.to_owned(), ..EventRow::default() }
    }

    #[test]
    fn labels_say_what_happened_to_whom() {
        use EventKind::*;
        let promoted =
            "detected after 0 ms, writable after 17 ms; as far as n3, at 0-1-84; elected 7 ms, opened 9 ms";
        for (kind, node, detail, words) in [
            (FaultInjected, "n3", "killed, process 4711", "n3 killed"),
            (FaultInjected, "n3", "pause: paused, process 4711", "n3 pause"),
            (FaultInjected, "n3", "partition: cut off from the other nodes", "n3 partition"),
            (FaultInjected, "n3", "", "n3 fault"),
            (FaultInjected, "n3", "network slower by 82ms and up to 13ms", "n3 network slower by 82ms"),
            (FaultInjected, "n3", "each connection is cut after 7180 bytes", "n3 each connection is cut"),
            (
                FaultInjected,
                "n3",
                "the answers to the next 3 commits are cut off",
                "n3 the answers to the next 3",
            ),
            (FaultHealed, "n3", "started again as process 4731", "n3 healed"),
            (NodeDown, "n3", "detected after 0 ms", "n3 down"),
            (NodeUp, "n3", "after 5535 ms", "n3 up"),
            (Promoted, "n2", promoted, "n2 promoted"),
            (Rejoined, "n3", "serving in 155 ms", "n3 rejoined"),
            (ScaleOutRequested, "", "", "scale out"),
            (ScaleOutDone, "n4", "in 5 ms", "n4 serves"),
            (ScaleInDone, "n4", "in 84 ms", "n4 left"),
            (Refused, "n1", "it stays out until it is rebuilt and restarted", "n1 refused"),
            (ActionFailed, "", "ScaleOut: no node stands by", "action failed"),
        ] {
            assert_eq!(words_of(&event(1.0, kind, node, detail)), words);
        }
    }

    #[test]
    fn labels_neither_cover_each_other_nor_repeat_a_node() {
        let scale = Scale::linear(0.0, 100.0, 0.0, 1000.0);
        let events = [
            event(48.0, EventKind::FaultInjected, "n2", "killed, process 4540"),
            event(48.01, EventKind::NodeDown, "n2", ""),
            event(49.0, EventKind::ScaleOutRequested, "", ""),
            event(59.0, EventKind::ScaleInDone, "n4", ""),
            event(64.5, EventKind::NodeUp, "n2", ""),
        ];
        let labels = place(&events, &scale, 1000.0);
        let told: Vec<(&str, Option<usize>)> = labels.iter().map(|l| (l.words.as_str(), l.row)).collect();
        // The first is some 107 pixels wide in bold: what begins 110 behind it finds no room beside it yet.
        let expected =
            [("n2 killed, down", Some(0)), ("scale out", Some(1)), ("n4 left", Some(1)), ("n2 up", Some(0))];
        assert_eq!(told, expected);
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
            folder.events.push(event(second, EventKind::NodeDown, &format!("n{at}"), ""));
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
}
