//! Starts everything: looks at the nodes, finds the primary, publishes the first view, starts both planes.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cluster::{AdminError, NodeId};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::guard::Token;
use crate::config::{Config, ConfigError, Outcomes};
use crate::control::Handle;
use crate::dataplane::{self, DataPlane};
use crate::elastic::{self, Thought, Watcher};
use crate::event::EventLog;
use crate::executor::planted::Planted;
use crate::executor::state::Memory;
use crate::executor::topology::Topology;
use crate::executor::{Executor, INBOX, Parts, Progress};
use crate::failover::Remedy;
use crate::health::{Board, probe};
use crate::nodes::Nodes;
use crate::nodes::servers::Servers;
use crate::tls::{self, Certificates, TlsError};
use crate::view::{ClusterView, ViewCell};
use crate::{accounts, admin, failover, outcome};

mod first;
mod rivals;

/// Sightings of sessions that may wait for the probes.
const SIGHTINGS: usize = 256;

/// Why the balancer did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration makes no sense.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// An address cannot be bound.
    #[error("cannot listen on {address} for {what}: {source}")]
    Listen {
        /// Clients or the admin API.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// The system's word.
        source: io::Error,
    },
    /// Certificates cannot be used.
    #[error("certificates: {0}")]
    Tls(#[from] TlsError),
    /// The token of the admin API cannot be used.
    #[error("cannot use the admin API's token from {path}: {source}")]
    Token {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The state file is there and cannot be read.
    #[error("cannot read the state file {path}: {source}")]
    State {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No node answered.
    #[error("no node answers: {0}")]
    NobodyAnswers(String),
    /// The operator's account is not let in.
    #[error("{node} does not let the operator's account in: {reason}")]
    Denied {
        /// Which node.
        node: NodeId,
        /// In the server's words.
        reason: String,
    },
    /// A node is no server that can be worked with.
    #[error("{node} cannot be a node: {reason}")]
    Unfit {
        /// Which node.
        node: NodeId,
        /// What it lacks.
        reason: String,
    },
    /// Two primaries: choosing one would lose what the other has.
    #[error(
        "{first} and {second} are both writable, and which one is the primary cannot be told: make one of them \
         read-only (SET GLOBAL read_only=ON) and follow the other"
    )]
    TwoPrimaries {
        /// One of them.
        first: NodeId,
        /// The other.
        second: NodeId,
    },
    /// The writable node may not be the last primary, and may lack what that one took.
    #[error(
        "{writable} is writable, but {other}: start {last}, or make {writable} the primary by hand (every node that \
         answers made to follow it) if {last} is lost"
    )]
    Doubtful {
        /// The one that takes writes.
        writable: NodeId,
        /// Who may be ahead of it.
        last: NodeId,
        /// What was seen.
        other: String,
    },
    /// A node follows one that is not the primary and may be about to take writes, and cannot be stopped.
    #[error(
        "{node} follows {source_node}, which is not the primary and may yet take writes, and could not be stopped: {why}; stop \
         replication on {node}"
    )]
    Astray {
        /// Who follows.
        node: NodeId,
        /// Whom.
        source_node: NodeId,
        /// Why it could not be stopped.
        why: String,
    },
    /// The table in which commits leave their marks cannot be made.
    #[error("failover.outcomes = \"ask\": {0}")]
    Outcomes(String),
    /// No node takes writes, and promoting one blindly could lose data.
    #[error("no node is writable ({0}): open the one with the newest data (SET GLOBAL read_only=OFF)")]
    NoPrimary(String),
}

/// A running balancer. Ends when its token is cancelled or [`Balancer::shutdown`] is called; dropping this does not end it.
#[derive(Debug)]
pub struct Balancer {
    /// Where clients connect.
    pub address: SocketAddr,
    /// Where the admin API answers, if anywhere.
    pub admin_address: Option<SocketAddr>,
    /// Which nodes serve, now and later.
    pub view: Arc<ViewCell>,
    /// What has happened.
    pub events: Arc<EventLog>,
    /// Steers it.
    pub handle: Handle,
    plane: DataPlane,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Balancer {
    /// Clients connected now.
    pub fn clients(&self) -> usize {
        self.plane.clients()
    }

    /// Ends clients' sessions and everything else; the nodes stay as they are.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.plane.join().await;
    }

