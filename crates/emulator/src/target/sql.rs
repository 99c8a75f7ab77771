//! A database as the target: each browser has a connection of its own, and each statement a limit of time.

use std::future::Future;
use std::time::Duration;

use bookstore::plain::{nothing_was_kept, of_code};
use bookstore::store::{FailureClass, Statement, Store, StoreError, Written};
use bookstore::{Page, Request, Visit};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row, Value};
use tokio::time::{Instant, timeout};

use super::deadline::{Deadline, Late};
use super::undertaker::Undertaker;
use super::{Answered, Link, StatementKind, Target};

/// Prepared statements kept by a connection: more than the shop has, so that none is ever prepared twice.
const STATEMENTS_KEPT: usize = 256;
/// Given, because a client that is not told asks the server in an extra round trip.
const MAX_PACKET: usize = 16 << 20;
/// As above; the server's own default, in seconds.
const WAIT_TIMEOUT: usize = 28_800;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// A database behind one address.
#[derive(Clone, Debug)]
pub struct SqlTarget {
    opts: Opts,
    connect_timeout: Duration,
    statement_timeout: Duration,
    undertaker: Undertaker,
}

impl SqlTarget {
    /// A target at the address of `opts`, over TCP in any case.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new(opts: &Opts, connect_timeout: Duration, statement_timeout: Duration) -> std::io::Result<Self> {
        let undertaker = Undertaker::start()?;
        Ok(Self { opts: over_tcp(opts), connect_timeout, statement_timeout, undertaker })
    }
}

/// The same address and account with the settings that measuring needs. By default the client would leave a loopback
/// address for the server's socket, and so measure one node behind a balancer directly.
pub(crate) fn over_tcp(opts: &Opts) -> Opts {
    OptsBuilder::from_opts(opts.clone())
        .prefer_socket(false)
        .tcp_nodelay(true)
        .stmt_cache_size(STATEMENTS_KEPT)
        .max_allowed_packet(Some(MAX_PACKET))
        .wait_timeout(Some(WAIT_TIMEOUT))
        .into()
}

impl Target for SqlTarget {
    type Link = SqlLink;

    async fn connect(&self) -> Result<SqlLink, StoreError> {
        match timeout(self.connect_timeout, Conn::new(self.opts.clone())).await {
            Ok(Ok(conn)) => Ok(SqlLink::new(conn, self.statement_timeout, self.undertaker.clone())),
            Ok(Err(error)) => Err(connect_error(&error)),
            Err(_) => Err(StoreError {
                class: FailureClass::TimedOut,
                code: None,
                message: format!("no connection within {:?}", self.connect_timeout),
            }),
        }
    }
}

/// A connection that poisons itself: after a time-out, a lost connection or a dropped future it is never used again.
#[derive(Debug)]
pub struct SqlLink {
    /// `None` once it was given away.
    conn: Option<Conn>,
    /// By the statement's id.
    prepared: Vec<Option<mysql_async::Statement>>,
    answered: Vec<Answered>,
    deadline: Deadline,
    in_transaction: bool,
    /// True while a statement is under way, and for ever once one was not answered.
    spoilt: bool,
    undertaker: Undertaker,
}

impl SqlLink {
    fn new(conn: Conn, limit: Duration, undertaker: Undertaker) -> Self {
        Self {
            conn: Some(conn),
            prepared: Vec::new(),
            answered: Vec::with_capacity(16),
            deadline: Deadline::new(limit),
            in_transaction: false,
            spoilt: false,
            undertaker,
        }
    }

