//! MySQL's own words for what the control plane asks of a node, 8.0 and later.
//!
//! Such nodes are looked at and never changed: none is promoted, closed or pointed at another ([`OBSERVED`]). Whoever does that
//! (an operator, a tool of theirs) is followed: see [`crate::failover::observe`].
//!
//! Sources: MySQL 8.4 reference manual, "SHOW REPLICA STATUS" (its name and those of its columns since 8.0.22; before, and
//! until 8.4, `SLAVE` and `MASTER`), "Functions Used with Global Transaction Identifiers", "Server System Variables".

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use cluster::replication::GtidPosition;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row};

use super::{Facts, Following, Receiving};

/// Why nodes of this kind are not changed.
pub(super) const OBSERVED: &str = "MySQL servers are observed, not changed: promote and re-point them with your own tool, \
    the balancer then sends writes to the one that is writable";

/// The oldest version whose protocol and replication are spoken.
const OLDEST: (u16, u16, u16) = (8, 0, 0);
/// Since this version replication is spoken of in other words.
const REPLICA: (u16, u16, u16) = (8, 0, 22);
/// The source lacks what the replica has, or has purged what it needs (`ER_SERVER_SOURCE_FATAL_ERROR_READING_BINLOG`; the
/// second number since 8.0).
const DIVERGED: [u32; 2] = [1236, 13114];

/// What kept facts from being learned.
pub(super) enum Trouble {
    /// The connection or the server.
    Error(Error),
    /// What the node lacks to be of use.
    Unfit(String),
}

impl<E: Into<Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// The words of a version.
struct Words {
    /// All in one round trip. What was received is asked before what is applied, so that it can only be the older of both.
    probe: &'static str,
    host: &'static str,
    port: &'static str,
    receiving: &'static str,
    applying: &'static str,
}

const NEW: Words = Words {
    probe: "SHOW REPLICA STATUS; SELECT @@GLOBAL.read_only, @@GLOBAL.gtid_executed, @@GLOBAL.gtid_mode; \
        SHOW GLOBAL VARIABLES LIKE 'rpl_semi_sync_%_enabled'",
    host: "Source_Host",
    port: "Source_Port",
    receiving: "Replica_IO_Running",
    applying: "Replica_SQL_Running",
};

const OLD: Words = Words {
    probe: "SHOW SLAVE STATUS; SELECT @@GLOBAL.read_only, @@GLOBAL.gtid_executed, @@GLOBAL.gtid_mode; \
        SHOW GLOBAL VARIABLES LIKE 'rpl_semi_sync_%_enabled'",
    host: "Master_Host",
    port: "Master_Port",
    receiving: "Slave_IO_Running",
    applying: "Slave_SQL_Running",
};

/// The probe's one round trip.
pub(super) async fn probe(conn: &mut Conn, version: (u16, u16, u16)) -> Result<Facts, Trouble> {
    if version < OLDEST {
        let (major, minor, patch) = version;
        return Err(Trouble::Unfit(format!(
            "it is MySQL {major}.{minor}.{patch}, and 8.0 or later is needed"
        )));
    }
    let words = if version < REPLICA { OLD } else { NEW };
    let mut answers = conn.query_iter(words.probe).await?;
    let replication: Vec<Row> = answers.collect().await?;
    let own: Vec<(String, String, String)> = answers.collect().await?;
    let semi_sync: Vec<(String, String)> = answers.collect().await?;
    answers.drop_result().await?;
    let (read_only, applied, gtid_mode) = own.into_iter().next().unwrap_or_default();
    if gtid_mode != "ON" {
        return Err(Trouble::Unfit(format!("gtid_mode={gtid_mode} there, and gtid_mode=ON is needed")));
    }
    let source = |(name, value): &(String, String)| {
        !name.contains("slave") && !name.contains("replica") && value == "ON"
    };
    Ok(Facts {
        // No part of its GTIDs, and nobody here asks for it.
        server: 0,
        read_only: matches!(&*read_only, "1" | "ON"),
        applied: position(&applied)?,
        following: following(&replication, &words)?,
        waits: semi_sync.iter().any(source),
    })
}

fn position(text: &str) -> Result<GtidPosition, Trouble> {
    text.parse().map_err(|error| Trouble::Unfit(format!("its GTIDs cannot be read: {error}")))
}

/// Whom the node follows. Of several channels it is the one without a name.
fn following(rows: &[Row], words: &Words) -> Result<Option<Following>, Trouble> {
    let field = |row: &Row, name: &str| {
        row.get_opt::<Option<String>, _>(name).and_then(Result::ok).flatten().unwrap_or_default()
    };
    let Some(row) = rows.iter().find(|row| field(row, "Channel_Name").is_empty()) else { return Ok(None) };
    let text = |name: &str| field(row, name);
    let number = |name: &str| row.get_opt::<u32, _>(name).and_then(Result::ok).unwrap_or_default();
    let (sql, io) = (text("Last_SQL_Error"), text("Last_IO_Error"));
    let port = u16::try_from(number(words.port)).unwrap_or_default();
    Ok(Some(Following {
        source: text(words.host).parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port)),
        received: position(&text("Retrieved_Gtid_Set"))?,
        receiving: match text(words.receiving).as_str() {
            "Yes" => Receiving::Connected,
            "No" => Receiving::Stopped,
            _ => Receiving::Connecting,
        },
        applying: text(words.applying) == "Yes",
        diverged: DIVERGED.contains(&number("Last_IO_Errno")),
        error: if sql.is_empty() { io } else { sql },
    }))
}

/// Waits until the node has applied all that it has received; `false`: not within the limit.
pub(super) async fn drain(
    conn: &mut Conn,
    version: (u16, u16, u16),
    limit: Duration,
) -> Result<bool, Trouble> {
    let facts = probe(conn, version).await?;
    if facts.applied.covers(&facts.received()) {
        return Ok(true);
    }
    let text = format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{}',{})", facts.received(), limit.as_secs_f64());
    Ok(conn.query_first::<i64, _>(text).await? == Some(0))
}