    /// Ends where it stands, as with the death of its process: nothing is finished and nobody is told. Its control plane has to be
    /// ended with the runtime that it was started in.
    pub async fn kill(self) {
        self.plane.cut();
        self.stop.cancel();
        self.plane.join().await;
    }
}

/// Starts a balancer for real nodes. Must be called within a tokio runtime, which carries the control plane; statements
/// have threads of their own.
pub async fn start(config: Config, stop: CancellationToken) -> Result<Balancer, StartError> {
    config.check()?;
    // Before anything is bound, so that what is wrong with it is told as such.
    accounts::Accounts::new(&config.accounts, &config.auth)?;
    let config = Arc::new(config);
    let token = match &config.auth.admin_token_file {
        Some(path) => {
            let wrong = |source| StartError::Token { path: path.clone(), source };
            Some(Token::read(path).map_err(wrong)?)
        }
        None => None,
    };
    let nodes = Arc::new(Servers::new(&config));
    let memory = config.state_file.clone().map_or(Memory::Nowhere, Memory::File);
    let stop = stop.child_token();
    let mut control = Control::start(&config, nodes, memory, &stop).await.inspect_err(|_| stop.cancel())?;
    if config.failover.outcomes == Outcomes::Ask {
        make_outcomes(&config, &control, &stop).await.inspect_err(|_| stop.cancel())?;
    }
    let listen = |what, address| move |source| StartError::Listen { what, address, source };
    let (view, certificates) = (control.handle.view.clone(), control.handle.certificates.clone());
    let plane = dataplane::start_with(config.clone(), certificates, view, control.sightings, stop.clone())
        .map_err(listen("clients", config.listen))
        .inspect_err(|_| stop.cancel())?;
    control.handle.plane = Some(plane.shared());
    if config.auth.accounts_file.is_some() || config.auth.from_nodes {
        let watch = accounts::watch::run(plane.accounts.clone(), config.clone());
        control.tasks.spawn(stop.clone().run_until_cancelled_owned(watch));
    }
    let admin_address = match config.admin {
        None => None,
        Some(address) => {
            let bound = TcpListener::bind(address).await.and_then(|l| Ok((l.local_addr()?, l)));
            let (bound, listener) =
                bound.map_err(listen("the admin API", address)).inspect_err(|_| stop.cancel())?;
            control.tasks.spawn(admin::serve(listener, control.handle.clone(), token, stop.clone()));
            Some(bound)
        }
    };
    Ok(Balancer {
        address: plane.address,
        admin_address,
        view: control.handle.view.clone(),
        events: control.handle.events.clone(),
        handle: control.handle,
        plane,
        tasks: control.tasks,
        stop,
    })
}

/// Has the table made that commits leave their marks in, and looked after.
async fn make_outcomes(
    config: &Arc<Config>,
    control: &Control,
    stop: &CancellationToken,
) -> Result<(), StartError> {
    let view = control.handle.view.clone();
    let primary = view.load().primary().map(|node| node.id.clone());
    if let Some(primary) = primary {
        let reason = |error: AdminError| StartError::Outcomes(error.to_string());
        outcome::make(config, &primary).await.map_err(reason)?;
    }
    control.tasks.spawn(stop.clone().run_until_cancelled_owned(outcome::keep(config.clone(), view)));
    Ok(())
}

/// The control plane alone: all that looks after the nodes.
pub struct Control {
    /// Steers it.
    pub handle: Handle,
    /// Where sessions tell what they see.
    pub sightings: mpsc::Sender<(NodeId, crate::telemetry::Sighting)>,
    /// Its tasks; they end when the token is cancelled.
    pub tasks: TaskTracker,
}

impl Control {
    /// Looks at the nodes, finds the primary and starts to look after them.
    pub async fn start(
        config: &Config,
        nodes: Arc<dyn Nodes>,
        memory: Memory,
        stop: &CancellationToken,
    ) -> Result<Self, StartError> {
        Self::start_with(config, nodes, memory, Planted::default(), stop).await
    }

