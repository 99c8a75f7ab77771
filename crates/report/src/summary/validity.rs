//! Whether a run's figures can be believed: did the generator keep up, and is there enough to go by?

mod steady;
mod sums;

use crate::{
    folder::Folder,
    record::{EventKind, GeneratorRow, Outcome, PART_MACHINE},
    summary::{Validity, ValidityState},
};

/// A browser thread above this share of a core may have delayed browsers.
const CPU_SUSPECT: f64 = 0.80;
/// Above this one it surely has.
const CPU_INVALID: f64 = 0.95;
/// Browsers that wake up later than this (99th percentile of a second, in ms) load the cluster less than they should.
const LATE_SUSPECT_MS: f64 = 10.0;
/// Later than this, the load was not the one asked for.
const LATE_INVALID_MS: f64 = 250.0;
/// The share of the measured seconds that may be beyond one of these limits, in per cent.
const SECONDS_PCT: f64 = 10.0;
/// Fewer interactions than this say nothing.
const SAMPLES_INVALID: u64 = 100;
/// Fewer than this leave the 99th percentile to ten values.
const SAMPLES_SUSPECT: u64 = 1000;

/// A wall clock that moves by more than this within a second, in ms, was set; figures go by the steady clock and stay right,
/// but times of the day do not.
const CLOCK_JUMP_MS: f64 = 500.0;
/// Jumps from this on are told in seconds.
const MINUTE_MS: f64 = 60_000.0;
/// Jumps from this on are told as such: a clock that was never set, or figures that are none.
const DECADE_MS: f64 = 10.0 * 365.25 * 24.0 * 60.0 * MINUTE_MS;
/// Visitors turned away, in per cent of all, beyond which the load was not the one asked for.
const TURNED_AWAY_INVALID_PCT: f64 = 1.0;

pub(super) fn judge(folder: &Folder) -> Validity {
    let mut found = Validity::default();
    samples(folder, &mut found);
    generator(folder, &mut found);
    completeness(folder, &mut found);
    turned_away(folder, &mut found);
    clock(folder, &mut found);
    sums::disagreements(folder).into_iter().for_each(|reason| found.add(ValidityState::Invalid, reason));
    warm_up(folder, &mut found);
    if let Some(reason) = steady::unsteady(folder) {
        found.add(ValidityState::Suspect, reason);
    }
    found
}

impl Validity {
    fn add(&mut self, state: ValidityState, reason: String) {
        self.state = self.state.max(state);
        if state == ValidityState::Invalid {
            self.reasons.insert(self.invalid_reasons.len(), reason.clone());
            self.invalid_reasons.push(reason);
        } else {
            self.reasons.push(reason);
        }
    }
}

fn samples(folder: &Folder, found: &mut Validity) {
    let interactions: u64 = folder.measured().map(|s| s.interactions).sum();
    if folder.measured().next().is_none() {
        found.add(ValidityState::Invalid, "no second of the measurement interval was recorded".to_owned());
    } else if interactions < SAMPLES_INVALID {
        let reason =
            format!("only {interactions} interactions were measured, {SAMPLES_INVALID} are the least");
        found.add(ValidityState::Invalid, reason);
    } else if interactions < SAMPLES_SUSPECT {
        let reason = format!(
            "only {interactions} interactions were measured: the 99th percentile rests on few values"
        );
        found.add(ValidityState::Suspect, reason);
    }
}

fn generator(folder: &Folder, found: &mut Validity) {
    let rows: Vec<&GeneratorRow> = measured_rows(folder);
    if rows.is_empty() {
        found.add(ValidityState::Suspect, "the generator did not record whether it kept up".to_owned());
        return;
    }
    let cpu = |row: &GeneratorRow| row.cpu_share;
    let late = |row: &GeneratorRow| row.late_p99_ms;
    for (state, limit) in [(ValidityState::Invalid, CPU_INVALID), (ValidityState::Suspect, CPU_SUSPECT)] {
        let pct = beyond_pct(&rows, cpu, limit);
        if pct > SECONDS_PCT {
            let limit = limit * 100.0;
            let reason = format!(
                "the generator's busiest thread used more than {limit:.0} % of a core in {pct:.0} % of the seconds"
            );
            found.add(state, reason);
            break;
        }
    }
    for (state, limit) in
        [(ValidityState::Invalid, LATE_INVALID_MS), (ValidityState::Suspect, LATE_SUSPECT_MS)]
    {
        let pct = beyond_pct(&rows, late, limit);
        if pct > SECONDS_PCT {
            let reason = format!(
                "browsers woke up more than {limit:.0} ms late (99th percentile) in {pct:.0} % of the seconds; \
                 the lateness is part of the latencies"
            );
            found.add(state, reason);
            break;
        }
    }
}

fn measured_rows(folder: &Folder) -> Vec<&GeneratorRow> {
    let measured: std::collections::BTreeSet<u32> = folder.measured().map(|s| s.second).collect();
    folder.generator.iter().filter(|row| measured.contains(&row.second)).collect()
}

