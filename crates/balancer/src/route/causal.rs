//! Which replicas have applied what a read needs, and for which it pays to wait.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use cluster::replication::gtid::GtidPosition;
use tokio::time::Instant;

use crate::view::NodeView;

/// Whether the node is known to have applied that much.
pub fn has_applied(node: &NodeView, position: &GtidPosition) -> bool {
    position.is_empty() || node.meter.applied.load().covers(position)
}

/// How long it will take the node to apply that much, as far as its probes tell: by its speed while it has something to
/// catch up with, else by the lag that it usually has. `None`: nothing is known of it.
pub fn expected(node: &NodeView, position: &GtidPosition, now: Instant) -> Option<Duration> {
    let missing = node.meter.applied.load().behind(position);
    match node.meter.pace.load().as_ref() {
        _ if missing == 0 => Some(Duration::ZERO),
        Some(pace) => Some(pace.expected(missing, now)),
        None => u64::try_from(node.meter.lag_ms.load(Relaxed)).ok().map(Duration::from_millis),
    }
}

/// How long a read that may wait for `limit` has to expect to wait; `None`: it had better not. A node of which nothing is
/// known may be there in a moment.
pub fn worth_waiting(
    node: &NodeView,
    position: &GtidPosition,
    limit: Duration,
    now: Instant,
) -> Option<Duration> {
    if !position.is_kind_of(&node.meter.applied.load()) {
        // A token of another cluster: a server would call it nonsense.
        return None;
    }
    let wait = expected(node, position, now).unwrap_or_default();
    (!limit.is_zero() && wait <= limit).then_some(wait)
}
