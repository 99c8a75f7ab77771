//! One attempt on a connection: bring it into the session's state, send, pass the answer on.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

use super::flight::Flight;
use super::{Fate, Hold, Work};
use crate::pool::ask::AskError;
use crate::pool::lease::Lease;
use crate::pool::prelude::{LAST_PREPARED, Prelude};
use crate::pool::statements::OnNode;
use crate::route::Plan;
use crate::session::Session;
use crate::session::client::Gone;
use crate::session::kill::{self, Thread};
use crate::session::lull::Deadline;
use crate::session::relay::one::{End, Order, relay};
use crate::session::relay::seen::Seen;
use crate::session::watch::Watch;
use crate::sql::classify::{Kind, Marks};
use crate::telemetry::Sighting;
use crate::wire::capabilities::Capabilities;
use crate::wire::packet::put_packet;
use crate::wire::prepared;
use crate::wire::reply::{self, Expect};

impl Session {
    /// Sets up, sends, passes the answer on.
    pub(super) async fn carry_out(
        &mut self,
        lease: &mut Lease,
        work: Work,
        plan: &Plan,
        hold: Hold,
        seen: &mut Seen,
    ) -> Result<Fate, Gone> {
        let tied = hold == Hold::Tied;
        // The node may have ended a connection that the session held on to: then nothing of this was sent.
        if tied && !lease.is_quiet() {
            return Ok(Fate::Broken { sent: false });
        }
        let mut prelude = Prelude::default();
        if hold == Hold::LentBehind {
            self.ask_to_wait(plan, lease, &mut prelude);
        }
        let ready = match self.set_up(lease, work, plan, tied, &mut prelude).await {
            Ok(ready) => ready,
            Err(error) => return Ok(Fate::of(error)),
        };
        let mut flight = Flight::begin(lease.meter.clone());
        let bytes = ready.as_deref().unwrap_or(&self.client.buffer[..self.client.command]);
        if prelude.is_empty() {
            if lease.stream.write_all(bytes).await.is_err() {
                // A command that could not be written whole has not arrived whole: no node runs it.
                return Ok(Fate::Broken { sent: false });
            }
        } else {
            let along = goes_along(plan);
            if let Err(error) = send_behind(lease, prelude, bytes, along).await {
                if matches!(error, AskError::Behind) {
                    // The node works on the statement by now, and nobody waits for it.
                    kill::at_node_later(&self.worker, Thread::of(lease, &self.account));
                }
                return Ok(Fate::of(error));
            }
            flight.restart();
            self.is_set_up(lease, work, plan, hold);
        }
        self.hear_out(lease, work, plan, tied, flight, seen).await
    }

    /// Passes the answer to a statement on that has been sent.
    pub(super) async fn hear_out(
        &mut self,
        lease: &mut Lease,
        work: Work,
        plan: &Plan,
        tied: bool,
        flight: Flight,
        seen: &mut Seen,
    ) -> Result<Fate, Gone> {
        let answer = self.answer(lease, work, plan, tied, flight.since(), seen).await;
        // Whoever leaves in the middle leaves nothing running.
        let answer =
            answer.inspect_err(|_| kill::at_node_later(&self.worker, Thread::of(lease, &self.account)))?;
        Ok(match answer {
            End::Whole => {
                if seen.interrupted.is_some() && seen.error.is_none() {
                    // It was over before it could be ended: the node's mind is not to end the next one instead.
                    let _ = lease.run(b"DO 0").await;
                }
                #[cfg(feature = "planted")]
                crate::planted::dawdle(flight.since());
                flight.landed(plan, work);
                Fate::Answered(flight)
            }
            End::ReadOnly => Fate::ReadOnly,
            // Nobody has asked for that.
            End::Held(_) => Fate::Broken { sent: true },
            End::Broken(_) => Fate::Broken { sent: true },
        })
    }

