//! Loading into a real server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bookstore::check::checksums;
use bookstore::load::{self, Keys, LoadError, LoadOptions, Loaded, Outcome, Progress, Step, loaded};
use bookstore::scale::Scale;
use bookstore::schema::Table;
use mysql_async::OptsBuilder;
use mysql_async::prelude::Queryable;

use crate::server::Server;

const SCALE: Scale = Scale { items: 100, browsers: 1 };

fn options() -> LoadOptions {
    LoadOptions::new(SCALE, 1)
}

async fn load(server: &Server, database: &str, options: LoadOptions) -> Result<load::LoadReport, LoadError> {
    load::load(server.opts(database), options, |_| ()).await
}

async fn sums(server: &Server, database: &str) -> Vec<(String, u64)> {
    checksums(&mut server.connect(database).await).await.expect("checksums")
}

#[tokio::test]
async fn one_seed_gives_equal_tables_whatever_the_way_and_another_does_not() {
    let server = Server::shared().await;
    let first = load(server, "seed_a", options()).await.expect("loaded");
    assert_eq!(first.outcome, Outcome::Loaded);
    let other_way = LoadOptions { threads: 1, keys: Keys::BeforeRows, ..options() };
    load(server, "seed_b", other_way).await.expect("loaded");
    load(server, "seed_c", LoadOptions { seed: 2, ..options() }).await.expect("loaded");
    let (a, b, c) =
        (sums(server, "seed_a").await, sums(server, "seed_b").await, sums(server, "seed_c").await);
    assert_eq!(a.len(), Table::ALL.len());
    assert_eq!(a, b);
    for ((table, one), (_, other)) in a.iter().zip(&c) {
        let alike = ["country", "shopping_cart", "shopping_cart_line"].contains(&table.as_str());
        assert_eq!(one == other, alike, "{table}");
    }
}

#[tokio::test]
async fn the_report_counts_what_is_in_the_tables() {
    let server = Server::shared().await;
    let report = load(server, "counted", options()).await.expect("loaded");
    let mut conn = server.connect("counted").await;
    for table in &report.tables {
        let rows: Option<u64> =
            conn.query_first(format!("SELECT COUNT(*) FROM {}", table.table.name())).await.expect("a count");
        assert_eq!(rows, Some(table.rows), "{}", table.table.name());
    }
    assert_eq!(report.rows, report.tables.iter().map(|table| table.rows).sum::<u64>());
    assert!(report.rows_per_second() > 0.0 && report.bytes > 100 * 10_000);
    let copied: Option<u64> = conn
        .query_first("SELECT COUNT(*) FROM item JOIN tpcw_stock USING (i_id, i_stock)")
        .await
        .expect("a count");
    assert_eq!(copied, Some(100));
}

#[tokio::test]
async fn the_same_load_again_does_nothing_and_another_must_be_asked_to_replace() {
    let server = Server::shared().await;
    load(server, "again", options()).await.expect("loaded");
    let before = sums(server, "again").await;
    let again =
        load(server, "again", LoadOptions { replace: true, ..options() }).await.expect("nothing to do");
    assert_eq!((again.outcome, again.rows), (Outcome::AlreadyThere, 0));

    let other = LoadOptions { seed: 5, ..options() };
    let refused = load(server, "again", other.clone()).await.expect_err("refused");
    assert!(matches!(refused, LoadError::Different { .. }), "{refused}");
    assert!(
        refused.to_string().contains("from seed 1") && refused.to_string().contains("from seed 5"),
        "{refused}"
    );
    assert_eq!(sums(server, "again").await, before);

    let replaced = load(server, "again", LoadOptions { replace: true, ..other }).await.expect("replaced");
    assert_eq!(replaced.outcome, Outcome::Replaced);
    let there = loaded(&mut server.connect("again").await).await.expect("an answer");
    assert_eq!(there, Some(Loaded { scale: SCALE, seed: 5 }));
}

#[tokio::test]
async fn an_interrupted_load_is_found_and_begun_again() {
    let server = Server::shared().await;
    load(server, "whole", options()).await.expect("loaded");
    for rows in [0, 1000] {
        let database = format!("broken_{rows}");
        break_off(server, &database, rows).await;
        assert_eq!(loaded(&mut server.connect(&database).await).await.expect("an answer"), None);
        let report = load(server, &database, options()).await.expect("loaded");
        assert_eq!(report.outcome, Outcome::Restarted, "after {rows} rows");
        assert_eq!(sums(server, &database).await, sums(server, "whole").await, "after {rows} rows");
    }
}