fn beyond_pct(rows: &[&GeneratorRow], figure: fn(&GeneratorRow) -> f64, limit: f64) -> f64 {
    100.0 * rows.iter().filter(|row| figure(row) > limit).count() as f64 / rows.len() as f64
}

/// An open load that found the shop full was not the load asked for.
fn turned_away(folder: &Folder, found: &mut Validity) {
    let Some(outcome) = folder.outcome.as_ref().filter(|outcome| outcome.turned_away > 0) else { return };
    let (away, all) = (outcome.turned_away, outcome.turned_away + outcome.sessions_started);
    let pct = 100.0 * away as f64 / all as f64;
    let state = if pct > TURNED_AWAY_INVALID_PCT { ValidityState::Invalid } else { ValidityState::Suspect };
    found.add(
        state,
        format!(
            "{away} of {all} visitors found the shop full ({pct:.1} %): their pages were due and never asked for; more \
             `sessions` make room"
        ),
    );
}

/// A warm-up that was to end when the load was steady, and ended because its time was up.
fn warm_up(folder: &Folder, found: &mut Validity) {
    let told = folder.outcome.as_ref().and_then(|outcome| outcome.warm_up.as_ref());
    if let Some(warm_up) = told.filter(|warm_up| warm_up.steady == Some(false)) {
        let reason = format!(
            "the load was not steady when the warm-up had lasted its most, {} s ({}): {}",
            warm_up.seconds, warm_up.method, warm_up.reason
        );
        found.add(ValidityState::Suspect, reason);
    }
}

fn clock(folder: &Folder, found: &mut Validity) {
    let times: Vec<(u32, f64)> = folder
        .resources
        .iter()
        .filter(|row| row.part == PART_MACHINE && !row.clock_ms.is_nan())
        .map(|row| (row.second, row.clock_ms))
        .collect();
    for pair in times.windows(2) {
        let jump = pair[1].1 - pair[0].1;
        if jump.abs() > CLOCK_JUMP_MS {
            let reason = format!(
                "the machine's clock jumped by {} at second {}: latencies go by a steady clock, times of the day do not",
                jump_words(jump),
                pair[1].0
            );
            found.add(ValidityState::Suspect, reason);
        }
    }
}

/// A jump in ms as people tell it; how far beyond all measure it was, nobody needs to know.
fn jump_words(ms: f64) -> String {
    match ms.abs() {
        short if short < MINUTE_MS => format!("{ms:.0} ms"),
        long if long < DECADE_MS => format!("{:.0} s", ms / 1000.0),
        _ => format!("more than ten years {}", if ms < 0.0 { "back" } else { "ahead" }),
    }
}

fn completeness(folder: &Folder, found: &mut Validity) {
    match &folder.outcome {
        None => {
            found.add(ValidityState::Suspect, "the run was cut off: it did not record its end".to_owned())
        }
        Some(Outcome { failed: Some(why), .. }) => {
            found.add(ValidityState::Invalid, format!("the run could not be recorded to its end: {why}"));
        }
        Some(outcome) if outcome.interrupted => {
            found.add(ValidityState::Suspect, "the run was interrupted before its time".to_owned());
        }
        Some(_) => {}
    }
    let mut suspect = |reason: String| found.add(ValidityState::Suspect, reason);
    if folder.audit.is_none() {
        suspect("no audit was done: whether orders were lost is not known".to_owned());
    }
    let missing = missing_seconds(folder);
    if missing > 0 {
        suspect(format!("{missing} seconds of the load were not recorded"));
    }
    for event in folder.events.iter().filter(|e| e.kind == EventKind::FaultInjected) {
        let healed = folder
            .events
            .iter()
            .any(|e| e.kind == EventKind::FaultHealed && e.node == event.node && e.second >= event.second);
        if !healed {
            suspect(format!(
                "the fault on {} at {:.1} s was not healed during the load",
                event.node, event.second
            ));
        }
    }
}

