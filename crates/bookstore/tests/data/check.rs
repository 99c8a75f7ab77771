//! Each condition, against data that was broken by hand.

use std::collections::BTreeMap;

use bookstore::check::{self, CheckError, Condition};
use bookstore::load::{self, LoadOptions};
use bookstore::scale::Scale;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};

use crate::server::Server;

/// What a run would have added to a shop of 100 items for one browser: two addresses that differ in one field, a
/// customer, two orders a minute apart, a cart.
const VISIT: &[&str] = &[
    "INSERT INTO address VALUES (5761, 'a', 'b', 'c', 'd', 'zip', 7), (5762, 'a', 'b', 'c', 'd', 'other', 7)",
    "INSERT INTO customer VALUES (2881, 'ALININOG', 'alininog', 'f', 'l', 5761, '1', 'e', '2026-02-01', '2026-02-01',
        '2026-02-01 10:00:00', '2026-02-01 12:00:00', 0.10, 0, 0, '1980-01-01', 'd')",
    "INSERT INTO orders VALUES
        (2593, 2881, '2026-02-01 10:00:00', 100.00, 8.25, 143.25, 'AIR', '2026-02-02 10:00:00', 5761, 5762, 'PENDING', 't1'),
        (2594, 1, '2026-02-01 10:01:00', 0.06, 0.00, 4.06, 'AIR', '2026-02-08 10:01:00', 5761, 5761, 'PENDING', NULL)",
    "INSERT INTO order_line VALUES (2593, 1, 1, 2, 0.10, 'c'), (2593, 2, 2, 30, 0.10, 'c'), (2594, 1, 1, 1, 0.10, 'c')",
    "INSERT INTO cc_xacts VALUES
        (2593, 'VISA', '1', 'n', '2027-01-01', 'a', 143.25, '2026-02-01 10:00:00', 7),
        (2594, 'VISA', '1', 'n', '2027-01-01', 'a', 4.06, '2026-02-01 10:01:00', 7)",
    "UPDATE customer SET c_addr_id = 5761 WHERE c_id = 1",
    "UPDATE item SET i_stock = IF(i_stock - 2 >= 10, i_stock - 2, i_stock + 19) WHERE i_id = 1",
    "UPDATE item SET i_stock = IF(i_stock - 1 >= 10, i_stock - 1, i_stock + 20) WHERE i_id = 1",
    "UPDATE item SET i_stock = IF(i_stock - 30 >= 10, i_stock - 30, i_stock - 9) WHERE i_id = 2",
    "UPDATE item SET i_related1 = 5, i_related2 = 6, i_related3 = 7, i_related4 = 8, i_related5 = 9 WHERE i_id = 1",
    "INSERT INTO shopping_cart VALUES (1, '2026-02-01 10:00:00')",
    "INSERT INTO shopping_cart_line VALUES (1, 3, 1), (1, 4, 99)",
];

/// One field to set to a wrong value, and what must be found then: condition → offending rows.
struct Break {
    table: &'static str,
    column: &'static str,
    value: &'static str,
    row: &'static str,
    found: &'static [(&'static str, u64)],
}

const fn breaking(
    table: &'static str,
    column: &'static str,
    value: &'static str,
    row: &'static str,
    found: &'static [(&'static str, u64)],
) -> Break {
    Break { table, column, value, row, found }
}

