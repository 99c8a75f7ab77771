//! Starts everything: looks at the nodes, finds the primary, publishes the first view, starts both planes.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cluster::{NodeId, Role};
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, ConfigError};
use crate::control::Handle;
use crate::dataplane::{self, DataPlane};
use crate::elastic::{self, Thought, Watcher};
use crate::event::EventLog;
use crate::executor::state::{self, Saved};
use crate::executor::topology::{Home, Member, Topology};
use crate::executor::{Executor, INBOX, Parts, Progress};
use crate::health::{Board, probe};
use crate::nodes::{Answer, Facts, Nodes, mariadb};
use crate::telemetry::Meter;
use crate::tls::{self, Certificates, TlsError};
use crate::view::{ClusterView, NodeState, NodeView, ViewCell};
use crate::{accounts, admin, failover};

/// Sightings of sessions that may wait for the probes.
const SIGHTINGS: usize = 256;
/// At the start nodes may take so long to answer: they may be starting themselves.
const PATIENCE: Duration = Duration::from_secs(5);
/// Followers that answer may take so long to be connected to their primary: they may just have been told to follow.
const CONNECTING: Duration = Duration::from_secs(2);

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
}

/// Starts a balancer for real nodes. Must be called within a tokio runtime, which carries the control plane; statements
/// have threads of their own.
pub async fn start(config: Config, stop: CancellationToken) -> Result<Balancer, StartError> {
    config.check()?;
    let config = Arc::new(config);
    let nodes = mariadb::nodes(&config);
    let saved = match &config.state_file {
        Some(path) => state::read(path).map_err(|source| StartError::State { path: path.clone(), source })?,
        None => Saved::default(),
    };
    let stop = stop.child_token();
    let mut control = Control::start(&config, nodes, saved, &stop).await.inspect_err(|_| stop.cancel())?;
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
            control.tasks.spawn(admin::serve(listener, control.handle.clone(), stop.clone()));
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
        saved: Saved,
        stop: &CancellationToken,
    ) -> Result<Self, StartError> {
        let certificates = Arc::new(Certificates::load(config)?);
        let found = look(config, &*nodes).await?;
        let primary = find_primary(config, &found)?;
        let topology = first_topology(config, &found, &primary, &saved);
        let meters = topology.members.iter().zip(&found);
        let meters =
            meters.map(|(m, (_, facts))| (m.node.id.clone(), m.node.meter.clone(), facts.clone())).collect();
        let events = Arc::new(EventLog::new());
        let board = Arc::new(Board::new(meters, &config.health, events.clone()));
        board.set_primary(Some(primary));
        Ok(Self::spawn(config, nodes, topology, board, events, certificates, stop))
    }

    fn spawn(
        config: &Config,
        nodes: Arc<dyn Nodes>,
        topology: Topology,
        board: Arc<Board>,
        events: Arc<EventLog>,
        certificates: Arc<Certificates>,
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
            state_file: config.state_file.clone(),
            progress: progress_told,
            tasks: tasks.clone(),
            stop: stop.clone(),
        });
        tasks.spawn(executor.run(orders));
        let watch_failures =
            failover::run(board.clone(), view.clone(), inbox.clone(), config.failover.automatic);
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

type Found = Vec<(NodeId, Option<Facts>)>;

/// Asks every node until all have answered or the patience is at an end.
async fn look(config: &Config, nodes: &dyn Nodes) -> Result<Found, StartError> {
    let ids: Vec<NodeId> = config.nodes.iter().map(|node| NodeId::new(&node.name)).collect();
    let limit = Duration::from_millis(config.health.timeout_ms);
    let began = Instant::now();
    loop {
        let answers = join_all(
            ids.iter().map(async |id| timeout(limit, nodes.probe(id)).await.unwrap_or(Answer::Silent)),
        )
        .await;
        let waiting = answers.iter().map(wait_for).max().unwrap_or_default();
        let denied = answers.iter().any(|answer| matches!(answer, Answer::Denied(_)));
        if began.elapsed() < waiting && !denied {
            sleep(Duration::from_millis(100)).await;
            continue;
        }
        let mut why = Vec::new();
        let mut found = Found::new();
        for (id, answer) in ids.into_iter().zip(answers) {
            match answer {
                Answer::Denied(reason) => return Err(StartError::Denied { node: id, reason }),
                Answer::Facts(facts, _) => found.push((id, Some(facts))),
                other => {
                    why.push(format!("{id}: {other:?}"));
                    found.push((id, None));
                }
            }
        }
        return match found.iter().any(|(_, facts)| facts.is_some()) {
            true => Ok(found),
            false => Err(StartError::NobodyAnswers(why.join("; "))),
        };
    }
}

