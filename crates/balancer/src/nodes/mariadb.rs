//! MariaDB's own words for what the control plane asks of a node.

use std::net::{IpAddr, SocketAddr};

use cluster::replication::{self, Status};
use cluster::{Admin, AdminError};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row};

use super::{Facts, Following, Receiving};

/// The primary lacks what the follower has (`ER_MASTER_FATAL_ERROR_READING_BINLOG`).
const DIVERGED: u32 = 1236;

/// All in one round trip. What was received is asked before what is applied, so that it can only be the older of both.
const PROBE: &str = "SHOW SLAVE STATUS; SELECT @@global.read_only, @@global.gtid_current_pos, \
    @@global.rpl_semi_sync_master_enabled, @@global.server_id";

/// The facts over a fresh connection.
pub(super) async fn status(admin: &mut Admin) -> Result<Facts, AdminError> {
    replication::status(admin).await.map(facts)
}

/// Stops receiving; tells how far the node came.
pub(super) async fn halt(admin: &mut Admin) -> Result<Facts, AdminError> {
    // On its way out a semi-sync receiver logs in to its primary once more to say so. Where that one hangs, it
    // would take 24 s by default, and 1 s with the shortest limit there is. Turning semi-sync off first does not
    // help: the receiver remembers what it began as (both measured on 10.11.19).
    const SHORT: &str = "SET GLOBAL rpl_semi_sync_slave_kill_conn_timeout=1";
    admin.run(SHORT).await?;
    admin.run("STOP SLAVE IO_THREAD").await?;
    status(admin).await
}

fn facts(status: Status) -> Facts {
    let following = status.follows.map(|follows| Following {
        source: follows.host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, follows.port)),
        received: follows.received,
        // The admin room does not tell connecting from stopped; only the probe does.
        receiving: if follows.io_running { Receiving::Connected } else { Receiving::Connecting },
        applying: follows.sql_running,
        diverged: follows.last_errno == DIVERGED,
        error: follows.last_error,
    });
    Facts {
        server: status.server_id,
        read_only: status.read_only,
        applied: status.current,
        following,
        waits: status.semi_sync_master.on,
    }
}

/// The probe's one round trip.
pub(super) async fn probe(conn: &mut Conn) -> Result<Facts, Error> {
    let mut answers = conn.query_iter(PROBE).await?;
    let replication: Vec<Row> = answers.collect().await?;
    let own: Vec<(String, Option<String>, String, u32)> = answers.collect().await?;
    answers.drop_result().await?;
    let (read_only, applied, waits, server) = own.into_iter().next().unwrap_or_default();
    // A number up to 11.x, a word later.
    let on = |text: &str| !matches!(text, "0" | "OFF");
    let position = |text: Option<String>| text.unwrap_or_default().parse().unwrap_or_default();
    Ok(Facts {
        server,
        read_only: on(&read_only),
        applied: position(applied),
        following: replication.first().map(following),
        waits: on(&waits),
    })
}

fn following(row: &Row) -> Following {
    let text = |name: &str| {
        row.get_opt::<Option<String>, _>(name).and_then(Result::ok).flatten().unwrap_or_default()
    };
    let number = |name: &str| row.get_opt::<u32, _>(name).and_then(Result::ok).unwrap_or_default();
    let (sql, io) = (text("Last_SQL_Error"), text("Last_IO_Error"));
    let port = u16::try_from(number("Master_Port")).unwrap_or_default();
    Following {
        source: text("Master_Host").parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port)),
        received: text("Gtid_IO_Pos").parse().unwrap_or_default(),
        receiving: match text("Slave_IO_Running").as_str() {
            "Yes" => Receiving::Connected,
            "No" => Receiving::Stopped,
            _ => Receiving::Connecting,
        },
        applying: text("Slave_SQL_Running") == "Yes",
        diverged: number("Last_IO_Errno") == DIVERGED,
        error: if sql.is_empty() { io } else { sql },
    }
}
