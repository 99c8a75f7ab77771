//! What the control plane may ask of a node, and what a node tells of itself.
//!
//! Two real things stand behind [`Nodes`]: database servers ([`servers`]) and the simulation's fake ones. Every call here
//! waits on a node, so nobody but probes and jobs makes any, each within a limit of its own.

mod dialect;
mod link;
mod mariadb;
mod mysql;
pub mod servers;

use std::net::SocketAddr;
use std::time::Duration;

use cluster::NodeId;
use cluster::replication::gtid::GtidPosition;
use futures_util::future::BoxFuture;

pub use link::operator;

/// What a node says of itself at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its `server_id`: the middle part of the GTIDs of what is written on it.
    pub server: u32,
    /// Whether it refuses writes of ordinary accounts.
    pub read_only: bool,
    /// How far its data has come (`gtid_current_pos`; MySQL: `gtid_executed`).
    pub applied: GtidPosition,
    /// Whom it follows; `None`: nobody.
    pub following: Option<Following>,
    /// Whether its commits wait for a follower's acknowledgement (semi-synchronous replication, as a primary).
    pub waits: bool,
}

impl Facts {
    /// How far it has come, counting what it has received and not yet applied: all it could know after a drain.
    pub fn received(&self) -> GtidPosition {
        let mut position = self.applied.clone();
        if let Some(following) = &self.following {
            position.merge(&following.received);
        }
        position
    }

    /// Whether both halves of its replication work.
    pub fn replicates(&self) -> bool {
        self.following.as_ref().is_some_and(|f| f.receiving == Receiving::Connected && f.applying)
    }

    /// Why it will not go on replicating by itself, for people; `None` while it does, or may as soon as it is connected.
    pub fn stopped(&self) -> Option<String> {
        match &self.following {
            None => Some("it follows nobody".to_owned()),
            Some(f) if !f.applying => Some(f.because("it does not apply what it receives")),
            Some(f) if f.receiving == Receiving::Stopped => Some(f.because("it does not receive")),
            Some(_) => None,
        }
    }
}

/// A node's side of replication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Following {
    /// Whom it follows; `None` when the address is a name that is no address.
    pub source: Option<SocketAddr>,
    /// How far it has received (`Gtid_IO_Pos`; MySQL: `Retrieved_Gtid_Set`, what it has received since its relay log began).
    pub received: GtidPosition,
    /// The receiving half.
    pub receiving: Receiving,
    /// Whether the applying half runs.
    pub applying: bool,
    /// Its own words on what went wrong, empty for nothing.
    pub error: String,
    /// The source says that this node has transactions which the source has not.
    pub diverged: bool,
}

impl Following {
    /// What does not work, with the node's reason where it gives one.
    fn because(&self, what: &str) -> String {
        if self.error.is_empty() {
            format!("{what}, and tells no error")
        } else {
            format!("{what}: {}", self.error)
        }
    }
}

/// The receiving half of replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiving {
    /// Connected to the source.
    Connected,
    /// Trying to connect.
    Connecting,
    /// Switched off or given up.
    Stopped,
}

/// What came of one probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It answered, in this time.
    Facts(Facts, Duration),
    /// Too many connections (1040) or a like complaint: alive, and busy.
    Overloaded(String),
    /// It lives and does not let us in: wrong account or missing rights.
    Denied(String),
    /// It lives and cannot be a node as it is: too old, no GTIDs, another kind of server than the others.
    Unfit(String),
    /// Nobody listens there.
    Refused(String),
    /// A living connection was closed or reset.
    Broken(String),
    /// Nothing came in time.
    Silent,
}

/// Why a node could not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// It could not be reached, or the connection broke: whether it was done is unknown.
    #[error("{node} cannot be reached: {reason}")]
    Unreachable {
        /// Which node.
        node: NodeId,
        /// In the system's words.
        reason: String,
    },
    /// It took too long: whether it was done is unknown.
    #[error("{node} did not finish {step} in {limit_ms} ms")]
    TimedOut {
        /// Which node.
        node: NodeId,
        /// What it was to do.
        step: &'static str,
        /// The limit.
        limit_ms: u64,
    },
    /// The server refused.
    #[error("{node} refused {step}: {reason}")]
    Server {
        /// Which node.
        node: NodeId,
        /// What it was to do.
        step: &'static str,
        /// In the server's words.
        reason: String,
    },
}

/// What the control plane may ask of nodes. Every method may be asked again: it does nothing where nothing is left to do.
///
/// A future that is dropped leaves it open whether the node did what was asked.
pub trait Nodes: Send + Sync + 'static {
    /// Why nodes are observed and not changed, if they are: none is promoted, closed or pointed at another. Told as soon as
    /// one has answered.
    fn observed(&self) -> Option<&'static str> {
        None
    }

    /// Asks a node for its facts over a connection that is kept between probes.
    fn probe<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Answer>;

    /// Waits until something kept open to the node breaks, which a killed process does within a millisecond or so.
    /// Never comes back while the node is merely silent, nor when nothing could be opened: probes tell that.
    fn broken<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, ()>;

    /// Asks for the facts over a fresh connection.
    fn status<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Facts, NodeError>>;

    /// Makes the node read-only and ends the connections of everybody who could still write.
    fn fence<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<(), NodeError>>;

    /// Stops receiving, so that the node acknowledges nothing more to its source, and tells how far it came.
    fn halt<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Facts, NodeError>>;

    /// Applies everything that was received, `limit` at most.
    fn drain<'a>(&'a self, node: &'a NodeId, limit: Duration) -> BoxFuture<'a, Result<(), NodeError>>;

    /// Makes the node a writable primary that waits for acknowledgements of followers.
    fn open<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<(), NodeError>>;

    /// The transactions at the tip of `node` that are not part of `primary`'s history, for people; `None` for none.
    fn extra<'a>(
        &'a self,
        node: &'a NodeId,
        primary: &'a NodeId,
    ) -> BoxFuture<'a, Result<Option<String>, NodeError>>;

    /// Makes the node a read-only follower of `primary`, from where its data stands; returns when it is started, which
    /// does not yet mean that it is connected.
    fn follow<'a>(&'a self, node: &'a NodeId, primary: &'a NodeId) -> BoxFuture<'a, Result<(), NodeError>>;
}
