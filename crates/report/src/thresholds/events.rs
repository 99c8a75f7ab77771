//! Limits for the cost of events of one kind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Judge, number};
use crate::{
    record::EventKind,
    summary::{EventSummary, Summary},
};

/// What one event of a kind may cost, `[thresholds.event.KIND]`. A key that is left out limits nothing; a limit for a kind of which no
/// event was followed is not held.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventLimits {
    /// Least time until the first try failed, or for which none did, in ms; events are followed for 30 s at most.
    pub first_error_ms_min: Option<f64>,
    /// Longest time without any answer, in ms.
    pub unavailable_ms_max: Option<f64>,
    /// Deepest dip, in per cent of the throughput before.
    pub dip_pct_max: Option<f64>,
    /// Longest time until throughput was back at 90 %, in ms.
    pub recovered_90_ms_max: Option<f64>,
    /// The same for 99 %.
    pub recovered_99_ms_max: Option<f64>,
    /// Interactions lost to one event.
    pub interactions_lost_max: Option<f64>,
    /// Tries that failed after one event.
    pub errors_max: Option<u64>,
    /// The same by class.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub errors_by_class_max: BTreeMap<String, u64>,
    /// Browsers that had to connect anew after one event.
    pub reconnects_max: Option<u64>,
}

impl EventLimits {
    /// Refuses what no event can be held against.
    pub(super) fn check(&self, kind: &str) -> Result<(), String> {
        if matches!(EventKind::from_name(kind), EventKind::Other | EventKind::Phase) {
            let kinds = EventKind::ALL.map(EventKind::name)[1..].join(", ");
            return Err(format!("thresholds.event.{kind}: allowed kinds are {kinds}"));
        }
        for (name, value) in [
            ("first_error_ms_min", self.first_error_ms_min),
            ("unavailable_ms_max", self.unavailable_ms_max),
            ("dip_pct_max", self.dip_pct_max),
            ("recovered_90_ms_max", self.recovered_90_ms_max),
            ("recovered_99_ms_max", self.recovered_99_ms_max),
            ("interactions_lost_max", self.interactions_lost_max),
        ] {
            if let Some(v) = value.filter(|v| !v.is_finite() || *v < 0.0) {
                return Err(format!("thresholds.event.{kind}.{name} = {v}: a number from 0 up is allowed"));
            }
        }
        Ok(())
    }

    pub(super) fn evaluate(&self, kind: &str, run: &Summary, judge: &mut Judge) {
        let of_kind = |event: &EventSummary| event.kind == kind && event.followed_s.is_some();
        let followed = run.events.iter().any(of_kind);
        let worst = |figure: fn(&EventSummary) -> Option<f64>| {
            let figures = run.events.iter().filter(|e| of_kind(e)).filter_map(figure);
            figures.reduce(f64::max).or(followed.then_some(0.0))
        };
        let mut most = |name: &str, limit: Option<f64>, value: Option<f64>| {
            judge.most(&format!("event.{kind}.{name}"), limit, value);
        };
        most("unavailable_ms_max", self.unavailable_ms_max, worst(|e| e.unavailable_ms));
        most("dip_pct_max", self.dip_pct_max, worst(|e| e.dip_pct));
        most("recovered_90_ms_max", self.recovered_90_ms_max, slowest(run, of_kind, |e| e.recovered_90_ms));
        most("recovered_99_ms_max", self.recovered_99_ms_max, slowest(run, of_kind, |e| e.recovered_99_ms));
        most("interactions_lost_max", self.interactions_lost_max, worst(|e| e.interactions_lost));
        most("errors_max", self.errors_max.map(number), worst(|e| e.errors.map(number)));
        most("reconnects_max", self.reconnects_max.map(number), worst(|e| e.reconnects.map(number)));
        for (class, limit) in &self.errors_by_class_max {
            let of_class = |e: &EventSummary| number(e.errors_by_class.get(class).copied().unwrap_or(0));
            let value = run.events.iter().filter(|e| of_kind(e)).map(of_class).reduce(f64::max);
            most(&format!("errors_by_class_max.{class}"), Some(number(*limit)), value);
        }
        let spared = |e: &EventSummary| e.first_error_ms.or(e.followed_s.map(|s| s * 1000.0));
        let first = run.events.iter().filter(|e| of_kind(e)).filter_map(spared).reduce(f64::min);
        judge.least(&format!("event.{kind}.first_error_ms_min"), self.first_error_ms_min, first);
    }
}

