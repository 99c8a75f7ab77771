//! What sessions are promised of their reads, on real nodes of which some are behind.

mod nodes;
mod steering;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use balancer::config::{Consistency, Listener};
use balancer::server;
use balancer::telemetry::freshness::BEHIND_MS;
use balancer::view::{NodeState, Strategy};
use cluster::LocalCluster;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row};
use nodes::{Front, Node, opts};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A primary and so many replicas that follow it, with a table of one row that all have, and one that tells whose it is.
async fn followed(replicas: u32) -> Vec<Node> {
    let mut nodes = vec![Node::start(1).await];
    for number in 2..=1 + replicas {
        let node = Node::start(number).await;
        node.follow(&nodes[0]).await;
        nodes.push(node);
    }
    let mut n1 = nodes[0].root().await;
    n1.query_drop("CREATE TABLE tpcw.t (id INT PRIMARY KEY, n INT)").await.unwrap();
    n1.query_drop("INSERT INTO tpcw.t VALUES (1, 0)").await.unwrap();
    for node in &nodes[1..] {
        catch_up(&nodes[0], node).await;
    }
    for (at, node) in nodes.iter().enumerate() {
        let mut root = node.root().await;
        let sign = format!("INSERT INTO tpcw.who VALUES ({})", at + 1);
        for sql in ["SET sql_log_bin=0", "CREATE TABLE tpcw.who (node INT)", sign.as_str()] {
            root.query_drop(sql).await.unwrap();
        }
    }
    nodes
}

async fn position(node: &Node) -> String {
    node.root().await.query_first("SELECT @@global.gtid_current_pos").await.unwrap().unwrap()
}

async fn catch_up(primary: &Node, node: &Node) {
    let wait = format!("SELECT MASTER_GTID_WAIT('{}', 20)", position(primary).await);
    let applied: Option<i64> = node.root().await.query_first(wait).await.unwrap();
    assert_eq!(applied, Some(0), "the replica catches up");
}

/// Stops or starts what applies on a replica; it goes on receiving.
async fn apply(node: &Node, on: bool) {
    let sql = if on { "START SLAVE SQL_THREAD" } else { "STOP SLAVE SQL_THREAD" };
    node.root().await.query_drop(sql).await.unwrap();
}

/// What a probe of each node would tell, told by hand: nothing probes here.
async fn probe(front: &Front, nodes: &[Node]) {
    for (view, node) in front.view.load_full().nodes.iter().zip(nodes) {
        let began = Instant::now();
        view.meter.learned(&position(node).await.parse().unwrap());
        view.meter.probed.store(Some(Arc::new(began)));
    }
}

/// The value that a session reads, and the number of the node that answers.
async fn read(client: &mut Conn) -> (i32, u32) {
    client.query_first("SELECT n, node FROM t, who WHERE id=1").await.unwrap().unwrap()
}

async fn write(client: &mut Conn, n: i32) {
    client.query_drop(format!("UPDATE t SET n={n} WHERE id=1")).await.unwrap();
}

async fn told(client: &mut Conn, sql: &str) -> String {
    client.query_first(sql).await.unwrap().unwrap()
}

