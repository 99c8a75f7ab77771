//! A replicated cluster of child processes on this machine.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::account::Accounts;
use crate::admin::Admin;
use crate::cache::Cache;
use crate::capacity::{AppliedCapacity, Capacity, Plan};
use crate::error::{Error, OnFile};
use crate::fault::link::Processes;
use crate::lifetime::Nursery;
use crate::mariadbd::datadir;
use crate::mariadbd::options::NodeFolder;
use crate::mariadbd::template::Template;
use crate::node::{NodeId, Role};
use crate::program::{self, FindOptions, ServerProgram};
use crate::provision::approach::Slot;
use crate::provision::member::Member;
use crate::provision::port::Ports;
use crate::provision::run_folder::RunFolder;
use crate::replication::{follow, open};

pub use crate::mariadbd::options::Durability;

/// The shape and settings of a local cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterSpec {
    /// Followers that serve from the start.
    pub replicas: usize,
    /// Followers that do not serve yet.
    pub candidates: usize,
    /// Places kept for nodes that are not there yet: name, number and addresses are known from the start, and
    /// [`LocalCluster::copy_node`] fills them.
    pub reserves: usize,
    /// How much each node can do; `None`: as much as the machine gives it.
    pub capacity: Option<Capacity>,
    /// The database that account `shop` owns; it exists on every node.
    pub database: String,
    /// Lines for each node's `my.cnf`, after ours.
    pub server_options: Vec<String>,
    /// A relay in front of each node, through which the balancer and the other nodes both go: without it the network cannot be
    /// broken ([`crate::Fault`]). It costs every statement a detour of some tens of microseconds.
    pub relays: bool,
    /// Each node asks us before it writes, without which its disk cannot be made full ([`crate::Fault::DiskFull`]). It costs every
    /// write some tens of microseconds.
    pub watch_writes: bool,
    /// What a commit survives on its own node.
    pub durability: Durability,
    /// InnoDB's buffer pool on each node, in MiB.
    pub buffer_pool_mib: u32,
    /// How long one node may take from process start to its first login.
    pub start_limit: Duration,
}

impl Default for ClusterSpec {
    fn default() -> Self {
        Self {
            replicas: 2,
            candidates: 1,
            reserves: 0,
            capacity: None,
            relays: false,
            watch_writes: false,
            database: "tpcw".to_owned(),
            server_options: Vec::new(),
            durability: Durability::default(),
            buffer_pool_mib: 128,
            start_limit: Duration::from_secs(60),
        }
    }
}

/// A local node as it is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalNode {
    /// Its name: `n1`, `n2`, ….
    pub id: NodeId,
    /// Its `server_id`: the number in its name.
    pub server_id: u32,
    /// What it was started as; later changes of role are the control plane's business.
    pub first_role: Role,
    /// Where clients, the balancer included, reach it: the server itself, or the link in front of it.
    pub address: SocketAddr,
    /// Where the other nodes follow it and where it is looked after: the server itself, or the relay in front of it.
    pub peers: SocketAddr,
    /// Where the server itself listens, past everything that may stand in front of it.
    pub server: SocketAddr,
    /// The process, while there is one.
    pub pid: Option<u32>,
    /// `running`, `paused` or `down`; `absent` at a place that is kept.
    pub state: &'static str,
    /// The server's data.
    pub data_dir: PathBuf,
    /// The server's own log.
    pub log: PathBuf,
}

/// A running cluster. Everything may be asked from anywhere at the same time; calls for one node take turns.
///
/// Dropping it kills every process, releases every limit and removes every file; so does the end of this process,
/// except that its folder then stays until the next cluster is made.
#[derive(Debug)]
pub struct LocalCluster {
    // In the order in which they go: nodes first, the folder last.
    pub(crate) members: RwLock<Vec<Arc<Member>>>,
    pub(crate) kept: Mutex<Vec<Arc<Slot>>>,
    pub(crate) shared: Arc<Shared>,
    applied: AppliedCapacity,
    /// Held while a node is copied: numbers are given out one after the other.
    pub(crate) copying: tokio::sync::Mutex<()>,
    stopped: AtomicBool,
}

/// What all nodes of a cluster need.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) program: ServerProgram,
    pub(crate) spec: ClusterSpec,
    pub(crate) accounts: Accounts,
    pub(crate) source: Template,
    pub(crate) nursery: Nursery,
    pub(crate) ports: Ports,
    pub(crate) processes: Arc<Processes>,
    pub(crate) plan: Plan,
    pub(crate) folder: RunFolder,
}

