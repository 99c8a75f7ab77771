//! A session transition table: from a page and a draw to the next page (`docs/tpcw.md`, 4.3).

use crate::interaction::Interaction;

/// The largest draw, and the last bound of every row.
const LAST: u16 = 9999;

/// What is wrong with a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Header or a row's name is not the expected interaction, or there are too many or few of them.
    #[error("line {line}: expected {expected}")]
    Name {
        /// Counted from 1.
        line: usize,
        /// What should stand there.
        expected: String,
    },
    /// A bound is not a number from 1 to 9999, or not above the one before it, or the last one is not 9999.
    #[error("line {line}, {column}: bounds rise from 1 to 9999")]
    Bound {
        /// Counted from 1.
        line: usize,
        /// The interaction of the column.
        column: Interaction,
    },
}

/// For each page the upper bounds of its successors, 0 where there is no way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transitions {
    bounds: [[u16; 14]; 14],
}

impl Transitions {
    /// Reads a table: a header, then a row an interaction, both in the order of [`Interaction::ALL`]; empty cells are
    /// transitions that never happen.
    ///
    /// # Errors
    /// [`TableError`] with the first line that is not sound.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let mut lines = text.lines();
        let header = std::iter::once("current").chain(Interaction::ALL.map(Interaction::name));
        if !lines.next().unwrap_or_default().split(',').eq(header) {
            return Err(TableError::Name { line: 1, expected: "current and the 14 interactions".into() });
        }
        let mut bounds = [[0; 14]; 14];
        for interaction in Interaction::ALL {
            let line = interaction.index() + 2;
            bounds[interaction.index()] = row(interaction, lines.next().unwrap_or_default(), line)?;
        }
        match lines.next() {
            Some(_) => Err(TableError::Name { line: 16, expected: "the end".into() }),
            None => Ok(Self { bounds }),
        }
    }

    /// The page after `current` for a draw uniform in 1..=9999. Draws outside are taken as the nearest bound.
    pub fn next(&self, current: Interaction, draw: u16) -> Interaction {
        let draw = draw.clamp(1, LAST);
        let row = &self.bounds[current.index()];
        let to = row.iter().position(|bound| *bound >= draw).expect("every row was checked to end with 9999");
        Interaction::ALL[to]
    }

    /// The chance of `to` after `from`, 0 to 1.
    pub fn chance(&self, from: Interaction, to: Interaction) -> f64 {
        let row = &self.bounds[from.index()];
        match row[to.index()] {
            0 => 0.0,
            bound => {
                let before = row[..to.index()].iter().copied().max().unwrap_or(0);
                f64::from(bound - before) / f64::from(LAST)
            }
        }
    }

    /// Each page's share in an endless session, by power iteration of the chain made lazy (it stays where it is every
    /// other time), which converges whatever the chain's period.
    pub fn long_run_shares(&self) -> [f64; 14] {
        let mut shares = [1.0 / 14.0; 14];
        for _ in 0..5_000 {
            let mut next = shares.map(|share| share / 2.0);
            for from in Interaction::ALL {
                for to in Interaction::ALL {
                    next[to.index()] += shares[from.index()] * self.chance(from, to) / 2.0;
                }
            }
            shares = next;
        }
        shares
    }
}

fn row(interaction: Interaction, text: &str, line: usize) -> Result<[u16; 14], TableError> {
    let mut fields = text.split(',');
    if fields.next() != Some(interaction.name()) || fields.clone().count() != 14 {
        return Err(TableError::Name { line, expected: format!("{interaction} and 14 bounds") });
    }
    let mut bounds = [0; 14];
    let mut before = 0;
    for (column, field) in Interaction::ALL.into_iter().zip(fields) {
        if field.is_empty() {
            continue;
        }
        match field.parse() {
            Ok(bound) if bound > before && bound <= LAST => before = bound,
            _ => return Err(TableError::Bound { line, column }),
        }
        bounds[column.index()] = before;
    }
    match before {
        LAST => Ok(bounds),
        _ => Err(TableError::Bound { line, column: Interaction::ShoppingCart }),
    }
}

/// A column of a table with a header, then one row an interaction in any order: the numbers by interaction.
pub(super) fn by_interaction(text: &str, column: usize) -> Option<[f64; 14]> {
    let mut values = [None; 14];
    for line in text.lines().skip(1) {
        let fields: Vec<_> = line.split(',').collect();
        let interaction = Interaction::ALL.into_iter().find(|i| Some(&i.name()) == fields.first())?;
        values[interaction.index()] = fields.get(column)?.parse::<f64>().ok();
    }
    values.iter().all(Option::is_some).then(|| values.map(Option::unwrap_or_default))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOPPING: &str = include_str!("../../data/transitions-shopping.csv");

    #[test]
    fn a_draw_up_to_a_bound_takes_its_column() {
        let table = Transitions::parse(SHOPPING).unwrap();
        use Interaction::*;
        for (from, draw, to) in [
            (Home, 1, BestSellers),
            (Home, 3124, BestSellers),
            (Home, 3125, NewProducts),
            (Home, 7026, SearchRequest),
            (Home, 7027, ShoppingCart),
            (Home, 9999, ShoppingCart),
            (AdminRequest, 8999, AdminConfirm),
            (AdminRequest, 9000, Home),
            (ShoppingCart, 9552, Home),
            (ShoppingCart, 9553, ShoppingCart),
            (Home, 0, BestSellers),
            (Home, u16::MAX, ShoppingCart),
        ] {
            assert_eq!(table.next(from, draw), to, "{from} {draw}");
        }
    }

    #[test]
    fn chances_of_a_row_add_up_to_one() {
        let table = Transitions::parse(SHOPPING).unwrap();
        for from in Interaction::ALL {
            let sum: f64 = Interaction::ALL.iter().map(|to| table.chance(from, *to)).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{from}: {sum}");
        }
    }

    #[test]
    fn unsound_tables_are_refused_with_their_line() {
        let broken = |from: &str, to: &str| {
            assert!(SHOPPING.contains(from));
            Transitions::parse(&SHOPPING.replacen(from, to, 1)).unwrap_err()
        };
        assert!(matches!(broken("current,", "now,"), TableError::Name { line: 1, .. }));
        assert!(matches!(broken("home,,,3124", "house,,,3124"), TableError::Name { line: 8, .. }));
        assert!(matches!(broken("9952,,,,,9999", "9952,,,,,9998"), TableError::Bound { line: 2, .. }));
        assert!(matches!(
            broken("3124", "0"),
            TableError::Bound { line: 8, column: Interaction::BestSellers }
        ));
        assert!(matches!(
            broken("6249", "3124"),
            TableError::Bound { line: 8, column: Interaction::NewProducts }
        ));
        assert!(matches!(broken("6249", "many"), TableError::Bound { line: 8, .. }));
        assert!(matches!(
            broken("9999,,\nadmin_request", "9999,\nadmin_request"),
            TableError::Name { line: 2, .. }
        ));
        assert!(Transitions::parse(&format!("{SHOPPING}more")).is_err());
        assert!(Transitions::parse("").is_err());
    }
}