    /// As [`Control::start`], with a bug in it.
    pub async fn start_with(
        config: &Config,
        nodes: Arc<dyn Nodes>,
        memory: Memory,
        planted: Planted,
        stop: &CancellationToken,
    ) -> Result<Self, StartError> {
        let certificates = Arc::new(Certificates::load(config)?);
        let path = || config.state_file.clone().unwrap_or_default();
        let saved = memory.read().map_err(|source| StartError::State { path: path(), source })?;
        let (topology, found) = first::topology(config, &*nodes, &saved).await?;
        let meters = topology.members.iter().zip(&found);
        let meters =
            meters.map(|(m, (_, facts))| (m.node.id.clone(), m.node.meter.clone(), facts.clone())).collect();
        let events = Arc::new(EventLog::new());
        let board = Arc::new(Board::new(meters, &config.health, events.clone()));
        board.set_primary(topology.primary().map(|primary| primary.node.id.clone()));
        Ok(Self::spawn(config, nodes, topology, board, events, certificates, (memory, planted), stop))
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of a control plane, put together once")]
    fn spawn(
        config: &Config,
        nodes: Arc<dyn Nodes>,
        topology: Topology,
        board: Arc<Board>,
        events: Arc<EventLog>,
        certificates: Arc<Certificates>,
        (memory, planted): (Memory, Planted),
        stop: &CancellationToken,
    ) -> Self {
        let first = topology.members.iter().map(|member| member.node.clone()).collect();
        let first = ClusterView { generation: 1, nodes: first, strategy: config.strategy };
        let slow_start = Duration::from_millis(config.slow_start_ms);
        let view = Arc::new(ViewCell::new(first).with_slow_start(slow_start));
        let tasks = TaskTracker::new();
        let ids: Vec<NodeId> = topology.members.iter().map(|member| member.node.id.clone()).collect();
        let (inbox, orders) = mpsc::channel(INBOX);
        let (sightings, seen) = mpsc::channel(SIGHTINGS);
        let (elastic, settings) = watch::channel(config.elastic.clone());
        let (progress_told, progress) = watch::channel(Progress::default());
        let (thought_told, thought) = watch::channel(Thought::default());
        probe::start(&ids, &nodes, &board, &config.health, seen, &tasks, stop);
        let observed = nodes.observed();
        if let Some(why) = observed {
            tracing::info!("{why}");
        }
        let executor = Executor::new(Parts {
            nodes,
            board: board.clone(),
            view: view.clone(),
            events: events.clone(),
            topology,
            candidates: config.nodes.iter().filter(|n| n.candidate).map(|n| NodeId::new(&n.name)).collect(),
            promotion_limit: Duration::from_millis(config.failover.limit_ms),
            probe_interval: Duration::from_millis(config.health.interval_ms),
            elastic: settings.clone(),
            memory,
            planted,
            progress: progress_told,
            tasks: tasks.clone(),
            stop: stop.clone(),
        });
        tasks.spawn(executor.run(orders));
        let remedy = match (observed, config.failover.automatic) {
            (Some(_), _) => Remedy::Observe,
            (None, true) => Remedy::Replace,
            (None, false) => Remedy::Wait,
        };
        let watch_failures = failover::run(board.clone(), view.clone(), inbox.clone(), remedy);
        tasks.spawn(stop.clone().run_until_cancelled_owned(watch_failures));
        let watcher = Watcher {
            view: view.clone(),
            board: board.clone(),
            inbox: inbox.clone(),
            progress: progress.clone(),
            settings,
            thought: thought_told,
        };
        tasks.spawn(stop.clone().run_until_cancelled_owned(elastic::run(watcher)));
        if certificates.any() {
            let watch = tls::watch::run(certificates.clone(), events.clone());
            tasks.spawn(stop.clone().run_until_cancelled_owned(watch));
        }
        let started = Instant::now();
        let plane = None;
        let handle =
            Handle { view, board, events, inbox, progress, thought, elastic, certificates, started, plane };
        Self { handle, sightings, tasks }
    }
}