/// How long a node is waited for at the start: not at all when it answers and, if it follows, replicates, so that all
/// that is well serves in the first view and nothing has to be brought back that was never away.
fn wait_for(answer: &Answer) -> Duration {
    match answer {
        Answer::Facts(facts, _) if facts.following.is_none() || facts.replicates() => Duration::ZERO,
        Answer::Facts(..) => CONNECTING,
        _ => PATIENCE,
    }
}

/// The primary is the writable node. Of two, it is the one that others follow, if nobody follows the other and the other
/// follows somebody; all else is a guess, and refused.
fn find_primary(config: &Config, found: &Found) -> Result<NodeId, StartError> {
    let address =
        |id: &NodeId| config.nodes.iter().find(|n| n.name == id.as_str()).map(|n| n.admin_address());
    let followers = |id: &NodeId| {
        let follows = |facts: &Facts| facts.following.as_ref().is_some_and(|f| f.source == address(id));
        found.iter().filter(|(_, facts)| facts.as_ref().is_some_and(follows)).count()
    };
    let writable: Vec<&(NodeId, Option<Facts>)> =
        found.iter().filter(|(_, facts)| facts.as_ref().is_some_and(|facts| !facts.read_only)).collect();
    let heads: Vec<&NodeId> = writable
        .iter()
        .filter(|(id, facts)| {
            followers(id) > 0 || facts.as_ref().is_some_and(|facts| facts.following.is_none())
        })
        .map(|(id, _)| id)
        .collect();
    match heads.as_slice() {
        [one] => Ok((*one).clone()),
        [first, second, ..] => {
            Err(StartError::TwoPrimaries { first: (*first).clone(), second: (*second).clone() })
        }
        [] => {
            let states = found.iter().map(|(id, facts)| match facts {
                Some(facts) => format!("{id} read-only at {}", facts.applied),
                None => format!("{id} does not answer"),
            });
            Err(StartError::NoPrimary(states.collect::<Vec<_>>().join(", ")))
        }
    }
}

