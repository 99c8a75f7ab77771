//! One attempt on a connection: bring it into the session's state, send, pass the answer on.

use std::io;
use std::time::Duration;

use super::flight::Flight;
use super::{Fate, Work};
use crate::pool::ask::AskError;
use crate::pool::lease::Lease;
use crate::route::Plan;
use crate::session::Session;
use crate::session::client::Gone;
use crate::session::relay::one::{End, Order, Seen, relay};
use crate::sql::classify::Marks;
use crate::telemetry::Sighting;
use crate::wire::packet::{HEADER, put_packet};
use crate::wire::prepared;
use crate::wire::reply::Expect;

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
        let ready = match self.set_up(lease, work, plan).await {
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
        Ok(match self.answer(lease, work, plan, tied, seen).await? {
            End::Whole => {
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
                Work::FieldList => Expect::Definitions,
                _ => Expect::Result,
            },
            stop_at_read_only: !tied,
            statement_id: if let Work::Prepare(id) = work { id } else { 0 },
        };
        let limit = self.worker.shared.config.limits.read_ms;
        if limit == 0 || !plan.repeatable() {
            return relay(lease, &mut self.client, order, seen).await;
        }
        let limit = Duration::from_millis(limit);
        match tokio::time::timeout(limit, relay(lease, &mut self.client, order, seen)).await {
            Ok(end) => end,
            Err(_) => {
                self.worker.pools.sighted(&lease.id, Sighting::Silent);
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
    ) -> Result<Option<Vec<u8>>, AskError> {
        lease.enter(&self.state.image).await?;
        let asks_elsewhere = plan.marks.any(Marks::ASKS_WRITE)
            && self.state.insert_id != 0
            && self.tied.is_none()
            && self.state.last_writer != Some((lease.node, lease.serial));
        if asks_elsewhere {
            lease.run(format!("SET last_insert_id={}", self.state.insert_id).as_bytes()).await?;
        }
        let ready = match work {
            Work::Execute(id) | Work::Bulk(id) => self.set_up_execute(lease, id, work).await?,
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
    ) -> Result<Option<Vec<u8>>, AskError> {
        let statement = self.prepared.get(id).expect("the command loop has looked it up");
        if lease.statements.get(&statement.text).is_none() {
            let text = statement.text.clone();
            lease.prepare(&text).await?;
            lease.enter(&self.state.image).await?;
        }
        let statement = self.prepared.get(id).expect("the command loop has looked it up");
        let on_node = lease.statements.get(&statement.text).expect("it has just been prepared");
        let at = HEADER + prepared::ID.start;
        self.client.buffer[at..at + 4].copy_from_slice(&on_node.id.to_le_bytes());
        let node_id = on_node.id;
        let mut rebuilt = None;
        if let Work::Execute(_) = work {
            // Without a cursor the whole result comes at once, which a client has to expect anyway.
            self.client.buffer[HEADER + prepared::CURSOR] = 0;
            let types = prepared::types(self.client.payload(), statement.parameters)?;
            if types.is_none() && !statement.types.is_empty() && on_node.bound != statement.bound {
                let whole = self.client.whole_payload();
                let payload = prepared::with_types(&whole, statement.parameters, &statement.types);
                let mut packet = Vec::with_capacity(payload.len() + 8);
                put_packet(&mut packet, 0, &payload);
                rebuilt = Some(packet);
            }
            on_node.bound = statement.bound;
        }
        if statement.long_data.is_empty() {
            return Ok(rebuilt);
        }
        let mut all = statement.long_data_for(node_id);
        all.extend_from_slice(rebuilt.as_deref().unwrap_or(&self.client.buffer[..self.client.command]));
        Ok(Some(all))
    }
}
