//! Where statements go, and that what is called a read is one: asked of real servers.

mod nodes;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use balancer::sql::classify::{Kind, Marks, classify};
use fuzz::mutate::Random;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use nodes::{Front, Node};

/// Servers that do not follow each other; the second takes no writes from accounts without special rights.
async fn two() -> (Node, Node) {
    let (n1, n2) = tokio::join!(Node::start(1), Node::start(2));
    for (node, name) in [(&n1, "n1"), (&n2, "n2")] {
        let mut root = node.root().await;
        for sql in [
            "SET GLOBAL log_bin_trust_function_creators = 1",
            "CREATE TABLE tpcw.who (name VARCHAR(9))",
            &format!("INSERT INTO tpcw.who VALUES ('{name}')"),
            "CREATE TABLE tpcw.t (a INT, b VARCHAR(20))",
            "INSERT INTO tpcw.t VALUES (1, 'x'), (2, NULL)",
            "CREATE TABLE tpcw.log (a INT)",
            "CREATE SEQUENCE tpcw.s NOCACHE",
            "CREATE FUNCTION tpcw.w(n INT) RETURNS INT BEGIN INSERT INTO log VALUES (n); SET @w = n; RETURN n; END",
        ] {
            root.query_drop(sql).await.unwrap();
        }
    }
    n2.root().await.query_drop("SET GLOBAL read_only = 1").await.unwrap();
    (n1, n2)
}

async fn who(client: &mut Conn) -> String {
    client.query_first("SELECT name FROM who").await.unwrap().unwrap()
}

/// All that a statement of the grammar may leave behind.
const TRACES: &str = "SELECT CONCAT_WS(',', @x, @w, IS_USED_LOCK('l'), LAST_INSERT_ID(),
    (SELECT CONCAT(COUNT(*), SUM(a)) FROM tpcw.t), (SELECT COUNT(*) FROM tpcw.log),
    (SELECT next_not_cached_value FROM tpcw.s))";

#[tokio::test]
async fn what_is_called_a_read_changes_nothing_and_no_replica_refuses_it() {
    const SEED: u64 = 7;
    let (n1, n2) = two().await;
    let mut free = Conn::new(nodes::opts(n1.port, "root", "").db_name(Some("tpcw"))).await.unwrap();
    let mut bound = Conn::new(n2.shop()).await.unwrap();
    let before: String = free.query_first(TRACES).await.unwrap().unwrap();
    let (mut reads, mut answered) = (0, 0);
    for input in 0..15_000 {
        let mut random = Random::of(SEED, 0, input);
        let entropy: Vec<u8> = (0..64).map(|_| random.next() as u8).collect();
        let text = fuzz::grammar::statement(&entropy).text;
        let told = classify(text.as_bytes());
        if told.kind != Kind::Read || told.marks.any(Marks::PRIMARY) {
            continue;
        }
        reads += 1;
        let run = free.query_iter(text.as_str()).await;
        answered += u64::from(match run {
            Ok(result) => result.drop_result().await.is_ok(),
            Err(_) => false,
        });
        let after: String = free.query_first(TRACES).await.unwrap().unwrap();
        assert_eq!(after, before, "seed {SEED}, input {input}: `{text}` is no read");
        let refused = match bound.query_iter(text.as_str()).await {
            Ok(result) => result.drop_result().await,
            Err(error) => Err(error),
        };
        if let Err(mysql_async::Error::Server(error)) = refused {
            let read_only = matches!(error.code, 1290 | 1792 | 1836);
            assert!(!read_only, "seed {SEED}, input {input}: `{text}` is refused: {error}");
        }
    }
    assert!(reads > 1_000 && answered > reads / 2, "{reads} reads, {answered} without an error");
}

#[tokio::test]
async fn every_function_of_the_server_is_known() {
    let node = Node::start(1).await;
    let sql = "SELECT function FROM information_schema.sql_functions WHERE function NOT LIKE '%ORACLE'";
    let functions: Vec<String> = node.root().await.query(sql).await.unwrap();
    assert!(functions.len() > 200);
    for function in functions {
        let text = format!("SELECT {function}(1)");
        let told = classify(text.as_bytes());
        let known = !told.marks.any(Marks::UNKNOWN) || function == "LAST_INSERT_ID";
        assert!(known, "{text}: {}", told.reason);
    }
}

/// Statements that the balancer has carried to each node.
fn carried(front: &Front) -> Vec<u64> {
    let view = front.view.load();
    view.nodes.iter().map(|n| n.meter.reads.load(Relaxed) + n.meter.writes.load(Relaxed)).collect()
}

