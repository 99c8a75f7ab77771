//! What a run's schedule may ask of the cluster, and what a run may see of it.

use std::fmt;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

pub use crate::fault::Fault;

/// Which node is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeSelector {
    /// Whichever is the primary at that moment.
    Primary,
    /// A serving replica, the first by name.
    Replica,
    /// The node that the last fault of the schedule struck.
    Last,
    /// A node by name.
    Named(String),
}

/// Something that a schedule asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Add a serving node.
    ScaleOut,
    /// Take one away.
    ScaleIn,
    /// Make another node the primary, as planned.
    Promote {
        /// Which one.
        node: NodeSelector,
    },
    /// Spread reads in another way.
    Strategy {
        /// By its name, as the balancer knows it.
        name: String,
    },
    /// Break a node.
    Fault {
        /// Which one.
        node: NodeSelector,
        /// How.
        fault: Fault,
    },
    /// Mend it: undo whatever was done to it.
    Heal {
        /// Which one.
        node: NodeSelector,
    },
}

/// A node as seen at one moment. Counters run from the node's first second; the reader takes differences.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeReading {
    /// Its name.
    pub node: String,
    /// `primary`, `replica` or `candidate`.
    pub role: String,
    /// `serving`, `standby`, `joining`, `draining`, `disabled` or `down`.
    pub state: String,
    /// Reads answered so far.
    pub reads: u64,
    /// Other statements answered so far.
    pub writes: u64,
    /// Statements failed so far because of the node.
    pub errors: u64,
    /// Mean statement time since the last reading, in ms.
    pub mean_ms: f64,
    /// 99th percentile of the same.
    pub p99_ms: f64,
    /// How far its data is behind, in ms.
    pub lag_ms: Option<f64>,
    /// Connections held to it.
    pub connections: u32,
}

/// A server that takes part.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its process, where that runs on this machine and is up.
    pub process: Option<u32>,
    /// Its own address, past any balancer, with an account that may read its status and the shop.
    pub server: mysql_async::Opts,
    /// Whether the others follow it.
    pub primary: bool,
}

/// Something that happened in the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Happening {
    /// Its number, rising.
    pub sequence: u64,
    /// When, on this process's clock.
    pub at: tokio::time::Instant,
    /// The kind, one of the names of `events.csv`.
    pub kind: String,
    /// To which node; empty for none.
    pub node: String,
    /// Why.
    pub cause: String,
    /// More for people.
    pub detail: String,
}

/// A request that could not be carried out.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct ControlError(pub String);

/// What stands between a run and the cluster it measures. Two real things stand behind it: a local cluster with its
/// balancer, and nothing at all (a foreign target, [`NoControl`]).
pub trait Control: Send + Sync + fmt::Debug {
    /// Asks for something; returns when it has been accepted (scaling) or done (faults), with words for the event's detail
    /// and the node it struck (empty for none).
    fn ask(&self, action: Action) -> BoxFuture<'_, Result<Done, ControlError>>;
    /// The nodes as they are now; empty when the target tells nothing.
    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeReading>, ControlError>>;
    /// The servers that can be looked at beside the load, for `resources.csv`; none when the target has none to show.
    fn parts(&self) -> Vec<Part> {
        Vec::new()
    }
    /// What happened since the event with this number.
    fn happenings(&self, after: u64) -> BoxFuture<'_, Result<Vec<Happening>, ControlError>>;
}

/// What came of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The node that was struck or healed; empty where the cluster chooses later.
    pub node: String,
    /// For people: `killed process 4711`.
    pub detail: String,
}

/// The control of a target that nobody can control.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoControl;

impl Control for NoControl {
    fn ask(&self, action: Action) -> BoxFuture<'_, Result<Done, ControlError>> {
        Box::pin(async move { Err(ControlError(format!("a foreign target cannot be asked for {action:?}"))) })
    }

    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeReading>, ControlError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn happenings(&self, _after: u64) -> BoxFuture<'_, Result<Vec<Happening>, ControlError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
