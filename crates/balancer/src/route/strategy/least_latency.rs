//! The node with the lowest decaying average. One read in 32 goes anywhere: it finds out whether a slow node has
//! recovered, and forgives it.

use std::sync::atomic::Ordering::Relaxed;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

use super::{Nodes, random};

const EXPLORE: u64 = 32;

/// The place that has been fastest, or now and then any.
pub fn pick(lot: &mut Xoshiro256PlusPlus, nodes: Nodes<'_, '_>) -> usize {
    if lot.next_u64().is_multiple_of(EXPLORE) {
        return random::pick(lot, nodes);
    }
    // A node without an average is tried by one read at a time.
    let average = |place: &usize| {
        let meter = &nodes.at(*place).meter;
        match (meter.ewma_us.load(Relaxed), meter.in_flight.load(Relaxed)) {
            (0, 0) => 0,
            (0, _) => u64::MAX,
            (known, _) => known,
        }
    };
    (0..nodes.len()).min_by_key(average).unwrap_or(0)
}
