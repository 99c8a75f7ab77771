//! A run cut into blocks of a few seconds, and the blocks of two runs paired.

use std::collections::{BTreeMap, BTreeSet};

use hdrhistogram::Histogram;

use crate::{
    ReportError, RunDir,
    folder::Folder,
    record::{TAG_ERROR, TAG_READ, TAG_WRITE, new_histogram, read_histograms},
};

/// Figures that the verdict on the whole needs a clear answer for.
pub(super) const GATES: [&str; 4] = ["wips", "mean_ms", "p90_ms", "errors_pct"];
/// A mean of fewer values than this says nothing of its block.
const LEAST_VALUES: u64 = 3;

/// Figures of one block; what it does not tell is missing.
pub(super) type Block = BTreeMap<String, f64>;

/// The blocks of two runs, those at the same place together.
#[derive(Debug)]
pub(super) struct Pair {
    pub blocks: Vec<(Block, Block)>,
}

impl Pair {
    pub(super) fn read(
        one: (&RunDir, &Folder),
        other: (&RunDir, &Folder),
        block_s: u32,
    ) -> Result<Self, ReportError> {
        let (mut before, mut after) = (blocks(one, block_s)?, blocks(other, block_s)?);
        let places: BTreeSet<u32> =
            before.keys().filter(|place| after.contains_key(place)).copied().collect();
        let blocks =
            places.iter().filter_map(|place| Some((before.remove(place)?, after.remove(place)?))).collect();
        Ok(Self { blocks })
    }

    /// The names of all figures that both sides of some block tell.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let both = |(a, b): &'_ (Block, Block)| -> Vec<String> {
            a.keys().filter(|name| b.contains_key(*name)).cloned().collect()
        };
        self.blocks.iter().flat_map(both).collect()
    }

    /// A figure of both sides, block by block.
    pub(super) fn of(&self, name: &str) -> Vec<(f64, f64)> {
        self.blocks.iter().filter_map(|(a, b)| Some((*a.get(name)?, *b.get(name)?))).collect()
    }
}

#[derive(Default)]
struct Gathered {
    seconds: u32,
    done: u64,
    failed: u64,
    tags: BTreeMap<String, Histogram<u64>>,
}

/// The whole blocks of a run's measurement interval, by place: block k covers the measured seconds from k × length on, counted
/// from its first one, since warm-ups may differ in length.
fn blocks((run, folder): (&RunDir, &Folder), length: u32) -> Result<BTreeMap<u32, Block>, ReportError> {
    let length = length.max(1);
    let mut gathered: BTreeMap<u32, Gathered> = BTreeMap::new();
    let mut measured = BTreeSet::new();
    let first = folder.measured().next().map_or(0, |second| second.second);
    let place = |second: u32| second.saturating_sub(first) / length;
    for second in folder.measured() {
        let block = gathered.entry(place(second.second)).or_default();
        block.seconds += 1;
        block.done += second.interactions;
        block.failed += second.errors;
        measured.insert(second.second);
    }
    gathered.retain(|_, block| block.seconds == length);
    read_histograms(run.path(), |interval| {
        let second = interval.start.as_secs_f64().round() as u32;
        if let (true, Some(block)) = (measured.contains(&second), gathered.get_mut(&place(second))) {
            block.tags.entry(interval.tag).or_insert_with(new_histogram).add(interval.histogram).ok();
        }
    })?;
    Ok(gathered.into_iter().map(|(place, block)| (place, block.figures())).collect())
}

impl Gathered {
    fn figures(self) -> Block {
        let mut block = Block::new();
        block.insert("wips".into(), self.done as f64 / f64::from(self.seconds));
        if self.done + self.failed > 0 {
            block.insert("errors_pct".into(), 100.0 * self.failed as f64 / (self.done + self.failed) as f64);
        }
        let mut all = new_histogram();
        for (tag, histogram) in self.tags {
            let mean_ms = histogram.mean() / 1000.0;
            let enough = histogram.len() >= LEAST_VALUES;
            match tag.as_str() {
                TAG_READ if enough => drop(block.insert("read_mean_ms".into(), mean_ms)),
                TAG_WRITE if enough => drop(block.insert("write_mean_ms".into(), mean_ms)),
                TAG_READ | TAG_WRITE | TAG_ERROR => {}
                interaction => {
                    if enough {
                        block.insert(format!("{interaction} mean_ms"), mean_ms);
                    }
                    // Both have the range of every log of ours.
                    all.add(histogram).ok();
                }
            }
        }
        if all.len() >= LEAST_VALUES {
            block.insert("mean_ms".into(), all.mean() / 1000.0);
            for (name, quantile) in [("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99)] {
                block.insert(name.into(), all.value_at_quantile(quantile) as f64 / 1000.0);
            }
        }
        block
    }
}
