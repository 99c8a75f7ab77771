//! The database that is loaded: connections to it, and a limit of time on whatever is asked of it.

use std::future::Future;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use tokio::time::timeout;

use super::{LoadError, LoadOptions};
use crate::schema::DATABASE;

#[derive(Clone)]
pub(super) struct Target {
    opts: Opts,
    database: String,
    connect_limit: Duration,
    statement_limit: Duration,
    /// Load even if the same data is there.
    pub(super) anew: bool,
}

impl Target {
    pub(super) fn new(opts: Opts, options: &LoadOptions) -> Self {
        let database = opts.db_name().unwrap_or(DATABASE).to_owned();
        // The two figures spare a round trip a connection; without the third a client on the same machine would leave the
        // address it was given for the server's socket.
        let opts = OptsBuilder::from_opts(opts)
            .max_allowed_packet(Some(16 << 20))
            .wait_timeout(Some(28_800))
            .prefer_socket(false)
            .into();
        Self {
            opts,
            database,
            connect_limit: options.connect_limit,
            statement_limit: options.statement_limit,
            anew: false,
        }
    }

    pub(super) fn always_anew(self) -> Self {
        Self { anew: true, ..self }
    }

    /// A connection with the database made if it is missing.
    pub(super) async fn first_connection(&self) -> Result<Conn, LoadError> {
        let mut conn = self.connect_to(None).await?;
        let name = self.database.replace('`', "``");
        match self.run(&mut conn, &format!("USE `{name}`")).await {
            Err(LoadError::Server { code: 1049, .. }) => {
                let make = format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
                self.run(&mut conn, &make).await?;
                self.run(&mut conn, &format!("USE `{name}`")).await?;
            }
            other => other?,
        }
        self.prepare(&mut conn).await?;
        Ok(conn)
    }

    pub(super) async fn connection(&self) -> Result<Conn, LoadError> {
        let mut conn = self.connect_to(Some(self.database.clone())).await?;
        self.prepare(&mut conn).await?;
        Ok(conn)
    }

    async fn connect_to(&self, database: Option<String>) -> Result<Conn, LoadError> {
        let opts = OptsBuilder::from_opts(self.opts.clone()).db_name(database);
        let address = || format!("{}:{}", self.opts.ip_or_hostname(), self.opts.tcp_port());
        match timeout(self.connect_limit, Conn::new(opts)).await {
            Ok(Ok(conn)) => Ok(conn),
            Ok(Err(error)) => {
                Err(LoadError::of_connecting(error, self.opts.user().unwrap_or_default(), address()))
            }
            Err(_) => Err(LoadError::Unreachable {
                address: address(),
                reason: format!("no answer within {} s", self.connect_limit.as_secs()),
            }),
        }
    }

    async fn prepare(&self, conn: &mut Conn) -> Result<(), LoadError> {
        self.run(conn, "SET SESSION autocommit = 1, sql_mode = 'STRICT_ALL_TABLES'").await
    }

    /// Keeps other loads into this database out until the connection ends. The server may take a moment to notice that
    /// a load that broke off is gone.
    pub(super) async fn lock(&self, conn: &mut Conn) -> Result<(), LoadError> {
        let sql = "SELECT COALESCE(GET_LOCK(CONCAT('tpcw_load.', LEFT(DATABASE(), 50)), 2), 0)";
        let got: Option<u8> = self.limited(conn.query_first(sql)).await?;
        if got == Some(1) { Ok(()) } else { Err(LoadError::Busy) }
    }

    /// Ends a connection. Everything has been answered, so whether the farewell arrives does not matter.
    pub(super) async fn leave(&self, conn: Conn) {
        drop(timeout(Duration::from_secs(1), conn.disconnect()).await);
    }

    pub(super) async fn run(&self, conn: &mut Conn, sql: &str) -> Result<(), LoadError> {
        self.limited(conn.query_drop(sql)).await
    }

    /// Waits for an answer no longer than the limit. After an error the connection is given up by all callers.
    pub(super) async fn limited<T>(
        &self,
        answer: impl Future<Output = Result<T, mysql_async::Error>>,
    ) -> Result<T, LoadError> {
        match timeout(self.statement_limit, answer).await {
            Ok(result) => result.map_err(LoadError::of_statement),
            Err(_) => Err(LoadError::TimedOut(self.statement_limit)),
        }
    }
}
