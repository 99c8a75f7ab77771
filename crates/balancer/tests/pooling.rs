//! Many clients over few node connections: who gets one, who waits, what is kept apart, what is shown of it.

mod nodes;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use balancer::config::{AccountLimits, Config};
use balancer::telemetry::Meter;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row};
use nodes::{Front, Node, eventually, opts};

fn meter(front: &Front) -> Arc<Meter> {
    front.view.load().nodes[0].meter.clone()
}

/// So many threads, so many connections to a node.
fn few(workers: usize, max: usize) -> impl FnOnce(&mut Config) {
    move |config| (config.workers, config.pool.max) = (workers, max)
}

fn code(error: Error) -> u16 {
    match error {
        Error::Server(error) => error.code,
        other => panic!("{other}"),
    }
}

/// Connections of the clients' account, in the node's words.
async fn at_node(root: &mut Conn) -> usize {
    let sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'shop'";
    root.query_first(sql).await.unwrap().unwrap()
}

#[tokio::test]
async fn the_limit_is_the_nodes_and_moves_to_the_thread_that_needs_it() {
    let server = Node::start(1).await;
    let front = Front::start_with(&[&server], few(4, 4));
    let mut root = server.root().await;
    let mut clients = Vec::new();
    for _ in 0..16 {
        clients.push(front.client().await);
    }
    // Clients are given to the thread with the fewest sessions: in turns.
    for first in [0, 1, 0] {
        let chosen: Vec<usize> = (0..4).map(|n| if first == 0 { n * 4 } else { n }).collect();
        for at in &chosen {
            clients[*at].query_drop("BEGIN").await.unwrap();
            clients[*at].query_drop("SELECT 1").await.unwrap();
        }
        assert!(meter(&front).connections.load(Relaxed) <= 4);
        // One that was closed for another thread's sake may be on the node's list for a moment longer.
        eventually("one thread, or four, use all there are", async || at_node(&mut root).await == 4).await;
        for at in &chosen {
            clients[*at].query_drop("ROLLBACK").await.unwrap();
        }
    }
    assert!(meter(&front).connections.load(Relaxed) <= 4);
}

#[tokio::test]
async fn who_came_first_is_served_first() {
    let server = Node::start(1).await;
    let front = Front::start_with(&[&server], few(1, 1));
    let mut holder = front.client().await;
    holder.query_drop("CREATE TABLE served (id INT AUTO_INCREMENT PRIMARY KEY, who INT)").await.unwrap();
    let mut waiters = Vec::new();
    for who in 0..20 {
        waiters.push((who, front.client().await));
    }
    holder.query_drop("BEGIN").await.unwrap();
    let meter = meter(&front);
    let mut tasks = Vec::new();
    for (who, mut waiter) in waiters {
        tasks.push(tokio::spawn(async move {
            waiter.query_drop(format!("INSERT INTO served (who) VALUES ({who})")).await.unwrap();
        }));
        eventually("it stands in line", async || meter.waiting.load(Relaxed) == who + 1).await;
    }
    holder.query_drop("COMMIT").await.unwrap();
    for task in tasks {
        task.await.unwrap();
    }
    let order: Vec<u32> = holder.query("SELECT who FROM served ORDER BY id").await.unwrap();
    assert_eq!(order, (0..20).collect::<Vec<_>>());
    assert_eq!((meter.waiting.load(Relaxed), meter.waited.snapshot().count()), (0, 20));
    assert_eq!(meter.opened.load(Relaxed), 1);
}

#[tokio::test]
async fn who_waits_too_long_is_told_and_nobody_is_worse_off() {
    let server = Node::start(1).await;
    let front = Front::start_with(&[&server], |config| {
        few(2, 1)(config);
        config.pool.wait_ms = 100;
    });
    let (mut holder, mut other) = (front.client().await, front.client().await);
    holder.query_drop("BEGIN").await.unwrap();
    let error = other.query_drop("SELECT 1").await.unwrap_err();
    let text = error.to_string();
    assert_eq!(code(error), 1040);
    assert!(text.contains("all 1 connections to n1 are in use"), "{text}");
    assert_eq!(meter(&front).wait_timeouts.load(Relaxed), 1);
    holder.query_drop("COMMIT").await.unwrap();
    other.query_drop("SELECT 1").await.expect("the other thread has given it up");
    drop(holder);
    assert_eq!(meter(&front).waiting.load(Relaxed), 0);
}

#[tokio::test]
async fn an_account_at_its_limit_does_not_hold_up_the_others() {
    let server = Node::start(1).await;
    let front = Front::start_with(&[&server], |config| {
        few(1, 3)(config);
        let limits = AccountLimits { clients: None, node_connections: Some(1) };
        config.limits.accounts.insert("shop".into(), limits);
    });
    let (mut holder, mut waiter) = (front.client().await, front.client().await);
    let mut root = Conn::new(opts(front.port(), "root", "")).await.unwrap();
    holder.query_drop("BEGIN").await.unwrap();
    let waiting = tokio::spawn(async move { waiter.query_first::<u32, _>("SELECT 7").await });
    let meter = meter(&front);
    eventually("the second waits", async || meter.waiting.load(Relaxed) == 1).await;
    let told: Option<u32> = root.query_first("SELECT 8").await.unwrap();
    assert_eq!(told, Some(8), "another account passes by");
    assert_eq!(meter.waiting.load(Relaxed), 1);
    holder.query_drop("COMMIT").await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), Some(7));
    let mut direct = server.root().await;
    assert_eq!(at_node(&mut direct).await, 1);
}