    /// Passes the answer on, within the limits that began with the statement.
    async fn answer(
        &mut self,
        lease: &mut Lease,
        work: Work,
        plan: &Plan,
        tied: bool,
        since: Instant,
        seen: &mut Seen,
    ) -> Result<End, Gone> {
        let left = |limit_ms| Duration::from_millis(limit_ms).saturating_sub(since.elapsed());
        let order = Order {
            expect: match work {
                Work::Prepare(_) => Expect::Prepared,
                Work::FieldList | Work::Fetch(_) => Expect::Definitions,
                Work::Execute(_) if self.asks_for_cursor(work) => Expect::Cursor,
                _ => Expect::Result,
            },
            stop_at_read_only: !tied,
            hold: false,
            statement_id: if let Work::Prepare(id) = work { id } else { 0 },
        };
        let limits = &self.worker.shared.config.limits;
        let ends = matches!(plan.kind, Kind::Commit | Kind::Rollback);
        let mut watch = Watch::begin(
            &self.alarm,
            &self.worker,
            &self.account,
            &self.client,
            (!ends && limits.statement_ms > 0).then(|| left(limits.statement_ms)),
        );
        let limit = limits.read_ms;
        if limit == 0 || !plan.repeatable() {
            return relay(lease, &mut self.client, order, seen, &mut watch).await;
        }
        let lull = &self.card.lull;
        let limit = Deadline::after(left(limit), lull);
        match limit.or(lull, relay(lease, &mut self.client, order, seen, &mut watch)).await {
            Some(end) => end,
            None => {
                self.worker.pools.sighted(&lease.id, Sighting::Silent);
                kill::at_node_later(&self.worker, Thread::of(lease, &self.account));
                Ok(End::Broken(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    /// Brings the connection into the session's state, or adds to what goes ahead of the statement to do so; returns what
    /// is to be sent if it is not the client's own bytes.
    pub(super) async fn set_up(
        &mut self,
        lease: &mut Lease,
        work: Work,
        plan: &Plan,
        tied: bool,
        prelude: &mut Prelude,
    ) -> Result<Option<Vec<u8>>, AskError> {
        if tied && lease.key.capabilities != self.key.capabilities {
            lease.set_multi_statements(self.key.capabilities.has(Capabilities::MULTI_STATEMENTS)).await?;
        }
        if !tied {
            lease.refresh_schema();
        }
        let ahead = !tied && lease.takes_several() && !plan.marks.any(Marks::TRACKING);
        if ahead {
            lease.lead_to(&self.state.image, prelude);
        } else {
            lease.enter(&self.state.image).await?;
        }
        let asks_elsewhere = plan.marks.any(Marks::ASKS_WRITE)
            && self.state.insert_id != 0
            && self.state.last_writer != Some((lease.node, lease.serial));
        if asks_elsewhere {
            let set = format!("SET last_insert_id={}", self.state.insert_id);
            if ahead {
                prelude.run(set.as_bytes());
            } else {
                lease.run(set.as_bytes()).await?;
            }
        }
        let ready = match work {
            Work::Execute(id) | Work::Bulk(id) => {
                self.set_up_execute(lease, id, work, ahead, prelude).await?
            }
            Work::Fetch(id) => self.set_up_fetch(lease, id)?,
            _ => None,
        };
        if plan.marks.any(Marks::TRACKING) {
            lease.track_for(&self.client.trackers).await?;
        } else if !lease.is_tracked() {
            lease.track(&[]).await?;
        }
        Ok(ready)
    }

    /// Sees to it that the statement is prepared on the connection and that the packet names it by its id there.
    async fn set_up_execute(
        &mut self,
        lease: &mut Lease,
        id: u32,
        work: Work,
        ahead: bool,
        prelude: &mut Prelude,
    ) -> Result<Option<Vec<u8>>, AskError> {
        let statement = self.prepared.get_mut(id).expect("the command loop has looked it up");
        let taken = |on_node: &OnNode| on_node.cursor != 0 && on_node.cursor != id;
        if lease.statements.get(&statement.text).is_some_and(|on_node| taken(on_node)) {
            // Another of the client's statements with the same text has a cursor open, which this must not close.
            statement.text = self.worker.texts.separate(&statement.text);
        }
        if lease.statements.get(&statement.text).is_none() {
            let text = statement.text.clone();
            if ahead && statement.long_data.is_empty() && lease.can_prepare_as_it_is(&text) {
                prelude.prepare(&text);
            } else {
                send_behind(lease, std::mem::take(prelude), &[], false).await?;
                lease.prepare(&text, !ahead).await?;
                lease.enter(&self.state.image).await?;
            }
        }
        let statement = self.prepared.get(id).expect("the command loop has looked it up");
        let (node_id, bound) = match lease.statements.get(&statement.text) {
            Some(on_node) => (on_node.id, std::mem::replace(&mut on_node.bound, statement.bound)),
            None => (LAST_PREPARED, 0),
        };
        self.client.name_statement(node_id);
        let mut rebuilt = None;
        let bulk = work == Work::Bulk(id);
        let types = prepared::types(self.client.payload(), bulk, statement.parameters)?;
        if types.is_none() && !statement.types.is_empty() && bound != statement.bound {
            let whole = self.client.whole_payload();
            let payload = prepared::with_types(&whole, bulk, statement.parameters, &statement.types);
            let mut packet = Vec::with_capacity(payload.len() + 8);
            put_packet(&mut packet, 0, &payload);
            rebuilt = Some(packet);
        }
        if statement.long_data.is_empty() {
            return Ok(rebuilt);
        }
        let mut all = statement.long_data.for_node(node_id);
        all.extend_from_slice(rebuilt.as_deref().unwrap_or(&self.client.buffer[..self.client.command]));
        Ok(Some(all))
    }

    /// What went ahead of the statement has been done.
    pub(super) fn is_set_up(&mut self, lease: &mut Lease, work: Work, plan: &Plan, hold: Hold) {
        if hold == Hold::LentBehind {
            self.has_applied(plan, lease);
        }
        if let Work::Execute(id) | Work::Bulk(id) = work
            && let Some(statement) = self.prepared.get(id)
            && let Some(on_node) = lease.statements.get(&statement.text)
        {
            on_node.bound = statement.bound;
        }
    }

    /// Names the statement by its id on the node, where its cursor is open.
    fn set_up_fetch(&mut self, lease: &mut Lease, id: u32) -> Result<Option<Vec<u8>>, AskError> {
        let statement = self.prepared.get(id).expect("the command loop has looked it up");
        match lease.statements.get(&statement.text).filter(|on_node| on_node.cursor == id) {
            Some(on_node) => self.client.name_statement(on_node.id),
            None => {
                let message = format!("The statement ({id}) has no open cursor");
                return Err(AskError::Refused(reply::err(1421, "HY000", &message)));
            }
        }
        Ok(None)
    }
}

impl Fate {
    /// What comes of a failed set-up.
    pub(super) fn of(error: AskError) -> Self {
        match error {
            AskError::Refused(error) => Self::Refused(error),
            AskError::Behind => Self::Behind,
            AskError::Broken(_) => Self::Broken { sent: false },
        }
    }
}

/// Whether the statement may be sent before the node has agreed to what goes ahead of it: it changes nothing and leaves
/// nothing behind, so that its answer can be thrown away with the connection.
pub(super) fn goes_along(plan: &Plan) -> bool {
    plan.kind == Kind::Read && !plan.marks.any(Marks::TIES.with(Marks::TRACKING))
}

/// Sends a statement behind what goes ahead of it, and takes in the answers to that.
pub(super) async fn send_behind(
    lease: &mut Lease,
    mut prelude: Prelude,
    statement: &[u8],
    along: bool,
) -> Result<(), AskError> {
    lease.say(&mut prelude, if along { statement } else { &[] }).await?;
    lease.hear(prelude).await?;
    if !along {
        lease.stream.write_all(statement).await?;
    }
    Ok(())
}