impl LocalCluster {
    /// Starts a cluster on copies of `source`: n1 is the open primary, everybody else follows it.
    ///
    /// # Errors
    /// Whatever fails, nothing is left running and no file is left behind.
    pub async fn start(program: &ServerProgram, spec: ClusterSpec, source: Template) -> Result<Self, Error> {
        let plan = spec.capacity.as_ref().map_or(Ok(Plan::None), Capacity::plan)?;
        let root = RunFolder::root()?;
        let shared = Arc::new(Shared {
            program: program.clone(),
            accounts: Accounts::generate().on("read", Path::new("/dev/urandom"))?,
            source,
            nursery: Nursery::new()
                .map_err(|source| Error::Process { what: "start a thread".to_owned(), source })?,
            ports: Ports::new(&root)?,
            processes: Arc::default(),
            folder: RunFolder::create(&root).await?,
            plan,
            spec,
        });
        let applied = shared.plan.applied();
        let mut starts = JoinSet::new();
        for number in 1..=1 + shared.spec.replicas + shared.spec.candidates {
            starts.spawn(start_node(Arc::clone(&shared), number));
        }
        let mut members = Vec::new();
        while let Some(started) = starts.join_next().await {
            members.push(Arc::new(joined(started)?));
        }
        members.sort_by_key(|member| member.server_id);
        let kept = Mutex::new(keep(&shared, members.len())?);
        let cluster = Self {
            kept,
            members: RwLock::new(members),
            shared,
            applied,
            copying: Default::default(),
            stopped: AtomicBool::new(false),
        };
        cluster.replicate().await?;
        Ok(cluster)
    }

    /// A small cluster for tests: one primary and `nodes - 1` replicas on an empty database, everything cached, waiting
    /// for nothing. A lone node is ready in well under a second.
    #[doc(hidden)]
    pub async fn for_tests(nodes: usize) -> Result<Self, Error> {
        let spec = ClusterSpec { replicas: nodes.max(1) - 1, candidates: 0, ..ClusterSpec::default() };
        Self::for_tests_with(spec).await
    }

    /// The same with other settings.
    #[doc(hidden)]
    pub async fn for_tests_with(spec: ClusterSpec) -> Result<Self, Error> {
        let cache = Cache::from_environment(|name| std::env::var_os(name));
        let explicit = std::env::var_os("TPCW_SERVER_BINARY").map(PathBuf::from);
        let options = FindOptions { explicit, offline: false, cache: &cache };
        let program = program::find(options, |line| tracing::info!("{line}")).await?;
        let source = Template::empty(&program, &cache).await?;
        Self::start(&program, spec, source).await
    }

    /// All nodes as they are now, by number.
    pub fn nodes(&self) -> Vec<LocalNode> {
        self.members().iter().map(|member| member.now()).collect()
    }

    /// The places that are kept for nodes to come.
    pub fn reserves(&self) -> Vec<LocalNode> {
        self.kept().iter().map(|slot| self.absent(slot)).collect()
    }

    fn absent(&self, slot: &Slot) -> LocalNode {
        let folder = NodeFolder::new(self.shared.folder.path().join(slot.id.as_str()));
        LocalNode {
            id: slot.id.clone(),
            server_id: slot.number,
            first_role: Role::Candidate,
            address: slot.approach.clients(slot.server()),
            peers: slot.approach.peers(slot.server()),
            server: slot.server(),
            pid: None,
            state: "absent",
            data_dir: folder.data(),
            log: folder.log(),
        }
    }

    pub(crate) fn kept(&self) -> MutexGuard<'_, Vec<Arc<Slot>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One node as it is now.
    pub fn node(&self, id: &NodeId) -> Result<LocalNode, Error> {
        Ok(self.member(id)?.now())
    }

    /// The accounts, the same on every node.
    pub fn accounts(&self) -> &Accounts {
        &self.shared.accounts
    }

    /// The database that account `shop` owns.
    pub fn database(&self) -> &str {
        &self.shared.spec.database
    }

    /// The server program that all nodes run.
    pub fn program(&self) -> &ServerProgram {
        &self.shared.program
    }

    /// How the nodes are really limited.
    pub fn applied_capacity(&self) -> &AppliedCapacity {
        &self.applied
    }

    /// The folder that holds all nodes; gone after the stop.
    pub fn folder(&self) -> &Path {
        self.shared.folder.path()
    }

    /// An operator's connection to a node itself, past any link. `limit` bounds each statement.
    pub async fn admin(&self, id: &NodeId, limit: Duration) -> Result<Admin, Error> {
        let address = self.member(id)?.server;
        Ok(Admin::connect(address, &self.shared.accounts.operator, limit).await?)
    }

    /// Kills a node's process (SIGKILL), paused or not; returns its number.
    pub async fn kill(&self, id: &NodeId) -> Result<u32, Error> {
        self.living()?.member(id)?.kill().await
    }

