//! Statements that look like something else, most of them complaints about other proxies.

use super::*;

fn all(rows: &[(&str, &str)]) {
    for (text, what) in rows {
        assert_eq!(tell(text), *what, "{text}");
    }
}

#[test]
fn functions_that_are_not_built_in_are_for_the_primary() {
    all(&[
        ("SELECT f(1)", "write unknown"),
        ("SELECT a FROM t WHERE db.f(a) = 1", "write unknown"),
        ("SELECT `f`(1)", "write unknown"),
        ("SELECT db . f (1)", "write unknown"),
        ("SELECT db.max(1)", "write unknown"),
        ("SELECT \"f\"(1)", "write unknown"),
        ("SELECT 1f(1)", "write unknown"),
        ("SELECT AND_THEN(1)", "write unknown"),
        ("SELECT `get_lock`('a', 1)", "write locks"),
        ("SELECT `upper`('a')", "read"),
        ("SELECT `and`(1)", "write unknown"),
        // With a gap in between it is another function, unless the mode says otherwise.
        ("SELECT MAX(a), COUNT(*) FROM t", "read"),
        ("SELECT MAX (a) FROM t", "write"),
        ("SELECT MAX/**/(a) FROM t", "write"),
        ("SELECT UPPER (a) FROM t", "read"),
        // What stands before a parenthesis and is no function.
        ("SELECT 1 FROM t WHERE a IN (1) AND (b) OR NOT (c) AND EXISTS (SELECT 1)", "read"),
        ("SELECT 1 FROM t JOIN u USING (a) LEFT JOIN v ON (t.a = v.a)", "read"),
        ("SELECT SUM(a) OVER (PARTITION BY b), RANK() OVER w FROM t WINDOW w AS (ORDER BY a)", "read"),
        ("SELECT * FROM (SELECT 1) AS d (a)", "read"),
        ("SELECT * FROM (SELECT 1) d (a)", "read"),
        ("SELECT * FROM t USE INDEX (i) FORCE INDEX FOR JOIN (j)", "read"),
        ("SELECT CAST(a AS CHAR(5)), CONVERT(b, DECIMAL(3,1)) FROM t", "read"),
        ("SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a INT PATH '$')) j", "read"),
        ("SELECT MATCH (a) AGAINST ('x' IN BOOLEAN MODE) FROM t", "read"),
        ("WITH a (x, y) AS (SELECT 1, 2), b (z) AS (SELECT 3) SELECT * FROM a", "read"),
        ("WITH a (x) AS (SELECT f(1)) SELECT * FROM a", "write unknown"),
        ("WITH a AS (SELECT 1) SELECT f(1) FROM a", "write unknown"),
        ("WITH a AS (SELECT 1) (SELECT 1) ORDER BY f(1)", "write unknown"),
        ("INSERT INTO t (a, b) VALUES (1, 2)", "write"),
        ("INSERT t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = VALUES(a)", "write"),
        ("INSERT IGNORE INTO db.t (a) SELECT UPPER(b) FROM u", "write"),
        ("REPLACE INTO `t` (a) VALUES (1)", "write"),
        ("INSERT INTO t VALUES (f(1))", "write unknown"),
        ("INSERT INTO t (a) SELECT f(a) FROM u", "write unknown"),
        ("UPDATE t SET a = f(a)", "write unknown"),
        ("UPDATE t SET a = UPPER(a) WHERE b IN (1)", "write"),
        ("CREATE TABLE t (a INT, KEY k (a), CHECK (a > 0))", "write"),
        ("CREATE TABLE t AS SELECT f(1)", "write unknown"),
        ("ALTER TABLE t ADD INDEX i (a)", "write"),
        ("GRANT SELECT (a), INSERT (b) ON d.t TO u", "write"),
        ("LOAD DATA INFILE 'x' INTO TABLE t FIELDS TERMINATED BY ',' (a, b)", "write"),
        ("LOAD DATA INFILE 'x' INTO TABLE t (a, @b) SET c = UPPER(@b)", "write variables"),
        ("DO f(1)", "write unknown"),
        ("SHOW TABLES WHERE f(1)", "write unknown"),
        ("SELECT * FROM t PROCEDURE ANALYSE()", "write unknown"),
        ("SET sql_mode = f()", "write unknown"),
        ("SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')", "session"),
        ("SELECT LAST_INSERT_ID(5)", "write unknown asks-write"),
        ("SELECT NEXTVAL(s), LAST_INSERT_ID(5)", "write unknown asks-write"),
        ("SELECT /*! */ LAST_INSERT_ID(5)", "write unknown asks-write"),
        ("UPDATE t SET id = LAST_INSERT_ID(id + 1)", "write primary asks-write"),
        ("SELECT PREVIOUS VALUE FOR s", "write asks-write"),
        ("SELECT s.nextval", "write asks-write"),
        ("SELECT nextval FROM t", "read"),
    ]);
}

