//! Trials of the auditor: one lie each, drawn from a seed, and whether it was caught.

use std::time::Duration;

use cluster::NodeId;
use emulator::run::RunOutcome;
use emulator::workload::Workload;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};

use super::{Liar, Lie};
use crate::common::Shop;

const PATIENT: Duration = Duration::from_secs(20);
const NODES: [&str; 2] = ["n1", "n2"];

/// Lies in the data of a replica, told behind everybody's back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tampering {
    /// An acknowledged order is gone.
    OrderGone,
    /// A line of some order is gone.
    LineGone,
    /// An order is there twice.
    OrderTwice,
    /// An order that nobody asked for.
    OrderOfNobody,
    /// An order costs something else.
    TotalChanged,
    /// A number in some row of some table is another one.
    RowChanged,
}

impl Tampering {
    pub const ALL: [Self; 6] = [
        Self::OrderGone,
        Self::LineGone,
        Self::OrderTwice,
        Self::OrderOfNobody,
        Self::TotalChanged,
        Self::RowChanged,
    ];
}

pub fn load() -> Workload {
    toml::from_str(
        "mix = 'ordering'\nsessions = 12\nthink_time = '4ms'\nworkers = 1\n[[phase]]\nname = 'all'\nkind = 'measure'\nseconds = 2",
    )
    .expect("a workload")
}

/// A run through a lying relay. `None`: there was no opportunity; else whether the lie was caught, and what was found.
pub async fn lied_to(shop: &Shop, lie: Lie, seed: u64) -> Option<(bool, String)> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let node = shop.cluster.node(&NodeId::new("n1")).expect("a node").address;
    let liar = Liar::start(node, lie, 1 + (seed % 7) as u32).await;
    let outcome = shop.run_through(liar.address, &load(), folder.path(), seed).await;
    let found = shop.audit(&NODES, &outcome, PATIENT).await;
    let caught = match lie {
        Lie::Drops => found.lost == 1,
        Lie::Repeats => found.duplicated == 1,
        Lie::Delays | Lie::Swaps => found.stale_reads > 0,
    };
    // What was made twice stays; later audits look at their own run alone, and at the conditions of the whole.
    shop.repair("DELETE FROM orders WHERE o_id NOT IN (SELECT ol_o_id FROM order_line)").await;
    liar.told().then(|| (caught, format!("{found:?}")))
}

/// Changes what n2 holds after an honest run, audits, and puts it back.
pub async fn tampered(shop: &Shop, outcome: &RunOutcome, how: Tampering, seed: u64) -> (bool, String) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let orders = shop.numbers("SELECT o_id FROM orders WHERE o_token IS NOT NULL ORDER BY o_id").await;
    let order = orders[(random.next_u64() % orders.len() as u64) as usize];
    let copy = |token: &str| {
        format!(
            "INSERT INTO orders SELECT 4000000, o_c_id, o_date, o_sub_total, o_tax, o_total, o_ship_type, o_ship_date, \
             o_bill_addr_id, o_ship_addr_id, o_status, {token} FROM orders WHERE o_id = {order}"
        )
    };
    let gone = "DELETE FROM orders WHERE o_id = 4000000".to_owned();
    let line = format!("ol_o_id = {order} AND ol_id = 1");
    let add = |what: &str| format!("UPDATE orders SET o_total = o_total {what} 0.01 WHERE o_id = {order}");
    let (prepare, lie, truth) = match how {
        Tampering::OrderGone => (
            format!("CREATE OR REPLACE TABLE aside.kept AS SELECT * FROM orders WHERE o_id = {order}"),
            format!("DELETE FROM orders WHERE o_id = {order}"),
            "INSERT INTO orders SELECT * FROM aside.kept".to_owned(),
        ),
        Tampering::LineGone => (
            format!("CREATE OR REPLACE TABLE aside.kept AS SELECT * FROM order_line WHERE {line}"),
            format!("DELETE FROM order_line WHERE {line}"),
            "INSERT INTO order_line SELECT * FROM aside.kept".to_owned(),
        ),
        Tampering::OrderTwice => ("DO 1".to_owned(), copy("o_token"), gone),
        Tampering::OrderOfNobody => {
            let token = format!("CONCAT(SUBSTRING_INDEX(o_token, '-', 1), '-zz-{seed}')");
            ("DO 1".to_owned(), copy(&token), gone)
        }
        Tampering::TotalChanged => ("DO 1".to_owned(), add("+"), add("-")),
        Tampering::RowChanged => {
            let (change, back) = shop.some_row(&mut random).await;
            ("DO 1".to_owned(), change, back)
        }
    };
    shop.tamper("n2", "CREATE DATABASE IF NOT EXISTS aside").await;
    shop.tamper("n2", &prepare).await;
    shop.tamper("n2", &lie).await;
    let found = shop.audit(&NODES, outcome, PATIENT).await;
    shop.tamper("n2", &truth).await;
    let ledger = [found.lost, found.duplicated, found.phantom];
    let caught = found.replicas_diverged == 1
        && match how {
            Tampering::OrderGone | Tampering::TotalChanged => ledger == [1, 0, 0],
            Tampering::OrderTwice => ledger == [0, 1, 0],
            Tampering::OrderOfNobody => ledger == [0, 0, 1],
            Tampering::LineGone | Tampering::RowChanged => ledger == [0, 0, 0],
        };
    (caught, format!("{lie}: {found:?}"))
}

/// An honest run, in which nothing must be found.
pub async fn honest(shop: &Shop, folder: &std::path::Path) -> RunOutcome {
    let outcome = shop.run(&load(), folder).await;
    let found = shop.audit(&NODES, &outcome, PATIENT).await;
    let faults =
        [found.lost, found.duplicated, found.phantom, found.replicas_diverged, found.conditions_failed];
    assert!(faults == [0; 5] && found.stale_reads == 0, "nobody lied: {found:?}");
    assert!(found.acknowledged_orders > 5, "{found:?}");
    outcome
}