    /// Starts a node that is down again, on its old data and address. It comes back closed for writers and following
    /// nobody; the control plane has it follow the present primary.
    pub async fn restart(&self, id: &NodeId) -> Result<(), Error> {
        self.living()?.member(id)?.restart().await
    }

    /// Throws a node's data away, whether it runs or not, and starts it again on a fresh copy of what the cluster began
    /// with, closed for writers and following nobody. Once it follows the primary it applies everything since.
    ///
    /// For a node that holds transactions the primary never had ([`crate::replication::errant`]).
    pub async fn rebuild(&self, id: &NodeId) -> Result<(), Error> {
        self.living()?.member(id)?.rebuild().await
    }

    /// Stops a node's process in its tracks (SIGSTOP); returns its number.
    pub async fn pause(&self, id: &NodeId) -> Result<u32, Error> {
        self.living()?.member(id)?.pause().await
    }

    /// Lets a paused node go on (SIGCONT); returns its number.
    pub async fn resume(&self, id: &NodeId) -> Result<u32, Error> {
        self.living()?.member(id)?.resume().await
    }

    /// The last lines of a node's own log, for messages.
    pub fn log_tail(&self, id: &NodeId, lines: usize) -> Result<String, Error> {
        Ok(crate::mariadbd::process::log_tail(&self.member(id)?.folder.log(), lines))
    }

    /// Kills every process and removes every file. Nothing can be asked of the cluster afterwards but what it was; a
    /// second call does nothing.
    pub async fn stop(&self) -> Result<(), Error> {
        self.stopped.store(true, Ordering::Release);
        let mut ends = JoinSet::new();
        for member in self.members() {
            ends.spawn(async move { member.end().await });
        }
        let ended: Result<Vec<()>, Error> = ends.join_all().await.into_iter().collect();
        datadir::remove(self.shared.folder.path()).await?;
        ended.map(drop)
    }

    pub(crate) fn living(&self) -> Result<&Self, Error> {
        if self.stopped.load(Ordering::Acquire) { Err(Error::Stopped) } else { Ok(self) }
    }

    /// All nodes, in the order of their numbers.
    pub(crate) fn members(&self) -> Vec<Arc<Member>> {
        self.members.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn member(&self, id: &NodeId) -> Result<Arc<Member>, Error> {
        let members = self.members();
        members.into_iter().find(|member| member.id == *id).ok_or_else(|| Error::UnknownNode(id.clone()))
    }

    /// Everybody follows n1, which is open; all at the same time.
    async fn replicate(&self) -> Result<(), Error> {
        let members = self.members();
        let (first, primary) = (members[0].server, members[0].peers());
        let alone = members.len() == 1;
        let mut steps = JoinSet::new();
        for member in members {
            let (shared, server) = (Arc::clone(&self.shared), member.server);
            steps.spawn(async move {
                let accounts = &shared.accounts;
                let mut admin = Admin::connect(server, &accounts.operator, shared.spec.start_limit).await?;
                if server != first {
                    let host = primary.ip().to_string();
                    follow(&mut admin, &host, primary.port(), &accounts.replication).await?;
                } else if alone {
                    // Nobody could ever acknowledge a commit.
                    admin.run("SET GLOBAL read_only=OFF").await?;
                } else {
                    open(&mut admin).await?;
                }
                admin.close().await;
                Ok::<(), Error>(())
            });
        }
        while let Some(step) = steps.join_next().await {
            joined(step)?;
        }
        Ok(())
    }
}

/// Copies the data, starts the server, limits it.
async fn start_node(shared: Arc<Shared>, number: usize) -> Result<Member, Error> {
    let id = NodeId::new(format!("n{number}"));
    let folder = NodeFolder::new(shared.folder.path().join(id.as_str()));
    fs::create_dir(folder.path()).on("create the folder", folder.path())?;
    datadir::copy(shared.source.path(), &folder.data()).await?;
    let first_role = match number {
        1 => Role::Primary,
        n if n <= 1 + shared.spec.replicas => Role::Replica,
        _ => Role::Candidate,
    };
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    Member::start(shared, number, None, first_role, folder).await
}

/// Places for nodes to come, numbered after those that are there.
fn keep(shared: &Shared, there: usize) -> Result<Vec<Arc<Slot>>, Error> {
    let numbers = there + 1..=there + shared.spec.reserves;
    let slot = |number| Slot::new(shared, u32::try_from(number).unwrap_or(u32::MAX), shared.ports.take()?);
    numbers.map(slot).collect()
}

/// The result of a task; a panic in one is our own bug and goes on here.
fn joined<T>(result: Result<Result<T, Error>, tokio::task::JoinError>) -> Result<T, Error> {
    match result {
        Ok(result) => result,
        Err(e) => match e.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::Stopped),
        },
    }
}
