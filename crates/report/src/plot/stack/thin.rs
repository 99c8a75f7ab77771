//! A long series in as many columns as a picture has room for, its least and greatest values kept.

use std::collections::BTreeMap;

/// What some seconds of a series have become.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thinned {
    /// The middle of the column, in seconds.
    pub second: f64,
    /// Mean of the values.
    pub mean: f64,
    /// The least.
    pub low: f64,
    /// The greatest.
    pub high: f64,
}

/// A series of values by second in columns of `width_s` seconds; columns without a value are left out.
pub fn thinned(points: impl IntoIterator<Item = (u32, f64)>, width_s: u32) -> Vec<Thinned> {
    let mut columns: BTreeMap<u32, (f64, f64, f64, f64)> = BTreeMap::new();
    for (second, value) in points.into_iter().filter(|(_, value)| value.is_finite()) {
        let column = columns.entry(second / width_s.max(1)).or_insert((0.0, 0.0, value, value));
        *column = (column.0 + 1.0, column.1 + value, column.2.min(value), column.3.max(value));
    }
    let width = f64::from(width_s.max(1));
    let told = |(column, (count, sum, low, high)): (u32, (f64, f64, f64, f64))| Thinned {
        second: (f64::from(column) + 0.5) * width,
        mean: sum / count,
        low,
        high,
    };
    columns.into_iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_keep_the_greatest_and_the_least() {
        let points = (0..10).map(|second| (second, if second == 3 { 90.0 } else { 1.0 }));
        let thin = thinned(points.chain([(40, f64::NAN), (55, 2.0)]), 10);
        let column = |second, mean, low, high| Thinned { second, mean, low, high };
        assert_eq!(thin, [column(5.0, 9.9, 1.0, 90.0), column(55.0, 2.0, 2.0, 2.0)]);
        assert_eq!(thinned([(7, 4.0)], 1), [column(7.5, 4.0, 4.0, 4.0)]);
    }
}
