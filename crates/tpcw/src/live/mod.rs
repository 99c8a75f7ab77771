//! What a user sees while a run goes on: a screen on a terminal, a plain line every few seconds elsewhere.

mod limits;
mod plain;
mod screen;

use std::io::IsTerminal;

use emulator::run::Live;
use report::record::{EventKind, EventRow};
use report::thresholds::Thresholds;
use tokio::sync::watch;

use limits::Limits;
use plain::Plain;
use screen::Screen;

pub use screen::restore;

/// Either kind of view.
#[derive(Debug)]
pub struct View {
    title: String,
    limits: Limits,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Screen(Box<Screen>),
    Plain(Plain),
}

impl View {
    /// A screen where standard error is a terminal that can show one, plain lines elsewhere.
    pub fn open(title: String, thresholds: Thresholds) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let screen = (std::io::stderr().is_terminal() && !dumb).then(Screen::open).and_then(Result::ok);
        let kind =
            screen.map_or_else(|| Kind::Plain(Plain::default()), |screen| Kind::Screen(Box::new(screen)));
        Self { title, limits: Limits::new(thresholds), kind }
    }

    /// Shows every second until the run ends; gives the terminal back.
    pub async fn follow(mut self, mut seen: watch::Receiver<Live>) {
        while seen.changed().await.is_ok() {
            let picture = seen.borrow_and_update().clone();
            let limits = self.limits.after(&picture);
            match &mut self.kind {
                Kind::Screen(screen) => {
                    // A terminal that cannot be drawn on is no reason to end a run.
                    if screen.show(&self.title, &picture, &limits).is_err() {
                        self.kind = Kind::Plain(Plain::default());
                    }
                }
                Kind::Plain(plain) => plain.show(&picture, &limits),
            }
        }
    }
}

/// One event in one line.
fn event_text(event: &EventRow) -> String {
    let mut text = report::text::happened(event.kind.name(), &event.detail);
    // A strategy is named by what happened already.
    let detail = if event.kind == EventKind::StrategySet { "" } else { &event.detail };
    for (before, part) in [(" ", event.node.as_str()), (": ", &event.cause), (", ", detail)] {
        if !part.is_empty() {
            text.push_str(before);
            text.push_str(part);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_that_names_what_was_set() {
        let event = |kind, node: &str, detail: &str| EventRow {
            kind,
            node: node.to_owned(),
            cause: "schedule".to_owned(),
            detail: detail.to_owned(),
            ..EventRow::default()
        };
        let lines =
            [event(EventKind::StrategySet, "", "random"), event(EventKind::FaultHealed, "n1", "resumed")]
                .map(|event| event_text(&event));
        assert_eq!(lines, ["strategy set to random: schedule", "fault healed n1: schedule, resumed"]);
    }
}
