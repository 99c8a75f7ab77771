//! A server's own counters, over a connection of our own.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::time::{Instant, timeout};

use super::heartbeat;
use crate::target::sql::over_tcp;

/// How long a server may take to tell. A node that is paused or down has no figures.
const PATIENCE: Duration = Duration::from_millis(400);
/// How long a server that did not answer is left alone: each attempt leaves a socket behind until it answers or is gone.
const PAUSE: Duration = Duration::from_secs(3);

/// Counters of a server from its start on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) statements: u64,
    pub(super) row_lock_waits: u64,
    pub(super) row_lock_wait_ms: u64,
    pub(super) deadlocks: u64,
    pub(super) pool_requests: u64,
    pub(super) pool_misses: u64,
    pub(super) received: u64,
    pub(super) sent: u64,
    /// Sum of the sequence numbers of its GTID position.
    pub(super) transactions: u64,
    /// The newest heartbeat that it has applied.
    pub(super) heartbeat: Option<u64>,
}

const STATUS: &str = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Questions','Innodb_row_lock_waits','Innodb_row_lock_time',\
    'Innodb_deadlocks','Innodb_buffer_pool_read_requests','Innodb_buffer_pool_reads','Bytes_received','Bytes_sent')";
const POSITION: &str = "SHOW GLOBAL VARIABLES LIKE 'gtid_current_pos'";

/// One server, connected while it answers.
#[derive(Debug)]
pub(super) struct Server {
    opts: Opts,
    conn: Option<Conn>,
    /// Not asked before, after it did not answer.
    again: Instant,
}

impl Server {
    pub(super) fn new(opts: Opts) -> Self {
        Self { opts: over_tcp(&opts), conn: None, again: Instant::now() }
    }

    /// The counters as they are now; nothing when the server does not answer in time.
    pub(super) async fn read(&mut self) -> Option<Counters> {
        if Instant::now() < self.again {
            return None;
        }
        let kept = self.conn.take();
        let opts = self.opts.clone();
        let asked = async move {
            let mut conn = match kept {
                Some(conn) => conn,
                None => Conn::new(opts).await?,
            };
            let counters = ask(&mut conn).await?;
            Ok::<_, mysql_async::Error>((conn, counters))
        };
        match timeout(PATIENCE, asked).await {
            Ok(Ok((conn, counters))) => {
                self.conn = Some(conn);
                Some(counters)
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "a server's counters cannot be read");
                self.again = Instant::now() + PAUSE;
                None
            }
            Err(_) => {
                self.again = Instant::now() + PAUSE;
                None
            }
        }
    }
}

async fn ask(conn: &mut Conn) -> Result<Counters, mysql_async::Error> {
    let mut counters = Counters::default();
    for (name, value) in conn.query::<(String, String), _>(STATUS).await? {
        counters.enter(&name, value.parse().unwrap_or(0));
    }
    let position: Option<(String, String)> = conn.query_first(POSITION).await?;
    counters.transactions = position.map_or(0, |(_, position)| transactions(&position));
    // Before the first heartbeat there is no table.
    counters.heartbeat = conn.query_first(heartbeat::READ).await.unwrap_or_default();
    Ok(counters)
}

impl Counters {
    fn enter(&mut self, name: &str, value: u64) {
        match name {
            "Questions" => self.statements = value,
            "Innodb_row_lock_waits" => self.row_lock_waits = value,
            "Innodb_row_lock_time" => self.row_lock_wait_ms = value,
            "Innodb_deadlocks" => self.deadlocks = value,
            "Innodb_buffer_pool_read_requests" => self.pool_requests = value,
            "Innodb_buffer_pool_reads" => self.pool_misses = value,
            "Bytes_received" => self.received = value,
            "Bytes_sent" => self.sent = value,
            _ => {}
        }
    }
}

/// Transactions in a MariaDB GTID position, `domain-server-sequence` by commas: the sum of the sequences, which grow by one each.
fn transactions(position: &str) -> u64 {
    position.split(',').filter_map(|gtid| gtid.trim().rsplit('-').next()?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_counted_in_transactions() {
        for (position, expected) in [("", 0), ("0-1-270", 270), ("0-1-270,1-3-5", 275), ("nonsense", 0)] {
            assert_eq!(transactions(position), expected, "{position:?}");
        }
    }
}