    /// Runs one exchange with the server: timed, limited, and spoiling the link unless it ends cleanly. `meaning` tells what a
    /// failure means.
    async fn exchange<'a, T, F>(
        &'a mut self,
        kind: StatementKind,
        meaning: fn(Failed) -> StoreError,
        work: impl FnOnce(&'a mut Conn, &'a mut Vec<Option<mysql_async::Statement>>) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, mysql_async::Error>> + Send + 'a,
    {
        let Self { conn, prepared, answered, deadline, spoilt, .. } = self;
        let conn = match conn {
            Some(conn) if !*spoilt => conn,
            _ => return Err(lost("the connection is not to be used any more".into())),
        };
        *spoilt = true;
        let begun = Instant::now();
        let failed = match deadline.within(begun, work(conn, prepared)).await {
            Ok(Ok(value)) => {
                *spoilt = false;
                answered.push(Answered { kind, took: begun.elapsed() });
                return Ok(value);
            }
            Ok(Err(error)) => Failed::Said(error),
            Err(Late) => Failed::Late(deadline.limit()),
        };
        let error = meaning(failed);
        *spoilt = !error.class.connection_is_usable();
        Err(error)
    }

    fn kind_of_read(&self) -> StatementKind {
        if self.in_transaction { StatementKind::Inside } else { StatementKind::Read }
    }

    fn kind_of_write(&self) -> StatementKind {
        if self.in_transaction { StatementKind::Inside } else { StatementKind::Durable }
    }
}

/// The prepared form of a statement, prepared at its first use on this connection.
async fn prepared_form(
    conn: &mut Conn,
    prepared: &mut Vec<Option<mysql_async::Statement>>,
    statement: &'static Statement,
) -> Result<mysql_async::Statement, mysql_async::Error> {
    if prepared.len() <= statement.id {
        prepared.resize(statement.id + 1, None);
    }
    if let Some(form) = &prepared[statement.id] {
        return Ok(form.clone());
    }
    let form = conn.prep(statement.sql).await?;
    prepared[statement.id] = Some(form.clone());
    Ok(form)
}

impl Store for SqlLink {
    async fn rows(
        &mut self,
        statement: &'static Statement,
        params: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let kind = self.kind_of_read();
        self.exchange(kind, statement_failed, async |conn, prepared| {
            let form = prepared_form(conn, prepared, statement).await?;
            conn.exec_iter(form, params).await?.collect_and_drop().await
        })
        .await
    }

    async fn write(
        &mut self,
        statement: &'static Statement,
        params: Vec<Value>,
    ) -> Result<Written, StoreError> {
        let kind = self.kind_of_write();
        self.exchange(kind, statement_failed, async |conn, prepared| {
            let form = prepared_form(conn, prepared, statement).await?;
            conn.exec_drop(form, params).await?;
            Ok(Written {
                affected: conn.affected_rows(),
                last_insert_id: conn.last_insert_id().unwrap_or_default(),
            })
        })
        .await
    }

    async fn begin(&mut self) -> Result<(), StoreError> {
        self.exchange(StatementKind::Inside, statement_failed, async |conn, _| {
            conn.query_drop("START TRANSACTION").await
        })
        .await?;
        self.in_transaction = true;
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        self.in_transaction = false;
        self.exchange(StatementKind::Durable, commit_failed, async |conn, _| conn.query_drop("COMMIT").await)
            .await
    }

    async fn rollback(&mut self) -> Result<(), StoreError> {
        self.in_transaction = false;
        self.exchange(StatementKind::Inside, statement_failed, async |conn, _| {
            conn.query_drop("ROLLBACK").await
        })
        .await
    }
}

impl Link for SqlLink {
    async fn ask(&mut self, request: &Request, visit: &mut Visit) -> Result<Page, StoreError> {
        bookstore::perform(request, self, visit).await
    }

    fn usable(&self) -> bool {
        // A transaction that a page left open must not leak into the next page.
        !self.spoilt && !self.in_transaction
    }

    fn answered(&mut self) -> &mut Vec<Answered> {
        &mut self.answered
    }

    async fn close(mut self) {
        if self.spoilt {
            return;
        }
        if let Some(conn) = self.conn.take() {
            // A goodbye that fails or takes too long changes nothing.
            let _ = timeout(GOODBYE, conn.disconnect()).await;
        }
    }
}

impl Drop for SqlLink {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.undertaker.bury(conn);
        }
    }
}

