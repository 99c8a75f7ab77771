//! What the balancer answers itself: `SHOW tpcw STATUS`, `SHOW tpcw SESSIONS` and `EXPLAIN ROUTE`.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use crate::route::{Context, Plan, Route, To, replicated};
use crate::sql::classify::classify_as;
use crate::telemetry::Meter;
use crate::telemetry::freshness::{BEHIND_MS, BEHIND_TRANSACTIONS};
use crate::view::ClusterView;
use crate::wire::capabilities::Capabilities;
use crate::wire::resultset::{self, ResultSet};

use super::Session;
use super::client::Gone;
use super::execute::Work;
use super::own;
use super::roster::SessionRow;

/// Sessions that are shown at most.
const SHOWN: usize = 10_000;

impl Session {
    /// Sends a result of the balancer's own.
    pub(super) async fn send_result(&mut self, result: &ResultSet) -> Result<(), Gone> {
        let packets = result.packets(self.client.sequence, self.client.capabilities, self.state.status);
        Ok(self.client.stream.write_all(&packets).await?)
    }

    /// A row a node.
    pub async fn show_status(&mut self) -> Result<(), Gone> {
        let pinned = self.worker.shared.asker.sessions(true, SHOWN).await;
        let result = status(&self.worker.shared.view.load(), &pinned);
        self.send_result(&result).await
    }

    /// A row a session.
    pub async fn show_sessions(&mut self) -> Result<(), Gone> {
        let rows = self.worker.shared.asker.sessions(false, SHOWN).await;
        let result = sessions(rows);
        self.send_result(&result).await
    }

    /// COM_STATISTICS: a line about the balancer, in the server's words where they fit.
    pub(super) async fn statistics(&mut self) -> Result<(), Gone> {
        let shared = &self.worker.shared;
        let view = shared.view.load();
        let statements: u64 =
            view.nodes.iter().map(|n| n.meter.reads.load(Relaxed) + n.meter.writes.load(Relaxed)).sum();
        let uptime = shared.started.elapsed().as_secs_f64();
        let text = format!(
            "Uptime: {uptime:.0}  Threads: {}  Questions: {statements}  Serving nodes: {}  Queries per second avg: {:.3}",
            shared.clients.load(Relaxed),
            view.serving(),
            statements as f64 / uptime.max(1.0)
        );
        drop(view);
        self.client.send(text.as_bytes()).await
    }

    /// COM_SET_OPTION: multi-statements on or off. From the next statement on the session uses node connections that agree
    /// with that; one that it is tied to is told then.
    pub(super) async fn set_option(&mut self) -> Result<(), Gone> {
        let option = self.client.payload().get(1..3).map(|option| [option[0], option[1]]);
        match option {
            Some([on @ (0 | 1), 0]) => {
                self.key.capabilities = self.key.capabilities.with(Capabilities::MULTI_STATEMENTS, on == 0);
            }
            Some(_) => return self.client.error(1047, "08S01", "Unknown command").await,
            None => return self.client.error(1835, "HY000", "Malformed communication packet").await,
        }
        let status = self.state.status;
        if self.client.capabilities.has(Capabilities::DEPRECATE_EOF) {
            let mut ok = crate::wire::reply::ok(status);
            ok[0] = 0xFE;
            return self.client.send(&ok).await;
        }
        self.client.send(&resultset::eof(status)).await
    }

    /// `SELECT CONNECTION_ID()` alone is answered with the id of the greeting, which is the one that KILL takes; within
    /// other statements it is the node's.
    pub(super) async fn own_id(&mut self, plan: Plan) -> Result<(), Gone> {
        let text = &self.client.payload()[1..];
        let Some(column) = asks_for_own_id(text).filter(|_| !self.state.odd_texts) else {
            return self.perform(Work::Command, plan).await;
        };
        let (id, client) = (u64::from(self.client.id), &self.client);
        let answer = resultset::number(column, id, client.sequence, client.capabilities, self.state.status);
        Ok(self.client.stream.write_all(&answer).await?)
    }

