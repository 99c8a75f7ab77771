//! Makes candidates where they run short: a node is copied from a serving replica, into a place that the cluster keeps for it.
//!
//! The balancer knows the place from the start as a candidate that is down. When a server answers there, it is brought in like
//! any node that had been away: compared, made to follow, caught up; then it stands by.

use std::sync::Arc;
use std::time::Duration;

use balancer::event::EventKind;
use balancer::request::Action;
use balancer::view::{NodeState, NodeView};
use cluster::{BackupTools, Cache, LocalCluster, LocalNode, NodeId};
use tokio::sync::{Notify, OnceCell};
use tokio::time::sleep;

use crate::front::Front;

/// After a copy that broke off the next one is not begun for so long.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a copied node may take until it stands by.
const BROUGHT_IN: Duration = Duration::from_secs(120);

/// Copies nodes, one after the other.
#[derive(Debug)]
pub struct Provider {
    cluster: Arc<LocalCluster>,
    front: Arc<Front>,
    cache: Cache,
    offline: bool,
    tools: OnceCell<BackupTools>,
    ordered: Notify,
}

impl Provider {
    /// For this cluster behind this balancer; nothing is copied yet.
    pub fn new(cluster: Arc<LocalCluster>, front: Arc<Front>, cache: Cache, offline: bool) -> Self {
        Self { cluster, front, cache, offline, tools: OnceCell::new(), ordered: Notify::new() }
    }

    /// Has a node copied and put into service, if there is a place for one and it is candidates that are missing.
    pub fn order(&self, cause: &str) -> bool {
        let stands_by =
            self.front.handle().view().load().nodes.iter().any(|node| node.state == NodeState::Standby);
        let possible = !stands_by && !self.cluster.reserves().is_empty();
        if possible {
            tracing::info!(cause, "a node is to be copied");
            self.ordered.notify_one();
        }
        possible
    }

    /// Waits for orders and for the controller's need until it is dropped, in one life of the balancer.
    pub async fn run(self: Arc<Self>) {
        let balancer = self.front.handle();
        loop {
            let (cause, then) = tokio::select! {
                reason = balancer.candidate_wanted() => (format!("controller: {reason}"), None),
                () = self.ordered.notified() => {
                    ("scale-out without a candidate".to_owned(), Some(Action::ScaleOut(None)))
                }
            };
            let Some(place) = self.cluster.reserves().into_iter().next() else {
                sleep(PAUSE).await; // The controller goes on wanting what cannot be had.
                continue;
            };
            match self.provide(&place).await {
                Ok(words) => {
                    tracing::info!(node = %place.id, words, "copied");
                    if let Some(action) = then
                        && let Err(error) = balancer.ask(action, cause)
                    {
                        tracing::warn!(%error, "the copied node was not put into service");
                    }
                }
                Err(reason) => {
                    balancer.events().tell(EventKind::ActionFailed, Some(&place.id), cause, reason);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Copies a node into its place and waits until it stands by; in words, what it took.
    async fn provide(&self, place: &LocalNode) -> Result<String, String> {
        let tools = self.tools().await?;
        let source = self.source().ok_or("there is no node to copy: none serves")?;
        let copied = self.cluster.copy_node(&source, tools).await;
        let (_, figures) = copied.map_err(|error| error.to_string())?;
        let stands_by = |node: &NodeView| {
            node.id == place.id && matches!(node.state, NodeState::Standby | NodeState::Serving)
        };
        let there =
            self.front.handle().view().wait_for(BROUGHT_IN, |view| view.nodes.iter().any(stands_by)).await;
        if there.is_none() {
            return Err(format!("copied from {source}, but not brought in within {BROUGHT_IN:?}"));
        }
        Ok(format!(
            "from {source}: {:.1} MB in {} ms ({:.0} MB/s), made consistent in {} ms, started in {} ms",
            figures.bytes as f64 / 1e6,
            figures.copied.as_millis(),
            figures.mb_per_second(),
            figures.prepared.as_millis(),
            figures.started.as_millis(),
        ))
    }

    async fn tools(&self) -> Result<&BackupTools, String> {
        let program = self.cluster.program();
        let find = || BackupTools::find(program, &self.cache, self.offline, |line| tracing::info!("{line}"));
        self.tools.get_or_try_init(find).await.map_err(|error| error.to_string())
    }

    /// A serving replica; the primary where there is none.
    fn source(&self) -> Option<NodeId> {
        let view = self.front.handle().view().load_full();
        let replica = view.replicas().map(|node| node.id.clone()).max();
        replica.or_else(|| view.primary().map(|node| node.id.clone()))
    }
}
