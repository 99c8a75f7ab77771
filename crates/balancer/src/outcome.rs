//! What became of a commit whose answer was lost: with `failover.outcomes = "ask"` the servers keep it themselves.
//!
//! Each transaction that a session ends writes one row of the balancer's own before its COMMIT is sent: a number, in a row
//! that belongs to the node connection. It is kept or lost together with the rest, and it goes wherever the rest goes, so
//! whoever is the primary later can be asked. The question locks the row: a transaction that has not come to its end
//! yet (it waits for a follower's acknowledgement, say) still holds it, and the answer waits.
//!
//! A row a connection, not one a transaction: the table stays small, and no two sessions meet in a row.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use cluster::replication::gtid::GtidPosition;
use cluster::{Admin, AdminError, NodeId};
use tokio::time::sleep;

use crate::config::Config;
use crate::nodes::operator;
use crate::view::ViewCell;

/// A login or a statement of the operator's takes no longer. More than the second that a question waits for a lock.
const LIMIT: Duration = Duration::from_secs(3);
/// Between two tries to make the table, and between two looks for a primary to make it on.
const AGAIN: Duration = Duration::from_secs(1);
/// Between two removals of rows that nobody can ask for any more.
const TIDY: Duration = Duration::from_secs(3600);

/// Makes the table, and the one way to write into it that every account has: a row of whose number it knows, which cannot be
/// guessed. None may read it.
const MAKE: [&str; 4] = [
    "CREATE DATABASE IF NOT EXISTS tpcw_balancer",
    "CREATE TABLE IF NOT EXISTS tpcw_balancer.outcomes (thread BIGINT UNSIGNED NOT NULL, \
     connection BIGINT UNSIGNED NOT NULL, number BIGINT UNSIGNED NOT NULL, \
     at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, \
     PRIMARY KEY (thread, connection)) ENGINE=InnoDB",
    "CREATE PROCEDURE IF NOT EXISTS tpcw_balancer.mark(t BIGINT UNSIGNED, c BIGINT UNSIGNED, n BIGINT UNSIGNED) \
     MODIFIES SQL DATA SQL SECURITY DEFINER \
     INSERT INTO tpcw_balancer.outcomes (thread, connection, number) VALUES (t, c, n) \
     ON DUPLICATE KEY UPDATE number = n",
    "GRANT EXECUTE ON PROCEDURE tpcw_balancer.mark TO PUBLIC",
];
/// Whether all of it has been made.
const MADE: &str = "SELECT COUNT(*) FROM mysql.procs_priv WHERE User = 'PUBLIC' AND Db = 'tpcw_balancer' \
    AND Routine_name = 'mark'";
/// No connection is asked about a day after its last commit.
const REMOVE: &str = "DELETE FROM tpcw_balancer.outcomes WHERE at < NOW() - INTERVAL 1 DAY LIMIT 10000";

/// One commit on one node connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    thread: u64,
    connection: u64,
    number: u64,
}

impl Marker {
    /// The statement by which a transaction leaves its mark.
    pub fn statement(&self) -> String {
        let Self { thread, connection, number } = self;
        format!("CALL tpcw_balancer.mark({thread},{connection},{number})")
    }

    fn question(&self) -> String {
        format!(
            "SET STATEMENT innodb_lock_wait_timeout=1 FOR SELECT number FROM tpcw_balancer.outcomes \
             WHERE thread={} AND connection={} LOCK IN SHARE MODE",
            self.thread, self.connection
        )
    }
}

/// The markers of one thread.
#[derive(Debug)]
pub struct Markers {
    thread: u64,
    last: Cell<u64>,
}

impl Markers {
    /// `thread`: a number that no other thread has, of no balancer.
    pub fn new(thread: u64) -> Self {
        Self { thread, last: Cell::new(0) }
    }

    /// A marker for the next commit on the thread's connection of this number.
    pub fn next(&self, connection: u64) -> Marker {
        self.last.set(self.last.get() + 1);
        Marker { thread: self.thread, connection, number: self.last.get() }
    }
}

/// What a node tells of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// It has happened; otherwise it never will.
    pub kept: bool,
    /// A position at which the node has all that the answer tells of.
    pub position: GtidPosition,
}

/// Asks a node, which waits up to a second for a transaction that is not over. `None`: the node takes no writes, so that
/// its word is not the last.
///
/// # Errors
/// The node cannot be asked, or the transaction is not over yet.
pub async fn ask(config: &Config, node: &NodeId, marker: &Marker) -> Result<Option<Told>, AdminError> {
    let mut admin = open(config, node).await?;
    let numbers: Vec<u64> = admin.rows_text("what became of a commit", &marker.question()).await?;
    let state = admin.first("SELECT @@global.read_only, @@global.gtid_current_pos").await?;
    admin.close().await;
    let Some((0_u8, position)) = state else { return Ok(None) };
    let position: String = position;
    let kept = numbers.contains(&marker.number);
    Ok(Some(Told { kept, position: position.parse().unwrap_or_default() }))
}

/// Makes the table on the primary; it replicates.
///
/// # Errors
/// The node cannot be reached, or refuses.
pub async fn make(config: &Config, primary: &NodeId) -> Result<(), AdminError> {
    let mut admin = open(config, primary).await?;
    if admin.first::<u64>(MADE).await? != Some(1) {
        for statement in MAKE {
            admin.run(statement).await?;
        }
    }
    admin.close().await;
    Ok(())
}

/// Makes the table as soon as there is a primary, and removes old rows from time to time.
pub async fn keep(config: Arc<Config>, view: Arc<ViewCell>) {
    let mut made = false;
    loop {
        let primary = view.load().primary().map(|node| node.id.clone());
        let done = match primary {
            None => Ok(false),
            Some(primary) if !made => make(&config, &primary).await.map(|()| true),
            Some(primary) => remove(&config, &primary).await.map(|()| true),
        };
        match done {
            Ok(done) => made |= done,
            Err(error) => tracing::warn!(%error, "the table of outcomes is not looked after"),
        }
        sleep(if made { TIDY } else { AGAIN }).await;
    }
}

async fn remove(config: &Config, primary: &NodeId) -> Result<(), AdminError> {
    let mut admin = open(config, primary).await?;
    admin.run(REMOVE).await?;
    admin.close().await;
    Ok(())
}

async fn open(config: &Config, node: &NodeId) -> Result<Admin, AdminError> {
    let address = config.nodes.iter().find(|known| known.name == node.as_str());
    let address = address.expect("views show configured nodes").admin_address();
    Admin::connect(address, &operator(config, node.as_str()), LIMIT).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_commits_of_a_thread_have_the_same_mark() {
        let markers = Markers::new(7);
        let (one, two) = (markers.next(3), markers.next(3));
        assert_ne!(one, two);
        assert_eq!(two.statement(), "CALL tpcw_balancer.mark(7,3,2)");
        assert!(one.question().contains("thread=7 AND connection=3 LOCK"), "{}", one.question());
    }
}