fn missing_seconds(folder: &Folder) -> u32 {
    folder.seconds.windows(2).map(|pair| pair[1].second - pair[0].second - 1).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Audit, ErrorRow, EventRow, FineRow, ResourceRow, SecondRow, WarmUp};

    fn good() -> Folder {
        let second = |second| SecondRow { second, interactions: 50, measured: true, ..SecondRow::default() };
        let row =
            |second| GeneratorRow { second, cpu_share: 0.3, late_p99_ms: 2.0, ..GeneratorRow::default() };
        Folder {
            seconds: (0..100).map(second).collect(),
            generator: (0..100).map(row).collect(),
            audit: Some(Audit::default()),
            outcome: Some(Outcome::default()),
            ..Folder::default()
        }
    }

    fn after(change: impl FnOnce(&mut Folder)) -> Validity {
        let mut folder = good();
        change(&mut folder);
        judge(&folder)
    }

    #[test]
    fn a_good_run_is_valid() {
        assert_eq!(judge(&good()), Validity::default());
    }

    #[test]
    fn each_fault_is_named_and_weighed() {
        use ValidityState::{Invalid, Suspect, Valid};
        let busy = |seconds: usize, share: f64| {
            move |f: &mut Folder| f.generator[..seconds].iter_mut().for_each(|r| r.cpu_share = share)
        };
        let late = |ms: f64| move |f: &mut Folder| f.generator.iter_mut().for_each(|r| r.late_p99_ms = ms);
        let fault = |healed: bool| {
            move |f: &mut Folder| {
                let kinds = [EventKind::FaultInjected, EventKind::FaultHealed];
                let row = |kind| EventRow { kind, node: "n3".to_owned(), ..EventRow::default() };
                f.events = kinds[..1 + usize::from(healed)].iter().map(|k| row(*k)).collect();
            }
        };
        let warmed = |steady| {
            move |f: &mut Folder| {
                let (method, reason) = ("MSER-5".to_owned(), "p90 rose".to_owned());
                let warm_up = Some(WarmUp { seconds: 90, steady, method, reason, ..WarmUp::default() });
                f.outcome = Some(Outcome { warm_up, ..Outcome::default() });
            }
        };
        let turned = |started, away| {
            move |f: &mut Folder| {
                let outcome = Outcome { sessions_started: started, turned_away: away, ..Outcome::default() };
                f.outcome = Some(outcome);
            }
        };
        let jumped = |times: &'static [f64]| {
            move |f: &mut Folder| {
                let row = |(second, &clock_ms)| {
                    let part = PART_MACHINE.to_owned();
                    ResourceRow { second, part, clock_ms, ..ResourceRow::default() }
                };
                f.resources = (0..).zip(times).map(row).collect();
            }
        };
        for (found, state, words) in [
            (after(busy(10, 0.99)), Valid, ""),
            (after(busy(11, 0.85)), Suspect, "80 % of a core"),
            (after(busy(11, 0.99)), Invalid, "95 % of a core"),
            (after(late(10.5)), Suspect, "10 ms late"),
            (after(late(300.0)), Invalid, "250 ms late"),
            (after(|f| f.generator.clear()), Suspect, "did not record whether it kept up"),
            (after(|f| f.audit = None), Suspect, "no audit"),
            (after(|f| f.outcome = None), Suspect, "cut off"),
            (after(|f| f.outcome.iter_mut().for_each(|o| o.interrupted = true)), Suspect, "interrupted"),
            (after(|f| drop(f.seconds.drain(40..42))), Suspect, "2 seconds"),
            (after(|f| f.seconds.truncate(19)), Suspect, "950 interactions"),
            (after(|f| f.seconds.truncate(1)), Invalid, "50 interactions"),
            (after(|f| f.seconds.iter_mut().for_each(|s| s.measured = false)), Invalid, "no second"),
            (after(warmed(Some(true))), Valid, ""),
            (after(warmed(None)), Valid, ""),
            (after(warmed(Some(false))), Suspect, "its most, 90 s (MSER-5): p90 rose"),
            (after(turned(100, 1)), Suspect, "1 of 101 visitors"),
            (after(turned(98, 2)), Invalid, "2 of 100 visitors"),
            (after(jumped(&[0.0, 1.0, 400.0])), Valid, ""),
            (after(jumped(&[0.0, 1.0, -700.0])), Suspect, "jumped by -701 ms at second 2"),
            (after(jumped(&[0.0, 3_600_000.0])), Suspect, "jumped by 3600 s at second 1"),
            (after(jumped(&[0.0, -1.8e12])), Suspect, "jumped by more than ten years back at second 1"),
            (after(jumped(&[0.0, f64::INFINITY])), Suspect, "by more than ten years ahead at second 1"),
            (after(jumped(&[0.0, f64::NAN, 1.0])), Valid, ""),
            (
                after(|f| f.outcome.iter_mut().for_each(|o| o.failed = Some("disk full".into()))),
                Invalid,
                "disk full",
            ),
            (
                after(|f| f.errors.push(ErrorRow { second: 3, count: 2, ..ErrorRow::default() })),
                Invalid,
                "2 in errors.csv",
            ),
            (
                after(|f| f.fine.push(FineRow { ms: 3_100, ok: 7, ..FineRow::default() })),
                Invalid,
                "7 in fine.csv",
            ),
            (after(fault(true)), Valid, ""),
            (after(fault(false)), Suspect, "n3"),
        ] {
            assert_eq!(found.state, state, "{words}: {found:?}");
            assert!(
                words.is_empty() || found.reasons.iter().any(|r| r.contains(words)),
                "{words}: {found:?}"
            );
        }
    }
    #[test]
    fn each_reason_tells_what_it_makes_of_the_run() {
        use ValidityState::{Invalid, Suspect};
        let found = after(|f| {
            f.audit = None;
            f.seconds.truncate(1);
            f.generator.iter_mut().for_each(|r| r.late_p99_ms = 300.0);
            f.generator[0].cpu_share = 0.85;
        });
        let states: Vec<ValidityState> = found.weighed().map(|(state, _)| state).collect();
        assert_eq!(states, [Invalid, Invalid, Suspect, Suspect], "{found:?}");
        assert_eq!(found.reasons[..2], found.invalid_reasons[..]);
        assert!(found.invalid_reasons[1].contains("250 ms late"), "{found:?}");
        assert!(found.reasons[3].contains("no audit"), "{found:?}");
    }
}
