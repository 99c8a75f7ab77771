//! How sure the headline is: intervals that miss with a chance of one in twenty, by a bootstrap over blocks of the measured time.
//! Blocks, because neighbouring seconds are alike; none where the load itself changed, which no interval can tell from chance.

use crate::{
    folder::Folder,
    plot::phases,
    spread::Column,
    statistics::{
        bootstrap::{self, Interval},
        mean,
        random::SplitMix64,
    },
};

/// The chance that an interval misses.
const ALPHA: f64 = 0.05;
/// Resamples for the mean.
const ROUNDS: usize = 1_000;
/// Resamples for percentiles, each of which adds up whole histograms.
const PERCENTILE_ROUNDS: usize = 200;
/// Length of a block in seconds, where the run is long enough for it.
const BLOCK_S: usize = 10;
/// The least and the most blocks; fewer tell no spread.
const BLOCKS: std::ops::RangeInclusive<usize> = 6..=60;

/// Intervals of the headline's figures; nothing where none can be told.
#[derive(Debug, Default)]
pub(super) struct Intervals {
    pub(super) wips: Option<Interval>,
    pub(super) p50: Option<Interval>,
    pub(super) p90: Option<Interval>,
    pub(super) p99: Option<Interval>,
}

impl Intervals {
    /// Always the same for the same folder.
    pub(super) fn of(folder: &Folder) -> Self {
        if !one_load(folder) {
            return Self::default();
        }
        let seconds: Vec<f64> = folder.measured().map(|s| s.wips).collect();
        let blocks: Vec<f64> = in_blocks(&seconds, 1).into_iter().map(mean).collect();
        let told = blocks.len() >= *BLOCKS.start();
        let wips = told.then(|| bootstrap::of_mean(&blocks, ALPHA, ROUNDS, 1)).flatten();
        let [p50, p90, p99] = percentiles(folder).unwrap_or_default();
        Self { wips, p50, p90, p99 }
    }
}

/// Whether the measured time is one phase, with as many browsers at its beginning as at its end.
fn one_load(folder: &Folder) -> bool {
    let measured = phases(folder).into_iter().filter(|phase| phase.measured).count();
    let browsers: Vec<f64> = folder.measured().map(|s| f64::from(s.sessions)).collect();
    let steady = folder.manifest.workload.pointer("/load/arrivals/rate").is_some() || {
        let middle = mean(&browsers);
        browsers.iter().all(|count| (count - middle).abs() <= 0.05 * middle)
    };
    measured == 1 && steady
}

/// Equal stretches of a series of values that each stand for `value_s` seconds.
fn in_blocks<T>(values: &[T], value_s: usize) -> Vec<&[T]> {
    let wanted = (values.len() * value_s / BLOCK_S).clamp(*BLOCKS.start(), *BLOCKS.end());
    let length = (values.len() / wanted).max(1);
    values.chunks_exact(length).collect()
}

fn percentiles(folder: &Folder) -> Option<[Option<Interval>; 3]> {
    let spread = &folder.spread;
    let width = f64::from(spread.width_s());
    let (first, last) = (folder.measured().next()?, folder.measured().last()?);
    let ends = (f64::from(first.second), f64::from(last.second) + 1.0);
    let whole = |at: usize| at as f64 * width >= ends.0 && (at as f64 + 1.0) * width <= ends.1;
    let columns: Vec<&Column> =
        spread.all.iter().enumerate().filter(|(at, _)| whole(*at)).map(|(_, column)| column).collect();
    let blocks: Vec<Column> = in_blocks(&columns, spread.width_s() as usize).into_iter().map(added).collect();
    if blocks.len() < *BLOCKS.start() {
        return None;
    }
    let mut random = SplitMix64::new(2);
    let mut found: [Vec<f64>; 3] = Default::default();
    for _ in 0..PERCENTILE_ROUNDS {
        let drawn: Vec<&Column> = (0..blocks.len()).map(|_| &blocks[random.below(blocks.len())]).collect();
        let sum = added(&drawn);
        for (found, quantile) in found.iter_mut().zip([0.5, 0.9, 0.99]) {
            found.extend(sum.quantile_ms(quantile));
        }
    }
    Some(found.map(middle_part))
}

fn added(columns: &[&Column]) -> Column {
    let mut sum = Column::default();
    columns.iter().for_each(|column| sum.merge(column));
    sum
}

/// Without the tails of resampled figures.
fn middle_part(mut figures: Vec<f64>) -> Option<Interval> {
    figures.sort_by(f64::total_cmp);
    let at = |share: f64| {
        figures.get(((figures.len() as f64 * share) as usize).min(figures.len().max(1) - 1)).copied()
    };
    Some(Interval { low: at(ALPHA / 2.0)?, high: at(1.0 - ALPHA / 2.0)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{record::SecondRow, spread::Spread};

    /// A load of one phase whose interactions take 1 to 100 ms.
    fn folder(length: u32, sessions: impl Fn(u32) -> u32) -> Folder {
        let mut random = SplitMix64::new(5);
        let mut spread = Spread::new(length);
        let seconds = (0..length)
            .map(|second| {
                let count = 90 + random.below(20) as u64;
                let values: Vec<(u64, u64)> =
                    (0..count).map(|_| (1_000 * (1 + random.below(100) as u64), 1)).collect();
                spread.add(second, "home", &values);
                let wips = count as f64;
                SecondRow {
                    second,
                    wips,
                    interactions: count,
                    sessions: sessions(second),
                    measured: true,
                    ..SecondRow::default()
                }
            })
            .collect();
        Folder { seconds, spread, ..Folder::default() }
    }

    #[test]
    fn intervals_hold_what_is_true_and_are_the_same_each_time() {
        for length in [60, 120, 900] {
            let folder = folder(length, |_| 30);
            let found = Intervals::of(&folder);
            for (interval, truth) in
                [(found.wips, 99.5), (found.p50, 50.5), (found.p90, 90.5), (found.p99, 99.5)]
            {
                let Interval { low, high } = interval.expect("an interval");
                assert!(
                    low < truth * 1.03 && truth * 0.97 < high && high < low * 1.15,
                    "{length}: {low} {high} {truth}"
                );
            }
            assert_eq!(format!("{found:?}"), format!("{:?}", Intervals::of(&folder)));
        }
    }

    #[test]
    fn a_load_that_changes_has_none() {
        let found = Intervals::of(&folder(120, |second| 10 + second));
        assert!(found.wips.is_none() && found.p99.is_none());
        assert!(Intervals::of(&Folder::default()).wips.is_none());
    }
}
