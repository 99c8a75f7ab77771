//! The average latency of reads over the last `window_ms`, from the meters of the serving nodes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use cluster::NodeId;
use tokio::time::Instant;

/// A node's reads so far: how many, and their time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// How many were answered.
    pub count: u64,
    /// What they took together, in microseconds.
    pub sum_us: u64,
}

/// The sliding window.
#[derive(Debug)]
pub struct Window {
    length: Duration,
    /// What was read between two looks, by the time of the later one.
    looks: VecDeque<(Instant, Reads)>,
    before: BTreeMap<NodeId, Reads>,
    began: Instant,
}

/// What the window shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Average {
    /// Reads in it.
    pub reads: u64,
    /// Their mean, in milliseconds; `None` when there was none.
    pub mean_ms: Option<f64>,
    /// How much of its length it covers, 0 to 1.
    pub filled: f64,
}

impl Window {
    /// An empty window.
    pub fn new(length: Duration, now: Instant) -> Self {
        Self { length, looks: VecDeque::new(), before: BTreeMap::new(), began: now }
    }

    /// Another length; what is older is forgotten at the next look.
    pub fn set_length(&mut self, length: Duration) {
        self.length = length;
    }

    /// Begins anew: what was measured before a change of the topology tells nothing about the one after it.
    pub fn clear(&mut self, now: Instant) {
        self.looks.clear();
        self.began = now;
    }

    /// Takes in the counters of all serving nodes. A node counts from the first look at which it is among them.
    pub fn look(&mut self, now: Instant, serving: impl IntoIterator<Item = (NodeId, Reads)>) {
        let serving: BTreeMap<NodeId, Reads> = serving.into_iter().collect();
        let mut between = Reads::default();
        for (id, reads) in &serving {
            if let Some(before) = self.before.get(id) {
                between.count += reads.count.saturating_sub(before.count);
                between.sum_us += reads.sum_us.saturating_sub(before.sum_us);
            }
        }
        self.before = serving;
        self.looks.push_back((now, between));
        while self.looks.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= self.length) {
            self.looks.pop_front();
        }
    }

    /// What it shows.
    pub fn average(&self, now: Instant) -> Average {
        let count: u64 = self.looks.iter().map(|(_, reads)| reads.count).sum();
        let sum_us: u64 = self.looks.iter().map(|(_, reads)| reads.sum_us).sum();
        let mean_ms = (count > 0).then(|| sum_us as f64 / count as f64 / 1e3);
        let covered = now.saturating_duration_since(self.began).as_secs_f64() / self.length.as_secs_f64();
        Average { reads: count, mean_ms, filled: covered.min(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(count: u64, mean_ms: u64) -> Reads {
        Reads { count, sum_us: count * mean_ms * 1000 }
    }

    #[test]
    fn it_averages_over_statements_not_over_nodes_and_forgets_what_is_old() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let mut window = Window::new(Duration::from_secs(10), start);
        window.look(at(0), [("n1".into(), reads(500, 90)), ("n2".into(), reads(0, 0))]);
        assert_eq!(window.average(at(0)), Average { reads: 0, mean_ms: None, filled: 0.0 });
        let later = Reads { count: 530, sum_us: 500 * 90_000 + 30 * 100_000 };
        window.look(at(1), [("n1".into(), later), ("n2".into(), reads(10, 20))]);
        assert_eq!(window.average(at(1)), Average { reads: 40, mean_ms: Some(80.0), filled: 0.1 });
        window.look(at(11), [("n1".into(), later), ("n2".into(), reads(10, 20))]);
        assert_eq!(window.average(at(11)), Average { reads: 0, mean_ms: None, filled: 1.0 });
    }

    #[test]
    fn a_node_that_comes_brings_no_past_with_it() {
        let start = Instant::now();
        let mut window = Window::new(Duration::from_secs(10), start);
        window.look(start, [("n1".into(), reads(1, 1))]);
        window.look(start, [("n1".into(), reads(2, 1)), ("n2".into(), reads(1000, 900))]);
        assert_eq!(window.average(start).mean_ms, Some(1.0));
        window.clear(start);
        assert_eq!(window.average(start).reads, 0);
    }
}
