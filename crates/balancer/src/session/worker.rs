//! What the sessions of one thread share, and what all threads share.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::TcpStream as StdStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;
use cluster::NodeId;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::line::Line;
use crate::config::{Config, Listener};
use crate::pool::connect::{Connection, Key};
use crate::pool::image::Image;
use crate::pool::statements::Texts;
use crate::pool::{Place, Pools, Want};
use crate::route::strategy::Spread;
use crate::telemetry::Sighting;
use crate::tls::Certificates;
use crate::view::{ClusterView, NodeState, ViewCell};
use crate::wire::auth::SCRAMBLE;
use crate::wire::capabilities::Capabilities;
use crate::wire::compression::Packers;

/// How often idle connections are looked at.
const REAP: Duration = Duration::from_secs(1);
/// A node that a read has waited for in vain is not waited for again for so long.
pub const BEHIND: Duration = Duration::from_secs(1);

/// What clients are shown as the server: what the nodes show.
#[derive(Clone, Debug)]
pub struct Face {
    /// The version as it stands in the greeting.
    pub version: Vec<u8>,
    /// The default collation.
    pub collation: u8,
}

/// What all threads of the data plane share. Touched per statement are only the view and the stop.
#[derive(Debug)]
pub struct Shared {
    /// The settings.
    pub config: Arc<Config>,
    /// Where clients connect, with what is promised there; the main one first.
    pub listeners: Vec<Listener>,
    /// How clients are met and nodes are reached under TLS.
    pub certificates: Arc<Certificates>,
    /// The topology.
    pub view: Arc<ViewCell>,
    /// Where broken connections are told.
    pub sightings: mpsc::Sender<(NodeId, Sighting)>,
    /// Ends everything.
    pub stop: CancellationToken,
    /// Clients now, over all threads.
    pub clients: AtomicUsize,
    /// Clients now, a thread.
    pub sessions: Box<[AtomicUsize]>,
    /// The id that the next client is greeted with.
    pub next_id: AtomicU32,
    /// How the nodes greet; until the first connection a guess.
    pub face: ArcSwap<Face>,
    /// When the data plane started.
    pub started: Instant,
}

impl Shared {
    /// What `workers` threads are to share.
    pub fn new(
        config: Arc<Config>,
        certificates: Arc<Certificates>,
        view: Arc<ViewCell>,
        sightings: mpsc::Sender<(NodeId, Sighting)>,
        stop: CancellationToken,
        workers: usize,
    ) -> Self {
        let main = Listener::plain(config.listen);
        let listeners = std::iter::once(main).chain(config.listeners.iter().cloned()).collect();
        Self {
            config,
            listeners,
            certificates,
            view,
            sightings,
            stop,
            clients: AtomicUsize::new(0),
            sessions: (0..workers).map(|_| AtomicUsize::new(0)).collect(),
            next_id: AtomicU32::new(1),
            face: ArcSwap::from_pointee(Face { version: b"5.5.5-10.11.0-MariaDB".to_vec(), collation: 45 }),
            started: Instant::now(),
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
    /// The state of a fresh session; the same for all, so that comparing is cheap.
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
        let workers = shared.sessions.len();
        let mut random = seeded();
        let worker = Rc::new(Self {
            pools: Pools::new(
                shared.config.pool.clone(),
                shared.certificates.clone(),
                workers,
                shared.sightings.clone(),
            ),
            spread: RefCell::new(Spread::new(random.next_u64())),
            line: Rc::default(),
            packers: Packers::default(),
            texts: Texts::default(),
            fresh: Rc::default(),
            random: RefCell::new(random),
            behind: RefCell::default(),
            bound: Cell::new(0),
            number,
            ended: Notify::new(),
            shared,
        });
        tokio::task::spawn_local(worker.clone().watch());
        if number == 0 {
            tokio::task::spawn_local(worker.clone().learn_face());
        }
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

    /// Obeys each new view, and once a second closes what has been idle for too long.
    async fn watch(self: Rc<Self>) {
        let mut generation = self.shared.view.watch();
        let mut reap = tokio::time::interval(REAP);
        loop {
            tokio::select! {
                () = self.shared.stop.cancelled() => return,
                changed = generation.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.pools.obey(&self.shared.view.load());
                }
                now = reap.tick() => self.pools.reap(now),
            }
        }
    }

    /// Connects once to any node, so that the first client is greeted as the nodes greet.
    async fn learn_face(self: Rc<Self>) {
        let key = Key { account: 0, capabilities: Capabilities::default(), collation: 45 };
        let Some(account) = self.shared.config.accounts.first() else { return };
        let places: Vec<Place> = self.shared.view.load().nodes.iter().map(Place::of).collect();
        for place in places {
            let want = Want { key: &key, image: &self.fresh, owner: 0 };
            if let Ok(lease) = self.pools.take(&place, account, want).await {
                self.show_face_of(&lease);
                return lease.release(0, false, Instant::now());
            }
        }
    }

    /// Greets clients from now on as this node does.
    pub fn show_face_of(&self, connection: &Connection) {
        let shown = self.shared.face.load();
        if shown.version != connection.greeting.version || shown.collation != connection.greeting.collation {
            let greeting = &connection.greeting;
            let face = Face { version: greeting.version.clone(), collation: greeting.collation };
            self.shared.face.store(Arc::new(face));
        }
    }

    /// Bytes that nobody can foresee, without zeros.
    pub fn scramble(&self) -> Vec<u8> {
        let mut bytes = [0; SCRAMBLE];
        self.random.borrow_mut().fill_bytes(&mut bytes);
        bytes.iter().map(|byte| byte % 94 + 33).collect()
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
