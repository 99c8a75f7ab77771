//! The ribbon on top of a stack: phases by name, each fault as a bar as long as it lasted, and other events as marks. Where they are too
//! many for their names, each kind has a lane. Below it they go on as bands and thin lines through all panels.

use std::collections::{BTreeMap, BTreeSet};

use super::{EDGE, LEFT, RIGHT};
use crate::{
    folder::Folder,
    plot::{
        axis::{Panel, Scale},
        canvas::{Canvas, HPos, Stroke, Type},
        marks::{Phase, fault_words, healing, phases, united, upright},
        palette::Colour,
    },
    record::EventKind,
    summary::{EventSummary, Summary},
};

/// Height of the row with the names of the phases.
const PHASES: f64 = 18.0;
/// Height of a row of flags.
const ROW: f64 = 15.0;
/// Rows of flags with words at most; if not all fit, each kind of event has a lane instead.
const ROWS: usize = 14;
/// Height of a lane.
const LANE: f64 = 12.0;
/// Size of the words of flags, in pixels.
const WORDS: f64 = 11.5;
/// Size of the names of lanes, in pixels.
const LANE_WORDS: f64 = 10.5;
/// How strongly the band of a fault is filled.
const BAND: f64 = 0.1;

/// The events that caused something, with the numbers that pictures and tables share.
pub fn causes(run: &Summary) -> impl Iterator<Item = (usize, &EventSummary)> {
    run.events
        .iter()
        .filter(|event| event.followed_s.is_some())
        .zip(1..)
        .map(|(event, number)| (number, event))
}

/// A named event: a bar where it lasted, a mark where it did not.
struct Flag {
    words: String,
    kind: Kind,
    colour: Colour,
    from: f64,
    to: Option<f64>,
    /// Row and left edge of its words; nothing where they found no room.
    place: Option<(usize, f64)>,
}

/// What flags are put together by: faults by name, then what was done about them.
type Kind = (bool, String);

/// What a stack has on top.
pub(super) struct Ribbon {
    phases: Vec<Phase>,
    flags: Vec<Flag>,
    /// Empty where all flags have room for their words.
    lanes: Vec<Kind>,
    x: Scale,
    named: bool,
}

impl Ribbon {
    pub(super) fn of(folder: &Folder, run: &Summary, x: &Scale, named: bool) -> Self {
        let mut flags: Vec<Flag> = run.events.iter().filter_map(|event| flag(folder, run, event)).collect();
        place(&mut flags, x);
        let lanes = lanes(&flags);
        Self { phases: phases(folder), flags, lanes, x: *x, named }
    }

    pub(super) fn height(&self) -> f64 {
        if !self.named {
            return PHASES;
        }
        if !self.lanes.is_empty() {
            return PHASES + 4.0 + self.lanes.len() as f64 * LANE;
        }
        let rows = self.flags.iter().filter_map(|flag| flag.place).map(|(row, _)| row + 1).max().unwrap_or(0);
        PHASES + 4.0 + rows as f64 * ROW
    }

    /// Seconds that are not measured, and faults, behind all panels.
    pub(super) fn bands(&self, canvas: &mut Canvas, whole: &Panel) {
        for phase in &self.phases {
            let (from, to) = (self.x.at(phase.from), self.x.at(phase.to));
            if !phase.measured {
                canvas.rect(from, whole.top, to - from, whole.height(), Colour::Band, 1.0);
            }
            if phase.from > 0.0 {
                canvas.line((from, whole.top), (from, whole.bottom), Stroke::new(Colour::Grid, 1.5));
            }
        }
        for (colour, flags) in self.by_colour() {
            let lasted = flags.iter().filter_map(|flag| Some((self.x.at(flag.from), self.x.at(flag.to?))));
            canvas.cells(&united(lasted, whole), colour, BAND);
        }
    }

    /// A thin line at the beginning of every event, before all panels.
    pub(super) fn lines(&self, canvas: &mut Canvas, whole: &Panel) {
        for (colour, flags) in self.by_colour() {
            let lines = upright(flags.iter().map(|flag| self.x.at(flag.from)), whole);
            canvas.lines(&lines, Stroke::new(colour, 0.8), 0.45);
        }
    }

    fn by_colour(&self) -> BTreeMap<Colour, Vec<&Flag>> {
        let mut found: BTreeMap<Colour, Vec<&Flag>> = BTreeMap::new();
        for flag in &self.flags {
            found.entry(flag.colour).or_default().push(flag);
        }
        found
    }

