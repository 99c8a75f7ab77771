//! The way to a connection: route, pool, and what to do while there is none.

use tokio::time::Instant;

use super::Hold;
use super::attempts::Attempts;
use super::send::{goes_along, send_behind};
use crate::pool::ask::AskError;
use crate::pool::connect::ConnectError;
use crate::pool::lease::Lease;
use crate::pool::prelude::Prelude;
use crate::pool::{Place, PoolError, Want};
use crate::route::{Context, Plan, Route, To, replicated};
use crate::session::Session;
use crate::session::client::Gone;
use crate::session::worker::BEHIND;
use crate::sql::classify::{Kind, Marks};
use crate::view::{ClusterView, NodeView};

impl Session {
    /// A connection to run the statement on; `None` when the client has been told that there is none.
    pub(super) async fn find(
        &mut self,
        plan: &Plan,
        attempts: &mut Attempts,
    ) -> Result<Option<(Lease, Hold)>, Gone> {
        loop {
            match self.look(plan, attempts).await? {
                Look::Found(lease, hold) => return Ok(Some((lease, hold))),
                Look::Again => {}
                Look::TimeUp => {
                    self.nobody(plan, std::mem::take(attempts)).await?;
                    return Ok(None);
                }
                Look::Refused => return Ok(None),
            }
        }
    }

    /// Looks for one once, or waits until it is worth looking again.
    async fn look(&mut self, plan: &Plan, attempts: &mut Attempts) -> Result<Look, Gone> {
        let worker = self.worker.clone();
        let view = worker.shared.view.load();
        if let Some(lease) = self.asked_about(plan, &view) {
            return Ok(Look::Found(lease, Hold::Lent));
        }
        let generation = view.generation;
        let route = attempts.routed.take().unwrap_or_else(|| self.route(plan, attempts, &view));
        if self.reads.explain {
            self.keep_decision(plan, route, &view);
        }
        let (index, behind) = match route.to {
            To::Node(_) if needs_primary(plan) && !attempts.may_go(self) => {
                drop(view);
                return Ok(Look::again_if(attempts.get_in_line(self).await));
            }
            To::Node(index) => (index, false),
            To::WhenApplied(index) => (index, true),
            To::NoPrimary => {
                drop(view);
                return Ok(Look::again_if(attempts.wait_for_primary(self, generation).await));
            }
            To::Nobody => {
                drop(view);
                return Ok(Look::again_if(attempts.wait(self, generation).await));
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
        let lease = match taken {
            Ok(lease) => lease,
            Err(error) => return self.no_connection(error, index, attempts).await,
        };
        attempts.found(generation);
        Ok(match behind {
            false => Look::Found(lease, Hold::Lent),
            true if goes_along(plan) && lease.takes_several() => Look::Found(lease, Hold::LentBehind),
            true => self.catch_up(plan, lease, attempts).await,
        })
    }

    /// Waits until the node has applied what the session's reads need.
    async fn catch_up(&mut self, plan: &Plan, mut lease: Lease, attempts: &mut Attempts) -> Look {
        let node = lease.node;
        let mut prelude = Prelude::default();
        self.ask_to_wait(plan, &lease, &mut prelude);
        match send_behind(&mut lease, prelude, &[], false).await {
            Ok(()) => {
                self.has_applied(plan, &lease);
                return Look::Found(lease, Hold::Lent);
            }
            Err(AskError::Behind) => lease.release(self.client.id, false, Instant::now()),
            // Dropped: a late answer must never meet another question.
            Err(_) => attempts.tried |= Context::bit(node),
        }
        self.waited_in_vain(node);
        Look::Again
    }

    pub(super) fn route(&self, plan: &Plan, attempts: &Attempts, view: &ClusterView) -> Route {
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

    /// Adds the wait for what the session's reads need.
    pub(super) fn ask_to_wait(&self, plan: &Plan, lease: &Lease, prelude: &mut Prelude) {
        let promise = self.reads.promise(plan, &self.state.last_write);
        prelude.wait_for(promise.needs, promise.wait, lease.greeting.is_mysql());
    }

    /// Notes that the node has applied what the session's reads need.
    pub(super) fn has_applied(&self, plan: &Plan, lease: &Lease) {
        lease.meter.learned(self.reads.promise(plan, &self.state.last_write).needs);
    }

    /// Notes it for the thread, or for the session alone if the wait was of its own making.
    pub(super) fn waited_in_vain(&mut self, index: usize) {
        if self.reads.waits_as_all_do(&self.worker.shared.config) {
            self.worker.is_behind(index);
        } else {
            self.reads.is_behind(Context::bit(index), BEHIND);
        }
    }

    /// What to do when a pool gives no connection.
    async fn no_connection(
        &mut self,
        error: PoolError,
        node: usize,
        attempts: &mut Attempts,
    ) -> Result<Look, Gone> {
        let message = error.to_string();
        match error {
            PoolError::Full { .. } => {
                self.client.error(1040, "08004", &format!("Too many connections: {message}")).await?;
                return Ok(Look::Refused);
            }
            PoolError::Connect(ConnectError::Unreachable { .. }) => {}
            PoolError::Connect(ConnectError::Refused { code: 1040 | 1203 | 1226 | 1053, .. }) => {}
            PoolError::Connect(ConnectError::Refused { code, state, .. }) => {
                self.client.error(code, &state, &message).await?;
                return Ok(Look::Refused);
            }
            PoolError::Connect(ConnectError::Foreign { .. }) => {
                self.client.error(1105, "HY000", &message).await?;
                return Ok(Look::Refused);
            }
        }
        attempts.tried |= Context::bit(node);
        attempts.last_error = Some(message);
        Ok(Look::again_if(attempts.in_time(self)))
    }
}

/// What a look for a connection has come to.
enum Look {
    /// A connection.
    Found(Lease, Hold),
    /// Worth another look.
    Again,
    /// There is no time for another look.
    TimeUp,
    /// The client has been told why there is none.
    Refused,
}

impl Look {
    fn again_if(in_time: bool) -> Self {
        if in_time { Self::Again } else { Self::TimeUp }
    }
}

/// Whether only the primary will do, whatever the session's state is: such a statement does not overtake those in line.
pub(super) fn needs_primary(plan: &Plan) -> bool {
    match plan.kind {
        Kind::Write | Kind::Begin { read_only: false } => true,
        Kind::Read => plan.marks.any(Marks::PRIMARY),
        _ => false,
    }
}
