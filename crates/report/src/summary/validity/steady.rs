//! Had the load settled when it was measured? See [`crate::statistics::steady`] for the method.

use crate::{
    folder::Folder,
    record::{EventKind, SecondRow},
    statistics::steady::{BATCH, Settling},
};

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

/// The phases of the workload with the second at which the ramp of each is over. A warm-up may have ended before its most
/// seconds: where the run tells when its phases began, that counts.
fn ramps(folder: &Folder) -> Vec<(&str, f64)> {
    let phases = folder.manifest.workload.pointer("/load/phase").and_then(|phases| phases.as_array());
    let mut told = folder.events.iter().filter(|event| event.kind == EventKind::Phase);
    let mut planned = 0.0;
    let mut ramps = Vec::new();
    for phase in phases.into_iter().flatten() {
        let number = |key: &str| phase.get(key).and_then(serde_json::Value::as_f64).unwrap_or(0.0);
        let start = told.next().map_or(planned, |event| event.second);
        if let Some(name) = phase.get("name").and_then(serde_json::Value::as_str) {
            ramps.push((name, start + number("ramp_seconds")));
        }
        planned = start + number("seconds");
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
