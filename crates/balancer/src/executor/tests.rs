//! The whole control plane on a paused clock over fake nodes: single stories, and schedules drawn from seeds with the
//! promises checked after every step.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use cluster::{NodeId, Role};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::state::Saved;
use crate::config::{Account, Config, Elastic, Node};
use crate::control::Handle;
use crate::event::EventKind;
use crate::nodes::fake::{Process, World, address};
use crate::request::Action;
use crate::server::Control;
use crate::view::NodeState;

fn config(nodes: usize, candidates: usize) -> Config {
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
        compression: crate::config::Compression::all(),
        state_file: None,
    }
}

struct Stage {
    world: Arc<World>,
    handle: Handle,
    stop: CancellationToken,
    seed: u64,
}

impl Stage {
    async fn new(nodes: usize, candidates: usize, seed: u64, change: impl FnOnce(&mut Config)) -> Self {
        let world = Arc::new(World::new(nodes, seed));
        let mut config = config(nodes, candidates);
        change(&mut config);
        let stop = CancellationToken::new();
        let control =
            Control::start(&config, world.clone(), Saved::default(), &stop).await.expect("it starts");
        Self { world, handle: control.handle, stop, seed }
    }

    fn primary(&self) -> Option<usize> {
        self.handle.view.load().primary().map(|node| node.index)
    }

    fn state(&self, index: usize) -> (Role, NodeState) {
        let view = self.handle.view.load();
        (view.nodes[index].role, view.nodes[index].state)
    }

    fn kinds(&self) -> Vec<(EventKind, String)> {
        let name = |node: &Option<NodeId>| node.as_ref().map(NodeId::to_string).unwrap_or_default();
        self.handle.events.after(0).iter().map(|event| (event.kind, name(&event.node))).collect()
    }

