//! What the sessions of one thread share, and what all threads share.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::TcpStream as StdStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use cluster::NodeId;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::alarm::{FIRST_ID, Registry};
use super::execute::allows_short;
use super::line::Line;
use super::logins::Logins;
use super::memory::Memory;
use super::roster::{ASKS, Ask, Asker, Roster};
use super::seats::Seats;
use crate::accounts::Accounts;
use crate::accounts::known::Known;
use crate::config::{Config, Listener};
use crate::outcome::Markers;
use crate::pool::budget::Budgets;
use crate::pool::connect::{Connection, Key, connect};
use crate::pool::image::{Image, Images};
use crate::pool::lease::Lease;
use crate::pool::statements::Texts;
use crate::pool::{Place, Pools, Want};
use crate::route::strategy::Spread;
use crate::sql::classify::Marks;
use crate::telemetry::Sighting;
use crate::tls::Certificates;
use crate::view::{ClusterView, NodeState, ViewCell};
use crate::wire::auth::SCRAMBLE;
use crate::wire::capabilities::Capabilities;
use crate::wire::compression::Packers;
use crate::wire::handshake::Greeting;

/// A node that a read has waited for in vain is not waited for again for so long.
pub const BEHIND: Duration = Duration::from_secs(1);

/// What clients are shown as the server: what the nodes show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Face {
    /// The version as it stands in the greeting.
    pub version: Vec<u8>,
    /// The default collation.
    pub collation: u8,
    /// What clients are offered: what the balancer and the nodes both can.
    pub capabilities: Capabilities,
}

impl Face {
    /// As a node greets. What one node lacks is not offered again, so that sessions can move between all of them.
    fn of(&self, greeting: &Greeting) -> Self {
        Self {
            version: greeting.version.clone(),
            collation: greeting.collation,
            capabilities: self.capabilities.offered_before(greeting.capabilities),
        }
    }
}

/// What all threads of the data plane share. Touched per statement are only the view and the stop.
#[derive(Debug)]
pub struct Shared {
    /// The settings.
    pub config: Arc<Config>,
    /// Where clients connect, with what is promised there; the main one first.
    pub listeners: Vec<Listener>,
    /// Who may log in.
    pub accounts: Arc<Accounts>,
    /// How clients are met and nodes are reached under TLS.
    pub certificates: Arc<Certificates>,
    /// The topology.
    pub view: Arc<ViewCell>,
    /// Where broken connections are told.
    pub sightings: mpsc::Sender<(NodeId, Sighting)>,
    /// Ends everything.
    pub stop: CancellationToken,
    /// At the stop, sessions end where they stand.
    pub cut: AtomicBool,
    /// Clients now, over all threads.
    pub clients: AtomicUsize,
    /// Clients now, a thread.
    pub sessions: Box<[AtomicUsize]>,
    /// The id that the next client is greeted with.
    pub next_id: AtomicU32,
    /// All sessions by id, for KILL.
    pub registry: Arc<Registry>,
    /// How the nodes greet; until the first connection a guess.
    pub face: ArcSwap<Face>,
    /// Beats once a second, for what each thread does now and then. A timer of a thread's own would make every wait for
    /// the next packet one with an end, which costs at each statement.
    pub beat: watch::Sender<()>,
    /// When the data plane started.
    pub started: Instant,
    /// How many connections to nodes there may be.
    pub budgets: Arc<Budgets>,
    /// What sessions hold in buffers.
    pub memory: Arc<Memory>,
    /// Clients that have not logged in, over all threads.
    pub logging_in: AtomicUsize,
    /// Clients by account.
    pub seats: Arc<Seats>,
    /// Asks the threads about their sessions.
    pub asker: Asker,
    asked: Box<[Mutex<Option<mpsc::Receiver<Ask>>>]>,
}

impl Shared {
    /// What `workers` threads are to share.
    pub fn new(
        config: Arc<Config>,
        accounts: Arc<Accounts>,
        certificates: Arc<Certificates>,
        view: Arc<ViewCell>,
        sightings: mpsc::Sender<(NodeId, Sighting)>,
        stop: CancellationToken,
        workers: usize,
    ) -> Self {
        let main = Listener::plain(config.listen);
        let listeners = std::iter::once(main).chain(config.listeners.iter().cloned()).collect();
        let budgets = Arc::new(Budgets::new(config.pool.max, workers));
        let memory = Arc::new(Memory::new(config.limits.memory_bytes));
        let (asks, asked): (Vec<_>, Vec<_>) = (0..workers).map(|_| mpsc::channel(ASKS)).unzip();
        Self {
            config,
            listeners,
            accounts,
            certificates,
            view,
            sightings,
            stop,
            cut: AtomicBool::new(false),
            clients: AtomicUsize::new(0),
            sessions: (0..workers).map(|_| AtomicUsize::new(0)).collect(),
            next_id: AtomicU32::new(FIRST_ID),
            registry: Arc::default(),
            face: ArcSwap::from_pointee(Face {
                version: b"5.5.5-10.11.0-MariaDB".to_vec(),
                collation: 45,
                capabilities: Capabilities::OFFERED,
            }),
            beat: watch::channel(()).0,
            started: Instant::now(),
            budgets,
            memory,
            logging_in: AtomicUsize::new(0),
            seats: Arc::default(),
            asker: Asker::new(asks),
            asked: asked.into_iter().map(|asked| Mutex::new(Some(asked))).collect(),
        }
    }
}

