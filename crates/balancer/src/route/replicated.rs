//! One primary, many replicas: reads to replicas that keep what the session is promised, everything else to the primary.

use std::time::Duration;

use tokio::time::Instant;

use super::causal;
use super::promise::Fit;
use super::strategy::{Chosen, Spread};
use super::{Context, Plan, Route, To};
use crate::config::Consistency;
use crate::sql::classify::{Kind, Marks};
use crate::sql::hint;
use crate::view::{NodeState, NodeView, Strategy};

/// Decides where a statement of a session without a pinned connection goes.
pub fn decide(plan: &Plan, context: &Context<'_>, spread: &mut Spread) -> Route {
    match plan.kind {
        Kind::Read | Kind::Begin { read_only: true } => read(plan, context, spread),
        Kind::Session if plan.marks.is_empty() => anywhere(plan, context),
        _ => primary(context, plan.reason),
    }
}

fn read(plan: &Plan, context: &Context<'_>, spread: &mut Spread) -> Route {
    let strategy = plan.strategy.or(context.strategy).unwrap_or(context.view.strategy);
    if plan.marks.any(Marks::PRIMARY) {
        return primary(context, plan.reason);
    }
    if !context.autocommit {
        return primary(context, "autocommit is off, so that a read begins a transaction");
    }
    if plan.role == Some(hint::Kind::Primary) {
        return primary(context, "a hint asks for the primary");
    }
    if let Some(route) = hinted(plan, context) {
        return route;
    }
    if strategy == Strategy::Direct {
        return primary(context, "the strategy is direct");
    }
    if context.promise.consistency == Consistency::Primary {
        return primary(context, "every read goes to the primary");
    }
    among_replicas(strategy, context, spread)
}

/// The node that a hint asks for, if it serves and keeps the promise.
fn hinted(plan: &Plan, context: &Context<'_>) -> Option<Route> {
    let node = context.view.node(plan.node?)?;
    let bit = Context::bit(node.index);
    if node.state != NodeState::Serving || context.tried & bit != 0 {
        return None;
    }
    let reason = "a hint asks for the node";
    match context.promise.fit(node, context.view) {
        Fit::Ready => Some(Route { to: To::Node(node.index), reason }),
        Fit::Lacks if context.behind & bit == 0 && !context.promise.wait.is_zero() => {
            Some(Route { to: To::WhenApplied(node.index), reason })
        }
        Fit::Lacks | Fit::Unfit => None,
    }
}

fn among_replicas(strategy: Strategy, context: &Context<'_>, spread: &mut Spread) -> Route {
    let untried = |node: &&NodeView| context.tried & Context::bit(node.index) == 0;
    let mut ready = Chosen::default();
    let mut late = Late::default();
    let mut served = false;
    for node in context.view.replicas().filter(untried) {
        served = true;
        match context.promise.fit(node, context.view) {
            Fit::Ready => ready.add(node),
            Fit::Lacks if context.behind & Context::bit(node.index) == 0 => late.consider(node, context),
            Fit::Lacks | Fit::Unfit => {}
        }
    }
    if let Some(node) = spread.pick(strategy, ready.nodes()) {
        return Route { to: To::Node(node.index), reason: "a read, spread over the replicas" };
    }
    if let Some(node) = spread.pick(strategy, late.soonest.nodes()) {
        return Route {
            to: To::WhenApplied(node.index),
            reason: "a read that waits for what the session must see",
        };
    }
    match context.view.primary().filter(untried) {
        Some(node) if served => Route {
            to: To::Node(node.index),
            reason: "no replica is as fresh as the session is promised, the primary answers",
        },
        Some(node) => Route { to: To::Node(node.index), reason: "no replica serves, the primary answers" },
        None => Route { to: To::Nobody, reason: "no node serves" },
    }
}

/// Replicas that are worth waiting for: those that are expected the soonest.
#[derive(Default)]
struct Late<'a> {
    soonest: Chosen<'a>,
    wait: Duration,
    now: Option<Instant>,
}