/// The code of the error that a statement is answered with.
async fn refused(client: &mut Conn, sql: &str) -> (u16, String) {
    match client.query_drop(sql).await {
        Err(Error::Server(error)) => (error.code, error.message),
        other => panic!("{sql}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_sets_and_sees_its_own_variables_and_no_node_hears_of_them() {
    let nodes = followed(1).await;
    let front = Front::start(&[&nodes[0], &nodes[1]]);
    let mut client = front.client().await;
    assert_eq!(told(&mut client, "SELECT @@tpcw_consistency").await, "causal");
    client.query_drop("SET tpcw_consistency = 'monotonic', SESSION tpcw_strategy = peak_ewma").await.unwrap();
    let both: (String, String) =
        client.query_first("SELECT @@tpcw_consistency, @@session.tpcw_strategy").await.unwrap().unwrap();
    assert_eq!(both, ("monotonic".to_owned(), "peak_ewma".to_owned()));
    for (sql, code, words) in [
        ("SET tpcw_consistency = 'strong'", 1231, "allowed: causal, monotonic, eventual, primary"),
        ("SET tpcw_token = 'yesterday'", 1231, "domain-server-sequence"),
        ("SELECT /* tpcw: token=nonsense */ 1", 1231, "can't be set to the value of 'nonsense'"),
        ("SET tpcw_wait_ms = 99999999", 1231, "0 to 60000"),
        ("SET tpcw_weather = 'fine'", 1193, "Unknown system variable 'tpcw_weather'"),
        ("SELECT @@tpcw_weather", 1193, "Unknown system variable 'tpcw_weather'"),
        ("SET GLOBAL tpcw_strategy = random", 1228, "admin API"),
        ("SET NAMES utf8mb4, tpcw_explain = 1", 1235, "takes no others"),
        ("SELECT @@tpcw_token, NOW()", 1235, "by themselves only"),
    ] {
        let (got, message) = refused(&mut client, sql).await;
        assert!(got == code && message.contains(words), "{sql}: {got} {message}");
    }
    // Of two, one of them wrong, neither is set.
    refused(&mut client, "SET tpcw_consistency = 'eventual', tpcw_strategy = 'best'").await;
    assert_eq!(told(&mut client, "SELECT @@tpcw_consistency").await, "monotonic");
    let prepared = client.exec_first::<String, _, _>("SELECT @@tpcw_token", ()).await;
    assert!(matches!(prepared, Err(Error::Server(error)) if error.code == 1295));
    // A transaction goes on as if nothing had been asked.
    client.query_drop("BEGIN").await.unwrap();
    write(&mut client, 5).await;
    client.query_drop("SET tpcw_consistency = DEFAULT").await.unwrap();
    client.query_drop("ROLLBACK").await.unwrap();
    assert_eq!(read(&mut client).await.0, 0, "the transaction was undone whole");
    assert_eq!(told(&mut client, "SELECT @@tpcw_consistency").await, "causal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_carries_the_promise_to_another_session() {
    let nodes = followed(1).await;
    let front = Front::start(&[&nodes[0], &nodes[1]]);
    let (mut writer, mut reader, mut hinted) =
        (front.client().await, front.client().await, front.client().await);
    assert_eq!(told(&mut writer, "SHOW tpcw TOKEN").await, "");
    apply(&nodes[1], false).await;
    write(&mut writer, 7).await;
    let token = told(&mut writer, "SHOW tpcw TOKEN").await;
    assert_eq!(told(&mut writer, "SELECT @@tpcw_token").await, token);
    assert_eq!(token, position(&nodes[0]).await, "it is the writer's own write");
    assert_eq!(read(&mut reader).await, (0, 2), "without the token, a session of its own");
    reader.query_drop(format!("SET tpcw_token = '{token}', tpcw_wait_ms = 50")).await.unwrap();
    assert_eq!(read(&mut reader).await, (7, 1), "the replica does not get there in time");
    let text = format!("SELECT /* tpcw: token={token} */ n, node FROM t, who WHERE id=1");
    let row: (i32, u32) = hinted.query_first(&text).await.unwrap().unwrap();
    assert_eq!(row, (7, 1));
    // Prepared, by a session that has not seen it yet; and whatever the level.
    let mut prepared = front.client().await;
    prepared.query_drop("SET tpcw_consistency = 'eventual'").await.unwrap();
    let row: (i32, u32) = prepared.exec_first(&text, ()).await.unwrap().unwrap();
    assert_eq!(row, (7, 1));
    // A session hands on what it was handed.
    assert_eq!(told(&mut reader, "SHOW tpcw TOKEN").await, token);
    apply(&nodes[1], true).await;
    catch_up(&nodes[0], &nodes[1]).await;
    probe(&front, &nodes).await;
    assert_eq!(read(&mut reader).await, (7, 2), "the replica has it, and serves again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_waits_for_a_replica_that_is_about_to_apply() {
    let nodes = followed(1).await;
    let front = Front::start_with(&[&nodes[0], &nodes[1]], |config| config.causal.wait_ms = 20_000);
    let mut client = front.client().await;
    apply(&nodes[1], false).await;
    write(&mut client, 3).await;
    let reading = tokio::spawn(async move { (read(&mut client).await, client) });
    // The read waits on the replica for what is not applied before this.
    let mut n2 = nodes[1].root().await;
    loop {
        let waits =
            "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT MASTER_GTID_WAIT%'";
        if n2.query_first::<u32, _>(waits).await.unwrap() == Some(1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    apply(&nodes[1], true).await;
    let (row, mut client) = reading.await.unwrap();
    assert_eq!(row, (3, 2));
    // Without any wait the primary answers at once.
    apply(&nodes[1], false).await;
    client.query_drop("SET tpcw_wait_ms = 0").await.unwrap();
    write(&mut client, 4).await;
    assert_eq!(read(&mut client).await, (4, 1));
    let level = "SELECT /* tpcw: consistency=eventual */ n, node FROM t, who WHERE id=1";
    let row: (i32, u32) = client.query_first(level).await.unwrap().unwrap();
    assert_eq!(row, (3, 2), "this statement did not ask for more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monotonic_session_never_goes_back_and_comes_back_to_replicas() {
    let nodes = followed(2).await;
    let front = Front::start_with(&[&nodes[0], &nodes[1], &nodes[2]], |config| {
        config.consistency = Consistency::Monotonic;
    });
    apply(&nodes[2], false).await;
    let mut other = front.client().await;
    write(&mut other, 1).await;
    catch_up(&nodes[0], &nodes[1]).await;
    // By lot, sessions read on n2 or on n3; whoever has seen the write goes on seeing it.
    let mut clients = Vec::new();
    for _ in 0..6 {
        clients.push(front.client().await);
    }
    for client in &mut clients {
        let (first, node) = read(client).await;
        assert_eq!(first, i32::from(node == 2), "n3 has not applied it");
        for _ in 0..5 {
            assert_eq!(read(client).await, (first, node), "it stays where it has read");
        }
    }
    front.publish(|view| view.nodes[1].state = NodeState::Draining);
    for client in &mut clients {
        let (first, node) = read(client).await;
        assert_eq!((first, node != 2), (i32::from(node == 1), true), "n3 is too old for those from n2");
    }
    assert!(front.view.load().nodes[0].meter.reads.load(Relaxed) > 0, "some were on n2");
    // Back in service: those that have read on the primary know how far that was.
    front.publish(|view| view.nodes[1].state = NodeState::Serving);
    probe(&front, &nodes).await;
    for client in &mut clients {
        let (_, node) = read(client).await;
        assert_ne!(node, 1, "replicas answer again");
        client.query_drop("SET tpcw_consistency = 'eventual'").await.unwrap();
    }
    // The same under `eventual` goes back and forth.
    let mut shown = Vec::new();
    for _ in 0..4 {
        shown.push(read(&mut clients[0]).await.0);
    }
    shown.sort_unstable();
    assert_eq!(shown, [0, 0, 1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_its_transaction_on_the_primary_a_monotonic_session_needs_what_it_saw_there() {
    let nodes = followed(1).await;
    let front = Front::start_with(&[&nodes[0], &nodes[1]], |config| {
        config.consistency = Consistency::Monotonic;
        config.causal.wait_ms = 50;
    });
    apply(&nodes[1], false).await;
    let (mut writer, mut client) = (front.client().await, front.client().await);
    write(&mut writer, 9).await;
    client.query_drop("BEGIN").await.unwrap();
    assert_eq!(read(&mut client).await, (9, 1));
    client.query_drop("COMMIT").await.unwrap();
    assert_eq!(told(&mut client, "SHOW tpcw TOKEN").await, position(&nodes[0]).await);
    assert_eq!(read(&mut client).await, (9, 1), "the replica would show less");
    apply(&nodes[1], true).await;
    catch_up(&nodes[0], &nodes[1]).await;
    probe(&front, &nodes).await;
    assert_eq!(read(&mut client).await, (9, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_listener_has_promises_of_its_own_and_reset_returns_to_them() {
    let nodes = followed(1).await;
    let any = ([127, 0, 0, 1], 0).into();
    let front = Front::start_with(&[&nodes[0], &nodes[1]], |config| {
        config.listeners = vec![
            Listener { consistency: Some(Consistency::Primary), ..Listener::plain(any) },
            Listener {
                consistency: Some(Consistency::Eventual),
                max_lag_ms: Some(500),
                strategy: Some(Strategy::Random),
                ..Listener::plain(any)
            },
        ];
    });
    let mut ports = vec![front.port()];
    ports.extend(front.plane.listeners.iter().map(|address| address.port()));
    let mut clients = Vec::new();
    for port in ports {
        clients.push(Conn::new(opts(port, "shop", "secret").db_name(Some("tpcw"))).await.unwrap());
    }
    let mut levels = Vec::new();
    for client in &mut clients {
        levels.push(told(client, "SELECT @@tpcw_consistency").await);
    }
    assert_eq!(levels, ["causal", "primary", "eventual"]);
    let lag = &front.view.load_full().nodes[1].meter;
    for (lag_ms, on) in [(400, [2, 1, 2]), (600, [2, 1, 1]), (-1, [2, 1, 1])] {
        lag.lag_ms.store(lag_ms, Relaxed);
        for (client, node) in clients.iter_mut().zip(on) {
            assert_eq!(read(client).await.1, node, "with a lag of {lag_ms} ms");
        }
    }
    let mut client = clients.pop().unwrap();
    client.query_drop("SET tpcw_consistency = causal, tpcw_max_lag_ms = 7").await.unwrap();
    assert!(client.reset().await.unwrap());
    let back: (String, u64) =
        client.query_first("SELECT @@tpcw_consistency, @@tpcw_max_lag_ms").await.unwrap().unwrap();
    assert_eq!(back, ("eventual".to_owned(), 500));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_shown_with_their_reason_and_how_old_the_answer_is() {
    let nodes = followed(1).await;
    let front = Front::start(&[&nodes[0], &nodes[1]]);
    let meter = front.view.load_full().nodes[1].meter.clone();
    meter.lag_ms.store(120, Relaxed);
    meter.lag_transactions.store(4, Relaxed);
    let mut client = front.client().await;
    read(&mut client).await;
    assert_eq!(
        client.query_first::<Row, _>("SHOW tpcw ROUTE").await.unwrap(),
        None,
        "nothing is kept unasked"
    );
    client.query_drop("SET tpcw_explain = 1").await.unwrap();
    let column =
        |row: &Row, name: &str| row.get::<Option<String>, _>(name).expect("a column").unwrap_or_default();
    for (sql, kind, node, reason, tied_by) in [
        ("SELECT 1", "read", "n2", "a read, spread over the replicas", ""),
        ("UPDATE t SET n=n WHERE id=2", "write", "n1", "writes", ""),
        ("BEGIN", "begin", "n1", "begins a transaction", ""),
        ("SELECT 2", "read", "n1", "the session is tied to its connection", "transaction"),
        ("COMMIT", "commit", "n1", "the session is tied to its connection", "transaction"),
        ("SELECT /* tpcw: node=n2 */ 3", "read", "n2", "a hint asks for the node", ""),
    ] {
        client.query_drop(sql).await.unwrap();
        let row: Row = client.query_first("SHOW tpcw ROUTE").await.unwrap().unwrap();
        let shown = ["kind", "node", "reason", "tied_by"].map(|name| column(&row, name));
        assert_eq!(shown, [kind, node, reason, tied_by], "{sql}");
        let lag = if node == "n2" { ["120", "4"] } else { ["0", "0"] };
        assert_eq!(["lag_ms", "lag_transactions"].map(|name| column(&row, name)), lag, "{sql}");
    }
    // What has not run yet: with a write that the replica lacks.
    apply(&nodes[1], false).await;
    write(&mut client, 1).await;
    let row: Row = client.query_first("EXPLAIN ROUTE SELECT * FROM t").await.unwrap().unwrap();
    assert_eq!(column(&row, "reason"), "a read that waits for what the session must see");
    assert_eq!(
        ["node", "consistency", "lag_ms", "wait_ms"].map(|name| column(&row, name)),
        ["n2", "causal", "120", "120"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_no_node_will_ever_reach_harms_nobody_else() {
    let nodes = followed(1).await;
    let front = Front::start_with(&[&nodes[0], &nodes[1]], |config| config.workers = 1);
    let (mut lost, mut other) = (front.client().await, front.client().await);
    lost.query_drop("SET tpcw_token = '0-1-18446744073709551615', tpcw_wait_ms = 20").await.unwrap();
    for _ in 0..3 {
        assert_eq!(read(&mut lost).await, (0, 1), "it gets what there is, from the primary");
    }
    // A session of the same thread still waits for its own write.
    write(&mut other, 1).await;
    assert_eq!(read(&mut other).await, (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_far_behind_answers_were_is_counted_for_each_node() {
    let cluster = LocalCluster::for_tests(3).await.expect("a cluster");
    let mut config = steering::config(&cluster, &[]);
    config.consistency = Consistency::Eventual;
    let balancer = server::start(config, CancellationToken::new()).await.expect("it starts");
    let options = steering::session_options(balancer.address, &cluster.accounts().shop);
    let mut client = Conn::new(options.db_name(Some("tpcw"))).await.unwrap();
    client.query_drop("CREATE TABLE t (n INT)").await.unwrap();
    // n3 goes on receiving, and answers reads, but applies nothing as long as this lock is held.
    let mut n3 = cluster.admin(&"n3".into(), steering::PATIENCE).await.unwrap();
    n3.run("SELECT MASTER_GTID_WAIT(@@global.gtid_slave_pos)").await.unwrap();
    n3.run("FLUSH TABLES WITH READ LOCK").await.unwrap();
    let counted = |node: usize| balancer.handle.nodes()[node].freshness.clone();
    let until = Instant::now() + steering::PATIENCE;
    loop {
        client.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
        for _ in 0..20 {
            client.query_drop("SELECT 1 FROM t LIMIT 1").await.unwrap();
        }
        let late = counted(2);
        if late.ms.quantile(1.0, &BEHIND_MS).is_some_and(|ms| ms >= 500) && late.transactions.sum > 1000 {
            break;
        }
        assert!(Instant::now() < until, "{late:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    n3.run("UNLOCK TABLES").await.unwrap();
    let (fresh, late) = (counted(1), counted(2));
    assert!(fresh.ms.count() > 0 && fresh.ms.sum * 4 < late.ms.sum, "n2 was fresher: {fresh:?} {late:?}");
    let row: Row = client.query("SHOW tpcw STATUS").await.unwrap().pop().unwrap();
    let p99: String = row.get("reads_behind_p99_ms").expect("a column");
    assert!(p99.parse::<u64>().unwrap() >= 500, "{p99}");
    drop((client, n3));
    balancer.shutdown().await;
    cluster.stop().await.expect("all stops");
}
