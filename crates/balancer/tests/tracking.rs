//! Clients that change what session changes they are told: they get what they ask for, and nobody else notices.

mod nodes;
mod raw;

use std::sync::atomic::Ordering::Relaxed;

use balancer::wire::capabilities::Capabilities;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use nodes::{Front, Node};
use raw::Raw;

/// One thread and one connection, so that everybody uses the same.
fn one_connection(server: &Node) -> Front {
    Front::start_with(&[server], |config| (config.workers, config.pool.max) = (1, 1))
}

async fn told(client: &mut Conn, sql: &str) -> String {
    client.query_first(sql).await.unwrap().unwrap()
}

/// A write of this client is known to the balancer, and so is what it sets.
async fn is_followed(server: &Node, client: &mut Conn, after: &str) {
    client.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
    let position = told(&mut server.root().await, "SELECT @@gtid_binlog_pos").await;
    assert_eq!(told(client, "SELECT @@tpcw_token").await, position, "after {after}");
    client.query_drop("SET lc_time_names = 'de_DE'").await.unwrap();
}

#[tokio::test]
async fn who_narrows_what_it_is_told_harms_nobody_who_comes_later() {
    let server = Node::start(1).await;
    let front = one_connection(&server);
    let mut other = front.client().await;
    other.query_drop("CREATE TABLE t (id INT)").await.unwrap();
    other
        .query_drop("CREATE PROCEDURE p() SET session_track_system_variables = 'autocommit', session_track_schema = 0")
        .await
        .unwrap();
    for sql in [
        "SET session_track_system_variables = 'auto_increment_increment'",
        "SET character_set_results = NULL, session_track_system_variables='', autocommit=1",
        "SET @@session.session_track_system_variables = 'autocommit', SESSION `session_track_schema` = OFF",
        "/* x */ set local session_track_schema=0",
        "SET session_track_system_variables = DEFAULT",
        "SET session_track_system_variables = CONCAT(@@session_track_system_variables, ',sql_mode')",
        "SET STATEMENT session_track_system_variables='' FOR INSERT INTO t VALUES (7)",
        "SET session_track_system_variables = 'no_such_variable'",
        "SET session_track_system_variables = '', no_such_variable = 1",
        "SET session_track_system_variables = '', sql_select_limit = -1",
        "SET session_track_system_variables = ''; SET time_zone = '+01:00'",
        "/*!50000 SET session_track_system_variables = '' */",
        "CALL p()",
        "SHOW VARIABLES",
    ] {
        for prepared in [false, true] {
            let mut one = front.client().await;
            // Some are refused, as by a server: then nothing may have changed.
            if prepared {
                let _ = one.exec_drop(sql, ()).await;
            } else {
                let _ = one.query_drop(sql).await;
            }
            one.reset().await.unwrap();
            is_followed(&server, &mut other, sql).await;
            one.query_drop("DO 1").await.unwrap();
            assert_eq!(told(&mut other, "SELECT @@lc_time_names").await, "de_DE", "after {sql}");
            other.query_drop("SET lc_time_names = 'en_US'").await.unwrap();
            one.disconnect().await.unwrap();
        }
    }
}

#[tokio::test]
async fn who_narrows_what_it_is_told_keeps_its_own_state_and_position() {
    let server = Node::start(1).await;
    let front = one_connection(&server);
    let (mut one, mut other) = (front.client().await, front.client().await);
    one.query_drop("CREATE TABLE t (id INT)").await.unwrap();
    // As Connector/J does at its login.
    one.query_drop(
        "SET character_set_results = NULL, autocommit=1, sql_mode='ANSI_QUOTES', wait_timeout=77,
         session_track_system_variables='auto_increment_increment', @mine = 5, session_track_schema=0",
    )
    .await
    .unwrap();
    assert_eq!(front.view.load().nodes[0].meter.pinned.load(Relaxed), 0, "it pins nobody");
    for _ in 0..2 {
        other.query_drop("USE information_schema").await.unwrap();
        let sql = "SELECT CONCAT_WS(' ', @@sql_mode, @@wait_timeout, @mine, IFNULL(@@character_set_results, 'none'), DATABASE())";
        assert_eq!(told(&mut one, sql).await, "ANSI_QUOTES 77 5 none tpcw");
        is_followed(&server, &mut one, "its own").await;
        one.query_drop("USE information_schema").await.unwrap();
        other.query_drop("SELECT 1").await.unwrap();
        assert_eq!(told(&mut one, "SELECT DATABASE()").await, "information_schema");
        one.query_drop("USE tpcw").await.unwrap();
    }
    // What a procedure does without being told is asked for before the session forgets it.
    one.query_drop("CREATE PROCEDURE p() SET session_track_system_variables = ''").await.unwrap();
    one.query_drop("CALL p()").await.unwrap();
    one.query_drop("INSERT INTO t VALUES (2)").await.unwrap();
    one.reset().await.unwrap();
    let position = told(&mut server.root().await, "SELECT @@gtid_binlog_pos").await;
    assert_eq!(told(&mut one, "SELECT @@tpcw_token").await, position);
}

