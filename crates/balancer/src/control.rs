//! The balancer's handle for whoever steers it from within the process; the admin API is made of the same calls.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use cluster::{NodeId, Role};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::admin::api::{EventRow, NodeRow, Sessions, Settings, Status};
use crate::config::{ConfigError, Elastic};
use crate::elastic::Thought;
use crate::event::{ClusterEvent, EventLog};
use crate::executor::{Order, Progress};
use crate::health::{Board, durability};
use crate::request::{Action, Request};
use crate::session::roster::Pins;
use crate::session::worker::Shared;
use crate::tls::{self, Certificates, TlsError};
use crate::view::{NodeState, NodeView, Strategy, ViewCell};

/// Why a request was not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such node.
    #[error("there is no node `{name}`")]
    UnknownNode {
        /// The name that was given.
        name: String,
        /// The names there are.
        allowed: Vec<String>,
    },
    /// The node is not in a state for it.
    #[error("{0}")]
    NotNow(String),
    /// The executor has too much to do already.
    #[error("the balancer has too many requests waiting, try again")]
    Busy,
    /// A setting makes no sense.
    #[error(transparent)]
    Setting(#[from] ConfigError),
    /// Certificates cannot be used; those from before stay in use.
    #[error(transparent)]
    Certificates(Arc<TlsError>),
}

/// Steers a running balancer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) view: Arc<ViewCell>,
    pub(crate) board: Arc<Board>,
    pub(crate) events: Arc<EventLog>,
    pub(crate) inbox: mpsc::Sender<Order>,
    pub(crate) progress: watch::Receiver<Progress>,
    pub(crate) thought: watch::Receiver<Thought>,
    pub(crate) elastic: watch::Sender<Elastic>,
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) started: Instant,
    /// The data plane, once it has started.
    pub(crate) plane: Option<Arc<Shared>>,
}

impl Handle {
    /// The view of this moment and those to come.
    pub fn view(&self) -> &Arc<ViewCell> {
        &self.view
    }

    /// What has happened and what will.
    pub fn events(&self) -> &Arc<EventLog> {
        &self.events
    }

    /// Asks for a change of the topology. It has been taken when this returns, not yet done: see the events.
    pub fn ask(&self, action: Action, cause: impl Into<String>) -> Result<(), Refusal> {
        self.possible(&action)?;
        self.inbox.try_send(Order::Request(Request::new(action, cause))).map_err(|_| Refusal::Busy)
    }

    /// Spreads reads in another way from now on.
    pub fn set_strategy(&self, strategy: Strategy) -> Result<(), Refusal> {
        self.inbox.try_send(Order::Strategy(strategy)).map_err(|_| Refusal::Busy)
    }

    /// Waits until the controller wants a node and no candidate stands by; returns its reason.
    pub async fn candidate_wanted(&self) -> String {
        let mut thought = self.thought.clone();
        let wanted = thought.wait_for(|thought| thought.wants_candidate).await;
        let reason = wanted.ok().map(|thought| thought.decision.clone());
        match reason {
            Some(reason) => reason,
            None => std::future::pending().await, // The controller has ended, and wants nothing any more.
        }
    }

    /// The settings of scaling.
    pub fn elastic(&self) -> Elastic {
        self.elastic.borrow().clone()
    }

    /// Changes the settings of scaling.
    pub fn set_elastic(&self, elastic: Elastic) -> Result<(), Refusal> {
        elastic.check()?;
        self.elastic.send_replace(elastic);
        Ok(())
    }

    /// Reads all certificates again; new connections use them.
    pub fn reload_certificates(&self, cause: &str) -> Result<(), Refusal> {
        if !self.certificates.any() {
            return Err(Refusal::NotNow("the settings name no certificates".to_owned()));
        }
        tls::watch::reload(&self.certificates, &self.events, cause)
            .map_err(|error| Refusal::Certificates(Arc::new(error)))
    }

    /// What may be changed while it runs.
    pub fn settings(&self) -> Settings {
        Settings { strategy: self.view.load().strategy, elastic: self.elastic() }
    }

    /// The whole at one glance.
    pub fn status(&self) -> Status {
        let view = self.view.load();
        Status {
            generation: view.generation,
            primary: view.primary().map(|node| node.id.to_string()),
            serving: view.serving(),
            strategy: view.strategy,
            uptime_ms: self.started.elapsed().as_millis() as u64,
            progress: self.progress.borrow().clone(),
            controller: self.thought.borrow().clone(),
            warnings: durability::warning(&view, &self.board.sights()).into_iter().collect(),
        }
    }

    /// All nodes with their figures, in the order of the configuration.
    pub fn nodes(&self) -> Vec<NodeRow> {
        let view = self.view.load();
        view.nodes.iter().map(|node| self.row(node)).collect()
    }