impl<'a> Late<'a> {
    /// Expected waits that differ by less are the same.
    const ALIKE: Duration = Duration::from_millis(10);

    fn consider(&mut self, node: &'a NodeView, context: &Context<'_>) {
        let now = *self.now.get_or_insert_with(Instant::now);
        let promise = &context.promise;
        let Some(wait) = causal::worth_waiting(node, promise.needs, promise.wait, now) else { return };
        let first = self.soonest.nodes().is_empty();
        if !first && wait > self.wait + Self::ALIKE {
            return;
        }
        if first || wait + Self::ALIKE < self.wait {
            self.soonest = Chosen::default();
            self.wait = wait;
        }
        self.soonest.add(node);
    }
}

fn primary(context: &Context<'_>, reason: &'static str) -> Route {
    let node = context.view.primary().filter(|node| context.tried & Context::bit(node.index) == 0);
    Route { to: node.map_or(To::NoPrimary, |node| To::Node(node.index)), reason }
}

/// Session settings: the primary, or anybody.
fn anywhere(plan: &Plan, context: &Context<'_>) -> Route {
    let route = primary(context, plan.reason);
    if route.to != To::NoPrimary {
        return route;
    }
    let other = context.view.replicas().find(|node| context.tried & Context::bit(node.index) == 0);
    Route { to: other.map_or(To::Nobody, |node| To::Node(node.index)), reason: plan.reason }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering::Relaxed;

    use cluster::Role;
    use cluster::replication::gtid::GtidPosition;

    use super::*;
    use crate::route::Promise;
    use crate::route::promise::LastRead;
    use crate::route::strategy::tests::replicas;
    use crate::sql::classify::classify;
    use crate::telemetry::pace::Pace;
    use crate::view::ClusterView;

    /// n1 is the primary, n2 and n3 are replicas; n2 has applied up to 0-1-10, n3 up to 0-1-5.
    fn view() -> ClusterView {
        let mut nodes = replicas(&[1, 1, 1]);
        nodes[0].role = Role::Primary;
        for (node, applied) in nodes.iter().zip(["0-1-10", "0-1-10", "0-1-5"]) {
            node.meter.applied.store(Arc::new(applied.parse().unwrap()));
        }
        ClusterView { generation: 1, nodes, strategy: Strategy::RoundRobin }
    }

    /// All the places that a statement may be sent to, over many decisions: `n2`, `n3?` for one that is waited for.
    fn goes<'a>(sql: &str, view: &'a ClusterView, change: impl Fn(&mut Context<'a>)) -> String {
        let nothing = Box::leak(Box::default());
        let promise = Promise {
            consistency: Consistency::Causal,
            needs: nothing,
            last_read: None,
            wait: Duration::from_millis(300),
            max_lag_ms: 0,
        };
        let mut context = Context { view, promise, strategy: None, autocommit: true, tried: 0, behind: 0 };
        change(&mut context);
        let plan = Plan::of(&classify(sql.as_bytes()), view);
        let mut spread = Spread::new(3);
        let mut places: Vec<String> = (0..20)
            .map(|_| match decide(&plan, &context, &mut spread).to {
                To::Node(index) => format!("n{}", index + 1),
                To::WhenApplied(index) => format!("n{}?", index + 1),
                To::NoPrimary => "no primary".into(),
                To::Nobody => "nobody".into(),
            })
            .collect();
        places.sort();
        places.dedup();
        places.join(" ")
    }

    #[test]
    fn statements_find_their_node() {
        let view = view();
        for (sql, places) in [
            ("SELECT 1", "n2 n3"),
            ("START TRANSACTION READ ONLY", "n2 n3"),
            ("INSERT INTO t VALUES (1)", "n1"),
            ("BEGIN", "n1"),
            ("SET NAMES utf8mb4", "n1"),
            ("SELECT 1 FOR UPDATE", "n1"),
            ("SELECT /* tpcw: role=primary */ 1", "n1"),
            ("SELECT /* tpcw: node=n3 */ 1", "n3"),
            ("SELECT /* tpcw: node=n9 */ 1", "n2 n3"),
            ("SELECT /* tpcw: strategy=direct */ 1", "n1"),
            ("DELETE /* tpcw: node=n3 */ FROM t", "n1"),
        ] {
            assert_eq!(goes(sql, &view, |_| {}), places, "{sql}");
        }
    }

    #[test]
    fn a_read_finds_the_sessions_own_write() {
        let view = view();
        let at = |position: &str| -> GtidPosition { position.parse().unwrap() };
        let (early, middle, late) = (at("0-1-5"), at("0-1-7"), at("0-1-99"));
        assert_eq!(goes("SELECT 1", &view, |c| c.promise.needs = &early), "n2 n3");
        assert_eq!(goes("SELECT 1", &view, |c| c.promise.needs = &middle), "n2", "n3 is behind");
        assert_eq!(goes("SELECT 1", &view, |c| c.promise.needs = &late), "n2? n3?", "both are waited for");
        assert_eq!(
            goes("SELECT 1", &view, |c| {
                c.promise.needs = &late;
                c.behind = 0b010;
            }),
            "n3?"
        );
        view.nodes[1].meter.lag_ms.store(5_000, Relaxed);
        view.nodes[2].meter.lag_ms.store(5_000, Relaxed);
        assert_eq!(goes("SELECT 1", &view, |c| c.promise.needs = &late), "n1", "waiting would be in vain");
        assert_eq!(goes("SELECT /* tpcw: node=n3 */ 1", &view, |c| c.promise.needs = &late), "n3?");
        assert_eq!(goes("SELECT 1", &view, |c| c.promise.consistency = Consistency::Eventual), "n2 n3");
        assert_eq!(goes("SELECT 1", &view, |c| c.promise.consistency = Consistency::Primary), "n1");
    }

    /// A position for as long as the test runs.
    fn at(position: &str) -> &'static GtidPosition {
        Box::leak(Box::new(position.parse().unwrap()))
    }

    #[test]
    fn what_was_handed_over_is_seen_under_every_level() {
        let view = view();
        for (level, places) in
            [(Consistency::Causal, "n2"), (Consistency::Monotonic, "n2"), (Consistency::Eventual, "n2")]
        {
            let goes = goes("SELECT 1", &view, |c| {
                c.promise.consistency = level;
                c.promise.needs = at("0-1-8");
            });
            assert_eq!(goes, places, "{level:?}");
        }
    }

    #[test]
    fn a_read_waits_for_the_replica_that_is_expected_the_soonest_or_for_none() {
        let view = view();
        let now = Instant::now();
        let pace = |node: usize, lag_ms: u64, per_ms: f64| {
            let pace = Pace { at: now, lag: Duration::from_millis(lag_ms), per_ms, usual_ms: lag_ms as f64 };
            view.nodes[node].meter.pace.store(Some(Arc::new(pace)));
        };
        let needs = |wait_ms: u64| {
            move |c: &mut Context<'_>| {
                c.promise.needs = at("0-1-110");
                c.promise.wait = Duration::from_millis(wait_ms);
            }
        };
        // n2 lacks 100 transactions, n3 105. Far from the limits: the test may be slow, and time shortens waits.
        for (n2, n3, wait_ms, places) in [
            ((0, 0.0), (0, 0.0), 300, "n2? n3?"),
            ((0, 0.0), (900, 0.1), 300, "n2?"),
            ((900, 0.00001), (900, 0.00001), 300, "n1"),
            ((60_000, 0.0), (0, 0.0), 300, "n3?"),
            ((0, 0.0), (0, 0.0), 0, "n1"),
            ((90_000, 0.01), (90_000, 0.001), 50_000, "n2?"),
        ] {
            pace(1, n2.0, n2.1);
            pace(2, n3.0, n3.1);
            assert_eq!(goes("SELECT 1", &view, needs(wait_ms)), places, "{n2:?} {n3:?} {wait_ms}");
        }
    }

    #[test]
    fn eventual_reads_keep_within_the_limit_of_lag() {
        let view = view();
        view.nodes[1].meter.lag_ms.store(400, Relaxed);
        view.nodes[2].meter.lag_ms.store(-1, Relaxed);
        for (max_lag_ms, places) in [(0, "n2 n3"), (400, "n2"), (399, "n1")] {
            let eventual = |c: &mut Context<'_>| {
                c.promise.consistency = Consistency::Eventual;
                c.promise.max_lag_ms = max_lag_ms;
            };
            assert_eq!(goes("SELECT 1", &view, eventual), places, "{max_lag_ms}");
        }
    }

    #[test]
    fn monotonic_reads_stay_until_another_replica_surely_shows_no_less() {
        let view = view();
        let start = Instant::now();
        let later = start + Duration::from_millis(1);
        let read = |node: usize, epoch: u64| {
            move |c: &mut Context<'_>| {
                c.promise.consistency = Consistency::Monotonic;
                c.promise.last_read = Some(LastRead { node, epoch, at: start });
            }
        };
        let probed = |at: Instant| view.nodes[0].meter.probed.store(Some(Arc::new(at)));
        assert_eq!(goes("SELECT 1", &view, read(2, 1)), "n3", "nothing is known of the primary");
        assert_eq!(goes("SELECT 1", &view, read(2, 0)), "n1", "it was away meanwhile");
        probed(start);
        assert_eq!(goes("SELECT 1", &view, read(2, 1)), "n3", "the probe may have come before the read");
        probed(later);
        assert_eq!(goes("SELECT 1", &view, read(2, 1)), "n2 n3", "n2 has all that the primary had");
        assert_eq!(goes("SELECT 1", &view, read(1, 1)), "n2", "n3 lacks something");
        assert_eq!(goes("SELECT 1", &view, read(0, 1)), "n2", "it has read on the primary");
        view.nodes[0].meter.applied.store(Arc::new("0-1-11".parse().unwrap()));
        assert_eq!(goes("SELECT 1", &view, read(0, 1)), "n1");
        assert_eq!(goes("SELECT /* tpcw: node=n2 */ 1", &view, read(2, 1)), "n3", "a hint breaks no promise");
    }

    #[test]
    fn the_strategy_is_the_statements_then_the_sessions_then_everybodys() {
        let view = view();
        let direct = |c: &mut Context<'_>| c.strategy = Some(Strategy::Direct);
        assert_eq!(goes("SELECT 1", &view, direct), "n1");
        assert_eq!(goes("SELECT /* tpcw: strategy=random */ 1", &view, direct), "n2 n3");
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut view = view();
        assert_eq!(goes("SELECT 1", &view, |c| c.tried = 0b010), "n3");
        assert_eq!(goes("SELECT 1", &view, |c| c.tried = 0b110), "n1");
        assert_eq!(goes("SELECT 1", &view, |c| c.tried = 0b111), "nobody");
        assert_eq!(goes("INSERT INTO t VALUES (1)", &view, |c| c.tried = 0b001), "no primary");
        assert_eq!(goes("SET NAMES utf8mb4", &view, |c| c.tried = 0b001), "n2");
        assert_eq!(goes("SELECT 1", &view, |c| c.autocommit = false), "n1");
        view.nodes[1].state = NodeState::Draining;
        view.nodes[2].state = NodeState::Down;
        assert_eq!(goes("SELECT 1", &view, |_| {}), "n1", "no replica serves");
        view.nodes[0].state = NodeState::Down;
        assert_eq!(goes("SELECT 1", &view, |_| {}), "nobody");
        assert_eq!(goes("COMMIT", &view, |_| {}), "no primary");
    }
}
