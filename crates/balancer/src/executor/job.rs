//! Whatever waits on a node: a task beside the executor. A job changes no view; it ends by telling the executor, which
//! alone admits. Each step has a limit of its own.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cluster::NodeId;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::planted::Planted;
use crate::health::Board;
use crate::nodes::{NodeError, Nodes};
use crate::request::Request;

/// The limit of a single step on a node, where the action's own limit is not nearer.
pub const STEP: Duration = Duration::from_secs(2);

/// The number of a job.
pub type JobId = u64;

/// A new primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Which one.
    pub chosen: NodeId,
    /// Why this one.
    pub why: String,
    /// The steps with their times, for people.
    pub steps: String,
    /// Who was heard before it was chosen: their data are part of its history.
    pub heard: Vec<NodeId>,
    /// What it had received when it was elected, as a sequence number of replication domain 0. Clients may have been told
    /// of all of it.
    pub at: u64,
    /// Its `server_id`.
    pub server: u32,
}

/// What a job has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A node takes writes: admit it at once. The job goes on.
    Opened(Opening),
    /// The node's data are of the primary's history, as far as they go: from now on it may acknowledge, and so it must be
    /// heard when the primary is lost. The job goes on.
    Belongs(NodeId),
    /// The promotion is finished.
    Promoted {
        /// Nodes that could not be made to follow.
        strays: Vec<NodeId>,
    },
    /// The candidate may be admitted.
    Ready(NodeId),
    /// Nothing is under way on the node any more.
    Drained(NodeId),
    /// The node follows and has caught up.
    CaughtUp(NodeId),
    /// The node may not come back as it is.
    Refused {
        /// Which one.
        node: NodeId,
        /// What it has that the primary has not.
        reason: String,
    },
    /// It could not be done.
    Failed(String),
    /// A planned change has stopped half-way and could not be undone: nobody knows which of both nodes is open.
    Stranded {
        /// The next primary.
        to: NodeId,
        /// What could not be done, and what could not be undone.
        reason: String,
    },
}

/// News with the number of the job they come from: those of a cancelled job are not listened to.
#[derive(Debug)]
pub struct Report {
    /// Which job.
    pub job: JobId,
    /// What it tells.
    pub news: News,
}

/// What kind of work a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A new primary, because the old one is gone.
    Promote,
    /// The next primary comes near, while the old one goes on.
    Approach,
    /// A new primary, while the old one is well.
    Switchover,
    /// A candidate is made ready.
    ScaleOut,
    /// A replica is drained and becomes a candidate.
    ScaleIn,
    /// A node is drained and switched off.
    Drain,
    /// A node is brought back.
    Rejoin,
}

/// A job that runs.
#[derive(Debug)]
pub struct Running {
    /// Its number.
    pub id: JobId,
    /// Its kind.
    pub kind: Kind,
    /// The node it works on; `None` for promotions, which work on all.
    pub node: Option<NodeId>,
    /// What it does it for.
    pub request: Request,
    /// The new primary is open already, and only others are still being pointed at it: nothing waits for that.
    pub opened: bool,
    /// Ends it.
    pub stop: CancellationToken,
}

/// What a job is handed.
#[derive(Clone)]
pub struct Tools {
    /// Its number.
    pub job: JobId,
    /// The nodes.
    pub nodes: Arc<dyn Nodes>,
    /// Their health.
    pub board: Arc<Board>,
    /// The executor's ear.
    pub reports: mpsc::Sender<Report>,
    /// What is wrong on purpose.
    pub planted: Planted,
}

impl Tools {
    /// Tells the executor. The channel is bounded and the executor never waits on a node, so this is soon over.
    pub async fn tell(&self, news: News) {
        // A closed channel means that everything is being stopped.
        let _ = self.reports.send(Report { job: self.job, news }).await;
    }
}

/// Runs one step within a limit.
pub async fn step<T>(
    node: &NodeId,
    step: &'static str,
    limit: Duration,
    work: impl Future<Output = Result<T, NodeError>>,
) -> Result<T, NodeError> {
    timeout(limit, work).await.unwrap_or_else(|_| {
        Err(NodeError::TimedOut { node: node.clone(), step, limit_ms: limit.as_millis() as u64 })
    })
}
