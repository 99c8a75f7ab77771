// MariaDB Connector/J: text and binary protocol, batches, cursors, procedures, keys, time zones, addresses with several hosts.
// Usage: java -cp mariadb-java-client.jar Jdbc.java HOST PORT USER PASSWORD; prints TAP.

import java.io.ByteArrayInputStream;
import java.io.StringReader;
import java.math.BigDecimal;
import java.sql.*;
import java.util.*;

public class Jdbc {
    interface Case {
        void run(Connection c) throws Exception;
    }

    static String host, port, user, password;
    static final Map<String, Case> CASES = new LinkedHashMap<>();

    static Connection open(String options) throws SQLException {
        return open("jdbc:mariadb:", host + ":" + port, options);
    }

    static Connection open(String scheme, String hosts, String options) throws SQLException {
        return DriverManager.getConnection(scheme + "//" + hosts + "/test?" + options, user, password);
    }

    static void same(Object expected, Object found) {
        if (!Objects.deepEquals(expected, found)) throw new AssertionError("expected " + expected + ", found " + found);
    }

    static void with(String options, Case run) throws Exception {
        try (Connection c = open(options)) {
            run.run(c);
        }
    }

    static void run(Connection c, String... texts) throws SQLException {
        try (Statement s = c.createStatement()) {
            for (String text : texts) s.execute(text);
        }
    }

