//! Whole conversations, byte by byte: what a client gets from the balancer is what it gets from the server.

mod nodes;
mod raw;

use balancer::wire::capabilities::Capabilities;
use balancer::wire::packet::{HEADER, put_text};
use nodes::{Front, Node};
use raw::{Raw, about, execute, fetch};

/// One command of a conversation; statements are named by the order in which they were prepared.
enum Say {
    Query(&'static str),
    Prepare(&'static str),
    Execute(usize, u8, &'static [&'static str]),
    Fetch(usize, u32),
    /// A command about a statement: close has no answer.
    About(u8, usize),
    LongData(usize, u16, &'static str),
    Bulk(usize, &'static [&'static str]),
    Raw(&'static [u8]),
}

use Say::{About, Bulk, Execute, Fetch, LongData, Prepare, Query};

const CLOSE: u8 = 0x19;
const RESET: u8 = 0x1A;

/// The answers to a conversation, with ids of statements left out.
async fn hold(raw: &mut Raw, conversation: &[Say]) -> Vec<Vec<u8>> {
    let mut ids = Vec::new();
    let mut answers = Vec::new();
    for say in conversation {
        let id = |at: &usize| ids.get(*at).copied().unwrap_or(u32::MAX);
        let command = match say {
            Query(sql) => [&[3], sql.as_bytes()].concat(),
            Prepare(sql) => [&[0x16], sql.as_bytes()].concat(),
            Execute(at, cursor, values) => execute(id(at), *cursor, values),
            Fetch(at, rows) => fetch(id(at), *rows),
            About(command, at) => about(*command, id(at)),
            LongData(at, parameter, data) => {
                [&about(0x18, id(at))[..], &parameter.to_le_bytes(), data.as_bytes()].concat()
            }
            Bulk(at, rows) => {
                let mut out = about(0xFA, id(at));
                out.extend_from_slice(&128u16.to_le_bytes());
                out.extend_from_slice(&[253, 0]);
                for row in *rows {
                    out.push(0);
                    put_text(&mut out, row.as_bytes());
                }
                out
            }
            Say::Raw(bytes) => bytes.to_vec(),
        };
        if matches!(say, About(CLOSE, _) | LongData(..)) {
            raw.send(&command).await;
            continue;
        }
        let mut answer = raw.ask(&command).await;
        if matches!(say, Prepare(_)) {
            if answer.get(HEADER) == Some(&0) {
                let place = HEADER + 1..HEADER + 5;
                ids.push(u32::from_le_bytes(answer[place.clone()].try_into().unwrap()));
                answer[place].fill(0);
            } else {
                ids.push(u32::MAX);
            }
        }
        let closed = answer.is_empty();
        hide_ids(&mut answer);
        answers.push(answer);
        if closed {
            break;
        }
    }
    answers
}

/// Ids of statements in messages are the balancer's own.
fn hide_ids(answer: &mut Vec<u8>) {
    if answer.get(HEADER) != Some(&0xFF) {
        return;
    }
    let mut inside = false;
    answer.drain(..HEADER);
    answer.retain(|byte| {
        match byte {
            b'(' => inside = true,
            b')' => inside = false,
            _ => {}
        }
        !(inside && byte.is_ascii_digit())
    });
}

fn show(bytes: &[u8]) -> String {
    raw::payloads(bytes).map(|payload| format!("\n      {}", payload.escape_ascii())).collect()
}

/// Holds the conversation directly and through the balancer, with all ways to end a result.
async fn same(tables: &str, conversation: &[Say]) {
    let node = Node::start(1).await;
    let front = Front::start(&[&node]);
    let kinds = [Capabilities::default(), Capabilities::DEPRECATE_EOF];
    let mut differences = String::new();
    for kind in kinds {
        for tracks in [Capabilities::default(), Capabilities::SESSION_TRACK] {
            let kind = kind.or(tracks).or(Capabilities::MULTI_STATEMENTS).or(Capabilities::BULK);
            let mut told = Vec::new();
            for address in [node.address(), front.plane.address] {
                let mut setup = Raw::connect(node.address(), Capabilities::MULTI_STATEMENTS).await;
                let made = setup.query(tables).await;
                assert_eq!(raw::error(&made), None);
                let mut raw = Raw::connect(address, kind).await;
                told.push(hold(&mut raw, conversation).await);
                assert!(raw.is_quiet());
            }
            assert_eq!(told[0].len(), told[1].len(), "one has closed: {:?}", told[0].last());
            for (at, (direct, through)) in told[0].iter().zip(&told[1]).enumerate() {
                if direct != through {
                    differences += &format!(
                        "\n{:#x} answer {at}\n   direct: {}\n  through: {}",
                        kind.0,
                        show(direct),
                        show(through)
                    );
                }
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

const TABLES: &str = "DROP TABLE IF EXISTS r; CREATE TABLE r (id INT PRIMARY KEY, s VARCHAR(20)); \
    INSERT INTO r VALUES (1,'one'),(2,'two'),(3,NULL),(4,'four'),(5,'five')";

#[tokio::test]
async fn texts() {
    let conversation = [
        Query("SELECT * FROM r ORDER BY id"),
        Query("SELECT 1; SELECT 2, 3; UPDATE r SET s = 'x' WHERE id = 1; SELECT s FROM r WHERE id = 1"),
        Query("UPDATE r SET s = 'y' WHERE id = 1; SELECT nothing FROM r; SELECT 1"),
        Query("SELECT 1; SELEC 2"),
        Query(
            "CREATE OR REPLACE PROCEDURE p(IN a INT, OUT b INT) BEGIN SELECT a; SET b = a + 1; SELECT 'two'; END",
        ),
        Query("CALL p(1, @b)"),
        Query("SELECT @b"),
        Query("CREATE OR REPLACE PROCEDURE q() BEGIN SELECT 1; SELECT * FROM nowhere; END"),
        Query("CALL q()"),
        Query("SELECT SQL_CALC_FOUND_ROWS id FROM r ORDER BY id LIMIT 1"),
        Query("SELECT FOUND_ROWS()"),
        Query("INSERT INTO r VALUES (1, 'double')"),
        Query("SHOW WARNINGS"),
        Query("INSERT IGNORE INTO r VALUES (1, 'double')"),
        Query("SELECT @@warning_count"),
        Query("SHOW WARNINGS"),
        Query("SHOW COUNT(*) WARNINGS"),
        Query("SELECT ROW_COUNT()"),
        Query("SELECT 1"),
        Query("SHOW WARNINGS"),
        Query("BEGIN; INSERT INTO r VALUES (9, 'nine'); SELECT COUNT(*) FROM r"),
        Query("ROLLBACK"),
        Query("USE tpcw"),
        Query("SET time_zone = '+01:00'"),
        Query("SET character_set_results = latin1"),
        Query("SET autocommit = 0"),
        Query("SET autocommit = 1"),
        Query(""),
        Query(";"),
        Query("SELECT 1;"),
        Query("/* nothing */"),
    ];
    same(TABLES, &conversation).await;
}

#[tokio::test]
async fn prepared_statements() {
    let conversation = [
        Prepare("SELECT id, s FROM r WHERE id > ? ORDER BY id"),
        Execute(0, 0, &["2"]),
        Execute(0, 0, &["9"]),
        Execute(0, 0, &[]),
        Prepare("UPDATE r SET s = ? WHERE id = ?"),
        Execute(1, 0, &["new", "1"]),
        Execute(1, 0, &["new", "1"]),
        Prepare("SELEC 1"),
        Prepare("SELECT * FROM nowhere"),
        Execute(2, 0, &[]),
        Prepare("CREATE OR REPLACE PROCEDURE p(IN a INT, OUT b INT) BEGIN SELECT a; SET b = a + 1; END"),
        Execute(4, 0, &[]),
        Prepare("CALL p(?, ?)"),
        Execute(5, 0, &["1", "0"]),
        Execute(5, 0, &["2", "0"]),
        Prepare("INSERT INTO r VALUES (?, ?)"),
        LongData(6, 1, "lo"),
        LongData(6, 1, "ng"),
        Execute(6, 0, &["20", ""]),
        Query("SELECT s FROM r WHERE id = 20"),
        LongData(6, 1, "thrown away"),
        About(RESET, 6),
        Execute(6, 0, &["21", "short"]),
        Query("SELECT s FROM r WHERE id = 21"),
        LongData(6, 7, "no such parameter"),
        Execute(6, 0, &["22", "x"]),
        About(RESET, 6),
        About(RESET, 99),
        About(CLOSE, 6),
        Execute(6, 0, &["23", "x"]),
        Fetch(0, 1),
        Fetch(99, 1),
        Prepare("SELECT 1; SELECT 2"),
        Prepare(""),
        Prepare("INSERT INTO r (id) VALUES (?)"),
        Bulk(9, &["30", "31", "32"]),
        Bulk(9, &["33", "31"]),
        Query("SELECT COUNT(*) FROM r"),
    ];
    same(TABLES, &conversation).await;
}

#[tokio::test]
async fn cursors() {
    let conversation = [
        Prepare("SELECT id, s FROM r WHERE id > ? ORDER BY id"),
        Execute(0, 1, &["0"]),
        Fetch(0, 2),
        Fetch(0, 2),
        Fetch(0, 2),
        Fetch(0, 2),
        Execute(0, 1, &["3"]),
        Fetch(0, 1),
        Execute(0, 1, &["1"]),
        Fetch(0, 1),
        About(RESET, 0),
        Fetch(0, 1),
        Execute(0, 1, &["99"]),
        Fetch(0, 1),
        // Two of the same text at a time, and the connection used in between.
        Prepare("SELECT id, s FROM r WHERE id > ? ORDER BY id"),
        Execute(0, 1, &["0"]),
        Execute(1, 1, &["2"]),
        Fetch(0, 1),
        Fetch(1, 1),
        Query("SELECT 'between'"),
        Query("UPDATE r SET s = 'changed'"),
        Fetch(0, 1),
        Fetch(1, 1),
        About(CLOSE, 0),
        Fetch(0, 1),
        Fetch(1, 9),
        // What has no result opens no cursor.
        Prepare("UPDATE r SET s = ? WHERE id = 1"),
        Execute(2, 1, &["z"]),
        Fetch(2, 1),
        Prepare("SELECT nothing FROM r"),
        Prepare("SHOW TABLES LIKE 'r'"),
        Execute(4, 1, &[]),
        Fetch(4, 5),
        Prepare("SELECT 1 FROM r WHERE id = (SELECT id FROM r)"),
        Execute(5, 1, &[]),
        Query("CREATE OR REPLACE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END"),
        Prepare("CALL p()"),
        Execute(6, 1, &[]),
        // One with a cursor of its own tells of a cursor, and its rows follow all the same.
        Query(
            "CREATE OR REPLACE PROCEDURE q() BEGIN DECLARE c CURSOR FOR SELECT 1; OPEN c; CLOSE c; SELECT 1; SELECT 2; END",
        ),
        Prepare("CALL q()"),
        Execute(7, 0, &[]),
        Query("CALL q()"),
        Fetch(7, 1),
        Execute(1, 1, &["0"]),
        Say::Raw(&[0x1F]),
        Fetch(1, 1),
    ];
    same(TABLES, &conversation).await;
}

/// A session stays where its cursor is, and may write before it has read all.
#[tokio::test]
async fn a_session_with_an_open_cursor_writes() {
    let (n1, n2) = (Node::start(1).await, Node::start(2).await);
    n2.follow(&n1).await;
    let front = Front::start(&[&n1, &n2]);
    let mut raw = Raw::connect(front.plane.address, Capabilities::default()).await;
    for statement in ["CREATE TABLE r (id INT PRIMARY KEY)", "INSERT INTO r VALUES (1), (2)"] {
        assert_eq!(raw::error(&raw.query(statement).await), None);
    }
    for round in 0..3 {
        let id = raw.prepare("SELECT id FROM r ORDER BY id LIMIT 2").await;
        assert_eq!(raw::error(&raw.execute(id, 1, &[]).await), None);
        let write = format!("INSERT INTO r VALUES ({})", round + 10);
        assert_eq!(raw::error(&raw.query(&write).await), None, "round {round}");
        let rows = raw.ask(&fetch(id, 5)).await;
        assert_eq!(raw::payloads(&rows).count(), 3, "two rows and their end");
        raw.send(&about(CLOSE, id)).await;
    }
    assert_eq!(raw.value("SELECT COUNT(*) FROM r").await, "5");
}

#[tokio::test]
async fn other_commands() {
    let conversation = [
        Say::Raw(&[0x0E]),
        Say::Raw(b"\x02tpcw"),
        Say::Raw(b"\x02nowhere"),
        Say::Raw(b"\x04r\0"),
        Say::Raw(b"\x04r\0s%"),
        Say::Raw(b"\x04nowhere\0"),
        Say::Raw(&[0x1B, 1, 0]),
        Query("SELECT 1; SELECT 2"),
        Say::Raw(&[0x1B, 0, 0]),
        Query("SELECT 1; SELECT 2"),
        Say::Raw(&[0x1B, 9, 0]),
        Query("SET @a = 1"),
        Say::Raw(&[0x1B, 1, 0]),
        Query("SELECT @a; SELECT 2"),
        Say::Raw(&[0x1B, 0, 0]),
        Query("SELECT @a; SELECT 2"),
        Say::Raw(&[0x1F]),
        Query("SELECT @a, DATABASE()"),
        Say::Raw(&[0x00]),
        Say::Raw(&[0x05]),
        Say::Raw(&[0x06]),
        Say::Raw(&[0x07, 1]),
        Say::Raw(&[0x08]),
        Say::Raw(&[0x0B]),
        Say::Raw(&[0x0D]),
        Say::Raw(&[0x0F]),
        Say::Raw(&[0x10]),
        Say::Raw(&[0x13]),
        Say::Raw(&[0x14]),
        Say::Raw(&[0x1D]),
        Say::Raw(&[0x20]),
        Say::Raw(&[0x77]),
        Say::Raw(&[0x17, 1, 0, 0]),
        Say::Raw(&[0x0C, 0xFF, 0xFF, 0xFF, 0x7F]),
        Query("KILL 2147483647"),
        Query("KILL QUERY 2147483647"),
        Say::Raw(&[0x0E]),
    ];
    same(TABLES, &conversation).await;
}
