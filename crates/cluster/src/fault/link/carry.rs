//! What a link does with its connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OnceCell, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::LinkLimits;
use super::framing::Framing;
use super::origin::Processes;
use super::queue::Queue;
use super::trouble::{Door, Troubles, Way};

/// Bytes under way in one direction of one connection.
const BUFFER_BYTES: usize = 16 << 10;
/// Connecting to a node on the same machine.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Connections through one door at once; more are refused.
const MOST_CONNECTIONS: usize = 4096;
/// Between two tries to listen again at an address that was given up for a while.
const AGAIN: Duration = Duration::from_millis(20);

/// What the connections of a door share.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    pub(super) node: SocketAddr,
    pub(super) door: SocketAddr,
    pub(super) limits: watch::Receiver<LinkLimits>,
    pub(super) troubles: watch::Sender<Troubles>,
    pub(super) processes: Arc<Processes>,
    pub(super) stop: CancellationToken,
    pub(super) commands: Queue,
    pub(super) bytes: Queue,
    /// Bytes under a trouble's own limit.
    pub(super) troubled: Queue,
}

impl Relay {
    pub(super) async fn run(self, listener: std::net::TcpListener) {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(e) => return tracing::error!("link to {}: {e}", self.node),
        };
        let connections = TaskTracker::new();
        let stop = self.stop.clone();
        let _ = stop.run_until_cancelled(self.accept(listener, &connections)).await;
        connections.close();
        connections.wait().await;
    }

    async fn accept(&self, mut listener: TcpListener, connections: &TaskTracker) {
        let mut troubles = self.troubles.subscribe();
        loop {
            if troubles.borrow_and_update().door() == Door::Shut {
                drop(listener);
                let _ = troubles.wait_for(|now| now.door() != Door::Shut).await;
                listener = self.listen_again().await;
            }
            let accepted = tokio::select! {
                _ = troubles.changed() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((client, _)) if connections.len() < MOST_CONNECTIONS => {
                    connections.spawn(self.clone().carry(client));
                }
                Ok(_) => {}
                // Out of file descriptors, most likely: the next try must not be at once.
                Err(_) => sleep(AGAIN).await,
            }
        }
    }

    /// The port is still ours, by the lock that keeps other clusters off it.
    async fn listen_again(&self) -> TcpListener {
        loop {
            match TcpListener::bind(self.door).await {
                Ok(listener) => return listener,
                Err(_) => sleep(AGAIN).await,
            }
        }
    }

    /// One connection, until either side or the link ends.
    async fn carry(self, client: TcpStream) {
        let stop = self.stop.clone();
        let _ = stop.run_until_cancelled(self.relay(client)).await;
    }

    async fn relay(&self, client: TcpStream) {
        let mut troubles = self.troubles.subscribe();
        if troubles.borrow_and_update().door() == Door::Mute {
            let _ = troubles.wait_for(|now| now.door() != Door::Mute).await;
            return; // Whoever still waits for a greeting has to come again.
        }
        let Ok(origin) = client.peer_addr() else { return };
        let Ok(Ok(node)) = timeout(CONNECT_LIMIT, TcpStream::connect(self.node)).await else { return };
        let _ = (client.set_nodelay(true), node.set_nodelay(true));
        let pass = Arc::new(Pass {
            relay: self.clone(),
            client: origin,
            origin: OnceCell::new(),
            doomed: AtomicBool::new(false),
            drawn: AtomicU64::new(u64::from(origin.port())),
        });
        let ((client_in, client_out), (node_in, node_out)) = (client.into_split(), node.into_split());
        // Whichever direction ends first takes the other with it: a half-open connection helps nobody.
        // How it ended shows at both sockets; nobody else wants to know.
        let _ = tokio::select! {
            result = pass.commands(client_in, node_out) => result,
            result = pass.answers(node_in, client_out) => result,
        };
    }
}

/// One connection.
#[derive(Debug)]
struct Pass {
    relay: Relay,
    client: SocketAddr,
    /// The node at the other end, if it is one; looked up when it first matters.
    origin: OnceCell<Option<u32>>,
    /// The answer to the command under way is not to be passed on.
    doomed: AtomicBool,
    /// For jitter: a sequence of its own, the same in every run.
    drawn: AtomicU64,
}