    static long number(Connection c, String text) throws SQLException {
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(text)) {
            r.next();
            return r.getLong(1);
        }
    }

    static void types(Connection c) throws Exception {
        run(c, "CREATE OR REPLACE TABLE j_types (i INT, b BIGINT UNSIGNED, d DECIMAL(20,5), f DOUBLE, t DATETIME(6), day DATE, h TIME(3), x BLOB, s TEXT CHARACTER SET utf8mb4, n INT, bit BIT(9))");
        Timestamp time = Timestamp.valueOf("2024-02-29 12:34:56.123456");
        try (PreparedStatement p = c.prepareStatement("INSERT INTO j_types VALUES (?,?,?,?,?,?,?,?,?,?,b'100000001')")) {
            p.setInt(1, -5);
            p.setObject(2, new java.math.BigInteger("18446744073709551615"));
            p.setBigDecimal(3, new BigDecimal("-12345.67890"));
            p.setDouble(4, 1.5e300);
            p.setTimestamp(5, time);
            p.setDate(6, java.sql.Date.valueOf("1999-12-31"));
            p.setString(7, "-25:10:11.123");
            p.setBytes(8, new byte[] {0, -1, 39, 92});
            p.setString(9, "žluťoučký 🐎 '\\");
            p.setNull(10, Types.INTEGER);
            same(1, p.executeUpdate());
        }
        try (PreparedStatement p = c.prepareStatement("SELECT * FROM j_types WHERE i = ?")) {
            p.setInt(1, -5);
            try (ResultSet r = p.executeQuery()) {
                r.next();
                same(new java.math.BigInteger("18446744073709551615"), r.getObject(2));
                same(new BigDecimal("-12345.67890"), r.getBigDecimal(3));
                same(1.5e300, r.getDouble(4));
                same(time, r.getTimestamp(5));
                same("1999-12-31", r.getDate(6).toString());
                same(true, Arrays.equals(new byte[] {0, -1, 39, 92}, r.getBytes(8)));
                same("žluťoučký 🐎 '\\", r.getString(9));
                r.getInt(10);
                same(true, r.wasNull());
                same("j_types", r.getMetaData().getTableName(1));
            }
        }
    }

    static void batch(Connection c) throws Exception {
        run(c, "CREATE OR REPLACE TABLE j_batch (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(50))");
        try (PreparedStatement p = c.prepareStatement("INSERT INTO j_batch (a, b) VALUES (?, ?)", Statement.RETURN_GENERATED_KEYS)) {
            for (int n = 0; n < 3000; n++) {
                p.setInt(1, n);
                p.setString(2, n % 7 == 0 ? null : "row " + n);
                p.addBatch();
            }
            same(3000, p.executeBatch().length);
        }
        same(3000L, number(c, "SELECT COUNT(DISTINCT a) FROM j_batch"));
        same(429L, number(c, "SELECT COUNT(*) FROM j_batch WHERE b IS NULL"));
        try (Statement s = c.createStatement()) {
            for (int n = 0; n < 50; n++) s.addBatch("UPDATE j_batch SET b = 'changed' WHERE a = " + n);
            for (int count : s.executeBatch()) same(1, count);
        }
    }

    static void cursor(Connection c) throws Exception {
        try (PreparedStatement p = c.prepareStatement("SELECT seq, CONCAT('row ', seq) FROM seq_1_to_20000")) {
            p.setFetchSize(100);
            long rows = 0, sum = 0;
            try (ResultSet r = p.executeQuery()) {
                while (r.next()) {
                    rows++;
                    sum += r.getLong(1);
                }
            }
            same(20000L, rows);
            same(200010000L, sum);
        }
        try (Statement s = c.createStatement()) {
            s.setFetchSize(10);
            try (ResultSet r = s.executeQuery("SELECT seq FROM seq_1_to_5000")) {
                for (int n = 0; n < 15; n++) r.next();
            }
        }
        same(1L, number(c, "SELECT 1"));
    }

    static void procedures(Connection c) throws Exception {
        run(c, "CREATE OR REPLACE PROCEDURE j_p(IN a INT, OUT b INT, INOUT d VARCHAR(50)) BEGIN SELECT a AS x UNION SELECT a + 1; SELECT 'second' AS y; SET b = a * 10; SET d = CONCAT(d, '!'); END",
            "CREATE OR REPLACE FUNCTION j_f(a INT) RETURNS INT DETERMINISTIC RETURN a * 3");
        for (int round = 0; round < 3; round++) {
            try (CallableStatement p = c.prepareCall("{call j_p(?, ?, ?)}")) {
                p.setInt(1, 4 + round);
                p.registerOutParameter(2, Types.INTEGER);
                p.setString(3, "in");
                p.registerOutParameter(3, Types.VARCHAR);
                same(true, p.execute());
                try (ResultSet r = p.getResultSet()) {
                    r.next();
                    same(4 + round, r.getInt(1));
                    r.next();
                    same(5 + round, r.getInt(1));
                }
                same(true, p.getMoreResults());
                same(10 * (4 + round), p.getInt(2));
                same("in!", p.getString(3));
            }
            try (CallableStatement f = c.prepareCall("{? = call j_f(?)}")) {
                f.registerOutParameter(1, Types.INTEGER);
                f.setInt(2, 7);
                f.execute();
                same(21, f.getInt(1));
            }
        }
    }

    static void keys(Connection c) throws Exception {
        run(c, "CREATE OR REPLACE TABLE j_keys (id INT AUTO_INCREMENT PRIMARY KEY, a INT)");
        for (int round = 1; round <= 3; round++) {
            try (PreparedStatement p = c.prepareStatement("INSERT INTO j_keys (a) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
                p.setInt(1, round);
                p.executeUpdate();
                try (ResultSet r = p.getGeneratedKeys()) {
                    r.next();
                    same((long) round, r.getLong(1));
                }
            }
            same((long) round, number(c, "SELECT LAST_INSERT_ID()"));
            same((long) round, number(c, "SELECT COUNT(*) FROM j_keys"));
        }
        try (PreparedStatement p = c.prepareStatement("INSERT INTO j_keys (a) VALUES (9), (10) RETURNING id"); ResultSet r = p.executeQuery()) {
            r.next();
            same(4, r.getInt(1));
        }
    }

    static void transactions(Connection c) throws Exception {
        run(c, "CREATE OR REPLACE TABLE j_tx (a INT PRIMARY KEY)");
        for (int level : new int[] {Connection.TRANSACTION_READ_COMMITTED, Connection.TRANSACTION_REPEATABLE_READ, Connection.TRANSACTION_SERIALIZABLE}) {
            c.setTransactionIsolation(level);
            same(level, c.getTransactionIsolation());
            c.setAutoCommit(false);
            run(c, "INSERT INTO j_tx VALUES (" + level * 10 + ")");
            Savepoint mark = c.setSavepoint("mark");
            run(c, "INSERT INTO j_tx VALUES (" + (level * 10 + 1) + ")");
            c.rollback(mark);
            c.commit();
            run(c, "DELETE FROM j_tx");
            c.rollback();
            c.setAutoCommit(true);
        }
        same(3L, number(c, "SELECT COUNT(*) FROM j_tx"));
        c.setReadOnly(true);
        same(3L, number(c, "SELECT COUNT(*) FROM j_tx"));
        c.setReadOnly(false);
        run(c, "INSERT INTO j_tx VALUES (99)");
    }

    static void many(Connection unused) throws Exception {
        with("allowMultiQueries=true", c -> {
            try (Statement s = c.createStatement()) {
                same(true, s.execute("SELECT 1; DO 2; SELECT 3; CREATE OR REPLACE TABLE j_many (a INT); INSERT INTO j_many VALUES (5); SELECT a FROM j_many"));
                List<Integer> seen = new ArrayList<>();
                boolean result = true;
                while (result || s.getUpdateCount() != -1) {
                    if (result) {
                        ResultSet r = s.getResultSet();
                        r.next();
                        seen.add(r.getInt(1));
                    }
                    result = s.getMoreResults();
                }
                same(List.of(1, 3, 5), seen);
            }
        });
    }

    static void zones(Connection unused) throws Exception {
        with("sessionVariables=time_zone='%2B05:00'&serverTimezone=%2B05:00".replace("%2B", "+"), c -> {
            for (int n = 0; n < 20; n++) same("+05:00", text(c, "SELECT @@session.time_zone"));
            run(c, "CREATE OR REPLACE TABLE j_zone (t TIMESTAMP)");
            try (PreparedStatement p = c.prepareStatement("INSERT INTO j_zone VALUES (?)")) {
                p.setTimestamp(1, new Timestamp(86_400_000L * 365));
                p.executeUpdate();
            }
            same("1971-01-01 05:00:00", text(c, "SELECT CAST(t AS CHAR) FROM j_zone"));
            same(86_400L * 365, number(c, "SELECT UNIX_TIMESTAMP(t) FROM j_zone"));
        });
    }

    static String text(Connection c, String query) throws SQLException {
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(query)) {
            r.next();
            return r.getString(1);
        }
    }

    static void hosts(Connection unused) throws Exception {
        String two = host + ":" + port + "," + host + ":" + port;
        for (String scheme : new String[] {"jdbc:mariadb:sequential:", "jdbc:mariadb:replication:", "jdbc:mariadb:loadbalance:", "jdbc:mariadb:failover:"}) {
            try (Connection c = open(scheme, two, "connectTimeout=5000")) {
                run(c, "CREATE OR REPLACE TABLE j_hosts (a INT)", "INSERT INTO j_hosts VALUES (1)");
                same(1L, number(c, "SELECT COUNT(*) FROM j_hosts"));
                c.setReadOnly(true);
                same(1L, number(c, "SELECT 1"));
                c.setReadOnly(false);
                run(c, "INSERT INTO j_hosts VALUES (2)");
            }
        }
    }

    static void streams(Connection c) throws Exception {
        run(c, "CREATE OR REPLACE TABLE j_big (id INT, a LONGBLOB, t LONGTEXT)");
        byte[] big = new byte[18 << 20];
        new Random(1).nextBytes(big);
        String text = "é".repeat(1 << 20);
        try (PreparedStatement p = c.prepareStatement("INSERT INTO j_big VALUES (1, ?, ?)")) {
            p.setBinaryStream(1, new ByteArrayInputStream(big));
            p.setCharacterStream(2, new StringReader(text));
            p.executeUpdate();
        }
        try (PreparedStatement p = c.prepareStatement("SELECT a, t FROM j_big WHERE id = 1"); ResultSet r = p.executeQuery()) {
            r.next();
            same(true, Arrays.equals(big, r.getBytes(1)));
            same(text, r.getString(2));
        }
    }

    static void refused(Connection c) throws Exception {
        String[][] wrong = {{"SELEC 1", "1064", "42000"}, {"SELECT * FROM j_none", "1146", "42S02"}, {"SELECT none", "1054", "42S22"}};
        for (String[] one : wrong) {
            try {
                run(c, one[0]);
                throw new AssertionError(one[0] + " was accepted");
            } catch (SQLException error) {
                same(one[1], String.valueOf(error.getErrorCode()));
                same(one[2], error.getSQLState());
            }
        }
        try {
            DriverManager.getConnection("jdbc:mariadb://" + host + ":" + port + "/test", user, "wrong").close();
            throw new AssertionError("a wrong password was accepted");
        } catch (SQLException error) {
            same(1045, error.getErrorCode());
        }
        same(1L, number(c, "SELECT 1"));
    }

    static void timeouts(Connection c) throws Exception {
        try (Statement s = c.createStatement()) {
            s.setQueryTimeout(1);
            try {
                s.executeQuery("SELECT SLEEP(20)");
                throw new AssertionError("the statement was not ended");
            } catch (SQLTimeoutException expected) {
                same(1L, number(c, "SELECT 1"));
            }
        }
    }

    static void cancel(Connection c) throws Exception {
        try (Statement s = c.createStatement()) {
            Thread other = new Thread(() -> {
                try {
                    Thread.sleep(500);
                    s.cancel();
                } catch (Exception error) {
                    error.printStackTrace();
                }
            });
            other.start();
            long begun = System.nanoTime();
            try {
                s.executeQuery("SELECT SLEEP(20)");
            } catch (SQLException expected) {
                same(true, expected.getErrorCode() == 1317 || expected.getErrorCode() == 1969);
            }
            other.join();
            same(true, System.nanoTime() - begun < 15_000_000_000L);
        }
    }

    static void metadata(Connection c) throws Exception {
        run(c, "CREATE OR REPLACE TABLE j_meta (id INT PRIMARY KEY, a VARCHAR(10) NOT NULL DEFAULT 'x', UNIQUE KEY u (a))");
        DatabaseMetaData meta = c.getMetaData();
        same(true, meta.getDatabaseProductVersion().contains("MariaDB"));
        int columns = 0;
        try (ResultSet r = meta.getColumns("test", null, "j_meta", "%")) {
            while (r.next()) columns++;
        }
        same(2, columns);
        try (ResultSet r = meta.getPrimaryKeys("test", null, "j_meta")) {
            same(true, r.next());
        }
        c.setCatalog("compat");
        same("compat", c.getCatalog());
        c.setCatalog("test");
        same(true, c.isValid(5));
    }

    static void variables(Connection c) throws Exception {
        run(c, "SET @a = 5, @b = 'text', sql_mode = 'ANSI_QUOTES', @@session.group_concat_max_len = 77");
        for (int n = 0; n < 10; n++) {
            same("5text", text(c, "SELECT CONCAT(@a, @b)"));
            same(77L, number(c, "SELECT @@group_concat_max_len"));
            same("ANSI_QUOTES", text(c, "SELECT @@sql_mode"));
        }
        run(c, "CREATE TEMPORARY TABLE j_temp (a INT)", "INSERT INTO j_temp VALUES (1), (2)");
        same(2L, number(c, "SELECT COUNT(*) FROM j_temp"));
        same(1L, number(c, "SELECT GET_LOCK('j_lock', 5)"));
        same(1L, number(c, "SELECT IS_USED_LOCK('j_lock') IS NOT NULL"));
        same(1L, number(c, "SELECT RELEASE_LOCK('j_lock')"));
    }

    static void updatable(Connection c) throws Exception {
        run(c, "CREATE OR REPLACE TABLE j_up (id INT PRIMARY KEY, a INT)", "INSERT INTO j_up VALUES (1, 1), (2, 2)");
        try (Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE);
                ResultSet r = s.executeQuery("SELECT id, a FROM j_up ORDER BY id")) {
            r.absolute(2);
            r.updateInt(2, 20);
            r.updateRow();
            r.moveToInsertRow();
            r.updateInt(1, 3);
            r.updateInt(2, 30);
            r.insertRow();
        }
        same(51L, number(c, "SELECT SUM(a) FROM j_up"));
    }

    public static void main(String[] arguments) throws Exception {
        host = arguments[0];
        port = arguments[1];
        user = arguments[2];
        password = arguments[3];
        Class.forName("org.mariadb.jdbc.Driver");
        String[] modes = {"", "useServerPrepStmts=true", "useServerPrepStmts=true&cachePrepStmts=true&useBulkStmts=true",
            "rewriteBatchedStatements=true", "useCompression=true"};
        for (String mode : modes) {
            String name = mode.isEmpty() ? "text" : mode;
            CASES.put(name + ": types", c -> with(mode, Jdbc::types));
            CASES.put(name + ": batches", c -> with(mode, Jdbc::batch));
            CASES.put(name + ": fetch size", c -> with(mode, Jdbc::cursor));
            CASES.put(name + ": procedures", c -> with(mode, Jdbc::procedures));
            CASES.put(name + ": generated keys", c -> with(mode, Jdbc::keys));
            CASES.put(name + ": transactions", c -> with(mode, Jdbc::transactions));
            CASES.put(name + ": long values from streams", c -> with(mode, Jdbc::streams));
        }
        CASES.put("many statements in one query", Jdbc::many);
        CASES.put("time zone of the session", Jdbc::zones);
        CASES.put("addresses with several hosts", Jdbc::hosts);
        CASES.put("errors are those of the server", Jdbc::refused);
        CASES.put("time-out of a statement", Jdbc::timeouts);
        CASES.put("cancel of a statement", Jdbc::cancel);
        CASES.put("metadata", Jdbc::metadata);
        CASES.put("session state", Jdbc::variables);
        CASES.put("updatable result", Jdbc::updatable);
        int number = 0;
        System.out.println("1.." + CASES.size());
        for (Map.Entry<String, Case> one : CASES.entrySet()) {
            number++;
            try (Connection c = open("socketTimeout=60000")) {
                one.getValue().run(c);
                System.out.println("ok " + number + " - " + one.getKey());
            } catch (Throwable error) {
                System.out.println("not ok " + number + " - " + one.getKey() + " # because: " + String.valueOf(error.getMessage()).split("\n")[0]);
            }
        }
        System.exit(0);
    }
}