#[tokio::test]
async fn a_session_leaves_nothing_behind_and_its_connection_lives_on() {
    let server = Node::start(1).await;
    let front = Front::start_with(&[&server], few(1, 1));
    let mut other = front.client().await;
    other.query_drop("CREATE TABLE kept (id INT)").await.unwrap();
    let mut one = front.client().await;
    for sql in [
        "SET @x = (SELECT 5)",
        "CREATE TEMPORARY TABLE passing (id INT)",
        "DO GET_LOCK('door', 0)",
        "SET SESSION group_concat_max_len = 7",
        "BEGIN",
        "INSERT INTO kept VALUES (1)",
    ] {
        one.query_drop(sql).await.unwrap();
    }
    one.disconnect().await.unwrap();
    let told: Option<(Option<i64>, i64, i64, i64)> = other
        .query_first("SELECT @x, IS_FREE_LOCK('door'), @@group_concat_max_len, (SELECT COUNT(*) FROM kept)")
        .await
        .unwrap();
    assert_eq!(told, Some((None, 1, 1_048_576, 0)));
    let error = other.query_drop("SELECT * FROM passing").await.unwrap_err();
    assert_eq!(code(error), 1146);
    let meter = meter(&front);
    assert_eq!((meter.opened.load(Relaxed), meter.resets.load(Relaxed)), (1, 1));
}

#[tokio::test]
async fn user_variables_that_are_literals_go_where_the_session_goes() {
    let server = Node::start(1).await;
    let front = Front::start_with(&[&server], few(1, 1));
    let (mut a, mut b) = (front.client().await, front.client().await);
    a.query_drop("SET @v = 'a''s', @N := -1.5").await.unwrap();
    b.query_drop("SET @v = 'b', @only_b = 2, time_zone = '+02:00'").await.unwrap();
    for _ in 0..3 {
        let told: Option<(String, String, Option<i64>)> =
            a.query_first("SELECT @v, CAST(@n AS CHAR), @only_b").await.unwrap();
        assert_eq!(told, Some(("a's".into(), "-1.5".into(), None)));
        let told: Option<(String, Option<f64>, i64, String)> =
            b.exec_first("SELECT @v, @n, @only_b, @@time_zone", ()).await.unwrap();
        assert_eq!(told, Some(("b".into(), None, 2, "+02:00".into())));
    }
    let pinned: Vec<Row> = pinned(&mut a).await;
    assert!(pinned.is_empty(), "{pinned:?}");
    // One that was another session's looks like one that was never set.
    let mut direct = Conn::new(server.shop()).await.unwrap();
    let mut kinds = Vec::new();
    for client in [&mut a, &mut direct] {
        let result = client.query_iter("SELECT @only_b").await.unwrap();
        let column = &result.columns_ref()[0];
        kinds.push((column.column_type(), column.character_set(), column.flags()));
        result.drop_result().await.unwrap();
    }
    assert_eq!(kinds[0], kinds[1]);
    // Set from something else they tie; and so do texts once the character set changes under them.
    a.query_drop("SET @n = @n + 1").await.unwrap();
    assert_eq!(self::pinned(&mut a).await.len(), 1);
    a.reset().await.unwrap();
    b.query_drop("SET NAMES latin1").await.unwrap();
    let told: Option<(String, String)> = b.query_first("SELECT @v, CHARSET(@v)").await.unwrap();
    assert_eq!(told, Some(("b".into(), "utf8mb4".into())), "as it was set");
    let rows = self::pinned(&mut b).await;
    assert_eq!(rows[0].get::<String, _>("pinned_by").unwrap(), "user variables");
}

/// The sessions that are pinned.
async fn pinned(client: &mut Conn) -> Vec<Row> {
    let rows: Vec<Row> = client.query("SHOW tpcw SESSIONS").await.unwrap();
    rows.into_iter().filter(|row| row.get::<String, _>("pinned_by").unwrap() != "").collect()
}

