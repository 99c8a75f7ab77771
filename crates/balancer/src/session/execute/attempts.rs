//! What the attempts to run one statement have shown so far, and how long there may be more.

use std::time::Duration;

use tokio::time::Instant;

use crate::route::Route;
use crate::session::Session;
use crate::session::line::Turn;

/// With no node to go to, the view is looked at again at least this often.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What the attempts so far have shown.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// Nodes that have failed it, a bit each.
    pub tried: u64,
    /// A replica refused it as a write: the primary may know better.
    pub on_primary: bool,
    /// Where it goes, if that has been decided just now.
    pub routed: Option<Route>,
    /// For the client, if nobody takes it.
    pub last_error: Option<String>,
    /// Set when the first attempt has failed; most statements never look at the clock for it.
    until: Option<Instant>,
    /// Its turn to look for the primary, once it had to wait for one.
    turn: Option<Turn>,
    /// The primary of this view took no writes.
    refused: Option<u64>,
}

impl Attempts {
    /// No attempt yet; where the first goes, if that has been decided just now.
    pub fn first(routed: Option<Route>) -> Self {
        Self { routed, ..Self::default() }
    }

    fn until(&mut self, session: &Session) -> Instant {
        let hold = Duration::from_millis(session.worker.shared.config.failover.hold_ms);
        *self.until.get_or_insert_with(|| Instant::now() + hold)
    }

    /// Whether there is time for another attempt.
    pub fn in_time(&mut self, session: &Session) -> bool {
        self.until(session) > Instant::now()
    }

    /// Whether it has come to its turn, if there is a line.
    pub fn may_go(&self, session: &Session) -> bool {
        self.turn.is_some() || session.worker.line.is_empty()
    }

    /// Gets in line for the primary, unless it is its turn already. `false`: time is up.
    pub async fn get_in_line(&mut self, session: &Session) -> bool {
        if self.turn.is_none() {
            self.turn = session.worker.line.join(self.until(session)).await;
        }
        self.turn.is_some()
    }

    /// A connection has been found under this view: whoever is next may look for one. As long as the primary of this very
    /// view is known to take no writes, the others need not try it too.
    pub fn found(&mut self, generation: u64) {
        if self.refused != Some(generation) {
            self.turn = None;
        }
    }

    /// The primary of this view takes no writes.
    pub fn refused_by_primary(&mut self, generation: u64) {
        self.refused = Some(generation);
    }

    /// Waits in line for a primary in a view newer than `generation`, a moment at most. `false`: time is up.
    pub async fn wait_for_primary(&mut self, session: &Session, generation: u64) -> bool {
        self.get_in_line(session).await && self.wait(session, generation).await
    }

    /// Waits for a view newer than `generation`, a moment at most, and lets all nodes be tried again. `false`: time is up.
    pub async fn wait(&mut self, session: &Session, generation: u64) -> bool {
        let left = self.until(session).saturating_duration_since(Instant::now());
        if left.is_zero() || session.alarm.is_rung() {
            return false;
        }
        let view = &session.worker.shared.view;
        view.wait_for(left.min(LOOK_AGAIN), |view| view.generation != generation).await;
        self.tried = 0;
        true
    }
}
