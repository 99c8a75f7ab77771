//! Two sides that take turns every few seconds, A B B A: a verdict while they do, as soon as there is one.
//!
//! A quartet of blocks gives one logarithm of B over A for each figure, from which whatever drifts evenly with time has gone. Quartets are the
//! units; their trimmed mean is tested (Yuen). The verdict may fall at one of six looks. The chance of a false alarm is spent over them as
//! the cube of the share of the planned quartets (a spending function of Lan and DeMets, ρ = 3 of Kim and DeMets), so that early looks
//! need strong evidence and the last one keeps most of it; it is divided between the figures (Bonferroni), most of it to those that waver least, and what was spent at one look is
//! not won back at the next.
//!
//! Two clusters that are the same on paper are not the same in memory: a difference of a per cent may stay however long one measures.
//! So a change is one that is no luck *and* of at least half the effect that is looked for; unchanged is what lies wholly within that effect.

use serde::{Deserialize, Serialize};

use super::Change;
use crate::{
    record::{BlockRow, round3},
    statistics::student::Trimmed,
};

/// Looks at which the verdict may fall.
pub const LOOKS: u32 = 6;
/// The fewest quartets that make sense: one a look, and the first look sees three.
pub const LEAST_QUARTETS: u32 = 3 * LOOKS;

/// What is to be found, and how surely.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Quartets at most.
    pub quartets: u32,
    /// The effect that is looked for, in per cent.
    pub effect_pct: f64,
    /// The chance of a false alarm that is allowed, over all figures and looks.
    pub level: f64,
}

/// One figure at a look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnFigure {
    /// `wips`, `mean_ms`, `geomean_ms`, `p90_ms`, `cpu_us`, `errors_pct`.
    pub name: String,
    /// Mean of A's blocks.
    pub a: f64,
    /// Mean of B's blocks.
    pub b: f64,
    /// The change from A to B in per cent of A (`errors_pct`: in percentage points).
    pub change: f64,
    /// From where to where it may lie, at what may be spent at this look.
    pub interval: (f64, f64),
    /// The chance of such a difference by luck.
    pub chance: f64,
    /// What of the allowed chance of a false alarm is this figure's at this look.
    pub spent: f64,
    /// The answer.
    pub verdict: Change,
}

/// What a look saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Whole quartets seen.
    pub quartets: u32,
    /// Whether no more are needed, or planned.
    pub over: bool,
    /// The answer so far.
    pub verdict: Change,
    /// All figures.
    pub figures: Vec<TurnFigure>,
}