/// The longest recovery of some events. One that the run did not recover from while it was followed keeps no limit.
pub(super) fn slowest(
    run: &Summary,
    which: impl Fn(&EventSummary) -> bool,
    figure: fn(&EventSummary) -> Option<f64>,
) -> Option<f64> {
    let followed = || run.events.iter().filter(|e| e.followed_s.is_some() && which(e));
    let never = followed().any(|e| e.dip_pct.is_some_and(|d| d > 0.0) && figure(e).is_none());
    let longest = followed().filter_map(figure).reduce(f64::max);
    longest.or(followed().next().map(|_| 0.0)).filter(|_| !never)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thresholds::Thresholds;

    fn run() -> Summary {
        let event = |kind: &str, errors, recovered: Option<f64>| EventSummary {
            kind: kind.to_owned(),
            followed_s: Some(30.0),
            first_error_ms: (errors > 0).then_some(120.0),
            unavailable_ms: Some(200.0),
            dip_pct: Some(40.0),
            recovered_90_ms: recovered,
            recovered_99_ms: recovered.map(|ms| ms + 500.0),
            interactions_lost: Some(12.0),
            reconnects: Some(3),
            errors: Some(errors),
            errors_by_class: BTreeMap::from([("read_only".to_owned(), errors)]),
            ..EventSummary::default()
        };
        let events = vec![
            event("scale_in_requested", 0, Some(0.0)),
            event("fault_injected", 5, Some(900.0)),
            event("fault_injected", 9, Some(1_500.0)),
        ];
        Summary { events, ..Summary::default() }
    }

    fn judged(text: &str) -> Vec<(String, Option<f64>, bool)> {
        let thresholds: Thresholds = toml::from_str(text).expect(text);
        assert_eq!(thresholds.check(), Ok(()));
        thresholds.evaluate(&run()).into_iter().map(|t| (t.name, t.value, t.held)).collect()
    }

    #[test]
    fn each_kind_has_limits_of_its_own() {
        let found = judged(
            "[event.scale_in_requested]\nerrors_max = 0\nrecovered_99_ms_max = 500\nfirst_error_ms_min = 10\n\
             [event.fault_injected]\nerrors_max = 8\nreconnects_max = 3\ndip_pct_max = 39.9\nrecovered_90_ms_max = 1500\n\
             first_error_ms_min = 121\n[event.fault_injected.errors_by_class_max]\nread_only = 9\ndeadlock = 0",
        );
        let expected = [
            ("event.fault_injected.dip_pct_max", Some(40.0), false),
            ("event.fault_injected.recovered_90_ms_max", Some(1_500.0), true),
            ("event.fault_injected.errors_max", Some(9.0), false),
            ("event.fault_injected.reconnects_max", Some(3.0), true),
            ("event.fault_injected.errors_by_class_max.deadlock", Some(0.0), true),
            ("event.fault_injected.errors_by_class_max.read_only", Some(9.0), true),
            ("event.fault_injected.first_error_ms_min", Some(120.0), false),
            ("event.scale_in_requested.recovered_99_ms_max", Some(500.0), true),
            ("event.scale_in_requested.errors_max", Some(0.0), true),
            ("event.scale_in_requested.first_error_ms_min", Some(30_000.0), true),
        ];
        let expected = expected.map(|(name, value, held)| (name.to_owned(), value, held));
        assert_eq!(found, expected);
    }

    #[test]
    fn what_did_not_happen_or_never_ended_keeps_no_limit() {
        assert_eq!(judged("[event.promoted]\nerrors_max = 0")[0].1, None);
        let mut never = run();
        never.events[2].recovered_90_ms = None;
        let limits = EventLimits { recovered_90_ms_max: Some(1e9), ..EventLimits::default() };
        let mut judge = Judge::default();
        limits.evaluate("fault_injected", &never, &mut judge);
        assert_eq!((judge.results[0].value, judge.results[0].held), (None, false));
    }

    #[test]
    fn kinds_and_figures_that_make_no_sense_are_refused() {
        for text in ["[event.sneezed]\nerrors_max = 0", "[event.promoted]\ndip_pct_max = -1.0"] {
            let thresholds: Thresholds = toml::from_str(text).expect(text);
            let message = thresholds.check().expect_err(text);
            assert!(message.contains("allowed"), "{message}");
        }
        assert!(toml::from_str::<Thresholds>("[event.promoted]\ndips = 1").is_err());
    }
}
