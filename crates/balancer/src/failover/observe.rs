//! Who is the primary where others decide it: nodes that are observed and not changed (MySQL). Pure, as [`super::diagnose`].
//!
//! The primary is the node that is writable. While the one in the view is, nothing is asked; when it is dead or closed,
//! another one takes its place in the view as soon as it is the only writable node and is seen to go on from the same data:
//! others follow it, or it has all that was last seen of the former primary. Else an operator must name it.

use cluster::{NodeId, Role};
use tokio::time::Instant;

use super::diagnose::{Diagnosis, followers};
use crate::health::Sight;
use crate::nodes::Facts;
use crate::view::{ClusterView, NodeState, NodeView};

/// Everything that is wrong in `view`, which has been published at `since`.
pub fn observe(view: &ClusterView, sights: &[Sight], since: Instant) -> Vec<Diagnosis> {
    let primary = Look { view, sights }.primary();
    primary.into_iter().chain(followers(view, sights, since)).collect()
}

struct Look<'a> {
    view: &'a ClusterView,
    sights: &'a [Sight],
}

impl<'a> Look<'a> {
    /// What a node says of itself, if it lives.
    fn facts(&self, id: &NodeId) -> Option<&'a Facts> {
        let sight = self.sights.iter().find(|sight| sight.id == *id)?;
        sight.facts.as_ref().filter(|_| sight.alive)
    }

    fn is_writable(&self, node: &NodeView) -> bool {
        node.state != NodeState::Disabled && self.facts(&node.id).is_some_and(|facts| !facts.read_only)
    }

    fn primary(&self) -> Option<Diagnosis> {
        let holder = self.view.nodes.iter().find(|node| node.role == Role::Primary);
        if holder.is_some_and(|node| node.state == NodeState::Serving && self.is_writable(node)) {
            return None;
        }
        let mut writable = self.view.nodes.iter().filter(|node| self.is_writable(node));
        if let (Some(only), None) = (writable.next(), writable.next())
            && holder.is_none_or(|holder| self.goes_on(only, holder))
        {
            let evidence = match holder {
                Some(holder) if holder.id != only.id => {
                    format!("{} is writable, and {} is not", only.id, holder.id)
                }
                _ => format!("{} is writable", only.id),
            };
            return Some(Diagnosis::Found { node: only.id.clone(), evidence });
        }
        let holder = holder.filter(|node| matches!(node.state, NodeState::Serving | NodeState::Draining))?;
        let sight = self.sights.iter().find(|sight| sight.id == holder.id && !sight.alive)?;
        Some(Diagnosis::Dead { node: holder.id.clone(), evidence: sight.evidence.clone() })
    }

    /// Whether a node that was opened goes on from the former primary's data.
    fn goes_on(&self, node: &NodeView, holder: &NodeView) -> bool {
        let follows = |other: &NodeView| {
            let following = self.facts(&other.id).and_then(|facts| facts.following.as_ref());
            following.is_some_and(|following| following.source == Some(node.address))
        };
        let last =
            self.sights.iter().find(|sight| sight.id == holder.id).and_then(|sight| sight.facts.as_ref());
        let has_all = || {
            let facts = self.facts(&node.id);
            facts.is_some_and(|facts| last.is_none_or(|last| facts.applied.covers(&last.applied)))
        };
        node.id == holder.id || self.view.nodes.iter().any(follows) || has_all()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::nodes::{Following, Receiving};
    use crate::telemetry::Meter;

    /// One letter a node: `p` the view's primary, writable; `c` the view's primary, closed; `-` the view's primary, dead;
    /// `d` the same, out of the view; `r` a replica of n1; `w` a writable node; `f` a replica of n2; `o` a writable one that
    /// lacks something. All have applied 5 transactions, and `o` 4.
    fn seen(shape: &str) -> Vec<String> {
        let address = |n: u16| std::net::SocketAddr::from(([127, 0, 0, 1], n));
        let node = |(index, letter): (usize, char)| NodeView {
            id: NodeId::new(format!("n{}", index + 1)),
            index,
            address: address(index as u16 + 1),
            role: if "pc-d".contains(letter) { Role::Primary } else { Role::Replica },
            state: if letter == 'd' { NodeState::Down } else { NodeState::Serving },
            weight: 1,
            epoch: 1,
            meter: Arc::new(Meter::default()),
        };
        let sight = |(index, letter): (usize, char)| {
            let last = if letter == 'o' { 4 } else { 5 };
            let following = Following {
                source: Some(address(if letter == 'f' { 2 } else { 1 })),
                received: Default::default(),
                receiving: Receiving::Connecting,
                applying: true,
                error: String::new(),
                diverged: false,
            };
            Sight {
                id: NodeId::new(format!("n{}", index + 1)),
                alive: !"-d".contains(letter),
                lives: 0,
                facts: Some(Facts {
                    server: 0,
                    read_only: "crf".contains(letter),
                    applied: format!("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-{last}").parse().unwrap(),
                    following: "rf".contains(letter).then_some(following),
                    waits: false,
                }),
                facts_at: None,
                evidence: "gone".into(),
                died: None,
                up_at: None,
            }
        };
        let nodes = shape.chars().enumerate().map(node).collect();
        let view = ClusterView { generation: 1, nodes, strategy: Default::default() };
        let sights: Vec<Sight> = shape.chars().enumerate().map(sight).collect();
        let told = observe(&view, &sights, Instant::now());
        told.into_iter().map(|diagnosis| format!("{:?}", diagnosis.request().action)).collect()
    }

    #[test]
    fn the_only_writable_node_is_the_primary() {
        let adopt = |id: &str| vec![format!("Adopt(NodeId(\"{id}\"))")];
        let out = vec!["TakeOut(NodeId(\"n1\"))".to_owned()];
        let nothing = Vec::<String>::new();
        for (shape, expected) in [
            ("prr", &nothing),
            ("pwr", &nothing),
            ("-rr", &out),
            ("drr", &nothing),
            ("dwr", &adopt("n2")),
            ("cwr", &adopt("n2")),
            ("crr", &nothing),
            ("dww", &nothing),
            ("-or", &out),
            ("dor", &nothing),
            ("dof", &adopt("n2")),
            ("do", &nothing),
        ] {
            assert_eq!(&seen(shape), expected, "{shape}");
        }
    }
}
