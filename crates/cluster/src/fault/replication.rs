//! A follower that stops following, or applies late.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::admin::{Admin, AdminError};
use crate::replication::{drain_relay_log, status};

/// How long a follower may take to apply what it has received, or to be connected again.
const DRAIN: Duration = Duration::from_secs(5);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// `ER_BAD_SLAVE`: the node follows nobody.
const FOLLOWS_NOBODY: u16 = 1200;

/// Stops both halves of a follower.
pub(crate) async fn stop(admin: &mut Admin) -> Result<bool, AdminError> {
    if status::follows(admin).await?.is_none() {
        return Ok(false);
    }
    admin.run("STOP SLAVE").await.map(|()| true)
}

/// Has a follower apply each transaction so many seconds after the primary wrote it.
///
/// Changing the delay throws away what was received and not applied; so that is applied first.
pub(crate) async fn delay(admin: &mut Admin, seconds: u32) -> Result<bool, AdminError> {
    if status::follows(admin).await?.is_none() {
        return Ok(false);
    }
    drain_relay_log(admin, DRAIN).await?;
    set_delay(admin, seconds).await.map(|()| true)
}

/// Undoes both, whatever the node has become meanwhile: a primary follows nobody and has nothing to be undone.
///
/// What a delayed follower has received and not applied is thrown away and fetched again; so its primary has to be there,
/// and is waited for.
pub(crate) async fn heal(admin: &mut Admin) -> Result<(), AdminError> {
    let end = Instant::now() + DRAIN;
    loop {
        match status::follows(admin).await? {
            None => return Ok(()),
            Some(follows) if follows.delay_s == 0 => break,
            Some(follows) if follows.io_running || Instant::now() >= end => {
                return set_delay(admin, 0).await;
            }
            Some(_) => sleep(LOOK).await,
        }
    }
    start(admin).await
}

async fn set_delay(admin: &mut Admin, seconds: u32) -> Result<(), AdminError> {
    admin.run("STOP SLAVE").await?;
    admin.run_text("CHANGE MASTER", &format!("CHANGE MASTER TO MASTER_DELAY={seconds}")).await?;
    start(admin).await
}

/// A node that has become a primary in this moment follows nobody: nothing is to be started.
async fn start(admin: &mut Admin) -> Result<(), AdminError> {
    match admin.run("START SLAVE").await {
        Err(error) if error.code() == Some(FOLLOWS_NOBODY) => Ok(()),
        other => other,
    }
}