/// What the sessions of one thread share.
#[derive(Debug)]
pub struct Worker {
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// Connections to nodes.
    pub pools: Pools,
    /// What the strategies remember.
    pub spread: RefCell<Spread>,
    /// Where statements wait for a primary.
    pub line: Rc<Line>,
    /// What packs bytes for clients that ask for it.
    pub packers: Packers,
    /// Texts that have been prepared.
    pub texts: Texts,
    /// Connections to nodes that are made to kill a statement there.
    pub killers: Semaphore,
    /// Numbers for the marks of commits.
    pub markers: Markers,
    /// Its sessions.
    pub roster: Roster,
    /// Clients that have not logged in.
    pub logins: Logins,
    /// Whether no limit of time is so near that a short statement could reach it.
    pub has_short_statements: bool,
    /// The states that sessions are in, one copy of each, so that comparing is cheap.
    pub images: Rc<Images>,
    /// The state of a fresh session.
    pub fresh: Rc<Image>,
    random: RefCell<StdRng>,
    behind: RefCell<Vec<(usize, Instant)>>,
    bound: Cell<u64>,
    number: usize,
    ended: Notify,
}

impl Worker {
    /// Begins on the thread that calls: starts the tasks that watch the view and close idle connections.
    pub fn start(number: usize, shared: Arc<Shared>) -> Rc<Self> {
        let mut random = seeded();
        let images: Rc<Images> = Rc::default();
        let worker = Rc::new(Self {
            pools: Pools::new(
                shared.config.clone(),
                shared.certificates.clone(),
                number,
                shared.budgets.clone(),
                shared.sightings.clone(),
            ),
            spread: RefCell::new(Spread::new(random.next_u64())),
            line: Rc::default(),
            packers: Packers::default(),
            texts: Texts::default(),
            killers: Semaphore::new(super::kill::ABREAST),
            markers: Markers::new(random.next_u64()),
            roster: Roster::default(),
            logins: Logins::default(),
            has_short_statements: allows_short(shared.config.limits.statement_ms)
                && allows_short(shared.config.limits.read_ms),
            fresh: images.one(Image::default()),
            images,
            random: RefCell::new(random),
            behind: RefCell::default(),
            bound: Cell::new(0),
            number,
            ended: Notify::new(),
            shared,
        });
        tokio::task::spawn_local(worker.clone().watch());
        worker
    }

    /// Takes a client that has just been accepted by the listener of that number.
    pub fn take(self: &Rc<Self>, client: StdStream, listener: usize) {
        let ended = Ended { worker: self.clone() };
        let Ok(stream) = TcpStream::from_std(client) else { return };
        let worker = self.clone();
        // Ends with its client; at the stop, with the runtime that drops it.
        tokio::task::spawn_local(async move {
            super::serve(worker, stream, listener).await;
            drop(ended);
        });
    }

    /// Waits until no session is left, `limit` at most.
    pub async fn sessions_ended(&self, limit: Duration) {
        let none_left = async {
            while self.shared.sessions[self.number].load(Relaxed) > 0 {
                self.ended.notified().await;
            }
        };
        let _ = tokio::time::timeout(limit, none_left).await;
    }

