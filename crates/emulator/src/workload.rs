//! The load of a workload: the `[load]` table of its file as types, refused when it makes no sense.

use std::time::Duration;

use bookstore::mix::Mix;
use serde::{Deserialize, Serialize};

use crate::load::Arrivals;
use crate::schedule::{Chaos, Event, Level, Phase, PhaseKind, Plan};
use crate::span::Span;
use crate::think::{SPEC_VISIT, ThinkTime};

/// The most browsers that a run may have.
pub const MOST_SESSIONS: u32 = 100_000;
/// The longest load, in seconds: a week.
const LONGEST_LOAD: u64 = 7 * 24 * 3600;
/// The most threads for browsers.
const MOST_WORKERS: u32 = 256;
/// The peak of an open load's plan, whose levels are millionths of the rate.
pub(crate) const FULL_RATE: u32 = 1_000_000;

/// What browsers do, how many there are, and what happens meanwhile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Which pages are visited how often: `browsing`, `shopping` or `ordering`.
    #[serde(default = "default_mix")]
    pub mix: Mix,
    /// The greatest number of browsers at once, 1 to 100,000.
    pub sessions: u32,
    /// Visitors arrive by themselves, however slowly the shop answers: an open load. Left out, the load is closed: so many
    /// browsers, each asking when it has thought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<Arrivals>,
    /// Connections that all browsers share, 1 to 100,000, each taken for one page; left out, every browser has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    /// Mean time between two pages of a browser.
    #[serde(default)]
    pub think_time: ThinkTime,
    /// Mean of a visit's least length; a visit ends, and the next begins with a new connection and perhaps another
    /// customer, when it has passed and the next page is home. The specification's is 15 min.
    #[serde(default = "default_visit")]
    pub visit_length: Span,
    /// Stretches of the load, in order.
    #[serde(rename = "phase")]
    pub phases: Vec<Phase>,
    /// What to ask the cluster for, and when.
    #[serde(rename = "event", default)]
    pub events: Vec<Event>,
    /// Faults drawn from the seed, besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chaos: Option<Chaos>,
    /// What browsers do after a failure.
    #[serde(default)]
    pub retry: Retry,
    /// How long a statement may take before its connection is thrown away.
    #[serde(default = "default_statement_timeout")]
    pub statement_timeout: Span,
    /// How long a connection may take to be made, login included.
    #[serde(default = "default_connect_timeout")]
    pub connect_timeout: Span,
    /// End the load when so many interactions have ended well, even before its last phase is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_after: Option<u64>,
    /// Which limits the response times are held against.
    #[serde(default)]
    pub limits: Limits,
    /// Threads for browsers; half of the cores, at least one, when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
}

/// What a browser does after a failure: it waits, each time longer, and asks for the same page again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// The first wait, before jitter.
    pub first: Span,
    /// No wait is longer, before jitter.
    pub most: Span,
    /// Each wait is so many times the one before, 1 to 10.
    pub factor: f64,
    /// Each wait is drawn evenly from this share of itself below and above it, 0 to 1, so that browsers do not come back in
    /// step.
    pub jitter: f64,
    /// A page that is *refused* (an error of no other class) so many times is given up: waiting would not help.
    pub refusals: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self { first: Span::millis(50), most: Span::secs(2), factor: 2.0, jitter: 0.5, refusals: 3 }
    }
}

impl Retry {
    /// The wait before try number `tries + 1`, drawn with `unit` uniform in [0, 1).
    pub fn wait(&self, tries: u32, unit: f64) -> Duration {
        let grown = self.first.0.as_secs_f64() * self.factor.powi(tries.saturating_sub(1).min(64) as i32);
        let wait = grown.min(self.most.0.as_secs_f64());
        Duration::from_secs_f64(wait * (1.0 + self.jitter * (2.0 * unit - 1.0)))
    }
}

/// Limits for the 90th percentile of each interaction's response time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limits {
    /// The specification's, version 1.8: 3 s for most pages, up to 20 s for admin confirm.
    #[default]
    Spec,
    /// A tenth of the specification's, for servers of today.
    Tenth,
}

