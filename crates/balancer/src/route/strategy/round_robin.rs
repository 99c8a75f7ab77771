//! One after the other.

use super::Nodes;

/// The place whose turn it is.
pub fn pick(turn: &mut usize, nodes: Nodes<'_, '_>) -> usize {
    *turn = turn.wrapping_add(1);
    *turn % nodes.len()
}
