//! What is wrong, with the evidence for it. Pure: a view and what is known of the nodes in, diagnoses out.

use std::time::Duration;

use cluster::{NodeId, Role};
use tokio::time::Instant;

use crate::health::Sight;
use crate::nodes::{Facts, Receiving};
use crate::request::{Action, Request};
use crate::view::{ClusterView, NodeState, NodeView};

/// A node's own words contradict the view only when they are this much younger than it: replication takes a moment to
/// follow a change.
pub const SETTLE: Duration = Duration::from_millis(1_000);

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Diagnosis {
    /// No node takes writes, or the one that should cannot.
    NoPrimary {
        /// What was seen.
        evidence: String,
    },
    /// The primary came back and nobody may take its place by itself.
    PrimaryReturned(NodeId),
    /// Where others decide it: this node is the primary now.
    Found {
        /// Which one.
        node: NodeId,
        /// What was seen.
        evidence: String,
    },
    /// A node in the view is dead.
    Dead {
        /// Which one.
        node: NodeId,
        /// What was seen.
        evidence: String,
    },
    /// A node that was out answers.
    Returned {
        /// Which one.
        node: NodeId,
    },
    /// A node does not follow the primary as it should.
    Astray {
        /// Which one.
        node: NodeId,
        /// In which way.
        evidence: String,
    },
}

impl Diagnosis {
    /// What is to be done about it.
    pub fn request(self) -> Request {
        match self {
            Self::NoPrimary { evidence } => Request::new(Action::ReplacePrimary, evidence),
            Self::PrimaryReturned(node) => {
                Request::new(Action::Switchover(node), "the primary answers again")
            }
            Self::Found { node, evidence } => Request::new(Action::Adopt(node), evidence),
            Self::Dead { node, evidence } => Request::new(Action::TakeOut(node), evidence),
            Self::Returned { node } => Request::new(Action::Rejoin(node), "it answers again"),
            Self::Astray { node, evidence } => Request::new(Action::Rejoin(node), evidence),
        }
    }
}

/// Everything that is wrong in `view`, which has been published at `since`. With `automatic` a lost primary is to be
/// replaced, without it only taken out.
pub fn diagnose(view: &ClusterView, sights: &[Sight], since: Instant, automatic: bool) -> Vec<Diagnosis> {
    let look = Look { view, sights, since, automatic };
    look.primary().into_iter().chain(followers(view, sights, since)).collect()
}

/// What is wrong with those that are not the primary.
pub(super) fn followers(view: &ClusterView, sights: &[Sight], since: Instant) -> Vec<Diagnosis> {
    let look = Look { view, sights, since, automatic: false };
    let nodes = view.nodes.iter().filter(|node| node.role != Role::Primary);
    nodes.filter_map(|node| look.follower(node)).collect()
}

struct Look<'a> {
    view: &'a ClusterView,
    sights: &'a [Sight],
    since: Instant,
    automatic: bool,
}

