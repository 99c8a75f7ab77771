//! What can be done to a node, and undone.

pub mod link;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::node::NodeId;
use crate::provision::local::LocalCluster;

/// A way to break a local node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// SIGKILL: the process is gone at once, its sockets close. Healed by starting it again.
    Kill,
    /// SIGSTOP: nothing answers, nothing closes. Healed by SIGCONT.
    Pause,
}

impl Fault {
    /// Breaks a node; returns words for people.
    pub async fn apply(self, cluster: &LocalCluster, node: &NodeId) -> Result<String, Error> {
        match self {
            Self::Kill => cluster.kill(node).await.map(|pid| format!("killed process {pid}")),
            Self::Pause => cluster.pause(node).await.map(|pid| format!("stopped process {pid}")),
        }
    }
}
