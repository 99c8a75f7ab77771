//! What has happened: told by the executor, the judge and the injector of a run to whoever listens.

use std::collections::VecDeque;
use std::sync::Mutex;

use cluster::NodeId;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A request to add a node entered the queue.
    ScaleOutRequested,
    /// The node serves.
    ScaleOutDone,
    /// A request to take a node away entered the queue.
    ScaleInRequested,
    /// The node is drained and out of service.
    ScaleInDone,
    /// The judge holds a node for dead.
    NodeDown,
    /// The judge holds it for alive again.
    NodeUp,
    /// A node became the primary.
    Promoted,
    /// A node that had been away follows the primary again.
    Rejoined,
    /// An action could not be finished and was undone.
    ActionFailed,
    /// A node may not come back as it is.
    Refused,
    /// New connections use newly read certificates.
    CertificatesReloaded,
}

impl EventKind {
    /// The name used in files and on the admin API.
    pub fn name(self) -> &'static str {
        match self {
            Self::ScaleOutRequested => "scale_out_requested",
            Self::ScaleOutDone => "scale_out_done",
            Self::ScaleInRequested => "scale_in_requested",
            Self::ScaleInDone => "scale_in_done",
            Self::NodeDown => "node_down",
            Self::NodeUp => "node_up",
            Self::Promoted => "promoted",
            Self::Rejoined => "rejoined",
            Self::ActionFailed => "action_failed",
            Self::Refused => "refused",
            Self::CertificatesReloaded => "certificates_reloaded",
        }
    }
}

/// One event.
#[derive(Clone, Debug)]
pub struct ClusterEvent {
    /// Its number: rises by one an event, from 1.
    pub sequence: u64,
    /// When.
    pub at: Instant,
    /// What.
    pub kind: EventKind,
    /// To which node.
    pub node: Option<NodeId>,
    /// Why: the evidence or whoever asked.
    pub cause: String,
    /// More for people, with durations: `detected after 12 ms, writable after 140 ms`.
    pub detail: String,
}

/// How many events are kept for late readers; older ones are forgotten.
pub const KEPT: usize = 1024;

/// The newest events, in order.
#[derive(Debug, Default)]
pub struct EventLog {
    kept: Mutex<(u64, VecDeque<ClusterEvent>)>,
    grown: Notify,
}

impl EventLog {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an event that happened now.
    pub fn tell(
        &self,
        kind: EventKind,
        node: Option<&NodeId>,
        cause: impl Into<String>,
        detail: impl Into<String>,
    ) {
        let mut kept = self.kept.lock().expect("no panic while the log is held");
        kept.0 += 1;
        let event = ClusterEvent {
            sequence: kept.0,
            at: Instant::now(),
            kind,
            node: node.cloned(),
            cause: cause.into(),
            detail: detail.into(),
        };
        tracing::info!(kind = kind.name(), node = event.node.as_ref().map(NodeId::as_str), cause = %event.cause, detail = %event.detail, "event");
        if kept.1.len() == KEPT {
            kept.1.pop_front();
        }
        kept.1.push_back(event);
        drop(kept);
        self.grown.notify_waiters();
    }

    /// The kept events with a number above `sequence`, oldest first.
    pub fn after(&self, sequence: u64) -> Vec<ClusterEvent> {
        let kept = self.kept.lock().expect("no panic while the log is held");
        kept.1.iter().filter(|event| event.sequence > sequence).cloned().collect()
    }

    /// Waits until an event is added after this call; re-read with [`EventLog::after`].
    pub fn grown(&self) -> tokio::sync::futures::Notified<'_> {
        self.grown.notified()
    }
}
