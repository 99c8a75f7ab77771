//! The open load: who is due when, what a stall costs, and what others would have said of it.

use report::record::{TAG_LATE, TAG_SERVICE, new_histogram};

use super::*;
use crate::load::{Arrivals, Spacing};

fn open(rate: f64, think_ms: u64, seconds: u32) -> Workload {
    let mut load = workload(10_000, think_ms, seconds);
    load.arrivals = Some(Arrivals { rate, spacing: Spacing::Poisson });
    load.phases.insert(0, phase(PhaseKind::Warmup, 20, Level::default(), 0));
    load
}

/// The measured latencies of all pages, and those under a tag, in µs.
fn latencies(ran: &Ran, tag: &str) -> [hdrhistogram::Histogram<u64>; 2] {
    let measured: Vec<bool> = ran.seconds().iter().map(|row| row.measured).collect();
    let mut found = [new_histogram(), new_histogram()];
    read_histograms(ran.folder.path(), |interval| {
        if !measured[interval.start.as_secs_f64().round() as usize] {
            return;
        }
        if Interaction::ALL.iter().any(|page| page.name() == interval.tag) {
            found[0].add(&interval.histogram).expect("the same bounds");
        } else if interval.tag == tag {
            found[1].add(&interval.histogram).expect("the same bounds");
        }
    })
    .expect("a readable log");
    found
}

/// A shop that stands still for the last two of every twenty seconds, and else answers within a millisecond.
fn pausing() -> Fake {
    Fake::new(|this| {
        let into = this.at.as_secs_f64() % 20.0;
        let stall = if into >= 18.0 { Duration::from_secs_f64(20.0 - into) } else { Duration::ZERO };
        (stall + MS, Ok(()))
    })
}

/// Known truth: a tenth of all pages is due within a pause, evenly, so P(latency > x) = 0.1 (1 − x / 2 s): the 99th percentile
/// is 1.8 s and the 95th 1.0 s. Counted from sending, over the few connections that were caught in it, hardly anything happened.
#[tokio::test(start_paused = true)]
async fn the_99th_percentile_of_a_pausing_shop_is_what_arithmetic_says() {
    let mut load = open(200.0, 500, 400);
    load.connections = Some(16);
    let ran = ran(pausing(), load).await;
    let [due, service] = latencies(&ran, TAG_SERVICE);
    let quantile = |histogram: &hdrhistogram::Histogram<u64>, q| histogram.value_at_quantile(q) as f64 / 1e6;
    assert!((quantile(&due, 0.99) / 1.8 - 1.0).abs() < 0.02, "p99 {} s", quantile(&due, 0.99));
    assert!((quantile(&due, 0.95) / 1.0 - 1.0).abs() < 0.05, "p95 {} s", quantile(&due, 0.95));
    assert!(quantile(&due, 0.5) < 0.005, "p50 {} s", quantile(&due, 0.5));
    assert!(quantile(&service, 0.99) < 0.005, "what others report: {} s", quantile(&service, 0.99));
    assert_eq!(due.len(), service.len(), "every page has both");
    assert_eq!(ran.told().turned_away, 0);
}

#[tokio::test(start_paused = true)]
async fn an_open_load_has_its_rate_whatever_the_shop_does() {
    for slow in [1, 400] {
        let ran = ran(Fake::steady(MS * slow), open(100.0, 300, 200)).await;
        let rate = ran.outcome.interactions as f64 / 200.0;
        // Some 3,200 visits of 6.25 pages, whose lengths vary about as much as their mean: a deviation of 2.4 %.
        assert!((rate / 100.0 - 1.0).abs() < 0.07, "{rate} a second when a page takes {slow} ms");
        assert_eq!((ran.outcome.sessions_ended_early, ran.outcome.stale_reads), (0, 0));
        let late = ran.rows::<GeneratorRow>();
        assert!(late.iter().all(|row| row.late_max_ms <= 2.1), "the shop's slowness is not the generator's");
        assert!(ran.events()[0].detail.contains("100 interactions a second"), "{:?}", ran.events()[0]);
    }
}

#[tokio::test(start_paused = true)]
async fn rates_step_and_ramp_as_the_phases_say() {
    let mut load = open(200.0, 20, 1);
    load.phases = vec![
        phase(PhaseKind::Warmup, 40, Level::Share(0.25), 0),
        phase(PhaseKind::Measure, 40, Level::Share(1.0), 40),
        phase(PhaseKind::Measure, 40, Level::Share(0.5), 0),
        phase(PhaseKind::Drain, 20, Level::Share(0.0), 0),
    ];
    let ran = ran(Fake::steady(MS), load).await;
    let seconds = ran.seconds();
    let mean = |from: usize, to: usize| {
        seconds[from..to].iter().map(|row| row.interactions).sum::<u64>() as f64 / (to - from) as f64
    };
    for (from, to, expected) in
        [(1, 40, 50.0), (40, 60, 87.5), (60, 80, 162.5), (81, 120, 100.0), (121, 140, 0.0)]
    {
        let found = mean(from, to);
        assert!((found - expected).abs() <= expected * 0.15, "{from} to {to} s: {found}, not {expected}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_finds_the_shop_full_is_turned_away_and_counted() {
    // Nobody is ever served within the load, so nobody leaves.
    let mut load = open(50.0, 100, 10);
    load.sessions = 12;
    let ran = ran(Fake::steady(Duration::from_secs(60)), load).await;
    assert_eq!(ran.outcome.sessions_started, 12);
    assert!(ran.told().turned_away > 100, "{:?}", ran.told());
    assert!(ran.seconds().iter().all(|row| row.sessions <= 12));
}

#[tokio::test(start_paused = true)]
async fn browsers_share_connections_and_wait_for_them_in_turn() {
    let fake = Fake::steady(10 * MS);
    let mut load = workload(400, 1_000, 30);
    load.connections = Some(5);
    let ran = ran(fake.clone(), load).await;
    assert_eq!(fake.walks().len(), 5, "as many connections as allowed, whoever comes and goes");
    // 400 browsers ask for more than the 500 pages a second that five connections carry in 10 ms each: 11 to 12 ms on the timer's grid.
    let wips = ran.outcome.interactions as f64 / 30.0;
    assert!((330.0..=500.0).contains(&wips), "{wips}");
    let [_, late] = latencies(&ran, TAG_LATE);
    assert!(late.len() > 5_000, "how late the generator was is published");
    assert_eq!((ran.outcome.sessions_ended_early, ran.outcome.stale_reads), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_shared_connection_that_is_lost_is_made_again() {
    let fake = Fake::new(|this| {
        let lost = this.number % 50 == 49;
        (MS, if lost { Err(FailureClass::ConnectionLost) } else { Ok(()) })
    });
    let mut load = open(100.0, 100, 30);
    load.connections = Some(4);
    let ran = ran(fake.clone(), load).await;
    let tries = fake.asked.lock().expect("free").len();
    assert!((tries / 50..=tries / 50 + 4).contains(&fake.walks().len()), "{tries} tries");
    assert!(ran.outcome.errors > 20 && ran.outcome.reconnects > 20, "{:?}", ran.outcome);
    assert_eq!(ran.outcome.sessions_ended_early, 0);
}
