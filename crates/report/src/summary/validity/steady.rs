//! Had the load settled when it was measured? MSER-5 (White, Cobb and Spratt: *A comparison of five steady-state truncation
//! heuristics for simulation*, Winter Simulation Conference 2000): means of five values each, and the beginning to leave out is the one
//! that makes the marginal standard error of the rest the least.
//!
//! By itself it would always leave out a little noise. A beginning is only told of when it differs from the rest by more than 5 % and by
//! more than four standard errors; and a series whose best beginning reaches its middle had not settled at all.

use crate::{
    folder::Folder,
    record::{EventKind, SecondRow},
};

/// Seconds whose mean is one value.
const BATCH: usize = 5;
/// The fewest values that tell anything: 50 s.
const LEAST: usize = 10;
/// Differences within this share of the rest are no matter.
const MATTERS: f64 = 0.05;
/// Standard errors that are beyond chance.
const BEYOND_CHANCE: f64 = 4.0;
/// How long after an event throughput may still be on its way, in s.
const AFTERMATH_S: f64 = 30.0;

/// Why the measured seconds are no steady state, if they are not.
pub(super) fn unsteady(folder: &Folder) -> Option<String> {
    let calm = longest_calm(folder);
    let first = calm.first()?.second;
    let values: Vec<f64> = calm
        .chunks_exact(BATCH)
        .map(|batch| batch.iter().map(|s| s.interactions as f64).sum::<f64>() / BATCH as f64)
        .collect();
    let settling = Settling::of(&values)?;
    let (before, after) = (settling.before, settling.after);
    Some(if settling.at * 2 >= values.len() {
        format!(
            "throughput never became steady (MSER-5): {before:.1} a second, then {after:.1}, in {} s without events from second \
             {first} on",
            calm.len()
        )
    } else {
        let at = first as usize + settling.at * BATCH;
        format!(
            "throughput was not steady before second {at} (MSER-5): {before:.1} a second, then {after:.1}; a longer warm-up helps"
        )
    })
}

/// Where a series settles, in values, and what it is before and after.
struct Settling {
    at: usize,
    before: f64,
    after: f64,
}

impl Settling {
    /// Nothing when the series is steady from its beginning, or too short.
    fn of(values: &[f64]) -> Option<Self> {
        if values.len() < LEAST {
            return None;
        }
        let error = |at: usize| {
            let rest = &values[at..];
            squares(rest) / (rest.len() as f64).powi(2)
        };
        let at = (0..=values.len() / 2).min_by(|a, b| error(*a).total_cmp(&error(*b)))?;
        if at == 0 {
            return None;
        }
        let (before, after) = (mean(&values[..at]), mean(&values[at..]));
        let rest = values.len() - at;
        let deviation = (squares(&values[at..]) / (rest - 1).max(1) as f64).sqrt();
        let chance = BEYOND_CHANCE * deviation * (1.0 / at as f64 + 1.0 / rest as f64).sqrt();
        let apart = (before - after).abs();
        (apart > MATTERS * after && apart > chance).then_some(Self { at, before, after })
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn squares(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum()
}

/// The longest stretch of measured seconds in one phase, after its ramp, in which nothing happened.
fn longest_calm(folder: &Folder) -> Vec<&SecondRow> {
    let disturbed: Vec<f64> = folder
        .events
        .iter()
        .filter(|event| event.kind != EventKind::Phase)
        .map(|event| event.second)
        .collect();
    let ramps = ramps(folder);
    let calm = |row: &SecondRow| {
        let second = f64::from(row.second);
        let quiet = |at: &f64| second + 1.0 <= *at || second >= at + AFTERMATH_S;
        let ramped = |(name, end): &(&str, f64)| *name != row.phase || second >= *end;
        row.measured && disturbed.iter().all(quiet) && ramps.iter().all(ramped)
    };
    let mut longest: Vec<&SecondRow> = Vec::new();
    let mut present: Vec<&SecondRow> = Vec::new();
    for row in &folder.seconds {
        let follows =
            present.last().is_none_or(|last| last.phase == row.phase && last.second + 1 == row.second);
        if !calm(row) || !follows {
            present.clear();
        }
        if calm(row) {
            present.push(row);
        }
        if present.len() > longest.len() {
            longest.clone_from(&present);
        }
    }
    longest
}

/// The phases of the workload with the second at which the ramp of each is over.
fn ramps(folder: &Folder) -> Vec<(&str, f64)> {
    let phases = folder.manifest.workload.pointer("/load/phase").and_then(|phases| phases.as_array());
    let mut start = 0.0;
    let mut ramps = Vec::new();
    for phase in phases.into_iter().flatten() {
        let number = |key: &str| phase.get(key).and_then(serde_json::Value::as_f64).unwrap_or(0.0);
        if let Some(name) = phase.get("name").and_then(serde_json::Value::as_str) {
            ramps.push((name, start + number("ramp_seconds")));
        }
        start += number("seconds");
    }
    ramps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::EventRow;
    use crate::statistics::random::SplitMix64;

    fn folder(wips: impl Fn(u32) -> f64, seconds: u32) -> Folder {
        let mut random = SplitMix64::new(9);
        let row = |second| {
            let noise = 0.95 + 0.001 * random.below(100) as f64;
            let interactions = (wips(second) * noise) as u64;
            SecondRow { second, interactions, measured: true, phase: "a".into(), ..SecondRow::default() }
        };
        Folder { seconds: (0..seconds).map(row).collect(), ..Folder::default() }
    }

    #[test]
    fn a_steady_series_is_left_alone_and_a_rising_one_is_told() {
        assert_eq!(unsteady(&folder(|_| 500.0, 300)), None);
        assert_eq!(unsteady(&folder(|_| 3.0, 300)), None, "counts of a few");
        let warming = unsteady(&folder(|s| if s < 40 { 300.0 } else { 500.0 }, 300)).expect("told");
        assert!(warming.contains("before second 40") && warming.contains("MSER-5"), "{warming}");
        let rising = unsteady(&folder(|s| 100.0 + 3.0 * f64::from(s), 300)).expect("told");
        assert!(rising.contains("never became steady"), "{rising}");
        assert_eq!(unsteady(&folder(|s| f64::from(s) * 100.0, 40)), None, "too short to tell");
    }

    #[test]
    fn events_and_ramps_are_not_held_against_it() {
        let mut dip = folder(|s| if (100..120).contains(&s) { 10.0 } else { 500.0 }, 300);
        dip.events = vec![EventRow { second: 99.5, kind: EventKind::FaultInjected, ..EventRow::default() }];
        assert_eq!(unsteady(&dip), None);
        let mut ramp = folder(|s| f64::from(s.min(100)) * 5.0, 300);
        assert!(unsteady(&ramp).is_some());
        let phase = serde_json::json!({ "name": "a", "seconds": 300, "ramp_seconds": 100 });
        ramp.manifest.workload = serde_json::json!({ "load": { "phase": [phase] } });
        assert_eq!(unsteady(&ramp), None);
    }
}
