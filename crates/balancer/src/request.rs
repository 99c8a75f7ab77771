//! What somebody wants done to the topology: the executor's inbox.

use cluster::NodeId;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Which request goes first. Greater goes first; equals in order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// A node may go.
    ScaleIn,
    /// A node is wanted.
    ScaleOut,
    /// An operator asks.
    Operator,
    /// Something is broken.
    Availability,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Replace the primary that is gone by the most advanced node.
    ReplacePrimary,
    /// Make this node the primary while the present one is well.
    Switchover(NodeId),
    /// This node has been made the primary by others: it takes the writes from now on.
    Adopt(NodeId),
    /// Take a node that the judge holds for dead out of the view.
    TakeOut(NodeId),
    /// Bring a node that answers again back as a follower and, if it served before, into service.
    Rejoin(NodeId),
    /// Put a candidate into service; `None`: whichever is readiest.
    ScaleOut(Option<NodeId>),
    /// Drain a replica and make it a candidate; `None`: whichever is best spared.
    ScaleIn(Option<NodeId>),
    /// Operator's switch: serve or not, whatever health says.
    Enable(NodeId),
    /// See [`Action::Enable`].
    Disable(NodeId),
    /// Let a node finish what it began and give it nothing new.
    Drain(NodeId),
}

impl Action {
    /// How urgent it is.
    pub fn priority(&self) -> Priority {
        match self {
            Self::ReplacePrimary | Self::Adopt(_) | Self::TakeOut(_) | Self::Rejoin(_) => {
                Priority::Availability
            }
            Self::Switchover(_) | Self::Enable(_) | Self::Disable(_) | Self::Drain(_) => Priority::Operator,
            Self::ScaleOut(_) => Priority::ScaleOut,
            Self::ScaleIn(_) => Priority::ScaleIn,
        }
    }
}

/// An action with its reason.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to do.
    pub action: Action,
    /// Something is broken until it is done: goes before everything that is not (a node wanted because too few serve).
    pub urgent: bool,
    /// Who asked or what was seen.
    pub cause: String,
    /// When it was asked for; the executor's figures count from here.
    pub at: Instant,
}

impl Request {
    /// A request made now.
    pub fn new(action: Action, cause: impl Into<String>) -> Self {
        Self { action, urgent: false, cause: cause.into(), at: Instant::now() }
    }

    /// The same, before everything that is not urgent.
    pub fn urgent(action: Action, cause: impl Into<String>) -> Self {
        Self { urgent: true, ..Self::new(action, cause) }
    }

    /// How urgent it is.
    pub fn priority(&self) -> Priority {
        if self.urgent { Priority::Availability } else { self.action.priority() }
    }
}
