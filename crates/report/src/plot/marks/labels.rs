//! Labels of events above a picture over time: who, and what happened, in rows in which none covers another.

use super::colour_of;
use crate::{
    plot::{
        axis::{Panel, Scale},
        canvas::{Canvas, Stroke, Type},
        palette::Colour,
    },
    record::{EventKind, EventRow},
};

/// Size of the labels of events, in pixels.
const LABEL_SIZE: f64 = 12.5;
/// Height of a row of labels.
pub const ROW: f64 = 17.0;
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
pub struct Label {
    words: String,
    colour: Colour,
    mark: f64,
    left: f64,
    /// From the panel upwards.
    pub row: Option<usize>,
}

impl Label {
    fn style(&self) -> Type {
        Type::new(LABEL_SIZE, self.colour).bold()
    }
}

/// Gives each label the first row in which it covers no other. Events at nearly the same time share a label.
pub fn place(events: &[EventRow], scale: &Scale, right: f64) -> Vec<Label> {
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
pub fn draw_labels(canvas: &mut Canvas, labels: &[Label], panel: &Panel) {
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
}
