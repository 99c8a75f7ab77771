//! From single observations to a verdict: is the node alive? A pure state machine, one a node.
//!
//! ```text
//! Alive ──refused, broken and not answering at once, or `fall` silences──▶ Dead
//! Dead ──`rise` answers in a row──▶ Alive
//! ```
//!
//! A broken connection is believed after one confirming probe, silence only after `fall` time-outs, and a slow, overloaded
//! or unfriendly node is not a dead one.

use tokio::time::Instant;

/// One probe's outcome, as far as the verdict needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// It answered.
    Answered,
    /// It is there, and too busy or unwilling to answer.
    Busy,
    /// Nobody listens.
    Refused,
    /// A living connection broke; the probe is repeated at once.
    Broken,
    /// Nothing came in time.
    Silent,
}

/// A verdict that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthChange {
    /// Held for dead.
    Down {
        /// What was seen.
        evidence: String,
        /// When the first of it was seen.
        first: Instant,
    },
    /// Held for alive again.
    Up,
}

/// The state of one node's verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Alive { silences: u32, broken: bool, first: Option<Instant> },
    Dead { answers: u32 },
}

/// The judge of one node.
#[derive(Clone, Debug)]
pub struct Judge {
    fall: u32,
    rise: u32,
    state: State,
}

impl Judge {
    /// Begins with a verdict; `fall` and `rise` as in [`crate::config::Health`].
    pub fn new(fall: u32, rise: u32, alive: bool) -> Self {
        let state = if alive { Self::fresh() } else { State::Dead { answers: 0 } };
        Self { fall, rise, state }
    }

    fn fresh() -> State {
        State::Alive { silences: 0, broken: false, first: None }
    }

    /// The present verdict.
    pub fn alive(&self) -> bool {
        matches!(self.state, State::Alive { .. })
    }

    /// Whether the last observation wants a confirming probe at once.
    pub fn doubts(&self) -> bool {
        matches!(self.state, State::Alive { broken: true, .. })
    }

    /// Takes in what a probe that began at `at` has seen.
    pub fn see(&mut self, at: Instant, observation: Observation) -> Option<HealthChange> {
        match &self.state {
            State::Alive { silences, broken, first } => {
                let first = first.unwrap_or(at);
                self.weigh(observation, *silences, *broken, first)
            }
            State::Dead { answers } => {
                let answers = if observation == Observation::Answered { answers + 1 } else { 0 };
                if answers < self.rise {
                    self.state = State::Dead { answers };
                    return None;
                }
                self.state = Self::fresh();
                Some(HealthChange::Up)
            }
        }
    }

    fn weigh(
        &mut self,
        observation: Observation,
        silences: u32,
        broken: bool,
        first: Instant,
    ) -> Option<HealthChange> {
        let evidence = match observation {
            Observation::Answered | Observation::Busy => {
                self.state = Self::fresh();
                return None;
            }
            Observation::Refused if broken => "its connection broke and a new one was refused".to_owned(),
            Observation::Refused => "a connection was refused".to_owned(),
            Observation::Broken if broken => "its connection broke, and a new one too".to_owned(),
            Observation::Silent if broken => "its connection broke and a new one got no answer".to_owned(),
            Observation::Silent if silences + 1 >= self.fall => {
                format!("{} probes in a row without an answer", silences + 1)
            }
            Observation::Silent => {
                self.state = State::Alive { silences: silences + 1, broken: false, first: Some(first) };
                return None;
            }
            Observation::Broken => {
                self.state = State::Alive { silences, broken: true, first: Some(first) };
                return None;
            }
        };
        self.state = State::Dead { answers: 0 };
        Some(HealthChange::Down { evidence, first })
    }
}

#[cfg(test)]
mod tests {
    use super::Observation::*;
    use super::*;

    /// Which of the observations, if any, changes the verdict, from alive, with fall 3 and rise 2.
    fn changes(seen: &[Observation]) -> Vec<(usize, bool)> {
        let mut judge = Judge::new(3, 2, true);
        let now = Instant::now();
        let mut changes = Vec::new();
        for (at, observation) in seen.iter().enumerate() {
            if let Some(change) = judge.see(now, *observation) {
                changes.push((at, change == HealthChange::Up));
                assert_eq!(judge.alive(), change == HealthChange::Up);
            }
        }
        changes
    }

    #[test]
    fn verdicts() {
        type Row = (&'static [Observation], &'static [(usize, bool)]);
        let table: &[Row] = &[
            (&[Answered, Answered], &[]),
            (&[Refused], &[(0, false)]),
            (&[Broken, Answered, Broken, Answered], &[]),
            (&[Broken, Refused], &[(1, false)]),
            (&[Broken, Broken], &[(1, false)]),
            (&[Broken, Silent], &[(1, false)]),
            (&[Broken, Busy, Refused], &[(2, false)]),
            (&[Silent, Silent, Answered, Silent, Silent], &[]),
            (&[Silent, Silent, Silent], &[(2, false)]),
            (&[Silent, Silent, Busy, Silent], &[]),
            (&[Busy, Busy, Busy, Busy, Busy], &[]),
            (&[Refused, Answered, Answered], &[(0, false), (2, true)]),
            (&[Refused, Answered, Silent, Answered, Answered], &[(0, false), (4, true)]),
            (&[Refused, Busy, Busy, Busy], &[(0, false)]),
        ];
        for (seen, expected) in table {
            assert_eq!(changes(seen), *expected, "{seen:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_evidence_is_remembered() {
        let mut judge = Judge::new(3, 2, true);
        let first = Instant::now();
        for _ in 0..2 {
            assert_eq!(judge.see(Instant::now(), Silent), None);
            tokio::time::advance(std::time::Duration::from_secs(1)).await;
        }
        let Some(HealthChange::Down { first: told, .. }) = judge.see(Instant::now(), Silent) else {
            panic!("three silences are a death");
        };
        assert_eq!(told, first);
    }
}
