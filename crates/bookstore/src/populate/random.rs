//! The population's random source and the distributions drawn from it. All arithmetic is here, so that no upgrade of a
//! library can shift what a seed yields; the generator is Xoshiro256++ as published by its authors.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// The 89 characters of an a-string (`docs/tpcw.md`, 3.2). None of them needs escaping in a tab-separated line.
const ALPHABET: &[u8; 89] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 !@#$%^&*()_-=+{}[]|:;,.?/~";

/// All pairs of them: one look-up gives two characters.
static PAIRS: [[u8; 2]; 89 * 89] = pairs();

const fn pairs() -> [[u8; 2]; 89 * 89] {
    let mut pairs = [[0; 2]; 89 * 89];
    let mut index = 0;
    while index < pairs.len() {
        pairs[index] = [ALPHABET[index / 89], ALPHABET[index % 89]];
        index += 1;
    }
    pairs
}

/// One stream of random numbers.
#[derive(Clone, Debug)]
pub struct Random(Xoshiro256PlusPlus);

impl Random {
    /// The stream of one part (`index`) of one kind of thing (`stream`) under a seed. Streams are unrelated.
    pub fn new(seed: u64, stream: u64, index: u64) -> Self {
        let mut state = mix(mix(mix(seed) ^ stream) ^ index);
        let mut bytes = [0; 32];
        for word in bytes.chunks_exact_mut(8) {
            word.copy_from_slice(&split_mix(&mut state).to_le_bytes());
        }
        Self(Xoshiro256PlusPlus::from_seed(bytes))
    }

    /// Uniform over 0..`bound`, without bias (Lemire's multiplication, rejecting the surplus). `bound` must not be 0.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a range of no numbers");
        let mut product = u128::from(self.0.next_u64()) * u128::from(bound);
        if (product as u64) < bound {
            let surplus = bound.wrapping_neg() % bound;
            while (product as u64) < surplus {
                product = u128::from(self.0.next_u64()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }

    /// Uniform over `first..=last`.
    #[inline]
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// Uniform over an id of 1..=`count`.
    #[inline]
    pub fn id(&mut self, count: u32) -> u32 {
        self.between(1, u64::from(count)) as u32
    }

    /// One of a list.
    #[inline]
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }

    /// Whether something with a chance of one in `count` happens.
    #[inline]
    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// An a-string of `shortest` to `longest` characters, appended.
    #[inline]
    pub fn a_string(&mut self, out: &mut Vec<u8>, shortest: u64, longest: u64) {
        let length = self.between(shortest, longest) as usize;
        let end = out.len() + length;
        let start = out.len();
        // One character more where the length is odd, cut off below.
        out.resize(start + length.next_multiple_of(2), 0);
        let mut bits = 0_u64;
        let mut pieces = 0;
        for slot in out[start..].chunks_exact_mut(2) {
            // Thirteen bits name a pair; the 3 % of numbers beyond the pairs are drawn again.
            let pair = loop {
                if pieces == 0 {
                    bits = self.0.next_u64();
                    pieces = 4;
                }
                let number = (bits >> 51) as usize;
                bits <<= 13;
                pieces -= 1;
                if let Some(pair) = PAIRS.get(number) {
                    break pair;
                }
            };
            slot.copy_from_slice(pair);
        }
        out.truncate(end);
    }

    /// An n-string of `shortest` to `longest` digits, appended; at most 18.
    #[inline]
    pub fn n_string(&mut self, out: &mut Vec<u8>, shortest: u64, longest: u64) {
        let length = self.between(shortest, longest) as u32;
        let mut number = self.below(10_u64.pow(length));
        let start = out.len();
        out.resize(start + length as usize, b'0');
        for digit in out[start..].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut value = *state;
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

fn mix(value: u64) -> u64 {
    let mut state = value;
    split_mix(&mut state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_mix_gives_its_published_values() {
        let mut state = 1_234_567;
        assert_eq!(split_mix(&mut state), 6_457_827_717_110_365_317);
        assert_eq!(split_mix(&mut state), 3_203_168_211_198_807_973);
    }

    #[test]
    fn the_streams_are_pinned() {
        // A change here means other data under the same seed: raise SCHEMA_VERSION with it.
        let mut random = Random::new(1, 2, 3);
        let drawn: Vec<u64> = (0..4).map(|_| random.below(1000)).collect();
        let mut text = Vec::new();
        random.a_string(&mut text, 11, 11);
        random.n_string(&mut text, 5, 5);
        assert_eq!(
            (drawn, String::from_utf8_lossy(&text).as_ref()),
            (vec![287, 968, 659, 917], "(6xa+4ge2ZS68803")
        );
    }

    #[test]
    fn streams_differ_by_each_of_their_names() {
        let first = |seed, stream, index| Random::new(seed, stream, index).below(u64::MAX);
        let all = [first(1, 1, 1), first(2, 1, 1), first(1, 2, 1), first(1, 1, 2), first(1, 2, 2)];
        for (place, value) in all.iter().enumerate() {
            assert!(!all[place + 1..].contains(value));
        }
    }

    #[test]
    fn ranges_are_filled_evenly_with_both_ends() {
        let mut random = Random::new(7, 0, 0);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[random.between(3, 9) as usize - 3] += 1;
        }
        // Five standard deviations of a binomial with n = 70,000 and p = 1/7.
        assert!(counts.iter().all(|&count| count.abs_diff(10_000) < 463), "{counts:?}");
    }

    #[test]
    fn a_strings_use_all_89_characters_evenly_and_all_lengths() {
        let mut random = Random::new(7, 0, 1);
        let mut counts = [0_u32; 256];
        let mut lengths = [0_u32; 4];
        let mut text = Vec::new();
        for _ in 0..100_000 {
            text.clear();
            random.a_string(&mut text, 7, 10);
            lengths[text.len() - 7] += 1;
            text.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
        }
        let total: u32 = counts.iter().sum();
        let expected = total / 89;
        for byte in 0..=255_u8 {
            let count = counts[usize::from(byte)];
            match ALPHABET.contains(&byte) {
                true => {
                    assert!(count.abs_diff(expected) < 500, "{:?}: {count}, not {expected}", byte as char)
                }
                false => assert_eq!(count, 0),
            }
        }
        assert!(lengths.iter().all(|&count| count.abs_diff(25_000) < 700), "{lengths:?}");
    }
}
