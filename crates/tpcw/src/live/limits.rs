//! The limits of the workload, and whether they hold as far as can be told while a run goes on.

use std::collections::{BTreeMap, VecDeque};

use emulator::run::Live;
use report::record::{EventKind, EventRow};
use report::summary::{EventSummary, LatencyMs, Statements, Summary};
use report::thresholds::{ThresholdResult, Thresholds};

/// Events remembered as counted. A picture brings the newest few again and again, and late ones out of order.
const COUNTED: usize = 64;
/// Limits on what is known while a run goes on; all others are known at its end.
const KNOWN: [&str; 11] = [
    "interactions_min",
    "wips_min",
    "errors_max_pct",
    "p50_ms_max",
    "p90_ms_max",
    "p99_ms_max",
    "read_mean_ms_max",
    "faults_min",
    "scale_outs_min",
    "scale_ins_min",
    "promotions_min",
];

/// Whether a limit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Not as things stand.
    Broken,
    /// Nobody can tell yet.
    Open,
    /// So far it does.
    Holds,
}

/// A limit with what was found so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// Its name: `p90_ms_max`.
    pub name: String,
    /// What is allowed.
    pub limit: f64,
    /// What was found; nothing before it can be told.
    pub value: Option<f64>,
    /// Whether it holds.
    pub state: State,
}

/// The limits of a workload beside a run.
#[derive(Debug, Default)]
pub struct Limits {
    thresholds: Thresholds,
    counts: BTreeMap<&'static str, u32>,
    counted: VecDeque<EventRow>,
}

impl Limits {
    /// The limits of a workload.
    pub fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, ..Self::default() }
    }

    /// Takes in a second; gives every limit, broken ones first.
    pub fn after(&mut self, live: &Live) -> Vec<Limit> {
        for event in &live.events {
            if !self.counted.contains(event) {
                *self.counts.entry(event.kind.name()).or_default() += 1;
                self.counted.push_back(event.clone());
            }
        }
        let old = self.counted.len().saturating_sub(COUNTED);
        self.counted.drain(..old);
        let found = self.thresholds.evaluate(&self.summary(live));
        let mut limits: Vec<Limit> = found.into_iter().map(|result| limit(result, live)).collect();
        limits.sort_by_key(|limit| limit.state);
        limits
    }

    /// What is known of the run, as its summary will tell it.
    fn summary(&self, live: &Live) -> Summary {
        let so_far = &live.so_far;
        let of_kind = |kind: EventKind| {
            let event = EventSummary { kind: kind.name().to_owned(), ..EventSummary::default() };
            vec![event; self.counts.get(kind.name()).copied().unwrap_or(0) as usize]
        };
        Summary {
            interactions: so_far.interactions,
            errors: so_far.errors,
            wips: so_far.interactions as f64 / f64::from(so_far.seconds.max(1)),
            latency_ms: LatencyMs {
                p50: so_far.p50_ms,
                p90: so_far.p90_ms,
                p99: so_far.p99_ms,
                ..LatencyMs::default()
            },
            statements: Statements {
                reads: so_far.reads,
                read_mean_ms: so_far.read_mean_ms,
                ..Statements::default()
            },
            events: EventKind::ALL.into_iter().flat_map(of_kind).collect(),
            ..Summary::default()
        }
    }
}

fn limit(result: ThresholdResult, live: &Live) -> Limit {
    let ThresholdResult { name, limit, value, held } = result;
    let counts = name.ends_with("s_min") && name != "wips_min";
    let value = value.filter(|_| KNOWN.contains(&name.as_str()) && (counts || live.so_far.seconds > 0));
    let state = match value {
        Some(_) if held => State::Holds,
        // What is to be reached may be reached yet.
        Some(_) if !counts => State::Broken,
        _ => State::Open,
    };
    Limit { name, limit, value, state }
}

#[cfg(test)]
mod tests {
    use emulator::run::SoFar;

    use super::*;

    fn limits(text: &str) -> Limits {
        Limits::new(toml::from_str(text).expect("limits"))
    }

    fn after(limits: &mut Limits, so_far: SoFar, events: Vec<EventRow>) -> Vec<(String, Option<f64>, State)> {
        let told = limits.after(&Live { so_far, events, ..Live::default() });
        told.into_iter().map(|limit| (limit.name, limit.value, limit.state)).collect()
    }

    #[test]
    fn limits_are_held_against_what_was_measured_so_far() {
        let mut limits =
            limits("p90_ms_max = 100.0\nwips_min = 5.0\nunavailable_ms_max = 1000.0\ninteractions_min = 500");
        let nothing = after(&mut limits, SoFar::default(), Vec::new());
        assert!(nothing.iter().all(|limit| limit.2 == State::Open), "{nothing:?}");
        let so_far = SoFar { seconds: 10, interactions: 100, p90_ms: 120.0, ..SoFar::default() };
        let told = after(&mut limits, so_far, Vec::new());
        let expected = [
            ("p90_ms_max", Some(120.0), State::Broken),
            ("interactions_min", Some(100.0), State::Open),
            ("unavailable_ms_max", None, State::Open),
            ("wips_min", Some(10.0), State::Holds),
        ];
        assert_eq!(told, expected.map(|(name, value, state)| (name.to_owned(), value, state)));
    }

    #[test]
    fn an_event_counts_once_however_often_it_is_shown() {
        let mut limits = limits("scale_outs_min = 2");
        let event = |second| EventRow { second, kind: EventKind::ScaleOutDone, ..EventRow::default() };
        for _ in 0..3 {
            assert_eq!(after(&mut limits, SoFar::default(), vec![event(4.0)])[0].2, State::Open);
        }
        let told = after(&mut limits, SoFar::default(), vec![event(4.0), event(9.0)]);
        assert_eq!(told, [("scale_outs_min".to_owned(), Some(2.0), State::Holds)]);
    }
}
