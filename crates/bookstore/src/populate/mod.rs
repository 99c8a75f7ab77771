//! The initial rows (`docs/tpcw.md`, 3): a pure function of items, browsers and seed.
//!
//! Each table is cut into chunks of a fixed number of rows, each with a random stream of its own, so the same input gives
//! the same bytes on any machine, in any order and with any number of threads. A chunk is written as tab-separated lines
//! for LOAD DATA, without a line in memory more than once.
//!
//! Chosen where `docs/tpcw.md` leaves it open: `i_srp` from 1.00 to 9999.99, `i_cost` down to half of it in steps of
//! 0.01, `a_dob` up to 1990, `o_total` with the 3.00 of shipping, `ol_discount` up to 0.30, dates relative to the fixed
//! day [`text::TODAY`].

mod address;
mod author;
mod country;
mod customer;
mod item;
mod order;
pub mod random;
pub mod text;

use crate::scale::Scale;
use crate::schema::Table;
use random::Random;

/// All initial rows of a shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Population {
    /// How many of what.
    pub scale: Scale,
    /// What the random streams derive from.
    pub seed: u64,
}

impl Population {
    /// The columns in which a table's lines are written. The others have defaults.
    pub fn columns(table: Table) -> &'static str {
        match table {
            Table::Country => country::COLUMNS,
            Table::Author => author::COLUMNS,
            Table::Item => item::COLUMNS,
            Table::Address => address::COLUMNS,
            Table::Customer => customer::COLUMNS,
            Table::Orders => order::COLUMNS,
            Table::OrderLine => order::LINE_COLUMNS,
            Table::CcXacts => order::CARD_COLUMNS,
            Table::ShoppingCart | Table::ShoppingCartLine | Table::Stock => "",
        }
    }

    /// How many chunks a table has.
    pub fn chunks(&self, table: Table) -> u32 {
        self.units(table).div_ceil(Self::units_a_chunk(table))
    }

    /// How many rows a table has.
    pub fn rows(&self, table: Table) -> u64 {
        match table {
            Table::OrderLine => (1..=self.scale.orders()).map(|id| order::lines(self.seed, id)).sum(),
            _ => u64::from(self.units(table)),
        }
    }

    /// Appends the lines of chunk `chunk` (from 0) of a table; how many there are.
    pub fn write_chunk(&self, table: Table, chunk: u32, out: &mut Vec<u8>) -> u64 {
        let first = chunk * Self::units_a_chunk(table) + 1;
        let last = self.units(table).min(first.saturating_add(Self::units_a_chunk(table) - 1));
        let mut part = Part { population: *self, chunk, random: self.stream(table, chunk), out };
        match table {
            Table::Country => country::write(&mut part),
            Table::Author => (first..=last).for_each(|id| author::write(&mut part, id)),
            Table::Item => (first..=last).for_each(|id| item::write(&mut part, id)),
            Table::Address => (first..=last).for_each(|id| address::write(&mut part, id)),
            Table::Customer => (first..=last).for_each(|id| customer::write(&mut part, id)),
            Table::Orders => order::write(&mut part, first..=last),
            Table::OrderLine => return (first..=last).map(|id| order::write_lines(&mut part, id)).sum(),
            Table::CcXacts => order::write_cards(&mut part, first..=last),
            Table::ShoppingCart | Table::ShoppingCartLine | Table::Stock => return 0,
        }
        u64::from(last + 1 - first)
    }

    fn stream(&self, table: Table, chunk: u32) -> Random {
        Random::new(self.seed, table as u64, u64::from(chunk))
    }

    /// What a table's chunks count: its rows, or for the order lines the orders that they belong to.
    fn units(&self, table: Table) -> u32 {
        match table {
            Table::Country => country::all().len() as u32,
            Table::Author => self.scale.authors(),
            Table::Item => self.scale.items,
            Table::Address => self.scale.addresses(),
            Table::Customer => self.scale.customers(),
            Table::Orders | Table::OrderLine | Table::CcXacts => self.scale.orders(),
            Table::ShoppingCart | Table::ShoppingCartLine | Table::Stock => 0,
        }
    }

    /// Chunks are two to four megabytes: one transaction each when they are loaded, which a replica applies in a
    /// fraction of a second. Orders and their cards go in step, since a card repeats its order's total.
    fn units_a_chunk(table: Table) -> u32 {
        match table {
            Table::Country => u32::MAX,
            Table::Author | Table::Item => 4096,
            Table::Customer | Table::OrderLine => 8192,
            _ => 16_384,
        }
    }
}

/// What the writers of lines share: one chunk under way.
struct Part<'a> {
    population: Population,
    chunk: u32,
    random: Random,
    out: &'a mut Vec<u8>,
}

impl Part<'_> {
    fn scale(&self) -> Scale {
        self.population.scale
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn tab(&mut self) {
        self.out.push(b'\t');
    }

    /// Ends a line.
    fn end(&mut self) {
        self.out.push(b'\n');
    }

    fn number(&mut self, value: u32) {
        text::number(self.out, u64::from(value));
        self.tab();
    }

    /// A number uniform over `first..=last`.
    fn between(&mut self, first: u64, last: u64) {
        let value = self.random.between(first, last);
        text::number(self.out, value);
        self.tab();
    }

    /// An id uniform over 1..=`count`.
    fn id(&mut self, count: u32) {
        self.between(1, u64::from(count));
    }

    fn hundredths(&mut self, value: u64) {
        text::hundredths(self.out, value);
        self.tab();
    }

    fn date(&mut self, day: i64) {
        text::date(self.out, day);
        self.tab();
    }

    fn midnight(&mut self, day: i64) {
        text::midnight(self.out, day);
        self.tab();
    }

    fn a_string(&mut self, shortest: u64, longest: u64) {
        self.random.a_string(self.out, shortest, longest);
        self.tab();
    }

    fn n_string(&mut self, shortest: u64, longest: u64) {
        self.random.n_string(self.out, shortest, longest);
        self.tab();
    }

    fn pick(&mut self, list: &[&str]) {
        let word = self.random.pick(list);
        self.text(word);
        self.tab();
    }
}