    /// Time passes in small steps; clients write, nodes replicate, and the promises are checked after each.
    async fn pass(&self, time: Duration, step: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            if let Some(primary) = self.primary() {
                self.world.write(primary);
            }
            sleep(step).await;
            self.world.tick(self.primary());
            self.check();
        }
    }

    async fn until(&self, what: &str, mut pleases: impl FnMut(&Self) -> bool) {
        for _ in 0..12_000 {
            if pleases(self) {
                return;
            }
            self.pass(Duration::from_millis(10), Duration::from_millis(10)).await;
        }
        self.fail(&format!("never happened: {what}"));
    }

    fn fail(&self, what: &str) -> ! {
        for event in self.handle.events.after(0).iter().rev().take(40).rev() {
            println!("{:?} {:?} {} | {}", event.kind, event.node, event.cause, event.detail);
        }
        println!("{:#?}", self.handle.status());
        for (node, row) in self.world.lock().nodes.iter().zip(self.handle.nodes()) {
            let (view, log) =
                (format!("{:?} {:?} alive {}", row.role, row.state, row.alive), node.log.last());
            println!("{view}; {:?} read_only {} {log:?} {:?}", node.process, node.read_only, node.source);
        }
        panic!("seed {}: {what}", self.seed)
    }

    /// What must hold at any moment.
    fn check(&self) {
        let view = self.handle.view.load_full();
        let primaries = view.nodes.iter().filter(|node| node.role == Role::Primary).count();
        if primaries > 1 {
            self.fail("two primaries in one view");
        }
        if self.handle.progress.borrow().queued.len() > super::queue::BOUND {
            self.fail("the queue is longer than its bound");
        }
        let world = self.world.lock();
        let mut problem = None;
        for (node, fake) in view.nodes.iter().zip(&world.nodes) {
            if node.state != NodeState::Serving {
                continue;
            }
            let sight = self.handle.board.sight(&node.id).expect("a known node");
            if sight.died.is_some_and(|(_, sure)| sure.elapsed() > Duration::from_millis(50)) {
                problem = Some(format!("{} is held for dead and serves", node.id));
            }
            // A node is opened a moment before it becomes the primary of a view, and nobody writes there before.
            let settled = view.primary().is_some() && !self.handle.progress.borrow().promoting;
            if settled && node.role == Role::Replica && !fake.read_only {
                problem = Some(format!("{} is writable and serves as a replica", node.id));
            }
            if node.role == Role::Primary
                && !world.acknowledged.iter().rev().take(50).all(|trx| fake.has(trx))
            {
                problem = Some(format!("{} is the primary and lacks an acknowledged transaction", node.id));
            }
        }
        drop(world);
        if let Some(problem) = problem {
            self.fail(&problem);
        }
    }

    /// Whether every acknowledged transaction would survive the loss of any one node.
    fn redundant(&self) -> bool {
        let world = self.world.lock();
        let up = || world.nodes.iter().filter(|node| node.process == Process::Up);
        world.acknowledged.iter().rev().take(50).all(|trx| up().filter(|node| node.has(trx)).count() > 1)
    }

    fn well(&self) -> bool {
        let view = self.handle.view.load();
        let at_home = |state| matches!(state, NodeState::Serving | NodeState::Standby);
        view.primary().is_some() && view.nodes.iter().all(|node| at_home(node.state))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

const MS: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn a_killed_primary_is_replaced_by_the_most_advanced_and_comes_back_as_a_replica() {
    let stage = Stage::new(4, 1, 1, |_| {}).await;
    stage.pass(500 * MS, 5 * MS).await;
    stage.world.kill(0);
    let killed = Instant::now();
    stage.until("a new primary", |stage| stage.primary().is_some_and(|index| index != 0)).await;
    assert!(killed.elapsed() < 300 * MS, "{:?}", killed.elapsed());
    assert_eq!(stage.state(0), (Role::Replica, NodeState::Down));
    stage.world.restart(0, true);
    stage.until("n1 serves again", |stage| stage.state(0) == (Role::Replica, NodeState::Serving)).await;
    let kinds: Vec<EventKind> = stage.kinds().into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [EventKind::NodeDown, EventKind::Promoted, EventKind::NodeUp, EventKind::Rejoined]);
}

