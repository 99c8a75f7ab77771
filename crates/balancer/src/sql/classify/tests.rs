//! What statements are told to be.

mod disguises;

use super::*;

fn tell(text: &str) -> String {
    let statement = classify(text.as_bytes());
    let mut told = match statement.kind {
        Kind::Read => "read",
        Kind::Session => "session",
        Kind::Write => "write",
        Kind::Begin { read_only: true } => "begin-ro",
        Kind::Begin { read_only: false } => "begin",
        Kind::Commit => "commit",
        Kind::Rollback => "rollback",
        Kind::Status => "status",
        Kind::Sessions => "sessions",
        Kind::ExplainRoute(_) => "explain-route",
        Kind::Own(Own::Token) => "token",
        Kind::Own(Own::Route) => "route",
        Kind::Own(Own::Set) => "own-set",
        Kind::Own(Own::Select) => "own-select",
        Kind::Kill => "kill",
    }
    .to_owned();
    for (mark, name) in [
        (Marks::PRIMARY, "primary"),
        (Marks::VARIABLES, "variables"),
        (Marks::TEMPORARY, "temporary"),
        (Marks::LOCKS, "locks"),
        (Marks::UNKNOWN, "unknown"),
        (Marks::ASKS_LAST, "asks-last"),
        (Marks::ASKS_WRITE, "asks-write"),
        (Marks::NEXT_ONLY, "next"),
        (Marks::COLLATION, "collation"),
        (Marks::COUNTS, "counts"),
    ] {
        if statement.marks.any(mark) {
            told.push(' ');
            told.push_str(name);
        }
    }
    told
}

