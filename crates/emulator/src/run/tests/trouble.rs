//! Targets that stall, fail and break, and what is written about it.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_stalled_target_is_charged_from_when_each_page_was_due() {
    // Nobody is answered between second 10 and second 15.
    let fake = Fake::new(|this| {
        let left = Duration::from_secs(15).saturating_sub(this.at);
        (if this.at >= Duration::from_secs(10) { left.max(MS) } else { MS }, Ok(()))
    });
    let ran = ran(fake, workload(50, 100, 30)).await;
    let seconds = ran.seconds();
    assert!(seconds[11..15].iter().all(|row| row.interactions == 0), "nothing is answered");
    assert!(seconds[15].interactions >= 50, "then everybody is");
    assert!((4_700.0..5_100.0).contains(&seconds[15].max_ms), "{} ms", seconds[15].max_ms);
    let mut slow = 0;
    read_histograms(ran.folder.path(), |interval| {
        if Interaction::ALL.iter().any(|page| page.name() == interval.tag) {
            slow += interval.histogram.len() - interval.histogram.count_between(0, 4_000_000);
        }
    })
    .expect("a readable log");
    // All 50 were caught within about a second of its beginning.
    assert!((45..=55).contains(&slow), "{slow} pages took more than 4 s");
    let bins: Vec<FineRow> = ran.rows();
    assert!(bins.iter().filter(|bin| (10_100..15_000).contains(&bin.ms)).all(|bin| bin.ok == 0));
}

#[tokio::test(start_paused = true)]
async fn failed_tries_never_make_a_page_look_fast() {
    // For five seconds every try fails at once.
    let fake = Fake::new(|this| {
        let out = (Duration::from_secs(10)..Duration::from_secs(15)).contains(&this.at);
        (MS, if out { Err(FailureClass::ConnectionLost) } else { Ok(()) })
    });
    let ran = ran(fake, workload(20, 100, 30)).await;
    let seconds = ran.seconds();
    assert!(seconds[11..15].iter().all(|row| row.interactions == 0 && row.errors > 0));
    let after: Vec<_> = seconds[15..18].iter().map(|row| row.max_ms).collect();
    assert!(after.iter().any(|&max| max > 4_500.0), "the waits and failed tries count: {after:?}");
    assert!(ran.outcome.reconnects >= 20, "every browser came back: {}", ran.outcome.reconnects);
    assert_eq!(ran.outcome.sessions_ended_early, 0);
    let errors: u64 = ran.rows::<ErrorRow>().iter().map(|row| row.count).sum();
    // Waits grow from 50 ms to 2 s: some seven tries in five seconds, not one a millisecond.
    assert!((20 * 4..20 * 12).contains(&errors), "{errors} tries");
}

#[tokio::test(start_paused = true)]
async fn every_outcome_is_counted_once_everywhere() {
    let fake = Fake::new(|this| {
        let class = FailureClass::ALL[(this.number / 10) as usize % 8];
        (3 * MS, if this.number % 10 == 0 { Err(class) } else { Ok(()) })
    });
    let mut load = workload(30, 50, 20);
    load.mix = Mix::Ordering;
    let ran = ran(fake.clone(), load).await;
    let tries = fake.asked.lock().expect("free").len() as u64;
    let errors = ran.rows::<ErrorRow>();
    let by_class: u64 = errors.iter().map(|row| row.count).sum();
    let bins: Vec<FineRow> = ran.rows();
    let told = ran.told();
    let late = told.tries_after_end;
    assert_eq!(ran.served() + by_class + late, tries, "every try ends in exactly one way");
    assert_eq!(ran.rows::<SecondRow>().iter().map(|row| row.errors).sum::<u64>(), by_class);
    assert_eq!(bins.iter().map(|bin| bin.errors).sum::<u64>(), by_class);
    assert_eq!(bins.iter().map(|bin| bin.ok).sum::<u64>(), ran.served());
    for class in FailureClass::ALL {
        assert!(errors.iter().any(|row| row.class == class.name()), "{class} was seen");
        assert!(told.first_messages.contains_key(class.name()), "one message of {class} is kept");
    }
    let table = ran.rows::<InteractionRow>();
    assert_eq!(table.iter().map(|row| row.count).sum::<u64>(), ran.outcome.interactions);
    assert_eq!(table.iter().map(|row| row.errors).sum::<u64>(), ran.outcome.errors);
    let moves: u64 = ran.rows::<TransitionRow>().iter().map(|row| row.count).sum();
    assert!((ran.served()..=ran.served() + late).contains(&moves), "{moves} moves");
    assert!(told.pages_given_up > 0, "orders of unknown outcome are given up");
    // Orders: acknowledged ones are those served; unknown ones are not repeated.
    let ledger = crate::ledger::read(&ran.outcome.ledger).expect("a ledger");
    let orders = |wanted: fn(&crate::ledger::Outcome) -> bool| {
        ledger.iter().filter(|entry| wanted(&entry.outcome)).count() as u64
    };
    let served: u64 = {
        let bought = bins.iter().map(|bin| bin.writes_ok).sum::<u64>();
        assert!(bought > 0, "pages that write are told apart");
        orders(|outcome| matches!(outcome, crate::ledger::Outcome::Ok { .. }))
    };
    assert_eq!(served, ran.live.orders);
    let unknown =
        errors.iter().filter(|row| row.class == "unknown_commit" && row.interaction == "buy_confirm");
    let unknown: u64 = unknown.map(|row| row.count).sum();
    assert_eq!(orders(|outcome| *outcome == crate::ledger::Outcome::Unknown), unknown);
    let tokens: std::collections::HashSet<_> = ledger.iter().map(|entry| &entry.token).collect();
    assert_eq!(tokens.len(), ledger.len(), "every attempt has a token of its own");
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_breaks_down_is_told() {
    let fake = Fake::new(|this| {
        assert!(this.number != 200, "the two-hundredth try breaks its browser");
        (MS, Ok(()))
    });
    let ran = ran(fake, workload(5, 50, 20)).await;
    assert_eq!((ran.outcome.sessions_started, ran.outcome.sessions_ended_early), (5, 1));
    assert_eq!(ran.seconds().last().map(|row| row.sessions), Some(4));
}
