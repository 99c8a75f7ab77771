//! How a load fails, and what to do about it.

use std::time::Duration;

use mysql_async::{DriverError, Error, ServerError};

use super::Loaded;

/// Why a load did not take place. After any of them a second try is safe.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The scale cannot be made.
    #[error("the population cannot be made: {0}")]
    Scale(String),
    /// Nobody answers there.
    #[error("cannot reach the database at {address}: {reason}; is it running, and is the address right?")]
    Unreachable {
        /// Host and port.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// Wrong user or password.
    #[error("the database refuses user {user:?}: {message}; check user and password of the target")]
    AccessDenied {
        /// The user name that was tried.
        user: String,
        /// What the server said.
        message: String,
    },
    /// The account lacks a right.
    #[error("the account may not do this: {message}; grant it all rights on the database")]
    NotAllowed {
        /// What the server said.
        message: String,
    },
    /// The server does not take LOAD DATA LOCAL.
    #[error(
        "the server does not accept LOAD DATA LOCAL ({message}); set local_infile=ON on it: SET GLOBAL local_infile = 1"
    )]
    LocalInfileOff {
        /// What the server said.
        message: String,
    },
    /// The server has no room left.
    #[error("the database server's disk is full ({message}); free space there and load again")]
    DiskFull {
        /// What the server said.
        message: String,
    },
    /// The server takes no writes.
    #[error("the target takes no writes ({message}); load through the primary or the balancer")]
    ReadOnly {
        /// What the server said.
        message: String,
    },
    /// Another load holds the lock.
    #[error("another load into this database is under way; wait for it")]
    Busy,
    /// Other data of ours is there.
    #[error("the database already holds {there}, asked for is {asked}; ask for what is there, or replace it")]
    Different {
        /// What is there.
        there: Loaded,
        /// What was to be loaded.
        asked: Loaded,
    },
    /// A table of that name is there, and not from here.
    #[error(
        "the database has a table {table:?} that was not made by a load; name another database, or replace it"
    )]
    Foreign {
        /// The first such table.
        table: String,
    },
    /// The server did not take rows as they are.
    #[error("the server took {taken} of {sent} rows into {table}: {warning}")]
    Rejected {
        /// The table.
        table: &'static str,
        /// Rows sent in one statement.
        sent: u64,
        /// Rows that it says to have stored.
        taken: u64,
        /// The first warning.
        warning: String,
    },
    /// An answer did not come in time.
    #[error("no answer from the database within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The connection ended in the middle.
    #[error("the connection to the database was lost: {0}; load again")]
    Lost(String),
    /// Any other answer of the server.
    #[error("the database says: {message} (error {code})")]
    Server {
        /// The server's error number.
        code: u16,
        /// What it said.
        message: String,
    },
    /// A task of ours ended in a panic.
    #[error("loading broke off within this program: {0}")]
    Internal(String),
}

impl LoadError {
    /// What an error of a statement means.
    pub(super) fn of_statement(error: Error) -> Self {
        match error {
            Error::Server(error) => Self::of_server(error),
            Error::Driver(error @ DriverError::ConnectionClosed) => Self::Lost(error.to_string()),
            other => Self::Lost(other.to_string()),
        }
    }

    /// What an error while connecting means.
    pub(super) fn of_connecting(error: Error, user: &str, address: String) -> Self {
        match error {
            Error::Server(error) if matches!(error.code, 1045 | 1698) => {
                Self::AccessDenied { user: user.to_owned(), message: error.message }
            }
            Error::Server(error) => Self::of_server(error),
            Error::Io(mysql_async::IoError::Io(error)) => {
                Self::Unreachable { address, reason: error.to_string() }
            }
            other => Self::Unreachable { address, reason: other.to_string() },
        }
    }

    fn of_server(error: ServerError) -> Self {
        let ServerError { code, message, .. } = error;
        match code {
            1021 | 1114 => Self::DiskFull { message },
            _ if message.contains("rrcode: 28") || message.contains("No space left") => {
                Self::DiskFull { message }
            }
            1148 | 3948 | 3950 | 4166 => Self::LocalInfileOff { message },
            1290 | 1792 | 1836 => Self::ReadOnly { message },
            1044 | 1142 | 1227 => Self::NotAllowed { message },
            _ => Self::Server { code, message },
        }
    }
}
