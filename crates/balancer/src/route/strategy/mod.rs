//! How a read's node is chosen among those that may answer it. One strategy a file, each a pure choice.

mod least_connections;
mod least_latency;
mod lowest_ping;
mod peak_ewma;
mod random;
mod round_robin;
mod weighted;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use tokio::time::Instant;

use crate::view::{NodeView, Strategy};

/// Nodes among which a choice is made. Keeps no more than 32: with more, the first 32 are enough.
#[derive(Debug, Default)]
pub struct Chosen<'a> {
    nodes: [Option<&'a NodeView>; 32],
    count: usize,
}

impl<'a> Chosen<'a> {
    /// Adds one.
    pub fn add(&mut self, node: &'a NodeView) {
        if let Some(place) = self.nodes.get_mut(self.count) {
            *place = Some(node);
            self.count += 1;
        }
    }

    /// All of them.
    pub fn nodes(&self) -> Nodes<'_, 'a> {
        Nodes(&self.nodes[..self.count])
    }
}

/// A borrowed list of nodes.
#[derive(Clone, Copy, Debug)]
pub struct Nodes<'b, 'a>(&'b [Option<&'a NodeView>]);

impl<'a> Nodes<'_, 'a> {
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one at a place below [`Nodes::len`].
    pub fn at(&self, place: usize) -> &'a NodeView {
        self.0[place].expect("places below the count are filled")
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = &'a NodeView> + '_ {
        self.0.iter().flatten().copied()
    }
}

/// What the strategies of one thread remember.
#[derive(Debug)]
pub struct Spread {
    turn: usize,
    credits: Vec<i64>,
    random: Xoshiro256PlusPlus,
}

