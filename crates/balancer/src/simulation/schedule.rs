//! What happens in a schedule: faults, wishes and deaths of the balancer, drawn from its seed; in the end all is mended and
//! must be well again.

use std::time::Duration;

use cluster::NodeId;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use tokio::time::Instant;

use super::node::{FakeNode, Link, Process};
use super::stage::{self, Stage, Violation};
use crate::config::Elastic;
use crate::event::EventKind;
use crate::executor::planted::Bug;
use crate::request::Action;
use crate::view::Strategy;

/// How long a step is while all is being mended.
pub(super) const MEND: Duration = Duration::from_millis(40);

/// What one schedule was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Steps after each of which every promise was checked.
    pub steps: u64,
    /// Things that happened.
    pub happenings: u64,
    /// New primaries.
    pub promotions: u64,
    /// Times that the balancer was started again.
    pub restarts: u64,
    /// Times that it refused to guess between two primaries after everything was healed, and an operator had to say.
    pub by_hand: u64,
    /// Writes that clients were told of.
    pub acknowledged: u64,
    /// Milliseconds that passed on the simulation's clock.
    pub simulated_ms: u64,
}

impl Figures {
    /// Adds those of another one.
    pub fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.happenings += other.happenings;
        self.promotions += other.promotions;
        self.restarts += other.restarts;
        self.by_hand += other.by_hand;
        self.acknowledged += other.acknowledged;
        self.simulated_ms += other.simulated_ms;
    }
}

/// Runs the schedule of a seed on a clock of its own.
///
/// # Errors
/// A promise was broken.
///
/// # Panics
/// When the system has no memory for a runtime.
pub fn run(seed: u64, bug: Option<Bug>) -> Result<Figures, Box<Violation>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let mut play = Play::new(seed, bug).await;
        play.happen().await?;
        play.mend().await?;
        Ok(play.figures())
    })
}

/// A schedule that is being played.
pub(super) struct Play {
    pub(super) stage: Stage,
    random: Xoshiro256PlusPlus,
    pub(super) nodes: usize,
    /// Nodes that may be out at a time. With two, waiting is allowed and losing is not.
    pub(super) faults: usize,
    began: Instant,
    happenings: u64,
    pub(super) restarts: u64,
    pub(super) by_hand: u64,
    promotions: u64,
}

