//! Which requests have an object, and which may begin beside what runs.

use cluster::{NodeId, Role};
use tokio::time::Instant;

use super::Executor;
use super::job::{Kind, Running};
use crate::request::{Action, Request};
use crate::view::NodeState;

impl Executor {
    /// Whether a request still has an object. Watchers look at how things are and ask again and again; what is being
    /// done or has been done is not done twice.
    pub(super) fn sensible(&self, request: &Request) -> bool {
        let (topology, board) = (&self.parts.topology, &self.parts.board);
        match &request.action {
            Action::ReplacePrimary => self.primary_is_wanted(),
            Action::Switchover(id) => {
                let primary = topology.primary().map(|primary| &primary.node.id);
                board.alive(id) && primary != Some(id) && topology.get(id).is_some()
            }
            Action::Adopt(id) => {
                let writable =
                    board.sight(id).and_then(|sight| sight.facts).is_some_and(|facts| !facts.read_only);
                let primary = topology.primary().map(|primary| &primary.node.id);
                board.alive(id) && writable && primary != Some(id)
            }
            Action::TakeOut(id) => {
                let out = matches!(topology.state(id), None | Some(NodeState::Down | NodeState::Disabled));
                !out && !board.alive(id)
            }
            Action::Rejoin(id) => self.may_rejoin(id),
            Action::Enable(id) => topology.state(id) == Some(NodeState::Disabled),
            Action::Disable(id) | Action::Drain(id) => topology
                .get(id)
                .is_some_and(|m| m.node.role != Role::Primary && m.node.state != NodeState::Disabled),
            Action::ScaleOut(_) | Action::ScaleIn(_) => true,
        }
    }

    fn primary_is_wanted(&self) -> bool {
        let paused = self.promote_not_before.is_some_and(|until| Instant::now() < until);
        let well = self.parts.topology.primary().is_some_and(|primary| {
            let sight = self.parts.board.sight(&primary.node.id);
            sight.is_some_and(|s| s.alive && !s.facts.is_some_and(|facts| facts.read_only))
        });
        !paused && !well && !self.promoting()
    }

    fn may_rejoin(&self, id: &NodeId) -> bool {
        let Some(member) = self.parts.topology.get(id) else { return false };
        let Some(sight) = self.parts.board.sight(id) else { return false };
        let follower = member.node.role != Role::Primary && member.node.state != NodeState::Disabled;
        let refused = member.refused == Some(sight.lives);
        follower && sight.alive && !refused && !member.pausing(Instant::now()) && self.job_of(id).is_none()
    }

    pub(super) fn promoting(&self) -> bool {
        self.running.iter().any(|job| !job.opened && matches!(job.kind, Kind::Promote | Kind::Switchover))
    }

    fn scaling(&self) -> bool {
        let scales = |kind| matches!(kind, Kind::ScaleOut | Kind::ScaleIn | Kind::Drain | Kind::Approach);
        self.running.iter().any(|job| scales(job.kind))
    }

    fn job_of(&self, id: &NodeId) -> Option<&Running> {
        self.running.iter().find(|job| job.node.as_ref() == Some(id))
    }

    /// What new work has to go beside.
    pub(super) fn free(&self) -> Free {
        let primary = self.parts.topology.primary().is_some();
        let promotes = |job: &Running| matches!(job.kind, Kind::Promote | Kind::Switchover);
        let changing = self.running.iter().any(promotes);
        Free { promoting: self.promoting(), changing, scaling: self.scaling(), primary }
    }
}

/// What runs, as far as it keeps other things from being begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Free {
    promoting: bool,
    /// Or the new primary is open, and nodes are still being pointed at it: who serves is not settled yet.
    changing: bool,
    scaling: bool,
    primary: bool,
}

impl Free {
    /// Whether an action may begin beside what runs. An election is the one promotion that cancels other jobs; a planned
    /// one waits for those that scale.
    pub(super) fn may_begin(self, action: &Action) -> bool {
        let Self { promoting, changing, scaling, primary } = self;
        match action {
            Action::TakeOut(_) | Action::Disable(_) => true,
            Action::ReplacePrimary | Action::Adopt(_) => !promoting,
            Action::Switchover(_) => !promoting && !scaling,
            Action::Enable(_) => !promoting && primary,
            // The node may be one of those that are still being pointed at the new primary.
            Action::Rejoin(_) => !changing && primary,
            Action::ScaleOut(_) => !promoting && !scaling && primary,
            Action::ScaleIn(_) | Action::Drain(_) => !changing && !scaling && primary,
        }
    }
}
