//! Who is there, and who is pinned to a node connection, why, and by which statement.
//!
//! Each session keeps a card for itself, in cells of its own thread: noting costs no lock, no allocation and no look at
//! the clock. Whoever wants to know asks the threads, which answer between statements.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::lull::Lull;

/// So much of a statement is kept.
const EXCERPT: usize = 80;
/// Questions that may wait for a thread.
pub const ASKS: usize = 16;

/// What a session is pinned by, as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pins(pub u8);

impl Pins {
    /// The causes by name, in the order of their bits.
    pub const NAMES: [&str; 7] = [
        "transaction",
        "user variables",
        "temporary tables",
        "locks",
        "a statement with unknown effects",
        "settings of the next transaction",
        "cursors",
    ];

    /// All causes that hold, in the order of the names.
    pub fn of(causes: [bool; 7]) -> Self {
        Self(causes.iter().enumerate().fold(0, |bits, (at, holds)| bits | u8::from(*holds) << at))
    }

    fn names(self) -> impl Iterator<Item = (usize, &'static str)> {
        Self::NAMES.into_iter().enumerate().filter(move |(at, _)| self.0 >> at & 1 != 0)
    }
}

impl fmt::Display for Pins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.names().enumerate().try_for_each(|(nth, (_, name))| {
            f.write_str(if nth == 0 { "" } else { ", " })?;
            f.write_str(name)
        })
    }
}

/// A session, for those who ask.
#[derive(Debug)]
pub struct Card {
    id: u32,
    client: Option<SocketAddr>,
    program: RefCell<Rc<str>>,
    account: RefCell<Rc<str>>,
    /// In seconds of its thread's coarse clock.
    since: u32,
    pinned_since: Cell<u32>,
    pins: Cell<Pins>,
    node: Cell<usize>,
    running: Cell<bool>,
    /// How long it has waited for its client or its node.
    pub lull: Rc<Lull>,
    excerpt: Cell<[u8; EXCERPT]>,
    excerpt_length: Cell<u8>,
}

impl Card {
    /// Notes what it is pinned by now; `text` tells the statement and is only asked for when it was not pinned before.
    pub fn pin<'a>(&self, pins: Pins, node: usize, now: u32, text: impl FnOnce() -> &'a [u8]) {
        if self.pins.replace(pins) == Pins::default() {
            let text = text();
            let length = text.len().min(EXCERPT);
            let mut excerpt = [0; EXCERPT];
            excerpt[..length].copy_from_slice(&text[..length]);
            self.excerpt.set(excerpt);
            self.excerpt_length.set(length as u8);
            self.pinned_since.set(now);
        }
        self.node.set(node);
    }

    /// It is pinned no more.
    pub fn unpin(&self) {
        self.pins.set(Pins::default());
    }

    /// A statement begins or ends.
    pub fn set_running(&self, running: bool) {
        self.running.set(running);
    }

    /// What the client says of itself, by its connection attributes: `program_name`, then `_client_name` with its version.
    pub fn set_program(&self, attributes: &[(Box<str>, Box<str>)]) {
        let said =
            |wanted: &str| attributes.iter().find(|(name, _)| **name == *wanted).map(|(_, value)| &**value);
        let mut program = said("program_name").unwrap_or_default().to_owned();
        if let Some(library) = said("_client_name") {
            let (gap, version) = (if program.is_empty() { "" } else { " " }, said("_client_version"));
            let version = version.map_or(String::new(), |version| format!(" {version}"));
            program.push_str(&format!("{gap}({library}{version})"));
        }
        *self.program.borrow_mut() = program.chars().take(EXCERPT).collect::<String>().into();
    }

    /// It has logged in as somebody else.
    pub fn set_account(&self, account: &str) {
        *self.account.borrow_mut() = account.into();
    }

    fn row(&self, now: u32, nodes: &dyn Fn(usize) -> String) -> SessionRow {
        let pinned = self.pins.get() != Pins::default();
        let excerpt = self.excerpt.get();
        let excerpt = &excerpt[..usize::from(self.excerpt_length.get())];
        SessionRow {
            id: self.id,
            account: self.account.borrow().to_string(),
            client: self.client.map(|client| client.to_string()).unwrap_or_default(),
            program: self.program.borrow().to_string(),
            connected_s: now - self.since,
            state: if self.running.get() { "running" } else { "idle" }.to_owned(),
            pinned_by: self.pins.get().to_string(),
            pinned_s: if pinned { now - self.pinned_since.get() } else { 0 },
            node: if pinned { nodes(self.node.get()) } else { String::new() },
            statement: if pinned { String::from_utf8_lossy(excerpt).into_owned() } else { String::new() },
        }
    }
}

