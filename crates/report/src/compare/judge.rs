//! From pairs of blocks to answers.

use super::{
    Change, ENOUGH_PAIRS, Figure, Options,
    blocks::{GATES, Pair},
};
use crate::{
    record::round3,
    statistics::{
        autocorrelation,
        bootstrap::{self, Interval},
        holm, mean, normal, permutation, variance,
    },
};

/// Blocks whose neighbours are more alike than this are merged, so that they can count as independent.
const ALIKE: f64 = 0.2;
/// Fewer blocks than this are not merged any further.
const LEAST_UNITS: usize = 12;

/// A figure before the correction.
struct Raw {
    name: String,
    baseline: f64,
    candidate: f64,
    points: bool,
    differences: Vec<f64>,
    interval: Option<Interval>,
    chance: f64,
}

pub(super) fn figures(pairs: &[Pair], options: &Options) -> Vec<Figure> {
    let mut names: Vec<String> = pairs.iter().flat_map(Pair::names).collect();
    names.sort();
    names.dedup();
    // Gates in their order, then other figures of the whole, then those of single interactions.
    names.sort_by_key(|name| {
        (GATES.iter().position(|gate| gate == name).unwrap_or(GATES.len()), name.contains(' '))
    });
    let (gates, others) = names.into_iter().partition(|name| GATES.contains(&name.as_str()));
    let mut found = family(gates, pairs, options);
    found.extend(family(others, pairs, options));
    found
}

/// Figures that share one half of the allowed false alarms: the few gates are not drowned by the many others.
fn family(names: Vec<String>, pairs: &[Pair], options: &Options) -> Vec<Figure> {
    let level = options.level / 2.0;
    // The widest of Holm's steps: so an interval never says more than the corrected chance does.
    let alpha = level / names.len().max(1) as f64;
    let raw: Vec<Raw> = names.into_iter().map(|name| one(name, pairs, options, alpha)).collect();
    let chances = holm::corrected(&raw.iter().map(|figure| figure.chance).collect::<Vec<_>>());
    raw.into_iter().zip(chances).map(|(figure, chance)| answer(figure, chance, level, options)).collect()
}

fn one(name: String, pairs: &[Pair], options: &Options, alpha: f64) -> Raw {
    let points = name == "errors_pct";
    let differ = |(a, b): (f64, f64)| match points {
        true => Some(b - a),
        false => (a > 0.0 && b > 0.0).then(|| (b / a).ln()),
    };
    let all: Vec<(f64, f64)> = pairs.iter().flat_map(|pair| pair.of(&name)).collect();
    let interleaved = options.run_noise_pct <= 0.0;
    let differences: Vec<f64> = if pairs.len() >= ENOUGH_PAIRS {
        let per_pair = pairs.iter().map(|pair| {
            let blocks: Vec<f64> = pair.of(&name).into_iter().filter_map(differ).collect();
            (!blocks.is_empty()).then(|| mean(&blocks))
        });
        per_pair.flatten().collect()
    } else {
        independent(all.iter().copied().filter_map(differ).collect())
    };
    let noise = match (pairs.len() >= ENOUGH_PAIRS || interleaved, points) {
        (true, _) | (_, true) => 0.0,
        // Both sides waver by themselves.
        _ => (options.run_noise_pct / 100.0).ln_1p() * (2.0 / pairs.len().max(1) as f64).sqrt(),
    };
    let interval = bootstrap::of_mean(&differences, alpha, options.rounds, options.seed)
        .map(|interval| widened(interval, mean(&differences), noise, alpha));
    Raw {
        baseline: mean(&all.iter().map(|(a, _)| *a).collect::<Vec<_>>()),
        candidate: mean(&all.iter().map(|(_, b)| *b).collect::<Vec<_>>()),
        chance: chance(&differences, noise, options),
        name,
        points,
        differences,
        interval,
    }
}

/// Merges neighbours until each block stands for itself.
fn independent(mut values: Vec<f64>) -> Vec<f64> {
    while values.len() >= 2 * LEAST_UNITS && autocorrelation(&values) > ALIKE {
        values = values.chunks_exact(2).map(mean).collect();
    }
    values
}

fn widened(interval: Interval, middle: f64, noise: f64, alpha: f64) -> Interval {
    if noise <= 0.0 {
        return interval;
    }
    let more = noise * normal::quantile(1.0 - alpha / 2.0);
    Interval {
        low: middle - (middle - interval.low).hypot(more),
        high: middle + (interval.high - middle).hypot(more),
    }
}

fn chance(differences: &[f64], noise: f64, options: &Options) -> f64 {
    if differences.len() < 3 {
        return 1.0;
    }
    let by_signs = permutation::of_signs(differences, options.rounds, options.seed);
    if noise <= 0.0 {
        return by_signs;
    }
    let spread = (variance(differences) / differences.len() as f64 + noise * noise).sqrt();
    let beyond = 1.0 - normal::cumulative((mean(differences) / spread).abs());
    by_signs.max(2.0 * beyond)
}

fn answer(raw: Raw, chance: f64, level: f64, options: &Options) -> Figure {
    let shown = |value: f64| if raw.points { value } else { 100.0 * value.exp_m1() };
    let interval = raw.interval.map(|found| (shown(found.low), shown(found.high)));
    let change = shown(mean(&raw.differences));
    let smallest = if raw.points { options.smallest_error_points } else { options.smallest_effect_pct };
    let verdict = verdict(change, interval, chance, smallest, level, raw.name == "wips");
    Figure {
        gates: GATES.contains(&raw.name.as_str()),
        name: raw.name,
        baseline: round3(raw.baseline),
        candidate: round3(raw.candidate),
        change: round3(change),
        interval: interval.map(|(low, high)| (round3(low), round3(high))),
        pairs: raw.differences.len(),
        chance,
        verdict,
    }
}

