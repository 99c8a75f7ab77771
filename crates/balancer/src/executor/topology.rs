//! The executor's own table of the nodes, from which it makes views. Nobody else writes it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use cluster::{NodeId, Role};
use tokio::time::Instant;

use crate::failover::reign::Reign;
use crate::health::Board;
use crate::view::{ClusterView, NodeState, NodeView, Strategy};

/// Where a node belongs when it is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Home {
    /// It serves.
    Serving,
    /// It waits for a scale-out.
    Standby,
}

/// One node.
#[derive(Clone, Debug)]
pub struct Member {
    /// As published.
    pub node: NodeView,
    /// Where it goes back to.
    pub home: Home,
    /// Its data are known to be of the present primary's history, behind or not: it may stand for election.
    pub sound: bool,
    /// In this life (see [`crate::health::Sight::lives`]) it may not come back: it has diverged.
    pub refused: Option<u64>,
    /// How often bringing it back has failed in a row, and before when it is not tried again.
    pub failures: (u32, Option<Instant>),
}

impl Member {
    /// Notes a failure; the pause before the next try grows from 250 ms to 8 s.
    pub fn failed(&mut self, now: Instant) {
        let pause = Duration::from_millis(250 << self.failures.0.min(5));
        self.failures = (self.failures.0 + 1, Some(now + pause));
    }

    /// Whether it is to be left alone for now.
    pub fn pausing(&self, now: Instant) -> bool {
        self.failures.1.is_some_and(|until| now < until)
    }
}

/// All nodes.
#[derive(Debug)]
pub struct Topology {
    /// In the order of the configuration.
    pub members: Vec<Member>,
    /// How reads are spread.
    pub strategy: Strategy,
    /// Clients may have been told of transactions up to here: what the primary had when nobody knew any more what they were
    /// told of, as a sequence number of replication domain 0. What they were told of for certain stands in its meter.
    pub perhaps_told: u64,
    /// The primary's reign, also after it was lost, where it is known.
    pub reign: Option<Reign>,
    /// There was no primary at the start, so of no node it is known which way it has gone.
    pub unproven: bool,
}

impl Topology {
    /// A node.
    pub fn get(&self, id: &NodeId) -> Option<&Member> {
        self.members.iter().find(|member| member.node.id == *id)
    }

    /// A node, to change it.
    pub fn get_mut(&mut self, id: &NodeId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.node.id == *id)
    }

    /// Who holds the role of the primary, in whatever state.
    pub fn holder(&self) -> Option<&Member> {
        self.members.iter().find(|member| member.node.role == Role::Primary)
    }

    /// Who takes writes.
    pub fn primary(&self) -> Option<&Member> {
        self.holder().filter(|member| member.node.state == NodeState::Serving)
    }

    /// A node's state.
    pub fn state(&self, id: &NodeId) -> Option<NodeState> {
        self.get(id).map(|member| member.node.state)
    }

    /// Sets a node's state.
    pub fn set_state(&mut self, id: &NodeId, state: NodeState) {
        if let Some(member) = self.get_mut(id) {
            member.node.state = state;
        }
    }

    /// How many serve and are alive: one that has just died may still stand as serving.
    pub fn serving(&self, board: &Board) -> usize {
        let serves =
            |member: &&Member| member.node.state == NodeState::Serving && board.alive(&member.node.id);
        self.members.iter().filter(serves).count()
    }

    /// `chosen` holds the role from now on and serves; whoever held it before is a replica that has yet to come back.
    /// Those that did not vote may have gone another way.
    pub fn crown(&mut self, chosen: &NodeId, voted: impl Fn(&NodeId) -> bool) {
        let told = |member: &Member| member.node.meter.acknowledged.load(Relaxed);
        let told = self.holder().filter(|holder| holder.node.id != *chosen).map(told);
        for member in &mut self.members {
            member.sound = voted(&member.node.id) || member.node.id == *chosen;
            let node = &mut member.node;
            if node.id == *chosen {
                // It answers for what clients were told by the one before it, and not for what it told in another time.
                if let Some(told) = told {
                    node.meter.acknowledged.store(told, Relaxed);
                }
                node.epoch += 1;
                node.role = Role::Primary;
                node.state = NodeState::Serving;
                member.home = Home::Serving;
                member.failures = (0, None);
            } else if node.role == Role::Primary {
                node.epoch += 1;
                node.role = Role::Replica;
                if node.state != NodeState::Down {
                    node.state = NodeState::Joining;
                }
            }
        }
    }

    /// A follower that is well goes where it belongs.
    pub fn settle(&mut self, id: &NodeId) {
        let Some(member) = self.get_mut(id) else { return };
        member.failures = (0, None);
        member.refused = None;
        member.sound = true;
        member.node.epoch += 1;
        (member.node.role, member.node.state) = match member.home {
            Home::Serving => (Role::Replica, NodeState::Serving),
            Home::Standby => (Role::Candidate, NodeState::Standby),
        };
    }

    /// The candidate to take into service: the one whose data are the freshest, then the first.
    pub fn readiest(&self, board: &Board) -> Option<NodeId> {
        let waiting = self
            .members
            .iter()
            .filter(|member| member.node.state == NodeState::Standby && board.alive(&member.node.id));
        let lag = |member: &&Member| match member.node.meter.lag_ms.load(Relaxed) {
            lag @ 0.. => lag,
            _ => i64::MAX,
        };
        waiting.min_by_key(lag).map(|member| member.node.id.clone())
    }

    /// The replica that is best spared: one that began as a candidate before others, the last in the configuration first.
    pub fn spare(&self, candidates: &[NodeId]) -> Option<NodeId> {
        let serving =
            |member: &&Member| member.node.role == Role::Replica && member.node.state == NodeState::Serving;
        let rank = |member: &&Member| (candidates.contains(&member.node.id), member.node.index);
        self.members.iter().filter(serving).max_by_key(rank).map(|member| member.node.id.clone())
    }

    /// What is to be published. A node that is held for dead serves in no view.
    pub fn view(&mut self, board: &Board) -> ClusterView {
        for member in &mut self.members {
            let node = &mut member.node;
            let takes_part = matches!(node.state, NodeState::Serving | NodeState::Draining);
            if takes_part && !board.alive(&node.id) {
                node.state = NodeState::Down;
            }
        }
        let nodes: Vec<NodeView> = self.members.iter().map(|member| member.node.clone()).collect();
        let primaries = nodes.iter().filter(|node| node.role == Role::Primary).count();
        assert!(primaries <= 1, "the executor gave the role of the primary to {primaries} nodes");
        ClusterView { generation: 0, nodes, strategy: self.strategy }
    }
}

/// A handle to one node's meter, for jobs.
pub fn meter(topology: &Topology, id: &NodeId) -> Option<Arc<crate::telemetry::Meter>> {
    topology.get(id).map(|member| member.node.meter.clone())
}
