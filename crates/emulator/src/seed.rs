//! One seed a run; from it each browser derives a stream of random numbers for each purpose, so that what one draws never
//! shifts what another gets.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

/// What a stream is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Which page comes next.
    Walk = 1,
    /// What a visitor types and clicks.
    Input = 2,
    /// Think times and the first wait.
    Think = 3,
    /// Lengths of visits.
    Visit = 4,
    /// Jitter of the back-off after failures.
    Retry = 5,
    /// Which faults come when.
    Chaos = 6,
    /// When visitors of an open load arrive, a stream a worker.
    Arrival = 7,
}

/// A browser in one of its lives: it lives again when the load falls below its number and rises above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    pub browser: u32,
    pub life: u32,
}

/// The seed of one browser's stream for one purpose.
pub(crate) fn derive(seed: u64, life: Life, purpose: Purpose) -> u64 {
    let who = u64::from(life.browser) << 32 | u64::from(life.life);
    mix(mix(mix(seed) ^ who) ^ purpose as u64)
}

/// The stream itself.
pub(crate) fn stream(seed: u64, life: Life, purpose: Purpose) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(derive(seed, life, purpose))
}

/// SplitMix64's step: neighbours in, strangers out.
fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_streams_are_alike_and_each_can_be_had_again() {
        let purposes =
            [Purpose::Walk, Purpose::Input, Purpose::Think, Purpose::Visit, Purpose::Retry, Purpose::Arrival];
        let mut seen = HashSet::new();
        for seed in [0, 1, 2, u64::MAX] {
            for browser in 0..500 {
                for purpose in purposes {
                    for life in [0, 1] {
                        let life = Life { browser, life };
                        let derived = derive(seed, life, purpose);
                        assert_eq!(derived, derive(seed, life, purpose));
                        assert!(seen.insert(derived), "seed {seed}, {life:?}, {purpose:?}");
                    }
                }
            }
        }
    }
}