fn verdict(
    change: f64,
    interval: Option<(f64, f64)>,
    chance: f64,
    smallest: f64,
    level: f64,
    more_is_better: bool,
) -> Change {
    let Some((low, high)) = interval else { return Change::Inconclusive };
    if low >= -smallest && high <= smallest {
        return Change::Unchanged;
    }
    if chance > level || (low <= 0.0 && high >= 0.0) {
        return Change::Inconclusive;
    }
    if (change > 0.0) == more_is_better { Change::Improved } else { Change::Regressed }
}

/// One regressed figure is a regression; without one, every gate must have a clear answer.
pub(super) fn whole(figures: &[Figure]) -> Change {
    let any = |verdict| figures.iter().any(|figure| figure.verdict == verdict);
    let gates: Vec<&Figure> = figures.iter().filter(|figure| figure.gates).collect();
    if any(Change::Regressed) {
        Change::Regressed
    } else if gates.is_empty() || gates.iter().any(|figure| figure.verdict == Change::Inconclusive) {
        Change::Inconclusive
    } else if gates.iter().any(|figure| figure.verdict == Change::Improved) {
        Change::Improved
    } else {
        Change::Unchanged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{compare::blocks::Block, statistics::random::SplitMix64};

    /// A pair of runs of `blocks` blocks, the second one slower by `pct`, each block off by up to `noise_pct`.
    fn pair(random: &mut SplitMix64, blocks: usize, pct: f64, noise_pct: f64) -> Pair {
        let mut draw = |level: f64| {
            let off = (random.below(2001) as f64 / 1000.0 - 1.0) * noise_pct / 100.0;
            level * (1.0 + off)
        };
        let mut block = |factor: f64| {
            let mut block = Block::new();
            for (name, level) in [("mean_ms", 20.0), ("p90_ms", 50.0), ("home mean_ms", 9.0)] {
                block.insert(name.into(), draw(level * factor));
            }
            block.insert("wips".into(), draw(100.0 / factor));
            block.insert("errors_pct".into(), 0.0);
            block
        };
        Pair { blocks: (0..blocks).map(|_| (block(1.0), block(1.0 + pct / 100.0))).collect() }
    }

    fn interleaved() -> Options {
        Options { run_noise_pct: 0.0, rounds: 1000, ..Options::default() }
    }

    #[test]
    fn a_run_against_itself_is_unchanged_and_seldom_cries_wolf() {
        let mut random = SplitMix64::new(1);
        let mut alarms = 0;
        for _ in 0..100 {
            let pairs: Vec<Pair> = (0..12).map(|_| pair(&mut random, 4, 0.0, 10.0)).collect();
            let found = whole(&figures(&pairs, &interleaved()));
            alarms += u32::from(matches!(found, Change::Regressed | Change::Improved));
        }
        assert!(alarms <= 4, "{alarms} of 100 at a level of 1 %");
    }

    #[test]
    fn a_slowdown_is_found() {
        let mut random = SplitMix64::new(2);
        let pairs: Vec<Pair> = (0..15).map(|_| pair(&mut random, 4, 8.0, 10.0)).collect();
        let found = figures(&pairs, &interleaved());
        assert_eq!(whole(&found), Change::Regressed, "{found:?}");
        let mean = found.iter().find(|figure| figure.name == "mean_ms").expect("there");
        assert!((4.0..12.0).contains(&mean.change) && mean.pairs == 15, "{mean:?}");
        assert_eq!(found[0].name, "wips");
        assert!(found[0].change < 0.0);
    }

    #[test]
    fn two_single_runs_tell_less_than_interleaved_ones() {
        let mut random = SplitMix64::new(3);
        let pairs = [pair(&mut random, 40, 8.0, 5.0)];
        assert_eq!(whole(&figures(&pairs, &interleaved())), Change::Regressed);
        let apart = Options { run_noise_pct: 5.0, ..interleaved() };
        assert_eq!(whole(&figures(&pairs, &apart)), Change::Inconclusive);
        let doubled = [pair(&mut random, 40, 100.0, 5.0)];
        assert_eq!(whole(&figures(&doubled, &apart)), Change::Regressed);
    }

    #[test]
    fn few_blocks_are_no_answer() {
        let mut random = SplitMix64::new(4);
        assert_eq!(whole(&figures(&[pair(&mut random, 2, 0.0, 1.0)], &interleaved())), Change::Inconclusive);
        assert_eq!(whole(&figures(&[], &interleaved())), Change::Inconclusive);
    }

    #[test]
    fn verdicts() {
        let of =
            |change, low, high, chance, better| verdict(change, Some((low, high)), chance, 5.0, 0.01, better);
        assert_eq!(of(1.0, 0.5, 1.5, 0.001, false), Change::Unchanged, "sure, but nobody cares");
        assert_eq!(of(8.0, 3.0, 12.0, 0.001, false), Change::Regressed);
        assert_eq!(of(8.0, 3.0, 12.0, 0.001, true), Change::Improved);
        assert_eq!(of(8.0, 3.0, 12.0, 0.05, false), Change::Inconclusive);
        assert_eq!(of(0.0, -9.0, 9.0, 1.0, false), Change::Inconclusive);
        assert_eq!(verdict(8.0, None, 0.0, 5.0, 0.01, false), Change::Inconclusive);
    }
}
