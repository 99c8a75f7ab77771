//! What makes no sense in a workload, told with what is allowed.

use std::time::Duration;

use super::Workload;
use crate::schedule::warm_up::LEAST as SHORTEST;
use crate::schedule::{Level, Phase, PhaseKind};

/// The most browsers that a run may have.
pub const MOST_SESSIONS: u32 = 100_000;
/// The longest load, in seconds: a week.
const LONGEST_LOAD: u64 = 7 * 24 * 3600;
/// The most threads for browsers.
const MOST_WORKERS: u32 = 256;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Arrivals;
    use crate::schedule::{Chaos, Until};
    use crate::span::Span;
    use crate::workload::sample::{open_end, small};

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
}
