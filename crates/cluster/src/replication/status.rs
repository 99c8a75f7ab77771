//! What a node says about itself, in two round trips.

use std::collections::HashMap;
use std::str::FromStr;

use mysql_async::Row;
use mysql_async::prelude::FromValue;

use crate::admin::{Admin, AdminError};
use crate::replication::gtid::{GtidPosition, GtidState};

/// A node's state at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// Its `server_id`.
    pub server_id: u32,
    /// Whether clients without special rights are kept from writing.
    pub read_only: bool,
    /// Everything it has: applied from others or written itself. Rank by this when nobody has relay logs left.
    pub current: GtidPosition,
    /// The newest in its binary log; with `log_slave_updates` the same as `current`.
    pub binlog: GtidPosition,
    /// The newest that it applied as a follower.
    pub applied: GtidPosition,
    /// What its binary log holds by server; tells whether another node's tip is part of this node's history.
    pub binlog_state: GtidState,
    /// Whom it follows; `None` for a primary.
    pub follows: Option<Follows>,
    /// How it waits for followers.
    pub semi_sync_master: SemiSyncMaster,
}

impl Status {
    /// Everything the node has received, applied or not: what it would stand at after draining its relay log.
    pub fn received(&self) -> GtidPosition {
        let mut position = self.current.clone();
        if let Some(follows) = &self.follows {
            position.merge(&follows.received);
        }
        position
    }

    /// Whether it follows `host:port` and both halves of replication run.
    pub fn follows_well(&self, host: &str, port: u16) -> bool {
        self.follows
            .as_ref()
            .is_some_and(|f| f.host == host && f.port == port && f.io_running && f.sql_running)
    }
}

/// Replication from the follower's side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Follows {
    /// The primary's host.
    pub host: String,
    /// The primary's port.
    pub port: u16,
    /// Whether it is connected and receives (`Yes`; not `Connecting`).
    pub io_running: bool,
    /// Whether it does not even try to (`No`): it was told to stop, or met an error that it cannot get over.
    pub io_stopped: bool,
    /// Whether it applies.
    pub sql_running: bool,
    /// So many seconds late each transaction is applied on purpose (`SQL_Delay`).
    pub delay_s: u32,
    /// The newest transaction received (`Gtid_IO_Pos`), applied or not.
    pub received: GtidPosition,
    /// The last error of either half; empty for none.
    pub last_error: String,
    /// Its number; 0 for none. 1236: the primary lacks what this node has.
    pub last_errno: u32,
    /// Whole seconds behind as the server sees it. `None`, with a stopped applier, is the opposite of zero.
    pub seconds_behind: Option<u64>,
}

/// Semi-synchronous replication from the primary's side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SemiSyncMaster {
    /// Whether commits wait for an acknowledgement.
    pub on: bool,
    /// Whether they do so at this moment: off after a time-out that a safe setting never lets happen.
    pub active: bool,
    /// Followers that acknowledge.
    pub clients: u32,
}

/// Reads a node's state. The two statements are not one snapshot: positions may have moved between them.
pub async fn status(admin: &mut Admin) -> Result<Status, AdminError> {
    const VARIABLES: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_id','read_only','gtid_current_pos',\
        'gtid_binlog_pos','gtid_slave_pos','gtid_binlog_state','rpl_semi_sync_master_enabled')";
    const SEMI_SYNC: &str = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Rpl_semi_sync_master_status','Rpl_semi_sync_master_clients')";
    let follows = follows(admin).await?;
    let mut values: HashMap<String, String> =
        admin.rows::<(String, String)>(VARIABLES).await?.into_iter().collect();
    values.extend(admin.rows::<(String, String)>(SEMI_SYNC).await?);
    let value = |name: &str| values.get(name).map_or("", String::as_str);
    Ok(Status {
        server_id: value("server_id").parse().unwrap_or_default(),
        read_only: value("read_only") == "ON",
        current: parsed(admin, "gtid_current_pos", value("gtid_current_pos"))?,
        binlog: parsed(admin, "gtid_binlog_pos", value("gtid_binlog_pos"))?,
        applied: parsed(admin, "gtid_slave_pos", value("gtid_slave_pos"))?,
        binlog_state: parsed(admin, "gtid_binlog_state", value("gtid_binlog_state"))?,
        follows,
        semi_sync_master: SemiSyncMaster {
            on: value("rpl_semi_sync_master_enabled") == "ON",
            active: value("Rpl_semi_sync_master_status") == "ON",
            clients: value("Rpl_semi_sync_master_clients").parse().unwrap_or_default(),
        },
    })
}

/// Whom the node follows. Asked before the positions: what was received can then only be older than what is applied.
pub async fn follows(admin: &mut Admin) -> Result<Option<Follows>, AdminError> {
    const WHAT: &str = "SHOW SLAVE STATUS";
    let Some(row) = admin.first::<Row>(WHAT).await? else { return Ok(None) };
    let text = |name: &str| field::<String>(&row, name).unwrap_or_default();
    let error = |number: &str, message: &str| (field::<u32>(&row, number).unwrap_or_default(), text(message));
    let (last_errno, last_error) = match error("Last_SQL_Errno", "Last_SQL_Error") {
        (0, _) => error("Last_IO_Errno", "Last_IO_Error"),
        found => found,
    };
    Ok(Some(Follows {
        host: text("Master_Host"),
        port: field(&row, "Master_Port").unwrap_or_default(),
        io_running: text("Slave_IO_Running") == "Yes",
        io_stopped: text("Slave_IO_Running") == "No",
        sql_running: text("Slave_SQL_Running") == "Yes",
        delay_s: field(&row, "SQL_Delay").unwrap_or_default(),
        received: parsed(admin, WHAT, &text("Gtid_IO_Pos"))?,
        last_error,
        last_errno,
        seconds_behind: field(&row, "Seconds_Behind_Master"),
    }))
}

/// A field of a row by name; `None` for NULL and for what this server does not have.
fn field<T: FromValue>(row: &Row, name: &str) -> Option<T> {
    row.get_opt::<Option<T>, _>(name).and_then(Result::ok).flatten()
}

/// Text of a server as a value, or an error that names both.
pub(super) fn parsed<T: FromStr>(admin: &Admin, what: &'static str, text: &str) -> Result<T, AdminError> {
    let address = admin.address();
    text.parse().map_err(|_| AdminError::Unexpected { address, what, answer: text.to_owned() })
}