impl Limits {
    /// The share of the specification's limits.
    pub fn share(self) -> f64 {
        match self {
            Self::Spec => 1.0,
            Self::Tenth => 0.1,
        }
    }
}

fn default_mix() -> Mix {
    Mix::Shopping
}

fn default_visit() -> Span {
    Span(SPEC_VISIT)
}

fn default_statement_timeout() -> Span {
    Span::secs(10)
}

fn default_connect_timeout() -> Span {
    Span::secs(5)
}

impl Workload {
    /// Checks what types alone cannot. Each line of the answer names key, value and what is allowed.
    ///
    /// # Errors
    /// All that is wrong, at least one line.
    pub fn check(&self) -> Result<(), Vec<String>> {
        let mut wrong = Vec::new();
        self.check_sizes(&mut wrong);
        self.check_arrivals(&mut wrong);
        self.check_retry(&mut wrong);
        self.check_phases(&mut wrong);
        self.check_events(&mut wrong);
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn check_sizes(&self, wrong: &mut Vec<String>) {
        if !(1..=MOST_SESSIONS).contains(&self.sessions) {
            wrong.push(format!("sessions = {}: allowed is 1 to {MOST_SESSIONS}", self.sessions));
        }
        if self.stop_after == Some(0) {
            wrong.push("stop_after = 0: allowed is 1 or more, or leave the key out".into());
        }
        if self.workers.is_some_and(|workers| !(1..=MOST_WORKERS).contains(&workers)) {
            wrong.push(format!(
                "workers = {}: allowed is 1 to {MOST_WORKERS}",
                self.workers.unwrap_or_default()
            ));
        }
        if let Some(connections) = self.connections.filter(|count| !(1..=MOST_SESSIONS).contains(count)) {
            wrong.push(format!("connections = {connections}: allowed is 1 to {MOST_SESSIONS}"));
        }
        for (key, span) in
            [("statement_timeout", self.statement_timeout), ("connect_timeout", self.connect_timeout)]
        {
            if span.0 < Duration::from_millis(10) {
                wrong.push(format!("{key} = \"{span}\": allowed is 10ms or more"));
            }
        }
    }

    fn check_arrivals(&self, wrong: &mut Vec<String>) {
        let Some(arrivals) = self.arrivals else { return };
        if let Err(message) = arrivals.check() {
            wrong.push(message);
        }
        for (number, phase) in self.phases.iter().enumerate() {
            if let Level::Count(count) = phase.sessions {
                wrong.push(format!(
                    "phase {} ({:?}): sessions = {count}: in an open load a phase has a share of the peak rate, such as \
                     \"25%\"",
                    number + 1,
                    phase.name
                ));
            }
        }
    }

    fn check_retry(&self, wrong: &mut Vec<String>) {
        let retry = &self.retry;
        if !(1.0..=10.0).contains(&retry.factor) {
            wrong.push(format!("retry.factor = {}: allowed is 1 to 10", retry.factor));
        }
        if !(0.0..=1.0).contains(&retry.jitter) {
            wrong.push(format!("retry.jitter = {}: allowed is 0 to 1", retry.jitter));
        }
        if retry.first.0 < Duration::from_millis(1) || retry.first > retry.most {
            wrong.push(format!(
                "retry.first = \"{}\": allowed is 1ms to retry.most ({})",
                retry.first, retry.most
            ));
        }
        if retry.refusals == 0 {
            wrong.push("retry.refusals = 0: allowed is 1 or more".into());
        }
    }

    fn check_phases(&self, wrong: &mut Vec<String>) {
        if !self.phases.iter().any(|phase| phase.kind == PhaseKind::Measure) {
            wrong.push("phase: at least one needs kind = \"measure\"".into());
        }
        for (number, phase) in self.phases.iter().enumerate() {
            let key = format!("phase {} ({:?})", number + 1, phase.name);
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_ ".contains(c);
            if phase.name.is_empty() || !phase.name.chars().all(plain) {
                wrong.push(format!("{key}: name: allowed are letters, digits, spaces, - and _"));
            }
            if phase.seconds == 0 {
                wrong.push(format!("{key}: seconds = 0: allowed is 1 or more"));
            }
            if phase.ramp_seconds > phase.seconds {
                wrong.push(format!(
                    "{key}: ramp_seconds = {}: allowed is 0 to the phase's seconds ({})",
                    phase.ramp_seconds, phase.seconds
                ));
            }
        }
        let seconds: u64 = self.phases.iter().map(|phase| u64::from(phase.seconds)).sum();
        if seconds > LONGEST_LOAD {
            wrong.push(format!("phase: {seconds} seconds in all: allowed is up to {LONGEST_LOAD} (a week)"));
        }
    }

    fn check_events(&self, wrong: &mut Vec<String>) {
        let end: f64 = self.phases.iter().map(|phase| f64::from(phase.seconds)).sum();
        for (number, event) in self.events.iter().enumerate() {
            let key = format!("event {} ({})", number + 1, event.action.name());
            if !(0.0..=end).contains(&event.at) {
                wrong.push(format!("{key}: at = {}: allowed is 0 to the end of the load ({end})", event.at));
            }
            if let Err(message) = event.request() {
                wrong.push(format!("{key}: node: {message}"));
            }
        }
        if let Some(chaos) = &self.chaos {
            chaos.check(wrong);
        }
    }

    /// All that the cluster is asked for in a run with this seed, by its time.
    pub fn schedule(&self, seed: u64) -> Vec<Event> {
        let drawn = self.chaos.iter().flat_map(|chaos| chaos.events(seed, f64::from(self.seconds())));
        let mut events: Vec<Event> = self.events.iter().cloned().chain(drawn).collect();
        events.sort_by(|a, b| a.at.total_cmp(&b.at));
        events
    }

    /// The phases laid out in time: numbers of browsers, or millionths of the rate in an open load.
    pub fn plan(&self) -> Plan {
        let peak = if self.arrivals.is_some() { FULL_RATE } else { self.sessions };
        Plan::new(self.phases.clone(), peak)
    }

    /// A level of [`Workload::plan`] in words.
    pub fn level_words(&self, level: u32) -> String {
        match self.arrivals {
            Some(arrivals) => {
                let rate = arrivals.rate * f64::from(level) / f64::from(FULL_RATE);
                format!("{} interactions a second", (rate * 100.0).round() / 100.0)
            }
            None => format!("{level} browsers"),
        }
    }

    /// The length of the load in seconds.
    pub fn seconds(&self) -> u32 {
        self.plan().seconds()
    }

    /// Makes the load about `seconds` long: every phase, ramp and event time in the same proportion, no phase below a second.
    pub fn stretch(&mut self, seconds: u32) {
        let factor = f64::from(seconds) / f64::from(self.seconds().max(1));
        for phase in &mut self.phases {
            phase.seconds = ((f64::from(phase.seconds) * factor).round() as u32).max(1);
            phase.ramp_seconds = ((f64::from(phase.ramp_seconds) * factor).round() as u32).min(phase.seconds);
        }
        let end = f64::from(self.seconds());
        for event in &mut self.events {
            event.at = (event.at * factor).min(end);
            event.heal_after = event.heal_after.map(|after| after * factor);
        }
        if let Some(chaos) = &mut self.chaos {
            chaos.from = (chaos.from * factor).min(end);
            chaos.until = chaos.until.map(|until| (until * factor).min(end));
        }
    }

    /// Threads for browsers on a machine with so many cores.
    pub fn workers_on(&self, cores: usize) -> usize {
        let wanted = self.workers.map_or(cores / 2, |workers| workers as usize);
        let most = self.connections.unwrap_or(self.sessions).min(self.sessions);
        wanted.clamp(1, most.max(1) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{EventAction, Level};

    const SMALL: &str = r#"
        mix = "ordering"
        sessions = 60
        think_time = "500ms"
        [[phase]]
        name = "warm"
        kind = "warmup"
        seconds = 5
        sessions = 10
        [[phase]]
        name = "peak"
        kind = "measure"
        seconds = 20
        ramp_seconds = 10
        [[event]]
        at = 8
        action = "kill"
        node = "replica"
    "#;

    fn small() -> Workload {
        toml::from_str(SMALL).expect("the sample is a workload")
    }

    #[test]
    fn a_workload_is_read_with_its_defaults_and_written_as_the_same() {
        let read = small();
        assert_eq!(read.check(), Ok(()));
        assert_eq!(read.mix, Mix::Ordering);
        assert_eq!(read.phases[1].sessions, Level::Share(1.0));
        assert_eq!(read.visit_length, Span(SPEC_VISIT));
        let written = toml::to_string(&read).expect("serialises");
        assert_eq!(toml::from_str::<Workload>(&written), Ok(read));
    }

    #[test]
    fn misspelt_keys_are_refused_with_their_place() {
        let message = toml::from_str::<Workload>("sessions = 1\nphase = []\nthink_tiem = '1s'")
            .expect_err("misspelt")
            .to_string();
        assert!(message.contains("think_tiem") && message.contains("line 3"), "{message}");
    }

    #[test]
    fn every_bad_value_is_named_with_what_is_allowed() {
        type Break = fn(&mut Workload);
        let open = |rate| Some(Arrivals { rate, ..Arrivals::default() });
        assert_eq!(open(0.5).map(|arrivals| arrivals.check()), Some(Ok(())));
        let cases: [(&str, Break); 18] = [
            ("sessions = 0", |w| w.sessions = 0),
            ("sessions = 100001", |w| w.sessions = 100_001),
            ("stop_after = 0", |w| w.stop_after = Some(0)),
            ("workers = 0", |w| w.workers = Some(0)),
            ("connections = 0", |w| w.connections = Some(0)),
            ("arrivals.rate = 0", |w| w.arrivals = Some(Arrivals { rate: 0.0, ..Arrivals::default() })),
            ("arrivals.rate = NaN", |w| {
                w.arrivals = Some(Arrivals { rate: f64::NAN, ..Arrivals::default() });
            }),
            ("share of the peak rate", |w| w.arrivals = Some(Arrivals::default())),
            ("statement_timeout = \"0s\"", |w| w.statement_timeout = Span::default()),
            ("retry.factor = 0.5", |w| w.retry.factor = 0.5),
            ("retry.jitter = 2", |w| w.retry.jitter = 2.0),
            ("retry.first", |w| w.retry.first = Span::secs(9)),
            ("retry.refusals", |w| w.retry.refusals = 0),
            ("kind = \"measure\"", |w| w.phases.truncate(1)),
            ("seconds = 0", |w| w.phases[0].seconds = 0),
            ("ramp_seconds = 21", |w| w.phases[1].ramp_seconds = 21),
            ("at = 26", |w| w.events[0].at = 26.0),
            ("kill needs a node", |w| w.events[0].node = None),
        ];
        for (expected, spoil) in cases {
            let mut workload = small();
            spoil(&mut workload);
            let wrong = workload.check().expect_err(expected);
            assert!(wrong.iter().any(|line| line.contains(expected)), "{expected}: {wrong:?}");
        }
    }

    #[test]
    fn stretching_keeps_proportions() {
        let mut workload = small();
        workload.stretch(50);
        assert_eq!((workload.phases[0].seconds, workload.phases[1].seconds), (10, 40));
        assert_eq!(workload.phases[1].ramp_seconds, 20);
        assert_eq!(workload.events[0].at, 16.0);
        assert_eq!(workload.events[0].action, EventAction::Kill);
        workload.stretch(2);
        assert_eq!(workload.check(), Ok(()), "no phase falls below a second");
    }

    #[test]
    fn waits_grow_to_a_bound_and_are_spread() {
        let retry = Retry::default();
        let middle: Vec<u128> = (1..=8).map(|tries| retry.wait(tries, 0.5).as_millis()).collect();
        assert_eq!(middle, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(retry.wait(1, 0.0), Duration::from_millis(25));
        assert!(retry.wait(100, 0.999) < Duration::from_secs(3));
    }
}