/// A figure of a block, whether more of it is better, and its share of the level.
type Of = (&'static str, bool, f64, fn(&BlockRow) -> Option<f64>);

const FIGURES: [Of; 5] = [
    ("wips", true, 0.15, |block| Some(block.wips)),
    ("mean_ms", false, 0.1, |block| Some(block.mean_ms)),
    ("geomean_ms", false, 0.3, |block| block.geomean_ms),
    ("p90_ms", false, 0.05, |block| Some(block.p90_ms)),
    ("cpu_us", false, 0.3, |block| block.cpu_us),
];
/// What is left of the level for failed tries.
const ERRORS_SHARE: f64 = 0.1;
/// Percentage points of failed tries more or fewer that are a change.
const ERROR_POINTS: f64 = 0.5;

impl Plan {
    /// Whether after so many quartets there is a look.
    pub fn looks_at(&self, quartets: u32) -> bool {
        (1..=LOOKS).any(|look| self.quartets_at(look) == quartets)
    }

    fn quartets_at(&self, look: u32) -> u32 {
        (self.quartets * look).div_ceil(LOOKS)
    }

    /// What all figures together may spend of the level at the look after so many quartets.
    fn to_spend(&self, quartets: u32) -> f64 {
        let look = (1..=LOOKS).rev().find(|look| self.quartets_at(*look) <= quartets).unwrap_or(0);
        let spent =
            |look: u32| (f64::from(self.quartets_at(look)) / f64::from(self.quartets)).min(1.0).powi(3);
        self.level * (spent(look) - if look > 0 { spent(look - 1) } else { 0.0 })
    }
}

/// Looks at the whole quartets among these blocks.
pub fn look(blocks: &[BlockRow], plan: &Plan) -> Look {
    let whole = quartets(blocks);
    let seen = whole.len() as u32;
    let alpha = plan.to_spend(seen);
    let mut figures: Vec<TurnFigure> = FIGURES
        .iter()
        .filter_map(|(name, more_is_better, share, of)| {
            ratio(name, *more_is_better, *of, &whole, alpha * share, plan)
        })
        .collect();
    figures.extend(errors(&whole, alpha * ERRORS_SHARE));
    let verdict = answer(&figures);
    let last = seen >= plan.quartets;
    Look { quartets: seen, over: last || verdict != Change::Inconclusive, verdict, figures }
}

/// Sorts blocks into quartets; those that are not whole are left out.
fn quartets(blocks: &[BlockRow]) -> Vec<&[BlockRow]> {
    blocks.chunk_by(|one, other| one.quartet == other.quartet).filter(|quartet| quartet.len() == 4).collect()
}

/// Values of one side of a quartet.
fn side<'a>(
    quartet: &'a [BlockRow],
    side: &'a str,
    of: fn(&BlockRow) -> Option<f64>,
) -> impl Iterator<Item = f64> + 'a {
    quartet.iter().filter(move |block| block.side == side).filter_map(of)
}

fn ratio(
    name: &str,
    more_is_better: bool,
    of: fn(&BlockRow) -> Option<f64>,
    quartets: &[&[BlockRow]],
    alpha: f64,
    plan: &Plan,
) -> Option<TurnFigure> {
    let log = |quartet: &&[BlockRow], which: &str| {
        let values: Vec<f64> = side(quartet, which, of).collect();
        (values.len() == 2 && values.iter().all(|value| *value > 0.0))
            .then(|| values.iter().map(|value| value.ln()).sum::<f64>() / 2.0)
    };
    let found: Vec<f64> =
        quartets.iter().filter_map(|quartet| Some(log(quartet, "b")? - log(quartet, "a")?)).collect();
    let per_cent = |log: f64| 100.0 * log.exp_m1();
    let (trimmed, interval) = tested(&found, alpha)?;
    let (change, interval) = (per_cent(trimmed.mean), (per_cent(interval.0), per_cent(interval.1)));
    let chance = trimmed.chance();
    let verdict = judged(change, interval, chance, alpha, plan.effect_pct, more_is_better);
    let mean = |which: &str| mean_of(quartets, which, of);
    Some(figure(name, (mean("a"), mean("b")), change, interval, chance, alpha, verdict))
}

fn errors(quartets: &[&[BlockRow]], alpha: f64) -> Option<TurnFigure> {
    let of: fn(&BlockRow) -> Option<f64> = |block| Some(block.errors_pct);
    let mean = |quartet: &[BlockRow], which: &str| side(quartet, which, of).sum::<f64>() / 2.0;
    let found: Vec<f64> = quartets.iter().map(|quartet| mean(quartet, "b") - mean(quartet, "a")).collect();
    let (trimmed, interval) = tested(&found, alpha)?;
    let chance = trimmed.chance();
    let verdict = judged(trimmed.mean, interval, chance, alpha, 2.0 * ERROR_POINTS, false);
    let means = (mean_of(quartets, "a", of), mean_of(quartets, "b", of));
    Some(figure("errors_pct", means, trimmed.mean, interval, chance, alpha, verdict))
}

fn tested(found: &[f64], alpha: f64) -> Option<(Trimmed, (f64, f64))> {
    let trimmed = Trimmed::of(found)?;
    // Nothing may be spent before the first look: nothing can be told either.
    let interval = if alpha > 0.0 { trimmed.interval(alpha) } else { (f64::NEG_INFINITY, f64::INFINITY) };
    Some((trimmed, interval))
}