const BREAKS: &[Break] = &[
    // An author of whom items are left; the first quarter of the items has the author of their own number.
    breaking("author", "a_id", "9999", "a_id = 25", &[("initial_rows", 1), ("references", 0)]),
    breaking("tpcw_stock", "i_id", "9999", "i_id = 100", &[("initial_rows", 1), ("references", 1)]),
    // Every reference there is.
    breaking("customer", "c_addr_id", "60000", "c_id = 5", &[("references", 1)]),
    breaking("address", "addr_co_id", "600", "addr_id = 5", &[("references", 1)]),
    breaking("item", "i_a_id", "60000", "i_id = 5", &[("references", 1)]),
    breaking("item", "i_related1", "60000", "i_id = 5", &[("references", 1), ("related_items", 1)]),
    breaking("item", "i_related2", "60000", "i_id = 5", &[("references", 1), ("related_items", 1)]),
    breaking("item", "i_related3", "60000", "i_id = 5", &[("references", 1), ("related_items", 1)]),
    breaking("item", "i_related4", "60000", "i_id = 5", &[("references", 1), ("related_items", 1)]),
    breaking("item", "i_related5", "0", "i_id = 5", &[("references", 1), ("related_items", 1)]),
    breaking("orders", "o_c_id", "60000", "o_id = 5", &[("references", 1)]),
    breaking("orders", "o_bill_addr_id", "60000", "o_id = 5", &[("references", 1)]),
    breaking("orders", "o_ship_addr_id", "60000", "o_id = 5", &[("references", 1)]),
    breaking("order_line", "ol_i_id", "60000", "ol_o_id = 5 AND ol_id = 1", &[("references", 1)]),
    breaking("cc_xacts", "cx_co_id", "600", "cx_o_id = 5", &[("references", 1)]),
    breaking(
        "shopping_cart_line",
        "scl_i_id",
        "60000",
        "scl_sc_id = 1 AND scl_i_id = 3",
        &[("references", 1)],
    ),
    breaking(
        "shopping_cart_line",
        "scl_sc_id",
        "60000",
        "scl_sc_id = 1 AND scl_i_id = 3",
        &[("references", 1)],
    ),
    // A card moved away leaves an order without one, and is itself without an order.
    breaking(
        "cc_xacts",
        "cx_o_id",
        "9000",
        "cx_o_id = 5",
        &[("initial_rows", 1), ("references", 1), ("one_card_per_order", 2)],
    ),
    breaking("cc_xacts", "cx_xact_amt", "143.24", "cx_o_id = 2593", &[("one_card_per_order", 1)]),
    breaking("cc_xacts", "cx_xact_amt", "0", "cx_o_id = 2592", &[]),
    breaking("cc_xacts", "cx_co_id", "8", "cx_o_id = 2593", &[("one_card_per_order", 1)]),
    // A line that is missing, one that is in another order.
    breaking("order_line", "ol_id", "3", "ol_o_id = 2593 AND ol_id = 2", &[("order_lines_numbered", 1)]),
    breaking("order_line", "ol_id", "0", "ol_o_id = 2593 AND ol_id = 1", &[("order_lines_numbered", 1)]),
    breaking(
        "order_line",
        "ol_o_id",
        "9000",
        "ol_o_id = 2594 AND ol_id = 1",
        &[("references", 1), ("order_lines_numbered", 1), ("totals", 1)],
    ),
    breaking("orders", "o_tax", "8.26", "o_id = 2593", &[("totals", 1)]),
    breaking("orders", "o_total", "143.24", "o_id = 2593", &[("totals", 1), ("one_card_per_order", 1)]),
    breaking("orders", "o_total", "0", "o_id = 2592", &[]),
    // A lost update, a doubled one, a refill too many, a sale that was not written.
    breaking("item", "i_stock", "i_stock + 1", "i_id = 1", &[("stock", 1)]),
    breaking("item", "i_stock", "i_stock - 1", "i_id = 1", &[("stock", 1)]),
    breaking("item", "i_stock", "i_stock + 63", "i_id = 1", &[("stock", 1)]),
    breaking("item", "i_stock", "i_stock - 63", "i_id = 1", &[("stock", 1)]),
    breaking("item", "i_stock", "i_stock + 21", "i_id = 50", &[("stock", 1)]),
    breaking("order_line", "ol_qty", "29", "ol_o_id = 2593 AND ol_id = 2", &[("stock", 1), ("totals", 1)]),
    breaking("customer", "c_uname", "'NOBODY'", "c_id = 2881", &[("customer_names", 1)]),
    breaking("customer", "c_uname", "NULL", "c_id = 2881", &[("customer_names", 1)]),
    breaking("customer", "c_passwd", "UPPER(c_passwd)", "c_id = 77", &[("customer_names", 1)]),
    breaking("customer", "c_balance", "0.01", "c_id = 2881", &[("customer_names", 1)]),
    breaking("customer", "c_balance", "0.01", "c_id = 2880", &[]),
    breaking("address", "addr_zip", "'zip'", "addr_id = 5762", &[("addresses_unique", 1)]),
    breaking("orders", "o_bill_addr_id", "5762", "o_id = 2593", &[("billing", 1)]),
    breaking(
        "shopping_cart_line",
        "scl_qty",
        "0",
        "scl_sc_id = 1 AND scl_i_id = 3",
        &[("cart_quantities", 1)],
    ),
    breaking(
        "shopping_cart_line",
        "scl_qty",
        "2",
        "scl_sc_id = 1 AND scl_i_id = 3",
        &[("cart_quantities", 1)],
    ),
    breaking("orders", "o_ship_date", "o_date", "o_id = 2593", &[("ship_dates", 1)]),
    breaking("orders", "o_ship_date", "o_date + INTERVAL 8 DAY", "o_id = 2593", &[("ship_dates", 1)]),
    breaking("orders", "o_ship_date", "o_date", "o_id = 2592", &[]),
    breaking("orders", "o_date", "o_date - INTERVAL 121 SECOND", "o_id = 2594", &[("order_dates", 1)]),
    breaking("orders", "o_date", "o_date - INTERVAL 120 SECOND", "o_id = 2594", &[]),
    breaking("item", "i_related1", "i_related5", "i_id = 1", &[("related_items", 1)]),
    breaking("item", "i_related4", "i_related3", "i_id = 1", &[("related_items", 1)]),
];