    /// Where a statement would go now, and why.
    pub async fn explain_route(&mut self, at: usize) -> Result<(), Gone> {
        let result = {
            let view = self.worker.shared.view.load();
            let text = self.client.payload().get(1 + at..).unwrap_or_default();
            let statement = classify_as(text, self.state.manner);
            let plan = Plan::of(&statement, &view);
            let route = self.would_go(&plan, &view);
            let node = match route.to {
                To::Node(index) | To::WhenApplied(index) => view.node(index).map(|node| node.id.to_string()),
                To::NoPrimary | To::Nobody => None,
            };
            let tied = self.tied.is_some().then(|| self.state.pins().to_string());
            let behind = own::behind(&route, &view);
            let wait = own::expected_wait_ms(self, &plan, &route, &view);
            ResultSet {
                columns: vec![
                    "kind",
                    "node",
                    "reason",
                    "tied_by",
                    "consistency",
                    "lag_ms",
                    "lag_transactions",
                    "wait_ms",
                ],
                rows: vec![vec![
                    Some(own::class(&plan)),
                    node,
                    Some(route.reason.to_owned()),
                    tied,
                    Some(self.reads.level(&plan).as_str().to_owned()),
                    behind.map(|(ms, _)| ms.to_string()),
                    behind.map(|(_, transactions)| transactions.to_string()),
                    wait.map(|ms| ms.to_string()),
                ]],
            }
        };
        self.send_result(&result).await
    }

    fn would_go(&self, plan: &Plan, view: &ClusterView) -> Route {
        if let Some(index) = self.tied.as_ref().and_then(super::state::Tied::node) {
            return Route { to: To::Node(index), reason: "the session is tied to its connection" };
        }
        let context = Context {
            view,
            promise: self.reads.promise(plan, &self.state.last_write),
            strategy: self.reads.strategy,
            autocommit: self.state.autocommit(),
            tried: 0,
            behind: self.worker.behind() | self.reads.behind(),
        };
        replicated::decide(plan, &context, &mut self.worker.spread.borrow_mut())
    }
}

/// Whether a text is `SELECT CONNECTION_ID() [[AS] name]` and nothing else; then the name of its column.
fn asks_for_own_id(text: &[u8]) -> Option<&[u8]> {
    let word =
        |text: &[u8], word: &[u8]| text.get(..word.len())?.eq_ignore_ascii_case(word).then_some(word.len());
    let text = text.trim_ascii().strip_suffix(b";").unwrap_or(text.trim_ascii()).trim_ascii_end();
    let rest = &text[word(text, b"SELECT ")?..];
    let call = rest.trim_ascii_start();
    let length = word(call, b"CONNECTION_ID()")?;
    let rest = call[length..].trim_ascii_start();
    if rest.is_empty() {
        return Some(&call[..length]);
    }
    if rest.len() == call.len() - length {
        return None;
    }
    let name = word(rest, b"AS ").map_or(rest, |length| rest[length..].trim_ascii_start());
    let name = match name {
        [b'`', inside @ .., b'`'] => inside,
        name if name.eq_ignore_ascii_case(b"LIMIT") || name.eq_ignore_ascii_case(b"AS") => return None,
        name => name,
    };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    (!name.is_empty() && name.iter().all(plain)).then_some(name)
}

fn sessions(rows: Vec<SessionRow>) -> ResultSet {
    let rows = rows.into_iter().map(|row| {
        [
            row.id.to_string(),
            row.account,
            row.client,
            row.program,
            row.connected_s.to_string(),
            row.state,
            row.pinned_by,
            row.pinned_s.to_string(),
            row.node,
            row.statement,
        ]
        .map(Some)
        .into()
    });
    ResultSet {
        columns: vec![
            "id",
            "account",
            "client",
            "program",
            "connected_s",
            "state",
            "pinned_by",
            "pinned_s",
            "node",
            "statement",
        ],
        rows: rows.collect(),
    }
}

