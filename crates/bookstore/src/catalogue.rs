//! The lists that are the same in every shop: subjects and countries from the crate's data files, and the short lists of
//! words that columns are chosen from (`docs/tpcw.md`, 3.3 and 3.5).

use std::sync::LazyLock;

/// The 24 subjects of books.
pub static SUBJECTS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| second_column(include_str!("../data/subjects.csv"), 24));

/// The names of the 92 countries; a country's id is its place here plus one.
pub static COUNTRIES: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| second_column(include_str!("../data/countries.csv"), 92));

/// Kinds of card.
pub const CARD_TYPES: [&str; 5] = ["VISA", "MASTERCARD", "DISCOVER", "AMEX", "DINERS"];

/// Ways to ship.
pub const SHIP_TYPES: [&str; 6] = ["AIR", "UPS", "FEDEX", "SHIP", "COURIER", "MAIL"];

/// The second field of each row. The files are ours: neither quotes nor commas within fields, ids from 1 without gaps.
fn second_column(text: &'static str, rows: usize) -> Vec<&'static str> {
    let column: Vec<_> = text
        .lines()
        .skip(1)
        .enumerate()
        .map(|(at, line)| {
            let mut fields = line.split(',');
            assert_eq!(
                fields.next(),
                Some((at + 1).to_string().as_str()),
                "data file: ids run from 1: {line}"
            );
            fields.next().expect("data file: a second field")
        })
        .collect();
    assert_eq!(column.len(), rows, "data file: number of rows");
    column
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn lists_are_whole_and_without_repetition() {
        assert_eq!(SUBJECTS.iter().collect::<HashSet<_>>().len(), 24);
        assert_eq!(COUNTRIES.iter().collect::<HashSet<_>>().len(), 92);
        assert_eq!((COUNTRIES[0], SUBJECTS[23]), ("United States", "TRAVEL"));
    }
}
