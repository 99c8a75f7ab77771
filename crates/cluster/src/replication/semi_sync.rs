//! Semi-synchronous replication: a commit is acknowledged when one follower has it.
//!
//! `rpl_semi_sync_master_wait_point=AFTER_SYNC`: the wait comes before the commit becomes visible in the engine, so that
//! nobody reads what could still be lost. The time-out never expires within a run and `wait_no_slave=ON` keeps a
//! primary without followers waiting instead of answering: writes stop rather than become unsafe.

use crate::admin::{Admin, AdminError};

/// Milliseconds a commit waits for a follower, about 49 days: in effect for ever.
pub const NEVER_MS: u64 = 4_294_967_295;

/// Makes a primary wait for its followers from the next commit on.
pub async fn require_acknowledgement(admin: &mut Admin) -> Result<(), AdminError> {
    admin.run("SET GLOBAL rpl_semi_sync_slave_enabled=OFF").await?;
    admin.run("SET GLOBAL rpl_semi_sync_master_wait_point=AFTER_SYNC").await?;
    admin.run("SET GLOBAL rpl_semi_sync_master_wait_no_slave=ON").await?;
    admin.run("SET GLOBAL rpl_semi_sync_master_timeout=4294967295").await?;
    admin.run("SET GLOBAL rpl_semi_sync_master_enabled=ON").await
}

/// Makes a follower acknowledge what it has written to its relay log, and wait for nobody itself.
///
/// On a former primary this releases commits that still wait, *as if they had been acknowledged*: cut its clients off
/// first ([`crate::replication::promote::fence`]).
///
/// A follower that stops receiving first tries to log in to its primary to end its session there. With a primary that is
/// silent (paused, cut off) that takes the whole of `rpl_semi_sync_slave_kill_conn_timeout`, whose shortest is 1 s; 0 means
/// 24 s (measured with 10.11.19), and the default is 5 s.
pub async fn acknowledge(admin: &mut Admin) -> Result<(), AdminError> {
    admin.run("SET GLOBAL rpl_semi_sync_slave_kill_conn_timeout=1").await?;
    admin.run("SET GLOBAL rpl_semi_sync_master_enabled=OFF").await?;
    admin.run("SET GLOBAL rpl_semi_sync_slave_enabled=ON").await
}
