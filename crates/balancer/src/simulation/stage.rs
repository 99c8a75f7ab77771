//! A control plane over a world, and time that passes in steps.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluster::{NodeId, Role};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::node::address;
use super::promises::Promises;
use super::world::World;
use crate::config::{Account, Compression, Config, Elastic, Node};
use crate::control::Handle;
use crate::event::EventKind;
use crate::executor::planted::{Bug, Planted};
use crate::executor::state::Memory;
use crate::server::{Control, StartError};
use crate::view::NodeState;

/// How much of what has happened stands in the story of a violation: the newest.
const TOLD: usize = 100;

/// A promise that was broken.
#[derive(Clone, Debug, thiserror::Error)]
#[error("seed {seed}, step {step}: {what}\n{story}")]
pub struct Violation {
    /// The schedule.
    pub seed: u64,
    /// After how many steps.
    pub step: u64,
    /// Which promise, and how.
    pub what: String,
    /// The last events and how everything stands.
    pub story: String,
}

/// Settings for `nodes` nodes of which the last `candidates` begin as candidates; nothing scales by itself.
pub fn config(nodes: usize, candidates: usize) -> Config {
    let account = || Account { name: "a".into(), password: "b".into() };
    let node = |index: usize| Node {
        name: format!("n{}", index + 1),
        address: address(index),
        direct_address: None,
        weight: 1,
        candidate: index >= nodes - candidates,
    };
    Config {
        listen: address(999),
        admin: None,
        workers: 1,
        strategy: Default::default(),
        consistency: Default::default(),
        causal: Default::default(),
        eventual: Default::default(),
        listeners: Vec::new(),
        slow_start_ms: 0,
        accounts: vec![account()],
        auth: Default::default(),
        operator: account(),
        replication: account(),
        nodes: (0..nodes).map(node).collect(),
        health: Default::default(),
        failover: Default::default(),
        elastic: Elastic { automatic: false, ..Default::default() },
        pool: Default::default(),
        limits: Default::default(),
        tls: Default::default(),
        nodes_tls: Default::default(),
        compression: Compression::all(),
        state_file: None,
    }
}

/// Nodes and a control plane.
pub struct Stage {
    /// The nodes.
    pub world: World,
    /// The control plane.
    pub handle: Handle,
    /// Steps so far.
    pub steps: u64,
    config: Config,
    planted: Planted,
    memory: Memory,
    tasks: TaskTracker,
    stop: CancellationToken,
    seed: u64,
    /// What happened from outside, and the events of balancers that died.
    past: Vec<(Instant, String)>,
    pub(super) promises: Promises,
}

impl Stage {
    /// All well: the first node is the primary, all others follow it.
    ///
    /// # Panics
    /// When the control plane does not start.
    pub async fn new(config: Config, seed: u64, bug: Option<Bug>) -> Self {
        let world = World::new(config.nodes.len(), seed);
        let planted = Planted::new(bug);
        let memory = Memory::Held(Arc::new(Mutex::default()));
        let stop = CancellationToken::new();
        let nodes = Arc::new(world.clone());
        let control = Control::start_with(&config, nodes, memory.clone(), planted, &stop).await;
        let control = control.expect("all is well");
        let promises = Promises::new(&config);
        let (handle, tasks) = (control.handle, control.tasks);
        let past = Vec::new();
        Self { world, handle, steps: 0, config, planted, memory, tasks, stop, seed, past, promises }
    }

    /// Remembers what happens from outside at this moment, for the story of a violation.
    pub fn note(&mut self, what: impl Into<String>) {
        self.past.push((Instant::now(), what.into()));
    }

    /// The events of the balancer that runs, or did last.
    fn events(&self) -> impl Iterator<Item = (Instant, String)> {
        self.handle.events.after(0).into_iter().map(|event| {
            let node = event.node.as_ref().map(NodeId::as_str).unwrap_or_default();
            (event.at, format!("{} {node}: {} | {}", event.kind.name(), event.cause, event.detail))
        })
    }

    /// The balancer dies at this moment and is started again. An error: it does not start, and is to be tried again.
    ///
    /// # Errors
    /// What it says when it does not start.
    pub async fn restart(&mut self) -> Result<(), StartError> {
        if self.running() {
            self.past.extend(self.events().collect::<Vec<_>>());
            self.note("the balancer dies");
        }
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.stop = CancellationToken::new();
        let nodes = Arc::new(self.world.clone());
        let (memory, planted) = (self.memory.clone(), self.planted);
        let control = Control::start_with(&self.config, nodes, memory, planted, &self.stop).await;
        let control = control.inspect_err(|error| self.past.push((Instant::now(), error.to_string())))?;
        (self.handle, self.tasks) = (control.handle, control.tasks);
        self.promises.restarted();
        self.note("the balancer runs again");
        Ok(())
    }

