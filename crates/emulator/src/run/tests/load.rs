//! How many browsers there are, how fast they go and what they ask for.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_closed_load_has_the_rate_of_littles_law() {
    let mut workload = workload(20, 300, 40);
    workload.phases.insert(0, phase(PhaseKind::Warmup, 7, Level::default(), 0));
    let ran = ran(Fake::steady(10 * MS), workload).await;
    let seconds = ran.seconds();
    assert_eq!(seconds.iter().filter(|row| row.measured).count(), 40);
    let wips = ran.outcome.interactions as f64 / 40.0;
    // 20 browsers / (300 ms + 10 ms); think times vary, so 2,600 pages vary by 2 %.
    assert!((wips / (20.0 / 0.31) - 1.0).abs() < 0.08, "{wips} interactions a second");
    assert!(seconds.iter().all(|row| row.sessions == 20));
    let busy = seconds.iter().filter(|row| row.interactions > 0);
    assert!(busy.into_iter().all(|row| (9.9..=12.1).contains(&row.p50_ms)), "answers took 10 ms");
    assert_eq!(ran.outcome.sessions_started, 20);
    assert_eq!((ran.outcome.sessions_ended_early, ran.outcome.stale_reads), (0, 0));
    assert_eq!(ran.live.total_interactions, ran.served());
    let so_far = &ran.live.so_far;
    assert_eq!((so_far.seconds, so_far.interactions, so_far.errors), (40, ran.outcome.interactions, 0));
    assert!(so_far.reads > 0 && (9.9..=12.1).contains(&so_far.p50_ms) && so_far.p50_ms <= so_far.p99_ms);
    let thought = ran.rows::<ThinkRow>();
    let (count, sum) = thought
        .iter()
        .fold((0, 0.0), |(count, sum), row| (count + row.count, sum + row.count as f64 * (row.le_ms - 15.0)));
    assert!((sum / count as f64 / 300.0 - 1.0).abs() < 0.08, "think times of {} ms", sum / count as f64);
    let late = ran.rows::<GeneratorRow>();
    assert!(late.iter().all(|row| row.late_max_ms <= 2.1), "on a paused clock only the timer's grid is late");
}

#[tokio::test(start_paused = true)]
async fn browsers_come_and_go_as_the_phases_say() {
    let mut workload = workload(60, 100, 1);
    workload.phases = vec![
        phase(PhaseKind::Warmup, 5, Level::Count(10), 0),
        phase(PhaseKind::Measure, 20, Level::default(), 10),
        phase(PhaseKind::Drain, 10, Level::Count(10), 5),
    ];
    let ran = ran(Fake::steady(MS), workload).await;
    let seconds = ran.seconds();
    // At the end of these seconds; a browser that is told to end does so at its next page's boundary.
    for (second, sessions) in [(0, 10), (4, 10), (9, 35), (15, 60), (24, 60), (30, 10), (34, 10)] {
        let row = &seconds[second];
        assert!(row.sessions.abs_diff(sessions) <= 3, "second {second}: {} browsers", row.sessions);
    }
    assert_eq!(ran.outcome.sessions_started, 60);
    assert_eq!(ran.outcome.sessions_ended_early, 0);
    let phases: Vec<_> = ran.events().into_iter().map(|row| (row.kind, row.second, row.cause)).collect();
    let expected = [(0.0, "warmup"), (5.0, "measure"), (25.0, "drain")];
    assert_eq!(phases, expected.map(|(second, name)| (EventKind::Phase, second, name.to_owned())));
    let measured: u64 = seconds.iter().filter(|row| row.measured).map(|row| row.interactions).sum();
    assert_eq!(measured, ran.outcome.interactions);
    assert!(seconds.iter().all(|row| row.measured == (row.phase == "measure")));
}

#[tokio::test(start_paused = true)]
async fn measured_shares_fit_each_mix() {
    for mix in Mix::ALL {
        let mut load = workload(50, 0, 3_600);
        (load.mix, load.stop_after) = (mix, Some(25_000));
        let ran = ran(Fake::steady(20 * MS), load).await;
        let table = ran.rows::<InteractionRow>();
        let total: u64 = table.iter().map(|row| row.count).sum();
        assert!(total >= 25_000, "{mix:?}: {total}");
        let chi_square: f64 = table
            .iter()
            .map(|row| {
                let expected = row.target_share_pct / 100.0 * total as f64;
                (row.count as f64 - expected).powi(2) / expected
            })
            .sum();
        // 13 degrees of freedom: 34.5 at p = 0.001. Five seeds and three mixes gave 2.6 to 23.3.
        assert!(chi_square < 34.5, "{mix:?}: {chi_square:.1}");
        for row in &table {
            assert!((row.share_pct - row.target_share_pct).abs() < 0.8, "{mix:?}: {row:?}");
        }
    }
}
