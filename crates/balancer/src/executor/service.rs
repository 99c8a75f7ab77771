//! Nodes that come and go: taken out, switched off and on, brought back, put into service and out of it.

use std::time::Duration;

use cluster::{NodeId, Role};
use tokio::time::Instant;

use super::Executor;
use super::job::{Kind, Running};
use super::topology::{self, Home};
use super::{rejoin, scale};
use crate::event::EventKind;
use crate::request::Request;
use crate::view::NodeState;

impl Executor {
    pub(super) fn take_out(&mut self, id: &NodeId) {
        if self.parts.topology.holder().is_some_and(|holder| holder.node.id == *id) {
            self.lose_primary();
        }
        self.cancel(|job| job.node.as_ref() == Some(id), "the node died");
        self.parts.topology.set_state(id, NodeState::Down);
        self.publish();
    }

    pub(super) fn enable(&mut self, id: &NodeId) {
        if let Some(member) = self.parts.topology.get_mut(id) {
            member.failures = (0, None);
            member.refused = None;
        }
        // The watchers see it there and have it brought back, or taken out if it is dead.
        self.parts.topology.set_state(id, NodeState::Joining);
        self.publish();
    }

    pub(super) fn disable(&mut self, id: &NodeId) {
        self.cancel(|job| job.node.as_ref() == Some(id), "an operator switched the node off");
        self.parts.topology.set_state(id, NodeState::Disabled);
        self.publish();
    }

    pub(super) fn rejoin(&mut self, request: Request, id: NodeId) {
        let Some(primary) = self.parts.topology.primary().map(|primary| primary.node.id.clone()) else {
            return;
        };
        self.parts.topology.set_state(&id, NodeState::Joining);
        self.publish();
        self.start(Kind::Rejoin, Some(id.clone()), request, async move |tools| {
            rejoin::rejoin(&tools, id, primary).await
        });
    }

    pub(super) fn scale_out(&mut self, request: Request, id: Option<NodeId>) {
        let (topology, board) = (&self.parts.topology, &self.parts.board);
        let ceiling = self.parts.elastic.borrow().ceiling;
        let id = id.or_else(|| topology.readiest(board));
        let ready =
            id.as_ref().is_some_and(|id| topology.state(id) == Some(NodeState::Standby) && board.alive(id));
        let (Some(id), Some(primary)) = (id.clone().filter(|_| ready), topology.primary()) else {
            return self.fail(&request, id.as_ref(), "no candidate stands by");
        };
        if ceiling != 0 && topology.serving(board) >= ceiling {
            return self.fail(&request, Some(&id), format!("{ceiling} nodes at most may serve"));
        }
        let primary = primary.node.id.clone();
        self.start(Kind::ScaleOut, Some(id.clone()), request, async move |tools| {
            scale::prepare(&tools, id, primary).await
        });
    }

    pub(super) fn scale_in(&mut self, request: Request, id: Option<NodeId>) {
        let (topology, board) = (&self.parts.topology, &self.parts.board);
        let floor = self.parts.elastic.borrow().floor;
        let id = id.or_else(|| topology.spare(&self.parts.candidates));
        let serves = |id: &NodeId| {
            topology
                .get(id)
                .is_some_and(|m| m.node.role == Role::Replica && m.node.state == NodeState::Serving)
        };
        let Some(id) = id.clone().filter(serves) else {
            return self.fail(&request, id.as_ref(), "no serving replica can be spared");
        };
        if topology.serving(board) <= floor {
            return self.fail(&request, Some(&id), format!("{floor} nodes at least must serve"));
        }
        self.drain(request, id, Kind::ScaleIn);
    }

    pub(super) fn drain(&mut self, request: Request, id: NodeId, kind: Kind) {
        let Some(meter) = topology::meter(&self.parts.topology, &id) else { return };
        let limit = Duration::from_millis(self.parts.elastic.borrow().drain_ms);
        if self.parts.topology.state(&id) == Some(NodeState::Serving) {
            self.parts.topology.set_state(&id, NodeState::Draining);
            self.publish();
        }
        self.start(kind, Some(id.clone()), request, async move |_| scale::drain(id, meter, limit).await);
    }

    pub(super) fn admit(&mut self, id: &NodeId, home: Home) {
        if let Some(member) = self.parts.topology.get_mut(id) {
            member.home = home;
        }
        self.parts.topology.settle(id);
        self.publish();
    }

    pub(super) fn drained(&mut self, job: &Running, id: &NodeId, took: String) {
        if job.kind == Kind::Drain {
            self.parts.topology.set_state(id, NodeState::Disabled);
            return self.publish();
        }
        self.scaled_at = Some(Instant::now());
        let cause = job.request.cause.as_str();
        self.parts.events.tell(EventKind::ScaleInDone, Some(id), cause, took);
        self.admit(id, Home::Standby);
    }

    pub(super) fn refuse(&mut self, id: &NodeId, reason: &str) {
        let life = self.parts.board.sight(id).map(|sight| sight.lives);
        if let Some(member) = self.parts.topology.get_mut(id) {
            (member.refused, member.sound) = (life, false);
            member.node.state = NodeState::Down;
        }
        self.publish();
        self.parts.events.tell(
            EventKind::Refused,
            Some(id),
            reason,
            "it stays out until it is rebuilt and restarted",
        );
    }
}
