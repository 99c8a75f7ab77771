//! Whether an acknowledged write would survive the loss of the primary, as far as its settings tell.
//!
//! The balancer turns semi-synchronous replication on where it opens a primary. One that it finds open it leaves as it is:
//! the setting is its owner's, and changing it can stop writes. It says so instead, in the log and on `/status`.

use crate::health::Sight;
use crate::nodes::Receiving;
use crate::view::ClusterView;

/// What is wrong, with the consequence and the remedy; `None` while all is well or nobody follows.
pub fn warning(view: &ClusterView, sights: &[Sight]) -> Option<String> {
    let primary = view.primary()?;
    let sight = sights.iter().find(|sight| sight.id == primary.id && sight.alive)?;
    // What it said before it was opened is of no interest.
    let facts = sight.facts.as_ref().filter(|facts| !facts.read_only)?;
    let receives = |sight: &&Sight| {
        let following = sight.facts.as_ref().and_then(|facts| facts.following.as_ref());
        sight.alive && following.is_some_and(|following| following.receiving == Receiving::Connected)
    };
    let followers = sights.iter().filter(receives).count();
    (followers > 0 && !facts.waits).then(|| {
        format!(
            "primary {} acknowledges writes before a follower has them (rpl_semi_sync_master_enabled=OFF): \
             if it is lost, acknowledged writes can be lost with it; SET GLOBAL rpl_semi_sync_master_enabled=ON \
             there, and rpl_semi_sync_slave_enabled=ON on its followers (newer MySQL: _source_ and _replica_)",
            primary.id
        )
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cluster::{NodeId, Role};

    use super::*;
    use crate::nodes::{Facts, Following};
    use crate::view::{NodeState, NodeView};

    fn warned(waits: bool, read_only: bool, receiving: Receiving) -> bool {
        let node = |index: usize, role| NodeView {
            id: NodeId::new(format!("n{}", index + 1)),
            index,
            address: ([127, 0, 0, 1], 1).into(),
            role,
            state: NodeState::Serving,
            weight: 1,
            epoch: 0,
            meter: Arc::default(),
        };
        let nodes = vec![node(0, Role::Primary), node(1, Role::Replica)];
        let view = ClusterView { generation: 1, nodes, strategy: Default::default() };
        let sight = |id: &str, facts| Sight {
            id: id.into(),
            alive: true,
            lives: 0,
            facts: Some(facts),
            facts_at: None,
            evidence: String::new(),
            died: None,
            up_at: None,
        };
        let following = Following {
            source: None,
            received: Default::default(),
            receiving,
            applying: true,
            error: String::new(),
            diverged: false,
        };
        let follower = Facts { read_only: true, following: Some(following), ..Facts::default() };
        let primary = Facts { read_only, waits, ..Facts::default() };
        warning(&view, &[sight("n1", primary), sight("n2", follower)]).is_some()
    }

    #[test]
    fn it_warns_of_an_open_primary_that_waits_for_none_of_its_followers() {
        assert!(warned(false, false, Receiving::Connected));
        assert!(!warned(true, false, Receiving::Connected));
        assert!(!warned(false, true, Receiving::Connected), "it is being opened");
        assert!(!warned(false, false, Receiving::Connecting), "nobody follows");
    }
}