/// Sessions that are pinned to a node, by cause: `transaction 3, locks 1`.
fn pinned_by(node: &str, pinned: &[SessionRow]) -> String {
    let mut causes: BTreeMap<&str, usize> = BTreeMap::new();
    for row in pinned.iter().filter(|row| row.node == node) {
        row.pinned_by.split(", ").for_each(|cause| *causes.entry(cause).or_default() += 1);
    }
    causes.iter().map(|(cause, count)| format!("{cause} {count}")).collect::<Vec<_>>().join(", ")
}

fn status(view: &ClusterView, pinned: &[SessionRow]) -> ResultSet {
    let rows = view.nodes.iter().map(|node| {
        let meter = &node.meter;
        let lag = meter.lag_ms.load(Relaxed);
        [
            node.id.to_string(),
            node.role.to_string(),
            node.state.as_str().to_owned(),
            node.address.to_string(),
            node.weight.to_string(),
            meter.reads.load(Relaxed).to_string(),
            meter.writes.load(Relaxed).to_string(),
            meter.errors.load(Relaxed).to_string(),
            meter.in_flight.load(Relaxed).to_string(),
            meter.pinned.load(Relaxed).to_string(),
            pinned_by(node.id.as_str(), pinned),
            meter.waiting.load(Relaxed).to_string(),
            meter.connections.load(Relaxed).to_string(),
            format!("{:.3}", meter.ewma_us.load(Relaxed) as f64 / 1e3),
            format!("{:.3}", meter.ping_us.load(Relaxed) as f64 / 1e3),
        ]
        .into_iter()
        .map(Some)
        .chain([(lag >= 0).then(|| lag.to_string()), Some(meter.applied.load().to_string())])
        .chain(freshness(meter, lag >= 0))
        .collect()
    });
    ResultSet {
        columns: vec![
            "node",
            "role",
            "state",
            "address",
            "weight",
            "reads",
            "writes",
            "errors",
            "in_flight",
            "pinned",
            "pinned_by",
            "waiting",
            "connections",
            "ewma_ms",
            "ping_ms",
            "lag_ms",
            "applied",
            "lag_transactions",
            "reads_behind_p50_ms",
            "reads_behind_p99_ms",
            "reads_behind_p99_transactions",
        ],
        rows: rows.collect(),
    }
}

/// How far behind the node is, and how far its answers were, in transactions and milliseconds.
fn freshness(meter: &Meter, known: bool) -> [Option<String>; 4] {
    let answers = meter.freshness.snapshot();
    let text = |figure: Option<u64>| figure.map(|figure| figure.to_string());
    [
        known.then(|| meter.lag_transactions.load(Relaxed).to_string()),
        text(answers.ms.quantile(0.5, &BEHIND_MS)),
        text(answers.ms.quantile(0.99, &BEHIND_MS)),
        text(answers.transactions.quantile(0.99, &BEHIND_TRANSACTIONS)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_question_for_the_id_alone_is_answered_here() {
        for (text, column) in [
            ("SELECT CONNECTION_ID()", Some("CONNECTION_ID()")),
            ("  select connection_id() ; ", Some("connection_id()")),
            ("SELECT CONNECTION_ID() AS id", Some("id")),
            ("SELECT CONNECTION_ID() `my_id`;", Some("my_id")),
            ("SELECT CONNECTION_ID(), 1", None),
            ("SELECT CONNECTION_ID() FROM t", None),
            ("SELECT CONNECTION_ID()+1", None),
            ("SELECT CONNECTION_ID(); SELECT 2", None),
            ("SELECT CONNECTION_ID() AS", None),
            ("SELECT 1", None),
        ] {
            assert_eq!(asks_for_own_id(text.as_bytes()), column.map(str::as_bytes), "{text}");
        }
    }
}
