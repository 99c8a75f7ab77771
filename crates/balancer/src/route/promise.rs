//! What a read must not miss, and which nodes keep that promise.

use std::time::Duration;

use cluster::Role;
use cluster::replication::gtid::GtidPosition;
use tokio::time::Instant;

use super::causal;
use crate::config::Consistency;
use crate::view::{ClusterView, NodeView};

/// What a read is promised.
#[derive(Clone, Copy, Debug)]
pub struct Promise<'a> {
    /// The level that is in force.
    pub consistency: Consistency,
    /// What the node must have applied: under `causal` the session's own writes, under `monotonic` what it has read on the
    /// primary, and under every level the tokens that it was handed.
    pub needs: &'a GtidPosition,
    /// Under `monotonic`: where the session has read last, while that is more than `needs` tells.
    pub last_read: Option<LastRead>,
    /// For so long at most a replica is waited for.
    pub wait: Duration,
    /// Under `eventual`: how far behind a replica may be, in milliseconds; 0: as far as it is.
    pub max_lag_ms: u64,
}

/// A read of which only the node is known, not the position that it showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRead {
    /// The node's number.
    pub node: usize,
    /// Its epoch: a node that was away may have lost something.
    pub epoch: u64,
    /// When the answer had come.
    pub at: Instant,
}

/// Whether a replica may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// At once.
    Ready,
    /// Once it has applied what the read needs.
    Lacks,
    /// Not now.
    Unfit,
}

impl Promise<'_> {
    /// Whether a node keeps the promise. The primary always does: nobody has shown anything that it lacks.
    pub fn fit(&self, node: &NodeView, view: &ClusterView) -> Fit {
        if node.role == Role::Primary {
            return Fit::Ready;
        }
        let keeps = match self.consistency {
            Consistency::Causal => true,
            Consistency::Monotonic => self.last_read.is_none_or(|last| reaches(node, last, view)),
            Consistency::Eventual => self.max_lag_ms == 0 || near(node, self.max_lag_ms),
            Consistency::Primary => false,
        };
        match keeps {
            false => Fit::Unfit,
            true if causal::has_applied(node, self.needs) => Fit::Ready,
            true => Fit::Lacks,
        }
    }
}

fn near(node: &NodeView, max_lag_ms: u64) -> bool {
    let lag = node.meter.lag_ms.load(std::sync::atomic::Ordering::Relaxed);
    u64::try_from(lag).is_ok_and(|lag| lag <= max_lag_ms)
}

/// Whether a node shows nothing older than that read did: it is the same node, whose data only move on; or it has applied
/// all that the primary had at a probe that began after the read, and no node can have shown more than that.
fn reaches(node: &NodeView, last: LastRead, view: &ClusterView) -> bool {
    if (node.index, node.epoch) == (last.node, last.epoch) {
        return true;
    }
    let Some(primary) = view.primary() else { return false };
    // In this order: the position is at least that of the probe.
    let probed = primary.meter.probed.load();
    probed.as_ref().is_some_and(|began| **began > last.at)
        && causal::has_applied(node, &primary.meter.applied.load())
}