    /// The sessions, `limit` at most, and how many there are.
    pub async fn sessions(&self, pinned: bool, limit: usize) -> Sessions {
        let Some(plane) = &self.plane else { return Sessions::default() };
        let counts = plane.asker.counts().await;
        let by_cause = Pins::NAMES.into_iter().map(str::to_owned).zip(counts.by_cause).collect();
        Sessions {
            sessions: counts.sessions,
            running: counts.running,
            pinned: counts.pinned,
            pinned_by: by_cause,
            logging_in: plane.logging_in.load(Relaxed),
            memory_bytes: plane.memory.used(),
            memory_refusals: plane.memory.refused(),
            list: if limit == 0 { Vec::new() } else { plane.asker.sessions(pinned, limit).await },
        }
    }

    /// The events with a number above `after`, oldest first.
    pub fn events_after(&self, after: u64) -> Vec<EventRow> {
        self.events.after(after).iter().map(event_row).collect()
    }

    fn row(&self, node: &NodeView) -> NodeRow {
        let meter = &node.meter;
        let sight = self.board.sight(&node.id);
        let lag = meter.lag_ms.load(Relaxed);
        NodeRow {
            node: node.id.to_string(),
            address: node.address,
            role: node.role,
            state: node.state,
            alive: sight.as_ref().is_some_and(|sight| sight.alive),
            evidence: sight.map(|sight| sight.evidence).unwrap_or_default(),
            weight: node.weight,
            reads: meter.reads.load(Relaxed),
            writes: meter.writes.load(Relaxed),
            errors: meter.errors.load(Relaxed),
            in_flight: meter.in_flight.load(Relaxed),
            pinned: meter.pinned.load(Relaxed),
            connections: meter.connections.load(Relaxed),
            waiting: meter.waiting.load(Relaxed),
            waits: meter.waited.snapshot(),
            wait_timeouts: meter.wait_timeouts.load(Relaxed),
            opened: meter.opened.load(Relaxed),
            resets: meter.resets.load(Relaxed),
            lag_ms: (lag >= 0).then_some(lag as f64),
            lag_transactions: (lag >= 0).then(|| meter.lag_transactions.load(Relaxed)),
            freshness: meter.freshness.snapshot(),
            share: if meter.warm_up.is_on() { meter.warm_up.share(Instant::now()) } else { 1.0 },
            ping_ms: meter.ping_us.load(Relaxed) as f64 / 1e3,
            read_only: meter.read_only.load(Relaxed),
            applied: meter.applied.load().to_string(),
            read_latency: meter.read_latency.snapshot(),
            write_latency: meter.write_latency.snapshot(),
        }
    }

    /// Tells an operator at once what the executor would find out later.
    fn possible(&self, action: &Action) -> Result<(), Refusal> {
        let view = self.view.load();
        let find = |id: &NodeId| {
            view.nodes.iter().find(|node| node.id == *id).ok_or_else(|| Refusal::UnknownNode {
                name: id.to_string(),
                allowed: view.nodes.iter().map(|node| node.id.to_string()).collect(),
            })
        };
        let no = |reason: String| Err(Refusal::NotNow(reason));
        match action {
            Action::Disable(id) | Action::Drain(id) => match find(id)? {
                node if node.role == Role::Primary => {
                    no(format!("{id} is the primary: promote another node first"))
                }
                node if node.state == NodeState::Disabled => no(format!("{id} is disabled already")),
                _ => Ok(()),
            },
            Action::Enable(id) => match find(id)? {
                node if node.state == NodeState::Disabled => Ok(()),
                node => no(format!("{id} is not disabled, it is {}", node.state.as_str())),
            },
            Action::Switchover(id) => match find(id)? {
                node if view.primary().is_some_and(|primary| primary.id == node.id) => {
                    no(format!("{id} is the primary already"))
                }
                _ if !self.board.alive(id) => no(format!("{id} does not answer")),
                _ => Ok(()),
            },
            Action::ScaleOut(Some(id)) => match find(id)? {
                node if node.state == NodeState::Standby => Ok(()),
                node => no(format!("{id} does not stand by, it is {}", node.state.as_str())),
            },
            Action::ScaleOut(None) if view.nodes.iter().all(|node| node.state != NodeState::Standby) => {
                no("no candidate stands by".to_owned())
            }
            Action::ScaleIn(Some(id)) if find(id)?.role == Role::Primary => {
                no(format!("{id} is the primary: promote another node first"))
            }
            Action::ScaleIn(_) if view.serving() <= self.elastic.borrow().floor => {
                no(format!("{} nodes serve, which is the floor", view.serving()))
            }
            Action::TakeOut(id) | Action::Rejoin(id) | Action::Adopt(id) => find(id).map(drop),
            Action::ScaleOut(None) | Action::ScaleIn(_) | Action::ReplacePrimary => Ok(()),
        }
    }
}

fn event_row(event: &ClusterEvent) -> EventRow {
    EventRow {
        sequence: event.sequence,
        age_ms: event.at.elapsed().as_secs_f64() * 1e3,
        kind: event.kind,
        node: event.node.as_ref().map(NodeId::to_string).unwrap_or_default(),
        cause: event.cause.clone(),
        detail: event.detail.clone(),
    }
}