    /// Names of phases, bars and marks.
    pub(super) fn draw(&self, canvas: &mut Canvas, top: f64) {
        for phase in &self.phases {
            let (from, to) = (self.x.at(phase.from), self.x.at(phase.to));
            if !phase.measured {
                canvas.rect(from, top, to - from, PHASES - 2.0, Colour::Band, 1.0);
            }
            canvas.line((from, top), (from, top + PHASES - 2.0), Stroke::new(Colour::Muted, 0.8));
            let style = Type::new(WORDS, Colour::Muted).at(HPos::Center);
            if style.width(&phase.name) + 6.0 < to - from {
                canvas.text(f64::midpoint(from, to), top + 12.0, &phase.name, style);
            }
        }
        let end = self.x.at(self.phases.last().map_or(0.0, |phase| phase.to));
        canvas.line((end, top), (end, top + PHASES - 2.0), Stroke::new(Colour::Muted, 0.8));
        let top = top + PHASES + 4.0;
        match (self.named, self.lanes.is_empty()) {
            (false, _) => {}
            (true, true) => self.flags.iter().for_each(|flag| flag.draw(canvas, &self.x, top)),
            (true, false) => self.draw_lanes(canvas, top),
        }
    }

    /// A lane for each kind, with how often it came; its name stands at the left, over what happened there.
    fn draw_lanes(&self, canvas: &mut Canvas, top: f64) {
        for (lane, kind) in self.lanes.iter().enumerate() {
            let middle = top + (lane as f64 + 0.5) * LANE;
            canvas.line((LEFT, middle), (RIGHT, middle), Stroke::new(Colour::Grid, 0.6));
            let flags: Vec<&Flag> = self.flags.iter().filter(|flag| flag.kind == *kind).collect();
            let bar = |flag: &&Flag| {
                let (from, to) = (self.x.at(flag.from), flag.to.map_or(0.0, |to| self.x.at(to)));
                [(from, middle - 4.0), (to.max(from + 2.0), middle + 4.0)]
            };
            let bars: Vec<[(f64, f64); 2]> = flags.iter().map(bar).collect();
            let times = flags.len();
            canvas.cells(&bars, flags[0].colour, 0.85);
            let words = format!("{} {times}", kind.1);
            canvas.text(EDGE, middle + 3.6, &words, Type::new(LANE_WORDS, Colour::Ink).halo());
        }
    }
}

/// The kinds in their order, where not every flag has found room; else none.
fn lanes(flags: &[Flag]) -> Vec<Kind> {
    if flags.iter().all(|flag| flag.place.is_some()) {
        return Vec::new();
    }
    flags.iter().map(|flag| flag.kind.clone()).collect::<BTreeSet<_>>().into_iter().collect()
}

impl Flag {
    fn draw(&self, canvas: &mut Canvas, x: &Scale, top: f64) {
        let Some((row, left)) = self.place else { return };
        let (at, middle) = (x.at(self.from), top + row as f64 * ROW + ROW / 2.0);
        match self.to {
            Some(to) => {
                canvas.rect(at, middle - 5.0, (x.at(to) - at).max(2.0), 10.0, self.colour, 0.35);
                canvas.rect(at, middle - 5.0, 2.0, 10.0, self.colour, 1.0);
            }
            None => {
                let edge = [(at - 4.0, middle), (at, middle - 5.0), (at + 4.0, middle), (at, middle + 5.0)];
                canvas.area(&edge, self.colour, 1.0);
            }
        }
        canvas.text(left, middle + 4.0, &self.words, Type::new(WORDS, Colour::Ink).halo());
    }
}

/// Events worth a name: causes and what was done about them. Nodes that go and come are in lanes of their own.
fn flag(folder: &Folder, run: &Summary, event: &EventSummary) -> Option<Flag> {
    let number = causes(run).find(|(_, cause)| std::ptr::eq(*cause, event));
    let node = event.node.as_str();
    let after = |words: &str| if node.is_empty() { words.to_owned() } else { format!("{node} {words}") };
    let until = |kind: EventKind| {
        let done = |e: &&EventSummary| e.kind == kind.name() && e.second >= event.second;
        run.events.iter().find(done)
    };
    let scaled = |words: &str, done: Option<&EventSummary>| match done {
        Some(done) => (format!("{words} {}", done.node), Some(done.second)),
        None => (words.to_owned(), None),
    };
    let kind = EventKind::from_name(&event.kind);
    let how = fault_words(&event.detail);
    let how = if how.is_empty() || how == node { "fault" } else { &how };
    let lane = match kind {
        EventKind::FaultInjected => (false, how.to_owned()),
        _ => (true, event.kind.replace('_', " ")),
    };
    let (colour, (words, to)) = match kind {
        EventKind::FaultInjected => (Colour::Red, (after(how), Some(healing(folder, node, event.second)))),
        EventKind::ScaleOutRequested => (Colour::Blue, scaled("scale out", until(EventKind::ScaleOutDone))),
        EventKind::ScaleInRequested => (Colour::Blue, scaled("scale in", until(EventKind::ScaleInDone))),
        EventKind::Promoted => (Colour::Purple, (after("promoted"), None)),
        EventKind::Refused => (Colour::Red, (after("refused"), None)),
        EventKind::ActionFailed => (Colour::Red, (after("action failed"), None)),
        EventKind::NodeDown if number.is_some() => (Colour::Red, (after("lost"), None)),
        _ => return None,
    };
    let words = number.map_or(words.clone(), |(number, _)| format!("{number} {words}"));
    Some(Flag { words, kind: lane, colour, from: event.second, to, place: None })
}

