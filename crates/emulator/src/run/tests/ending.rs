//! How runs end: as planned, early, and with a target that hangs.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_leaves_what_was_measured() {
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(7_400 * MS).await;
        stopping.cancel();
    });
    let began = Instant::now();
    let ran = ran_with(Fake::steady(MS), workload(10, 100, 60), Arc::new(NoControl), stop, 1).await;
    assert!(began.elapsed() < Duration::from_secs(9), "it ends at once");
    assert!(ran.outcome.interrupted);
    let seconds = ran.seconds();
    assert_eq!(seconds.iter().filter(|row| row.measured).count(), 7, "a second cut short does not count");
    assert_eq!(seconds.len(), 8);
    assert_eq!(ran.outcome.sessions_ended_early, 0);
    assert!(ran.told().interrupted);
    assert!(!ran.rows::<InteractionRow>().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_fixed_count_ends_with_its_second() {
    let mut load = workload(10, 100, 600);
    load.stop_after = Some(1_000);
    let ran = ran(Fake::steady(MS), load).await;
    let seconds = ran.seconds();
    assert!(!ran.outcome.interrupted);
    assert!((1_000..1_250).contains(&ran.outcome.interactions), "{}", ran.outcome.interactions);
    assert!(seconds.iter().all(|row| row.measured), "the last second is whole");
    let written: u64 = seconds.iter().map(|row| row.interactions).sum();
    assert_eq!(written, ran.outcome.interactions);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_hangs_at_the_end_holds_nobody_for_ever() {
    let fake = Fake::new(|this| {
        let hangs = this.at >= Duration::from_secs(5);
        (if hangs { Duration::from_secs(86_400) } else { MS }, Ok(()))
    });
    let mut load = workload(40, 20, 8);
    load.mix = Mix::Ordering;
    let patience = load.connect_timeout.0 + load.statement_timeout.0 * 2;
    let began = Instant::now();
    let ran = ran(fake.clone(), load).await;
    assert!(began.elapsed() <= Duration::from_secs(10) + patience, "{:?}", began.elapsed());
    assert_eq!(ran.outcome.sessions_ended_early, 0, "they were told to end");
    // A buy confirm cut off in mid-page may have been applied.
    let ledger = crate::ledger::read(&ran.outcome.ledger).expect("a ledger");
    let hanging = fake
        .asked
        .lock()
        .expect("free")
        .iter()
        .rev()
        .take(40)
        .filter(|(_, request)| request.interaction() == Interaction::BuyConfirm)
        .count();
    let unknown = ledger.iter().filter(|entry| entry.outcome == crate::ledger::Outcome::Unknown).count();
    assert!(unknown > 0 && unknown == hanging, "{unknown} unknown, {hanging} hanging");
}

#[tokio::test(start_paused = true)]
async fn who_stops_a_run_does_not_wait_for_a_target_that_hangs() {
    let fake = Fake::new(|_| (Duration::from_secs(86_400), Ok(())));
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        stopping.cancel();
    });
    let began = Instant::now();
    let ran = ran_with(fake, workload(10, 100, 60), Arc::new(NoControl), stop, 1).await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!((ran.outcome.interactions, ran.outcome.sessions_ended_early), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn rows_and_live_view_end_with_the_load() {
    // From second 9 on every answer takes 2.5 s: all who ask then are in a page when the load ends.
    let fake = Fake::new(|this| (if this.at >= Duration::from_secs(9) { 2_500 * MS } else { MS }, Ok(())));
    let ran = ran(fake.clone(), workload(20, 100, 10)).await;
    let last = ran.seconds().last().cloned().expect("rows");
    assert_eq!((last.second, ran.seconds().len(), last.sessions), (9, 10, 20));
    assert!(ran.rows::<FineRow>().iter().all(|bin| bin.ms < 10_000));
    assert!(ran.rows::<GeneratorRow>().iter().all(|row| row.second < 10));
    let late = ran.told().tries_after_end;
    assert!(late >= 19, "{late} pages ended after the load");
    let tries = fake.asked.lock().expect("free").len() as u64;
    assert_eq!(ran.served() + late, tries, "they are not lost");
    let live = &ran.live;
    assert_eq!((live.second, &*live.phase, live.sessions), (10, "measure", 20));
    assert_eq!(live.total_interactions, ran.served());
}