#[test]
fn statements_are_told_apart() {
    for (text, what) in [
        // Reads.
        ("SELECT 1", "read"),
        ("select * from t where a = 'for update'", "read"),
        ("(SELECT 1) UNION (SELECT 2)", "read"),
        ("((select 1))", "read"),
        ("/* hello */ SELECT 1", "read"),
        ("-- x\nSELECT 1", "read"),
        ("# x\n  SELECT 1;", "read"),
        ("VALUES (1),(2)", "read"),
        ("WITH a AS (SELECT 1) SELECT * FROM a", "read"),
        ("WITH RECURSIVE a AS (SELECT 1 UNION SELECT n+1 FROM a) SELECT * FROM a", "read"),
        ("SELECT @a", "read"),
        ("SELECT @@version_comment LIMIT 1", "read"),
        ("SELECT `insert` FROM `update`", "read"),
        ("SELECT replace(a, 'x', 'y'), insert(b, 1, 2, 'c') FROM t", "read"),
        ("SELECT * FROM t FOR SYSTEM_TIME AS OF NOW()", "read"),
        ("SHOW TABLES", "read"),
        ("SHOW FULL COLUMNS FROM t", "read"),
        ("SHOW CREATE TABLE `get_lock`", "read"),
        ("EXPLAIN SELECT * FROM t", "read"),
        ("DESC t", "read"),
        ("SELECT 1; SELECT 2", "read"),
        ("HELP 'select'", "read"),
        // Reads that only the primary can answer.
        ("SELECT * FROM t FOR UPDATE", "read primary"),
        ("select * from t where a=1 for share", "read primary"),
        ("SELECT * FROM t LOCK IN SHARE MODE", "read primary"),
        ("SELECT /*!40001 SQL_NO_CACHE */ * FROM t", "write"),
        ("SELECT * FROM t /*!50000 FOR UPDATE */", "write primary"),
        ("SELECT LAST_INSERT_ID()", "read primary asks-write"),
        ("select last_insert_id ( )", "read primary asks-write"),
        ("SELECT @@identity", "read primary asks-write"),
        ("SELECT @@session.last_gtid", "read primary asks-write"),
        ("SELECT FOUND_ROWS()", "read primary asks-last"),
        ("SELECT ROW_COUNT()", "read primary asks-last"),
        ("SELECT @@warning_count", "read primary asks-last"),
        ("SHOW WARNINGS", "read primary asks-last"),
        ("SHOW COUNT(*) ERRORS", "read primary asks-last"),
        ("SHOW MASTER STATUS", "read primary"),
        ("SHOW PROCESSLIST", "read primary"),
        ("SHOW GLOBAL STATUS", "read primary"),
        ("EXPLAIN UPDATE t SET a = 1", "read primary"),
        ("SELECT SLEEP(1)", "read primary"),
        ("SELECT IS_FREE_LOCK('a')", "read primary"),
        ("SELECT SQL_CALC_FOUND_ROWS * FROM t LIMIT 1", "read counts"),
        // What looks like a read and is none.
        ("SELECT * FROM t INTO OUTFILE 'x'", "write"),
        ("SELECT a INTO @x FROM t", "write variables"),
        ("SELECT @a := 1", "write variables"),
        ("SELECT @a:=@a+1 FROM t", "write variables"),
        ("SELECT GET_LOCK('a', 1)", "write locks"),
        ("SELECT NEXTVAL(s)", "write"),
        ("SELECT NEXT VALUE FOR s", "write"),
        ("WITH a AS (SELECT 1) UPDATE t SET x = 1", "write"),
        ("WITH a AS (SELECT 1) DELETE FROM t", "write"),
        ("ANALYZE UPDATE t SET a = 1", "write"),
        ("ANALYZE SELECT 1", "write"),
        ("SELECT 1; DELETE FROM t", "write"),
        ("/*! DELETE FROM t */", "write"),
        ("", "session"),
        (";;", "session"),
        // Writes.
        ("INSERT INTO t VALUES (1)", "write"),
        ("  insert into t select * from u for update", "write"),
        ("INSERT INTO c VALUES (LAST_INSERT_ID())", "write primary asks-write"),
        ("UPDATE t SET a = @x := 2", "write variables"),
        ("REPLACE t VALUES (1)", "write"),
        ("DELETE FROM t RETURNING a", "write"),
        ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t", "write"),
        ("TRUNCATE t", "write"),
        ("CREATE TABLE t (a int)", "write"),
        ("CREATE TEMPORARY TABLE t (a int)", "write temporary"),
        ("CREATE OR REPLACE TEMPORARY TABLE t (a int)", "write temporary"),
        ("DROP TABLE t", "write"),
        ("DO GET_LOCK('a', 1)", "write locks"),
        ("CALL p()", "write unknown"),
        ("XA START 'a'", "write unknown"),
        ("PREPARE s FROM 'select 1'", "write unknown"),
        ("EXECUTE IMMEDIATE 'select 1'", "write unknown"),
        ("HANDLER t OPEN", "write unknown"),
        ("LOCK TABLES t WRITE", "write locks"),
        ("FLUSH TABLES WITH READ LOCK", "write locks"),
        ("FLUSH LOGS", "write"),
        ("UNLOCK TABLES", "write"),
        ("SAVEPOINT a", "write"),
        ("ROLLBACK TO SAVEPOINT a", "write"),
        ("BEGIN NOT ATOMIC SET @a = 1; END", "write unknown"),
        ("GET DIAGNOSTICS @a = NUMBER", "read primary variables asks-last"),
        ("gibberish", "write unknown"),
        ("42", "write unknown"),
        ("KILL 5", "kill"),
        // Transactions.
        ("BEGIN", "begin"),
        ("begin work", "begin"),
        ("START TRANSACTION", "begin"),
        ("START TRANSACTION WITH CONSISTENT SNAPSHOT", "begin"),
        ("START TRANSACTION READ ONLY", "begin-ro"),
        ("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", "begin-ro"),
        ("START SLAVE", "write"),
        ("COMMIT", "commit"),
        ("COMMIT AND CHAIN", "commit"),
        ("ROLLBACK", "rollback"),
        // Sessions.
        ("USE tpcw", "session"),
        ("SET autocommit=0", "session"),
        ("SET NAMES utf8mb4", "session"),
        ("SET NAMES utf8mb4 COLLATE utf8mb4_bin", "session collation"),
        ("SET collation_connection = utf8mb4_bin", "session collation"),
        ("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "session"),
        ("SET TRANSACTION READ ONLY", "session next"),
        ("SET @@session.sql_mode = '', time_zone = '+00:00'", "session"),
        ("SET sql_mode = (SELECT 1)", "session primary"),
        ("SET @a = 1", "session"),
        ("SET autocommit = 1, @a = 1", "session"),
        ("SET sql_mode = @a", "session"),
        ("SET @a := 'x', sql_mode = ''", "session"),
        ("SET GLOBAL max_connections = 5", "write"),
        ("SET @@global.max_connections = 5", "write"),
        ("SET insert_id = 5", "write unknown"),
        ("SET ROLE admin", "write unknown"),
        ("SET PASSWORD = PASSWORD('x')", "write"),
        ("SET STATEMENT max_statement_time=1 FOR SELECT 1", "read"),
        // The balancer's own.
        ("SHOW tpcw STATUS", "status"),
        ("show TPCW status;", "status"),
        ("SHOW tpcw SESSIONS", "sessions"),
        ("EXPLAIN ROUTE DELETE FROM t", "explain-route"),
        ("SHOW tpcw TOKEN", "token"),
        ("SHOW tpcw ROUTE;", "route"),
        ("SHOW tpcw WEATHER", "read primary"),
        ("SET tpcw_consistency = 'monotonic'", "own-set"),
        ("SET SESSION tpcw_token='0-1-5'", "own-set"),
        ("set @@session.tpcw_explain=1", "own-set"),
        ("SET @@GLOBAL.tpcw_strategy=random", "own-set"),
        ("SET NAMES utf8mb4, tpcw_explain=1", "own-set"),
        ("SET tpcw_explain=1; SELECT 1", "write"),
        ("SET @tpcw_consistency = 1", "session"),
        ("SELECT @@tpcw_token", "own-select"),
        ("SELECT @@session.tpcw_consistency, @@tpcw_strategy", "own-select"),
        ("SELECT @tpcw_token, tpcw_token FROM t", "read"),
        ("INSERT INTO t SELECT @@tpcw_token", "write"),
    ] {
        assert_eq!(tell(text), what, "{text}");
    }
}

#[test]
fn hints_are_found_wherever_they_stand() {
    for text in
        ["/* tpcw: node=n2 */ SELECT 1", "SELECT /* tpcw: node=n2 */ 1", "SELECT 1 /* tpcw: node=n2 */"]
    {
        assert_eq!(classify(text.as_bytes()).hint.node, Some(&b"n2"[..]), "{text}");
    }
    assert_eq!(classify(b"SELECT '/* tpcw: node=n2 */'").hint, Hint::default());
}

#[test]
fn explained_text_begins_after_the_words() {
    let Kind::ExplainRoute(at) = classify(b"EXPLAIN ROUTE SELECT 1").kind else { panic!("no explain") };
    assert_eq!(&b"EXPLAIN ROUTE SELECT 1"[at..], b" SELECT 1");
}
