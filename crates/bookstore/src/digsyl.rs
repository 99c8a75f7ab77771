//! DigSyl: a number spelt in syllables (`docs/tpcw.md`, 3.2). User names, words of titles and of authors' names are made
//! of it, so that a browser can name rows that it has never seen.

/// The syllable of each digit. None holds a digit, so a number can also be spelt by replacing one digit after the other.
pub const SYLLABLES: [&str; 10] = ["BA", "OG", "AL", "RI", "RE", "SE", "AT", "UL", "IN", "NG"];

/// `number` in decimal, padded with zeros on the left to `digits` digits (0: no padding), each digit as its syllable.
pub fn digsyl(number: u32, digits: usize) -> String {
    let mut word = String::with_capacity(2 * digits.max(10));
    push_digsyl(&mut word, number, digits);
    word
}

/// The same, appended to `word`; allocates only what `word` lacks.
pub fn push_digsyl(word: &mut String, number: u32, digits: usize) {
    word.extend(syllables(number, digits));
}

/// The same, syllable by syllable.
pub fn syllables(number: u32, digits: usize) -> impl Iterator<Item = &'static str> {
    let written = number.checked_ilog10().map_or(1, |log| log + 1);
    let padding = digits.saturating_sub(written as usize);
    let own = (0..written).rev().map(move |place| SYLLABLES[(number / 10_u32.pow(place) % 10) as usize]);
    std::iter::repeat_n(SYLLABLES[0], padding).chain(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_the_generators_own_test_values() {
        let cases = [
            (1972, 0, "OGNGULAL"),
            (1972, 6, "BABAOGNGULAL"),
            (1972, 2, "OGNGULAL"),
            (0, 0, "BA"),
            (0, 3, "BABABA"),
            (7, 7, "BABABABABABAUL"),
            (1_234_567_890, 0, "OGALRIRESEATULINNGBA"),
            (u32::MAX, 12, "BABAREALNGRENGATULALNGSE"),
        ];
        for (number, digits, word) in cases {
            assert_eq!(digsyl(number, digits), word, "{number} in {digits} digits");
        }
    }
}