/// A session as it is told to people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// The id that it was greeted with.
    pub id: u32,
    /// Who it is.
    pub account: String,
    /// Where it comes from.
    pub client: String,
    /// What it says of itself: program, library and version.
    #[serde(default)]
    pub program: String,
    /// For how long it has been here, in seconds.
    pub connected_s: u32,
    /// `running` or `idle`.
    pub state: String,
    /// What keeps it on one node connection; empty: nothing.
    pub pinned_by: String,
    /// For how long, in seconds.
    pub pinned_s: u32,
    /// The node of that connection.
    pub node: String,
    /// The beginning of the statement that pinned it.
    pub statement: String,
}

/// How many sessions there are, and how many are pinned by what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Logged in.
    pub sessions: usize,
    /// With a statement under way.
    pub running: usize,
    /// Pinned, for whatever cause.
    pub pinned: usize,
    /// Pinned by each cause, in the order of [`Pins::NAMES`]; one session may count for several.
    pub by_cause: [usize; Pins::NAMES.len()],
}

/// The sessions of one thread.
#[derive(Debug, Default)]
pub struct Roster {
    cards: RefCell<HashMap<u32, Rc<Card>>>,
    seconds: Cell<u32>,
}

impl Roster {
    /// A second has passed.
    pub fn tick(&self) {
        self.seconds.set(self.seconds.get() + 1);
        self.cards.borrow().values().for_each(|card| card.lull.beat());
    }

    /// The coarse clock, in seconds.
    pub fn now(&self) -> u32 {
        self.seconds.get()
    }

    /// A card for a session; it has to be struck off at its end.
    pub fn enter(&self, id: u32, account: &str, client: Option<SocketAddr>, lull: Rc<Lull>) -> Rc<Card> {
        let card = Rc::new(Card {
            id,
            client,
            program: RefCell::new("".into()),
            account: RefCell::new(account.into()),
            since: self.now(),
            pinned_since: Cell::new(0),
            pins: Cell::default(),
            node: Cell::new(0),
            running: Cell::new(false),
            lull,
            excerpt: Cell::new([0; EXCERPT]),
            excerpt_length: Cell::new(0),
        });
        self.cards.borrow_mut().insert(id, card.clone());
        card
    }

    /// A session has ended.
    pub fn strike(&self, id: u32) {
        let mut cards = self.cards.borrow_mut();
        cards.remove(&id);
        if cards.capacity() > 64 && cards.len() < cards.capacity() / 8 {
            cards.shrink_to_fit();
        }
    }

    /// Answers a question; `nodes` names them by number.
    pub fn answer(&self, ask: Ask, nodes: &dyn Fn(usize) -> String) {
        let cards = self.cards.borrow();
        // Whoever has asked may be gone.
        match ask {
            Ask::Counts(reply) => drop(reply.send(counts(cards.values()))),
            Ask::Sessions { pinned, limit, reply } => {
                let wanted = cards.values().filter(|card| !pinned || card.pins.get() != Pins::default());
                let mut wanted: Vec<_> = wanted.collect();
                wanted.sort_unstable_by_key(|card| card.id);
                let rows = wanted.iter().take(limit).map(|card| card.row(self.now(), nodes));
                drop(reply.send(rows.collect()));
            }
        }
    }
}

fn counts<'a>(cards: impl Iterator<Item = &'a Rc<Card>>) -> Counts {
    cards.fold(Counts::default(), |mut counts, card| {
        let pins = card.pins.get();
        counts.sessions += 1;
        counts.running += usize::from(card.running.get());
        counts.pinned += usize::from(pins != Pins::default());
        pins.names().for_each(|(at, _)| counts.by_cause[at] += 1);
        counts
    })
}

