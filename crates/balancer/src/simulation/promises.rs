//! What must hold after every step.

use std::time::Duration;

use cluster::Role;
use tokio::time::Instant;

use super::world::{Inner, World};
use crate::config::Config;
use crate::control::Handle;
use crate::executor::queue;
use crate::executor::scale::FRESH;
use crate::view::{ClusterView, NodeState};

/// A node that is held for dead may stand in the view for so long.
const GRACE: Duration = Duration::from_millis(50);
/// Nothing that may be begun waits longer: longer than any job that it could have to wait for.
const WEDGED: Duration = Duration::from_secs(30);
/// A step is so long at most, and what was seen after it may have happened before it.
const STEP: Duration = Duration::from_millis(100);

/// What is remembered from one step to the next.
#[derive(Debug)]
pub struct Promises {
    /// One fault at a time: also nodes that the balancer has put out of the view form no second cluster.
    pub strict: bool,
    floor: usize,
    states: Vec<(Role, NodeState)>,
    /// Since when the first in line has been waiting, and who that is.
    waiting: Option<(String, Instant)>,
    generation: u64,
    primary: Option<usize>,
}

impl Promises {
    /// At the start.
    pub fn new(config: &Config) -> Self {
        let states = Vec::new();
        let floor = config.elastic.floor;
        Self { strict: true, floor, states, waiting: None, generation: 0, primary: None }
    }

    /// Another balancer has begun: what it found is judged, what the old one did is past.
    pub fn restarted(&mut self) {
        (self.states, self.waiting, self.generation, self.primary) = (Vec::new(), None, 0, None);
    }

    /// Checks all.
    ///
    /// # Errors
    /// The promise that is broken, and how.
    pub fn check(&mut self, handle: &Handle, world: &World) -> Result<(), String> {
        if handle.progress.has_changed().is_err() {
            return Err("the executor has ended".to_owned());
        }
        let view = handle.view.load();
        let inner = world.lock();
        one_primary(&view, &inner, self.strict)?;
        self.acknowledged(&view, &inner)?;
        serving(handle, &view, &inner)?;
        self.changes(handle, &view, &inner)?;
        drop(inner);
        self.queue(handle, view.primary().is_some())
    }

    /// P1, P4: the primary has everything that any client was told of.
    fn acknowledged(&mut self, view: &ClusterView, world: &Inner) -> Result<(), String> {
        let Some(primary) = view.primary() else {
            self.primary = None;
            return Ok(());
        };
        // All of it when the primary is new, later what has come.
        let new = self.primary != Some(primary.index);
        self.primary = Some(primary.index);
        let node = &world.nodes[primary.index];
        let look = if new { usize::MAX } else { 8 };
        match world.acknowledged.iter().rev().take(look).find(|(_, trx)| !node.has(trx)) {
            Some((_, trx)) => Err(format!("{} is the primary and lacks {trx:?}, acknowledged", primary.id)),
            None => Ok(()),
        }
    }

    /// P9, P12: what a change of the view must keep.
    fn changes(&mut self, handle: &Handle, view: &ClusterView, world: &Inner) -> Result<(), String> {
        if view.generation == self.generation {
            return Ok(());
        }
        self.generation = view.generation;
        let states: Vec<_> = view.nodes.iter().map(|node| (node.role, node.state)).collect();
        let before = std::mem::replace(&mut self.states, states);
        // Who died in the same step may have been taken for serving, and who came back in it serves; so does a primary that
        // was closed for a planned change which was undone in it.
        let counts = |(role, state): &&(Role, NodeState)| {
            *state == NodeState::Serving || (*role, *state) == (Role::Primary, NodeState::Draining)
        };
        let served = before.iter().filter(counts).count().saturating_sub(1);
        let serving = served.max(view.serving());
        for (node, (role, old)) in view.nodes.iter().zip(before) {
            // One that is put back was admitted before.
            let was_in = matches!(old, NodeState::Serving | NodeState::Draining);
            if node.state == NodeState::Serving && !was_in && node.role != Role::Primary {
                admitted(world, node.index).map_err(|lacks| format!("{} {lacks}", node.id))?;
            }
            let scaled_in = handle.progress.borrow().running.iter().any(|job| job.starts_with("ScaleIn"));
            let leaves =
                (role, old) == (Role::Replica, NodeState::Serving) && node.state == NodeState::Draining;
            if leaves && scaled_in && serving < self.floor {
                return Err(format!("{} was taken away, and only {serving} serve", node.id));
            }
        }
        Ok(())
    }