#[tokio::test]
async fn every_condition_finds_what_breaks_it_and_nothing_else() {
    let server = Server::shared().await;
    shop(server, "checked").await;
    let mut conn = server.connect("checked").await;
    assert_eq!(offending(&mut conn).await, BTreeMap::new(), "before anything is broken");
    let mut seen = BTreeMap::new();
    for case in BREAKS {
        let name = format!("{}.{} = {}", case.table, case.column, case.value);
        let old = broken(&mut conn, case).await;
        let found = check::conditions(&mut conn).await.expect("conditions");
        let expected: BTreeMap<_, _> = case.found.iter().copied().collect();
        for condition in found {
            let count = expected.get(condition.name).copied().unwrap_or_default();
            // 0 stands for a number that depends on the seed.
            let count = if expected.contains_key(condition.name) { count.max(1) } else { 0 };
            let enough = if case.table == "author" {
                condition.offending >= count
            } else {
                condition.offending == count
            };
            assert!(enough, "{name}: {condition:?}");
            assert_eq!(
                condition.offending > 0,
                expected.contains_key(condition.name),
                "{name}: {condition:?}"
            );
            assert_eq!(condition.sample.is_empty(), condition.offending == 0, "{name}: {condition:?}");
            assert!(!condition.informative || !condition.failed(), "{condition:?}");
            *seen.entry(condition.name).or_insert(0) += condition.offending;
        }
        repaired(&mut conn, case, old).await;
    }
    assert_eq!(offending(&mut conn).await, BTreeMap::new(), "after all is repaired");
    let never: Vec<_> = seen.into_iter().filter(|&(_, count)| count == 0).collect();
    assert!(never.is_empty(), "no case breaks {never:?}");
}

async fn shop(server: &Server, database: &str) {
    let options = LoadOptions::new(Scale { items: 100, browsers: 1 }, 1);
    load::load(server.opts(database), options, |_| ()).await.expect("loaded");
    let mut conn = server.connect(database).await;
    for sql in VISIT {
        conn.query_drop(*sql).await.expect(sql);
    }
}

async fn offending(conn: &mut Conn) -> BTreeMap<&'static str, Condition> {
    let all = check::conditions(conn).await.expect("conditions");
    all.into_iter().filter(|found| found.offending > 0).map(|found| (found.name, found)).collect()
}

/// Breaks one field; what it held before.
async fn broken(conn: &mut Conn, case: &Break) -> Value {
    let Break { table, column, value, row, .. } = case;
    let old: Option<Value> =
        conn.query_first(format!("SELECT {column} FROM {table} WHERE {row}")).await.expect("a row");
    conn.query_drop(format!("UPDATE {table} SET {column} = {value} WHERE {row}")).await.expect("an update");
    assert_eq!(conn.affected_rows(), 1, "{table} {row}");
    old.expect("a row")
}

/// Puts the old value back. Where the field is part of what names the row, the row has another name now.
async fn repaired(conn: &mut Conn, case: &Break, old: Value) {
    let Break { table, column, value, row, .. } = case;
    let parts = row.split(" AND ").map(|part| match part.split_once(" = ") {
        Some((key, _)) if key == *column => format!("{key} = {value}"),
        _ => part.to_owned(),
    });
    let row = parts.collect::<Vec<_>>().join(" AND ");
    conn.exec_drop(format!("UPDATE {table} SET {column} = ? WHERE {row}"), (old,)).await.expect("an update");
    assert_eq!(conn.affected_rows(), 1, "{table} {row}");
}

#[tokio::test]
async fn a_database_without_a_shop_is_told_so() {
    let server = Server::shared().await;
    server.run("CREATE DATABASE empty").await;
    let mut conn = server.connect("empty").await;
    let error = check::conditions(&mut conn).await.expect_err("nothing to check");
    assert!(matches!(error, CheckError::NotLoaded), "{error}");
    assert!(matches!(check::checksums(&mut conn).await, Err(CheckError::NotLoaded)));
}

#[tokio::test]
async fn checksums_tell_one_changed_field() {
    let server = Server::shared().await;
    shop(server, "sums").await;
    let mut conn = server.connect("sums").await;
    let before = check::checksums(&mut conn).await.expect("checksums");
    conn.query_drop(
        "UPDATE order_line SET ol_comments = CONCAT(ol_comments, 'x') WHERE ol_o_id = 2593 AND ol_id = 1",
    )
    .await
    .expect("an update");
    let after = check::checksums(&mut conn).await.expect("checksums");
    let changed: Vec<_> =
        before.iter().zip(&after).filter(|(one, other)| one != other).map(|(one, _)| &one.0).collect();
    assert_eq!(changed, ["order_line"]);
}
