//! The ledger set against the orders of one node.

use std::collections::{BTreeSet, HashMap};

use report::record::{Audit, NodeAudit};

use super::node::Order;
use crate::ledger::{Entry, Outcome};

/// Examples that the notes give of each kind of fault.
const EXAMPLES: usize = 5;

/// The ledger, by token.
pub(super) struct Books<'a> {
    told: HashMap<&'a str, Outcome>,
    /// What every token of this run begins with; `None` when nobody tried to buy.
    run: Option<&'a str>,
}

/// What was found wrong, each order once however many nodes show it.
#[derive(Debug, Default)]
pub(super) struct Findings {
    lost: BTreeSet<String>,
    duplicated: BTreeSet<String>,
    phantom: BTreeSet<String>,
    unknown_applied: BTreeSet<String>,
}

impl Findings {
    pub(super) fn enter(self, audit: &mut Audit) {
        audit.lost = self.lost.len() as u64;
        audit.duplicated = self.duplicated.len() as u64;
        audit.phantom = self.phantom.len() as u64;
        audit.unknown_applied = self.unknown_applied.len() as u64;
        for (what, found) in
            [("lost", self.lost), ("duplicated", self.duplicated), ("out of nothing", self.phantom)]
        {
            audit.notes.extend(found.iter().take(EXAMPLES).map(|order| format!("{what}: {order}")));
        }
    }
}

impl<'a> Books<'a> {
    pub(super) fn of(entries: &'a [Entry]) -> Self {
        let told = entries.iter().map(|entry| (entry.token.as_str(), entry.outcome)).collect();
        let run = entries.first().and_then(|entry| entry.token.split('-').next());
        Self { told, run }
    }

    /// An audit that has seen no node yet.
    pub(super) fn begin(&self) -> Audit {
        let count = |wanted: fn(&Outcome) -> bool| self.told.values().filter(|o| wanted(o)).count() as u64;
        Audit {
            acknowledged_orders: count(|outcome| matches!(outcome, Outcome::Ok { .. })),
            unknown_outcome: count(|outcome| *outcome == Outcome::Unknown),
            ..Audit::default()
        }
    }

    /// Sets the new orders of a node against the ledger.
    pub(super) fn compare(&self, orders: &[Order], findings: &mut Findings) -> NodeAudit {
        let mut here = Findings::default();
        let mut seen: HashMap<&str, &Order> = HashMap::new();
        let mut ours = 0;
        for order in orders {
            match order.token.as_deref() {
                Some(token) if self.told.contains_key(token) => {
                    ours += 1;
                    if let Some(first) = seen.insert(token, order) {
                        here.duplicated.insert(format!("{token} as orders {} and {}", first.id, order.id));
                    }
                    match self.told[token] {
                        Outcome::Refused => {
                            here.phantom.insert(format!("{token}, refused, as order {}", order.id));
                        }
                        Outcome::Unknown => {
                            here.unknown_applied.insert(token.to_owned());
                        }
                        Outcome::Ok { .. } => {}
                    }
                }
                Some(token) if !self.is_ours(token) => {}
                other => {
                    here.phantom.insert(format!("order {}, token {other:?}", order.id));
                }
            }
        }
        self.miss(orders, &mut here);
        let told = NodeAudit {
            orders: ours,
            lost: here.lost.len() as u64,
            duplicated: here.duplicated.len() as u64,
            phantom: here.phantom.len() as u64,
            diverged_tables: Vec::new(),
        };
        findings.lost.extend(here.lost);
        findings.duplicated.extend(here.duplicated);
        findings.phantom.extend(here.phantom);
        findings.unknown_applied.extend(here.unknown_applied);
        told
    }

    /// Another run's orders are none of our business; those of nobody are.
    fn is_ours(&self, token: &str) -> bool {
        self.run.is_some() && token.split('-').next() == self.run
    }

    /// Acknowledged orders that are not there as they were acknowledged.
    fn miss(&self, orders: &[Order], here: &mut Findings) {
        let mut by_token: HashMap<&str, Vec<&Order>> = HashMap::new();
        for order in orders {
            by_token.entry(order.token.as_deref().unwrap_or_default()).or_default().push(order);
        }
        for (token, outcome) in &self.told {
            let Outcome::Ok { order, total } = *outcome else { continue };
            let found = by_token.get(token).map_or(&[][..], |found| found);
            if !found.iter().any(|there| there.id == order && there.total == Some(total)) {
                here.lost.insert(format!("{token}, order {order} of {total}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use bookstore::Cents;

    fn entry(number: u32, outcome: Outcome) -> Entry {
        Entry { at_ms: 0, token: format!("run-1-{number}"), session: 1, outcome }
    }

    fn order(id: u32, token: &str, cents: i64) -> Order {
        Order { id, token: Some(token.into()), total: Some(Cents(cents)) }
    }

    fn ledger() -> Vec<Entry> {
        vec![
            entry(0, Outcome::Ok { order: 10, total: Cents(500) }),
            entry(1, Outcome::Ok { order: 11, total: Cents(600) }),
            entry(2, Outcome::Refused),
            entry(3, Outcome::Unknown),
        ]
    }

    #[test]
    fn every_lie_has_its_name() {
        let right = [order(10, "run-1-0", 500), order(11, "run-1-1", 600)];
        type Lie = fn(&mut Vec<Order>);
        // What was done to the orders; then lost, duplicated, out of nothing, unknown and applied.
        let lies: [(&str, Lie, [u64; 4]); 10] = [
            ("nothing", |_| {}, [0, 0, 0, 0]),
            ("one dropped", |orders| drop(orders.remove(0)), [1, 0, 0, 0]),
            ("one twice", |orders| orders.push(order(12, "run-1-0", 500)), [0, 1, 0, 0]),
            ("another total", |orders| orders[0].total = Some(Cents(501)), [1, 0, 0, 0]),
            ("another number", |orders| orders[0].id = 9, [1, 0, 0, 0]),
            ("the refused one", |orders| orders.push(order(12, "run-1-2", 1)), [0, 0, 1, 0]),
            ("the unknown one", |orders| orders.push(order(12, "run-1-3", 1)), [0, 0, 0, 1]),
            ("one of nobody", |orders| orders.push(Order { token: None, ..order(12, "", 1) }), [0, 0, 1, 0]),
            ("one never sent", |orders| orders.push(order(12, "run-1-9", 1)), [0, 0, 1, 0]),
            ("another run's", |orders| orders.push(order(12, "nur-1-9", 1)), [0, 0, 0, 0]),
        ];
        let entries = ledger();
        let books = Books::of(&entries);
        for (lie, tell, expected) in lies {
            let mut orders = right.to_vec();
            tell(&mut orders);
            let mut findings = Findings::default();
            books.compare(&orders, &mut findings);
            // A second node that tells the same adds nothing.
            books.compare(&orders, &mut findings);
            let mut audit = books.begin();
            findings.enter(&mut audit);
            let found = [audit.lost, audit.duplicated, audit.phantom, audit.unknown_applied];
            assert_eq!(found, expected, "{lie}: {:?}", audit.notes);
            assert_eq!((audit.acknowledged_orders, audit.unknown_outcome), (2, 1));
        }
    }
}