    /// P11, P12: the queue is bounded, holds nothing twice, and moves.
    fn queue(&mut self, handle: &Handle, primary: bool) -> Result<(), String> {
        let progress = handle.progress.borrow();
        let queued = &progress.queued;
        if queued.len() > queue::BOUND {
            return Err(format!("{} requests wait", queued.len()));
        }
        let action = |text: &str| text.split_once(") (").map_or(text, |(action, _)| action).to_owned();
        for (at, request) in queued.iter().enumerate() {
            if queued[..at].iter().any(|other| action(other) == action(request)) {
                return Err(format!("{request} waits twice"));
            }
        }
        let scaling = |job: &&String| ["Scale", "Drain"].iter().any(|kind| job.starts_with(kind));
        if progress.running.iter().filter(scaling).count() > 1 {
            return Err(format!("two scaling actions at once: {:?}", progress.running));
        }
        // While a primary is being made, and as long as there is none, all else rightly waits.
        let first = queued.first().filter(|_| primary && !progress.promoting);
        match (first, &self.waiting) {
            (None, _) => self.waiting = None,
            (Some(first), Some((known, since))) if first == known => {
                if since.elapsed() > WEDGED {
                    return Err(format!(
                        "{first} waits for {:?} behind {:?}",
                        since.elapsed(),
                        progress.running
                    ));
                }
            }
            (Some(first), _) => self.waiting = Some((first.clone(), Instant::now())),
        }
        Ok(())
    }
}

/// P3: one node at most would acknowledge a client's write. After two faults at once nodes that nobody could reach may wake
/// and follow each other as before, until they are heard; no client is led to them.
fn one_primary(view: &ClusterView, world: &Inner, strict: bool) -> Result<(), String> {
    if view.nodes.iter().filter(|node| node.role == Role::Primary).count() > 1 {
        return Err("two primaries in one view".to_owned());
    }
    let part = |state| matches!(state, NodeState::Serving | NodeState::Standby | NodeState::Draining);
    let counts = |at: usize| strict || part(view.nodes[at].state);
    let mut takers = world.takers(counts);
    match (takers.next(), takers.next()) {
        (Some(one), Some(other)) => {
            Err(format!("{} and {} both take writes", world.nodes[one].id, world.nodes[other].id))
        }
        _ => Ok(()),
    }
}

/// P9: what a node lacks that is admitted at this moment.
fn admitted(world: &Inner, index: usize) -> Result<(), String> {
    let node = &world.nodes[index];
    let old = world.acknowledged.iter().rev().find(|(at, _)| at.elapsed() > FRESH + STEP);
    match old {
        Some((at, trx)) if !node.shows(trx) => {
            Err(format!("was admitted and lacks {trx:?}, acknowledged {:?} ago", at.elapsed()))
        }
        _ => Ok(()),
    }
}

/// P5, P10: nobody serves who is held for dead, writable as a replica, or has gone another way.
fn serving(handle: &Handle, view: &ClusterView, world: &Inner) -> Result<(), String> {
    let primary = view.primary().map(|primary| &world.nodes[primary.index]);
    let promoting = handle.progress.borrow().promoting;
    for node in view.nodes.iter().filter(|node| node.state == NodeState::Serving) {
        if handle.board.dead_for(&node.id).is_some_and(|time| time > GRACE) {
            return Err(format!("{} is held for dead and serves", node.id));
        }
        let fake = &world.nodes[node.index];
        let Some(primary) = primary.filter(|_| node.role == Role::Replica && !promoting) else { continue };
        // A node is opened a moment before it becomes the primary of a view, and nobody writes there before.
        if !fake.read_only {
            return Err(format!("{} is writable and serves as a replica", node.id));
        }
        if fake.log.last().is_some_and(|tip| !primary.has(tip)) {
            return Err(format!("{} serves {:?}, which {} has not", node.id, fake.log.last(), primary.id));
        }
    }
    Ok(())
}
