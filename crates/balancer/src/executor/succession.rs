//! Who is the primary: what is remembered of a loss, elections and planned changes, from the writer's side. The work on
//! nodes is in [`super::promote`].

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use cluster::NodeId;
use tokio::time::Instant;

use super::Executor;
use super::elect::{Bystander, Election, Voter};
use super::job::{Kind, Opening, Running};
use super::promote::{self, Handover};
use super::scale;
use super::topology;
use crate::event::EventKind;
use crate::failover::reign::Reign;
use crate::request::{Action, Priority, Request};
use crate::view::NodeState;

/// A primary that was lost.
#[derive(Clone, Debug)]
pub(super) struct Loss {
    /// The first evidence of it.
    pub(super) first: Instant,
    /// When the judge was sure.
    pub(super) sure: Instant,
    /// Who followed then.
    pub(super) electorate: Vec<Voter>,
}

impl Executor {
    /// Remembers who followed when the primary was lost: only these may vote, and all of them must, however long it takes.
    pub(super) fn lose_primary(&mut self) {
        if self.loss.is_some() {
            return;
        }
        let (topology, now) = (&self.parts.topology, Instant::now());
        let holder = topology.holder().map(|holder| holder.node.id.clone());
        let died = holder.as_ref().and_then(|id| self.parts.board.sight(id)?.died);
        let (first, sure) = died.unwrap_or((now, now));
        // Deaths that close together are not told apart by probes: what the other one acknowledged may be there alone.
        let margin = 2 * self.parts.probe_interval;
        let voter = |member: &topology::Member| {
            let id = &member.node.id;
            let sight = self.parts.board.sight(id).filter(|sight| member.refused != Some(sight.lives))?;
            let votes = member.sound && Some(id) != holder.as_ref();
            let required = sight.died.is_none_or(|(died, _)| died + margin >= first);
            votes.then(|| Voter {
                id: id.clone(),
                serving: member.node.state == NodeState::Serving,
                required,
            })
        };
        let electorate = topology.members.iter().filter_map(voter).collect();
        self.loss = Some(Loss { first, sure, electorate });
    }

    pub(super) fn replace_primary(&mut self, request: Request, wanted: Option<NodeId>) {
        self.lose_primary();
        self.cancel(|_| true, "the primary is being replaced");
        let holder = self.parts.topology.holder().map(|holder| holder.node.id.clone());
        if let Some(holder) = &holder {
            let alive = self.parts.board.alive(holder);
            self.parts.topology.set_state(holder, if alive { NodeState::Joining } else { NodeState::Down });
        }
        self.publish();
        let Some(election) = self.election(holder, wanted) else { return };
        self.start(Kind::Promote, None, request, async move |tools| promote::replace(&tools, election).await);
    }

    /// Who is asked, and who may win.
    fn election(&self, holder: Option<NodeId>, wanted: Option<NodeId>) -> Option<Election> {
        let mut electorate = self.loss.clone()?.electorate;
        let votes = |electorate: &[Voter], id: &NodeId| electorate.iter().any(|voter| voter.id == *id);
        if let Some(wanted) = wanted.as_ref().filter(|id| Some(*id) != holder.as_ref())
            && !votes(&electorate, wanted)
        {
            electorate.push(Voter { id: wanted.clone(), serving: true, required: false });
        }
        let stands_by = |member: &&topology::Member| {
            !votes(&electorate, &member.node.id) && Some(&member.node.id) != holder.as_ref()
        };
        let bystander = |member: &topology::Member| Bystander {
            id: member.node.id.clone(),
            refused: member.refused.is_some(),
        };
        let topology = &self.parts.topology;
        let bystanders = topology.members.iter().filter(stands_by).map(bystander).collect();
        let topology::Topology { perhaps_told, reign, unproven, .. } = *topology;
        let end = Instant::now() + self.parts.promotion_limit;
        let meter = holder.as_ref().and_then(|id| topology::meter(topology, id));
        Some(Election { holder, electorate, bystanders, wanted, meter, perhaps_told, reign, unproven, end })
    }

    /// Others have made this node the primary. Nothing is done to any node.
    pub(super) fn adopt(&mut self, request: &Request, id: &NodeId) {
        let loss = self.loss.take();
        self.cancel(|_| true, "the primary is another one");
        self.parts.topology.crown(id, |_| true);
        let away = loss.map_or(0, |loss| loss.first.elapsed().as_millis());
        let detail = format!("by others; writes had no primary for {away} ms");
        self.parts.events.tell(EventKind::Promoted, Some(id), request.cause.as_str(), detail);
        self.publish();
    }

    /// What an operator may ask for where nodes are only observed: that the one which he has opened is taken for the
    /// primary.
    fn adopt_or_refuse(&mut self, request: Request, id: NodeId, why: &str) {
        let adopt = Request { action: Action::Adopt(id.clone()), ..request.clone() };
        match self.sensible(&adopt) && self.parts.topology.primary().is_none() {
            true => self.adopt(&adopt, &id),
            false => self.fail(&request, Some(&id), why),
        }
    }

