//! The load of a workload: the `[load]` table of its file as types, refused when it makes no sense.

use std::time::Duration;

use bookstore::mix::Mix;
use serde::{Deserialize, Serialize};

use crate::load::Arrivals;
use crate::schedule::warm_up::LEAST as SHORTEST;
use crate::schedule::{Chaos, Event, Level, Phase, PhaseKind, Plan, Until};
use crate::span::Span;
use crate::think::{SPEC_VISIT, ThinkTime};

/// The most browsers that a run may have.
pub const MOST_SESSIONS: u32 = 100_000;
/// The longest load, in seconds: a week.
const LONGEST_LOAD: u64 = 7 * 24 * 3600;
/// The longest warm-up that can be told on the command line, in seconds: a day.
const MOST_WARM_UP: u32 = 24 * 3600;
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

/// How long a warm-up lasts, as told on the command line: `steady`, or a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarmUpLength {
    /// Until the load is steady: at least as long as the workload says, at most ten times as long (2 min where that is less).
    Steady,
    /// So many seconds.
    Told(u32),
}

impl std::str::FromStr for WarmUpLength {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "steady" {
            return Ok(Self::Steady);
        }
        let seconds: Option<u32> = text.strip_suffix('s').unwrap_or(text).parse().ok();
        seconds
            .filter(|seconds| (1..=MOST_WARM_UP).contains(seconds))
            .map(Self::Told)
            .ok_or_else(|| format!("allowed is `steady` or 1 to {MOST_WARM_UP} seconds"))
    }
}

