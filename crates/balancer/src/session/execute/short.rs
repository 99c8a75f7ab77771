//! The short way of a statement that finds everything ready: a plain client, a pooled connection in the session's very
//! state (or the one that it is tied to), an answer that comes whole with one read.
//!
//! It does nothing that the long way does not do. What it saves are the futures in between: at each wake-up of its task a
//! session passes all of those that it waits in, and there are some ten of them on the long way. Whatever is not as
//! expected here goes on there, from where it stands.

use std::task::{Context, Poll};

use tokio::time::Instant;

use super::attempts::Attempts;
use super::find::needs_primary;
use super::flight::{Flight, count};
use super::{Fate, Work};
use crate::pool::Want;
use crate::pool::lease::Lease;
use crate::route::{Plan, Route, To};
use crate::session::Session;
use crate::session::client::Gone;
use crate::session::relay::one::is_whole;
use crate::session::relay::seen::Seen;
use crate::session::state::Tied;
use crate::session::watch::LONG;
use crate::sql::classify::{Kind, Marks};
use crate::wire::capabilities::Capabilities;
use crate::wire::command::Command;
use crate::wire::packet::{HEADER, MAX_PAYLOAD};
use crate::wire::prepared;
use crate::wire::reply::{Expect, Scanner};

/// Before so many milliseconds no limit of time is reached by a statement that is short.
const LIMIT_MS: u64 = 4_000;

/// What the first look at a command has come to.
pub enum First {
    /// It is a statement, and it has been sent.
    Sent(Short),
    /// It goes the long way; what is known already of a text, and where it goes.
    Long(Option<Plan>, Option<Route>),
}

/// A statement that has been sent.
pub struct Short {
    work: Work,
    plan: Plan,
    was_tied: bool,
    /// It counts as in flight on its node as long as it is here.
    lease: Option<Lease>,
    since: Instant,
    /// Bytes of the command that the node's socket has taken.
    sent: usize,
}

/// How far it came on the short way.
pub enum Reached {
    /// The client has been answered, and all is settled.
    End,
    /// The answer is not here as it should be: it is to be waited for.
    Sent,
    /// The client has taken so many bytes of the answer, which is so long and has told that.
    Answer {
        /// Bytes that the client has taken.
        taken: usize,
        /// Bytes of the answer.
        length: usize,
        /// What it has told.
        seen: Seen,
    },
    /// The client has been answered; something remains to be asked.
    Answered {
        /// What the answer has told.
        seen: Seen,
        /// The session stays on the connection.
        stays: bool,
    },
    /// The client's connection broke.
    Gone(std::io::Error),
}

/// What the long way takes over: a statement that has been sent, as far as the node's socket has taken it.
pub struct Begun {
    pub lease: Lease,
    flight: Option<Flight>,
    sent: usize,
}

impl Drop for Short {
    fn drop(&mut self) {
        if let Some(lease) = &self.lease {
            Flight::end(&lease.meter);
        }
    }
}

impl Short {
    fn lease(&mut self) -> &mut Lease {
        self.lease.as_mut().expect("it is taken out at the end")
    }

    /// Its lease, no longer in flight.
    fn into_lease(mut self) -> Lease {
        let lease = self.lease.take().expect("it is taken out once");
        Flight::end(&lease.meter);
        lease
    }
}

impl Session {
    /// Looks at the command that has come. If it is a statement for which all stands ready, it is sent.
    pub fn begin(&mut self) -> First {
        let client = &self.client;
        let ready = client.stream.is_plain()
            && client.command <= HEADER + MAX_PAYLOAD
            && self.worker.has_short_statements
            && self.state.lost.is_none()
            && !self.reads.explain;
        let first = client.payload().first().copied();
        let (work, plan) = match first {
            Some(first) if ready && first == Command::Query as u8 => {
                (Work::Command, self.plan(&self.client.payload()[1..]))
            }
            Some(first) if ready && first == Command::Execute as u8 => match self.plain_execute() {
                Some(known) => known,
                None => return First::Long(None, None),
            },
            _ => return First::Long(None, None),
        };
        if !is_plain(&plan) || self.is_to_be_marked(work, &plan) {
            return First::Long(Some(plan), None);
        }
        let mut routed = None;
        let (mut lease, was_tied) = match &mut self.tied {
            Some(tied) => {
                let image = &self.state.image;
                let ready = tied.lease_mut().is_some_and(|lease| {
                    lease.is_tracked()
                        && lease.key.capabilities == self.key.capabilities
                        && std::rc::Rc::ptr_eq(&lease.image, image)
                        && lease.stream.is_plain()
                        && lease.is_quiet()
                });
                if !ready {
                    return First::Long(Some(plan), None);
                }
                (tied.lend(), true)
            }
            None => match self.ready_connection(&plan, &mut routed) {
                Some(lease) => (lease, false),
                None => return First::Long(Some(plan), routed),
            },
        };
        if let Work::Execute(id) = work
            && !self.name_on(&mut lease, id)
        {
            match &mut self.tied {
                Some(tied) => tied.put_back(lease),
                None => lease.put_back(),
            }
            return First::Long(Some(plan), routed);
        }
        self.card.set_running(true);
        self.card.lull.restart();
        Flight::start(&lease.meter);
        let since = Instant::now();
        // Whoever cannot write finds out why on the long way.
        let sent = lease.stream.write_at_once(&self.client.buffer[..self.client.command]).unwrap_or(0);
        First::Sent(Short { work, plan, was_tied, lease: Some(lease), since, sent })
    }

