//! A statement on its way: find a node, bring the connection into the session's state, send, pass the answer on; and
//! again elsewhere, as long as that is safe.

mod attempts;
mod cursor;
mod find;
mod flight;
mod loss;
mod monotonic;
pub mod outcome;
mod schema;
mod send;
mod settle;
mod short;
mod tracking;

use std::sync::atomic::Ordering::Relaxed;

use tokio::time::Instant;

use self::attempts::Attempts;
use self::flight::Flight;
use self::short::Begun;
pub(super) use self::short::{First, Reached, allows_short};
use super::Session;
use super::client::Gone;
use super::relay::seen::Seen;
use super::state::Tied;
use crate::pool::ask::AskError;
use crate::pool::lease::Lease;
use crate::route::{Context, Plan, Route};
use crate::sql::classify::{Kind, Marks};
use crate::telemetry::Sighting;

/// What is sent to the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// The client's command as it is.
    Command,
    /// The same; it is answered with definitions up to an end.
    FieldList,
    /// The same; it prepares a statement that will have this id.
    Prepare(u32),
    /// The client's execute of a prepared statement.
    Execute(u32),
    /// MariaDB's, with many rows of parameters.
    Bulk(u32),
    /// The client's fetch of rows from the cursor of a prepared statement.
    Fetch(u32),
}

impl Work {
    /// Whether a statement is run.
    fn runs(self) -> bool {
        !matches!(self, Self::Prepare(_) | Self::FieldList | Self::Fetch(_))
    }
}

/// How the session came by a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// It is tied to it.
    Tied,
    /// It has been lent it for the statement.
    Lent,
    /// The same; the node may lack what the session has to see, and has to be asked to wait for it.
    LentBehind,
}

/// How one attempt ended.
enum Fate {
    Answered(Flight),
    /// The node refused what had to be set up first, with this error packet.
    Refused(Vec<u8>),
    /// The node takes no writes.
    ReadOnly,
    /// The node has not applied in time what the session has to see.
    Behind,
    /// The client has been answered, and the connection is of no use any more.
    Told,
    /// The connection broke; the statement had been sent or not.
    Broken {
        sent: bool,
    },
}

/// Whether the statement is to be tried again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Again,
    /// The client has been answered.
    Done,
}

impl Session {
    /// Runs a statement to its end: the client has been answered, one way or another.
    pub async fn perform(&mut self, work: Work, plan: Plan) -> Result<(), Gone> {
        self.perform_routed(work, plan, None).await
    }

    /// The same of a statement of which it has been decided just now where it goes.
    pub(super) async fn perform_routed(
        &mut self,
        work: Work,
        plan: Plan,
        routed: Option<Route>,
    ) -> Result<(), Gone> {
        if self.state.lost.is_some() && !self.after_loss(&plan).await? {
            return Ok(());
        }
        self.card.set_running(true);
        self.card.lull.restart();
        let done = self.attempt(work, plan, Attempts::first(routed), None).await;
        self.is_over();
        done
    }

    /// A statement has been run, one way or another.
    fn is_over(&mut self) {
        self.card.set_running(false);
        if self.state.mislaid.is_some() {
            self.find_schema_again();
        }
    }

    /// Tries it until it is done; the first attempt may be under way already.
    async fn attempt(
        &mut self,
        work: Work,
        plan: Plan,
        mut attempts: Attempts,
        mut begun: Option<Begun>,
    ) -> Result<(), Gone> {
        loop {
            // Lives up to the end of the attempt: whoever drains the node sees no gap between two statements.
            let mut tied = self.tied.take();
            let was_tied = tied.is_some();
            if was_tied && self.reads.explain {
                self.keep_tied_decision(&plan, tied.as_ref().and_then(Tied::node));
            }
            let mut seen = Seen::default();
            let (lease, fate) = match begun.take() {
                Some(mut begun) => {
                    let fate = self.go_on(&mut begun, work, &plan, was_tied, &mut seen).await?;
                    (begun.lease, fate)
                }
                None => {
                    let (mut lease, hold) = match &mut tied {
                        Some(tied) => (tied.lend(), Hold::Tied),
                        None => match self.find(&plan, &mut attempts).await? {
                            Some(found) => found,
                            None => return Ok(()),
                        },
                    };
                    let fate = if self.is_to_be_marked(work, &plan) {
                        self.carry_out_marked(&mut lease, work, &plan, hold, &mut seen).await?
                    } else {
                        self.carry_out(&mut lease, work, &plan, hold, &mut seen).await?
                    };
                    (lease, fate)
                }
            };
            let next = match fate {
                Fate::Told => return Ok(()),
                Fate::Answered(flight) => {
                    let settled = self.settle(lease, work, &plan, seen).await;
                    drop(flight);
                    return settled;
                }
                Fate::Refused(error) if was_tied => {
                    self.tied = Some(Tied::new(lease));
                    return self.client.send(&error).await;
                }
                Fate::Refused(error) => self.refused(&lease, &error, &mut attempts).await?,
                Fate::Behind => {
                    self.waited_in_vain(lease.node);
                    Next::Again
                }
                Fate::ReadOnly => self.read_only(lease, &plan, &mut attempts).await?,
                Fate::Broken { .. } if seen.interrupted.is_some() => {
                    return self.cut_short(lease, work, &plan, was_tied, &seen).await;
                }
                Fate::Broken { sent } => {
                    let id = self.give_up(&lease);
                    let node = lease.node;
                    drop(lease);
                    let Some(sent) = self.unless_answered(sent, was_tied).await? else { return Ok(()) };
                    if was_tied {
                        return self.lose(&plan, work, sent, seen.passed_on, &id).await;
                    }
                    if sent && (seen.passed_on || !repeatable(&plan, work)) {
                        return self.cut_off(&plan, work, seen.passed_on, &id).await;
                    }
                    let why = format!("the connection to {id} broke");
                    self.elsewhere(&plan, node, why, &mut attempts).await?
                }
            };
            if next == Next::Done {
                return Ok(());
            }
        }
    }

