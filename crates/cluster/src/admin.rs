//! A short-lived admin connection with a limit on every statement.
//!
//! A connection that ran into its limit, or whose future was dropped in mid-statement, is thrown away: its next answer
//! would belong to the previous question.

use std::net::SocketAddr;
use std::time::Duration;

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, DriverError, Error, Opts, OptsBuilder, Row};
use tokio::time::timeout;

use crate::account::Account;

/// A failure on an admin connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// Nobody listens, or the login was refused. Safe to try again.
    #[error("{address}: cannot log in as `{user}`: {reason}")]
    Connect {
        /// The node.
        address: SocketAddr,
        /// The account.
        user: String,
        /// What the system or the server said.
        reason: String,
    },
    /// No answer in time; whether the statement took effect is unknown.
    #[error("{address}: no answer to {what} within {limit:?}")]
    TimedOut {
        /// The node.
        address: SocketAddr,
        /// The statement, or `login`; never with a password in it.
        what: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The server said no.
    #[error("{address}: {what}: error {code}: {message}")]
    Server {
        /// The node.
        address: SocketAddr,
        /// What was asked.
        what: &'static str,
        /// The server's error code.
        code: u16,
        /// The server's words.
        message: String,
    },
    /// The connection broke; whether the statement took effect is unknown.
    #[error("{address}: connection lost in {what}: {reason}")]
    Lost {
        /// The node.
        address: SocketAddr,
        /// What was asked.
        what: &'static str,
        /// What broke.
        reason: String,
    },
    /// The server answered something that cannot be understood.
    #[error("{address}: {what} answered with something unexpected: {answer}")]
    Unexpected {
        /// The node.
        address: SocketAddr,
        /// What was asked.
        what: &'static str,
        /// What came.
        answer: String,
    },
}

impl AdminError {
    /// The server's error code, where it gave one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Server { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// One admin connection.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    account: Account,
    limit: Duration,
    /// `None` once it must not be used again.
    conn: Option<Conn>,
}

impl Admin {
    /// Logs in. `limit` bounds the login and, from then on, every statement.
    pub async fn connect(
        address: SocketAddr,
        account: &Account,
        limit: Duration,
    ) -> Result<Self, AdminError> {
        let conn = match timeout(limit, log_in(address, account)).await {
            Err(_) => return Err(AdminError::TimedOut { address, what: "login", limit }),
            Ok(Err(reason)) => {
                let (user, reason) = (account.user.clone(), reason.to_string());
                return Err(AdminError::Connect { address, user, reason });
            }
            Ok(Ok(conn)) => conn,
        };
        Ok(Self { address, account: account.clone(), limit, conn: Some(conn) })
    }

    /// A second connection to the same node with the same account and limit.
    pub async fn another(&self) -> Result<Self, AdminError> {
        Self::connect(self.address, &self.account, self.limit).await
    }

    /// The node.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The limit of each statement.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Changes the limit of the statements to come.
    pub fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// Whether the connection can still be used.
    pub fn is_usable(&self) -> bool {
        self.conn.is_some()
    }

    /// The number of this connection on the server.
    pub fn connection_id(&self) -> Option<u32> {
        self.conn.as_ref().map(Conn::id)
    }

    /// The server's version, (0, 0, 0) when the connection is gone.
    pub fn server_version(&self) -> (u16, u16, u16) {
        self.conn.as_ref().map_or((0, 0, 0), Conn::server_version)
    }

    /// Runs a statement whose rows do not matter.
    pub async fn run(&mut self, sql: &'static str) -> Result<(), AdminError> {
        self.run_text(sql, sql).await
    }

    /// Runs a statement made at run time; `what` stands for it in errors, so that passwords stay out of them.
    pub async fn run_text(&mut self, what: &'static str, sql: &str) -> Result<(), AdminError> {
        self.ask(what, sql).await.map(drop)
    }

    /// All rows of a statement.
    pub async fn rows<T>(&mut self, sql: &'static str) -> Result<Vec<T>, AdminError>
    where
        T: FromRow + Send + 'static,
    {
        self.rows_text(sql, sql).await
    }

    /// All rows of a statement made at run time.
    pub async fn rows_text<T>(&mut self, what: &'static str, sql: &str) -> Result<Vec<T>, AdminError>
    where
        T: FromRow + Send + 'static,
    {
        let rows = self.ask(what, sql).await?;
        let address = self.address;
        rows.into_iter()
            .map(|row| {
                T::from_row_opt(row).map_err(|e| AdminError::Unexpected {
                    address,
                    what,
                    answer: e.to_string(),
                })
            })
            .collect()
    }

    /// The first row of a statement.
    pub async fn first<T>(&mut self, sql: &'static str) -> Result<Option<T>, AdminError>
    where
        T: FromRow + Send + 'static,
    {
        Ok(self.rows(sql).await?.into_iter().next())
    }

    /// Says goodbye; a connection that is merely dropped is closed as well, later.
    pub async fn close(mut self) {
        if let Some(conn) = self.conn.take() {
            // A server that does not answer a goodbye has nothing more to tell us.
            let _ = timeout(self.limit, conn.disconnect()).await;
        }
    }

    /// One statement. The connection is taken out for its duration and only comes back with an answer.
    async fn ask(&mut self, what: &'static str, sql: &str) -> Result<Vec<Row>, AdminError> {
        let (address, limit) = (self.address, self.limit);
        let lost = |reason: String| AdminError::Lost { address, what, reason };
        let mut conn =
            self.conn.take().ok_or_else(|| lost("given up after an earlier failure".to_owned()))?;
        match timeout(limit, conn.query::<Row, _>(sql)).await {
            Err(_) => Err(AdminError::TimedOut { address, what, limit }),
            Ok(Ok(rows)) => {
                self.conn = Some(conn);
                Ok(rows)
            }
            Ok(Err(mysql_async::Error::Server(e))) => {
                self.conn = Some(conn);
                Err(AdminError::Server { address, what, code: e.code, message: e.message })
            }
            Ok(Err(e)) => Err(lost(e.to_string())),
        }
    }
}

/// Settings of an admin connection: always TCP, no extra round trips at login.
/// A new connection, encrypted as the account asks for it.
pub async fn log_in(address: SocketAddr, account: &Account) -> Result<Conn, Error> {
    match Conn::new(options(address, account)).await {
        Err(Error::Driver(DriverError::NoClientSslFlagFromServer)) if !is_required(account) => {
            Conn::new(options(address, &account.clone().encrypted(None))).await
        }
        other => other,
    }
}

fn is_required(account: &Account) -> bool {
    account.encryption.as_ref().is_some_and(|encryption| encryption.required)
}

fn options(address: SocketAddr, account: &Account) -> Opts {
    OptsBuilder::default()
        .ssl_opts(account.encryption.as_ref().map(|encryption| encryption.options.clone()))
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some(account.user.clone()))
        .pass(Some(account.password.expose()))
        .prefer_socket(false)
        .max_allowed_packet(Some(16 << 20))
        .wait_timeout(Some(3600))
        .stmt_cache_size(Some(0))
        .into()
}