/// Gives each flag the first row in which it covers no other.
fn place(flags: &mut [Flag], x: &Scale) {
    let style = Type::new(WORDS, Colour::Ink);
    let mut ends = [f64::MIN; ROWS];
    for flag in flags {
        let (at, to) = (x.at(flag.from), flag.to.map(|to| x.at(to)));
        let width = style.width(&flag.words);
        let inside = to.is_some_and(|to| to - at > width + 8.0);
        let behind = to.unwrap_or(at + 5.0).max(at + 2.0) + 4.0;
        let left = if inside { at + 6.0 } else { behind };
        let (left, begin) = if left + width > RIGHT + 10.0 {
            let left = (at - 7.0 - width).max(LEFT);
            (left, left)
        } else {
            (left, at - 4.0)
        };
        flag.place = ends.iter().position(|end| *end + 6.0 < begin).map(|row| (row, left));
        if let Some((row, _)) = flag.place {
            ends[row] = to.unwrap_or(at).max(left + width);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(words: &[(&str, f64, Option<f64>)]) -> Vec<Flag> {
        let flag = |(words, from, to): &(&str, f64, Option<f64>)| Flag {
            words: (*words).to_owned(),
            kind: (false, words.split(' ').next_back().unwrap_or_default().to_owned()),
            colour: Colour::Red,
            from: *from,
            to: *to,
            place: None,
        };
        words.iter().map(flag).collect()
    }

    #[test]
    fn flags_cover_no_other_and_stay_within_the_edges() {
        let x = Scale::linear(0.0, 100.0, LEFT, RIGHT);
        let mut flags = flags(&[
            ("1 n1 killed", 10.0, Some(14.0)),
            ("n2 promoted", 10.5, None),
            ("2 n3 each connection is cut", 15.0, Some(60.0)),
            ("3 n2 paused", 99.5, Some(100.0)),
        ]);
        place(&mut flags, &x);
        let rows: Vec<Option<usize>> = flags.iter().map(|f| f.place.map(|p| p.0)).collect();
        assert_eq!(rows, [Some(0), Some(1), Some(2), Some(0)]);
        let style = Type::new(WORDS, Colour::Ink);
        for flag in &flags {
            let left = flag.place.expect("room").1;
            assert!(left >= LEFT && left + style.width(&flag.words) <= RIGHT + 10.0, "{}", flag.words);
        }
    }

    #[test]
    fn where_not_all_have_room_each_kind_has_a_lane() {
        let x = Scale::linear(0.0, 100.0, LEFT, RIGHT);
        let mut some = flags(&[("1 n1 kill", 10.0, Some(14.0)), ("2 n2 pause", 20.0, Some(21.0))]);
        place(&mut some, &x);
        assert!(lanes(&some).is_empty(), "their words fit");
        let words = ["1 n1 kill", "2 n2 pause", "3 n3 kill"];
        let crowd: Vec<(&str, f64, Option<f64>)> =
            (0..60).map(|at| (words[at % 3], at as f64 * 0.2, Some(at as f64 * 0.2 + 0.1))).collect();
        let mut crowd = flags(&crowd);
        place(&mut crowd, &x);
        let names: Vec<String> = lanes(&crowd).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["kill", "pause"]);
    }

    #[test]
    fn causes_are_numbered_in_their_order() {
        let event = |kind: &str, followed_s| EventSummary {
            kind: kind.to_owned(),
            followed_s,
            ..EventSummary::default()
        };
        let events = vec![
            event("phase", None),
            event("fault_injected", Some(3.0)),
            event("node_down", None),
            event("fault_healed", Some(1.0)),
        ];
        let run = Summary { events, ..Summary::default() };
        let numbered: Vec<(usize, &str)> = causes(&run).map(|(n, e)| (n, e.kind.as_str())).collect();
        assert_eq!(numbered, [(1, "fault_injected"), (2, "fault_healed")]);
    }
}