#[tokio::test(start_paused = true)]
async fn a_returning_node_with_transactions_of_its_own_is_refused() {
    let stage = Stage::new(3, 0, 2, |_| {}).await;
    for follower in [1, 2] {
        stage.world.set_process(follower, Process::Paused);
    }
    // Written and acknowledged by nobody.
    stage.world.write(0);
    stage.world.kill(0);
    for follower in [1, 2] {
        stage.world.set_process(follower, Process::Up);
    }
    stage.until("a new primary", |stage| stage.primary().is_some_and(|index| index != 0)).await;
    stage.world.restart(0, false);
    stage.until("n1 is refused", |stage| stage.kinds().contains(&(EventKind::Refused, "n1".into()))).await;
    stage.pass(5_000 * MS, 10 * MS).await;
    assert_eq!(stage.state(0), (Role::Replica, NodeState::Down), "and stays out");
    let told = stage.kinds().iter().filter(|(kind, _)| *kind == EventKind::Refused).count();
    assert_eq!(told, 1);
    let primary = stage.primary().expect("a primary");
    stage.world.rebuild(0, primary).await;
    stage.until("it is back once it was rebuilt", |stage| stage.state(0).1 == NodeState::Serving).await;
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_may_alone_hold_the_newest_transaction_is_waited_for() {
    let stage = Stage::new(3, 0, 3, |_| {}).await;
    stage.pass(100 * MS, 5 * MS).await;
    stage.world.kill(2);
    stage.world.kill(0);
    stage.pass(15_000 * MS, 10 * MS).await;
    assert_eq!(stage.primary(), None, "n3 was lost with n1");
    let failed = stage.handle.events.after(0).into_iter().find(|event| event.kind == EventKind::ActionFailed);
    let detail = failed.expect("it is told").detail;
    assert!(
        detail.contains("waiting for n3: the newest acknowledged transaction may be there alone"),
        "{detail}"
    );
    stage.world.restart(2, true);
    stage.until("a primary", |stage| stage.primary().is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn an_operator_may_decide_not_to_wait() {
    let stage = Stage::new(3, 0, 4, |config| config.failover.limit_ms = 500).await;
    stage.pass(100 * MS, 5 * MS).await;
    stage.world.kill(2);
    stage.world.kill(0);
    stage.pass(300 * MS, 10 * MS).await;
    let asked = || stage.handle.ask(Action::Switchover("n2".into()), "operator");
    asked().expect("n2 answers");
    stage.until("n2 is the primary", |stage| stage.primary() == Some(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_follower_known_to_be_dead_before_is_not_waited_for() {
    let stage = Stage::new(3, 0, 5, |_| {}).await;
    stage.pass(100 * MS, 5 * MS).await;
    stage.world.kill(2);
    stage.pass(3_000 * MS, 5 * MS).await;
    stage.world.kill(0);
    stage.until("n2 is the primary", |stage| stage.primary() == Some(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_primary_is_not_replaced() {
    let stage = Stage::new(3, 0, 6, |_| {}).await;
    stage.world.lock().nodes[0].slow_ms = 400;
    stage.pass(20_000 * MS, 10 * MS).await;
    assert_eq!((stage.primary(), stage.kinds()), (Some(0), vec![]));
}

#[tokio::test(start_paused = true)]
async fn failover_does_not_queue_behind_a_drain_and_the_drain_is_undone() {
    let stage = Stage::new(4, 0, 7, |_| {}).await;
    let meter = stage.handle.view.load().nodes[3].meter.clone();
    meter.in_flight.store(1, Relaxed);
    stage.handle.ask(Action::ScaleIn(Some("n4".into())), "test").expect("n4 may go");
    stage.until("n4 drains", |stage| stage.state(3).1 == NodeState::Draining).await;
    stage.world.kill(0);
    let killed = Instant::now();
    stage.until("a new primary", |stage| stage.primary().is_some_and(|index| index != 0)).await;
    assert!(killed.elapsed() < 500 * MS, "{:?}", killed.elapsed());
    assert_eq!(stage.state(3).1, NodeState::Serving);
    assert!(stage.kinds().contains(&(EventKind::ActionFailed, "n4".into())));
}

#[tokio::test(start_paused = true)]
async fn a_node_leaves_only_when_it_has_finished_and_keeps_serving_if_it_cannot() {
    let stage = Stage::new(3, 0, 8, |config| config.elastic.drain_ms = 2_000).await;
    let meter = stage.handle.view.load().nodes[2].meter.clone();
    meter.pinned.store(1, Relaxed);
    stage.handle.ask(Action::ScaleIn(None), "test").expect("n3 may go");
    stage.pass(1_900 * MS, 10 * MS).await;
    assert_eq!(stage.state(2), (Role::Replica, NodeState::Draining));
    stage.until("n3 serves again", |stage| stage.state(2).1 == NodeState::Serving).await;
    meter.pinned.store(0, Relaxed);
    stage.handle.ask(Action::ScaleIn(None), "test").expect("n3 may go");
    stage.until("n3 stands by", |stage| stage.state(2) == (Role::Candidate, NodeState::Standby)).await;
    stage.handle.ask(Action::ScaleIn(None), "test").expect_err("the floor is reached");
    let kinds: Vec<EventKind> = stage.kinds().into_iter().map(|(kind, _)| kind).collect();
    use EventKind::*;
    assert_eq!(kinds, [ScaleInRequested, ActionFailed, ScaleInRequested, ScaleInDone]);
}

#[tokio::test(start_paused = true)]
async fn a_switchover_ends_at_once_when_the_primary_dies_in_the_middle() {
    let stage = Stage::new(3, 0, 12, |_| {}).await;
    stage.pass(500 * MS, 5 * MS).await;
    // A session that does not end: the switchover would wait 2 s for it.
    stage.handle.view.load().nodes[0].meter.pinned.store(1, Relaxed);
    stage.handle.ask(Action::Switchover("n3".into()), "test").expect("n3 may be promoted");
    stage.until("n1 drains", |stage| stage.state(0).1 == NodeState::Draining).await;
    stage.world.kill(0);
    let killed = Instant::now();
    stage.until("a new primary", |stage| stage.primary().is_some_and(|index| index != 0)).await;
    assert!(killed.elapsed() < 300 * MS, "{:?}", killed.elapsed());
    let failed = stage.handle.events.after(0).into_iter().find(|event| event.kind == EventKind::ActionFailed);
    let detail = failed.expect("it is told").detail;
    assert!(detail.contains("n1 died meanwhile"), "{detail}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_node_below_the_floor_brings_the_candidate_in_at_once() {
    let stage = Stage::new(3, 1, 9, |config| config.elastic.automatic = true).await;
    stage.pass(500 * MS, 10 * MS).await;
    stage.world.kill(1);
    let killed = Instant::now();
    stage.until("n3 serves", |stage| stage.state(2) == (Role::Replica, NodeState::Serving)).await;
    assert!(killed.elapsed() < 2_000 * MS, "{:?}", killed.elapsed());
}

#[tokio::test(start_paused = true)]
async fn slow_reads_bring_a_node_in_and_an_idle_cluster_shrinks_to_its_floor_once_each() {
    let stage = Stage::new(4, 1, 10, |config| {
        config.elastic = Elastic { window_ms: 10_000, ..Default::default() };
    })
    .await;
    let read = |ms: u64| {
        for node in &stage.handle.view.load().nodes {
            node.meter.read_latency.record(Duration::from_millis(ms));
        }
    };
    let started = Instant::now();
    while stage.state(3).1 != NodeState::Serving {
        read(700);
        stage.pass(100 * MS, 20 * MS).await;
        assert!(started.elapsed() < 7_000 * MS, "half a window and a look");
    }
    for _ in 0..300 {
        read(200);
        stage.pass(100 * MS, 20 * MS).await;
    }
    assert_eq!(stage.handle.view.load().serving(), 4, "between the limits nothing moves");
    stage.pass(90_000 * MS, 50 * MS).await;
    assert_eq!(stage.handle.view.load().serving(), 2, "idle: down to the floor");
    let kinds: Vec<EventKind> = stage.kinds().into_iter().map(|(kind, _)| kind).collect();
    use EventKind::*;
    let expected =
        [ScaleOutRequested, ScaleOutDone, ScaleInRequested, ScaleInDone, ScaleInRequested, ScaleInDone];
    assert_eq!(kinds, expected);
}

#[tokio::test(start_paused = true)]
async fn an_operators_switch_outlives_a_death() {
    let stage = Stage::new(3, 0, 11, |_| {}).await;
    stage.handle.ask(Action::Drain("n3".into()), "test").expect("n3 may go");
    stage.until("n3 is off", |stage| stage.state(2).1 == NodeState::Disabled).await;
    stage.world.kill(2);
    stage.pass(1_000 * MS, 10 * MS).await;
    stage.world.restart(2, true);
    stage.pass(5_000 * MS, 10 * MS).await;
    assert_eq!(stage.state(2).1, NodeState::Disabled);
    stage.handle.ask(Action::Enable("n3".into()), "test").expect("it is off");
    stage.until("n3 serves", |stage| stage.state(2).1 == NodeState::Serving).await;
}

/// One schedule of faults and wishes. One node is down at a time, and none goes down while something has one copy only:
/// that is what the promise is about.
async fn schedule(seed: u64) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x5eed);
    let nodes = random.random_range(3..6);
    let candidates = random.random_range(0..2);
    let automatic = random.random_bool(0.5);
    let stage = Stage::new(nodes, candidates, seed, |config| {
        config.elastic =
            Elastic { automatic, window_ms: 2_000, interval_ms: 200, drain_ms: 500, ..Default::default() };
        config.failover.limit_ms = 2_000;
    })
    .await;
    stage.world.lock().mishaps = *[0, 0, 20, 100].choose(&mut random).expect("not empty");
    for _ in 0..random.random_range(5..16) {
        let index = random.random_range(0..nodes);
        let process = stage.world.lock().nodes[index].process;
        let down = stage.world.lock().nodes.iter().filter(|node| node.process != Process::Up).count();
        let name = NodeId::new(format!("n{}", index + 1));
        match (random.random_range(0..12), process) {
            (0..=5, Process::Dead) => stage.world.restart(index, random.random_bool(0.8)),
            (0..=5, Process::Paused) => stage.world.set_process(index, Process::Up),
            (0..=3, Process::Up) if down == 0 && stage.redundant() => stage.world.kill(index),
            (4..=5, Process::Up) if down == 0 && stage.redundant() => {
                stage.world.set_process(index, Process::Paused);
            }
            (6, _) => stage.world.lock().nodes[index].slow_ms = random.random_range(0..250),
            (7, _) => drop(stage.handle.ask(Action::ScaleOut(None), "schedule")),
            (8, _) => drop(stage.handle.ask(Action::ScaleIn(None), "schedule")),
            (9, _) if stage.primary().is_some() => {
                drop(stage.handle.ask(Action::Switchover(name), "schedule"))
            }
            (10, _) => drop(stage.handle.ask(Action::Drain(name), "schedule")),
            (11, _) => drop(stage.handle.ask(Action::Enable(name), "schedule")),
            _ => {}
        }
        let time = Duration::from_millis(random.random_range(1..60) * random.random_range(1..60));
        stage.pass(time, 10 * MS).await;
    }
    mend(&stage).await;
}

/// All faults are healed; then everything must be well again, with nothing lost.
async fn mend(stage: &Stage) {
    stage.world.lock().mishaps = 0;
    for index in 0..stage.handle.view.load_full().nodes.len() {
        let process = stage.world.lock().nodes[index].process;
        match process {
            Process::Dead => stage.world.restart(index, true),
            Process::Paused => stage.world.set_process(index, Process::Up),
            Process::Up => {}
        }
        stage.world.lock().nodes[index].slow_ms = 0;
    }
    stage.until("a primary after all was healed", |stage| stage.primary().is_some()).await;
    for _ in 0..3 {
        stage.pass(5_000 * MS, 20 * MS).await;
        let primary =
            stage.primary().unwrap_or_else(|| stage.fail("the primary went away with nothing broken"));
        for index in 0..stage.handle.view.load_full().nodes.len() {
            let name = NodeId::new(format!("n{}", index + 1));
            match stage.state(index).1 {
                NodeState::Disabled => drop(stage.handle.ask(Action::Enable(name), "mend")),
                // Refused: it kept what nobody acknowledged.
                NodeState::Down => stage.world.rebuild(index, primary).await,
                _ => {}
            }
        }
    }
    stage.until("all is well after all was healed", Stage::well).await;
    stage
        .until("all have everything", |stage| {
            let world = stage.world.lock();
            world.nodes.iter().all(|node| world.acknowledged.iter().all(|trx| node.has(trx)))
        })
        .await;
}

/// `TPCW_SCHEDULES` says how many, `TPCW_SEED` with which seed they begin.
#[test]
fn seeded_schedules_keep_the_promises() {
    let number = |name: &str, default: u64| {
        std::env::var(name)
            .ok()
            .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
    };
    let (first, count) = (number("TPCW_SEED", 1), number("TPCW_SCHEDULES", 150));
    for seed in first..first + count {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(schedule(seed));
    }
}