#[test]
fn comments_hide_nothing() {
    all(&[
        ("SELECT 2*/*'*/3, NEXTVAL(s) -- '", "write"),
        ("SELECT 1 /*!99999 ' */ INTO OUTFILE 'x' -- '", "write"),
        ("/*!99999 EXPLAIN */ DELETE FROM t", "write primary"),
        ("/*!99999 SET @a = */ SELECT GET_LOCK('x', 1)", "write primary variables locks"),
        ("SELECT /*!99999 ' */ @a := 1 -- '", "write variables"),
        ("/*!40101 SET NAMES utf8mb4 */", "write"),
        ("/*!40101 SET @a=@@sql_mode */", "write variables"),
        ("SELECT /*M!100100 f(1) */ 1", "write unknown"),
        ("SELECT 1 /*!99999 ' */ /*!50000 INTO @a */ -- '", "write unknown"),
        ("SELECT /*+ MAX_EXECUTION_TIME(1000) */ 1", "read"),
        ("SELECT 1 --\tx\n, NEXTVAL(s)", "write"),
        ("SELECT 1 --x\n", "read"),
        ("SELECT 1 -- x ; DELETE FROM t", "read"),
        ("SELECT '-- x', NEXTVAL(s)", "write"),
        ("SELECT '/*', NEXTVAL(s), '*/'", "write"),
        ("SELECT \"it's\", NEXTVAL(s), 'x'", "write"),
        ("SELECT 'it\\'s', NEXTVAL(s), 'x'", "write"),
        ("SELECT `a'b`, NEXTVAL(s), 'x'", "write"),
        ("/* SELECT */ DELETE FROM t", "write"),
        ("SELECT /* a /* b */ 1", "read"),
        // With ANSI_QUOTES the text ends before the comma.
        ("SELECT \"a\\\", NEXTVAL(s), \"b", "write"),
    ]);
}

#[test]
fn numbers_hide_nothing() {
    all(&[
        ("SELECT 1e1INTO OUTFILE 'x'", "write"),
        ("SELECT 1.5INTO @a", "write variables"),
        ("SELECT .5INTO @a", "write variables"),
        ("SELECT 1e+1FOR UPDATE", "read primary"),
        ("SELECT t.5into FROM t", "write"),
        ("SELECT 1 FROM 2024_sales", "read"),
    ]);
}

