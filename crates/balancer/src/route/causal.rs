//! Which replicas have applied the session's last write, and for which it pays to wait.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use cluster::replication::gtid::GtidPosition;

use crate::view::NodeView;

/// A read waits so long at most for a replica to apply the session's last write; then the primary answers it.
pub const WAIT: Duration = Duration::from_millis(300);

/// Whether the node is known to have applied the write.
pub fn has_applied(node: &NodeView, write: &GtidPosition) -> bool {
    write.is_empty() || node.meter.applied.load().covers(write)
}

/// Whether the node may get there within [`WAIT`]. A node whose lag is unknown may.
pub fn may_catch_up(node: &NodeView) -> bool {
    node.meter.lag_ms.load(Relaxed) <= WAIT.as_millis() as i64
}

/// Tells everybody that the node has applied the write.
pub fn learned(meter: &crate::telemetry::Meter, write: &GtidPosition) {
    meter.applied.rcu(|applied| {
        let mut applied = GtidPosition::clone(applied);
        applied.merge(write);
        applied
    });
}