    /// A connection that stands ready in the session's state; `routed`: where the statement goes.
    fn ready_connection(&self, plan: &Plan, routed: &mut Option<Route>) -> Option<Lease> {
        let worker = &*self.worker;
        if needs_primary(plan) && !worker.line.is_empty() {
            return None;
        }
        let view = worker.shared.view.load();
        let route = self.route(plan, &Attempts::default(), &view);
        *routed = Some(route);
        let To::Node(index) = route.to else { return None };
        let want = Want { key: &self.key, image: &self.state.image, owner: self.client.id };
        let lease = worker.pools.try_take_ready(view.node(index)?, want)?;
        if lease.stream.is_plain() {
            return Some(lease);
        }
        lease.put_back();
        None
    }

    /// An execute that asks for nothing but its rows, with types of parameters that are known or not needed.
    fn plain_execute(&self) -> Option<(Work, Plan)> {
        let payload = self.client.payload();
        let id = prepared::id(payload).ok()?;
        let statement = self.prepared.get(id)?;
        // The flags ask for a cursor.
        let asks = *payload.get(prepared::ID.end)? != 0 || payload.len() < prepared::HEAD;
        if asks
            || statement.cursor
            || !statement.long_data.is_empty()
            || statement.long_data.refused.is_some()
        {
            return None;
        }
        let types = prepared::types(payload, false, statement.parameters).ok()?;
        let known = types.is_none_or(|types| types == statement.types);
        known.then_some((Work::Execute(id), statement.plan))
    }

    /// Names the statement by its id on the connection; `false`: it is not prepared there, or not as it is needed.
    fn name_on(&mut self, lease: &mut Lease, id: u32) -> bool {
        let Some(statement) = self.prepared.get(id) else { return false };
        let Some(on_node) = lease.statements.get(&statement.text) else { return false };
        let bound = on_node.bound == statement.bound
            || statement.types.is_empty()
            || !matches!(prepared::types(self.client.payload(), false, statement.parameters), Ok(None));
        if on_node.cursor != 0 || !bound {
            return false;
        }
        on_node.bound = statement.bound;
        let node_id = on_node.id;
        self.client.name_statement(node_id);
        true
    }

    /// Waits for the answer as long as all goes as it should, and passes it on.
    pub fn poll_short(&mut self, short: &mut Short, context: &mut Context<'_>) -> Poll<Reached> {
        if short.sent < self.client.command {
            return Poll::Ready(Reached::Sent);
        }
        let lease = short.lease.as_mut().expect("it is taken out at the end");
        let connection = &mut **lease;
        match connection.stream.poll_read_more(context, &mut connection.buffer) {
            Poll::Ready(Ok(true)) => {}
            Poll::Ready(_) => return Poll::Ready(Reached::Sent),
            Poll::Pending if self.alarm.is_ringing(context) || self.client.lull.has_lasted(LONG, context) => {
                return Poll::Ready(Reached::Sent);
            }
            Poll::Pending => return Poll::Pending,
        }
        let deprecate = connection.key.capabilities.has(Capabilities::DEPRECATE_EOF);
        let mut scanner = Scanner::new(Expect::Result, deprecate);
        let mut seen = Seen::default();
        if !is_whole(connection, &self.client, &mut seen, &mut scanner) {
            return Poll::Ready(Reached::Sent);
        }
        #[cfg(feature = "planted")]
        crate::planted::dawdle(short.since);
        let length = scanner.at;
        self.client.sequence = scanner.sequence.wrapping_add(1);
        Poll::Ready(match self.client.stream.write_at_once(&connection.buffer[..length]) {
            Ok(taken) if taken == length => self.end_short(short, length, seen),
            Ok(taken) => Reached::Answer { taken, length, seen },
            Err(error) => Reached::Gone(error),
        })
    }