#[tokio::test]
async fn clients_see_and_are_told_what_one_server_would() {
    let server = Node::start(1).await;
    let front = one_connection(&server);
    let mut other = front.client().await;
    let tracks = Capabilities::SESSION_TRACK.or(Capabilities::DEPRECATE_EOF);
    let mut direct = Raw::connect(server.address(), tracks).await;
    let mut through = Raw::connect(front.plane.address, tracks).await;
    for sql in [
        "SET time_zone = '+01:00', sql_mode = ''",
        "SELECT @@session_track_system_variables, @@session_track_schema, @@session_track_state_change",
        "USE information_schema",
        "SET session_track_system_variables = 'sql_mode,session_track_system_variables'",
        "SELECT @@session.session_track_system_variables",
        "SHOW VARIABLES LIKE 'session\\_track%'",
        "SHOW SESSION VARIABLES LIKE 's%schema'",
        "SET time_zone = '+02:00', sql_mode = 'ANSI'",
        "SET session_track_schema = OFF",
        "USE tpcw",
        "SELECT DATABASE(), @@session_track_schema",
        "SET session_track_system_variables = CONCAT(@@session_track_system_variables, ',lc_time_names')",
        "SET lc_time_names = 'de_DE'",
        "SET session_track_state_change = ON",
        "SET sql_mode = ''",
        "SELECT @@session_track_state_change",
        "SET session_track_state_change = OFF, session_track_transaction_info = 'STATE'",
        "BEGIN",
        "SELECT 1",
        "COMMIT",
        "SET session_track_transaction_info = DEFAULT, session_track_system_variables = DEFAULT",
        "SELECT @@session_track_system_variables, @@session_track_transaction_info",
        "SET time_zone = '+03:00', sql_mode = 'ANSI'",
    ] {
        // Within the transaction the only connection is not to be had.
        if !matches!(sql, "SELECT 1" | "COMMIT") {
            other.query_drop("SET sql_mode = 'TRADITIONAL'").await.unwrap();
        }
        let mut answers = Vec::new();
        for raw in [&mut direct, &mut through] {
            answers.push(String::from_utf8_lossy(&raw.query(sql).await).into_owned());
        }
        assert_eq!(answers[0], answers[1], "{sql}");
    }
}

/// One command as a frame of the compressed protocol that is not packed.
fn frame(sequence: u8, packet_sequence: u8, payload: &[u8]) -> Vec<u8> {
    let length = |length: usize| (length as u32).to_le_bytes();
    let mut frame = length(payload.len() + 4)[..3].to_vec();
    frame.extend_from_slice(&[sequence, 0, 0, 0]);
    frame.extend_from_slice(&length(payload.len())[..3]);
    frame.push(packet_sequence);
    frame.extend_from_slice(payload);
    frame
}

#[tokio::test]
async fn under_compression_frames_are_counted_and_packets_are_not() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = Node::start(1).await;
    let front = one_connection(&server);
    for address in [server.address(), front.plane.address] {
        let mut raw = Raw::connect(address, Capabilities::COMPRESS).await;
        for packet_sequence in [0, 1, 77] {
            raw.stream.write_all(&frame(0, packet_sequence, b"\x03DO 1")).await.unwrap();
            let mut answer = [0; 7 + 4 + 7];
            raw.stream.read_exact(&mut answer).await.unwrap();
            assert_eq!((answer[3], answer[10], answer[11]), (1, 1, 0), "frame, packet, OK");
        }
        raw.stream.write_all(&frame(5, 0, b"\x03DO 1")).await.unwrap();
        let mut rest = Vec::new();
        let _ = raw.stream.read_to_end(&mut rest).await;
        assert!(rest.is_empty() || rest[11] == 0xFF, "a frame out of turn ends the session: {rest:?}");
    }
}
