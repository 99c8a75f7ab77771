//! What others see of the executor: the view, its progress, the state file.

use super::job::Kind;
use super::state::{Memory, Saved, SavedNode};
use super::{Executor, Progress};
use crate::request::Action;
use crate::view::NodeState;

impl Executor {
    pub(super) fn publish(&mut self) {
        let next = self.parts.topology.view(&self.parts.board);
        let same = {
            let now = self.parts.view.load();
            let key = |node: &crate::view::NodeView| (node.role, node.state, node.epoch);
            now.strategy == next.strategy && now.nodes.iter().map(key).eq(next.nodes.iter().map(key))
        };
        self.parts.board.set_primary(next.primary().map(|primary| primary.id.clone()));
        // No client writes on a primary that is not remembered.
        self.save();
        if !same {
            self.parts.view.publish(next);
        }
    }

    pub(super) fn tell_progress(&self) {
        let count = |kind: Kind| self.running.iter().filter(|job| job.kind == kind).count();
        let waiting = |which: fn(&Action) -> bool| self.queue.iter().filter(|r| which(&r.action)).count();
        let running =
            self.running.iter().map(|job| format!("{:?} ({})", job.request.action, job.request.cause));
        self.parts.progress.send_replace(Progress {
            queued: self.queue.iter().map(|r| format!("{:?} ({})", r.action, r.cause)).collect(),
            running: running.collect(),
            coming: count(Kind::ScaleOut) + waiting(|action| matches!(action, Action::ScaleOut(_))),
            leaving: count(Kind::ScaleIn) + waiting(|action| matches!(action, Action::ScaleIn(_))),
            promoting: self.promoting(),
            scaled_at: self.scaled_at,
        });
    }

    /// Keeps the memory up to date.
    pub(super) fn save(&mut self) {
        if matches!(self.parts.memory, Memory::Nowhere) {
            return;
        }
        let topology = &self.parts.topology;
        let lines = topology.members.iter().map(|member| {
            let disabled = member.node.state == NodeState::Disabled;
            (member.node.id.clone(), SavedNode { home: member.home, disabled })
        });
        let primary = topology.holder().map(|holder| holder.node.id.clone());
        let saved = Saved { primary, reign: topology.reign, nodes: lines.collect() };
        if self.saved.as_ref() == Some(&saved) {
            return;
        }
        self.saved = Some(saved.clone());
        // A few hundred bytes, a few times an hour, not synced: not worth a task of its own.
        if let Err(error) = self.parts.memory.write(&saved) {
            tracing::warn!(memory = ?self.parts.memory, %error, "the state file could not be written");
        }
    }
}