/// Nodes as they stand at the start. A follower that does not answer is down, one that does not replicate well serves
/// nothing until it has been brought back.
fn first_topology(config: &Config, found: &Found, primary: &NodeId, saved: &Saved) -> Topology {
    let members = config.nodes.iter().zip(found).enumerate().map(|(index, (node, (id, facts)))| {
        let memory = saved.nodes.get(id);
        let is_primary = id == primary;
        let home = match memory {
            _ if is_primary => Home::Serving,
            Some(memory) => memory.home,
            None if node.candidate => Home::Standby,
            None => Home::Serving,
        };
        let well = facts.as_ref().is_some_and(|facts| facts.read_only && facts.replicates());
        let state = match (is_primary, facts, home) {
            (true, ..) => NodeState::Serving,
            _ if memory.is_some_and(|memory| memory.disabled) => NodeState::Disabled,
            (_, None, _) => NodeState::Down,
            (_, Some(_), Home::Serving) if well => NodeState::Serving,
            (_, Some(_), Home::Standby) if well => NodeState::Standby,
            _ => NodeState::Joining,
        };
        let role = match (is_primary, home) {
            (true, _) => Role::Primary,
            (_, Home::Standby) => Role::Candidate,
            (_, Home::Serving) => Role::Replica,
        };
        let meter = Arc::new(Meter::default());
        let (id, address, weight) = (id.clone(), node.address, node.weight);
        let node = NodeView { id, index, address, role, state, weight, epoch: 0, meter };
        Member { node, home, sound: is_primary || well, refused: None, failures: (0, None) }
    });
    Topology { members: members.collect(), strategy: config.strategy }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Account, Node};
    use crate::nodes::{Following, Receiving};

    fn config() -> Config {
        let account = || Account { name: "a".into(), password: "b".into() };
        let node = |n: u16| Node {
            name: format!("n{n}"),
            address: SocketAddr::from(([127, 0, 0, 1], n)),
            direct_address: None,
            weight: 1,
            candidate: n == 3,
        };
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            admin: None,
            workers: 1,
            strategy: Default::default(),
            consistency: Default::default(),
            causal: Default::default(),
            eventual: Default::default(),
            listeners: Vec::new(),
            slow_start_ms: 0,
            accounts: vec![account()],
            auth: Default::default(),
            operator: account(),
            replication: account(),
            nodes: vec![node(1), node(2), node(3)],
            health: Default::default(),
            failover: Default::default(),
            elastic: Default::default(),
            pool: Default::default(),
            limits: Default::default(),
            tls: Default::default(),
            nodes_tls: Default::default(),
            compression: crate::config::Compression::all(),
            state_file: None,
        }
    }

    /// `w`: writable and follows nobody; `-`: does not answer; a digit: read-only and follows that node.
    fn found(shape: &str) -> Found {
        let facts = |letter: char| match letter {
            '-' => None,
            'w' => Some(Facts::default()),
            'r' => Some(Facts { read_only: true, ..Facts::default() }),
            digit => {
                let port = digit.to_digit(10).unwrap() as u16;
                let following = Following {
                    source: Some(SocketAddr::from(([127, 0, 0, 1], port))),
                    received: Default::default(),
                    receiving: Receiving::Connected,
                    applying: true,
                    error: String::new(),
                    diverged: false,
                };
                Some(Facts {
                    read_only: true,
                    applied: Default::default(),
                    following: Some(following),
                    waits: false,
                })
            }
        };
        shape.chars().zip(1..).map(|(letter, n)| (NodeId::new(format!("n{n}")), facts(letter))).collect()
    }

    #[test]
    fn the_primary_is_found_from_the_nodes_and_never_guessed() {
        for (shape, expected) in [
            ("w11", "n1"),
            ("2w2", "n2"),
            ("-w2", "n2"),
            ("ww2", "n1 and n2 are both writable"),
            ("w1w", "n1 and n3 are both writable"),
            ("rrr", "no node is writable (n1 read-only at , n2 read-only at , n3 read-only at )"),
        ] {
            let told = match find_primary(&config(), &found(shape)) {
                Ok(id) => id.to_string(),
                Err(error) => error.to_string(),
            };
            assert!(told.starts_with(expected), "{shape}: {told}");
        }
    }

    #[test]
    fn the_first_view_holds_only_what_is_well() {
        use NodeState::*;
        for (shape, states) in [
            ("w11", [Serving, Serving, Standby]),
            ("w-1", [Serving, Down, Standby]),
            ("wr1", [Serving, Joining, Standby]),
        ] {
            let topology = first_topology(&config(), &found(shape), &"n1".into(), &Saved::default());
            let found: Vec<_> = topology.members.iter().map(|member| member.node.state).collect();
            assert_eq!(found, states, "{shape}");
        }
    }

    #[test]
    fn a_remembered_switch_counts_more_than_the_configuration() {
        let line = |home, disabled| state::SavedNode { home, disabled };
        let saved = Saved {
            primary: None,
            nodes: [("n2".into(), line(Home::Serving, true)), ("n3".into(), line(Home::Serving, false))]
                .into(),
        };
        let topology = first_topology(&config(), &found("w11"), &"n1".into(), &saved);
        let found: Vec<_> = topology.members.iter().map(|member| member.node.state).collect();
        assert_eq!(found, [NodeState::Serving, NodeState::Disabled, NodeState::Serving]);
    }

    #[test]
    fn a_configuration_that_makes_no_sense_is_refused_by_key() {
        type Change = fn(&mut Config);
        let table: &[(Change, &str)] = &[
            (|c| c.nodes.clear(), "nodes: no node is given"),
            (|c| c.nodes[1].name = "n1".into(), "nodes[1]: the name `n1` is given twice"),
            (|c| c.nodes[2].address = c.nodes[0].address, "nodes[2]: `n3` has the same address as `n1`"),
            (|c| c.nodes[0].weight = 0, "nodes[0]: `n1` has weight 0"),
            (|c| c.nodes.iter_mut().for_each(|n| n.candidate = true), "nodes: all nodes are candidates"),
            (|c| c.health.fall = 0, "health.fall: 0 is not allowed"),
            (|c| c.elastic.floor = 0, "elastic.floor: 0 is not allowed"),
            (|c| c.elastic.in_below_ms = 500.0, "elastic.in_below_ms: 500 must be below out_above_ms, 400"),
            (|c| c.elastic.out_above_ms = f64::NAN, "elastic.in_below_ms: must be a number"),
        ];
        assert_eq!(config().check(), Ok(()));
        for (change, expected) in table {
            let mut config = config();
            change(&mut config);
            let told = config.check().expect_err(expected).to_string();
            assert!(told.starts_with(expected), "{told}");
        }
    }
}