impl Look<'_> {
    fn sight(&self, node: &NodeView) -> Option<&Sight> {
        self.sights.iter().find(|sight| sight.id == node.id)
    }

    /// What the node said well after the view was published.
    fn settled<'s>(&self, sight: &'s Sight) -> Option<&'s Facts> {
        let at = sight.facts_at?;
        sight.facts.as_ref().filter(|_| sight.alive && at >= self.since + SETTLE)
    }

    fn primary(&self) -> Option<Diagnosis> {
        let Some(holder) = self.view.nodes.iter().find(|node| node.role == Role::Primary) else {
            return self.nobody("no node is the primary".to_owned());
        };
        let sight = self.sight(holder)?;
        match (holder.state, sight.alive) {
            (NodeState::Serving, true) => {
                let closed = self.settled(sight).is_some_and(|facts| facts.read_only);
                (closed && self.automatic).then(|| Diagnosis::NoPrimary {
                    evidence: format!("primary {}: it answers, but is read-only", holder.id),
                })
            }
            (NodeState::Draining | NodeState::Disabled, true) => None,
            (_, true) if !self.automatic => Some(Diagnosis::PrimaryReturned(holder.id.clone())),
            (_, true) => self.nobody(format!("primary {} answers again", holder.id)),
            // With nobody left to take over it is at least not to be asked any more.
            (NodeState::Serving | NodeState::Draining, false) if !self.automatic || !self.hope() => {
                Some(Diagnosis::Dead { node: holder.id.clone(), evidence: sight.evidence.clone() })
            }
            (_, false) => {
                self.nobody(format!("primary {}: {}{}", holder.id, sight.evidence, self.witnesses(sight)))
            }
        }
    }

    fn nobody(&self, evidence: String) -> Option<Diagnosis> {
        (self.automatic && self.hope()).then_some(Diagnosis::NoPrimary { evidence })
    }

    /// Whether any node is left.
    fn hope(&self) -> bool {
        self.sights.iter().any(|sight| sight.alive)
    }

    /// How many followers say, since the first evidence, that they lost the primary too.
    fn witnesses(&self, lost: &Sight) -> String {
        let Some((first, _)) = lost.died else { return String::new() };
        let heard = |sight: &&Sight| sight.alive && sight.facts_at.is_some_and(|at| at >= first);
        let asked: Vec<_> = self
            .sights
            .iter()
            .filter(heard)
            .filter_map(|sight| sight.facts.as_ref()?.following.as_ref())
            .collect();
        let lost = asked.iter().filter(|following| following.receiving != Receiving::Connected).count();
        if asked.is_empty() {
            String::new()
        } else {
            format!("; {lost} of {} followers lost it too", asked.len())
        }
    }

    fn follower(&self, node: &NodeView) -> Option<Diagnosis> {
        let sight = self.sight(node)?;
        let (id, primary) = (node.id.clone(), self.view.primary());
        match (node.state, sight.alive) {
            (NodeState::Disabled, _) | (NodeState::Down, false) => None,
            (_, false) => Some(Diagnosis::Dead { node: id, evidence: sight.evidence.clone() }),
            (NodeState::Down | NodeState::Joining, true) => primary.map(|_| Diagnosis::Returned { node: id }),
            (NodeState::Serving | NodeState::Standby | NodeState::Draining, true) => {
                let evidence = self.astray(primary?, self.settled(sight)?)?;
                Some(Diagnosis::Astray { node: id, evidence })
            }
        }
    }

    /// In which way a follower does not follow.
    fn astray(&self, primary: &NodeView, facts: &Facts) -> Option<String> {
        if let Some(stopped) = facts.stopped() {
            return Some(stopped);
        }
        if !facts.read_only {
            return Some("it is writable, and not the primary".to_owned());
        }
        // Nodes may know each other by other addresses than ours; only a known wrong one is wrong.
        let source = facts.following.as_ref()?.source?;
        let other = self.view.nodes.iter().find(|node| node.address == source && node.id != primary.id)?;
        Some(format!("it follows {}, which is not the primary", other.id))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::nodes::Following;
    use crate::telemetry::Meter;

    fn follows() -> Facts {
        let following = Following {
            source: Some("127.0.0.1:1".parse().unwrap()),
            received: Default::default(),
            receiving: Receiving::Connected,
            applying: true,
            error: String::new(),
            diverged: false,
        };
        Facts { read_only: true, following: Some(following), ..Facts::default() }
    }

    /// n1 a serving primary, n2 and n3 serving replicas, n4 a candidate; all well.
    fn cluster() -> (ClusterView, Vec<Sight>, Instant) {
        let since = Instant::now();
        let shape = [
            (Role::Primary, NodeState::Serving),
            (Role::Replica, NodeState::Serving),
            (Role::Replica, NodeState::Serving),
            (Role::Candidate, NodeState::Standby),
        ];
        let nodes = shape.iter().enumerate().map(|(index, (role, state))| NodeView {
            id: NodeId::new(format!("n{}", index + 1)),
            index,
            address: format!("127.0.0.1:{}", index + 1).parse().unwrap(),
            role: *role,
            state: *state,
            weight: 1,
            epoch: 0,
            meter: Arc::new(Meter::default()),
        });
        let view = ClusterView { generation: 1, nodes: nodes.collect(), strategy: Default::default() };
        let sights = view.nodes.iter().map(|node| Sight {
            id: node.id.clone(),
            alive: true,
            lives: 0,
            facts: Some(if node.role == Role::Primary { Facts::default() } else { follows() }),
            facts_at: Some(since + SETTLE),
            evidence: String::new(),
            died: None,
            up_at: None,
        });
        let sights = sights.collect();
        (view, sights, since)
    }

    fn kill(sight: &mut Sight, at: Instant) {
        sight.alive = false;
        sight.evidence = "a connection was refused".into();
        sight.died = Some((at, at));
    }

    /// What comes out, as requests, after `change`.
    fn requests(
        change: impl FnOnce(&mut ClusterView, &mut Vec<Sight>),
        automatic: bool,
    ) -> Vec<(Action, String)> {
        let (mut view, mut sights, since) = cluster();
        change(&mut view, &mut sights);
        let found = diagnose(&view, &sights, since, automatic);
        found.into_iter().map(Diagnosis::request).map(|request| (request.action, request.cause)).collect()
    }

    fn actions(change: impl FnOnce(&mut ClusterView, &mut Vec<Sight>)) -> Vec<Action> {
        requests(change, true).into_iter().map(|(action, _)| action).collect()
    }

    #[test]
    fn a_healthy_cluster_needs_nothing() {
        assert_eq!(actions(|_, _| {}), []);
    }

    #[test]
    fn a_dead_primary_is_replaced_and_the_followers_are_witnesses() {
        let now = Instant::now();
        let found = requests(
            |_, sights| {
                kill(&mut sights[0], now);
                sights[1].facts.as_mut().unwrap().following.as_mut().unwrap().receiving =
                    Receiving::Connecting;
            },
            true,
        );
        let cause = "primary n1: a connection was refused; 1 of 3 followers lost it too";
        assert_eq!(found, [(Action::ReplacePrimary, cause.to_owned())]);
    }

    #[test]
    fn without_automatic_it_is_only_taken_out_and_taken_back() {
        let now = Instant::now();
        let found = requests(|_, sights| kill(&mut sights[0], now), false);
        assert_eq!(found[0].0, Action::TakeOut("n1".into()));
        let found = requests(|view, _| view.nodes[0].state = NodeState::Down, false);
        assert_eq!(found[0].0, Action::Switchover("n1".into()));
    }

    #[test]
    fn a_primary_that_answers_read_only_is_replaced_once_the_view_has_settled() {
        let closed = |sights: &mut Vec<Sight>| sights[0].facts.as_mut().unwrap().read_only = true;
        assert_eq!(actions(|_, sights| closed(sights)), [Action::ReplacePrimary]);
        let young = |_: &mut ClusterView, sights: &mut Vec<Sight>| {
            closed(sights);
            sights[0].facts_at = Some(Instant::now());
        };
        assert_eq!(actions(young), []);
    }

    #[test]
    fn followers() {
        let now = Instant::now();
        let n3 = || NodeId::from("n3");
        type Change = Box<dyn FnOnce(&mut ClusterView, &mut Vec<Sight>)>;
        let facts = |change: fn(&mut Facts)| -> Change {
            Box::new(move |_, sights| change(sights[2].facts.as_mut().unwrap()))
        };
        let table: Vec<(&str, Change, Vec<Action>)> = vec![
            ("dead", Box::new(move |_, s| kill(&mut s[2], now)), vec![Action::TakeOut(n3())]),
            ("returned", Box::new(|v, _| v.nodes[2].state = NodeState::Down), vec![Action::Rejoin(n3())]),
            (
                "dead and out already",
                Box::new(move |v, s| {
                    v.nodes[2].state = NodeState::Down;
                    kill(&mut s[2], now);
                }),
                vec![],
            ),
            (
                "dead while joining",
                Box::new(move |v, s| {
                    v.nodes[2].state = NodeState::Joining;
                    kill(&mut s[2], now);
                }),
                vec![Action::TakeOut(n3())],
            ),
            (
                "returned while no primary serves",
                Box::new(|v, _| {
                    v.nodes[0].state = NodeState::Draining;
                    v.nodes[2].state = NodeState::Down;
                }),
                vec![],
            ),
            (
                "switched off by an operator",
                Box::new(move |v, s| {
                    v.nodes[2].state = NodeState::Disabled;
                    kill(&mut s[2], now);
                }),
                vec![],
            ),
            ("follows nobody", facts(|f| f.following = None), vec![Action::Rejoin(n3())]),
            ("writable", facts(|f| f.read_only = false), vec![Action::Rejoin(n3())]),
            (
                "does not apply",
                facts(|f| f.following.as_mut().unwrap().applying = false),
                vec![Action::Rejoin(n3())],
            ),
            (
                "does not receive",
                facts(|f| f.following.as_mut().unwrap().receiving = Receiving::Stopped),
                vec![Action::Rejoin(n3())],
            ),
            ("connects", facts(|f| f.following.as_mut().unwrap().receiving = Receiving::Connecting), vec![]),
            (
                "follows another node",
                facts(|f| f.following.as_mut().unwrap().source = Some("127.0.0.1:2".parse().unwrap())),
                vec![Action::Rejoin(n3())],
            ),
            (
                "follows an address that is unknown here",
                facts(|f| f.following.as_mut().unwrap().source = Some("10.0.0.9:3306".parse().unwrap())),
                vec![],
            ),
        ];
        for (name, change, expected) in table {
            assert_eq!(actions(change), expected, "{name}");
        }
    }
}
