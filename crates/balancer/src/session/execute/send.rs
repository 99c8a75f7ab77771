//! One attempt on a connection: bring it into the session's state, send, pass the answer on.

use std::io;
use std::time::Duration;

use super::flight::Flight;
use super::{Fate, Work};
use crate::pool::ask::AskError;
use crate::pool::lease::Lease;
use crate::pool::statements::OnNode;
use crate::route::Plan;
use crate::session::Session;
use crate::session::client::Gone;
use crate::session::kill::{self, Thread};
use crate::session::relay::one::{End, Order, Seen, relay};
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
        tied: bool,
        seen: &mut Seen,
    ) -> Result<Fate, Gone> {
        // The node may have ended a connection that the session held on to: then nothing of this was sent.
        if tied && !lease.is_quiet() {
            return Ok(Fate::Broken { sent: false });
        }
        let ready = match self.set_up(lease, work, plan, tied).await {
            Ok(ready) => ready,
            Err(AskError::Refused(error)) => return Ok(Fate::Refused(error)),
            Err(AskError::Broken(_)) => return Ok(Fate::Broken { sent: false }),
        };
        let flight = Flight::begin(lease.meter.clone());
        let bytes = ready.as_deref().unwrap_or(&self.client.buffer[..self.client.command]);
        if lease.stream.write_all(bytes).await.is_err() {
            // A command that could not be written whole has not arrived whole: no node runs it.
            return Ok(Fate::Broken { sent: false });
        }
        let answer = self.answer(lease, work, plan, tied, seen).await;
        // Whoever leaves in the middle leaves nothing running.
        let answer =
            answer.inspect_err(|_| kill::at_node_later(&self.worker, Thread::of(lease, &self.account)))?;
        Ok(match answer {
            End::Whole => {
                if seen.interrupted.is_some() && seen.error.is_none() {
                    // It was over before it could be ended: the node's mind is not to end the next one instead.
                    let _ = lease.run(b"DO 0").await;
                }
                flight.landed(plan, work);
                Fate::Answered(flight)
            }
            End::ReadOnly => Fate::ReadOnly,
            End::Broken(_) => Fate::Broken { sent: true },
        })
    }

    /// Passes the answer on, within the limit for reads if there is one.
    async fn answer(
        &mut self,
        lease: &mut Lease,
        work: Work,
        plan: &Plan,
        tied: bool,
        seen: &mut Seen,
    ) -> Result<End, Gone> {
        let order = Order {
            expect: match work {
                Work::Prepare(_) => Expect::Prepared,
                Work::FieldList | Work::Fetch(_) => Expect::Definitions,
                _ => Expect::Result,
            },
            stop_at_read_only: !tied,
            statement_id: if let Work::Prepare(id) = work { id } else { 0 },
        };
        let limits = &self.worker.shared.config.limits;
        let ends = matches!(plan.kind, Kind::Commit | Kind::Rollback);
        let mut watch = Watch::begin(
            &self.alarm,
            &self.worker,
            &self.account,
            &self.client,
            if ends { 0 } else { limits.statement_ms },
        );
        let limit = limits.read_ms;
        if limit == 0 || !plan.repeatable() {
            return relay(lease, &mut self.client, order, seen, &mut watch).await;
        }
        let limit = Duration::from_millis(limit);
        match tokio::time::timeout(limit, relay(lease, &mut self.client, order, seen, &mut watch)).await {
            Ok(end) => end,
            Err(_) => {
                self.worker.pools.sighted(&lease.id, Sighting::Silent);
                kill::at_node_later(&self.worker, Thread::of(lease, &self.account));
                Ok(End::Broken(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    /// Brings the connection into the session's state; returns what is to be sent if it is not the client's own bytes.
    async fn set_up(
        &mut self,
        lease: &mut Lease,
        work: Work,
        plan: &Plan,
        tied: bool,
    ) -> Result<Option<Vec<u8>>, AskError> {
        if tied && lease.key.capabilities != self.key.capabilities {
            lease.set_multi_statements(self.key.capabilities.has(Capabilities::MULTI_STATEMENTS)).await?;
        }
        lease.enter(&self.state.image).await?;
        let asks_elsewhere = plan.marks.any(Marks::ASKS_WRITE)
            && self.state.insert_id != 0
            && self.tied.is_none()
            && self.state.last_writer != Some((lease.node, lease.serial));
        if asks_elsewhere {
            lease.run(format!("SET last_insert_id={}", self.state.insert_id).as_bytes()).await?;
        }
        match work {
            Work::Execute(id) | Work::Bulk(id) => self.set_up_execute(lease, id, work, tied).await,
            Work::Fetch(id) => self.set_up_fetch(lease, id),
            _ => Ok(None),
        }
    }

    /// Sees to it that the statement is prepared on the connection and that the packet names it by its id there.
    async fn set_up_execute(
        &mut self,
        lease: &mut Lease,
        id: u32,
        work: Work,
        tied: bool,
    ) -> Result<Option<Vec<u8>>, AskError> {
        let statement = self.prepared.get_mut(id).expect("the command loop has looked it up");
        let taken = |on_node: &OnNode| on_node.cursor != 0 && on_node.cursor != id;
        if lease.statements.get(&statement.text).is_some_and(|on_node| taken(on_node)) {
            // Another of the client's statements with the same text has a cursor open, which this must not close.
            statement.text = self.worker.texts.separate(&statement.text);
        }
        if lease.statements.get(&statement.text).is_none() {
            let text = statement.text.clone();
            lease.prepare(&text, tied).await?;
            lease.enter(&self.state.image).await?;
        }
        let statement = self.prepared.get(id).expect("the command loop has looked it up");
        let on_node = lease.statements.get(&statement.text).expect("it has just been prepared");
        self.client.name_statement(on_node.id);
        let node_id = on_node.id;
        let mut rebuilt = None;
        let bulk = work == Work::Bulk(id);
        let types = prepared::types(self.client.payload(), bulk, statement.parameters)?;
        if types.is_none() && !statement.types.is_empty() && on_node.bound != statement.bound {
            let whole = self.client.whole_payload();
            let payload = prepared::with_types(&whole, bulk, statement.parameters, &statement.types);
            let mut packet = Vec::with_capacity(payload.len() + 8);
            put_packet(&mut packet, 0, &payload);
            rebuilt = Some(packet);
        }
        on_node.bound = statement.bound;
        if statement.long_data.is_empty() {
            return Ok(rebuilt);
        }
        let mut all = statement.long_data.for_node(node_id);
        all.extend_from_slice(rebuilt.as_deref().unwrap_or(&self.client.buffer[..self.client.command]));
        Ok(Some(all))
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
