//! In proportion to the weights, smoothly interleaved: each node earns its weight a turn, the richest one pays for all.

use super::Nodes;

/// The place whose node is richest; `credits` are kept by node number.
pub fn pick(credits: &mut Vec<i64>, nodes: Nodes<'_, '_>) -> usize {
    let mut total = 0;
    let mut best = 0;
    for (place, node) in nodes.iter().enumerate() {
        if credits.len() <= node.index {
            credits.resize(node.index + 1, 0);
        }
        let weight = i64::from(node.weight.max(1));
        credits[node.index] += weight;
        total += weight;
        if credits[node.index] > credits[nodes.at(best).index] {
            best = place;
        }
    }
    credits[nodes.at(best).index] -= total;
    best
}
