//! The node with the fewest statements under way for its weight; equals take turns. The weight of a node that is new in
//! service grows to the whole.

use std::sync::atomic::Ordering::Relaxed;

use tokio::time::Instant;

use super::Nodes;

/// The place with the least to do.
pub fn pick(turn: &mut usize, nodes: Nodes<'_, '_>) -> usize {
    *turn = turn.wrapping_add(1);
    let count = nodes.len();
    let load = |place: usize| {
        let node = nodes.at(place);
        // Counting the statement to come keeps weights in force among idle nodes.
        let load =
            (u64::from(node.meter.in_flight.load(Relaxed)) + 1) * 1_000_000 / u64::from(node.weight.max(1));
        match node.meter.warm_up.is_on() {
            false => load,
            true => (load as f64 / node.meter.warm_up.share(Instant::now())) as u64,
        }
    };
    (0..count).map(|step| (*turn + step) % count).min_by_key(|place| load(*place)).unwrap_or(0)
}
