//! Where a long series changed its level: E-divisive with means (Matteson and James, 2014), as used for performance histories.
//!
//! The series is cut where the energy distance between both sides is greatest; the cut stays if fewer than `level` of the
//! shuffled series have one as great; then both parts are looked at in the same way.

use super::{mean, random::SplitMix64};

/// The least number of values between two change points.
const LEAST: usize = 3;
/// Shuffled series that a cut is held against.
const ROUNDS: usize = 499;

/// A change of level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// The first value of the new level.
    pub at: usize,
    /// Mean before, back to the change point before it.
    pub before: f64,
    /// Mean from here on, up to the next change point.
    pub after: f64,
    /// The chance of such a cut in a series that only wavers.
    pub chance: f64,
}

/// The change points of a series, in order.
pub fn find(values: &[f64], level: f64, seed: u64) -> Vec<ChangePoint> {
    let mut random = SplitMix64::new(seed);
    let mut cuts = Vec::new();
    cut(values, 0, level, &mut random, &mut cuts);
    cuts.sort_by_key(|(at, _)| *at);
    let ends: Vec<usize> = cuts.iter().map(|(at, _)| *at).chain([values.len()]).collect();
    let mut start = 0;
    let mut points = Vec::new();
    for (number, (at, chance)) in cuts.iter().enumerate() {
        let (before, after) = (mean(&values[start..*at]), mean(&values[*at..ends[number + 1]]));
        points.push(ChangePoint { at: *at, before, after, chance: *chance });
        start = *at;
    }
    points
}

fn cut(values: &[f64], offset: usize, level: f64, random: &mut SplitMix64, cuts: &mut Vec<(usize, f64)>) {
    let Some((at, found)) = best(values) else { return };
    if found <= 0.0 {
        return;
    }
    let mut shuffled = values.to_vec();
    let as_great = (0..ROUNDS)
        .filter(|_| {
            random.shuffle(&mut shuffled);
            best(&shuffled).is_some_and(|(_, other)| other >= found)
        })
        .count();
    let chance = (as_great + 1) as f64 / (ROUNDS + 1) as f64;
    if chance > level {
        return;
    }
    cuts.push((offset + at, chance));
    cut(&values[..at], offset, level, random, cuts);
    cut(&values[at..], offset + at, level, random, cuts);
}

/// The cut with the greatest distance between its sides, and that distance.
fn best(values: &[f64]) -> Option<(usize, f64)> {
    let count = values.len();
    if count < 2 * LEAST {
        return None;
    }
    // Sums of distances within the left part, within the right part, and between them, moved along with the cut.
    let distance = |a: usize, b: usize| (values[a] - values[b]).abs();
    let (mut within_left, mut within_right, mut between) = (0.0, 0.0, 0.0);
    for a in 0..count {
        within_right += (a + 1..count).map(|b| distance(a, b)).sum::<f64>();
    }
    let mut found: Option<(usize, f64)> = None;
    for at in 1..count {
        // The value before the cut has moved from right to left.
        let moved = at - 1;
        let to_left: f64 = (0..moved).map(|other| distance(moved, other)).sum();
        let to_right: f64 = (at..count).map(|other| distance(moved, other)).sum();
        within_left += to_left;
        within_right -= to_right;
        between += to_right - to_left;
        if at < LEAST || count - at < LEAST {
            continue;
        }
        let (left, right) = (at as f64, (count - at) as f64);
        let energy = 2.0 * between / (left * right)
            - 2.0 * within_left / (left * (left - 1.0))
            - 2.0 * within_right / (right * (right - 1.0));
        let weighted = energy * left * right / (left + right);
        if found.is_none_or(|(_, other)| weighted > other) {
            found = Some((at, weighted));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wavering(random: &mut SplitMix64, middle: f64, count: usize) -> Vec<f64> {
        (0..count).map(|_| middle + random.below(1000) as f64 / 250.0 - 2.0).collect()
    }

    #[test]
    fn a_step_is_found_where_it_is() {
        let mut random = SplitMix64::new(4);
        let mut values = wavering(&mut random, 100.0, 30);
        values.extend(wavering(&mut random, 105.0, 20));
        values.extend(wavering(&mut random, 95.0, 20));
        let points = find(&values, 0.01, 1);
        assert_eq!(points.iter().map(|point| point.at).collect::<Vec<_>>(), [30, 50], "{points:?}");
        assert!(points[0].after > points[0].before && points[1].after < points[1].before);
    }

    #[test]
    fn a_series_that_only_wavers_has_none() {
        let mut random = SplitMix64::new(8);
        let found =
            (0..50).filter(|seed| !find(&wavering(&mut random, 50.0, 40), 0.01, *seed).is_empty()).count();
        assert!(found <= 3, "{found} of 50");
        assert!(find(&[1.0, 2.0], 0.01, 1).is_empty());
        assert!(find(&[7.0; 20], 0.01, 1).is_empty());
    }
}