/// Begins a load and drops it when so many rows are in.
async fn break_off(server: &Server, database: &str, rows: u64) {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stop = Mutex::new(Some(stop));
    let tell = move |progress: Progress| {
        if progress.step == Step::Rows && progress.rows >= rows {
            drop(stop.lock().expect("not poisoned").take());
        }
    };
    let opts = server.opts(database);
    let task = tokio::spawn(load::load(opts, LoadOptions { threads: 1, ..options() }, tell));
    stopped.await.expect_err("dropped, not sent");
    task.abort();
    assert!(task.await.expect_err("stopped in the middle").is_cancelled());
}

#[tokio::test]
async fn tables_of_others_are_left_alone() {
    let server = Server::shared().await;
    server.run("CREATE DATABASE others").await;
    server.run("CREATE TABLE others.customer (name TEXT)").await;
    let error = load(server, "others", options()).await.expect_err("refused");
    assert!(matches!(&error, LoadError::Foreign { table } if table == "customer"), "{error}");
    let error = load::ceiling(server.opts("others"), options(), |_| ()).await.expect_err("refused");
    assert!(matches!(error, LoadError::Foreign { .. }), "{error}");
    let replaced =
        load(server, "others", LoadOptions { replace: true, ..options() }).await.expect("as asked");
    assert_eq!(replaced.outcome, Outcome::Replaced);
}

#[tokio::test]
async fn one_load_at_a_time() {
    let server = Server::shared().await;
    let mut other = server.connect("mysql").await;
    let got: Option<u8> = other.query_first("SELECT GET_LOCK('tpcw_load.busy', 0)").await.expect("an answer");
    assert_eq!(got, Some(1));
    let error = load(server, "busy", options()).await.expect_err("refused");
    assert!(matches!(error, LoadError::Busy), "{error}");
}

#[tokio::test]
async fn progress_only_rises_and_ends_with_all_rows() {
    let server = Server::shared().await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&told);
    let tell = move |progress: Progress| sink.lock().expect("not poisoned").push(progress);
    let report = load::load(server.opts("told"), options(), tell).await.expect("loaded");
    let told = told.lock().expect("not poisoned");
    let last = told.last().expect("something told");
    assert_eq!((last.step, last.rows, last.bytes), (Step::Done, report.rows, report.bytes));
    assert_eq!(last.rows_total, report.rows);
    let steps: Vec<_> = told.iter().map(|progress| progress.step).collect();
    assert_eq!((steps[0], steps[1]), (Step::Tables, Step::Rows));
}

#[tokio::test]
async fn the_ceiling_loads_the_same_rows() {
    let server = Server::shared().await;
    load(server, "below", options()).await.expect("loaded");
    let expected = sums(server, "below").await;
    let report = load::ceiling(server.opts("below"), options(), |_| ()).await.expect("loaded");
    assert_eq!((report.outcome, sums(server, "below").await), (Outcome::Replaced, expected));
}

#[tokio::test]
async fn impossible_scales_are_refused_before_anything_is_asked() {
    let nowhere = OptsBuilder::default().ip_or_hostname("127.0.0.1").tcp_port(1).into();
    let options = LoadOptions::new(Scale { items: 5, browsers: 1 }, 1);
    let error = load::load(nowhere, options, |_| ()).await.expect_err("refused");
    assert!(matches!(&error, LoadError::Scale(text) if text.contains("items is 5")), "{error}");
}

#[tokio::test]
async fn a_wrong_password_is_told_with_the_user() {
    let server = Server::shared().await;
    let right = server.opts("mysql");
    let opts = OptsBuilder::from_opts(right.clone()).pass(Some("wrong"));
    let error = load::load(opts.into(), options(), |_| ()).await.expect_err("refused");
    assert!(
        matches!(&error, LoadError::AccessDenied { user, .. } if Some(user.as_str()) == right.user()),
        "{error}"
    );
}

#[tokio::test]
async fn a_target_that_is_down_or_silent_is_told_with_its_address() {
    // Taken and given back: nobody listens there. The other one listens and never answers.
    let closed =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    for port in [closed, silent.local_addr().expect("an address").port()] {
        let opts = OptsBuilder::default().ip_or_hostname("127.0.0.1").tcp_port(port);
        let options = LoadOptions { connect_limit: Duration::from_millis(200), ..options() };
        let error = load::load(opts.into(), options, |_| ()).await.expect_err("no answer");
        let LoadError::Unreachable { address, .. } = &error else { panic!("{error}") };
        assert_eq!(*address, format!("127.0.0.1:{port}"));
    }
}

