//! Latencies over time: the load cut into columns of some seconds, each with a coarse histogram on a log scale. Bands, heat
//! maps, small multiples and sparklines are drawn from it, however long the run was: its size does not grow with the run.

use std::collections::BTreeMap;

use crate::record::{TAG_ERROR, TAG_LATE, TAG_READ, TAG_SERVICE, TAG_WRITE};

/// Columns at most.
const COLUMNS: u32 = 240;
/// Cells in a decade: neighbours differ by 6 %.
pub const PER_DECADE: usize = 40;
/// Lower end of the first cell in ms; what is faster is put there.
const LOWEST_MS: f64 = 0.01;
/// Cells: nine decades, up to some hours.
const CELLS: usize = 9 * PER_DECADE;

/// Latencies of one column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// By cell; nothing as long as nothing was added.
    counts: Vec<u64>,
    total: u64,
    max_us: u64,
}

impl Column {
    fn add(&mut self, us: u64, count: u64) {
        self.counts.resize(CELLS, 0);
        self.counts[cell_of(us)] += count;
        self.total += count;
        self.max_us = self.max_us.max(us);
    }

    /// Takes in another column.
    pub fn merge(&mut self, other: &Self) {
        if other.total > 0 {
            self.counts.resize(CELLS, 0);
            self.counts.iter_mut().zip(&other.counts).for_each(|(mine, theirs)| *mine += theirs);
            self.total += other.total;
            self.max_us = self.max_us.max(other.max_us);
        }
    }

    /// How many values there are.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The greatest value in ms; nothing of nothing.
    pub fn max_ms(&self) -> Option<f64> {
        (self.total > 0).then(|| crate::folder::ms(self.max_us))
    }

    /// A quantile in ms, to some per cent: even within its cell, and never beyond the greatest value.
    pub fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        let wanted = quantile.clamp(0.0, 1.0) * self.total as f64;
        let mut below = 0.0;
        for (cell, &count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let share = (wanted - below) / count as f64;
            below += count as f64;
            if below >= wanted {
                let place = cell as f64 + share.clamp(0.0, 1.0);
                return Some(at_place(place).min(crate::folder::ms(self.max_us)));
            }
        }
        None
    }

    /// Cells that hold something: their lower and upper end in ms and their count. `together` neighbours are told as one.
    pub fn cells(&self, together: usize) -> impl Iterator<Item = (f64, f64, u64)> {
        let all = self.counts.chunks(together.max(1)).enumerate();
        all.map(move |(at, counts)| {
            let ends = [at, at + 1].map(|end| at_place((end * together.max(1)) as f64));
            (ends[0], ends[1], counts.iter().sum())
        })
        .filter(|(_, _, count)| *count > 0)
    }
}

/// The cell of a value.
#[expect(clippy::cast_sign_loss, reason = "kept from 0 up")]
fn cell_of(us: u64) -> usize {
    let place = (crate::folder::ms(us).max(LOWEST_MS) / LOWEST_MS).log10() * PER_DECADE as f64;
    (place.floor().max(0.0) as usize).min(CELLS - 1)
}

/// The value at a place among the cells, in ms.
fn at_place(place: f64) -> f64 {
    LOWEST_MS * 10_f64.powf(place / PER_DECADE as f64)
}

/// The whole load in columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    width_s: u32,
    /// Interactions that ended well, all together.
    pub all: Vec<Column>,
    /// The same by interaction.
    pub by_interaction: BTreeMap<String, Vec<Column>>,
    /// Tries that failed.
    pub failed: Vec<Column>,
}

impl Spread {
    /// Empty columns for a load of so many seconds.
    pub fn new(load_s: u32) -> Self {
        let width_s = load_s.div_ceil(COLUMNS).max(1);
        let columns = vec![Column::default(); load_s.div_ceil(width_s) as usize];
        Self { width_s, all: columns.clone(), by_interaction: BTreeMap::new(), failed: columns }
    }

    /// How long a column is, in seconds.
    pub fn width_s(&self) -> u32 {
        self.width_s.max(1)
    }

    /// The middle of a column in seconds since the start of the load.
    pub fn middle(&self, column: usize) -> f64 {
        (column as f64 + 0.5) * f64::from(self.width_s())
    }

    /// Adds values in µs with their counts to a second. Statements and the generator's own lateness are no part of it.
    pub fn add(&mut self, second: u32, tag: &str, recorded: &[(u64, u64)]) {
        let at = (second / self.width_s()) as usize;
        if at >= self.all.len() || [TAG_READ, TAG_WRITE, TAG_SERVICE, TAG_LATE].contains(&tag) {
            return;
        }
        if tag == TAG_ERROR {
            recorded.iter().for_each(|(us, count)| self.failed[at].add(*us, *count));
            return;
        }
        let columns = self.all.len();
        if !self.by_interaction.contains_key(tag) {
            self.by_interaction.insert(tag.to_owned(), vec![Column::default(); columns]);
        }
        let own = self.by_interaction.get_mut(tag).expect("just inserted");
        for (us, count) in recorded {
            own[at].add(*us, *count);
            self.all[at].add(*us, *count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_the_width_of_a_cell() {
        let mut column = Column::default();
        (1..=10_000).for_each(|us| column.add(us * 100, 1));
        for (quantile, ms) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0)] {
            let found = column.quantile_ms(quantile).expect("values");
            assert!((found / ms - 1.0).abs() < 0.03, "{quantile}: {found}");
        }
        assert_eq!((column.quantile_ms(1.0), column.max_ms()), (Some(1000.0), Some(1000.0)));
        assert_eq!((Column::default().quantile_ms(0.5), Column::default().max_ms()), (None, None));
    }

    #[test]
    fn a_long_load_has_wide_columns_and_loses_nothing() {
        let mut spread = Spread::new(3_601);
        assert_eq!((spread.width_s(), spread.all.len()), (16, 226));
        for second in 0..3_700 {
            spread.add(second, "home", &[(1_000, 2)]);
            spread.add(second, TAG_ERROR, &[(5, 1)]);
            spread.add(second, TAG_READ, &[(5, 9)]);
        }
        let total = |columns: &[Column]| columns.iter().map(Column::total).sum::<u64>();
        // Up to the end of the last column.
        assert_eq!((total(&spread.all), total(&spread.failed)), (2 * 3_616, 3_616));
        assert_eq!(spread.by_interaction["home"], spread.all);
    }

    #[test]
    fn cells_tell_all_values_whatever_they_are() {
        let mut column = Column::default();
        for us in [0, 9, 10_000, u64::MAX] {
            column.add(us, 3);
        }
        let cells: Vec<(f64, f64, u64)> = column.cells(5).collect();
        assert_eq!(cells.iter().map(|cell| cell.2).sum::<u64>(), 12);
        assert!(cells.iter().any(|(low, high, _)| *low <= 10.0 && 10.0 < *high), "{cells:?}");
    }

    #[test]
    fn merged_columns_are_the_columns_of_both() {
        let (mut one, mut other, mut both) = (Column::default(), Column::default(), Column::default());
        for us in 1..200 {
            if us % 3 == 0 {
                one.add(us, 1)
            } else {
                other.add(us, 1)
            }
            both.add(us, 1);
        }
        one.merge(&other);
        one.merge(&Column::default());
        assert_eq!(one, both);
    }
}