    /// An operator closes every node that takes writes, except the one that the balancer knew last as the primary.
    pub fn close_all_but_the_last(&mut self) {
        let last = self.memory.read().expect("it is held in memory").primary;
        let mut world = self.world.lock();
        for node in world.nodes.iter_mut().filter(|node| Some(&node.id) != last.as_ref()) {
            node.read_only = true;
        }
        drop(world);
        self.note(format!("* by hand all are closed but {last:?}"));
    }

    /// Whether the balancer runs.
    pub fn running(&self) -> bool {
        !self.tasks.is_closed()
    }

    /// Whether the balancer, if it runs, holds a node for alive.
    pub fn holds_for_alive(&self, node: &NodeId) -> bool {
        !self.running() || self.handle.board.alive(node)
    }

    /// The primary of the view.
    pub fn primary(&self) -> Option<usize> {
        if self.running() { self.handle.view.load().primary().map(|node| node.index) } else { None }
    }

    /// A node's place in the view.
    pub fn state(&self, index: usize) -> (Role, NodeState) {
        let view = self.handle.view.load();
        (view.nodes[index].role, view.nodes[index].state)
    }

    /// What has happened, with the node's name where there is one.
    pub fn kinds(&self) -> Vec<(EventKind, String)> {
        let name = |node: &Option<NodeId>| node.as_ref().map(NodeId::to_string).unwrap_or_default();
        self.handle.events.after(0).iter().map(|event| (event.kind, name(&event.node))).collect()
    }

    /// One step: a client writes, time passes, nodes replicate, the promises are checked.
    ///
    /// # Errors
    /// A promise was broken.
    pub async fn step(&mut self, step: Duration) -> Result<(), Box<Violation>> {
        self.steps += 1;
        if let Some(primary) = self.primary() {
            self.world.write(primary);
        }
        sleep(step).await;
        let primary = self.primary();
        self.world.tick(primary, |newest| {
            if let Some(primary) = primary {
                let meter = &self.handle.view.load().nodes[primary].meter;
                meter.acknowledged.fetch_max(newest, Relaxed);
            }
        });
        if !self.running() {
            return Ok(());
        }
        match self.promises.check(&self.handle, &self.world) {
            Ok(()) => Ok(()),
            Err(what) => Err(self.violation(what)),
        }
    }

    /// Time passes in steps.
    ///
    /// # Errors
    /// A promise was broken.
    pub async fn pass(&mut self, time: Duration, step: Duration) -> Result<(), Box<Violation>> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.step(step).await?;
        }
        Ok(())
    }

    /// Time passes until something is so, two minutes at most.
    ///
    /// # Errors
    /// It never came, or a promise was broken.
    pub async fn until(
        &mut self,
        what: &str,
        step: Duration,
        mut pleases: impl FnMut(&Self) -> bool,
    ) -> Result<(), Box<Violation>> {
        let end = Instant::now() + Duration::from_secs(120);
        while !pleases(self) {
            if Instant::now() >= end {
                return Err(self.violation(format!("never happened: {what}")));
            }
            self.step(step).await?;
        }
        Ok(())
    }

    /// Whether there is a primary and every node is where it belongs.
    pub fn well(&self) -> bool {
        let view = self.handle.view.load();
        let at_home = |state| matches!(state, NodeState::Serving | NodeState::Standby);
        view.primary().is_some() && view.nodes.iter().all(|node| at_home(node.state))
    }

    /// Tells what is wrong with all that is known.
    pub fn violation(&self, what: impl Into<String>) -> Box<Violation> {
        let mut story = String::new();
        // Writing to a string cannot fail.
        let _ = self.tell(&mut story);
        Box::new(Violation { seed: self.seed, step: self.steps, what: what.into(), story })
    }

    fn tell(&self, story: &mut String) -> std::fmt::Result {
        let mut past: Vec<_> = self.past.iter().cloned().chain(self.events()).collect();
        past.sort_by_key(|(at, _)| *at);
        // What is tried in vain again and again is told once.
        past.dedup_by(|(_, next), (_, known)| next == known && !next.starts_with('*'));
        for (at, what) in past.iter().rev().take(TOLD).rev() {
            writeln!(story, "-{} ms {what}", at.elapsed().as_millis())?;
        }
        let progress = self.handle.progress.borrow().clone();
        writeln!(story, "queued {:?}, running {:?}", progress.queued, progress.running)?;
        let world = self.world.lock();
        for (node, row) in world.nodes.iter().zip(self.handle.nodes()) {
            let view = format!("{} {:?} {:?} alive {}", row.node, row.role, row.state, row.alive);
            let replication = format!("follows {:?} receiving {}", node.source, node.receiving);
            let (log, relay) = (node.log.last(), node.relay.len());
            let process = format!("{:?} {:?} read_only {}", node.process, node.link, node.read_only);
            writeln!(story, "{view}; {process} {replication} log {log:?} and {relay} not applied")?;
        }
        writeln!(story, "apart {:?}, acknowledged {:?}", world.apart, world.acknowledged.last().map(|a| a.1))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
