//! Random changes of an input; the same seed makes the same changes.

/// Bytes that often stand at borders.
const SPECIAL: &[u8] =
    &[0, 1, 7, 8, 9, 0x0A, 0x1F, b'\'', b'"', b'`', b'\\', 0x7F, 0x80, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF];
/// No input grows longer than this by mutation.
const LONGEST: usize = 4096;

/// A generator of random numbers (xorshift64*): quick, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of one input: of a run's seed, a target and the number of the input.
    pub fn of(seed: u64, target: u64, input: u64) -> Self {
        let mut mixed = Self(seed ^ target.rotate_left(48) ^ input.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        mixed.next();
        mixed.next();
        mixed
    }

    /// 64 random bits.
    #[expect(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Below `limit`; 0 for 0.
    pub fn below(&mut self, limit: usize) -> usize {
        ((self.next() >> 32) as usize).checked_rem(limit).unwrap_or(0)
    }
}

/// An input made of one from the corpus: changed up to eight times, or left as it is.
pub fn mutate(corpus: &[Vec<u8>], words: &[&[u8]], random: &mut Random, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&corpus[random.below(corpus.len())]);
    for _ in 0..random.below(9) {
        change(corpus, words, random, out);
    }
    out.truncate(LONGEST);
}

fn change(corpus: &[Vec<u8>], words: &[&[u8]], random: &mut Random, out: &mut Vec<u8>) {
    let at = random.below(out.len() + 1);
    match random.below(9) {
        0 if at < out.len() => out[at] ^= 1 << random.below(8),
        1 if at < out.len() => out[at] = SPECIAL[random.below(SPECIAL.len())],
        2 if at < out.len() => out[at] = random.next() as u8,
        3 => out.truncate(at),
        4 => {
            let end = (at + random.below(16)).min(out.len());
            out.drain(at..end);
        }
        5 => {
            let end = (at + random.below(64)).min(out.len());
            let copy = out[at..end].to_vec();
            let to = random.below(out.len() + 1);
            out.splice(to..to, copy);
        }
        6 => {
            let other = &corpus[random.below(corpus.len())];
            let from = random.below(other.len() + 1);
            out.truncate(at);
            out.extend_from_slice(&other[from..]);
        }
        7 if !words.is_empty() => {
            let word = words[random.below(words.len())];
            out.splice(at..at, word.iter().copied());
        }
        _ => out.insert(at, SPECIAL[random.below(SPECIAL.len())]),
    }
}
