//! Under `monotonic`: what a statement may have shown to its session, so that no later read shows less.

use std::time::Duration;

use crate::pool::ask::AskError;
use crate::pool::lease::Lease;
use crate::route::Plan;
use crate::session::Session;
use crate::session::relay::seen::Seen;
use crate::sql::classify::Kind;

/// The primary tells its position by then.
const LIMIT: Duration = Duration::from_secs(5);

impl Session {
    /// Notes where the session has read. On the primary the position is asked for, after the client has had its answer:
    /// without it the session could not leave the primary before the next probe. `stays`: the connection is kept, so that
    /// the next statements see the same node anyway.
    pub(super) async fn note_read(
        &mut self,
        lease: &mut Lease,
        plan: &Plan,
        seen: &Seen,
        stays: bool,
    ) -> Result<(), AskError> {
        if plan.kind == Kind::Session {
            return Ok(());
        }
        let (on_primary, alone) = {
            let view = self.worker.shared.view.load();
            let on_primary = view.primary().is_some_and(|node| node.index == lease.node);
            (on_primary, view.replicas().next().is_none())
        };
        if let (true, Some(gtid)) = (on_primary && !stays, &seen.gtid) {
            // What a transaction has seen was written before it.
            self.reads.has_seen(gtid);
            return Ok(());
        }
        self.reads.has_read_on(lease.node, lease.epoch);
        if !on_primary || stays || alone {
            return Ok(());
        }
        if let Some(position) = lease.position(LIMIT).await? {
            self.reads.has_seen(&position);
        }
        Ok(())
    }
}
