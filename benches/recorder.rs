//! Taking figures: a page with its statements into the emulator's tally, a whole second out of it, and a statement onto the
//! balancer's meter of a node.

use std::hint::black_box;
use std::time::Duration;

use balancer::telemetry::Meter;
use bookstore::Interaction;
use bookstore::store::FailureClass;
use criterion::{Criterion, criterion_group, criterion_main};
use emulator::recorder::{Slice, Step, Tally, Times};
use emulator::target::{Answered, StatementKind};
use tokio::time::Instant;

/// Pages that end in a second of a worker; each browser thinks before it.
const PAGES: u32 = 2_000;

/// Statements of these kinds, with some durations.
fn answered(kinds: &[StatementKind]) -> Vec<Answered> {
    let took = |at: usize| Duration::from_micros(180 + 71 * at as u64);
    kinds.iter().enumerate().map(|(at, kind)| Answered { kind: *kind, took: took(at) }).collect()
}

/// A duration that is another each time: 0.1 to 102 ms, as it would be spread over a histogram.
fn duration(number: u32) -> Duration {
    Duration::from_micros(100 + u64::from(number.wrapping_mul(2_654_435_761) >> 15) % 102_000)
}

fn pages(criterion: &mut Criterion) {
    use StatementKind::{Durable, Inside, Read};
    let mut group = criterion.benchmark_group("recorder/page");
    let start = Instant::now();
    let cases = [
        ("without statements", answered(&[])),
        ("two reads", answered(&[Read, Read])),
        ("a transaction", answered(&[Inside, Inside, Inside, Durable])),
    ];
    for (name, answered) in &cases {
        let (tally, mut number) = (Tally::new(start), 0);
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                number += 1;
                let page = Interaction::ALL[number as usize % Interaction::ALL.len()];
                tally.served(Some(Interaction::Home), page, times(start, number), black_box(answered));
            });
        });
    }
    let (tally, mut number) = (Tally::new(start), 0);
    group.bench_function("failed", |bencher| {
        bencher.iter(|| {
            number += 1;
            tally.failed(start, Interaction::BuyConfirm, FailureClass::Deadlock, duration(number), &[]);
        });
    });
    let (tally, mut number) = (Tally::new(start), 0);
    group.bench_function("a browser woke", |bencher| {
        bencher.iter(|| {
            number += 1;
            tally.woke(start, step(Interaction::Home, number), duration(number) / 100);
        });
    });
    group.finish();
}

/// A page that went well at its first try.
fn times(now: Instant, number: u32) -> Times {
    Times { now, took: duration(number), service: duration(number) }
}

/// A page that a browser thought before.
fn step(to: Interaction, number: u32) -> Step {
    let mean = Duration::from_millis(10);
    Step { from: Some(Interaction::Home), to, thought: Some(mean * (number % 100) / 10), mean }
}

/// Fills a second of a tally.
fn fill(tally: &Tally, start: Instant, second: u32, statements: &[Answered]) {
    for number in 0..PAGES {
        let now = start + Duration::from_secs(second.into()) + Duration::from_micros(u64::from(number) * 499);
        let page = Interaction::ALL[number as usize % Interaction::ALL.len()];
        tally.served(Some(Interaction::Home), page, times(now, number), statements);
        tally.woke(now, step(page, number), duration(number) / 100);
    }
}

/// What the collector does once a second: takes the second from each worker, and adds the sum of all to the totals.
fn seconds(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("recorder/second");
    let statements = answered(&[StatementKind::Read, StatementKind::Durable]);
    group.bench_function("taken from a worker", |bencher| {
        bencher.iter_custom(|iterations| {
            let start = Instant::now();
            let (tally, mut sum) = (Tally::new(start), Slice::new());
            let mut took = Duration::ZERO;
            for second in 0..u32::try_from(iterations).expect("few iterations") {
                fill(&tally, start, second, &statements);
                sum.reset();
                let began = Instant::now();
                tally.take(second, &mut sum);
                took += began.elapsed();
                assert_eq!(sum.served(), u64::from(PAGES), "every page is in it once");
            }
            took
        });
    });
    let start = Instant::now();
    let (tally, mut second, mut whole) = (Tally::new(start), Slice::new(), Slice::new());
    fill(&tally, start, 0, &statements);
    tally.take(0, &mut second);
    group.bench_function("added to the totals", |bencher| bencher.iter(|| whole.merge(black_box(&second))));
    group.finish();
}

/// What a session of the balancer notes after each statement, and what the controller reads once a second.
fn meter(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("recorder/meter");
    let (meter, mut number) = (Meter::default(), 0);
    group.bench_function("a statement", |bencher| {
        bencher.iter(|| {
            number += 1;
            let took = duration(number);
            meter.read_latency.record(took);
            meter.smooth(took);
        });
    });
    let before = meter.read_latency.snapshot();
    group.bench_function("a difference and its p90", |bencher| {
        bencher.iter(|| meter.read_latency.snapshot().since(&before).quantile_ms(0.9));
    });
    group.finish();
}

criterion_group! { name = benches; config = benches::settings(); targets = pages, seconds, meter }
criterion_main!(benches);