    /// Obeys each new view, hears other threads and whoever asks, and once a second closes what has been idle for too
    /// long and makes what is to be kept ready.
    async fn watch(self: Rc<Self>) {
        let mut generation = self.shared.view.watch();
        let mut beat = self.shared.beat.subscribe();
        let asked = &self.shared.asked[self.number];
        let asked = asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut asked = asked.expect("a thread begins once");
        loop {
            tokio::select! {
                () = self.shared.stop.cancelled() => return,
                changed = generation.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.pools.obey(&self.shared.view.load());
                }
                () = self.shared.budgets.called(self.number) => self.pools.called(Instant::now()),
                Some(ask) = asked.recv() => {
                    let view = self.shared.view.load();
                    let name = |node| view.node(node).map(|node| node.id.to_string()).unwrap_or_default();
                    self.roster.answer(ask, &name);
                }
                Ok(()) = beat.changed() => {
                    self.roster.tick();
                    self.pools.reap(Instant::now());
                    self.clone().warm();
                }
            }
        }
    }

    /// Makes connections to serving nodes where the warm minimum is not kept.
    fn warm(self: Rc<Self>) {
        let view = self.shared.view.load();
        for node in view.nodes.iter().filter(|node| node.state == NodeState::Serving) {
            let Some((key, missing)) = self.pools.lacks(node.index) else { continue };
            let (worker, place) = (self.clone(), Place::of(node));
            tokio::task::spawn_local(async move {
                let Some(account) = worker.shared.accounts.by_id(key.account) else { return };
                let account = &account;
                let want = Want { key: &key, image: &worker.fresh, owner: 0 };
                let made = (0..missing).map(|_| worker.pools.make(&place, account, want));
                let made = futures_util::future::join_all(made).await;
                made.into_iter().flatten().for_each(|lease| lease.release(0, false, Instant::now()));
            });
        }
    }

    /// Takes in a connection whose session is over. What the session left there, the node forgets, if it is known to be
    /// what a reset undoes; else the connection is closed.
    pub fn recycle(self: &Rc<Self>, mut lease: Lease, ties: Marks) {
        if ties.any(Marks::UNKNOWN) {
            return;
        }
        tokio::task::spawn_local(async move {
            if lease.reset().await.is_ok() {
                lease.release(0, false, Instant::now());
            }
        });
    }

    /// Connects once to any node, so that the first client is greeted as the nodes greet: MySQL's clients must not be
    /// offered what only MariaDB has. Over at the latest when a connection would be.
    pub async fn learn_face(&self) {
        let limit = Duration::from_millis(self.shared.config.pool.connect_ms);
        // With no node to be had, a guess is as good: nothing will be answered.
        let _ = tokio::time::timeout(limit, self.look_for_face(limit)).await;
    }

    async fn look_for_face(&self, limit: Duration) {
        let key = Key { account: Default::default(), capabilities: Capabilities::default(), collation: 45 };
        let operator = Known::plain(&self.shared.config.operator);
        let places: Vec<Place> = self.shared.view.load().nodes.iter().map(Place::of).collect();
        for place in places {
            let tls = self.shared.certificates.to_node(place.id.as_str(), place.address.ip());
            if let Ok(connection) = connect(&place, &operator, key, 0, tls, limit).await {
                return self.show_face_of(&connection);
            }
        }
    }

    /// Greets clients from now on as this node does.
    pub fn show_face_of(&self, connection: &Connection) {
        let shown = self.shared.face.load();
        let face = shown.of(&connection.greeting);
        if **shown != face {
            self.shared.face.store(Arc::new(face));
        }
    }

    /// Bytes that nobody can foresee, without zeros.
    pub fn scramble(&self) -> Vec<u8> {
        self.scramble_of(SCRAMBLE)
    }

    /// As [`Worker::scramble`], of another length.
    pub fn scramble_of(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.random.borrow_mut().fill_bytes(&mut bytes);
        bytes.iter_mut().for_each(|byte| *byte = *byte % 94 + 33);
        bytes
    }

    /// A number that stands for one client's types of parameters.
    pub fn next_bound(&self) -> u64 {
        self.bound.set(self.bound.get() + 1);
        self.bound.get()
    }

    /// Nodes that have lately been waited for in vain, a bit each.
    pub fn behind(&self) -> u64 {
        let mut behind = self.behind.borrow_mut();
        if behind.is_empty() {
            return 0;
        }
        let now = Instant::now();
        behind.retain(|(_, until)| *until > now);
        behind.iter().fold(0, |bits, (index, _)| bits | crate::route::Context::bit(*index))
    }

    /// Notes that a node has been waited for in vain.
    pub fn is_behind(&self, index: usize) {
        self.behind.borrow_mut().push((index, Instant::now() + BEHIND));
    }

    /// Whether anything serves at all.
    pub fn anybody_serves(view: &ClusterView) -> bool {
        view.nodes.iter().any(|node| node.state == NodeState::Serving)
    }
}

/// A generator seeded by the system, through the one door that the standard library has to it: scrambles must not be
/// foreseeable.
fn seeded() -> StdRng {
    let mut seed = [0; 32];
    for part in seed.chunks_mut(8) {
        part.copy_from_slice(&RandomState::new().build_hasher().finish().to_le_bytes());
    }
    StdRng::from_seed(seed)
}

/// Counts a session off when it ends, however it ends.
struct Ended {
    worker: Rc<Worker>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.worker.shared.sessions[self.worker.number].fetch_sub(1, Relaxed);
        self.worker.shared.clients.fetch_sub(1, Relaxed);
        self.worker.ended.notify_one();
    }
}