impl Play {
    async fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x5eed);
        let nodes = random.random_range(3..6);
        let mut config = stage::config(nodes, random.random_range(0..2));
        let automatic = random.random_bool(0.5);
        let elastic =
            Elastic { automatic, window_ms: 2_000, interval_ms: 200, drain_ms: 500, ..config.elastic };
        config.elastic = elastic;
        config.failover.limit_ms = 2_000;
        let began = Instant::now();
        let faults = if random.random_bool(0.3) { 2 } else { 1 };
        let mut stage = Stage::new(config, seed, bug).await;
        stage.promises.strict = faults == 1;
        stage.world.lock().mishaps = *[0, 0, 20, 100].choose(&mut random).expect("not empty");
        Self { stage, random, nodes, faults, began, happenings: 0, restarts: 0, by_hand: 0, promotions: 0 }
    }

    fn figures(&self) -> Figures {
        Figures {
            steps: self.stage.steps,
            happenings: self.happenings,
            promotions: self.promotions + self.promoted(),
            restarts: self.restarts,
            by_hand: self.by_hand,
            acknowledged: self.stage.world.lock().acknowledged.len() as u64,
            simulated_ms: self.began.elapsed().as_millis() as u64,
        }
    }

    fn promoted(&self) -> u64 {
        let kinds = self.stage.kinds();
        kinds.iter().filter(|(kind, _)| *kind == EventKind::Promoted).count() as u64
    }

    async fn happen(&mut self) -> Result<(), Box<Violation>> {
        for _ in 0..self.random.random_range(5..16) {
            self.happenings += 1;
            let index = self.random.random_range(0..self.nodes);
            match self.random.random_range(0..20) {
                0..=8 => self.break_or_mend(index),
                9 => self.cut_nodes(index),
                10 => self.slow(index),
                11..=17 => self.wish(index),
                _ => self.restart_balancer().await?,
            }
            let time = self.random.random_range(1..45) * self.random.random_range(1..45);
            let step = Duration::from_millis(*[5, 40, 40].choose(&mut self.random).expect("not empty"));
            self.stage.pass(Duration::from_millis(time), step).await?;
        }
        Ok(())
    }

    /// How many nodes are out. One that the balancer still holds for dead is, although it is well again: a fault that ends
    /// as the next one begins is there at the same time for all that the balancer can know.
    fn out(&self) -> usize {
        let world = self.stage.world.lock();
        let out = |node: &&FakeNode| {
            node.process != Process::Up || node.link != Link::Open || !self.stage.holds_for_alive(&node.id)
        };
        world.nodes.iter().filter(out).count()
    }

    /// What is broken is mended, what is well is broken, as far as faults are left.
    fn break_or_mend(&mut self, index: usize) {
        let world = &self.stage.world;
        let (process, link) = {
            let node = &world.lock().nodes[index];
            (node.process, node.link)
        };
        let what = match (process, link) {
            (Process::Dead, _) => {
                let truncate = self.random.random_bool(0.8);
                world.restart(index, truncate);
                if truncate { "starts, without what was not acknowledged" } else { "starts, with all it had" }
            }
            (Process::Paused, _) => {
                world.set_process(index, Process::Up);
                "goes on"
            }
            (_, Link::Silent | Link::Refusing) => {
                world.set_link(index, Link::Open);
                "can be reached again"
            }
            // With one fault at a time nothing breaks while something has one copy only: that is what is promised.
            _ if self.out() >= self.faults || (self.faults == 1 && !self.redundant()) => return,
            _ => match self.random.random_range(0..8) {
                0..=3 => {
                    world.kill(index);
                    "is killed"
                }
                4..=5 => {
                    world.set_process(index, Process::Paused);
                    "is paused"
                }
                6 => {
                    world.set_link(index, Link::Silent);
                    "cannot be heard"
                }
                _ => {
                    world.set_link(index, Link::Refusing);
                    "refuses the balancer"
                }
            },
        };
        self.stage.note(format!("* n{} {what}", index + 1));
    }

    /// Whether every acknowledged transaction would survive the loss of any one node.
    fn redundant(&self) -> bool {
        let world = self.stage.world.lock();
        let up = || world.nodes.iter().filter(|node| node.process == Process::Up);
        world.acknowledged.iter().rev().take(50).all(|(_, trx)| up().filter(|node| node.has(trx)).count() > 1)
    }

    fn cut_nodes(&mut self, one: usize) {
        let other = (one + self.random.random_range(1..self.nodes)) % self.nodes;
        let pair = (one.min(other), one.max(other));
        let apart = self.stage.world.lock().apart.contains(&pair);
        self.stage.world.set_apart(one, other, !apart);
        let what = if apart { "hear each other again" } else { "do not hear each other" };
        self.stage.note(format!("* n{} and n{} {what}", one + 1, other + 1));
    }

    fn slow(&mut self, index: usize) {
        let what = {
            let node = &mut self.stage.world.lock().nodes[index];
            match self.random.random_range(0..3) {
                0 => node.lame = !node.lame,
                _ => node.slow_ms = self.random.random_range(0..250),
            }
            format!("* n{} answers {} ms later, applies slowly: {}", index + 1, node.slow_ms, node.lame)
        };
        self.stage.note(what);
    }

    /// An operator's wish; some are refused.
    fn wish(&mut self, index: usize) {
        let (stage, name) = (&self.stage, NodeId::new(format!("n{}", index + 1)));
        let action = match self.random.random_range(0..10) {
            0..=1 => Action::ScaleOut(self.random.random_bool(0.3).then_some(name)),
            2..=3 => Action::ScaleIn(self.random.random_bool(0.3).then_some(name)),
            // Without a primary it would be a decision to lose what the missing ones have.
            4..=5 if stage.primary().is_some() => Action::Switchover(name),
            6 => Action::Drain(name),
            7 => Action::Disable(name),
            8 => Action::Enable(name),
            _ => {
                let strategy = Strategy::ALL.choose(&mut self.random).expect("not empty");
                return drop(stage.handle.set_strategy(*strategy));
            }
        };
        let wish = format!("* {action:?} is asked for");
        if stage.handle.ask(action, "schedule").is_ok() {
            self.stage.note(wish);
        }
    }

    /// The balancer dies; whoever looks after it starts it again until it stays.
    async fn restart_balancer(&mut self) -> Result<(), Box<Violation>> {
        self.promotions += self.promoted();
        for _ in 0..3 {
            self.restarts += 1;
            if self.stage.restart().await.is_ok() {
                return Ok(());
            }
            self.stage.pass(Duration::from_millis(500), MEND).await?;
        }
        Ok(())
    }
}