impl Pass {
    /// Client to node: every command waits for its turn.
    async fn commands(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
        let (mut framing, mut troubles) = (Framing::default(), self.relay.troubles.subscribe());
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            // An end is not heard of either while bytes get lost.
            let read = from.read(&mut buffer).await;
            self.passable(&mut troubles, Way::In).await;
            let length = read?;
            if length == 0 {
                return to.shutdown().await;
            }
            let found = framing.read(&buffer[..length]);
            if found.commits > 0 && self.relay.troubles.borrow().cuts_commits() {
                self.relay.troubles.send_if_modified(|troubles| {
                    self.doomed.store(troubles.take_commit(), Ordering::Release);
                    false
                });
            }
            if found.begun > 0 {
                sleep_until(self.turn(found.begun)).await;
            }
            self.dawdle(length).await;
            to.write_all(&buffer[..length]).await?;
        }
    }

    /// Node to client: bytes wait for theirs.
    async fn answers(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
        let mut troubles = self.relay.troubles.subscribe();
        let mut buffer = vec![0; BUFFER_BYTES];
        // Bytes since the trouble began, and which it is.
        let (mut passed, mut generation) = (0, 0);
        loop {
            let read = from.read(&mut buffer).await;
            self.passable(&mut troubles, Way::Out).await;
            let length = read?;
            if length == 0 {
                return to.shutdown().await;
            }
            if self.doomed.load(Ordering::Acquire) {
                return Ok(());
            }
            let rate = self.relay.limits.borrow().bytes_per_second;
            if let Some(rate) = rate {
                sleep_until(self.relay.bytes.enter(Instant::now(), share(length, rate))).await;
            }
            self.dawdle(length).await;
            let (cut, now) = {
                let troubles = self.relay.troubles.borrow();
                (troubles.cut_after(), troubles.generation)
            };
            if std::mem::replace(&mut generation, now) != now {
                passed = 0;
            }
            let left = cut.map_or(length as u64, |most| most.saturating_sub(passed));
            if left < length as u64 {
                return to.write_all(&buffer[..left as usize]).await;
            }
            passed += length as u64;
            to.write_all(&buffer[..length]).await?;
        }
    }

    /// When commands that arrive now may pass.
    fn turn(&self, commands: u32) -> Instant {
        let limits = self.relay.limits.borrow();
        let service =
            limits.statements_per_second.map_or(Duration::ZERO, |n| commands * Duration::from_secs(1) / n);
        self.relay.commands.enter(Instant::now(), service) + limits.delay
    }

    /// Waits while bytes get lost on this way.
    async fn passable(&self, troubles: &mut watch::Receiver<Troubles>, way: Way) {
        loop {
            let (none, asks) = {
                let now = troubles.borrow_and_update();
                (now.none(), now.asks_for_origin())
            };
            if none {
                return;
            }
            let origin = if asks { self.origin().await } else { None };
            if !troubles.borrow().silences(origin, way) || troubles.changed().await.is_err() {
                return;
            }
        }
    }

    async fn origin(&self) -> Option<u32> {
        *self.origin.get_or_init(|| self.relay.processes.owner(self.client, self.relay.door)).await
    }

    /// Waits as long as the trouble makes a piece of so many bytes wait.
    async fn dawdle(&self, length: usize) {
        let (delay, rate) = {
            let troubles = self.relay.troubles.borrow();
            if troubles.none() {
                return;
            }
            (troubles.delay(self.draw()), troubles.bytes_per_second())
        };
        let now = Instant::now();
        let sent = rate.map_or(now, |rate| self.relay.troubled.enter(now, share(length, rate)));
        sleep_until(sent + delay).await;
    }

    /// The next number of [0, 1): a linear congruence (Knuth's MMIX), whose upper bits do for a delay.
    fn draw(&self) -> f64 {
        let next = |x: u64| x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let drawn = next(self.drawn.load(Ordering::Relaxed));
        self.drawn.store(drawn, Ordering::Relaxed);
        (drawn >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn share(length: usize, rate: u64) -> Duration {
    Duration::from_secs_f64(length as f64 / rate as f64)
}
