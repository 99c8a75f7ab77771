//! How far a replica is behind, in time: for how long the primary is known to have had something that it lacks.
//!
//! The primary's position is remembered at each of its probes. A replica that lacks a transaction is behind at least
//! since the first probe that saw it; the figure is therefore at most one probe interval too low, and never too high.
//! This needs no clock on the nodes and no heartbeat writes, and an idle cluster has a lag of 0.

use std::collections::VecDeque;
use std::time::Duration;

use cluster::replication::gtid::GtidPosition;
use tokio::time::Instant;

/// Positions remembered: at a probe every 250 ms, the last 17 minutes.
const KEPT: usize = 4096;

/// The primary's recent past.
#[derive(Debug, Default)]
pub struct PrimaryPast {
    seen: VecDeque<(Instant, GtidPosition)>,
}

impl PrimaryPast {
    /// The primary stood at `position` at `at`.
    pub fn saw(&mut self, at: Instant, position: &GtidPosition) {
        if self.seen.back().is_some_and(|(_, last)| last == position) {
            return;
        }
        if self.seen.len() == KEPT {
            self.seen.pop_front();
        }
        self.seen.push_back((at, position.clone()));
    }

    /// Another node is the primary now.
    pub fn forget(&mut self) {
        self.seen.clear();
    }

    /// Where the primary was last seen to stand.
    pub fn tip(&self) -> Option<&GtidPosition> {
        self.seen.back().map(|(_, position)| position)
    }

    /// For how long a node at `applied` has been behind; `None` while nothing is known of a primary.
    pub fn lag(&self, now: Instant, applied: &GtidPosition) -> Option<Duration> {
        self.seen.back()?;
        // Positions only grow, so those which the node has not reached are a tail.
        let reached = self.seen.partition_point(|(_, position)| applied.covers(position));
        Some(
            self.seen.get(reached).map_or(Duration::ZERO, |(since, _)| now.saturating_duration_since(*since)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_counts_from_the_first_probe_that_saw_what_is_missing() {
        let mut past = PrimaryPast::default();
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let position = |n: u64| format!("0-1-{n}").parse::<GtidPosition>().unwrap();
        assert_eq!(past.lag(start, &position(5)), None);
        for (ms, n) in [(0, 10), (250, 20), (500, 20), (750, 30)] {
            past.saw(at(ms), &position(n));
        }
        for (applied, lag_ms) in [(30, 0), (35, 0), (29, 250), (20, 250), (19, 750), (9, 1000)] {
            assert_eq!(
                past.lag(at(1000), &position(applied)),
                Some(Duration::from_millis(lag_ms)),
                "{applied}"
            );
        }
        past.forget();
        assert_eq!(past.lag(at(1000), &position(1)), None);
    }
}