#[test]
fn the_rest_of_the_language() {
    all(&[
        ("TABLE t", "read"),
        ("TABLE t INTO OUTFILE 'x'", "write"),
        ("(SELECT 1) FOR UPDATE", "read primary"),
        ("SELECT * FROM t FOR SHARE OF t SKIP LOCKED", "read primary"),
        ("SELECT * FROM t FOR UPDATE NOWAIT", "read primary"),
        ("SELECT 1 FROM (SELECT * FROM t FOR UPDATE) x", "read primary"),
        ("SELECT a, b INTO @x, @y FROM t", "write variables"),
        ("SELECT NEXTVAL(s) INTO @x", "write variables"),
        ("SELECT * INTO DUMPFILE 'x' FROM t", "write"),
        ("WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a", "write"),
        ("WITH a AS (SELECT 1) TABLE a", "read"),
        ("SELECT (REPLACE(a, 'x', 'y')), (INSERT(b, 1, 2, 'c')) FROM t", "read"),
        ("EXPLAIN ANALYZE SELECT 1", "write"),
        ("EXPLAIN FORMAT=JSON SELECT 1", "read"),
        ("EXPLAIN FORMAT=JSON INSERT INTO t (a) VALUES (1)", "read primary"),
        ("EXPLAIN EXTENDED DELETE FROM t", "read primary"),
        ("EXPLAIN FOR CONNECTION 5", "read primary"),
        ("EXPLAIN SELECT f(1)", "write unknown"),
        ("EXPLAIN INTO @a SELECT 1", "write variables"),
        ("EXPLAIN route", "read"),
        ("DESCRIBE route id", "read"),
        ("DESC format", "read"),
        ("ANALYZE FORMAT=JSON SELECT @a := 1", "write variables"),
        ("ANALYZE TABLE t", "write"),
        ("SHOW VARIABLES LIKE 'read_only'", "read primary"),
        ("SHOW REPLICA STATUS", "read primary"),
        ("SHOW OPEN TABLES", "read primary"),
        ("SHOW CREATE PROCEDURE p", "read"),
        ("SELECT @@hostname", "read primary"),
        ("SELECT @@global.read_only", "read primary"),
        ("SELECT @@session . last_insert_id", "read primary asks-write"),
        ("SELECT * FROM information_schema.processlist", "read primary"),
        ("SELECT * FROM performance_schema.threads", "read primary"),
        ("SELECT * FROM information_schema.tables", "read"),
        ("SELECT 1; KILL 5", "kill"),
        ("CREATE PROCEDURE p() BEGIN SET @a = 1; CALL q(); KILL 5; END", "write unknown"),
        ("CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET NEW.a = f(1)", "write"),
        ("CREATE FUNCTION f() RETURNS INT RETURN 1; SET @a = 1", "write unknown"),
        ("IF 1 THEN SET @a = 1; END IF", "write unknown"),
        ("a: LOOP LEAVE a; END LOOP", "write unknown"),
        ("LOCK INSTANCE FOR BACKUP", "write locks"),
        ("FLUSH LOCAL TABLES WITH READ LOCK", "write locks"),
        ("UNLOCK TABLES", "write"),
        ("STOP SLAVE", "write"),
        ("RESET MASTER", "write"),
        ("START REPLICA", "write"),
        ("XA COMMIT 'a'", "write unknown"),
        ("EXECUTE s USING @a", "write unknown"),
        ("DEALLOCATE PREPARE s", "write unknown"),
        ("LOAD XML INFILE 'x' INTO TABLE t", "write"),
        ("INSERT INTO t VALUES (1) RETURNING id", "write"),
        ("BEGIN; SELECT 1", "write"),
        ("SELECT 1; SET @a = 1", "write variables"),
        ("SELECT {fn UPPER('a')}", "read"),
    ]);
}

#[test]
fn settings_in_all_their_forms() {
    all(&[
        ("SET autocommit=0, sql_mode=''", "session"),
        ("SET @@session.autocommit = off", "session"),
        ("SET sql_mode = (@x := 'ANSI')", "write variables"),
        ("SET `last_insert_id` = 5", "write unknown"),
        ("SET @@last_insert_id = 5", "write unknown"),
        ("SET @@session . insert_id = 5", "write unknown"),
        ("SET SESSION sql_mode='', GLOBAL max_connections=5", "write"),
        ("SET PERSIST max_connections=5", "write"),
        ("SET @@persist_only.max_connections=5", "write"),
        ("SET tx_isolation = 'SERIALIZABLE'", "session next"),
        ("SET @@transaction_isolation = 'SERIALIZABLE'", "session next"),
        ("SET SESSION tx_isolation = 'SERIALIZABLE'", "session"),
        ("SET @@session.transaction_isolation = 'SERIALIZABLE'", "session"),
        ("SET CHARACTER SET latin1", "session collation"),
        ("SET NAMES DEFAULT", "session collation"),
        ("SET timestamp = 5", "write unknown"),
        ("SET gtid_next = 'AUTOMATIC'", "write unknown"),
        ("SET sql_mode = (SELECT REPLACE(@@sql_mode, 'ONLY_FULL_GROUP_BY', ''))", "session primary"),
        ("SET STATEMENT max_statement_time=1 FOR CALL p()", "write unknown"),
        ("SET STATEMENT max_statement_time=1 FOR UPDATE t SET a = 1", "write"),
        ("SET STATEMENT a=1, b=(SELECT 1) FOR SELECT 2", "read primary"),
        ("SET STATEMENT a=1", "write unknown"),
        ("SET RESOURCE GROUP g", "write unknown"),
        ("SET x = (SELECT a INTO @b FROM t)", "write primary unknown"),
    ]);
}
