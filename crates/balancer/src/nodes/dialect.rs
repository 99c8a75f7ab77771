//! What kind of server a node is.

use std::fmt;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

/// What kind of server a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// MariaDB.
    MariaDb,
    /// MySQL or a fork that keeps its version numbers, such as Percona's, with this version.
    MySql((u16, u16, u16)),
}

impl Dialect {
    /// Asks a server. MariaDB's versions name it: `10.11.19-MariaDB-log`.
    pub async fn of(conn: &mut Conn) -> Result<Self, Error> {
        let version: Option<String> = conn.query_first("SELECT VERSION()").await?;
        Ok(match version.is_some_and(|version| version.contains("MariaDB")) {
            true => Self::MariaDb,
            false => Self::MySql(conn.server_version()),
        })
    }

    pub fn is_mysql(self) -> bool {
        matches!(self, Self::MySql(_))
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MariaDb => f.write_str("MariaDB"),
            Self::MySql((major, minor, patch)) => write!(f, "MySQL {major}.{minor}.{patch}"),
        }
    }
}
