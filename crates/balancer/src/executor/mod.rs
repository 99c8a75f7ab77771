//! The one writer of the view: takes requests, begins jobs, admits what they made ready.
//!
//! The loop wakes for each order, each report of a job, and nothing else; it never waits on a node. At most one promotion
//! runs, and at most one scaling action; nodes are brought back side by side. A promotion waits for nobody: it cancels
//! the other jobs, whose nodes are put back where they were.
//!
//! The writer's own methods are in [`rules`] (what may begin), [`succession`] (the primary), [`service`] (all other nodes),
//! [`crew`] (the jobs that run) and [`notice`] (what others see); what waits on nodes is in [`elect`], [`promote`],
//! [`rejoin`] and [`scale`].

mod crew;
pub mod elect;
pub mod job;
mod notice;
pub mod planted;
pub mod promote;
pub mod queue;
pub mod rejoin;
mod rules;
pub mod scale;
mod service;
pub mod state;
mod succession;
pub mod topology;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use cluster::NodeId;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::job::{JobId, Kind, Report, Running};
use self::planted::Planted;
use self::queue::{Pushed, Queue};
use self::state::{Memory, Saved};
use self::succession::Loss;
use self::topology::Topology;
use crate::config::Elastic;
use crate::event::{EventKind, EventLog};
use crate::health::Board;
use crate::nodes::Nodes;
use crate::request::{Action, Request};
use crate::view::{Strategy, ViewCell};

/// Orders that may wait in the inbox.
pub const INBOX: usize = 64;

/// What the executor can be told.
#[derive(Clone, Debug)]
pub enum Order {
    /// Change the topology.
    Request(Request),
    /// Spread reads in another way.
    Strategy(Strategy),
}

/// What the executor is about, for the controller and for people.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Progress {
    /// What waits, first in line first.
    pub queued: Vec<String>,
    /// What runs.
    pub running: Vec<String>,
    /// Nodes on their way into service: asked for, or being made ready.
    pub coming: usize,
    /// Nodes on their way out.
    pub leaving: usize,
    /// Whether a primary is being made.
    pub promoting: bool,
    /// When the last scaling action ended, well or not.
    #[serde(skip)]
    pub scaled_at: Option<Instant>,
}

/// What the executor is made of.
pub struct Parts {
    /// The nodes.
    pub nodes: Arc<dyn Nodes>,
    /// Their health.
    pub board: Arc<Board>,
    /// Where it publishes.
    pub view: Arc<ViewCell>,
    /// Where it tells what it did.
    pub events: Arc<EventLog>,
    /// The nodes as they stand at the start.
    pub topology: Topology,
    /// Nodes configured as candidates.
    pub candidates: Vec<NodeId>,
    /// The limit of a promotion.
    pub promotion_limit: Duration,
    /// Between two probes: how close two deaths may be and still count as one.
    pub probe_interval: Duration,
    /// The settings of scaling, which may change.
    pub elastic: watch::Receiver<Elastic>,
    /// Where the memory is kept.
    pub memory: Memory,
    /// What is wrong with it on purpose.
    pub planted: Planted,
    /// Where it tells what it is about.
    pub progress: watch::Sender<Progress>,
    /// Its jobs.
    pub tasks: TaskTracker,
    /// Ends everything.
    pub stop: CancellationToken,
}

/// The executor.
pub struct Executor {
    parts: Parts,
    queue: Queue,
    running: Vec<Running>,
    last_job: JobId,
    /// The loss that has not been mended yet.
    loss: Option<Loss>,
    promote_not_before: Option<Instant>,
    scaled_at: Option<Instant>,
    reports: (mpsc::Sender<Report>, mpsc::Receiver<Report>),
    saved: Option<Saved>,
}

impl Executor {
    /// Made, not yet running.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            queue: Queue::default(),
            running: Vec::new(),
            last_job: 0,
            loss: None,
            promote_not_before: None,
            scaled_at: None,
            reports: mpsc::channel(64),
            saved: None,
        }
    }

    /// Works until it is stopped.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        self.publish();
        let stop = self.parts.stop.clone();
        loop {
            self.begin_what_may_begin();
            self.tell_progress();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(report) = self.reports.1.recv() => self.take_report(report),
                order = inbox.recv() => match order {
                    Some(Order::Request(request)) => self.take_request(request),
                    Some(Order::Strategy(strategy)) => {
                        self.parts.topology.strategy = strategy;
                        self.publish();
                    }
                    None => return,
                },
            }
        }
    }

    fn take_request(&mut self, request: Request) {
        if !self.sensible(&request) {
            return;
        }
        let scaling = match &request.action {
            Action::ScaleOut(node) => Some((EventKind::ScaleOutRequested, node.clone())),
            Action::ScaleIn(node) => Some((EventKind::ScaleInRequested, node.clone())),
            _ => None,
        };
        let (cause, full) = (request.cause.clone(), request.action.clone());
        match (self.queue.push(request), scaling) {
            (Pushed::Queued, Some((kind, node))) => self.parts.events.tell(kind, node.as_ref(), cause, ""),
            (Pushed::Full, _) => tracing::warn!(action = ?full, "the queue is full, a request was dropped"),
            _ => {}
        }
    }

    fn begin_what_may_begin(&mut self) {
        loop {
            let free = self.free();
            let next = self.queue.pop(|request| free.may_begin(&request.action));
            let Some(request) = next else { return };
            if self.sensible(&request) {
                self.begin(request);
            }
        }
    }

    fn begin(&mut self, request: Request) {
        match request.action.clone() {
            Action::ReplacePrimary => self.replace_primary(request, None),
            Action::Switchover(id) => self.switch_over(request, id),
            Action::Adopt(id) => self.adopt(&request, &id),
            Action::TakeOut(id) => self.take_out(&id),
            Action::Rejoin(id) => self.rejoin(request, id),
            Action::ScaleOut(id) => self.scale_out(request, id),
            Action::ScaleIn(id) => self.scale_in(request, id),
            Action::Enable(id) => self.enable(&id),
            Action::Disable(id) => self.disable(&id),
            Action::Drain(id) => self.drain(request, id, Kind::Drain),
        }
    }
}
