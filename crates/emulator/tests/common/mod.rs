//! A real shop on real nodes.
#![allow(dead_code, reason = "each program uses its part of this")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bookstore::Scale;
use bookstore::load::{LoadOptions, load};
use cluster::{LocalCluster, NodeId};
use emulator::audit::{AuditNode, AuditOptions, audit};
use emulator::control::{Action, Control, ControlError, Done, Happening, NodeReading, NodeSelector};
use emulator::run::{Live, RunOutcome, RunPlan, run};
use emulator::workload::Workload;
use futures_util::future::BoxFuture;
use mysql_async::{Opts, OptsBuilder};
use report::record::Audit;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// As small as a shop gets with full lists.
pub const SCALE: Scale = Scale { items: 1_000, browsers: 1 };
const LIMIT: Duration = Duration::from_secs(20);

/// Nodes with a shop on them, the first of which is the primary.
#[derive(Debug)]
pub struct Shop {
    pub cluster: Arc<LocalCluster>,
}

impl Shop {
    pub async fn open(nodes: usize) -> Self {
        let cluster = LocalCluster::for_tests(nodes).await.expect("nodes");
        let shop = Self { cluster: Arc::new(cluster) };
        load(shop.operator("n1"), LoadOptions::new(SCALE, 5), |_| {}).await.expect("a population");
        shop
    }

    /// The shop's own account on a node.
    pub fn browser(&self, node: &str) -> Opts {
        self.opts(node, &self.cluster.accounts().shop)
    }

    pub fn operator(&self, node: &str) -> Opts {
        self.opts(node, &self.cluster.accounts().operator)
    }

    fn opts(&self, node: &str, account: &cluster::Account) -> Opts {
        let address = self.cluster.node(&NodeId::new(node)).expect("a node").address;
        OptsBuilder::default()
            .ip_or_hostname(address.ip().to_string())
            .tcp_port(address.port())
            .user(Some(account.user.clone()))
            .pass(Some(account.password.expose().to_owned()))
            .db_name(Some("tpcw"))
            .prefer_socket(false)
            .into()
    }

    /// Runs a statement on a node behind everybody's back: not even its own log is told.
    pub async fn tamper(&self, node: &str, sql: &str) {
        let mut admin = self.cluster.admin(&NodeId::new(node), LIMIT).await.expect("an operator");
        for step in ["SET sql_log_bin = 0", "USE tpcw", sql] {
            admin.run_text("tamper", step).await.expect(step);
        }
    }

    /// Runs a statement on the primary, for all nodes.
    pub async fn repair(&self, sql: &str) {
        let mut admin = self.cluster.admin(&NodeId::new("n1"), LIMIT).await.expect("an operator");
        for step in ["USE tpcw", sql] {
            admin.run_text("repair", step).await.expect(step);
        }
    }

    /// A column of numbers on the second node.
    pub async fn numbers(&self, sql: &'static str) -> Vec<u64> {
        let mut admin = self.cluster.admin(&NodeId::new("n2"), LIMIT).await.expect("an operator");
        admin.run("USE tpcw").await.expect("the shop");
        admin.rows(sql).await.expect(sql)
    }

    /// A statement that changes a number in some row of some table of the second node, and one that changes it back.
    pub async fn some_row(&self, random: &mut impl rand_xoshiro::rand_core::Rng) -> (String, String) {
        const COLUMNS: &str = "SELECT c.table_name, c.column_name, k.column_name FROM information_schema.columns c \
            JOIN information_schema.columns k ON k.table_schema = c.table_schema AND k.table_name = c.table_name \
            AND k.column_key = 'PRI' AND k.ordinal_position = 1 JOIN information_schema.tables t \
            ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
            WHERE c.table_schema = 'tpcw' AND c.data_type IN ('int', 'decimal', 'smallint', 'tinyint') \
            AND c.column_key = '' AND t.table_rows > 0 ORDER BY 1, 2";
        let mut admin = self.cluster.admin(&NodeId::new("n2"), LIMIT).await.expect("an operator");
        admin.run("USE tpcw").await.expect("the shop");
        let columns: Vec<(String, String, String)> = admin.rows(COLUMNS).await.expect("columns");
        let (table, column, key) = &columns[(random.next_u64() % columns.len() as u64) as usize];
        let rows = format!("SELECT {key} FROM {table} ORDER BY {key}");
        let keys: Vec<u64> = admin.rows_text("keys", &rows).await.expect("keys");
        let row = keys[(random.next_u64() % keys.len() as u64) as usize];
        let change = |sign: char| {
            format!(
                "UPDATE {table} SET {column} = {column} {sign} 1 WHERE {key} = {row} ORDER BY {key} LIMIT 1"
            )
        };
        (change('+'), change('-'))
    }

    pub async fn run(&self, workload: &Workload, folder: &Path) -> RunOutcome {
        let node = self.cluster.node(&NodeId::new("n1")).expect("a node").address;
        self.run_through(node, workload, folder, 3).await
    }

    /// The same, by way of another address.
    pub async fn run_through(
        &self,
        address: SocketAddr,
        workload: &Workload,
        folder: &Path,
        seed: u64,
    ) -> RunOutcome {
        assert_eq!(workload.check(), Ok(()));
        let plan = RunPlan {
            workload: workload.clone(),
            target: OptsBuilder::from_opts(self.browser("n1")).tcp_port(address.port()).into(),
            scale: SCALE,
            seed,
            folder: folder.to_owned(),
            control: Arc::new(ByHand { cluster: self.cluster.clone() }),
            metrics: None,
        };
        let (progress, _seen) = watch::channel(Live::default());
        run(plan, progress, CancellationToken::new()).await.expect("a run")
    }

    pub async fn audit(&self, nodes: &[&str], outcome: &RunOutcome, patience: Duration) -> Audit {
        let nodes: Vec<_> =
            nodes.iter().map(|name| AuditNode { name: (*name).into(), opts: self.operator(name) }).collect();
        let options = AuditOptions { scale: SCALE, patience, stale_reads: outcome.stale_reads };
        audit(&nodes, &outcome.ledger, options).await.expect("an audit")
    }
}

/// Kills and restarts nodes of a cluster without a balancer.
#[derive(Debug)]
struct ByHand {
    cluster: Arc<LocalCluster>,
}

impl Control for ByHand {
    fn ask(&self, action: Action) -> BoxFuture<'_, Result<Done, ControlError>> {
        Box::pin(async move {
            let told = |error: cluster::Error| ControlError(error.to_string());
            match action {
                Action::Fault { node: NodeSelector::Primary, .. } => {
                    let pid = self.cluster.kill(&"n1".into()).await.map_err(told)?;
                    Ok(Done { node: "n1".into(), detail: format!("killed process {pid}") })
                }
                Action::Heal { node: NodeSelector::Named(node) } => {
                    let id = NodeId::new(node.clone());
                    self.cluster.restart(&id).await.map_err(told)?;
                    let mut admin = self.cluster.admin(&id, LIMIT).await.map_err(told)?;
                    let opened = admin.run("SET GLOBAL read_only = OFF").await;
                    opened.map_err(|error| ControlError(error.to_string()))?;
                    Ok(Done { node, detail: "started again".into() })
                }
                other => Err(ControlError(format!("not by hand: {other:?}"))),
            }
        })
    }

    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeReading>, ControlError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn happenings(&self, _after: u64) -> BoxFuture<'_, Result<Vec<Happening>, ControlError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
