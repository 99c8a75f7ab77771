//! Pass or fail: a run's figures against the limits of its workload.

mod events;

use std::collections::BTreeMap;

pub use events::EventLimits;
use serde::{Deserialize, Serialize};

use crate::summary::{Compliance, EventSummary, Summary, Test};

/// The limits of a workload, its `[thresholds]` table. A key that is left out limits nothing, except those of the audit:
/// nothing may be lost, doubled, invented or different, and no condition broken, unless the workload says how many.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// At least this many interactions in the measurement interval.
    pub interactions_min: Option<u64>,
    /// At least this many interactions a second.
    pub wips_min: Option<f64>,
    /// At most this share of all tries fails, in per cent.
    pub errors_max_pct: Option<f64>,
    /// Latency of all interactions, in ms.
    pub p50_ms_max: Option<f64>,
    /// 90th percentile.
    pub p90_ms_max: Option<f64>,
    /// 99th percentile.
    pub p99_ms_max: Option<f64>,
    /// Mean time of a read statement, in ms.
    pub read_mean_ms_max: Option<f64>,
    /// Every interaction keeps the specification's limit for its 90th percentile.
    pub within_limits: Option<bool>,
    /// The shares of the interactions fit the mix: the least p of the chi-square test.
    pub mix_p_min: Option<f64>,
    /// Each page's successors fit the mix's table: the least p of the chi-square test, row by row.
    pub transitions_p_min: Option<f64>,
    /// Think times fit the distribution asked for: the least p of the Kolmogorov–Smirnov test.
    pub think_time_p_min: Option<f64>,
    /// The lengths of visits do: the same.
    pub session_length_p_min: Option<f64>,
    /// The rate keeps the scaling rule: between browsers / 14 and browsers / 7 a second.
    pub within_scaling: Option<bool>,
    /// Browsers that may end before they are told.
    pub sessions_ended_early_max: Option<u64>,
    /// Scale-outs that must be done.
    pub scale_outs_min: Option<u64>,
    /// Scale-ins that must be done.
    pub scale_ins_min: Option<u64>,
    /// Promotions that must happen.
    pub promotions_min: Option<u64>,
    /// Faults that must be injected.
    pub faults_min: Option<u64>,
    /// Longest time without any answer after one event, in ms.
    pub unavailable_ms_max: Option<f64>,
    /// Longest time until writes went through again after the primary was lost, in ms.
    pub writable_ms_max: Option<f64>,
    /// Longest time until throughput was back at 90 % after one event, in ms.
    pub recovered_90_ms_max: Option<f64>,
    /// Longest time until throughput was back at 99 % after one event, in ms.
    pub recovered_99_ms_max: Option<f64>,
    /// Deepest dip after one event, in per cent of the throughput before it.
    pub dip_pct_max: Option<f64>,
    /// Interactions that may be lost to all events together.
    pub interactions_lost_max: Option<f64>,
    /// Limits for the events of one kind, by its name in `events.csv`: what a scale-in may cost is not what a kill may.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub event: BTreeMap<String, EventLimits>,
    /// Acknowledged orders that may be missing; 0 unless given.
    pub lost_orders_max: Option<u64>,
    /// Orders that may be there twice; 0 unless given.
    pub duplicated_orders_max: Option<u64>,
    /// Orders that may come out of nothing; 0 unless given.
    pub phantom_orders_max: Option<u64>,
    /// Conditions that may be broken; 0 unless given.
    pub conditions_failed_max: Option<u64>,
    /// Nodes that may differ from the primary; 0 unless given.
    pub replicas_diverged_max: Option<u64>,
    /// Nodes that the audit may fail to reach; 0 unless given.
    pub unreachable_nodes_max: Option<u64>,
    /// Steps back in time that browsers may see.
    pub stale_reads_max: Option<u64>,
}

/// One limit, held or not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ThresholdResult {
    /// The key in the workload.
    pub name: String,
    /// What it allows; for `within_limits` how many interactions may be beyond theirs; 1 for `within_scaling`.
    pub limit: f64,
    /// What the run shows; `null` when it does not tell.
    pub value: Option<f64>,
    /// Whether the limit was kept. A limit on something unknown is not.
    pub held: bool,
}

