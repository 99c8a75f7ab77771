//! Outages whose cost is known beforehand.

use super::*;
use crate::record::{FineRow, SecondRow};

/// A load of `seconds` with `browsers` and as many interactions in each bin as `ok` says.
fn load(seconds: u32, browsers: impl Fn(u32) -> u32, ok: impl Fn(u64) -> u64) -> Folder {
    let mut folder = Folder::default();
    for second in 0..seconds {
        folder.seconds.push(SecondRow { second, sessions: browsers(second), ..SecondRow::default() });
    }
    folder.fine = (0..u64::from(seconds) * 10)
        .map(|bin| FineRow {
            ms: bin * 100,
            ok: ok(bin),
            errors: 0,
            writes_ok: ok(bin).min(1),
            reconnects: 0,
        })
        .collect();
    folder
}

fn event(second: f64, kind: EventKind, node: &str) -> EventRow {
    EventRow { second, kind, node: node.to_owned(), ..EventRow::default() }
}

fn fault(second: f64) -> EventRow {
    event(second, EventKind::FaultInjected, "n1")
}

fn cost(mut folder: Folder, events: Vec<EventRow>) -> Vec<EventSummary> {
    folder.events = events;
    of_events(&folder)
}

/// A fixed stream of numbers from 0 to 1.
fn noise(seed: u64, at: u64) -> f64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(at.wrapping_mul(0xd1b5_4a32_d192_ed03));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// A Poisson number by Knuth's product of uniform ones.
fn poisson(mean: f64, seed: u64, at: u64) -> u64 {
    let limit = (-mean).exp();
    let mut product = noise(seed, at * 1000);
    let mut count = 0;
    while product > limit {
        count += 1;
        product *= noise(seed, at * 1000 + count);
    }
    count
}

#[test]
fn an_outage_costs_what_it_took() {
    for (length_ms, rate) in [(300, 10), (700, 10), (700, 2), (2000, 8), (5000, 3), (12_000, 1)] {
        let outage = 400..400 + length_ms / 100;
        let folder = load(90, |_| 60, |bin| if outage.contains(&bin) { 0 } else { rate });
        let found = cost(folder, vec![fault(40.0)]).remove(0);
        let case = format!("{length_ms} ms at {rate} a bin");
        assert_eq!(found.unavailable_ms, Some(length_ms as f64), "{case}");
        assert_eq!(found.recovered_90_ms, Some(length_ms as f64), "{case}");
        assert_eq!(found.interactions_lost, Some((length_ms / 100 * rate) as f64), "{case}");
        assert_eq!(found.baseline_wips, Some(rate as f64 * 10.0), "{case}");
        let window_ms = (30.0 / rate as f64).ceil().clamp(10.0, 100.0) * 100.0;
        let dip = found.dip_pct.expect("a dip");
        assert!((dip - 100.0 * (length_ms as f64 / window_ms).min(1.0)).abs() < 0.01, "{case}: {dip}");
    }
}

#[test]
fn an_outage_off_the_grid_is_known_to_a_bin() {
    // From 40.05 s to 40.75 s: bins 400 and 407 are half full.
    let ok = |bin| match bin {
        400 | 407 => 5,
        401..407 => 0,
        _ => 10,
    };
    let found = cost(load(90, |_| 60, ok), vec![fault(40.05)]).remove(0);
    assert_eq!(found.unavailable_ms, Some(600.0));
    let recovered = found.recovered_90_ms.expect("recovered");
    assert!((recovered - 700.0).abs() <= 100.0, "{recovered}");
    assert!((found.interactions_lost.expect("lost") - 70.0).abs() <= 10.0);
}

#[test]
fn chance_is_no_fall() {
    let mut falls = 0;
    for seed in 0..200 {
        let folder = load(80, |_| 60, |bin| poisson(8.0, seed, bin));
        let found = cost(folder, vec![fault(40.0)]).remove(0);
        assert_eq!(found.unavailable_ms, Some(0.0), "seed {seed}");
        falls += u32::from(found.dip_pct != Some(0.0));
    }
    assert!(falls <= 4, "{falls} of 200 steady runs were said to fall");
}

#[test]
fn a_fall_by_half_is_found_under_noise() {
    let mut found_all = 0;
    for seed in 0..50 {
        let ok = |bin| poisson(if (400..430).contains(&bin) { 4.0 } else { 8.0 }, seed, bin);
        let found = cost(load(80, |_| 60, ok), vec![fault(40.0)]).remove(0);
        let back = found.recovered_90_ms.expect("it comes back");
        let lost = found.interactions_lost.expect("known");
        found_all += u32::from(found.dip_pct > Some(30.0) && back >= 1500.0 && (60.0..180.0).contains(&lost));
    }
    assert!(found_all >= 45, "{found_all} of 50 were measured rightly");
}

