//! The steps of a promotion, one function each; their order is the control plane's business: fence the old; have all
//! followers stop receiving, at the same time; choose by what they have received; drain the chosen; open it and, *at the
//! same time*, re-point the others: the first commit on the new primary waits until one of them follows.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::admin::{Admin, AdminError};
use crate::replication::follow::leave;
use crate::replication::{semi_sync, status};

/// Has a follower take nothing more from its primary; it goes on applying. Harmless on a node that follows nobody.
///
/// Milliseconds where the primary is dead or well, one second where it is silent (see [`semi_sync::acknowledge`]): do it
/// on all followers at once.
pub async fn stop_receiving(admin: &mut Admin) -> Result<(), AdminError> {
    admin.run("STOP SLAVE IO_THREAD").await
}

/// Waits until a follower has applied all that it has received. `Ok(false)`: not within the limit, or its applier
/// stopped on an error. Stops receiving first, so that the end does not move.
pub async fn drain_relay_log(admin: &mut Admin, limit: Duration) -> Result<bool, AdminError> {
    let end = Instant::now() + limit;
    stop_receiving(admin).await?;
    loop {
        let Some(follows) = status::follows(admin).await? else { return Ok(true) };
        if crate::replication::follow::current(admin).await?.covers(&follows.received) {
            return Ok(true);
        }
        if !follows.sql_running || Instant::now() >= end {
            return Ok(false);
        }
        sleep(Duration::from_millis(2)).await;
    }
}

/// Makes a follower that has been drained the primary: it forgets whom it followed, waits for followers of its own
/// from now on, and takes writes.
pub async fn open(admin: &mut Admin) -> Result<(), AdminError> {
    leave(admin).await?;
    semi_sync::require_acknowledgement(admin).await?;
    admin.run("SET GLOBAL read_only=OFF").await
}

/// Closes a node for writers and cuts off the connections of every account but our own (which `read_only` does not
/// bind). When it returns, nobody without special rights can write there, and no commit that was under way has been or will be reported as done to its client.
///
/// Both at once: `read_only=ON` waits for running commits, which on a primary without followers wait for ever until
/// their connections are killed. Killed commits may stay in the node's own log: compare with
/// [`crate::replication::errant`] before it follows anybody.
pub async fn fence(admin: &mut Admin) -> Result<(), AdminError> {
    let mut killer = admin.another().await?;
    let limit = admin.limit();
    let closed = AtomicBool::new(false);
    let close = async {
        let result = admin.run("SET GLOBAL read_only=ON").await;
        closed.store(true, Ordering::Release);
        result
    };
    let kill = async {
        let end = Instant::now() + limit;
        loop {
            // Read before looking: only a round that began after the node was closed can be the last.
            let last = closed.load(Ordering::Acquire);
            let left = kill_clients(&mut killer).await?;
            if (last && left == 0) || Instant::now() >= end {
                return Ok(left);
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    let (shut, left) = tokio::join!(close, kill);
    shut?;
    let address = killer.address();
    match left? {
        0 => Ok(()),
        left => {
            Err(AdminError::Unexpected { address, what: "KILL", answer: format!("{left} clients stayed") })
        }
    }
}

/// Kills every client's connection but those of our own account and of replication; returns how many there were.
async fn kill_clients(admin: &mut Admin) -> Result<usize, AdminError> {
    const WHO: &str = "SELECT id FROM information_schema.processlist \
        WHERE user NOT IN ('system user','event_scheduler',SUBSTRING_INDEX(USER(),'@',1)) AND command NOT IN ('Daemon','Binlog Dump','Slave_IO','Slave_SQL','Slave_worker')";
    let mut left = 0;
    for id in admin.rows::<u32>(WHO).await? {
        left += 1;
        match admin.run_text("KILL", &format!("KILL HARD CONNECTION {id}")).await {
            Ok(()) => {}
            Err(e) if e.code() == Some(1094) => {} // gone already
            Err(e) => return Err(e),
        }
    }
    Ok(left)
}
