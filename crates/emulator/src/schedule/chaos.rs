//! Faults drawn from the run's seed: which, when, for how long and on whom.
//!
//! One fault at a time, each healed before the next: what is promised holds for the loss of any one node. Kinds are dealt
//! from a shuffled pack, so that each comes up once before any comes up again.

use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use super::event::{Event, EventAction};
use crate::fault::BALANCER;
use crate::seed::{self, Life, Purpose};
use crate::span::Span;
use crate::think::unit;

/// The `[load.chaos]` table of a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Chaos {
    /// No fault before this second of the load.
    pub from: f64,
    /// No fault that would be healed after this second; the end of the load when it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<f64>,
    /// How long a fault lasts: drawn evenly between the two.
    pub lasting: [Span; 2],
    /// Between the healing of one and the next: drawn evenly between the two.
    pub calm: [Span; 2],
    /// What may be drawn; all that there is unless given.
    pub kinds: Vec<EventAction>,
    /// On whom: each as likely, `primary`, `replica` or a node's name. What only a replica can suffer strikes a replica.
    pub nodes: Vec<String>,
}

impl Default for Chaos {
    fn default() -> Self {
        Self {
            from: 5.0,
            until: None,
            lasting: [Span::secs(1), Span::secs(5)],
            calm: [Span::secs(3), Span::secs(6)],
            kinds: EventAction::FAULTS.to_vec(),
            nodes: vec!["primary".into(), "replica".into()],
        }
    }
}

impl Chaos {
    /// Checks what types alone cannot; each line names key, value and what is allowed.
    pub(crate) fn check(&self, wrong: &mut Vec<String>) {
        for (key, [least, most]) in [("lasting", self.lasting), ("calm", self.calm)] {
            if least > most || most.0.is_zero() {
                wrong.push(format!(
                    "chaos: {key} = [\"{least}\", \"{most}\"]: allowed is a shorter and a longer one"
                ));
            }
        }
        if self.from.is_nan() || self.from < 0.0 {
            wrong.push(format!("chaos: from = {}: allowed is 0 or more", self.from));
        }
        let faults = EventAction::FAULTS.map(EventAction::name).join(", ");
        if self.kinds.is_empty() || !self.kinds.iter().all(|kind| EventAction::FAULTS.contains(kind)) {
            wrong.push(format!("chaos: kinds: allowed is at least one of {faults}"));
        }
        if self.nodes.is_empty() || self.nodes.iter().any(|node| node == "last") {
            wrong.push(
                "chaos: nodes: allowed is at least one of \"primary\", \"replica\" and names of nodes".into(),
            );
        }
    }

    /// The events of a run with this seed and so many seconds of load. The same seed gives the same events.
    pub fn events(&self, run_seed: u64, seconds: f64) -> Vec<Event> {
        let end = self.until.unwrap_or(seconds).min(seconds);
        let mut draw = Draw(seed::stream(run_seed, Life { browser: 0, life: 0 }, Purpose::Chaos));
        let (mut events, mut pack, mut at) = (Vec::new(), Vec::new(), self.from);
        loop {
            if pack.is_empty() {
                pack = draw.shuffled(&self.kinds);
            }
            let Some(action) = pack.pop() else { return events };
            // All that a fault needs is drawn, needed or not: no draw shifts the next one's.
            let (lasting, calm) = (draw.between(self.lasting), draw.between(self.calm));
            let (node, with) = (draw.node(&self.nodes, action), draw.with(action));
            if at + lasting > end {
                return events;
            }
            events.push(Event {
                at: millis(at),
                action,
                node: Some(node),
                with,
                heal_after: Some(millis(lasting)),
            });
            at += lasting + calm;
        }
    }
}

/// To the millisecond, as people read it.
fn millis(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

struct Draw(Xoshiro256PlusPlus);

impl Draw {
    fn between(&mut self, [least, most]: [Span; 2]) -> f64 {
        let (least, most) = (least.0.as_secs_f64(), most.0.as_secs_f64());
        least + (most - least) * unit(&mut self.0)
    }

    fn index(&mut self, length: usize) -> usize {
        ((unit(&mut self.0) * length as f64) as usize).min(length.saturating_sub(1))
    }

    /// Fisher and Yates.
    fn shuffled<T: Clone>(&mut self, items: &[T]) -> Vec<T> {
        let mut pack = items.to_vec();
        for last in (1..pack.len()).rev() {
            let other = self.index(last + 1);
            pack.swap(last, other);
        }
        pack
    }

    fn node(&mut self, nodes: &[String], action: EventAction) -> String {
        let drawn = nodes[self.index(nodes.len())].clone();
        match action {
            EventAction::StopReplication | EventAction::DelayReplication => "replica".to_owned(),
            // Commits go to the primary alone.
            EventAction::CutCommit => "primary".to_owned(),
            EventAction::KillBalancer => BALANCER.to_owned(),
            _ => drawn,
        }
    }

    /// The words that follow a fault.
    fn with(&mut self, action: EventAction) -> Option<String> {
        let (first, second) = (self.index(1000), self.index(1000));
        match action {
            EventAction::Slow => Some(format!("{}", 5 + first % 45)),
            EventAction::Cut => Some(format!("{}", 100 + first * 20)),
            EventAction::CutCommit => Some(format!("{}", 1 + first % 5)),
            EventAction::Delay => Some(format!("{}ms {}ms", 5 + first % 95, second % 50)),
            EventAction::Bandwidth => Some(format!("{}", 50_000 + first * 200)),
            EventAction::Partition => {
                let (from, way) =
                    (["all", "balancer", "nodes"][first % 3], ["both", "in", "out"][second % 3]);
                Some(format!("{from} {way}"))
            }
            EventAction::DelayReplication => Some(format!("{}", 1 + first % 3)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_faults_each_time_and_another_one_others() {
        let chaos = Chaos::default();
        let events = chaos.events(7, 200.0);
        assert_eq!(events, chaos.events(7, 200.0));
        assert_ne!(events, chaos.events(8, 200.0));
        assert!(events.len() >= EventAction::FAULTS.len(), "{} faults", events.len());
        for (kind, event) in EventAction::FAULTS.iter().zip(&events) {
            let pack = &events[..EventAction::FAULTS.len()];
            assert!(pack.iter().any(|event| event.action == *kind), "{kind:?} comes up in the first pack");
            assert!(event.request().is_ok(), "{event:?}");
        }
    }

    #[test]
    fn faults_come_one_at_a_time_and_within_their_stretch() {
        for seed in 0..50 {
            let chaos = Chaos { from: 10.0, until: Some(90.0), ..Chaos::default() };
            let events = chaos.events(seed, 100.0);
            assert_eq!(events[0].at, 10.0);
            for (one, next) in events.iter().zip(&events[1..]) {
                let healed = one.at + one.heal_after.expect("healed");
                assert!((2.99..=6.01).contains(&(next.at - healed)), "seed {seed}: {one:?} {next:?}");
            }
            assert!(events.iter().all(|event| event.at + event.heal_after.expect("healed") <= 90.001));
        }
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let wrong = |text: &str| {
            let mut wrong = Vec::new();
            toml::from_str::<Chaos>(text).expect(text).check(&mut wrong);
            wrong.join("; ")
        };
        assert_eq!(wrong(""), "");
        assert!(wrong("lasting = ['5s', '1s']").contains("a shorter and a longer one"));
        assert!(wrong("kinds = ['scale_out']").contains("kill, stop"));
        assert!(wrong("nodes = []").contains("primary"));
    }
}
