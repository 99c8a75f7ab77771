//! Making a node follow another, and waiting until it has caught up.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::account::Account;
use crate::admin::{Admin, AdminError};
use crate::replication::gtid::GtidPosition;
use crate::replication::{semi_sync, status};

/// Makes a node a follower of `host:port`: closed for writers, acknowledging, receiving from where it stands.
///
/// Works on a fresh copy, on a replica whose primary has been replaced, and on a former primary that holds nothing of
/// its own (see [`crate::replication::errant`]; a node that does is refused by the primary with error 1236, to be seen
/// in [`status::Follows::last_error`]). Returns as soon as replication has been started; see [`wait_applied`].
pub async fn follow(admin: &mut Admin, host: &str, port: u16, account: &Account) -> Result<(), AdminError> {
    admin.run("SET GLOBAL read_only=ON").await?;
    admin.run("STOP SLAVE").await?;
    semi_sync::acknowledge(admin).await?;
    take_own_writes_for_applied(admin).await?;
    let change = change_master(host, port, account);
    admin.run_text("CHANGE MASTER", &change).await?;
    admin.run("START SLAVE").await
}

/// Leaves the primary and forgets it.
pub async fn leave(admin: &mut Admin) -> Result<(), AdminError> {
    admin.run("STOP SLAVE").await?;
    admin.run("RESET SLAVE ALL").await
}

/// Waits until a node has applied everything up to `position`. `Ok(false)`: not within the limit, or its applier stopped.
///
/// Looks every 2 ms at first and every 20 ms later instead of blocking in `MASTER_GTID_WAIT`, so that a stopped applier
/// is noticed at once.
pub async fn wait_applied(
    admin: &mut Admin,
    position: &GtidPosition,
    limit: Duration,
) -> Result<bool, AdminError> {
    let end = Instant::now() + limit;
    let mut pause = Duration::from_millis(2);
    loop {
        if current(admin).await?.covers(position) {
            return Ok(true);
        }
        let stopped = status::follows(admin).await?.is_none_or(|f| !f.sql_running);
        if stopped || Instant::now() >= end {
            return Ok(current(admin).await?.covers(position));
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Everything a node has applied or written.
pub async fn current(admin: &mut Admin) -> Result<GtidPosition, AdminError> {
    const WHAT: &str = "SELECT @@gtid_current_pos";
    let text: Option<String> = admin.first(WHAT).await?;
    status::parsed(admin, WHAT, &text.unwrap_or_default())
}

/// A former primary's own writes are in its binary log but not in `gtid_slave_pos`, from where followers count.
/// Done by hand, as `CHANGE MASTER … MASTER_DEMOTE_TO_SLAVE=1` would, so that one way serves nodes of every past.
async fn take_own_writes_for_applied(admin: &mut Admin) -> Result<(), AdminError> {
    let (current, applied): (String, String) =
        admin.first("SELECT @@gtid_current_pos, @@gtid_slave_pos").await?.unwrap_or_default();
    if current != applied {
        admin.run("SET GLOBAL gtid_slave_pos=@@gtid_current_pos").await?;
    }
    Ok(())
}

/// The statement that names the primary. One second between two tries is the shortest that the server knows.
fn change_master(host: &str, port: u16, account: &Account) -> String {
    format!(
        "CHANGE MASTER TO MASTER_HOST={}, MASTER_PORT={port}, MASTER_USER={}, MASTER_PASSWORD={}, \
         MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=1",
        quoted(host),
        quoted(&account.user),
        quoted(account.password.expose()),
    )
}

/// A text as an SQL literal, whatever it holds.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_stays_a_literal() {
        for (text, literal) in [("a", "'a'"), ("a'b", "'a''b'"), (r"a\", r"'a\\'"), ("';--", "''';--'")] {
            assert_eq!(quoted(text), literal);
        }
    }
}
