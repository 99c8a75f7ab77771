//! The way to a connection: route, pool, and what to do while there is none.

use std::time::Duration;

use tokio::time::Instant;

use super::attempts::Attempts;
use crate::pool::ask::AskError;
use crate::pool::connect::ConnectError;
use crate::pool::lease::Lease;
use crate::pool::{Place, PoolError, Want};
use crate::route::{Context, Plan, Route, To, replicated};
use crate::session::Session;
use crate::session::client::Gone;
use crate::session::worker::BEHIND;
use crate::sql::classify::{Kind, Marks};
use crate::view::{ClusterView, NodeView};

impl Session {
    /// A connection to run the statement on; `None` when the client has been told that there is none.
    pub(super) async fn find(&mut self, plan: &Plan, attempts: &mut Attempts) -> Result<Option<Lease>, Gone> {
        let worker = self.worker.clone();
        loop {
            let view = worker.shared.view.load();
            if let Some(lease) = self.asked_about(plan, &view) {
                return Ok(Some(lease));
            }
            let generation = view.generation;
            let route = self.route(plan, attempts, &view);
            if self.reads.explain {
                self.keep_decision(plan, route, &view);
            }
            let (index, wait) = match route.to {
                To::Node(_) if needs_primary(plan) && !attempts.may_go(self) => {
                    drop(view);
                    if attempts.get_in_line(self).await {
                        continue;
                    }
                    self.nobody(plan, std::mem::take(attempts)).await?;
                    return Ok(None);
                }
                To::Node(index) => (index, false),
                To::WhenApplied(index) => (index, true),
                To::NoPrimary | To::Nobody => {
                    drop(view);
                    let in_time = match route.to {
                        To::NoPrimary => attempts.wait_for_primary(self, generation).await,
                        _ => attempts.wait(self, generation).await,
                    };
                    if in_time {
                        continue;
                    }
                    self.nobody(plan, std::mem::take(attempts)).await?;
                    return Ok(None);
                }
            };
            let node = view.node(index).expect("routes lead to nodes of the view");
            let taken = match self.take_idle(node) {
                Some(lease) => Ok(lease),
                None => {
                    let place = Place::of(node);
                    drop(view);
                    self.take(&place).await
                }
            };
            let mut lease = match taken {
                Ok(lease) => lease,
                Err(error) => {
                    if self.no_connection(plan, error, index, attempts).await? {
                        continue;
                    }
                    return Ok(None);
                }
            };
            attempts.found(generation);
            if !wait {
                return Ok(Some(lease));
            }
            match self.has_applied(plan, &mut lease).await {
                Ok(true) => return Ok(Some(lease)),
                Ok(false) => lease.release(self.client.id, false, Instant::now()),
                // Dropped: a late answer must never meet another question.
                Err(_) => attempts.tried |= Context::bit(index),
            }
            self.waited_in_vain(index);
        }
    }

    fn route(&self, plan: &Plan, attempts: &Attempts, view: &ClusterView) -> Route {
        let mut wanted = *plan;
        if attempts.on_primary {
            wanted.marks = wanted.marks.with(Marks::PRIMARY);
        }
        let context = Context {
            view,
            promise: self.reads.promise(plan, &self.state.last_write),
            strategy: self.reads.strategy,
            autocommit: self.state.autocommit(),
            tried: attempts.tried,
            behind: self.worker.behind() | self.reads.behind(),
        };
        replicated::decide(&wanted, &context, &mut self.worker.spread.borrow_mut())
    }

    fn take_idle(&self, node: &NodeView) -> Option<Lease> {
        self.worker
            .pools
            .try_take(node, Want { key: &self.key, image: &self.state.image, owner: self.client.id })
    }

    async fn take(&self, place: &Place) -> Result<Lease, PoolError> {
        self.worker
            .pools
            .take(
                place,
                &self.account,
                Want { key: &self.key, image: &self.state.image, owner: self.client.id },
            )
            .await
    }

    /// The very connection that a statement asks about.
    fn asked_about(&self, plan: &Plan, view: &ClusterView) -> Option<Lease> {
        let (index, serial) = if plan.marks.any(Marks::ASKS_LAST) {
            self.state.last?
        } else if plan.marks.any(Marks::ASKS_WRITE) {
            self.state.last_writer?
        } else {
            return None;
        };
        let node = view.node(index)?;
        self.worker.pools.try_take_serial(node, serial, &self.key, self.client.id)
    }

    /// Waits until the node has applied what the session's reads need.
    async fn has_applied(&self, plan: &Plan, lease: &mut Lease) -> Result<bool, AskError> {
        let promise = self.reads.promise(plan, &self.state.last_write);
        let (needs, seconds) = (promise.needs, promise.wait.as_secs_f64());
        let text = format!("SELECT MASTER_GTID_WAIT('{needs}',{seconds})");
        let answer = lease.value(text.as_bytes(), promise.wait + Duration::from_secs(1)).await?;
        let applied = answer.as_deref() == Some("0");
        if applied {
            lease.meter.learned(needs);
        }
        Ok(applied)
    }

    /// Notes it for the thread, or for the session alone if the wait was of its own making.
    fn waited_in_vain(&mut self, index: usize) {
        if self.reads.waits_as_all_do(&self.worker.shared.config) {
            self.worker.is_behind(index);
        } else {
            self.reads.is_behind(Context::bit(index), BEHIND);
        }
    }

    /// What to do when a pool gives no connection; `false` when the client has been told.
    async fn no_connection(
        &mut self,
        plan: &Plan,
        error: PoolError,
        node: usize,
        attempts: &mut Attempts,
    ) -> Result<bool, Gone> {
        let message = error.to_string();
        match error {
            PoolError::Full { .. } => {
                self.client.error(1040, "08004", &format!("Too many connections: {message}")).await?;
                return Ok(false);
            }
            PoolError::Connect(ConnectError::Unreachable { .. }) => {}
            PoolError::Connect(ConnectError::Refused { code: 1040 | 1203 | 1226 | 1053, .. }) => {}
            PoolError::Connect(ConnectError::Refused { code, state, .. }) => {
                self.client.error(code, &state, &message).await?;
                return Ok(false);
            }
            PoolError::Connect(ConnectError::Foreign { .. }) => {
                self.client.error(1105, "HY000", &message).await?;
                return Ok(false);
            }
        }
        attempts.tried |= Context::bit(node);
        attempts.last_error = Some(message);
        if attempts.in_time(self) {
            return Ok(true);
        }
        self.nobody(plan, std::mem::take(attempts)).await?;
        Ok(false)
    }
}

/// Whether only the primary will do, whatever the session's state is: such a statement does not overtake those in line.
fn needs_primary(plan: &Plan) -> bool {
    match plan.kind {
        Kind::Write | Kind::Begin { read_only: false } => true,
        Kind::Read => plan.marks.any(Marks::PRIMARY),
        _ => false,
    }
}