#[test]
fn silence_of_a_few_browsers_is_no_outage_but_a_long_one_is() {
    // One interaction a second: every tenth bin.
    let quiet =
        |from: u64, to: u64| move |bin: u64| u64::from(bin.is_multiple_of(10) && !(from..to).contains(&bin));
    let short = cost(load(90, |_| 7, quiet(400, 430)), vec![fault(40.0)]).remove(0);
    assert_eq!(short.unavailable_ms, Some(0.0));
    let long = cost(load(90, |_| 7, quiet(400, 560)), vec![fault(40.0)]).remove(0);
    assert_eq!(long.unavailable_ms, Some(16_000.0));
}

#[test]
fn an_error_in_silence_makes_it_an_outage() {
    let mut folder = load(90, |_| 7, |bin| u64::from(bin.is_multiple_of(10) && !(401..430).contains(&bin)));
    folder.fine[405].errors = 2;
    let found = cost(folder, vec![fault(40.0)]).remove(0);
    assert_eq!(found.unavailable_ms, Some(2500.0));
    assert_eq!((found.first_error_ms, found.errors), (Some(500.0), Some(2)));
}

#[test]
fn browsers_that_leave_are_no_dip() {
    let browsers = |second: u32| if second < 45 { 60 } else { 10 };
    let folder = load(90, browsers, |bin| if bin < 450 { 12 } else { 2 });
    let found = cost(folder, vec![fault(40.0)]).remove(0);
    assert_eq!((found.dip_pct, found.interactions_lost), (Some(0.0), Some(0.0)));
}

#[test]
fn no_browsers_are_no_outage() {
    let folder = load(60, |second| if second < 45 { 60 } else { 0 }, |bin| if bin < 450 { 12 } else { 0 });
    assert_eq!(cost(folder, vec![fault(40.0)])[0].unavailable_ms, Some(0.0));
}

#[test]
fn a_fall_without_end_has_no_recovery() {
    let folder = load(90, |_| 60, |bin| if bin < 400 { 10 } else { 4 });
    let found = cost(folder, vec![fault(40.0)]).remove(0);
    assert_eq!((found.dip_pct, found.recovered_90_ms), (Some(60.0), None));
    assert_eq!(found.interactions_lost, Some(30.0 * 60.0));
}

#[test]
fn an_outage_does_not_lower_the_measure_of_the_next() {
    let out = |bin| (400..440).contains(&bin) || (470..480).contains(&bin);
    let folder = load(90, |_| 60, |bin| if out(bin) { 0 } else { 10 });
    let found = cost(folder, vec![fault(40.0), event(47.0, EventKind::FaultHealed, "n1")]);
    assert_eq!(found[1].baseline_wips, Some(100.0));
    assert_eq!((found[0].followed_s, found[0].interactions_lost), (Some(7.0), Some(400.0)));
    assert_eq!((found[1].unavailable_ms, found[1].interactions_lost), (Some(1000.0), Some(100.0)));
}

#[test]
fn an_event_without_a_before_has_no_baseline() {
    let found = cost(load(60, |_| 60, |_| 10), vec![fault(1.0)]).remove(0);
    assert_eq!((found.baseline_wips, found.dip_pct, found.unavailable_ms), (None, None, None));
    assert_eq!(found.errors, Some(0));
}

#[test]
fn events_beyond_the_end_or_without_bins_are_harmless() {
    let found = cost(load(60, |_| 60, |_| 10), vec![fault(59.99), fault(60.0), fault(4711.0)]);
    assert!(found.iter().all(|e| e.dip_pct.is_none()));
    let empty = cost(Folder::default(), vec![fault(3.0)]).remove(0);
    assert_eq!((empty.followed_s, empty.errors), (None, None));
}

#[test]
fn a_lost_primary_is_noticed_and_replaced() {
    let writes = |bin: u64| u64::from(!(400..409).contains(&bin));
    let mut folder = load(90, |_| 60, |_| 10);
    folder.fine.iter_mut().for_each(|bin| bin.writes_ok = writes(bin.ms / 100));
    let events =
        vec![fault(40.0), event(40.13, EventKind::NodeDown, "n1"), event(40.6, EventKind::Promoted, "n2")];
    let found = cost(folder, events);
    assert_eq!((found[0].detected_ms, found[0].writable_ms), (Some(130.0), Some(1000.0)));
    // Consequences have no figures of their own.
    assert!(found[1..].iter().all(|e| e.followed_s.is_none()));
}

#[test]
fn a_loss_that_no_fault_explains_is_followed() {
    let found = cost(load(90, |_| 60, |_| 10), vec![event(40.0, EventKind::NodeDown, "n3")]);
    assert_eq!(found[0].followed_s, Some(30.0));
}

#[test]
fn scaling_is_told_by_reads_before_and_after() {
    let mut folder = load(90, |_| 60, |_| 10);
    for s in &mut folder.seconds {
        (s.reads, s.read_mean_ms) = if s.second < 44 { (100, 80.0) } else { (200, 30.0) };
    }
    let events =
        vec![event(41.5, EventKind::ScaleOutRequested, ""), event(43.75, EventKind::ScaleOutDone, "n4")];
    let found = cost(folder, events).remove(1);
    assert_eq!((found.read_before_ms, found.read_after_ms), (Some(80.0), Some(30.0)));
    assert_eq!(found.took_ms, Some(2250.0));
}
