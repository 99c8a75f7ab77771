//! Of two nodes drawn by lot, the better: its decaying peak of latency, times the statements that it would have under way,
//! over its weight. The peak jumps up with the first slow answer, so a node that stalls is left alone at once; drawing two
//! keeps many threads from all running to the same best node.
//!
//! Source: M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (2001); the peak is Finagle's.

use std::sync::atomic::Ordering::Relaxed;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

use super::{Nodes, random};

/// The better place of two.
pub fn pick(lot: &mut Xoshiro256PlusPlus, nodes: Nodes<'_, '_>) -> usize {
    let first = random::pick(lot, nodes);
    // Any other, each as likely.
    let others = nodes.len() - 1;
    let step = 1 + ((u128::from(lot.next_u64()) * others as u128) >> 64) as usize;
    let second = (first + step) % nodes.len();
    let cost = |place: usize| {
        let node = nodes.at(place);
        let under_way = u64::from(node.meter.in_flight.load(Relaxed)) + 1;
        // A node without a peak is tried.
        node.meter.peak_us.load(Relaxed).saturating_mul(under_way * 1024) / u64::from(node.weight.max(1))
    };
    if cost(second) < cost(first) { second } else { first }
}
