//! The way that statements and replication take to a node: a relay that can be slower than the wire, and worse.
//!
//! A link has up to two doors: one for clients, whose commands wait in one queue a node with a constant service time, so
//! that latency rises with load as in front of a busy machine ([`LinkLimits`]); and one for the other nodes and for whoever
//! looks after them, which has no such limits. Troubles ([`Trouble`]) strike both. Both may change while it runs.
//!
//! It reads no more of the protocol than the four bytes before each packet (a packet from the client with the sequence
//! number 0 begins a command) and whether a command is a `COMMIT`.
//!
//! Source: MySQL client/server protocol, "MySQL Packets": three bytes of length, one of sequence.

mod carry;
mod framing;
mod origin;
mod queue;
mod trouble;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::carry::Relay;
pub use self::origin::Processes;
use self::queue::Queue;
use self::trouble::Troubles;
pub use self::trouble::{Door, Trouble, Way, Whom};

/// What a link does to its clients at all times.
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

/// The doors of a link, bound.
#[derive(Debug)]
pub struct Doors {
    /// For clients.
    pub clients: TcpListener,
    /// For the other nodes and for who looks after them; `None`: they come by the clients' door.
    pub peers: Option<TcpListener>,
}

/// A running relay in front of one node, on a thread of its own. Dropping it closes every connection through it.
#[derive(Debug)]
pub struct Link {
    clients: SocketAddr,
    peers: SocketAddr,
    limits: watch::Sender<LinkLimits>,
    troubles: watch::Sender<Troubles>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Link {
    /// Starts a relay from `doors` to `node`; `name` is the thread's. `processes` tells who comes.
    pub fn start(
        name: &str,
        doors: Doors,
        node: SocketAddr,
        limits: LinkLimits,
        processes: Arc<Processes>,
    ) -> io::Result<Self> {
        let clients = doors.clients.local_addr()?;
        let peers = doors.peers.as_ref().map_or(Ok(clients), TcpListener::local_addr)?;
        let (limits, seen_limits) = watch::channel(limits);
        let troubles = watch::Sender::new(Troubles::default());
        let stop = CancellationToken::new();
        let relay = |door, limits| Relay {
            node,
            door,
            limits,
            troubles: troubles.clone(),
            processes: processes.clone(),
            stop: stop.clone(),
            commands: Queue::default(),
            bytes: Queue::default(),
            troubled: Queue::default(),
        };
        let first = relay(clients, seen_limits);
        let second = Relay { troubled: first.troubled.clone(), ..relay(peers, without_limits()) };
        doors.clients.set_nonblocking(true)?;
        if let Some(listener) = &doors.peers {
            listener.set_nonblocking(true)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(async {
                let peers = async {
                    if let Some(listener) = doors.peers {
                        second.run(listener).await;
                    }
                };
                tokio::join!(first.run(doors.clients), peers);
            });
        })?;
        Ok(Self { clients, peers, limits, troubles, stop, thread: Some(thread) })
    }

    /// Where clients connect to.
    pub fn clients(&self) -> SocketAddr {
        self.clients
    }

    /// Where the other nodes connect to, and who looks after them.
    pub fn peers(&self) -> SocketAddr {
        self.peers
    }

    /// Changes what it does to clients, from the next command on.
    pub fn set_limits(&self, limits: LinkLimits) {
        self.limits.send_replace(limits);
    }

    /// Makes trouble for the sake of the node `owner` (its `server_id`), beside what there is.
    pub fn strike(&self, owner: u32, trouble: Trouble) {
        self.troubles.send_modify(|troubles| troubles.add(owner, trouble));
    }

    /// Ends all trouble that was made for the sake of this node; tells whether there was any.
    pub fn heal(&self, owner: u32) -> bool {
        let mut any = false;
        self.troubles.send_modify(|troubles| any = troubles.remove(owner));
        any
    }
}

fn without_limits() -> watch::Receiver<LinkLimits> {
    watch::channel(LinkLimits::default()).1
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