#[tokio::test]
async fn a_server_without_local_infile_or_without_writes_is_told_so() {
    let server = Server::start(&["local-infile=0"]).await;
    let error = load(&server, "tpcw", options()).await.expect_err("refused");
    assert!(matches!(error, LoadError::LocalInfileOff { .. }), "{error}");
    assert!(error.to_string().contains("SET GLOBAL local_infile = 1"), "{error}");

    server.run("CREATE USER tester IDENTIFIED BY 'word'").await;
    server.run("GRANT ALL ON own.* TO tester").await;
    server.run("CREATE DATABASE own").await;
    let opts = OptsBuilder::from_opts(server.opts("own")).user(Some("tester")).pass(Some("word"));
    let opts: mysql_async::Opts = opts.into();
    server.run("SET GLOBAL read_only = 1").await;
    let error = load::load(opts.clone(), options(), |_| ()).await.expect_err("refused");
    assert!(matches!(error, LoadError::ReadOnly { .. }), "{error}");
    server.run("SET GLOBAL read_only = 0, local_infile = 1").await;
    load::load(opts.clone(), options(), |_| ()).await.expect("rights on one database are enough");

    let elsewhere = OptsBuilder::from_opts(opts).db_name(Some("not_granted"));
    let error = load::load(elsewhere.into(), options(), |_| ()).await.expect_err("refused");
    assert!(matches!(error, LoadError::NotAllowed { .. }), "{error}");
}

#[tokio::test]
async fn a_full_disk_is_told_and_a_second_try_succeeds() {
    // The system tablespace is the disk: it may grow to 24 MB and holds all tables.
    let server =
        Server::start(&["innodb-data-file-path=ibdata1:12M:autoextend:max:24M", "innodb-file-per-table=0"])
            .await;
    let options = LoadOptions::new(Scale { items: 1000, browsers: 10 }, 1);
    let error = load(&server, "tpcw", options.clone()).await.expect_err("no room");
    assert!(matches!(error, LoadError::DiskFull { .. }), "{error}");
    // Room is made: tables get files of their own, and some go from the full one, in which undo logs stay. The server frees what was rolled
    // back or dropped behind its clients' backs.
    server.run("SET GLOBAL innodb_file_per_table = 1").await;
    settled(&server).await;
    server.run("DROP TABLE tpcw.order_line, tpcw.customer").await;
    settled(&server).await;
    let second = load(&server, "tpcw", options).await.expect("enough room");
    assert_eq!(second.outcome, Outcome::Restarted);
}

/// Waits until nothing is left to roll back or to purge.
async fn settled(server: &Server) {
    // The server answers from what it last looked up as long as it is asked more than once in 100 ms.
    const LOOK: Duration = Duration::from_millis(150);
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        let mut conn = server.connect("tpcw").await;
        let open = "SELECT COUNT(*) FROM information_schema.innodb_trx";
        while conn.query_first::<u64, _>(open).await.expect("an answer") != Some(0) {
            tokio::time::sleep(LOOK).await;
        }
        conn.query_drop("SET GLOBAL innodb_max_purge_lag_wait = 0").await.expect("purged");
    });
    waited.await.expect("rolled back and purged");
}

#[tokio::test]
async fn rows_that_the_server_bends_are_not_taken_for_loaded() {
    let server = Server::shared().await;
    let admin = server.opts("mysql");
    // As soon as the tables are there, one gets too narrow. LOCAL would cut the names off with a warning.
    let tell = move |progress: Progress| {
        if progress.step == Step::Rows && progress.rows == 0 {
            let narrow = "ALTER TABLE bent.country MODIFY co_name VARCHAR(6) NOT NULL";
            elsewhere(admin.clone(), narrow);
        }
    };
    let error = load::load(server.opts("bent"), options(), tell).await.expect_err("not as sent");
    let LoadError::Rejected { table, sent, warning, .. } = &error else { panic!("{error}") };
    assert_eq!((*table, *sent), ("country", 92));
    assert!(warning.contains("co_name"), "{warning}");
    assert_eq!(loaded(&mut server.connect("bent").await).await.expect("an answer"), None);
}

/// Runs a statement from another thread, and waits for it.
fn elsewhere(opts: mysql_async::Opts, sql: &'static str) {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut conn = mysql_async::Conn::new(opts).await.expect("a connection");
            conn.query_drop(sql).await.expect(sql);
        });
    };
    std::thread::spawn(run).join().expect("no panic");
}