fn mean_of(quartets: &[&[BlockRow]], which: &str, of: fn(&BlockRow) -> Option<f64>) -> f64 {
    let all: Vec<f64> = quartets.iter().flat_map(|quartet| side(quartet, which, of)).collect();
    crate::statistics::mean(&all)
}

fn judged(
    change: f64,
    (low, high): (f64, f64),
    chance: f64,
    alpha: f64,
    effect: f64,
    more_is_better: bool,
) -> Change {
    if chance < alpha && change.abs() >= effect / 2.0 {
        return if (change > 0.0) == more_is_better { Change::Improved } else { Change::Regressed };
    }
    if low > -effect && high < effect { Change::Unchanged } else { Change::Inconclusive }
}

fn figure(
    name: &str,
    (a, b): (f64, f64),
    change: f64,
    interval: (f64, f64),
    chance: f64,
    spent: f64,
    verdict: Change,
) -> TurnFigure {
    let end = |value: f64| round3(value.clamp(-1e6, 1e6));
    let interval = (end(interval.0), end(interval.1));
    TurnFigure {
        name: name.to_owned(),
        a: round3(a),
        b: round3(b),
        change: round3(change),
        interval,
        chance,
        spent,
        verdict,
    }
}

/// One regressed figure is a regression; unchanged is only what is so in every figure.
fn answer(figures: &[TurnFigure]) -> Change {
    let any = |verdict| figures.iter().any(|figure| figure.verdict == verdict);
    if any(Change::Regressed) {
        Change::Regressed
    } else if any(Change::Improved) {
        Change::Improved
    } else if figures.is_empty() || any(Change::Inconclusive) {
        Change::Inconclusive
    } else {
        Change::Unchanged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::random::SplitMix64;

    const PLAN: Plan = Plan { quartets: 24, effect_pct: 5.0, level: 0.02 };

    /// Normal enough: the sum of twelve even numbers.
    fn normal(random: &mut SplitMix64) -> f64 {
        (0..12).map(|_| random.below(1 << 20) as f64 / f64::from(1 << 20)).sum::<f64>() - 6.0
    }

    /// Blocks of sides of which B is slower by `slower_pct`, with noise of `noise_pct` a block, bursts, and a drift.
    fn turns(random: &mut SplitMix64, quartets: u32, slower_pct: f64, noise_pct: f64) -> Vec<BlockRow> {
        let mut blocks = Vec::new();
        for number in 0..quartets * 4 {
            let side = if matches!(number % 4, 0 | 3) { "a" } else { "b" };
            let burst = if random.below(40) == 0 { 1.5 } else { 1.0 };
            let slower = if side == "b" { 1.0 + slower_pct / 100.0 } else { 1.0 };
            let drift = 1.0 + 0.002 * f64::from(number);
            let mut off = |pct: f64| (normal(random) * pct / 100.0).exp() * burst * slower * drift;
            let (wips, mean_ms, p90_ms) =
                (500.0 / off(noise_pct), 10.0 * off(noise_pct), 30.0 * off(2.0 * noise_pct));
            let geomean_ms = Some(7.0 * off(noise_pct));
            let cpu_us = Some(200.0 * off(noise_pct));
            let (second, quartet) = (f64::from(number) * 3.0, number / 4);
            blocks.push(BlockRow {
                second,
                quartet,
                side: side.to_owned(),
                wips,
                mean_ms,
                geomean_ms,
                p90_ms,
                errors_pct: 0.0,
                cpu_us,
            });
        }
        blocks
    }

    /// What a session that stops at the first answer comes to.
    fn session(blocks: &[BlockRow], plan: &Plan) -> Look {
        let looks = (1..=plan.quartets).filter(|quartets| plan.looks_at(*quartets));
        let mut seen = looks.map(|quartets| look(&blocks[..quartets as usize * 4], plan));
        let mut last = seen.next().expect("a look");
        for next in seen {
            if last.over {
                break;
            }
            last = next;
        }
        last
    }

    #[test]
    fn two_equal_sides_seldom_cry_wolf() {
        let mut random = SplitMix64::new(31);
        let alarms = (0..400)
            .filter(|_| {
                let found = session(&turns(&mut random, 24, 0.0, 4.0), &PLAN).verdict;
                matches!(found, Change::Regressed | Change::Improved)
            })
            .count();
        assert!(alarms <= 8, "{alarms} of 400 at a level of 2 %");
    }

    #[test]
    fn a_slowdown_of_five_per_cent_is_found() {
        let mut random = SplitMix64::new(32);
        let mut early = 0;
        let found = (0..200)
            .filter(|_| {
                let found = session(&turns(&mut random, 24, 5.0, 3.0), &PLAN);
                early += u32::from(found.quartets < 24);
                found.verdict == Change::Regressed
            })
            .count();
        assert!(found >= 190, "{found} of 200");
        assert!(early > 20, "strong evidence ends it early: {early}");
    }

    #[test]
    fn a_small_difference_that_stays_is_no_alarm_however_surely_it_is_there() {
        let mut random = SplitMix64::new(33);
        let found = session(&turns(&mut random, 24, 1.0, 0.2), &PLAN);
        assert_eq!(found.verdict, Change::Unchanged, "{found:?}");
        let faster = session(&turns(&mut random, 24, -8.0, 1.0), &PLAN);
        assert_eq!((faster.verdict, faster.figures[0].verdict), (Change::Improved, Change::Improved));
        assert!(faster.figures[0].change > 6.0 && faster.quartets < 24, "{faster:?}");
    }

    #[test]
    fn failed_tries_are_a_regression_of_their_own() {
        let mut blocks = turns(&mut SplitMix64::new(34), 24, 0.0, 0.5);
        for (number, block) in blocks.iter_mut().enumerate().filter(|(_, block)| block.side == "b") {
            block.errors_pct = 2.0 + 0.1 * (number % 7) as f64;
        }
        let found = session(&blocks, &PLAN);
        assert_eq!(found.verdict, Change::Regressed);
        assert_eq!(found.figures.last().map(|figure| figure.name.as_str()), Some("errors_pct"));
    }

    #[test]
    fn what_may_be_spent_is_spent_once() {
        let looks: Vec<u32> = (1..=24).filter(|quartets| PLAN.looks_at(*quartets)).collect();
        assert_eq!(looks, [4, 8, 12, 16, 20, 24]);
        let spent: f64 = looks.iter().map(|quartets| PLAN.to_spend(*quartets)).sum();
        assert!((spent - 0.02).abs() < 1e-12, "{spent}");
        let shares: f64 = FIGURES.iter().map(|(_, _, share, _)| share).sum();
        assert!((shares + ERRORS_SHARE - 1.0).abs() < 1e-12, "{shares}");
        assert_eq!(PLAN.to_spend(3), 0.0);
        let early = look(&turns(&mut SplitMix64::new(1), 2, 50.0, 0.1), &PLAN);
        assert_eq!((early.verdict, early.over, early.quartets), (Change::Inconclusive, false, 2));
        assert_eq!(look(&[], &PLAN).verdict, Change::Inconclusive);
    }

    #[test]
    fn a_quartet_that_is_not_whole_and_figures_that_are_not_known_are_left_out() {
        let mut blocks = turns(&mut SplitMix64::new(2), 5, 0.0, 1.0);
        blocks.truncate(18);
        blocks.iter_mut().for_each(|block| (block.cpu_us, block.geomean_ms) = (None, None));
        let found = look(&blocks, &PLAN);
        assert_eq!((found.quartets, found.figures.len()), (4, 4));
        assert!(found.figures.iter().all(|figure| !matches!(figure.name.as_str(), "cpu_us" | "geomean_ms")));
    }
}
