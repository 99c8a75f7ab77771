//! The plain store: what its failures leave behind.

use std::time::Duration;

use bookstore::plain::Plain;
use bookstore::store::{FailureClass, Statement, Store};
use mysql_async::Value;
use mysql_async::prelude::Queryable;
use tokio::time::timeout;

use crate::server::Server;

static SLEEP: Statement = Statement { id: 0, name: "sleep", sql: "SELECT SLEEP(?)" };
static ECHO: Statement = Statement { id: 1, name: "echo", sql: "SELECT ?" };
static INSERT: Statement = Statement { id: 2, name: "insert", sql: "INSERT INTO numbers (name) VALUES (?)" };
static LOCK: Statement =
    Statement { id: 3, name: "lock", sql: "SELECT id FROM numbers WHERE id = ? FOR UPDATE" };

async fn store(server: &Server, database: &str, limit_ms: u64) -> Plain {
    Plain::new(server.connect(database).await, Duration::from_millis(limit_ms))
}

async fn numbers(server: &Server, database: &str) {
    server.run(&format!("CREATE DATABASE {database}")).await;
    let table = "id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(10) NOT NULL UNIQUE";
    server.run(&format!("CREATE TABLE {database}.numbers ({table})")).await;
}

#[tokio::test]
async fn a_refused_statement_leaves_the_connection_usable() {
    let server = Server::shared().await;
    numbers(server, "refusals").await;
    let mut store = store(server, "refusals", 10_000).await;
    let first = store.write(&INSERT, vec!["one".into()]).await.expect("inserted");
    assert_eq!((first.affected, first.last_insert_id), (1, 1));
    let error = store.write(&INSERT, vec!["one".into()]).await.expect_err("a duplicate");
    assert_eq!((error.class, error.code), (FailureClass::Refused, Some(1062)));
    let rows = store.rows(&ECHO, vec![7.into()]).await.expect("an answer");
    assert_eq!(rows[0].as_ref(0), Some(&Value::Int(7)));
}

#[tokio::test]
async fn transactions_keep_or_undo() {
    let server = Server::shared().await;
    numbers(server, "transactions").await;
    let mut store = store(server, "transactions", 10_000).await;
    for (name, keep) in [("kept", true), ("undone", false)] {
        store.begin().await.expect("begun");
        store.write(&INSERT, vec![name.into()]).await.expect("inserted");
        if keep { store.commit().await } else { store.rollback().await }.expect("ended");
    }
    let names: Vec<String> =
        server.connect("transactions").await.query("SELECT name FROM numbers").await.expect("rows");
    assert_eq!(names, ["kept"]);
}

#[tokio::test]
async fn a_row_that_stays_locked_has_its_class() {
    let server = Server::shared().await;
    numbers(server, "locks").await;
    let (mut holder, mut waiter) =
        (store(server, "locks", 10_000).await, store(server, "locks", 10_000).await);
    holder.write(&INSERT, vec!["one".into()]).await.expect("inserted");
    holder.begin().await.expect("begun");
    holder.rows(&LOCK, vec![1.into()]).await.expect("locked");
    let conn = waiter.conn().expect("a connection");
    conn.query_drop("SET SESSION innodb_lock_wait_timeout = 1").await.expect("set");
    let error = waiter.rows(&LOCK, vec![1.into()]).await.expect_err("locked by the other");
    assert_eq!(error.class, FailureClass::LockTimeout);
    assert!(error.class.connection_is_usable() && waiter.conn().is_some());
}

#[tokio::test]
async fn a_late_answer_is_never_taken_for_the_next_one() {
    let server = Server::shared().await;
    let mut late = store(server, "mysql", 50).await;
    let error = late.rows(&SLEEP, vec![1.into()]).await.expect_err("too late");
    assert_eq!(error.class, FailureClass::TimedOut);
    let next = late.rows(&ECHO, vec![7.into()]).await.expect_err("given up");
    assert_eq!(next.class, FailureClass::ConnectionLost);

    let mut dropped = store(server, "mysql", 10_000).await;
    timeout(Duration::from_millis(50), dropped.rows(&SLEEP, vec![1.into()]))
        .await
        .expect_err("dropped on the way");
    let next = dropped.rows(&ECHO, vec![7.into()]).await.expect_err("given up");
    assert_eq!(next.class, FailureClass::ConnectionLost);
}

#[tokio::test]
async fn a_connection_lost_at_commit_leaves_the_outcome_open() {
    let server = Server::shared().await;
    for (at_commit, class) in [(true, FailureClass::UnknownCommit), (false, FailureClass::ConnectionLost)] {
        let mut store = store(server, "mysql", 10_000).await;
        let id = store.conn().expect("a connection").id();
        store.begin().await.expect("begun");
        server.run(&format!("KILL {id}")).await;
        let error =
            if at_commit { store.commit().await } else { store.rollback().await }.expect_err("killed");
        assert_eq!(error.class, class);
        assert!(store.conn().is_none());
    }
}
