//! How values are written into a tab-separated line, and the words of titles and names (`docs/tpcw.md`, 3.2 and 3.4).

use super::random::Random;
use crate::digsyl;

/// The day on which every population takes place, 1 January 2026, in days since 1 January 1970. A fixed day: the same
/// seed gives the same bytes whenever it is used.
pub const TODAY: i64 = 20_454;

/// 1 January 1800, 1880 and 1930 and 31 December 1990 in days since 1 January 1970.
pub const DAY_1800: i64 = -62_091;
#[expect(missing_docs, reason = "above")]
pub const DAY_1880: i64 = -32_872;
#[expect(missing_docs, reason = "above")]
pub const DAY_1930: i64 = -14_610;
#[expect(missing_docs, reason = "above")]
pub const DAY_1990_END: i64 = 7_669;

const ADJECTIVES: [&str; 24] = [
    "Silent",
    "Golden",
    "Hidden",
    "Broken",
    "Distant",
    "Early",
    "Final",
    "Gentle",
    "Hollow",
    "Iron",
    "Little",
    "Lost",
    "Narrow",
    "Open",
    "Patient",
    "Quiet",
    "Restless",
    "Secret",
    "Tall",
    "Uncertain",
    "Vast",
    "Wild",
    "Young",
    "Last",
];

const NOUNS: [&str; 32] = [
    "River", "Garden", "Winter", "Machine", "Letter", "Island", "Mirror", "Harbour", "Engine", "Shadow",
    "Village", "Summer", "Orchard", "Stranger", "Mountain", "Window", "Journey", "Science", "Number",
    "Kitchen", "Theatre", "Market", "Bridge", "Ocean", "Lantern", "Teacher", "Promise", "Forest", "Signal",
    "Compass", "Station", "Road",
];

const LINKS: [&str; 10] =
    ["of", "and", "in", "under", "beyond", "without", "for", "from", "against", "before"];

/// DigSyl(`number`, `digits`), appended.
pub fn spell(out: &mut Vec<u8>, number: u32, digits: usize) {
    digsyl::syllables(number, digits).for_each(|syllable| out.extend_from_slice(syllable.as_bytes()));
}

/// A title of 14 to 60 characters: the title word of `number` at a boundary of some English words, in a quarter of
/// the titles joined to the word after it.
pub fn title(out: &mut Vec<u8>, random: &mut Random, number: u32) {
    let mut words = [""; 12];
    let count = english(&mut words, random);
    let joined = count > 0 && random.one_in(4);
    let boundaries = if joined { count } else { count + 1 };
    let place = random.below(boundaries as u64) as usize;
    for (index, word) in words[..count].iter().enumerate() {
        if index == place {
            spell(out, number, 7);
            if !joined {
                out.push(b' ');
            }
        }
        out.extend_from_slice(word.as_bytes());
        if index + 1 < count {
            out.push(b' ');
        }
    }
    if place == count {
        if count > 0 {
            out.push(b' ');
        }
        spell(out, number, 7);
    }
}

/// Fills `words` with adjective, noun, link, adjective, noun, … of up to 45 characters with the spaces between; how
/// many there are.
fn english(words: &mut [&'static str; 12], random: &mut Random) -> usize {
    let room = random.below(46) as usize;
    let mut length = 0;
    let mut count = 0;
    while count < words.len() {
        let word = match count % 3 {
            0 => random.pick(&ADJECTIVES),
            1 => random.pick(&NOUNS),
            _ => random.pick(&LINKS),
        };
        if length + word.len() + usize::from(count > 0) > room {
            break;
        }
        length += word.len() + usize::from(count > 0);
        words[count] = word;
        count += 1;
    }
    count
}

/// An author's last name: the name word of `number`, in a quarter of the names followed by 1 to 6 random characters.
pub fn last_name(out: &mut Vec<u8>, random: &mut Random, number: u32) {
    spell(out, number, 7);
    if random.one_in(4) {
        random.a_string(out, 1, 6);
    }
}

/// A number in decimal.
pub fn number(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    let mut rest = value;
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Hundredths, with two decimals.
pub fn hundredths(out: &mut Vec<u8>, value: u64) {
    number(out, value / 100);
    out.push(b'.');
    two_digits(out, value % 100);
}

/// A day, as `2026-01-01`. Years must have four digits.
pub fn date(out: &mut Vec<u8>, day: i64) {
    let (year, month, day) = civil(day);
    two_digits(out, year / 100);
    two_digits(out, year % 100);
    out.push(b'-');
    two_digits(out, month);
    out.push(b'-');
    two_digits(out, day);
}

/// The first moment of a day.
pub fn midnight(out: &mut Vec<u8>, day: i64) {
    date(out, day);
    out.extend_from_slice(b" 00:00:00");
}

/// A uniform day of `first..=last`.
pub fn day(random: &mut Random, first: i64, last: i64) -> i64 {
    first + random.below((last - first + 1) as u64) as i64
}

/// Year, month and day of the Gregorian calendar (Howard Hinnant's `civil_from_days`).
fn civil(days: i64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as u64, month as u64, day as u64)
}

fn two_digits(out: &mut Vec<u8>, value: u64) {
    out.push(b'0' + (value / 10) as u8);
    out.push(b'0' + (value % 10) as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn days_have_their_dates() {
        for (day, expected) in [
            (TODAY, "2026-01-01"),
            (DAY_1800, "1800-01-01"),
            (DAY_1880, "1880-01-01"),
            (DAY_1930, "1930-01-01"),
            (DAY_1990_END, "1990-12-31"),
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (11_016, "2000-02-29"),
            (19_782, "2024-02-29"),
        ] {
            assert_eq!(written(|out| date(out, day)), expected);
        }
    }

    #[test]
    fn numbers_are_written_in_full() {
        assert_eq!(written(|out| number(out, 0)), "0");
        assert_eq!(written(|out| number(out, u64::MAX)), u64::MAX.to_string());
        assert_eq!(written(|out| hundredths(out, 5)), "0.05");
        assert_eq!(written(|out| hundredths(out, 999_999)), "9999.99");
    }

    #[test]
    fn titles_have_their_word_at_a_boundary_and_their_length() {
        let mut random = Random::new(1, 0, 0);
        let word = written(|out| spell(out, 77, 7));
        let (mut joined, mut shortest, mut longest) = (0, 60, 14);
        for _ in 0..10_000 {
            let title = written(|out| title(out, &mut random, 77));
            let place = title.find(&word).unwrap_or_else(|| panic!("no title word in {title}"));
            assert!(place == 0 || title.as_bytes()[place - 1] == b' ', "{title}");
            assert!(!title.contains("  ") && title.trim() == title, "{title}");
            let after = title.as_bytes().get(place + word.len());
            joined += u32::from(after.is_some_and(|&byte| byte != b' '));
            (shortest, longest) = (shortest.min(title.len()), longest.max(title.len()));
        }
        assert_eq!((shortest, longest), (14, 60));
        assert!((1900..2600).contains(&joined), "{joined}");
    }

    #[test]
    fn last_names_fit_and_begin_with_their_word() {
        let mut random = Random::new(1, 0, 0);
        let mut longer = 0;
        for _ in 0..4000 {
            let name = written(|out| last_name(out, &mut random, 9_999_999));
            assert!(name.starts_with("NGNGNGNGNGNGNG") && name.len() <= 20, "{name}");
            longer += u32::from(name.len() > 14);
        }
        assert!((850..1150).contains(&longer), "{longer}");
    }
}
