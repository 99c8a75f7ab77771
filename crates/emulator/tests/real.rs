//! Runs and audits against real database processes.

mod common;

use std::time::Duration;

use common::{SCALE, Shop};
use emulator::run::{Live, RunError, RunPlan, run};
use emulator::workload::Workload;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use report::record::{ErrorRow, EventKind, EventRow, InteractionRow, SecondRow, read_table};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const PATIENT: Duration = Duration::from_secs(20);

fn workload(text: &str) -> Workload {
    toml::from_str(text).expect("a workload")
}

/// One run on two nodes; then every lie that a node can tell is told, one after the other, and each must be caught.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_audited_and_every_lie_is_caught() {
    let shop = Shop::open(2).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let load = workload(
        "mix = 'ordering'\nsessions = 8\nthink_time = '20ms'\n[[phase]]\nname = 'all'\nkind = 'measure'\nseconds = 3",
    );
    let outcome = shop.run(&load, folder.path()).await;
    assert!(outcome.interactions > 100, "{outcome:?}");
    assert_eq!((outcome.errors, outcome.sessions_ended_early, outcome.stale_reads), (0, 0, 0), "{outcome:?}");
    let seconds: Vec<SecondRow> = read_table(folder.path()).expect("readable");
    assert_eq!(seconds.iter().filter(|row| row.measured).count(), 3);
    assert!(seconds[1].reads > 0 && seconds[1].writes > 0 && seconds[1].read_mean_ms > 0.0, "{seconds:?}");
    let table: Vec<InteractionRow> = read_table(folder.path()).expect("readable");
    assert_eq!(table.iter().map(|row| row.count).sum::<u64>(), outcome.interactions);

    let both = ["n1", "n2"];
    let clean = shop.audit(&both, &outcome, PATIENT).await;
    assert!(clean.acknowledged_orders > 5, "{clean:?}");
    let faults = [
        clean.lost,
        clean.duplicated,
        clean.phantom,
        clean.unknown_outcome,
        clean.replicas_diverged,
        clean.conditions_failed,
    ];
    assert_eq!(faults, [0; 6], "{clean:?}");
    assert!(
        clean.nodes.len() == 2 && clean.conditions.len() > 10 && clean.unreachable.is_empty(),
        "{clean:?}"
    );
    assert_eq!(clean.nodes["n2"].orders, clean.acknowledged_orders);

    // (what is done to n2, what undoes it, what must be found: lost, duplicated, phantom, diverged)
    let newest = "WHERE o_token IS NOT NULL ORDER BY o_id DESC LIMIT 1";
    let copy = |what: &str| {
        format!(
            "INSERT INTO orders SELECT 4000000, o_c_id, o_date, o_sub_total, o_tax, o_total, o_ship_type, o_ship_date, \
         o_bill_addr_id, o_ship_addr_id, o_status, {what} FROM orders {newest}"
        )
    };
    let gone = "DELETE FROM orders WHERE o_id = 4000000".to_owned();
    let keep = format!("CREATE TABLE aside.kept AS SELECT * FROM orders {newest}");
    let back = "INSERT INTO orders SELECT * FROM aside.kept".to_owned();
    shop.tamper("n2", "CREATE DATABASE aside").await;
    shop.tamper("n2", &keep).await;
    let lies = [
        (format!("DELETE FROM orders {newest}"), back, [1, 0, 0, 1]),
        (copy("o_token"), gone.clone(), [0, 1, 0, 1]),
        (copy("NULL"), gone.clone(), [0, 0, 1, 1]),
        (copy("CONCAT(SUBSTRING_INDEX(o_token, '-', 1), '-zz-0')"), gone, [0, 0, 1, 1]),
        (
            format!("UPDATE orders SET o_total = o_total + 0.01 {newest}"),
            format!("UPDATE orders SET o_total = o_total - 0.01 {newest}"),
            [1, 0, 0, 1],
        ),
        (
            "UPDATE item SET i_stock = i_stock + 1 WHERE i_id = 7".into(),
            "UPDATE item SET i_stock = i_stock - 1 WHERE i_id = 7".into(),
            [0, 0, 0, 1],
        ),
        ("CREATE TABLE added (n INT)".into(), "DROP TABLE added".into(), [0, 0, 0, 1]),
    ];
    for (lie, truth, expected) in lies {
        shop.tamper("n2", &lie).await;
        let found = shop.audit(&both, &outcome, PATIENT).await;
        let faults = [found.lost, found.duplicated, found.phantom, found.replicas_diverged];
        assert_eq!(faults, expected, "{lie}: {found:?}");
        shop.tamper("n2", &truth).await;
    }
    let again = shop.audit(&both, &outcome, PATIENT).await;
    assert_eq!(again, clean, "every lie was taken back");

    // A condition that only the primary's data can break, and a node that is not there.
    shop.tamper("n1", "UPDATE item SET i_stock = i_stock + 1 WHERE i_id = 7").await;
    shop.cluster.kill(&"n2".into()).await.expect("killed");
    let found = shop.audit(&both, &outcome, Duration::from_millis(300)).await;
    assert_eq!((found.conditions_failed, &*found.unreachable), (1, &["n2".to_owned()][..]), "{found:?}");
}