impl Thresholds {
    /// Refuses limits that no run can be judged by; the message names key, value and what is allowed.
    pub fn check(&self) -> Result<(), String> {
        let pct = |name: &str, value: Option<f64>, top: f64| match value {
            Some(v) if !(0.0..=top).contains(&v) => {
                Err(format!("thresholds.{name} = {v}: a number from 0 to {top} is allowed"))
            }
            _ => Ok(()),
        };
        pct("errors_max_pct", self.errors_max_pct, 100.0)?;
        pct("mix_p_min", self.mix_p_min, 1.0)?;
        pct("transitions_p_min", self.transitions_p_min, 1.0)?;
        pct("think_time_p_min", self.think_time_p_min, 1.0)?;
        pct("session_length_p_min", self.session_length_p_min, 1.0)?;
        for (name, value) in [
            ("wips_min", self.wips_min),
            ("p50_ms_max", self.p50_ms_max),
            ("p90_ms_max", self.p90_ms_max),
            ("p99_ms_max", self.p99_ms_max),
            ("read_mean_ms_max", self.read_mean_ms_max),
            ("unavailable_ms_max", self.unavailable_ms_max),
            ("writable_ms_max", self.writable_ms_max),
            ("recovered_90_ms_max", self.recovered_90_ms_max),
            ("recovered_99_ms_max", self.recovered_99_ms_max),
            ("dip_pct_max", self.dip_pct_max),
            ("interactions_lost_max", self.interactions_lost_max),
        ] {
            if let Some(v) = value.filter(|v| !v.is_finite() || *v < 0.0) {
                return Err(format!("thresholds.{name} = {v}: a number from 0 up is allowed"));
            }
        }
        self.event.iter().try_for_each(|(kind, limits)| limits.check(kind))
    }

    /// Sets every limit that was given, or that holds without being given, against the run.
    pub fn evaluate(&self, run: &Summary) -> Vec<ThresholdResult> {
        let mut judge = Judge::default();
        self.load(run, &mut judge);
        self.events(run, &mut judge);
        self.audit(run, &mut judge);
        judge.results
    }

    fn load(&self, run: &Summary, judge: &mut Judge) {
        judge.least("interactions_min", self.interactions_min.map(number), Some(number(run.interactions)));
        judge.least("wips_min", self.wips_min, Some(run.wips));
        judge.most("errors_max_pct", self.errors_max_pct, run.error_pct());
        let latency = |value: f64| (run.interactions > 0).then_some(value);
        judge.most("p50_ms_max", self.p50_ms_max, latency(run.latency_ms.p50));
        judge.most("p90_ms_max", self.p90_ms_max, latency(run.latency_ms.p90));
        judge.most("p99_ms_max", self.p99_ms_max, latency(run.latency_ms.p99));
        let read = (run.statements.reads > 0).then_some(run.statements.read_mean_ms);
        judge.most("read_mean_ms_max", self.read_mean_ms_max, read);
        let beyond = run.by_interaction.values().filter(|i| !i.within_limit).count();
        let wanted = self.within_limits.filter(|wanted| *wanted).map(|_| 0.0);
        judge.most("within_limits", wanted, (!run.by_interaction.is_empty()).then_some(beyond as f64));
        judge.least("mix_p_min", self.mix_p_min, run.mix_p);
        self.compliance(&run.compliance, judge);
        let early = self.sessions_ended_early_max.map(number);
        judge.most("sessions_ended_early_max", early, run.sessions_ended_early.map(number));
    }

    fn compliance(&self, found: &Compliance, judge: &mut Judge) {
        let p = |test: Option<&Test>| test.and_then(|test| test.p);
        judge.least("transitions_p_min", self.transitions_p_min, p(found.transitions.as_ref()));
        // What was drawn and what was slept: both have to fit.
        let think = found.think_time.as_ref();
        let think =
            p(think.map(|t| &t.slept)).zip(p(think.map(|t| &t.drawn))).map(|(slept, drawn)| slept.min(drawn));
        judge.least("think_time_p_min", self.think_time_p_min, think);
        let planned = found.session_length.as_ref().map(|lengths| &lengths.planned);
        judge.least("session_length_p_min", self.session_length_p_min, p(planned));
        let wanted = self.within_scaling.filter(|wanted| *wanted).map(|_| 1.0);
        let within = found.scaling.as_ref().map(|scaling| f64::from(u8::from(scaling.within)));
        judge.least("within_scaling", wanted, within);
    }