    pub(super) fn switch_over(&mut self, request: Request, to: NodeId) {
        if let Some(why) = self.parts.nodes.observed() {
            return self.adopt_or_refuse(request, to, why);
        }
        let Some(primary) = self.parts.topology.primary() else {
            // Whoever asked while the primary was well did not mean to do without what the missing ones may have. This may
            // be the first that looks for the primary since.
            self.lose_primary();
            if self.loss.as_ref().is_some_and(|loss| request.at <= loss.sure) {
                return self.fail(&request, Some(&to), "the primary was lost meanwhile, ask again");
            }
            return self.replace_primary(request, Some(to));
        };
        let from = primary.node.id.clone();
        let ready = matches!(self.parts.topology.state(&to), Some(NodeState::Serving | NodeState::Standby));
        if !ready {
            return self.fail(&request, Some(&to), format!("{to} does not follow the primary"));
        }
        // Writes go on until the next one is near: they wait for what is left of the way alone.
        self.start(Kind::Approach, Some(to.clone()), request, async move |tools| {
            scale::prepare(&tools, to, from).await
        });
    }

    /// The next primary is near: the change itself.
    pub(super) fn hand_over(&mut self, request: Request, to: NodeId) {
        let Some(primary) = self.parts.topology.primary() else {
            return self.fail(&request, Some(&to), "the primary was lost meanwhile, ask again");
        };
        let (from, meter) = (primary.node.id.clone(), primary.node.meter.clone());
        let follows = |m: &&topology::Member| {
            let away = matches!(m.node.state, NodeState::Down | NodeState::Joining | NodeState::Disabled);
            !away && m.node.id != from && m.node.id != to
        };
        let others = self.parts.topology.members.iter().filter(follows).map(|m| m.node.id.clone()).collect();
        let ready = matches!(self.parts.topology.state(&to), Some(NodeState::Serving | NodeState::Standby));
        if !ready {
            return self.fail(&request, Some(&to), format!("{to} does not follow the primary"));
        }
        self.cancel(|_| true, "the primary is being changed");
        self.parts.topology.set_state(&from, NodeState::Draining);
        self.publish();
        let patience = Duration::from_secs(2).min(self.parts.promotion_limit);
        let handover = Handover { from, meter, to, others, patience };
        self.start(Kind::Switchover, None, request, async move |tools| {
            promote::switch(&tools, handover).await
        });
    }

    pub(super) fn opened(&mut self, job: &Running, opening: &Opening) {
        let Opening { chosen, why, steps, heard, at, server } = opening;
        let before = self.parts.topology.holder().map(|holder| holder.node.id.clone());
        // Events are told before the view is published: whoever sees the view finds the event.
        let now = Instant::now();
        let lost = self.loss.is_some();
        let (first, sure) = match self.loss.take() {
            Some(loss) => {
                let required = |id: &NodeId| loss.electorate.iter().any(|v| v.id == *id && v.required);
                // Whoever was heard stood on the way to the chosen one's data, or there would have been no choice.
                self.parts.topology.crown(chosen, |id| required(id) || heard.contains(id));
                (loss.first, loss.sure)
            }
            None => {
                // A planned change: everybody belongs who did before, the former primary included.
                let sound = self.parts.topology.members.iter().filter(|m| m.sound).map(|m| m.node.id.clone());
                let sound: Vec<NodeId> = sound.collect();
                self.parts.topology.crown(chosen, |id| sound.contains(id));
                (job.request.at, job.request.at)
            }
        };
        let detail = format!(
            "detected after {} ms, writable after {} ms; {why}; {steps}",
            sure.saturating_duration_since(first).as_millis(),
            now.saturating_duration_since(first).as_millis(),
        );
        // Who takes his own place goes on with his reign: nobody else has written in between.
        let same = self
            .parts
            .topology
            .reign
            .filter(|reign| before.as_ref() == Some(chosen) && reign.goes_on(*at, *server));
        self.parts.topology.reign = same.or_else(|| Reign::new(*at, *server));
        self.parts.topology.unproven = false;
        if lost {
            // Nobody has more, or an operator has decided to do without; of the rest clients may have been told.
            self.parts.topology.perhaps_told = *at;
            let by_hand = job.request.priority() == Priority::Operator;
            if let Some(meter) = topology::meter(&self.parts.topology, chosen).filter(|_| by_hand) {
                meter.acknowledged.store(0, Relaxed);
            }
        }
        self.parts.events.tell(EventKind::Promoted, Some(chosen), job.request.cause.as_str(), detail);
        self.publish();
    }

    /// A planned change that could be neither finished nor undone: neither of both nodes serves before an election has
    /// closed the one and opened the other.
    pub(super) fn strand(&mut self, job: &Running, to: &NodeId, reason: &str) {
        self.lose_primary();
        for id in self.parts.topology.holder().map(|holder| holder.node.id.clone()).iter().chain([to]) {
            let state = if self.parts.board.alive(id) { NodeState::Joining } else { NodeState::Down };
            self.parts.topology.set_state(id, state);
        }
        self.publish();
        self.fail(&job.request, Some(to), reason);
    }

    pub(super) fn promoted(&mut self, strays: &[NodeId]) {
        for id in strays {
            // The watchers have them brought back.
            if matches!(self.parts.topology.state(id), Some(NodeState::Serving | NodeState::Standby)) {
                self.parts.topology.set_state(id, NodeState::Joining);
            }
        }
        if !strays.is_empty() {
            self.publish();
        }
    }
}