#[tokio::test]
async fn statements_in_disguise_reach_their_node() {
    let (n1, n2) = two().await;
    let front = Front::start(&[&n1, &n2]);
    for (text, place) in [
        ("SELECT a FROM t", 1),
        ("(SELECT 1) UNION (SELECT 2)", 1),
        ("WITH x (y) AS (SELECT 1) SELECT y FROM x", 1),
        ("SELECT 'for update', `a` FROM t -- FOR UPDATE", 1),
        ("SELECT COUNT(*), MAX(a), COALESCE(b, 'w(1)') FROM t GROUP BY b", 1),
        ("SET STATEMENT max_statement_time=5 FOR SELECT a FROM t", 1),
        ("SHOW TABLES", 1),
        ("SELECT w(1)", 0),
        ("SELECT `w`(1)", 0),
        ("SELECT tpcw . w (1)", 0),
        ("SELECT a FROM t WHERE w(a) = 1", 0),
        ("SELECT 2*/*'*/w(1)/*'*/", 0),
        ("SELECT /*!50000 w(1), */ 1", 0),
        ("SELECT NEXT VALUE FOR s", 0),
        ("SELECT 1.5INTO @x", 0),
        ("SELECT a FROM t LIMIT 1 FOR UPDATE", 0),
        ("SELECT a FROM t LIMIT 1/**/LOCK/**/IN/**/SHARE/**/MODE", 0),
        ("SELECT `get_lock`('l', 0)", 0),
        ("SELECT LAST_INSERT_ID(7)", 0),
        ("SELECT @@hostname", 0),
        ("SHOW VARIABLES LIKE 'read_only'", 0),
        ("DO w(1)", 0),
        ("EXPLAIN DELETE FROM t", 0),
        ("ANALYZE SELECT a FROM t", 0),
        ("INSERT INTO log (a) VALUES (1) RETURNING a", 0),
    ] {
        for prepared in [false, true] {
            let mut client = front.client().await;
            let before = carried(&front);
            if prepared {
                client.exec_drop(text, ()).await.unwrap_or_else(|error| panic!("{text}: {error}"));
            } else {
                client.query_drop(text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
            }
            let rose = async {
                loop {
                    let now = carried(&front);
                    if now != before {
                        return now.iter().zip(&before).position(|(now, before)| now > before);
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            let went = tokio::time::timeout(Duration::from_secs(10), rose).await.expect("it is counted");
            assert_eq!(went, Some(place), "{text}, prepared: {prepared}");
        }
    }
}

#[tokio::test]
async fn a_session_keeps_its_reads_together_as_long_as_it_must() {
    let (n1, n2) = two().await;
    let front = Front::start(&[&n1, &n2]);
    for (before, place) in [
        (&["START TRANSACTION READ ONLY"][..], "n2"),
        (&["START TRANSACTION"], "n1"),
        (&["SET sql_mode = '', autocommit = 0"], "n1"),
        (&["SET @@session.autocommit = off"], "n1"),
        (&["SET autocommit = 0", "COMMIT", "SET autocommit = 1"], "n2"),
        (&["CREATE TEMPORARY TABLE tmp (a INT)"], "n1"),
        (&["SET @a = 1"], "n2"),
        (&["SET @a = 1 + 1"], "n1"),
        (&["SELECT w(1)"], "n1"),
        (&["LOCK TABLES who READ"], "n1"),
        (&["XA START 'x'"], "n1"),
        (&["BEGIN", "COMMIT"], "n2"),
        (&["SET sql_mode = 'ANSI_QUOTES'"], "n2"),
        (&["SET sql_mode = 'NO_BACKSLASH_ESCAPES'"], "n2"),
        (&["SET NAMES gbk"], "n2"),
    ] {
        let mut client = front.client().await;
        for sql in before {
            client.query_drop(*sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        assert_eq!(who(&mut client).await, place, "{before:?}");
    }
    // A text that cannot be parsed has left nothing behind.
    let mut client = front.client().await;
    client.query_drop("SELEC 1").await.unwrap_err();
    assert_eq!(who(&mut client).await, "n2");
    // A backslash is a character like any other in this mode: what looks like a text to others is a call.
    client.query_drop("SET sql_mode = 'NO_BACKSLASH_ESCAPES'").await.unwrap();
    client.query_drop(r"SELECT 'a\', w(1), 'b'").await.unwrap();
    assert_eq!(who(&mut client).await, "n1", "it is known that a function was called");
}
