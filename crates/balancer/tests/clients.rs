//! Clients that are other than expected: the command line client, hostile ones, many at once.

mod nodes;

use std::io::Write;
use std::process::Stdio;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures_util::StreamExt;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use nodes::{Front, Node, opts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What the `mariadb` program prints for a script.
fn command_line(port: u16, script: &str) -> String {
    let mut child = nodes::command_line_client()
        .args([
            "--no-defaults",
            "-h127.0.0.1",
            "--protocol=tcp",
            "-ushop",
            "-psecret",
            "--local-infile=1",
            "-vvv",
            "--force",
        ])
        .arg(format!("-P{port}"))
        .arg("tpcw")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the mariadb client is installed");
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    // Times differ.
    let untimed = |line: &str| match line.rsplit_once(" (") {
        Some((told, time)) if time.ends_with(" sec)") => told.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(untimed).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_command_line_client_sees_what_it_sees_directly() {
    let server = Node::start(1).await;
    let front = Front::start(&[&server]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows");
    let rows: String = (0..50_000).map(|n| format!("{n}\trow {n} {}\n", "x".repeat(n % 40))).collect();
    std::fs::write(&file, rows).unwrap();
    let script = format!(
        "CREATE TABLE l (id INT, s VARCHAR(99));
         LOAD DATA LOCAL INFILE '{}' INTO TABLE l;
         SHOW WARNINGS;
         SELECT COUNT(*), SUM(id), SUM(LENGTH(s)) FROM l;
         LOAD DATA LOCAL INFILE '/nowhere/at/all' INTO TABLE l;
         SELECT id FROM l ORDER BY id LIMIT 3;
         INSERT INTO l VALUES ('seven', 'x');
         DELIMITER //
         BEGIN NOT ATOMIC SELECT 1; SELECT 2; END//
         DELIMITER ;
         PREPARE s FROM 'SELECT ? + 1'; SET @a = 4; EXECUTE s USING @a;
         USE nowhere;
         STATUS_IS_NOTHING;
         DROP TABLE l;",
        file.display()
    );
    let direct = command_line(server.port, &script);
    let through = command_line(front.port(), &script);
    assert!(direct.contains("50000") && direct.contains("Access denied"), "{direct}");
    assert_eq!(through, direct);
}

#[tokio::test]
async fn strangers_are_refused_with_the_servers_codes() {
    let server = Node::start(1).await;
    let front = Front::start_with(&[&server], |config| {
        config.limits.clients = 3;
        config.limits.packet_bytes = 100_000;
        config.limits.login_ms = 300;
    });
    let code = |result: Result<Conn, mysql_async::Error>| match result {
        Err(mysql_async::Error::Server(error)) => error.code,
        other => panic!("{:?}", other.map(|_| "a connection")),
    };
    assert_eq!(code(Conn::new(opts(front.port(), "shop", "wrong")).await), 1045);
    assert_eq!(code(Conn::new(opts(front.port(), "nobody", "")).await), 1045);
    assert_eq!(code(Conn::new(opts(front.port(), "shop", "secret").db_name(Some("nowhere"))).await), 1044);
    let mut kept = Vec::new();
    for _ in 0..3 {
        kept.push(front.client().await);
    }
    assert_eq!(code(Conn::new(front.shop()).await), 1040);
    let long = format!("SELECT '{}'", "x".repeat(200_000));
    let error = kept[0].query_drop(&long).await.unwrap_err();
    assert!(matches!(&error, mysql_async::Error::Server(error) if error.code == 1153), "{error}");
    kept.remove(0);
    // A client that says nothing is cut at the login's limit.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut silent = TcpStream::connect(front.plane.address).await.unwrap();
    let mut all = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), silent.read_to_end(&mut all)).await.expect("cut").unwrap();
    assert_eq!(all[4], 10, "a greeting and nothing more");
    for (sql, expected) in [("KILL 5", 1094), ("SELECT nothing", 1054)] {
        let error = kept[0].query_drop(sql).await.unwrap_err();
        assert!(matches!(&error, mysql_async::Error::Server(error) if error.code == expected), "{error}");
    }
    kept[0].ping().await.unwrap();
    kept[0].reset().await.unwrap();
    let schema: Option<Option<String>> = kept[0].query_first("SELECT DATABASE()").await.unwrap();
    assert_eq!(
        schema.unwrap().as_deref(),
        Some("tpcw"),
        "COM_RESET_CONNECTION keeps the schema, as servers do"
    );
}

#[tokio::test]
async fn garbage_harms_nobody_else() {
    let server = Node::start(1).await;
    let front = Front::start(&[&server]);
    let mut good = front.client().await;
    let mut seed = 5u64;
    let mut next = || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize
    };
    for round in 0..200 {
        let mut bad = TcpStream::connect(front.plane.address).await.unwrap();
        let length = next() % 120;
        let mut bytes: Vec<u8> = (0..length).map(|_| next() as u8).collect();
        if round % 2 == 0 && length > 4 {
            // A header that fits, so that the inside is looked at.
            bytes[..4].copy_from_slice(&[(length - 4) as u8, 0, 0, 1]);
        }
        bad.write_all(&bytes).await.unwrap();
        if round % 3 == 0 {
            let mut some = [0; 64];
            let _ = tokio::time::timeout(Duration::from_millis(5), bad.read(&mut some)).await;
        }
    }
    let answer: i64 = good.query_first("SELECT 41 + 1").await.unwrap().unwrap();
    assert_eq!(answer, 42);
    tokio::time::timeout(Duration::from_secs(5), async {
        while front.plane.clients() > 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the bad ones are gone");
}

#[tokio::test]
async fn every_answer_belongs_to_its_question_with_few_connections() {
    let (n1, n2) = tokio::join!(Node::start(1), Node::start(2));
    let front = Front::start_with(&[&n1, &n2], |config| config.pool.max = 4);
    let mut clients = Vec::new();
    for client in 0..24i64 {
        let mut conn = front.client().await;
        clients.push(tokio::spawn(async move {
            for round in 0..60i64 {
                let token = client * 1000 + round;
                match (client + round) % 5 {
                    0 => {
                        let got: i64 = conn.exec_first("SELECT ?", (token,)).await.unwrap().unwrap();
                        assert_eq!(got, token);
                    }
                    1 => {
                        conn.query_drop(format!("SET time_zone = '+0{}:00'", client % 9)).await.unwrap();
                        let got: String = conn.query_first("SELECT @@time_zone").await.unwrap().unwrap();
                        assert_eq!(got, format!("+0{}:00", client % 9));
                    }
                    2 => {
                        conn.query_drop("BEGIN").await.unwrap();
                        let got: i64 = conn.query_first(format!("SELECT {token}")).await.unwrap().unwrap();
                        assert_eq!(got, token);
                        conn.query_drop("ROLLBACK").await.unwrap();
                    }
                    3 => {
                        // Given up in mid-answer: the connection to the node must not be used again by others.
                        let query = conn.query_drop("SELECT SLEEP(0.05), 'late'");
                        if client % 4 == 0
                            && tokio::time::timeout(Duration::from_millis(5), query).await.is_err()
                        {
                            return;
                        }
                    }
                    _ => {
                        let got: String = conn
                            .query_first(format!("SELECT REPEAT('{}', 3000)", token % 10))
                            .await
                            .unwrap()
                            .unwrap();
                        assert_eq!(got, (token % 10).to_string().repeat(3000));
                    }
                }
            }
        }));
    }
    for client in clients {
        client.await.expect("all answers right");
    }
    for node in &front.view.load().nodes {
        // The last answers leave before the balancer has put their connections away.
        let (in_flight, connections) = (&node.meter.in_flight, &node.meter.connections);
        tokio::time::timeout(Duration::from_secs(5), async {
            while in_flight.load(Relaxed) > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .expect("nothing is under way");
        assert!(connections.load(Relaxed) <= 4, "{}", connections.load(Relaxed));
    }
}

#[tokio::test]
async fn files_are_loaded_through_the_balancer() {
    let server = Node::start(1).await;
    let front = Front::start(&[&server]);
    let mut client = front.client().await;
    client.query_drop("CREATE TABLE l (id INT, s VARCHAR(99))").await.unwrap();
    for round in 1..=2 {
        let chunks = (0..100).map(|chunk| {
            let rows: String = (0..100).map(|row| format!("{}\tx\n", chunk * 100 + row)).collect();
            Ok(bytes::Bytes::from(rows))
        });
        let stream = futures_util::stream::iter(chunks.collect::<Vec<std::io::Result<_>>>());
        client.set_infile_handler(async move { Ok(stream.boxed()) });
        client.query_drop("LOAD DATA LOCAL INFILE 'rows' INTO TABLE l").await.unwrap();
        assert_eq!(client.affected_rows(), 10_000);
        let count: i64 = client.query_first("SELECT COUNT(*) FROM l").await.unwrap().unwrap();
        assert_eq!(count, 10_000 * round);
    }
}

#[tokio::test]
async fn a_client_that_sets_wait_timeout_is_held_to_it() {
    let server = Node::start(1).await;
    let front = Front::start(&[&server]);
    let (mut hasty, mut patient) = (front.client().await, front.client().await);
    hasty.query_drop("SET wait_timeout = 1").await.unwrap();
    tokio::time::timeout(Duration::from_secs(60), async {
        while front.plane.clients() > 1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("the idle client is sent away");
    assert!(hasty.query_drop("SELECT 1").await.is_err());
    patient.query_drop("SELECT 1").await.unwrap();
}

/// Code of the error, or the values of the first row.
async fn outcome(client: &mut Conn, sql: &str) -> String {
    match client.query::<mysql_async::Row, _>(sql).await {
        Ok(rows) => rows.into_iter().next().map_or("done".to_owned(), |row| format!("{:?}", row.unwrap())),
        Err(mysql_async::Error::Server(error)) => error.code.to_string(),
        Err(error) => panic!("{sql}: {error}"),
    }
}

/// The server lets a session go on whose default schema somebody has dropped.
#[tokio::test]
async fn a_session_goes_on_when_its_schema_is_dropped() {
    let server = Node::start(1).await;
    let front = Front::start(&[&server]);
    let mut root = server.root().await;
    let mut told = Vec::new();
    for port in [server.port, front.port()] {
        root.query_drop("CREATE DATABASE gone").await.unwrap();
        let mut client = Conn::new(nodes::opts(port, "root", "").db_name(Some("gone"))).await.unwrap();
        let mut other = Conn::new(nodes::opts(port, "root", "")).await.unwrap();
        root.query_drop("DROP DATABASE gone").await.unwrap();
        let mut told_here = Vec::new();
        for sql in [
            "SELECT 1",
            "USE nowhere",
            "SHOW TABLES FROM tpcw",
            "SELECT 2",
            "CREATE DATABASE gone",
            "SELECT DATABASE()",
            "CREATE TABLE g (a INT)",
            "SELECT COUNT(*) FROM gone.g",
            "DROP DATABASE gone",
            "SELECT DATABASE()",
            "USE tpcw",
            "SELECT DATABASE()",
        ] {
            // Somebody else may get the connection in between, and it is of no other schema then.
            assert_eq!(outcome(&mut other, "SELECT DATABASE()").await, "[Null]");
            told_here.push(format!("{sql}: {}", outcome(&mut client, sql).await));
        }
        told.push(told_here);
    }
    assert_eq!(told[1], told[0]);
}

/// A node's session goes on with what it knew of its schema; the next client that comes to it must not.
#[tokio::test]
async fn a_schema_that_was_changed_is_entered_anew() {
    let server = Node::start(1).await;
    let front = Front::start_with(&[&server], |config| config.workers = 1);
    let ask = "SELECT CONCAT(@@character_set_database, ' ', @@collation_database)";
    let mut told = Vec::new();
    for port in [server.port, front.port()] {
        let root = async || Conn::new(nodes::opts(port, "root", "")).await.unwrap();
        let inside = async || Conn::new(nodes::opts(port, "root", "").db_name(Some("s"))).await.unwrap();
        let mut told_here = Vec::new();
        for sql in [
            "CREATE DATABASE s CHARACTER SET latin1",
            "ALTER DATABASE s CHARACTER SET utf8mb4",
            "DROP DATABASE s",
            "CREATE SCHEMA s CHARACTER SET latin2",
        ] {
            root().await.query_drop(sql).await.unwrap();
            if !sql.starts_with("DROP") {
                told_here.push(inside().await.query_first::<String, _>(ask).await.unwrap().unwrap());
            }
        }
        root().await.query_drop("DROP DATABASE s").await.unwrap();
        told.push(told_here);
    }
    assert_eq!(told[1], told[0]);
    assert_eq!(told[0].len(), 3);
}

/// A reset leaves a session of MariaDB's with the server's character set for its schema; no other client is to see that.
#[tokio::test]
async fn a_connection_that_was_reset_knows_its_schema() {
    let server = Node::start_with(1, vec!["--character-set-server=latin1".to_owned()]).await;
    server.root().await.query_drop("ALTER DATABASE tpcw CHARACTER SET utf8mb4").await.unwrap();
    let front = Front::start_with(&[&server], |config| (config.workers, config.pool.max) = (1, 1));
    let ask = "SELECT @@character_set_database";
    for undo in ["SET time_zone = '+01:00'", "SET @a = 1", "CREATE TEMPORARY TABLE t (a INT)"] {
        let mut first = front.client().await;
        first.query_drop(undo).await.unwrap();
        first.query_drop("DO 0").await.unwrap();
        first.disconnect().await.unwrap();
        let told: Option<String> = front.client().await.query_first(ask).await.unwrap();
        assert_eq!(told.as_deref(), Some("utf8mb4"), "behind {undo}");
    }
    assert!(front.view.load().nodes[0].meter.resets.load(Relaxed) >= 3, "connections were reset");
}
