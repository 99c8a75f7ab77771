//! The nodes, one of them late, and the balancer in front of them.

use std::path::PathBuf;
use std::time::Duration;

use balancer::admin::api::NodeRow;
use balancer::config::{self, Config};
use balancer::server::{self, Balancer};
use cluster::{Admin, Cache, ClusterSpec, FindOptions, LocalCluster, NodeId, Template, program};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::options::Options;
use crate::{Error, steering};

/// The longest that anything at the nodes may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is under test.
pub struct Stage {
    cluster: LocalCluster,
    balancer: Balancer,
}

impl Stage {
    /// Starts nodes and balancer, makes the counters, and lets n3 be late.
    pub async fn start(options: &Options) -> Result<Self, Error> {
        let cluster = nodes().await?;
        let mut n1 = admin(&cluster, "n1").await?;
        n1.run("CREATE TABLE tpcw.counter (id INT PRIMARY KEY, n BIGINT NOT NULL) ENGINE=InnoDB").await?;
        let rows: Vec<String> = (0..options.sessions).map(|id| format!("({id},0)")).collect();
        n1.run_text("counters", &format!("INSERT INTO tpcw.counter VALUES {}", rows.join(","))).await?;
        for (number, node) in cluster.nodes().iter().enumerate() {
            let mut admin = cluster.admin(&node.id, PATIENCE).await?;
            sign(&mut admin, number).await?;
        }
        let mut n3 = admin(&cluster, "n3").await?;
        n3.run("STOP SLAVE").await?;
        let delay = options.delay_seconds();
        n3.run_text("delay", &format!("CHANGE MASTER TO MASTER_DELAY={delay}")).await?;
        n3.run("START SLAVE").await?;
        let balancer = server::start(settings(&cluster, options), CancellationToken::new()).await?;
        let stage = Self { cluster, balancer };
        stage.settle().await?;
        Ok(stage)
    }

    /// Waits until all nodes serve and have applied all, and the balancer knows it.
    pub async fn settle(&self) -> Result<(), Error> {
        let began = Instant::now();
        loop {
            let nodes = self.nodes();
            let fresh = nodes.iter().all(|node| node.lag_ms == Some(0.0) && node.applied == nodes[0].applied);
            if fresh && self.balancer.view.load().serving() == 3 {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("the nodes do not come to rest: {nodes:#?}").into());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// How late n3 applies: the median of three writes, in milliseconds.
    pub async fn measure_delay(&self) -> Result<f64, Error> {
        let (mut n1, mut n3) = (admin(&self.cluster, "n1").await?, admin(&self.cluster, "n3").await?);
        let mut took = Vec::new();
        for trial in 1..=3 {
            // Apart from whole seconds of the clock, in which the server counts.
            sleep(Duration::from_millis(370)).await;
            n1.run_text("write", &format!("UPDATE tpcw.counter SET n=-{trial} WHERE id=0")).await?;
            let began = Instant::now();
            while n3.first::<i64>("SELECT n FROM tpcw.counter WHERE id=0").await? != Some(-trial) {
                sleep(Duration::from_millis(2)).await;
            }
            took.push(began.elapsed().as_secs_f64() * 1e3);
        }
        n1.run("UPDATE tpcw.counter SET n=0").await?;
        took.sort_by(f64::total_cmp);
        Ok(took[1])
    }

    /// A session through the balancer.
    pub async fn client(&self) -> Result<Conn, Error> {
        let options = steering::session_options(self.balancer.address, &self.cluster.accounts().shop)
            .db_name(Some(self.cluster.database()))
            .max_allowed_packet(Some(16 << 20))
            .wait_timeout(Some(28_800));
        let mut conn = Conn::new(options).await?;
        conn.query_drop("SELECT 1").await?;
        Ok(conn)
    }

    /// The nodes as the balancer sees them.
    pub fn nodes(&self) -> Vec<NodeRow> {
        self.balancer.handle.nodes()
    }

    /// Ends everything.
    pub async fn stop(self) -> Result<(), Error> {
        self.balancer.shutdown().await;
        Ok(self.cluster.stop().await?)
    }
}

async fn nodes() -> Result<LocalCluster, Error> {
    let cache = Cache::from_environment(|name| std::env::var_os(name));
    let explicit = std::env::var_os("TPCW_SERVER_BINARY").map(PathBuf::from);
    let options = FindOptions { explicit, offline: false, cache: &cache };
    let program = program::find(options, |_| {}).await?;
    let source = Template::empty(&program, &cache).await?;
    let spec = ClusterSpec { replicas: 2, candidates: 0, ..ClusterSpec::default() };
    Ok(LocalCluster::start(&program, spec, source).await?)
}

/// A table that each node has for itself: it tells with each answer whose it is.
async fn sign(admin: &mut Admin, number: usize) -> Result<(), Error> {
    admin.run("SET sql_log_bin=0").await?;
    admin.run("CREATE TABLE tpcw.who (node INT)").await?;
    admin.run_text("signature", &format!("INSERT INTO tpcw.who VALUES ({number})")).await?;
    Ok(())
}

async fn admin(cluster: &LocalCluster, node: &str) -> Result<Admin, Error> {
    Ok(cluster.admin(&NodeId::new(node), PATIENCE).await?)
}

fn settings(cluster: &LocalCluster, options: &Options) -> Config {
    Config {
        workers: options.workers,
        causal: config::Causal { wait_ms: options.wait_ms },
        health: config::Health { interval_ms: options.probe_ms, timeout_ms: 5_000, ..Default::default() },
        ..steering::config(cluster, &[])
    }
}
