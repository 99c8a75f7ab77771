//! The topology as sessions see it: an immutable snapshot of slow facts, published by the executor alone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use cluster::{NodeId, Role};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::telemetry::Meter;

/// Whether a node takes statements.
///
/// ```text
/// Standby ──scale-out──▶ Serving ──scale-in / drain──▶ Draining ──▶ Standby (or Disabled)
///    any ──judge: dead──▶ Down ──answers again──▶ Joining ──caught up──▶ what it was before
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Takes new statements.
    Serving,
    /// Follows the primary and could serve.
    Standby,
    /// Answers again and is being made consistent.
    Joining,
    /// Finishes what it began.
    Draining,
    /// Switched off by an operator.
    Disabled,
    /// Held for dead.
    Down,
}

impl NodeState {
    /// The name used in files and on the admin API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Standby => "standby",
            Self::Joining => "joining",
            Self::Draining => "draining",
            Self::Disabled => "disabled",
            Self::Down => "down",
        }
    }
}

/// One node in a view.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// Its name.
    pub id: NodeId,
    /// A number that is the node's own as long as the balancer runs: sessions and pools keep arrays by it.
    pub index: usize,
    /// Where its server listens.
    pub address: SocketAddr,
    /// What it is for.
    pub role: Role,
    /// Whether it takes statements.
    pub state: NodeState,
    /// Share of the reads under the weighted strategy, relative to the others; at least 1.
    pub weight: u32,
    /// Rises each time the node comes back or changes role: connections from before must not be used again.
    pub epoch: u64,
    /// Its live figures.
    pub meter: Arc<Meter>,
}

/// The strategies by which a read's node is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// One after the other.
    #[default]
    RoundRobin,
    /// By lot.
    Random,
    /// In proportion to the weights, smoothly interleaved.
    Weighted,
    /// The node with the fewest statements under way for its weight.
    LeastConnections,
    /// The node with the lowest decaying average, exploring now and then.
    LeastLatency,
    /// Of two drawn by lot, the one whose decaying peak of latency, times what it has under way, is lower.
    PeakEwma,
    /// The node that answers probes soonest.
    LowestPing,
    /// Always the primary.
    Direct,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::RoundRobin,
        Self::Random,
        Self::Weighted,
        Self::LeastConnections,
        Self::LeastLatency,
        Self::PeakEwma,
        Self::LowestPing,
        Self::Direct,
    ];

    /// The name used in files, hints and on the admin API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round_robin",
            Self::Random => "random",
            Self::Weighted => "weighted",
            Self::LeastConnections => "least_connections",
            Self::LeastLatency => "least_latency",
            Self::PeakEwma => "peak_ewma",
            Self::LowestPing => "lowest_ping",
            Self::Direct => "direct",
        }
    }

    /// The strategy of a name, in any case.
    pub fn of(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.as_str().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// The topology at one moment.
#[derive(Clone, Debug)]
pub struct ClusterView {
    /// Rises by one a publication.
    pub generation: u64,
    /// All known nodes, in the order of the configuration.
    pub nodes: Vec<NodeView>,
    /// How reads are spread.
    pub strategy: Strategy,
}

impl ClusterView {
    /// The node that takes writes now; `None` while it is being replaced (statements that need it wait).
    pub fn primary(&self) -> Option<&NodeView> {
        self.nodes.iter().find(|node| node.role == Role::Primary && node.state == NodeState::Serving)
    }

    /// Serving nodes that are no primary.
    pub fn replicas(&self) -> impl Iterator<Item = &NodeView> {
        self.nodes.iter().filter(|node| node.role == Role::Replica && node.state == NodeState::Serving)
    }

    /// A node by its number.
    pub fn node(&self, index: usize) -> Option<&NodeView> {
        self.nodes.iter().find(|node| node.index == index)
    }

    /// How many nodes serve, primary included.
    pub fn serving(&self) -> usize {
        self.nodes.iter().filter(|node| node.state == NodeState::Serving).count()
    }
}

/// Where the executor publishes and everybody reads. Reading is one atomic load.
#[derive(Debug)]
pub struct ViewCell {
    now: ArcSwap<ClusterView>,
    generation: watch::Sender<u64>,
    slow_start: Duration,
}

impl ViewCell {
    /// Starts with a first view.
    pub fn new(first: ClusterView) -> Self {
        let (generation, _) = watch::channel(first.generation);
        Self { now: ArcSwap::from_pointee(first), generation, slow_start: Duration::ZERO }
    }

    /// From now on, a node that begins to serve gets its full share of the reads only after so long.
    pub fn with_slow_start(self, over: Duration) -> Self {
        Self { slow_start: over, ..self }
    }

    /// The view of this moment. Hold it for one statement, not across waits.
    pub fn load(&self) -> Guard<Arc<ClusterView>> {
        self.now.load()
    }

    /// The view of this moment, to keep.
    pub fn load_full(&self) -> Arc<ClusterView> {
        self.now.load_full()
    }

    /// Replaces the view. Only the executor calls this.
    pub fn publish(&self, mut next: ClusterView) {
        let before = self.now.load();
        next.generation = before.generation + 1;
        self.warm_up(&before, &next);
        drop(before);
        let generation = next.generation;
        self.now.store(Arc::new(next));
        self.generation.send_replace(generation);
    }

    /// Nodes that serve and did not before have cold caches.
    fn warm_up(&self, before: &ClusterView, next: &ClusterView) {
        if self.slow_start.is_zero() {
            return;
        }
        for node in next.replicas() {
            if before.node(node.index).is_none_or(|old| old.state != NodeState::Serving) {
                node.meter.warm_up.begin(Instant::now(), self.slow_start);
            }
        }
    }

    /// A receiver that wakes at each publication.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Waits until a view pleases, `limit` at most; `None` when it ran out.
    pub async fn wait_for(
        &self,
        limit: Duration,
        mut pleases: impl FnMut(&ClusterView) -> bool,
    ) -> Option<Arc<ClusterView>> {
        let end = Instant::now() + limit;
        let mut generation = self.watch();
        loop {
            generation.mark_unchanged();
            let view = self.load_full();
            if pleases(&view) {
                return Some(view);
            }
            tokio::time::timeout_at(end, generation.changed()).await.ok()?.ok()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::strategy::tests::replicas;

    #[test]
    fn a_node_that_begins_to_serve_warms_up_and_one_that_goes_on_does_not() {
        let view = |states: [NodeState; 2]| {
            let mut nodes = replicas(&[1, 1]);
            nodes.iter_mut().zip(states).for_each(|(node, state)| node.state = state);
            ClusterView { generation: 1, nodes, strategy: Strategy::RoundRobin }
        };
        let begin = view([NodeState::Serving, NodeState::Standby]);
        for (over_ms, warms) in [(10_000, [false, true]), (0, [false, false])] {
            let cell = ViewCell::new(begin.clone()).with_slow_start(Duration::from_millis(over_ms));
            let next = view([NodeState::Serving, NodeState::Serving]);
            let meters: Vec<_> = next.nodes.iter().map(|node| node.meter.clone()).collect();
            cell.publish(next);
            assert_eq!(
                meters.iter().map(|meter| meter.warm_up.is_on()).collect::<Vec<_>>(),
                warms,
                "{over_ms}"
            );
        }
    }
}
