//! Warm-ups that end by themselves: against shops that are steady at once, after a while, and never.

use super::*;

/// 40 browsers, a warm-up of up to `most` seconds and a measurement of 30.
fn open_ended(most: u32, least_seconds: u32) -> Workload {
    let mut load = workload(40, 300, 30);
    let warm = phase(PhaseKind::Warmup, most, Level::default(), 5);
    load.phases.insert(0, Phase { until: Some(Until::Steady), least_seconds, ..warm });
    load
}

/// A shop that answers in 300 ms at first and in 10 ms from `seconds` on, evenly faster in between.
fn warming(seconds: f64) -> Fake {
    Fake::new(move |this| {
        let left = (1.0 - this.at.as_secs_f64() / seconds).max(0.0);
        (10 * MS + Duration::from_secs_f64(0.29 * left), Ok(()))
    })
}

fn warm_up(ran: &Ran) -> report::record::WarmUp {
    ran.told().warm_up.expect("the run tells how its warm-up ended")
}

/// The rows, the events and the outcome agree on when the measurement began, and it is as long as it was to be.
fn assert_whole(ran: &Ran) {
    let warm_up = warm_up(ran);
    let seconds = ran.seconds();
    assert!(seconds.iter().all(|row| row.measured == (row.second >= warm_up.seconds)), "{warm_up:?}");
    assert_eq!(seconds.iter().filter(|row| row.measured).count(), 30);
    let phases: Vec<EventRow> = ran.events().into_iter().filter(|row| row.kind == EventKind::Phase).collect();
    assert_eq!(phases.iter().map(|row| row.second).collect::<Vec<_>>(), [0.0, f64::from(warm_up.seconds)]);
    let ended = format!("ended after {} s", warm_up.seconds);
    assert!(phases[1].detail.contains(&ended) && phases[1].detail.contains("MSER-5"), "{phases:?}");
    assert_eq!(ran.live.of_seconds, warm_up.seconds + 30);
    assert_eq!((ran.outcome.interrupted, ran.outcome.sessions_ended_early), (false, 0));
}

#[tokio::test(start_paused = true)]
async fn a_shop_that_is_steady_at_once_is_warmed_up_for_the_least() {
    let ran = ran(Fake::steady(10 * MS), open_ended(600, 90)).await;
    assert_eq!((warm_up(&ran).seconds, warm_up(&ran).steady), (90, Some(true)));
    assert_whole(&ran);
}

#[tokio::test(start_paused = true)]
async fn a_shop_that_gets_faster_is_measured_when_it_no_longer_does() {
    let ran = ran(warming(120.0), open_ended(900, 20)).await;
    let found = warm_up(&ran);
    assert!(found.steady == Some(true) && (120..=300).contains(&found.seconds), "{found:?}");
    assert_whole(&ran);
}

#[tokio::test(start_paused = true)]
async fn a_shop_that_never_settles_is_measured_at_the_most_and_the_reason_told() {
    let slower = Fake::new(|this| (10 * MS + MS * this.at.as_secs() as u32, Ok(())));
    let ran = ran(slower, open_ended(150, 20)).await;
    let found = warm_up(&ran);
    assert_eq!((found.seconds, found.steady), (150, Some(false)));
    assert!(found.reason.contains("90th percentile"), "{found:?}");
    assert_whole(&ran);
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_a_warm_up_moves_with_its_end() {
    let mut load = open_ended(600, 90);
    load.phases.push(phase(PhaseKind::Drain, 10, Level::Count(4), 0));
    let event = |text: &str| toml::from_str(text).expect("an event");
    load.events = vec![event("at = 605\naction = 'scale_out'"), event("at = 620\naction = 'scale_in'")];
    let ran = ran(Fake::steady(10 * MS), load).await;
    // Nobody is there to scale: what is told is when it was asked for.
    let asked: Vec<f64> = ran
        .events()
        .into_iter()
        .filter(|row| row.kind == EventKind::ActionFailed)
        .map(|row| row.second.floor())
        .collect();
    assert_eq!(asked, [95.0, 110.0]);
    let seconds = ran.seconds();
    assert_eq!(
        (seconds.len(), seconds[119].phase.as_str(), seconds[120].phase.as_str()),
        (130, "measure", "drain")
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_in_its_warm_up_tells_nothing_of_its_end() {
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let stopped = async move {
        tokio::time::sleep(Duration::from_secs(20)).await;
        stopping.cancel();
    };
    let run = ran_with(Fake::steady(10 * MS), open_ended(600, 90), Arc::new(NoControl), stop, 7);
    let (ran, ()) = tokio::join!(run, stopped);
    assert!(ran.outcome.interrupted);
    assert_eq!(ran.told().warm_up, None);
}