    /// The client has its answer.
    fn end_short(&mut self, short: &mut Short, length: usize, mut seen: Seen) -> Reached {
        let now = Instant::now();
        let (work, plan) = (short.work, short.plan);
        let stays = self.note_answer(short, length, now, &mut seen);
        if !self.is_tended(&plan, &seen) {
            return Reached::Answered { seen, stays };
        }
        let lease = short.lease.take().expect("it is taken out once");
        Flight::end(&lease.meter);
        if stays {
            self.note_pins(&lease, work);
            match &mut self.tied {
                Some(tied) => tied.put_back(lease),
                None => self.tied = Some(Tied::new(lease)),
            }
        } else {
            self.give_back(lease, &plan, &seen, now);
            self.tied = None;
        }
        self.card.set_running(false);
        Reached::End
    }

    /// Counts a statement whose whole answer has been passed on, and takes in what that told; tells whether the session
    /// stays on the connection.
    fn note_answer(&mut self, short: &mut Short, length: usize, now: Instant, seen: &mut Seen) -> bool {
        let (work, plan, since) = (short.work, short.plan, short.since);
        let lease = short.lease();
        lease.take_off(length);
        count(&lease.meter, &plan, now.saturating_duration_since(since));
        self.take_in(lease, work, &plan, seen)
    }

    /// Brings a statement to its end that has left the short way.
    pub async fn end_long(&mut self, mut short: Short, reached: Reached) -> Result<(), Gone> {
        let (work, plan) = (short.work, short.plan);
        let done = match reached {
            Reached::End => Ok(()),
            Reached::Gone(error) => Err(error.into()),
            Reached::Sent => {
                let sent = short.sent;
                let flight = Flight::taken_over(short.lease().meter.clone(), short.since);
                let lease = short.lease.take().expect("it is taken out once");
                let begun = Begun { lease, flight: Some(flight), sent };
                self.attempt(work, plan, Attempts::default(), Some(begun)).await
            }
            Reached::Answer { taken, length, mut seen } => {
                self.client.stream.write_all(&short.lease().buffer[taken..length]).await?;
                let stays = self.note_answer(&mut short, length, Instant::now(), &mut seen);
                self.tend_short(short, &seen, stays).await
            }
            Reached::Answered { seen, stays } => self.tend_short(short, &seen, stays).await,
        };
        self.is_over();
        done
    }

    async fn tend_short(&mut self, short: Short, seen: &Seen, stays: bool) -> Result<(), Gone> {
        // Lives up to the end: whoever drains the node sees no gap between two statements.
        let _tied = short.was_tied.then(|| self.tied.take());
        let (work, plan) = (short.work, short.plan);
        self.tend_and_put_away(short.into_lease(), work, &plan, seen, stays).await
    }

    /// The rest of an attempt that has begun on the short way.
    pub(super) async fn go_on(
        &mut self,
        begun: &mut Begun,
        work: Work,
        plan: &Plan,
        tied: bool,
        seen: &mut Seen,
    ) -> Result<Fate, Gone> {
        let rest = &self.client.buffer[begun.sent..self.client.command];
        if !rest.is_empty() && begun.lease.stream.write_all(rest).await.is_err() {
            // A command that could not be written whole has not arrived whole: no node runs it.
            return Ok(Fate::Broken { sent: false });
        }
        let flight = begun.flight.take().expect("an attempt goes on once");
        self.hear_out(&mut begun.lease, work, plan, tied, flight, seen).await
    }
}

/// Whether a statement needs nothing before it, and leaves nothing to be asked behind it, that only the long way knows.
fn is_plain(plan: &Plan) -> bool {
    const SPECIAL: Marks = Marks::TRACKING
        .with(Marks::ASKS_LAST)
        .with(Marks::ASKS_WRITE)
        .with(Marks::LITERALS)
        .with(Marks::OWN_ID);
    let kind =
        matches!(plan.kind, Kind::Read | Kind::Write | Kind::Begin { .. } | Kind::Commit | Kind::Rollback);
    kind && !plan.token && !plan.marks.any(SPECIAL)
}

/// Whether statements go the short way, where a limit of `limit_ms` milliseconds is set on them; 0: none is.
pub fn allows_short(limit_ms: u64) -> bool {
    limit_ms == 0 || limit_ms >= LIMIT_MS
}
