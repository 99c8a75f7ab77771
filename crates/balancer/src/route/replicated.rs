//! One primary, many replicas: reads to replicas that have what the session wrote, everything else to the primary.

use super::causal;
use super::strategy::{Chosen, Spread};
use super::{Context, Plan, Route, To};
use crate::config::Consistency;
use crate::sql::classify::{Kind, Marks};
use crate::sql::hint;
use crate::view::{NodeState, NodeView, Strategy};
use cluster::Role;

/// Decides where a statement of a session without a pinned connection goes.
pub fn decide(plan: &Plan, context: &Context<'_>, spread: &mut Spread) -> Route {
    match plan.kind {
        Kind::Read | Kind::Begin { read_only: true } => read(plan, context, spread),
        Kind::Session if plan.marks.is_empty() => anywhere(plan, context),
        _ => primary(context, plan.reason),
    }
}

fn read(plan: &Plan, context: &Context<'_>, spread: &mut Spread) -> Route {
    let strategy = plan.strategy.unwrap_or(context.view.strategy);
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
    if context.consistency == Consistency::Primary {
        return primary(context, "every read goes to the primary");
    }
    among_replicas(strategy, context, spread)
}

/// The node that a hint asks for, if it serves.
fn hinted(plan: &Plan, context: &Context<'_>) -> Option<Route> {
    let node = context.view.node(plan.node?)?;
    let serves = node.state == NodeState::Serving && context.tried & Context::bit(node.index) == 0;
    let covers =
        node.role == Role::Primary || !needs(context) || causal::has_applied(node, context.last_write);
    let reason = "a hint asks for the node";
    match (serves, covers) {
        (false, _) => None,
        (true, true) => Some(Route { to: To::Node(node.index), reason }),
        (true, false) if context.behind & Context::bit(node.index) == 0 => {
            Some(Route { to: To::WhenApplied(node.index), reason })
        }
        (true, false) => None,
    }
}

/// Whether reads have to see the session's own writes.
fn needs(context: &Context<'_>) -> bool {
    context.consistency == Consistency::Causal && !context.last_write.is_empty()
}

fn among_replicas(strategy: Strategy, context: &Context<'_>, spread: &mut Spread) -> Route {
    let untried = |node: &&NodeView| context.tried & Context::bit(node.index) == 0;
    let needs = needs(context);
    let mut ready = Chosen::default();
    let mut late = Chosen::default();
    for node in context.view.replicas().filter(untried) {
        if !needs || causal::has_applied(node, context.last_write) {
            ready.add(node);
        } else if context.behind & Context::bit(node.index) == 0 && causal::may_catch_up(node) {
            late.add(node);
        }
    }
    if let Some(node) = spread.pick(strategy, ready.nodes()) {
        return Route { to: To::Node(node.index), reason: "a read, spread over the replicas" };
    }
    if let Some(node) = spread.pick(strategy, late.nodes()) {
        return Route {
            to: To::WhenApplied(node.index),
            reason: "a read that waits for the session's own write",
        };
    }
    match context.view.primary().filter(untried) {
        Some(node) => {
            Route { to: To::Node(node.index), reason: "no replica can answer it, the primary does" }
        }
        None => Route { to: To::Nobody, reason: "no node serves" },
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

    use cluster::replication::gtid::GtidPosition;

    use super::*;
    use crate::route::strategy::tests::replicas;
    use crate::sql::classify::classify;
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
        let mut context = Context {
            view,
            consistency: Consistency::Causal,
            last_write: nothing,
            autocommit: true,
            tried: 0,
            behind: 0,
        };
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
        assert_eq!(goes("SELECT 1", &view, |c| c.last_write = &early), "n2 n3");
        assert_eq!(goes("SELECT 1", &view, |c| c.last_write = &middle), "n2", "n3 is behind");
        assert_eq!(goes("SELECT 1", &view, |c| c.last_write = &late), "n2? n3?", "both are waited for");
        assert_eq!(
            goes("SELECT 1", &view, |c| {
                c.last_write = &late;
                c.behind = 0b010;
            }),
            "n3?"
        );
        view.nodes[1].meter.lag_ms.store(5_000, Relaxed);
        view.nodes[2].meter.lag_ms.store(5_000, Relaxed);
        assert_eq!(goes("SELECT 1", &view, |c| c.last_write = &late), "n1", "waiting would be in vain");
        assert_eq!(goes("SELECT /* tpcw: node=n3 */ 1", &view, |c| c.last_write = &late), "n3?");
        assert_eq!(
            goes("SELECT 1", &view, |c| {
                c.last_write = &late;
                c.consistency = Consistency::Eventual;
            }),
            "n2 n3"
        );
        assert_eq!(goes("SELECT 1", &view, |c| c.consistency = Consistency::Primary), "n1");
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