/// The server dies in mid-run and comes back: every browser goes on, and what was acknowledged is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browsers_survive_the_death_of_their_server() {
    let shop = Shop::open(1).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let load = workload(
        "mix = 'ordering'\nsessions = 12\nthink_time = '20ms'\nretry = { most = '200ms' }\nworkers = 2\n\
         [[phase]]\nname = 'all'\nkind = 'measure'\nseconds = 6\n\
         [[event]]\nat = 2\naction = 'kill'\nnode = 'primary'\n[[event]]\nat = 3\naction = 'restart'",
    );
    let outcome = shop.run(&load, folder.path()).await;
    assert_eq!((outcome.sessions_started, outcome.sessions_ended_early), (12, 0), "{outcome:?}");
    assert!(outcome.errors > 0 && outcome.reconnects >= 12, "{outcome:?}");
    let events: Vec<EventRow> = read_table(folder.path()).expect("readable");
    let healed = events.iter().find(|row| row.kind == EventKind::FaultHealed).expect("healed");
    assert!(events.iter().any(|row| row.kind == EventKind::FaultInjected && row.node == "n1"), "{events:?}");
    let seconds: Vec<SecondRow> = read_table(folder.path()).expect("readable");
    let after = seconds.iter().filter(|row| f64::from(row.second) > healed.second + 0.5);
    assert!(after.map(|row| row.interactions).sum::<u64>() > 20, "they go on: {seconds:?}");
    let classes: Vec<ErrorRow> = read_table(folder.path()).expect("readable");
    assert!(classes.iter().any(|row| row.class == "connection_refused"), "{classes:?}");
    let found = shop.audit(&["n1"], &outcome, PATIENT).await;
    let faults = [found.lost, found.duplicated, found.phantom, found.conditions_failed];
    assert_eq!(faults, [0; 4], "{found:?}");
    assert!(found.unknown_applied <= found.unknown_outcome, "{found:?}");
}

/// What the target says is passed on before any load begins; and browsers come over TCP, with statements prepared once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_is_looked_at_before_the_load_and_reached_over_tcp() {
    let shop = Shop::open(1).await;
    let load =
        workload("sessions = 4\nthink_time = '10ms'\n[[phase]]\nname = 'a'\nkind = 'measure'\nseconds = 2");
    let attempt = |target: mysql_async::Opts, scale| {
        let load = load.clone();
        async move {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let control = std::sync::Arc::new(emulator::control::NoControl);
            let folder = folder.path().to_owned();
            let plan = RunPlan { workload: load, target, scale, seed: 1, folder, control, metrics: None };
            run(plan, watch::channel(Live::default()).0, CancellationToken::new()).await
        }
    };
    let wrong = OptsBuilder::from_opts(shop.browser("n1")).pass(Some("wrong"));
    let error = attempt(wrong.into(), SCALE).await.expect_err("a wrong password");
    assert!(matches!(&error, RunError::Target { message, .. } if message.contains("1045")), "{error}");
    assert!(!error.to_string().contains("wrong"), "no password in messages: {error}");
    let nobody = OptsBuilder::from_opts(shop.browser("n1")).tcp_port(1);
    let error = attempt(nobody.into(), SCALE).await.expect_err("nobody there");
    assert!(matches!(error, RunError::Target { .. }), "{error}");
    let larger = bookstore::Scale { items: 10_000, browsers: 1 };
    let error = attempt(shop.browser("n1"), larger).await.expect_err("another size");
    assert!(error.to_string().contains("1000 items"), "{error}");

    let mut conn = Conn::new(shop.operator("n1")).await.expect("an operator");
    let prepared = "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'Com_stmt_prepare'";
    let before: u64 = conn.query_first(prepared).await.expect("a counter").expect("a counter");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let running = shop.run(&load, folder.path());
    let looking = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let hosts: Vec<String> = conn
            .query("SELECT host FROM information_schema.processlist WHERE user = 'shop'")
            .await
            .expect("a list");
        hosts
    };
    let (outcome, hosts) = tokio::join!(running, looking);
    assert!(hosts.len() >= 4 && hosts.iter().all(|host| host.contains(':')), "over TCP: {hosts:?}");
    let after: u64 = conn.query_first(prepared).await.expect("a counter").expect("a counter");
    let most = 5 * bookstore::statements::ALL.len() as u64;
    assert!(after - before <= most, "{} prepares for {} pages", after - before, outcome.interactions);
}