impl Spread {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        Self {
            turn: seed as usize % 64,
            credits: Vec::new(),
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
        }
    }

    /// Chooses one; `None` of none. A node that warms up gives up a part of what falls to it.
    pub fn pick<'a>(&mut self, strategy: Strategy, nodes: Nodes<'_, 'a>) -> Option<&'a NodeView> {
        let chosen = self.among(strategy, nodes)?;
        // The fewest connections for their weight: there the weight warms up, since whoever gives up a statement for having
        // little to do would be chosen for the next.
        let weighs = strategy == Strategy::LeastConnections;
        if nodes.len() < 2 || weighs || !chosen.meter.warm_up.is_on() {
            return Some(chosen);
        }
        Some(self.beside(strategy, nodes, chosen))
    }

    /// The one that fell to its lot, or one of those that are warm.
    fn beside<'a>(&mut self, strategy: Strategy, nodes: Nodes<'_, 'a>, chosen: &'a NodeView) -> &'a NodeView {
        let share = chosen.meter.warm_up.share(Instant::now());
        // 53 bits fill the fraction of a double.
        if ((self.random.next_u64() >> 11) as f64) < share * (1u64 << 53) as f64 {
            return chosen;
        }
        let mut warm = Chosen::default();
        nodes.iter().filter(|node| !node.meter.warm_up.is_on()).for_each(|node| warm.add(node));
        self.among(strategy, warm.nodes()).unwrap_or(chosen)
    }

    fn among<'a>(&mut self, strategy: Strategy, nodes: Nodes<'_, 'a>) -> Option<&'a NodeView> {
        if nodes.len() < 2 {
            return nodes.iter().next();
        }
        let place = match strategy {
            Strategy::RoundRobin | Strategy::Direct => round_robin::pick(&mut self.turn, nodes),
            Strategy::Random => random::pick(&mut self.random, nodes),
            Strategy::Weighted => weighted::pick(&mut self.credits, nodes),
            Strategy::LeastConnections => least_connections::pick(&mut self.turn, nodes),
            Strategy::LeastLatency => least_latency::pick(&mut self.random, nodes),
            Strategy::PeakEwma => peak_ewma::pick(&mut self.random, nodes),
            Strategy::LowestPing => lowest_ping::pick(nodes),
        };
        Some(nodes.at(place))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering::Relaxed;
    use std::time::Duration;

    use cluster::{NodeId, Role};

    use super::*;
    use crate::telemetry::Meter;
    use crate::view::NodeState;

    /// Serving replicas with these weights.
    pub fn replicas(weights: &[u32]) -> Vec<NodeView> {
        weights
            .iter()
            .enumerate()
            .map(|(index, weight)| NodeView {
                id: NodeId::new(format!("n{}", index + 1)),
                index,
                address: ([127, 0, 0, 1], 1).into(),
                role: Role::Replica,
                state: NodeState::Serving,
                weight: *weight,
                epoch: 1,
                meter: Arc::new(Meter::default()),
            })
            .collect()
    }

    /// Simulates reads: each of 4 at a time takes what its node takes; tells how many each node answered.
    fn shares(strategy: Strategy, nodes: &[NodeView], took_us: &[u64], count: usize) -> Vec<usize> {
        let mut spread = Spread::new(7);
        let mut shares = vec![0; nodes.len()];
        let mut under_way: Vec<(u64, usize)> = Vec::new();
        let mut now = 0;
        for _ in 0..count {
            if under_way.len() == 4 {
                let first = (0..4).min_by_key(|at| under_way[*at].0).unwrap();
                let (end, index) = under_way.swap_remove(first);
                now = end;
                nodes[index].meter.in_flight.fetch_sub(1, Relaxed);
                nodes[index].meter.smooth(Duration::from_micros(took_us[index]));
            }
            let mut chosen = Chosen::default();
            nodes.iter().for_each(|node| chosen.add(node));
            let index = spread.pick(strategy, chosen.nodes()).unwrap().index;
            nodes[index].meter.in_flight.fetch_add(1, Relaxed);
            shares[index] += 1;
            under_way.push((now + took_us[index], index));
        }
        nodes.iter().for_each(|node| node.meter.in_flight.store(0, Relaxed));
        shares
    }

    #[test]
    fn reads_are_spread_as_the_strategy_says() {
        let even = [500, 500, 500];
        for (strategy, weights, low, high) in [
            (Strategy::RoundRobin, [1, 1, 1], [1000, 1000, 1000], [1000, 1000, 1000]),
            (Strategy::Random, [1, 1, 1], [900, 900, 900], [1100, 1100, 1100]),
            (Strategy::Weighted, [1, 2, 3], [500, 1000, 1500], [500, 1000, 1500]),
            (Strategy::LeastConnections, [1, 1, 1], [700, 700, 700], [1300, 1300, 1300]),
            (Strategy::LeastConnections, [1, 1, 2], [500, 500, 1200], [1000, 1000, 1700]),
            (Strategy::LeastLatency, [1, 1, 1], [10, 10, 10], [2980, 2980, 2980]),
            (Strategy::PeakEwma, [1, 1, 1], [800, 800, 800], [1200, 1200, 1200]),
            (Strategy::PeakEwma, [1, 1, 4], [300, 300, 1300], [900, 900, 2200]),
        ] {
            let shares = shares(strategy, &replicas(&weights), &even, 3000);
            assert_eq!(shares.iter().sum::<usize>(), 3000);
            for (at, share) in shares.iter().enumerate() {
                assert!((low[at]..=high[at]).contains(share), "{strategy:?}: {shares:?}");
            }
        }
    }

    #[test]
    fn one_slow_node_gets_less_where_the_strategy_looks() {
        let slow = [500, 500, 10_000];
        for (strategy, least, most) in [
            (Strategy::LeastConnections, 1, 1000),
            (Strategy::LeastLatency, 1, 120),
            // Three pairs can be drawn; the slow one never wins its two.
            (Strategy::PeakEwma, 1, 30),
            // These do not look.
            (Strategy::RoundRobin, 1000, 1000),
            (Strategy::Weighted, 1000, 1000),
            (Strategy::Random, 900, 1100),
        ] {
            let shares = shares(strategy, &replicas(&[1, 1, 1]), &slow, 3000);
            assert!((least..=most).contains(&shares[2]), "{strategy:?}: {shares:?}");
        }
    }

    #[test]
    fn a_node_that_was_slow_is_forgiven() {
        let nodes = replicas(&[1, 1]);
        shares(Strategy::LeastLatency, &nodes, &[500, 10_000], 2000);
        let after = shares(Strategy::LeastLatency, &nodes, &[500, 100], 6000);
        assert!(after[1] > 1500, "{after:?}");
    }

    #[test]
    fn one_slow_answer_is_enough_and_probes_forgive_it() {
        let nodes = replicas(&[1, 1]);
        shares(Strategy::PeakEwma, &nodes, &[500, 500], 1000);
        nodes[1].meter.smooth(Duration::from_millis(50));
        assert_eq!(shares(Strategy::PeakEwma, &nodes, &[500, 500], 1000)[1], 0, "it has stalled once");
        (0..100).for_each(|_| nodes[1].meter.forgive());
        let after = shares(Strategy::PeakEwma, &nodes, &[500, 500], 1000);
        assert!(after[1] > 300, "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_node_gets_its_share_gradually_under_every_strategy() {
        for strategy in Strategy::ALL.into_iter().filter(|s| *s != Strategy::Direct) {
            let nodes = replicas(&[1, 1, 1]);
            // The strategies that look would choose the new one.
            nodes.iter().for_each(|node| node.meter.ping_us.store(100, Relaxed));
            nodes[2].meter.ping_us.store(50, Relaxed);
            let even = [500, 500, 400];
            let whole = shares(strategy, &nodes, &even, 6000)[2] as f64;
            nodes[2].meter.warm_up.begin(Instant::now(), Duration::from_secs(10));
            // With four statements under way, the fewest connections for a weight come in large steps.
            let slack = if strategy == Strategy::LeastConnections { 0.35 } else { 0.15 };
            let mut last = 0.0;
            for (ms, share) in [(0, 0.05), (2_500, 0.25), (2_500, 0.5), (2_500, 0.75), (2_600, 1.0)] {
                tokio::time::advance(Duration::from_millis(ms)).await;
                let got = shares(strategy, &nodes, &even, 6000)[2] as f64 / whole;
                assert!((got - share).abs() < slack, "{strategy:?}: {got} of its share instead of {share}");
                assert!(got > last - 0.1, "{strategy:?}: {got} after {last}");
                last = got;
            }
        }
    }

    #[test]
    fn a_new_node_that_is_alone_gets_all() {
        let nodes = replicas(&[1]);
        nodes[0].meter.warm_up.begin(Instant::now(), Duration::from_secs(1000));
        assert_eq!(shares(Strategy::Random, &nodes, &[500], 100), [100]);
        let two = replicas(&[1, 1]);
        two.iter().for_each(|node| node.meter.warm_up.begin(Instant::now(), Duration::from_secs(1000)));
        assert_eq!(shares(Strategy::RoundRobin, &two, &[500, 500], 100), [50, 50], "all are new");
    }

    #[test]
    fn the_lowest_ping_wins_and_an_unknown_one_does_not() {
        let nodes = replicas(&[1, 1, 1]);
        nodes[0].meter.ping_us.store(300, Relaxed);
        nodes[1].meter.ping_us.store(200, Relaxed);
        assert_eq!(shares(Strategy::LowestPing, &nodes, &[5, 5, 5], 100), [0, 100, 0]);
    }

    #[test]
    fn weights_are_interleaved_smoothly() {
        let nodes = replicas(&[1, 3]);
        let mut spread = Spread::new(1);
        let order: Vec<usize> = (0..8)
            .map(|_| {
                let mut chosen = Chosen::default();
                nodes.iter().for_each(|node| chosen.add(node));
                spread.pick(Strategy::Weighted, chosen.nodes()).unwrap().index
            })
            .collect();
        assert_eq!(order, [1, 0, 1, 1, 1, 0, 1, 1]);
    }
}