    /// Ends the login: with a schema, a node has to know it. `false`: it does not, and the client has been told.
    pub async fn enter_schema(&mut self) -> Result<bool, Gone> {
        let image = self.state.image.clone();
        if image.schema.is_none() {
            self.client.ok(self.state.status).await?;
            return Ok(true);
        }
        let plan = Plan::plain(Kind::Session, Marks::NONE, "default schema");
        let mut attempts = Attempts::default();
        loop {
            let Some((mut lease, _)) = self.find(&plan, &mut attempts).await? else { return Ok(false) };
            lease.refresh_schema();
            match lease.enter(&image).await {
                Ok(()) => {
                    self.worker.show_face_of(&lease);
                    lease.release(0, false, Instant::now());
                    self.client.ok(self.state.status).await?;
                    return Ok(true);
                }
                Err(AskError::Refused(error)) => {
                    self.client.send(&error).await?;
                    return Ok(false);
                }
                Err(error @ (AskError::Broken(_) | AskError::Behind)) => {
                    let why = format!("{}: {error}", self.give_up(&lease));
                    if self.elsewhere(&plan, lease.node, why, &mut attempts).await? == Next::Done {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// The node refused what had to be set up. A replica may not have the schema yet: then the primary is asked.
    async fn refused(&mut self, lease: &Lease, error: &[u8], attempts: &mut Attempts) -> Result<Next, Gone> {
        let primary = self.worker.shared.view.load().primary().is_some_and(|node| node.index == lease.node);
        if primary || attempts.on_primary {
            if self.mislay_schema(error) {
                return Ok(Next::Again);
            }
            self.client.send(error).await?;
            return Ok(Next::Done);
        }
        attempts.tried |= Context::bit(lease.node);
        attempts.on_primary = true;
        Ok(Next::Again)
    }

    /// The node takes no writes: what was thought a read is one for the primary; and if that was the primary, it is
    /// about to be replaced.
    async fn read_only(&mut self, lease: Lease, plan: &Plan, attempts: &mut Attempts) -> Result<Next, Gone> {
        let primary = plan.marks.any(Marks::PRIMARY) || plan.kind != Kind::Read || attempts.on_primary;
        let generation = self.worker.shared.view.load().generation;
        lease.release(self.client.id, false, Instant::now());
        attempts.on_primary = true;
        if primary {
            attempts.refused_by_primary(generation);
            if !attempts.wait_for_primary(self, generation).await {
                self.still_read_only().await?;
                return Ok(Next::Done);
            }
        }
        Ok(Next::Again)
    }

    /// Counts and tells that a connection broke; returns its node's name.
    fn give_up(&self, lease: &Lease) -> cluster::NodeId {
        lease.meter.errors.fetch_add(1, Relaxed);
        self.worker.pools.sighted(&lease.id, Sighting::Broken);
        lease.id.clone()
    }

    /// The node has failed the statement, and another one may run it while there is time.
    async fn elsewhere(
        &mut self,
        plan: &Plan,
        node: usize,
        why: String,
        attempts: &mut Attempts,
    ) -> Result<Next, Gone> {
        attempts.tried |= Context::bit(node);
        attempts.last_error = Some(why);
        if attempts.in_time(self) {
            return Ok(Next::Again);
        }
        self.nobody(plan, std::mem::take(attempts)).await?;
        Ok(Next::Done)
    }
}

/// Whether a statement that has been sent may be sent again when no answer came.
fn repeatable(plan: &Plan, work: Work) -> bool {
    // Outside a transaction, its beginning and its end change nothing.
    plan.repeatable()
        || matches!(work, Work::Prepare(_) | Work::FieldList)
        || matches!(plan.kind, Kind::Begin { .. } | Kind::Commit | Kind::Rollback)
}
