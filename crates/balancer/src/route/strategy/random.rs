//! By lot.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

use super::Nodes;

/// A place drawn evenly.
pub fn pick(random: &mut Xoshiro256PlusPlus, nodes: Nodes<'_, '_>) -> usize {
    ((u128::from(random.next_u64()) * nodes.len() as u128) >> 64) as usize
}
