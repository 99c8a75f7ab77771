//! A simple [`Store`] over one connection, for tests and for work beside the measured load: it measures nothing.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Error, Params, Row, Value};
use tokio::time::timeout;

use crate::store::{FailureClass, Statement, Store, StoreError, Written};

/// One connection, with a limit of time on each statement. After an error that leaves the connection unusable it is
/// closed, and everything asked of it later fails as a lost connection.
#[derive(Debug)]
pub struct Plain {
    conn: Option<Conn>,
    limit: Duration,
}

impl Plain {
    /// Takes over a connection; no statement may take longer than `limit`. Give it a statement cache of at least the
    /// number of the shop's statements.
    pub fn new(conn: Conn, limit: Duration) -> Self {
        Self { conn: Some(conn), limit }
    }

    /// The connection, for statements that are not the shop's. `None` once it has been given up.
    pub fn conn(&mut self) -> Option<&mut Conn> {
        self.conn.as_mut()
    }

    /// The connection is out of its place while `work` is under way: if the future is dropped in between, it is closed
    /// and no later statement can take the answer to this one for its own.
    async fn limited<T>(
        &mut self,
        late: FailureClass,
        work: impl AsyncFnOnce(&mut Conn) -> Result<T, Error>,
    ) -> Result<T, StoreError> {
        let Some(mut conn) = self.conn.take() else {
            return Err(failure(
                FailureClass::ConnectionLost,
                "the connection was given up after an earlier failure",
            ));
        };
        let mut certain = false;
        let error = match timeout(self.limit, work(&mut conn)).await {
            Ok(Ok(value)) => {
                self.conn = Some(conn);
                return Ok(value);
            }
            Ok(Err(error)) => {
                certain = nothing_was_kept(&error);
                of_driver(error, FailureClass::ConnectionLost)
            }
            Err(_) => {
                failure(FailureClass::TimedOut, &format!("no answer within {} ms", self.limit.as_millis()))
            }
        };
        if error.class.connection_is_usable() {
            self.conn = Some(conn);
            return Err(error);
        }
        // COMMIT is the one statement whose loss leaves open what happened, unless the other side knows.
        let class = if late == FailureClass::UnknownCommit && !certain { late } else { error.class };
        Err(StoreError { class, ..error })
    }
}

impl Store for Plain {
    async fn rows(
        &mut self,
        statement: &'static Statement,
        params: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        self.limited(FailureClass::ConnectionLost, async |conn| {
            conn.exec(statement.sql, positional(params)).await
        })
        .await
    }

    async fn write(
        &mut self,
        statement: &'static Statement,
        params: Vec<Value>,
    ) -> Result<Written, StoreError> {
        let work = async |conn: &mut Conn| {
            let result = conn.exec_iter(statement.sql, positional(params)).await?;
            let written = Written {
                affected: result.affected_rows(),
                last_insert_id: result.last_insert_id().unwrap_or_default(),
            };
            result.drop_result().await?;
            Ok(written)
        };
        self.limited(FailureClass::ConnectionLost, work).await
    }

    async fn begin(&mut self) -> Result<(), StoreError> {
        self.limited(FailureClass::ConnectionLost, async |conn| conn.query_drop("START TRANSACTION").await)
            .await
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        self.limited(FailureClass::UnknownCommit, async |conn| conn.query_drop("COMMIT").await).await
    }

    async fn rollback(&mut self) -> Result<(), StoreError> {
        self.limited(FailureClass::ConnectionLost, async |conn| conn.query_drop("ROLLBACK").await).await
    }
}

fn positional(params: Vec<Value>) -> Params {
    if params.is_empty() { Params::Empty } else { Params::Positional(params) }
}

/// What an error of the driver means for the shop; a broken connection is a failure of the class `lost`.
pub fn of_driver(error: Error, lost: FailureClass) -> StoreError {
    match error {
        Error::Server(error) => {
            StoreError { class: of_code(error.code), code: Some(error.code), message: error.message }
        }
        Error::Driver(error @ (DriverError::FromRow { .. } | DriverError::FromValue { .. })) => {
            failure(FailureClass::Refused, &error.to_string())
        }
        other => failure(lost, &other.to_string()),
    }
}

/// The class of a server's error code. A server that is shutting down answers with one that ends the connection.
pub fn of_code(code: u16) -> FailureClass {
    match code {
        // 1020, ER_CHECKREAD: under snapshot isolation the row was changed by another since the transaction's snapshot.
        1213 | 1020 => FailureClass::Deadlock,
        1205 => FailureClass::LockTimeout,
        // The server's own limits on a statement's time.
        1969 | 3024 => FailureClass::TimedOut,
        // ER_OPTION_PREVENTS_STATEMENT, ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ER_READ_ONLY_MODE.
        1290 | 1792 | 1836 => FailureClass::ReadOnly,
        // ER_CON_COUNT_ERROR, ER_TOO_MANY_USER_CONNECTIONS.
        1040 | 1203 => FailureClass::ConnectionRefused,
        // Server shutdown, aborted and killed connections, network errors, and what clients make of them.
        1053 | 1077..=1079 | 1152 | 1158..=1161 | 1184 | 1927 | 2006 | 2013 => FailureClass::ConnectionLost,
        _ => FailureClass::Refused,
    }
}

/// Whether an error says for certain that nothing of the transaction was kept, even as the answer to COMMIT: it was rolled
/// back (1213, 1205, 1020), it met a node that takes no writes, or, 1927 with SQLSTATE 40001, a balancer in between lost the
/// node before it had passed COMMIT on. A plain 1927 is a connection that was killed, at whatever moment.
pub fn nothing_was_kept(error: &Error) -> bool {
    let Error::Server(server) = error else { return false };
    match of_code(server.code) {
        FailureClass::Deadlock | FailureClass::LockTimeout | FailureClass::ReadOnly => true,
        FailureClass::ConnectionLost => server.code == 1927 && server.state == "40001",
        _ => false,
    }
}

fn failure(class: FailureClass, message: &str) -> StoreError {
    StoreError { class, code: None, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_class() {
        for (code, class) in [
            (1213, FailureClass::Deadlock),
            (1020, FailureClass::Deadlock),
            (1836, FailureClass::ReadOnly),
            (1927, FailureClass::ConnectionLost),
            (1969, FailureClass::TimedOut),
            (1105, FailureClass::Refused),
            (1205, FailureClass::LockTimeout),
            (1290, FailureClass::ReadOnly),
            (1040, FailureClass::ConnectionRefused),
            (1053, FailureClass::ConnectionLost),
            (1062, FailureClass::Refused),
        ] {
            assert_eq!(of_code(code), class, "{code}");
        }
    }
}
