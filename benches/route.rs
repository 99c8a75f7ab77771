//! A statement and a view → a node: by each strategy, with 1 to 16 nodes, and with a write of the session's to be seen.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use balancer::config::Consistency;
use balancer::route::replicated::decide;
use balancer::route::strategy::Spread;
use balancer::route::{Context, Plan, Promise, To};
use balancer::sql::classify::classify;
use balancer::telemetry::Meter;
use balancer::view::{ClusterView, NodeState, NodeView, Strategy, ViewCell};
use cluster::replication::gtid::GtidPosition;
use cluster::{NodeId, Role};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

/// How many nodes the views have, the primary included.
const NODES: [usize; 5] = [1, 2, 4, 8, 16];

fn position(sequence: u64) -> GtidPosition {
    format!("0-1-{sequence}").parse().expect("a position")
}

/// One primary and replicas, each with figures of its own; all have applied up to 0-1-100.
fn view(nodes: usize, strategy: Strategy) -> ClusterView {
    let node = |index: usize| {
        let meter = Meter::default();
        meter.in_flight.store(index as u32 * 7 % 5, Relaxed);
        meter.ewma_us.store(400 + index as u64 * 37 % 100, Relaxed);
        meter.ping_us.store(80 + index as u64 * 53 % 40, Relaxed);
        meter.applied.store(Arc::new(position(100)));
        NodeView {
            id: NodeId::new(format!("n{}", index + 1)),
            index,
            address: ([127, 0, 0, 1], 3306 + index as u16).into(),
            role: if index == 0 { Role::Primary } else { Role::Replica },
            state: NodeState::Serving,
            weight: 1 + index as u32 % 3,
            epoch: 1,
            meter: Arc::new(meter),
        }
    };
    ClusterView { generation: 1, nodes: (0..nodes).map(node).collect(), strategy }
}

fn context<'a>(view: &'a ClusterView, needs: &'a GtidPosition) -> Context<'a> {
    let promise = Promise {
        consistency: Consistency::Causal,
        needs,
        last_read: None,
        wait: Duration::from_millis(300),
        max_lag_ms: 0,
    };
    Context { view, promise, strategy: None, autocommit: true, tried: 0, behind: 0 }
}

fn read(view: &ClusterView) -> Plan {
    Plan::of(&classify(b"SELECT c_fname, c_lname FROM customer WHERE c_id = ?"), view)
}

/// A read without anything that it has to see.
fn strategies(criterion: &mut Criterion) {
    let nothing = GtidPosition::default();
    for strategy in Strategy::ALL {
        let mut group = criterion.benchmark_group(format!("route/{}", strategy.as_str()));
        for nodes in NODES {
            let view = view(nodes, strategy);
            let (plan, mut spread) = (read(&view), Spread::new(1));
            group.bench_function(BenchmarkId::from_parameter(nodes), |bencher| {
                bencher.iter(|| decide(black_box(&plan), &context(&view, &nothing), &mut spread));
            });
        }
        group.finish();
    }
}

/// A read after a write of the same session, which all replicas have applied, or none.
fn causal_reads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route/causal");
    for (name, write) in [("applied", position(100)), ("not yet applied", position(101))] {
        for nodes in [4, 16] {
            let view = view(nodes, Strategy::RoundRobin);
            let (plan, mut spread) = (read(&view), Spread::new(1));
            let to = decide(&plan, &context(&view, &write), &mut spread).to;
            assert_eq!(matches!(to, To::Node(_)), name == "applied", "{to:?}");
            group.bench_function(BenchmarkId::new(name, nodes), |bencher| {
                bencher.iter(|| decide(black_box(&plan), &context(&view, &write), &mut spread));
            });
        }
    }
    let meter = Meter::default();
    let mut sequence = 0;
    group.bench_function("a position is learned", |bencher| {
        bencher.iter(|| {
            sequence += 1;
            meter.learned(&position(sequence));
        });
    });
    group.finish();
}

/// What else is done for each statement: taking the view, and a write's way to the primary.
fn rest(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route/rest");
    let nothing = GtidPosition::default();
    let cell = ViewCell::new(view(4, Strategy::RoundRobin));
    group.bench_function("view", |bencher| bencher.iter(|| black_box(cell.load()).generation));
    let (view, mut spread) = (view(4, Strategy::RoundRobin), Spread::new(1));
    let write = Plan::of(&classify(b"INSERT INTO t VALUES (1)"), &view);
    group.bench_function("write", |bencher| {
        bencher.iter(|| decide(black_box(&write), &context(&view, &nothing), &mut spread));
    });
    let hint = classify(b"SELECT /* tpcw: node=n4 */ 1");
    group.bench_function("hint", |bencher| {
        bencher.iter(|| {
            let plan = Plan::of(black_box(&hint), &view);
            decide(&plan, &context(&view, &nothing), &mut spread)
        });
    });
    group.finish();
}

criterion_group! { name = benches; config = benches::settings(); targets = strategies, causal_reads, rest }
criterion_main!(benches);
