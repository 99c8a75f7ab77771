//! The load of a workload: the `[load]` table of its file as types, refused when it makes no sense.

mod check;
mod length;
mod retry;

use bookstore::mix::Mix;
use serde::{Deserialize, Serialize};

pub use check::MOST_SESSIONS;
pub use length::WarmUpLength;
pub use retry::Retry;

use crate::load::Arrivals;
use crate::schedule::{Chaos, Event, Phase, Plan};
use crate::span::Span;
use crate::think::{SPEC_VISIT, ThinkTime};

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

    /// Threads for browsers on a machine with so many cores.
    pub fn workers_on(&self, cores: usize) -> usize {
        let wanted = self.workers.map_or(cores / 2, |workers| workers as usize);
        let most = self.connections.unwrap_or(self.sessions).min(self.sessions);
        wanted.clamp(1, most.max(1) as usize)
    }
}

/// A small workload for tests.
#[cfg(test)]
mod sample {
    use super::Workload;
    use crate::schedule::Until;

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

    pub(super) fn small() -> Workload {
        toml::from_str(SMALL).expect("the sample is a workload")
    }

    /// Has its warm-up end when the load is steady.
    pub(super) fn open_end(workload: &mut Workload, seconds: u32, least_seconds: u32) {
        let phase = &mut workload.phases[0];
        (phase.until, phase.seconds, phase.least_seconds) = (Some(Until::Steady), seconds, least_seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::sample::small;
    use super::*;
    use crate::schedule::Level;

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
}