/// How an exchange that was begun ended badly.
enum Failed {
    /// With an error, of the server or of the connection.
    Said(mysql_async::Error),
    /// With nothing, for so long.
    Late(Duration),
}

fn lost(message: String) -> StoreError {
    StoreError { class: FailureClass::ConnectionLost, code: None, message }
}

fn statement_failed(failed: Failed) -> StoreError {
    match failed {
        Failed::Said(error) => statement_error(&error),
        Failed::Late(limit) => StoreError {
            class: FailureClass::TimedOut,
            code: None,
            message: format!("no answer within {limit:?}"),
        },
    }
}

/// What a failed COMMIT means: a server that says the transaction was rolled back or never began to write is believed, and so
/// is a balancer that says nothing of it was kept; with every other answer, and with none, nobody can know.
fn commit_failed(failed: Failed) -> StoreError {
    let certain = match &failed {
        Failed::Said(error) => nothing_was_kept(error),
        Failed::Late(_) => false,
    };
    let error = statement_failed(failed);
    if certain { error } else { StoreError { class: FailureClass::UnknownCommit, ..error } }
}

fn connect_error(error: &mysql_async::Error) -> StoreError {
    let code = match error {
        mysql_async::Error::Server(server) => Some(server.code),
        _ => None,
    };
    StoreError { class: FailureClass::ConnectionRefused, code, message: error.to_string() }
}

fn statement_error(error: &mysql_async::Error) -> StoreError {
    match error {
        mysql_async::Error::Server(server) => StoreError {
            class: of_code(server.code),
            code: Some(server.code),
            message: format!("{} ({})", server.message, server.state),
        },
        mysql_async::Error::Url(_) | mysql_async::Error::Other(_) => StoreError::refused(error.to_string()),
        mysql_async::Error::Io(_) | mysql_async::Error::Driver(_) => lost(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: u16, state: &str) -> mysql_async::Error {
        let (message, state) = ("no".to_owned(), state.to_owned());
        mysql_async::Error::Server(mysql_async::ServerError { code, message, state })
    }

    #[test]
    fn a_failed_commit_is_unknown_unless_the_server_says_otherwise() {
        for (code, state, class) in [
            (1213, "40001", FailureClass::Deadlock),
            (1205, "HY000", FailureClass::LockTimeout),
            (1020, "HY000", FailureClass::Deadlock),
            (1290, "HY000", FailureClass::ReadOnly),
            (1927, "40001", FailureClass::ConnectionLost),
            (1927, "70100", FailureClass::UnknownCommit),
            (2013, "HY000", FailureClass::UnknownCommit),
            (1053, "08S01", FailureClass::UnknownCommit),
            (1105, "HY000", FailureClass::UnknownCommit),
        ] {
            assert_eq!(commit_failed(Failed::Said(said(code, state))).class, class, "{code} ({state})");
        }
        let broken = mysql_async::Error::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        for failed in [Failed::Said(broken), Failed::Late(Duration::from_secs(1))] {
            assert_eq!(commit_failed(failed).class, FailureClass::UnknownCommit);
        }
    }

    #[test]
    fn a_lost_statement_before_commit_is_a_lost_connection_whatever_was_kept() {
        for state in ["40001", "70100"] {
            let error = statement_failed(Failed::Said(said(1927, state)));
            assert_eq!(error.class, FailureClass::ConnectionLost);
            assert!(!error.class.connection_is_usable());
        }
    }

    #[test]
    fn loopback_addresses_stay_on_tcp_and_connecting_asks_nothing() {
        let given = Opts::from_url("mysql://shop:secret@127.0.0.1:3306/tpcw").expect("an address");
        let opts = over_tcp(&given);
        assert!(!opts.prefer_socket());
        assert!(opts.stmt_cache_size() >= 128);
        assert!(opts.max_allowed_packet().is_some() && opts.wait_timeout().is_some());
        assert_eq!((opts.user(), opts.pass(), opts.db_name()), (Some("shop"), Some("secret"), Some("tpcw")));
    }
}
