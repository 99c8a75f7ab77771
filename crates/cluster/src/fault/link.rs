//! The way that a client's statements take to a node: a relay that can be slower than the wire.
//!
//! It reads no more of the protocol than the four bytes before each packet: a packet from the client with the sequence
//! number 0 begins a command, and commands wait in one queue a node, whose service time is constant. So latency rises with
//! load as in front of a busy machine. Everything a link does is in its [`LinkLimits`], which may change while it runs.
//!
//! Source: MySQL client/server protocol, "MySQL Packets": three bytes of length, one of sequence.

use std::io;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fault::link::framing::Framing;
use crate::fault::link::queue::Queue;

mod framing;
mod queue;

/// Bytes under way in one direction of one connection.
const BUFFER_BYTES: usize = 16 << 10;
/// Connecting to a node on the same machine.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Connections through one link at once; more are refused.
const MOST_CONNECTIONS: usize = 4096;

/// What a link does to those who use it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LinkLimits {
    /// Commands a second, all connections together.
    pub statements_per_second: Option<u32>,
    /// Added to each command.
    pub delay: Duration,
    /// Bytes a second towards the clients, all connections together.
    pub bytes_per_second: Option<u64>,
}

impl LinkLimits {
    /// In words for people.
    pub fn text(&self) -> String {
        let rate = self.statements_per_second.map(|n| format!("{n} statements a second"));
        let delay = (!self.delay.is_zero()).then(|| format!("{:?} more a statement", self.delay));
        let bytes = self.bytes_per_second.map(|n| format!("{n} bytes a second"));
        let parts: Vec<String> = [rate, delay, bytes].into_iter().flatten().collect();
        format!("each node's link carries {}", parts.join(", "))
    }
}

/// A running relay in front of one node, on a thread of its own. Dropping it closes every connection through it.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    limits: watch::Sender<LinkLimits>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Link {
    /// Starts a relay from `listener` to `node`; `name` is the thread's.
    pub fn start(
        name: &str,
        listener: std::net::TcpListener,
        node: SocketAddr,
        limits: LinkLimits,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let (limits, seen) = watch::channel(limits);
        let stop = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let relay = Relay {
            node,
            limits: seen,
            stop: stop.clone(),
            queue: Queue::default(),
            bytes: Queue::default(),
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(relay.run(listener));
        })?;
        Ok(Self { address, limits, stop, thread: Some(thread) })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what it does, from the next command on.
    pub fn set_limits(&self, limits: LinkLimits) {
        self.limits.send_replace(limits);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // It ends at its next wake-up; there is nothing to be learned from how.
            let _ = thread.join();
        }
    }
}

/// What the connections of a link share.
#[derive(Clone, Debug)]
struct Relay {
    node: SocketAddr,
    limits: watch::Receiver<LinkLimits>,
    stop: CancellationToken,
    queue: Queue,
    bytes: Queue,
}

impl Relay {
    async fn run(self, listener: std::net::TcpListener) {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(e) => return tracing::error!("link to {}: {e}", self.node),
        };
        let connections = TaskTracker::new();
        let stop = self.stop.clone();
        let accept = async {
            loop {
                match listener.accept().await {
                    Ok((client, _)) if connections.len() < MOST_CONNECTIONS => {
                        connections.spawn(self.clone().carry(client));
                    }
                    Ok(_) => {}
                    // Out of file descriptors, most likely: the next try must not be at once.
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        let _ = stop.run_until_cancelled(accept).await;
        connections.close();
        connections.wait().await;
    }

    /// One connection, until either side or the link ends.
    async fn carry(self, client: TcpStream) {
        let stop = self.stop.clone();
        let _ = stop.run_until_cancelled(self.relay(client)).await;
    }

    async fn relay(&self, client: TcpStream) {
        let Ok(Ok(node)) = timeout(CONNECT_LIMIT, TcpStream::connect(self.node)).await else { return };
        let _ = (client.set_nodelay(true), node.set_nodelay(true));
        let ((client_in, client_out), (node_in, node_out)) = (client.into_split(), node.into_split());
        // Whichever direction ends first takes the other with it: a half-open connection helps nobody.
        // How it ended shows at both sockets; nobody else wants to know.
        let _ = tokio::select! {
            result = self.commands(client_in, node_out) => result,
            result = self.answers(node_in, client_out) => result,
        };
    }

    /// Client to node: every command waits for its turn.
    async fn commands(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
        let mut framing = Framing::default();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let length = from.read(&mut buffer).await?;
            if length == 0 {
                return to.shutdown().await;
            }
            let commands = framing.commands_in(&buffer[..length]);
            if commands > 0 {
                let until = self.turn(commands);
                sleep_until(until).await;
            }
            to.write_all(&buffer[..length]).await?;
        }
    }

    /// Node to client: bytes wait for theirs.
    async fn answers(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let length = from.read(&mut buffer).await?;
            if length == 0 {
                return to.shutdown().await;
            }
            let rate = self.limits.borrow().bytes_per_second;
            if let Some(rate) = rate {
                let service = Duration::from_secs_f64(length as f64 / rate as f64);
                sleep_until(self.bytes.enter(Instant::now(), service)).await;
            }
            to.write_all(&buffer[..length]).await?;
        }
    }

    /// When commands that arrive now may pass.
    fn turn(&self, commands: u32) -> Instant {
        let limits = self.limits.borrow();
        let service =
            limits.statements_per_second.map_or(Duration::ZERO, |n| commands * Duration::from_secs(1) / n);
        self.queue.enter(Instant::now(), service) + limits.delay
    }
}