/// What makes no sense of a phase without a fixed length.
fn check_open_end(phase: &Phase, key: &str, wrong: &mut Vec<String>) {
    let shortest = phase.ramp_seconds.saturating_add(SHORTEST);
    match phase.until {
        None if phase.least_seconds > 0 => {
            wrong.push(format!("{key}: least_seconds = {}: allowed together with until = \"steady\"", phase.least_seconds));
        }
        Some(_) if phase.kind != PhaseKind::Warmup => {
            wrong.push(format!("{key}: until = \"steady\": allowed in a phase of kind = \"warmup\""));
        }
        Some(_) if phase.seconds < shortest => wrong.push(format!(
            "{key}: seconds = {}: allowed with until = \"steady\" is {shortest} or more: its ramp, and {SHORTEST} s in which a \
             steady load is known",
            phase.seconds
        )),
        Some(_) if phase.least_seconds > phase.seconds => wrong.push(format!(
            "{key}: least_seconds = {}: allowed is 0 to the phase's seconds ({})",
            phase.least_seconds, phase.seconds
        )),
        _ => {}
    }
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
            check_open_end(phase, &key, wrong);
        }
        if self.phases.iter().filter(|phase| phase.until.is_some()).count() > 1 {
            wrong.push("phase: until: allowed is one warm-up that ends by itself".into());
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
            if let Some((start, end)) =
                self.open_end().filter(|(start, end)| (*start..*end).contains(&event.at))
            {
                wrong.push(format!(
                    "{key}: at = {}: lies in a warm-up that ends when the load is steady, which it would not be; allowed is up \
                     to {start} and from {end} on (it comes as much earlier as that warm-up ends)",
                    event.at
                ));
            }
        }
        if let Some(chaos) = &self.chaos {
            chaos.check(wrong);
            if let Some((_, end)) = self.open_end().filter(|(_, end)| chaos.from < *end) {
                wrong.push(format!(
                    "chaos: from = {}: allowed is {end} or more, where the warm-up that ends when the load is steady is over",
                    chaos.from
                ));
            }
        }
    }

    /// From when to when a warm-up without a fixed length may last, in seconds of the load.
    fn open_end(&self) -> Option<(f64, f64)> {
        self.plan().open_ended().map(|(start, most, _)| (f64::from(start), f64::from(most)))
    }

    /// Gives the first warm-up another length; what comes after it moves along, and what happens in it stays in it. One is put
    /// before all phases where there is none.
    pub fn set_warm_up(&mut self, warm_up: WarmUpLength) {
        let first =
            self.phases.iter().position(|phase| phase.kind == PhaseKind::Warmup).unwrap_or_else(|| {
                let (name, kind, sessions) = ("warm-up".to_owned(), PhaseKind::Warmup, self.first_level());
                let none = Phase {
                    name,
                    kind,
                    seconds: 0,
                    until: None,
                    least_seconds: 0,
                    sessions,
                    ramp_seconds: 0,
                };
                self.phases.insert(0, none);
                0
            });
        let old_end = self.plan().spans().nth(first).map_or(0, |(_, end, _)| end);
        let phase = &mut self.phases[first];
        let told = phase.seconds;
        match warm_up {
            WarmUpLength::Told(seconds) => {
                (phase.seconds, phase.until, phase.least_seconds) = (seconds, None, 0);
            }
            WarmUpLength::Steady if phase.until.is_none() => {
                phase.until = Some(Until::Steady);
                phase.least_seconds = told;
                phase.seconds = (told * 10).max(phase.ramp_seconds + 3 * SHORTEST);
            }
            WarmUpLength::Steady => {}
        }
        phase.ramp_seconds = phase.ramp_seconds.min(phase.seconds);
        let by = f64::from(phase.seconds) - f64::from(told);
        self.move_by(f64::from(old_end), by);
    }

    /// Browsers of the first phase.
    fn first_level(&self) -> Level {
        self.phases.first().map_or_else(Level::default, |phase| phase.sessions)
    }

    /// Moves all that happens from a second on.
    fn move_by(&mut self, from: f64, by: f64) {
        let moved = |at: f64| if at >= from { at + by } else { at.min(from + by.min(0.0)) };
        for event in &mut self.events {
            event.at = moved(event.at);
        }
        if let Some(chaos) = &mut self.chaos {
            chaos.from = moved(chaos.from);
            chaos.until = chaos.until.map(moved);
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

    /// Makes the load about `seconds` long: every phase, ramp and event time in the same proportion, no phase below a second. A
    /// warm-up that becomes too short to be found steady lasts as long as it may.
    pub fn stretch(&mut self, seconds: u32) {
        let factor = f64::from(seconds) / f64::from(self.seconds().max(1));
        for phase in &mut self.phases {
            phase.seconds = ((f64::from(phase.seconds) * factor).round() as u32).max(1);
            phase.ramp_seconds = ((f64::from(phase.ramp_seconds) * factor).round() as u32).min(phase.seconds);
            phase.least_seconds =
                ((f64::from(phase.least_seconds) * factor).round() as u32).min(phase.seconds);
            if phase.seconds < phase.ramp_seconds + SHORTEST {
                (phase.until, phase.least_seconds) = (None, 0);
            }
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
        let cases: [(&str, Break); 26] = [
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
            ("kind = \"warmup\"", |w| w.phases[1].until = Some(Until::Steady)),
            ("seconds = 39: allowed with until", |w| open_end(w, 39, 0)),
            ("least_seconds = 101: allowed is 0", |w| open_end(w, 100, 101)),
            ("least_seconds = 1: allowed together", |w| w.phases[1].least_seconds = 1),
            ("lies in a warm-up", |w| open_end(w, 60, 0)),
            ("from 60 on", |w| open_end(w, 60, 0)),
            ("one warm-up that ends", |w| {
                open_end(w, 60, 0);
                w.phases.push(w.phases[0].clone());
            }),
            ("chaos: from = 5: allowed is 60", |w| {
                open_end(w, 60, 0);
                w.chaos = Some(Chaos::default());
            }),
        ];
        for (expected, spoil) in cases {
            let mut workload = small();
            spoil(&mut workload);
            let wrong = workload.check().expect_err(expected);
            assert!(wrong.iter().any(|line| line.contains(expected)), "{expected}: {wrong:?}");
        }
    }

    fn open_end(workload: &mut Workload, seconds: u32, least_seconds: u32) {
        let phase = &mut workload.phases[0];
        (phase.until, phase.seconds, phase.least_seconds) = (Some(Until::Steady), seconds, least_seconds);
    }

    #[test]
    fn a_warm_up_of_another_length_moves_what_comes_after_it() {
        let mut workload = small();
        workload.set_warm_up(WarmUpLength::Told(30));
        assert_eq!((workload.phases[0].seconds, workload.events[0].at), (30, 33.0));
        workload.set_warm_up(WarmUpLength::Steady);
        let warm = &workload.phases[0];
        assert_eq!((warm.until, warm.least_seconds, warm.seconds), (Some(Until::Steady), 30, 300));
        assert_eq!((workload.events[0].at, workload.check()), (303.0, Ok(())));
        let known = workload.clone();
        workload.set_warm_up(WarmUpLength::Steady);
        assert_eq!(workload, known, "it is so already");
        workload.set_warm_up(WarmUpLength::Told(5));
        assert_eq!(workload, small());
        workload.phases.remove(0);
        workload.events[0].at = 3.0;
        workload.set_warm_up(WarmUpLength::Told(7));
        assert_eq!((workload.phases[0].seconds, workload.phases[0].kind), (7, PhaseKind::Warmup));
        assert_eq!((workload.events[0].at, workload.check()), (10.0, Ok(())));
        for (text, length) in [
            ("steady", Ok(WarmUpLength::Steady)),
            ("60", Ok(WarmUpLength::Told(60))),
            ("60s", Ok(WarmUpLength::Told(60))),
        ] {
            assert_eq!(text.parse(), length);
        }
        for text in ["", "0", "-1", "soon", "1.5", "90000"] {
            assert!(text.parse::<WarmUpLength>().expect_err(text).contains("`steady`"));
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
        let mut open = small();
        open_end(&mut open, 100, 50);
        open.events.clear();
        open.stretch(60);
        assert_eq!((open.phases[0].until, open.phases[0].least_seconds), (Some(Until::Steady), 25));
        open.stretch(20);
        assert_eq!((open.phases[0].until, open.check()), (None, Ok(())), "too short to be found steady");
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
