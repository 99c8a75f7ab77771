//! The random choices of one visitor, from a stream of their own.
//!
//! The functions are written out here, on raw 64-bit draws, so that an upgrade of a library never shifts what a seed means.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// Letters, digits, the space and the specification's other characters: 89 in all (`docs/tpcw.md`, 3.2).
const CHARACTERS: &[u8; 89] =
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !@#$%^&*()_-=+{}[]|:;,.?/~";

/// A seeded stream of choices. Two with the same seed, asked the same questions, give the same answers.
#[derive(Clone, Debug)]
pub struct Input {
    random: Xoshiro256PlusPlus,
}

impl Input {
    /// A stream; give each session (and each purpose within it) a seed of its own.
    pub fn new(seed: u64) -> Self {
        Self { random: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.random.next_u64()
    }

    /// Uniform over `from..=to`, without bias (draws that would favour small values are thrown away).
    pub fn uniform(&mut self, from: u32, to: u32) -> u32 {
        assert!(from <= to, "an empty range: {from}..={to}");
        let count = u64::from(to - from) + 1;
        let fair = u64::MAX - u64::MAX % count;
        loop {
            let bits = self.bits();
            if bits < fair {
                return from + (bits % count) as u32;
            }
        }
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.uniform(1, 100) <= percent
    }

    /// NURand(a, from, to): not uniform, some values far more likely than others (`docs/tpcw.md`, 3.2). Unlike TPC-C's
    /// there is no added constant.
    pub fn nurand(&mut self, a: u32, from: u32, to: u32) -> u32 {
        let mixed = u64::from(self.uniform(0, a) | self.uniform(from, to));
        from + (mixed % (u64::from(to - from) + 1)) as u32
    }

    /// One of a list, uniformly. `None` from an empty list.
    pub fn one_of<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        let last = u32::try_from(list.len()).ok()?.checked_sub(1)?;
        list.get(self.uniform(0, last) as usize).copied()
    }

    /// Up to `count` distinct places out of `0..of`, in random order.
    pub fn some_of(&mut self, of: usize, count: usize) -> Vec<usize> {
        let mut places: Vec<usize> = (0..of).collect();
        for at in 0..count.min(of) {
            let other = self.uniform(at as u32, of as u32 - 1) as usize;
            places.swap(at, other);
        }
        places.truncate(count);
        places
    }

    /// a-string[from..to]: random length, random characters.
    pub fn a_string(&mut self, from: u32, to: u32) -> String {
        self.text(from, to, CHARACTERS)
    }

    /// n-string[from..to]: the same of digits.
    pub fn n_string(&mut self, from: u32, to: u32) -> String {
        self.text(from, to, b"0123456789")
    }

    fn text(&mut self, from: u32, to: u32, characters: &[u8]) -> String {
        let length = self.uniform(from, to);
        let last = characters.len() as u32 - 1;
        (0..length).map(|_| char::from(characters[self.uniform(0, last) as usize])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn draws_stay_in_range(seed: u64, from in 0_u32..5_000_000, width in 0_u32..5_000_000, a in 0_u32..70_000_000) {
            let mut input = Input::new(seed);
            for _ in 0..50 {
                let to = from + width;
                prop_assert!((from..=to).contains(&input.uniform(from, to)));
                prop_assert!((from..=to).contains(&input.nurand(a, from, to)));
            }
        }

        #[test]
        fn some_of_are_distinct(seed: u64, of in 0_usize..120, count in 0_usize..120) {
            let mut some = Input::new(seed).some_of(of, count);
            some.sort_unstable();
            some.dedup();
            prop_assert_eq!(some.len(), of.min(count));
            prop_assert!(some.iter().all(|place| *place < of));
        }
    }

    #[test]
    fn uniform_reaches_both_ends_evenly() {
        let mut input = Input::new(7);
        let mut counts = [0_u32; 10];
        for _ in 0..100_000 {
            counts[input.uniform(1, 10) as usize - 1] += 1;
        }
        let chi_square: f64 = counts.iter().map(|n| (f64::from(*n) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi_square < 33.7, "9 degrees of freedom, p < 0.0001: {chi_square}");
    }

    /// With A = 2^n - 1 the low n bits before the modulus are an OR of two fair bits: each set in three of four cases.
    #[test]
    fn nurand_prefers_values_with_many_bits() {
        let mut input = Input::new(11);
        let mut set = 0_u32;
        for _ in 0..40_000 {
            set += (input.nurand(1_023, 0, 1_023) & 0x3ff).count_ones();
        }
        let share = f64::from(set) / 400_000.0;
        assert!((share - 0.75).abs() < 0.01, "{share}");
    }

    #[test]
    fn text_has_its_length_and_its_alphabet() {
        let mut input = Input::new(3);
        for _ in 0..200 {
            let text = input.a_string(8, 15);
            assert!(
                (8..=15).contains(&text.len()) && text.bytes().all(|b| CHARACTERS.contains(&b)),
                "{text}"
            );
            assert!(input.n_string(16, 16).bytes().all(|b| b.is_ascii_digit()));
        }
    }

    #[test]
    fn same_seed_same_stream() {
        let draw = |seed| {
            let mut input = Input::new(seed);
            (0..20).map(|_| input.nurand(63, 1, 1_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_eq!(&draw(1)[..4], &[992, 504, 487, 352], "golden: what seed 1 means never changes");
    }
}