/// A question to a thread.
#[derive(Debug)]
pub enum Ask {
    /// How many sessions.
    Counts(oneshot::Sender<Counts>),
    /// Which sessions, by id.
    Sessions {
        /// Only those that are pinned.
        pinned: bool,
        /// At most.
        limit: usize,
        /// Where the answer goes.
        reply: oneshot::Sender<Vec<SessionRow>>,
    },
}

/// Asks all threads.
#[derive(Clone, Debug, Default)]
pub struct Asker(Vec<mpsc::Sender<Ask>>);

impl Asker {
    /// Asks through these.
    pub fn new(threads: Vec<mpsc::Sender<Ask>>) -> Self {
        Self(threads)
    }

    /// The sessions of all threads, by id, `limit` at most.
    pub async fn sessions(&self, pinned: bool, limit: usize) -> Vec<SessionRow> {
        let mut rows: Vec<SessionRow> = Vec::new();
        for thread in &self.0 {
            let (reply, answer) = oneshot::channel();
            if thread.send(Ask::Sessions { pinned, limit, reply }).await.is_ok() {
                rows.extend(answer.await.unwrap_or_default());
            }
        }
        rows.sort_unstable_by_key(|row| row.id);
        rows.truncate(limit);
        rows
    }

    /// How many sessions all threads have.
    pub async fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for thread in &self.0 {
            let (reply, answer) = oneshot::channel();
            if thread.send(Ask::Counts(reply)).await.is_ok() {
                let counts = answer.await.unwrap_or_default();
                sum.sessions += counts.sessions;
                sum.running += counts.running;
                sum.pinned += counts.pinned;
                sum.by_cause.iter_mut().zip(counts.by_cause).for_each(|(sum, more)| *sum += more);
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_that_pinned_first_is_the_one_that_is_told() {
        let roster = Roster::default();
        let card = roster.enter(7, "shop", None, Rc::default());
        roster.enter(8, "shop", None, Rc::default()).set_running(true);
        roster.tick();
        let transaction = Pins::of([true, false, false, false, false, false, false]);
        let both = Pins::of([true, false, true, false, false, false, false]);
        card.pin(transaction, 2, roster.now(), || b"BEGIN");
        roster.tick();
        card.pin(both, 2, roster.now(), || b"CREATE TEMPORARY TABLE t (a INT)");
        let told = card.row(roster.now(), &|node| format!("n{node}"));
        assert_eq!(
            (told.pinned_by.as_str(), told.statement.as_str(), told.node.as_str(), told.pinned_s),
            ("transaction, temporary tables", "BEGIN", "n2", 1)
        );
        let counts = counts(roster.cards.borrow().values());
        assert_eq!((counts.sessions, counts.running, counts.pinned), (2, 1, 1));
        assert_eq!(counts.by_cause, [1, 0, 1, 0, 0, 0, 0]);
        card.unpin();
        assert_eq!(card.row(2, &|_| String::new()).statement, "");
        roster.strike(7);
        assert_eq!(roster.cards.borrow().len(), 1);
    }

    #[test]
    fn a_client_is_shown_as_it_names_itself() {
        let card = Roster::default().enter(1, "shop", None, Rc::default());
        let shown = |attributes: &[(&str, &str)]| {
            let attributes: Vec<_> =
                attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            card.set_program(&attributes);
            card.row(0, &|_| String::new()).program
        };
        assert_eq!(shown(&[]), "");
        let library = [("_client_name", "libmariadb"), ("_client_version", "3.3.8"), ("_os", "Linux")];
        assert_eq!(shown(&library), "(libmariadb 3.3.8)");
        assert_eq!(shown(&[("program_name", "shop"), ("_client_name", "x")]), "shop (x)");
        assert_eq!(shown(&[("program_name", &"ž".repeat(500))]).chars().count(), EXCERPT);
    }

    #[test]
    fn a_long_statement_is_cut() {
        let roster = Roster::default();
        let card = roster.enter(1, "shop", None, Rc::default());
        card.pin(Pins(1), 0, 0, || &[b'x'; 500]);
        assert_eq!(card.row(0, &|_| String::new()).statement.len(), EXCERPT);
    }
}