#[tokio::test]
async fn what_pins_a_session_is_shown_with_the_statement_that_did_it() {
    let server = Node::start(1).await;
    let front = Front::start_with(&[&server], few(2, 20));
    let mut watcher = front.client().await;
    let mut clients = Vec::new();
    for (sql, cause) in [
        ("BEGIN", "transaction"),
        ("SELECT @a := 1", "user variables"),
        ("CREATE TEMPORARY TABLE t (id INT)", "temporary tables"),
        ("SELECT GET_LOCK('l', 0)", "locks"),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "settings of the next transaction"),
        ("HANDLER nothing OPEN", "a statement with unknown effects"),
        ("SET time_zone = '+01:00', @a = 1", ""),
        ("SELECT 1", ""),
    ] {
        let mut client = front.client().await;
        let _ = client.query_drop(sql).await;
        clients.push((client, sql, cause));
    }
    let rows: Vec<Row> = watcher.query("SHOW tpcw SESSIONS").await.unwrap();
    assert_eq!(rows.len(), clients.len() + 1);
    for (client, sql, cause) in &clients {
        let row = rows.iter().find(|row| row.get::<u32, _>("id").unwrap() == client.id()).unwrap();
        let told = |column| row.get::<String, _>(column).unwrap();
        let statement = if cause.is_empty() { "" } else { *sql };
        assert_eq!((told("pinned_by").as_str(), told("statement").as_str()), (*cause, statement), "{sql}");
        assert_eq!(told("account"), "shop");
        assert_eq!(told("node"), if cause.is_empty() { "" } else { "n1" });
    }
    let status: Row = watcher.query_first("SHOW tpcw STATUS").await.unwrap().unwrap();
    let told: String = status.get("pinned_by").unwrap();
    assert!(told.contains("temporary tables 1") && told.contains("transaction 1"), "{told}");
    clients[0].0.query_drop("COMMIT").await.unwrap();
    assert!(
        pinned(&mut watcher).await.iter().all(|row| row.get::<String, _>("statement").unwrap() != "BEGIN")
    );
}

#[tokio::test]
async fn a_minimum_is_kept_warm_and_the_old_are_replaced() {
    let server = Node::start(1).await;
    let front = Front::start_with(&[&server], |config| {
        few(2, 6)(config);
        (config.pool.min, config.pool.age_ms, config.pool.idle_ms) = (3, 1500, 100);
    });
    let mut root = server.root().await;
    let mut client = front.client().await;
    let meter = meter(&front);
    let mut busy = Vec::new();
    for _ in 0..6 {
        let mut one = front.client().await;
        one.query_drop("BEGIN").await.unwrap();
        busy.push(one);
    }
    for mut one in busy {
        one.query_drop("COMMIT").await.unwrap();
    }
    eventually("those beyond the minimum are closed", async || at_node(&mut root).await == 3).await;
    let opened = meter.opened.load(Relaxed);
    eventually("the old ones are replaced", async || meter.opened.load(Relaxed) >= opened + 3).await;
    eventually("and there are three again", async || at_node(&mut root).await == 3).await;
    client.query_drop("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn three_hundred_clients_share_eight_connections() {
    let server = Node::start(1).await;
    let front = Front::start_with(&[&server], |config| {
        few(3, 8)(config);
        config.pool.wait_ms = 60_000;
    });
    let mut tasks = Vec::new();
    for client in 0..300u64 {
        let mut conn = front.client().await;
        tasks.push(tokio::spawn(async move {
            for round in 0..10 {
                let token = client * 100 + round;
                let told: Option<u64> = match token % 3 {
                    0 => conn.query_first(format!("SELECT {token}")).await.unwrap(),
                    1 => conn.exec_first("SELECT ?", (token,)).await.unwrap(),
                    _ => {
                        conn.query_drop(format!("SET @mine = {token}")).await.unwrap();
                        conn.query_first("SELECT @mine").await.unwrap()
                    }
                };
                assert_eq!(told, Some(token));
            }
            conn
        }));
    }
    let mut root = server.root().await;
    let mut most = 0;
    let done = AtomicBool::new(false);
    let all = async {
        for task in tasks {
            task.await.expect("all answers right");
        }
        done.store(true, Relaxed);
    };
    let watch = async {
        while !done.load(Relaxed) {
            most = most.max(at_node(&mut root).await);
        }
    };
    tokio::join!(all, watch);
    assert!((1..=8).contains(&most), "{most}");
}

#[tokio::test]
async fn a_big_result_at_full_speed_leaves_room_for_others_on_its_thread() {
    let server = Node::start(1).await;
    let front = Front::start_with(&[&server], few(1, 4));
    let (mut big, mut small) = (front.client().await, front.client().await);
    small.query_drop("SELECT 1").await.unwrap();
    let rows = Arc::new(AtomicU64::new(0));
    let counted = rows.clone();
    let reading = tokio::spawn(async move {
        let mut result = big.query_iter("SELECT REPEAT('x', 65536) FROM seq_1_to_4096").await.unwrap();
        while let Some(row) = result.next().await.unwrap() {
            assert_eq!(row.as_ref(0).map(|text| text.as_sql(true).len()), Some(65_538));
            counted.fetch_add(1, Relaxed);
        }
    });
    eventually("the big one is on its way", async || rows.load(Relaxed) > 0).await;
    let mut answered = 0;
    while !reading.is_finished() {
        small.query_drop("SELECT 1").await.unwrap();
        answered += 1;
    }
    reading.await.unwrap();
    assert_eq!(rows.load(Relaxed), 4096);
    assert!(answered >= 20, "{answered} statements while 256 MiB went by");
}