    fn events(&self, run: &Summary, judge: &mut Judge) {
        let count = |kind: &str| Some(run.events.iter().filter(|e| e.kind == kind).count() as f64);
        judge.least("faults_min", self.faults_min.map(number), count("fault_injected"));
        judge.least("scale_outs_min", self.scale_outs_min.map(number), count("scale_out_done"));
        judge.least("scale_ins_min", self.scale_ins_min.map(number), count("scale_in_done"));
        judge.least("promotions_min", self.promotions_min.map(number), count("promoted"));
        judge.most("unavailable_ms_max", self.unavailable_ms_max, worst(run, |e| e.unavailable_ms));
        judge.most("writable_ms_max", self.writable_ms_max, worst(run, |e| e.writable_ms));
        let all = |_: &EventSummary| true;
        let recovered = |figure| events::slowest(run, all, figure);
        judge.most("recovered_90_ms_max", self.recovered_90_ms_max, recovered(|e| e.recovered_90_ms));
        judge.most("recovered_99_ms_max", self.recovered_99_ms_max, recovered(|e| e.recovered_99_ms));
        judge.most("dip_pct_max", self.dip_pct_max, worst(run, |e| e.dip_pct));
        let lost = run.events.iter().filter_map(|e| e.interactions_lost).sum();
        judge.most("interactions_lost_max", self.interactions_lost_max, Some(lost));
        self.event.iter().for_each(|(kind, limits)| limits.evaluate(kind, run, judge));
    }

    fn audit(&self, run: &Summary, judge: &mut Judge) {
        let found = run.audit.as_ref();
        for (name, limit, value) in [
            ("lost_orders_max", self.lost_orders_max, found.map(|a| a.lost)),
            ("duplicated_orders_max", self.duplicated_orders_max, found.map(|a| a.duplicated)),
            ("phantom_orders_max", self.phantom_orders_max, found.map(|a| a.phantom)),
            ("conditions_failed_max", self.conditions_failed_max, found.map(|a| a.conditions_failed)),
            ("replicas_diverged_max", self.replicas_diverged_max, found.map(|a| a.replicas_diverged)),
            ("unreachable_nodes_max", self.unreachable_nodes_max, found.map(|a| a.unreachable.len() as u64)),
        ] {
            // Without an audit only what was asked for can fail; the validity tells that none was done.
            let limit = limit.or(found.map(|_| 0));
            judge.most(name, limit.map(number), value.map(number));
        }
        let stale = found.map(|a| number(a.stale_reads));
        judge.most("stale_reads_max", self.stale_reads_max.map(number), stale);
    }
}

/// The greatest figure of any event; 0 when events were followed and none has it, unknown when none was followed.
fn worst(run: &Summary, figure: impl Fn(&EventSummary) -> Option<f64>) -> Option<f64> {
    let followed = run.events.iter().any(|e| e.followed_s.is_some());
    run.events.iter().filter_map(figure).reduce(f64::max).or(followed.then_some(0.0))
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}

#[derive(Default)]
struct Judge {
    results: Vec<ThresholdResult>,
}

impl Judge {
    fn most(&mut self, name: &str, limit: Option<f64>, value: Option<f64>) {
        self.add(name, limit, value, |value, limit| value <= limit);
    }

    fn least(&mut self, name: &str, limit: Option<f64>, value: Option<f64>) {
        self.add(name, limit, value, |value, limit| value >= limit);
    }

    fn add(&mut self, name: &str, limit: Option<f64>, value: Option<f64>, keeps: fn(f64, f64) -> bool) {
        if let Some(limit) = limit {
            let held = value.is_some_and(|value| keeps(value, limit));
            self.results.push(ThresholdResult { name: name.to_owned(), limit, value, held });
        }
    }
}

#[cfg(test)]
mod tests;
