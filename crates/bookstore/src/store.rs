//! The shop's door to a database: what an interaction may ask of one connection, and how it can fail.

use std::fmt;
use std::future::Future;

use mysql_async::{Row, Value};
use serde::{Deserialize, Serialize};

/// One SQL statement of the shop, known at compile time, sent as a prepared statement.
#[derive(Debug)]
pub struct Statement {
    /// Its place in the shop's list of statements; implementations keep prepared handles in an array by it.
    pub id: usize,
    /// A short name for messages and statistics: `best_sellers`.
    pub name: &'static str,
    /// The text, with `?` for parameters.
    pub sql: &'static str,
}

/// What a statement that changes rows returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows matched or changed, as the server counts them.
    pub affected: u64,
    /// The AUTO_INCREMENT id given, 0 when none was.
    pub last_insert_id: u64,
}

/// One connection to the shop's database. Two real things stand behind it: the emulator's measured connection and the
/// plain one of `check`, `load` and tests.
///
/// After an error of a class for which [`FailureClass::connection_is_usable`] is false the connection must not be used again.
pub trait Store: Send {
    /// Runs a statement that returns rows.
    fn rows(
        &mut self,
        statement: &'static Statement,
        params: Vec<Value>,
    ) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send;

    /// Runs a statement that changes rows.
    fn write(
        &mut self,
        statement: &'static Statement,
        params: Vec<Value>,
    ) -> impl Future<Output = Result<Written, StoreError>> + Send;

    /// Starts a read-write transaction.
    fn begin(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends it, keeping its changes. A connection lost or timed out in here is [`FailureClass::UnknownCommit`].
    fn commit(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends it, undoing its changes.
    fn rollback(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// The ways in which an operation ends badly. With `ok` they are all the outcomes there are: every operation ends in
/// exactly one, and sums over them agree everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The shop or the server said no (bad data, unknown row, any error with no class of its own).
    Refused,
    /// 1213, or 1020 under snapshot isolation: the transaction was rolled back; safe to repeat.
    Deadlock,
    /// 1205: waited too long for a row; safe to repeat.
    LockTimeout,
    /// 1290, 1792, 1836: the statement met a node that takes no writes.
    ReadOnly,
    /// No connection could be made, or no more are allowed (1040, 1203).
    ConnectionRefused,
    /// The connection ended while a statement other than COMMIT was under way, or nothing of the transaction was kept for
    /// certain (1927 with SQLSTATE 40001, from a balancer).
    ConnectionLost,
    /// No answer within the limit.
    TimedOut,
    /// The connection ended, or time ran out, after COMMIT was sent and before its answer came.
    UnknownCommit,
}

impl FailureClass {
    /// All classes, in the order in which they are reported.
    pub const ALL: [Self; 8] = [
        Self::Refused,
        Self::Deadlock,
        Self::LockTimeout,
        Self::ReadOnly,
        Self::ConnectionRefused,
        Self::ConnectionLost,
        Self::TimedOut,
        Self::UnknownCommit,
    ];

    /// Its place in [`FailureClass::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Deadlock => "deadlock",
            Self::LockTimeout => "lock_timeout",
            Self::ReadOnly => "read_only",
            Self::ConnectionRefused => "connection_refused",
            Self::ConnectionLost => "connection_lost",
            Self::TimedOut => "timed_out",
            Self::UnknownCommit => "unknown_commit",
        }
    }

    /// Whether the connection may be used again after such an error. A late answer to a timed-out statement would
    /// otherwise be taken for the answer to the next one.
    pub fn connection_is_usable(self) -> bool {
        matches!(self, Self::Refused | Self::Deadlock | Self::LockTimeout | Self::ReadOnly)
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An operation that did not end well.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{class}: {message}")]
pub struct StoreError {
    /// What kind of failure it was.
    pub class: FailureClass,
    /// The server's error code, where it gave one.
    pub code: Option<u16>,
    /// What went wrong, for people.
    pub message: String,
}

impl StoreError {
    /// The shop itself says no: the data are not what the interaction needs.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { class: FailureClass::Refused, code: None, message: message.into() }
    }
}
