//! What can be done to a node, and undone.

mod crowd;
pub(crate) mod full;
pub mod link;
pub(crate) mod replication;
mod slow;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use self::crowd::{Crowd, turned_away};
pub use self::link::Way;
use self::link::{Door, Trouble, Whom};
pub(crate) use self::slow::Slowed;
use crate::node::NodeId;

/// A way to break a local node. All are undone by [`crate::LocalCluster::heal`], whatever the node has become meanwhile.
///
/// Those that concern the network need a relay in front of each node ([`crate::ClusterSpec::relays`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// SIGKILL: the process is gone at once, its sockets close. Healed by starting it again.
    Kill,
    /// SIGTERM: it shuts down in good order. Healed by starting it again.
    Stop,
    /// SIGSTOP: nothing answers, nothing closes. Healed by SIGCONT.
    Pause,
    /// The process gets so many per cent of its time and stands still for the rest, in turns of 20 ms.
    Slow {
        /// 1 to 99.
        percent: u8,
    },
    /// New connections are refused, standing ones go on.
    Refuse,
    /// New connections are accepted and never answered, standing ones go on.
    Mute,
    /// Every connection is cut when so many more bytes of the node's answers have passed.
    Cut {
        /// Bytes.
        after: u64,
    },
    /// The next commits reach the node, their answers reach nobody: the connection is cut instead.
    CutCommit {
        /// How many.
        commits: u32,
    },
    /// Everything that is sent to the node or by it arrives later.
    Delay {
        /// By so much, each way.
        by: Duration,
        /// And by something between nothing and so much.
        jitter: Duration,
    },
    /// The node's network carries no more.
    Bandwidth {
        /// Bytes a second, both directions together.
        bytes_per_second: u64,
    },
    /// Nothing arrives, nothing is closed.
    Partition {
        /// From whom the node is cut off.
        from: Peer,
        /// Which direction is lost, seen from the node.
        way: Way,
    },
    /// The node follows nobody for the time being (`STOP SLAVE`). Refused on a node that follows nobody.
    StopReplication,
    /// The node applies each transaction so much later (`MASTER_DELAY`). Refused on a node that follows nobody.
    DelayReplication {
        /// Whole seconds.
        seconds: u32,
    },
    /// All connections of the node are taken: new ones get error 1040.
    TooManyConnections,
    /// No file of the node's data can grow. The server waits for space and tries again once a minute, so it is healed by killing it and
    /// starting it again. Needs a node whose writes are watched ([`crate::ClusterSpec::watch_writes`]).
    DiskFull,
}

/// From whom a node is cut off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// From everybody.
    #[default]
    All,
    /// From everybody but the other nodes: the balancer, clients, tools.
    Balancer,
    /// From all other nodes.
    Nodes,
    /// From this one.
    Node(NodeId),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("everybody"),
            Self::Balancer => f.write_str("the balancer"),
            Self::Nodes => f.write_str("the other nodes"),
            Self::Node(node) => node.fmt(f),
        }
    }
}

impl Fault {
    /// What it does to the node's own link; `None`: it is done in another way.
    pub(crate) fn trouble(&self, peer: impl Fn(&NodeId) -> Option<u32>) -> Option<Trouble> {
        let none = Trouble::default();
        Some(match self {
            Self::Refuse => Trouble { door: Door::Shut, ..none },
            Self::Mute => Trouble { door: Door::Mute, ..none },
            Self::Cut { after } => Trouble { cut_after: Some(*after), ..none },
            Self::CutCommit { commits } => Trouble { cut_commits: *commits, ..none },
            Self::Delay { by, jitter } => Trouble { delay: *by, jitter: *jitter, ..none },
            Self::Bandwidth { bytes_per_second } => {
                Trouble { bytes_per_second: Some((*bytes_per_second).max(1)), ..none }
            }
            Self::Partition { from, way } => {
                let whom = match from {
                    Peer::All => Whom::All,
                    Peer::Balancer => Whom::Balancer,
                    Peer::Nodes => Whom::Nodes,
                    Peer::Node(node) => Whom::Node(peer(node)?),
                };
                Trouble { silence: Some((whom, *way)), ..none }
            }
            _ => return None,
        })
    }

    /// In words for people, as something that has been done.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Kill => "killed".to_owned(),
            Self::Stop => "stopped in good order".to_owned(),
            Self::Pause => "paused".to_owned(),
            Self::Slow { percent } => format!("slowed down to {percent} % of its time"),
            Self::Refuse => "refuses new connections".to_owned(),
            Self::Mute => "accepts and never answers".to_owned(),
            Self::Cut { after } => format!("each connection is cut after {after} bytes"),
            Self::CutCommit { commits } => format!("the answers to the next {commits} commits are cut off"),
            Self::Delay { by, jitter } if jitter.is_zero() => format!("network slower by {by:?} each way"),
            Self::Delay { by, jitter } => format!("network slower by {by:?} and up to {jitter:?} each way"),
            Self::Bandwidth { bytes_per_second } => format!("network of {bytes_per_second} bytes a second"),
            Self::Partition { from, way } => {
                let what = match way {
                    Way::Both => "",
                    Way::In => ", what is sent to it is lost",
                    Way::Out => ", what it sends is lost",
                };
                format!("cut off from {from}{what}")
            }
            Self::StopReplication => "replication stopped".to_owned(),
            Self::DelayReplication { seconds } => format!("replication {seconds} s late"),
            Self::TooManyConnections => "all connections taken".to_owned(),
            Self::DiskFull => "disk full".to_owned(),
        }
    }
}
