//! Walks: chains in which the next page depends on the present one alone.
//!
//! Pages that follow each other are not independent, so Pearson's test of their shares is too strict or too lax. Two tests are right: row
//! by row, the pages that follow one page *are* independent draws, and the statistics of the rows add up (Billingsley, 1961); and the
//! shares themselves have a known covariance in the long run (Kemeny and Snell, *Finite Markov Chains*, 4.6.7), by which their distance from
//! the expected ones is measured.

use super::chi_square;

/// Classes that expect fewer are put together.
const LEAST_EXPECTED: f64 = 5.0;

/// A chi-square test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// The statistic.
    pub statistic: f64,
    /// Its degrees of freedom.
    pub freedom: u32,
    /// How many were counted.
    pub values: u64,
    /// The chance of a statistic at least this great.
    pub p: f64,
}

impl Test {
    fn new(statistic: f64, freedom: u32, values: u64) -> Self {
        Self { statistic, freedom, values, p: chi_square::tail(statistic, freedom) }
    }
}

/// Do these transitions come from a walk with these chances? `None` when too few were counted to tell anything.
pub fn transitions(chances: &[Vec<f64>], counts: &[Vec<u64>]) -> Option<Test> {
    let (mut statistic, mut freedom, mut values) = (0.0, 0, 0);
    let mut impossible = false;
    for (chances, counts) in chances.iter().zip(counts) {
        let total: u64 = counts.iter().sum();
        impossible |= chances.iter().zip(counts).any(|(chance, count)| *chance <= 0.0 && *count > 0);
        let expected: Vec<f64> = chances.iter().map(|chance| chance * total as f64).collect();
        let classes = pooled(&expected);
        if let Some((row, row_freedom)) =
            chi_square::pearson(&summed(&classes, counts), &summed_f64(&classes, &expected))
        {
            statistic += row;
            freedom += row_freedom;
            values += total;
        }
    }
    if impossible {
        return Some(Test { statistic, freedom, values, p: 0.0 });
    }
    (freedom > 0).then(|| Test::new(statistic, freedom, values))
}

/// Do pages counted along walks with these chances have the shares that such walks have in the long run? `None` when too few
/// were counted, or the walk does not lead from everywhere to everywhere.
pub fn shares(chances: &[Vec<f64>], counts: &[u64]) -> Option<Test> {
    let total: u64 = counts.iter().sum();
    let (expected, covariance) = long_run(chances)?;
    let classes = pooled(&expected.iter().map(|share| share * total as f64).collect::<Vec<_>>());
    if total == 0 || classes.len() < 2 {
        return None;
    }
    // The last class follows from the others.
    let kept = &classes[..classes.len() - 1];
    let off: Vec<f64> = kept
        .iter()
        .map(|class| class.iter().map(|at| counts[*at] as f64 / total as f64 - expected[*at]).sum())
        .collect();
    let between = |one: &Vec<usize>, other: &Vec<usize>| {
        one.iter().flat_map(|a| other.iter().map(|b| covariance[*a][*b])).sum::<f64>()
    };
    let matrix = kept.iter().map(|one| kept.iter().map(|other| between(one, other)).collect()).collect();
    let weighed = solve(matrix, off.clone())?;
    let statistic = total as f64 * off.iter().zip(&weighed).map(|(a, b)| a * b).sum::<f64>();
    Some(Test::new(statistic.max(0.0), kept.len() as u32, total))
}

/// The shares of a walk in the long run, and the covariance of counted ones times their number.
fn long_run(chances: &[Vec<f64>]) -> Option<(Vec<f64>, Vec<Vec<f64>>)> {
    let size = chances.len();
    let whole = |row: &Vec<f64>| row.len() == size && (row.iter().sum::<f64>() - 1.0).abs() < 1e-6;
    if size == 0 || !chances.iter().all(whole) {
        return None;
    }
    let one = |a: usize, b: usize| if a == b { 1.0 } else { 0.0 };
    // The shares that a step leaves as they are, and that sum to 1.
    let steps = |a: usize, b: usize| one(a, b) - chances[b][a] + 1.0;
    let matrix = (0..size).map(|a| (0..size).map(|b| steps(a, b)).collect()).collect();
    let shares = solve(matrix, vec![1.0; size])?;
    if shares.iter().any(|share| *share <= 0.0) {
        return None;
    }
    // The fundamental matrix, column by column.
    let away = |a: usize, b: usize| one(a, b) - chances[a][b] + shares[b];
    let matrix: Vec<Vec<f64>> = (0..size).map(|a| (0..size).map(|b| away(a, b)).collect()).collect();
    let column = |b: usize| solve(matrix.clone(), (0..size).map(|a| one(a, b)).collect());
    let columns: Vec<Vec<f64>> = (0..size).map(column).collect::<Option<_>>()?;
    let covariance = |a: usize, b: usize| {
        shares[a] * columns[b][a] + shares[b] * columns[a][b] - shares[a] * one(a, b) - shares[a] * shares[b]
    };
    let covariances = (0..size).map(|a| (0..size).map(|b| covariance(a, b)).collect()).collect();
    Some((shares, covariances))
}

/// Classes that each expect enough, those that do not by themselves put together; classes that expect nothing are left out.
fn pooled(expected: &[f64]) -> Vec<Vec<usize>> {
    let mut classes: Vec<Vec<usize>> = Vec::new();
    let mut few = Vec::new();
    for (at, expected) in expected.iter().enumerate().filter(|(_, expected)| **expected > 0.0) {
        if *expected >= LEAST_EXPECTED { classes.push(vec![at]) } else { few.push(at) }
    }
    let together: f64 = few.iter().map(|at| expected[*at]).sum();
    if together >= LEAST_EXPECTED {
        classes.push(few);
    } else if let Some(least) = classes.iter_mut().min_by(|a, b| expected[a[0]].total_cmp(&expected[b[0]])) {
        least.extend(few);
    }
    classes
}

fn summed(classes: &[Vec<usize>], counts: &[u64]) -> Vec<u64> {
    classes.iter().map(|class| class.iter().map(|at| counts[*at]).sum()).collect()
}

fn summed_f64(classes: &[Vec<usize>], values: &[f64]) -> Vec<f64> {
    classes.iter().map(|class| class.iter().map(|at| values[*at]).sum()).collect()
}

/// Solves `matrix` × x = `right` by elimination with pivots; `None` when there is no one solution.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let size = right.len();
    for step in 0..size {
        let pivot = (step..size).max_by(|a, b| matrix[*a][step].abs().total_cmp(&matrix[*b][step].abs()))?;
        if matrix[pivot][step].abs() < 1e-14 {
            return None;
        }
        matrix.swap(step, pivot);
        right.swap(step, pivot);
        let (done, rest) = matrix.split_at_mut(step + 1);
        for (below, row) in rest.iter_mut().enumerate() {
            let factor = row[step] / done[step][step];
            row.iter_mut().zip(&done[step]).skip(step).for_each(|(value, other)| *value -= factor * other);
            right[step + 1 + below] -= factor * right[step];
        }
    }
    for step in (0..size).rev() {
        let known: f64 = (step + 1..size).map(|at| matrix[step][at] * right[at]).sum();
        right[step] = (right[step] - known) / matrix[step][step];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::random::SplitMix64;

    /// A walk that likes to stay where it is, so that counting its steps as independent would be quite wrong.
    fn sticky() -> Vec<Vec<f64>> {
        vec![vec![0.8, 0.15, 0.05], vec![0.3, 0.6, 0.1], vec![0.5, 0.0, 0.5]]
    }

    fn walk(random: &mut SplitMix64, chances: &[Vec<f64>], steps: usize) -> (Vec<u64>, Vec<Vec<u64>>) {
        let (mut counts, mut moves) = (vec![0; 3], vec![vec![0; 3]; 3]);
        let mut at = random.below(3);
        for _ in 0..steps {
            let draw = random.below(1_000_000) as f64 / 1e6;
            let mut sum = 0.0;
            let next = chances[at].iter().position(|chance| {
                sum += chance;
                draw < sum
            });
            let next = next.unwrap_or(0);
            counts[next] += 1;
            moves[at][next] += 1;
            at = next;
        }
        (counts, moves)
    }

    #[test]
    fn a_right_walk_is_refused_as_often_as_the_level_says() {
        let mut random = SplitMix64::new(9);
        let mut refused = [0; 3];
        let expected = long_run(&sticky()).expect("a chain").0;
        for _ in 0..400 {
            let (counts, moves) = walk(&mut random, &sticky(), 3000);
            refused[0] += u32::from(transitions(&sticky(), &moves).expect("counted").p < 0.05);
            refused[1] += u32::from(shares(&sticky(), &counts).expect("counted").p < 0.05);
            let (naive, freedom) = chi_square::pearson(&counts, &expected).expect("counted");
            refused[2] += u32::from(chi_square::tail(naive, freedom) < 0.05);
        }
        // 20 are expected, with a deviation of 4.4.
        assert!((8..=34).contains(&refused[0]) && (8..=34).contains(&refused[1]), "{refused:?}");
        assert!(refused[2] > 60, "the pages are not independent: {refused:?}");
    }

    #[test]
    fn another_walk_is_refused() {
        let mut random = SplitMix64::new(10);
        let mut other = sticky();
        other[1] = vec![0.4, 0.5, 0.1];
        let (counts, moves) = walk(&mut random, &other, 5000);
        assert!(transitions(&sticky(), &moves).expect("counted").p < 1e-6);
        assert!(shares(&sticky(), &counts).expect("counted").p < 0.01);
        let mut impossible = vec![vec![0; 3]; 3];
        impossible[2][1] = 1;
        assert_eq!(transitions(&sticky(), &impossible).map(|test| test.p), Some(0.0));
    }

    #[test]
    fn the_long_run_is_the_one_of_the_textbook() {
        // The land of Oz (Kemeny and Snell): rain, nice, snow. Shares 2/5, 1/5, 2/5.
        let oz = vec![vec![0.5, 0.25, 0.25], vec![0.5, 0.0, 0.5], vec![0.25, 0.25, 0.5]];
        let (shares, covariance) = long_run(&oz).expect("a chain");
        for (found, expected) in shares.iter().zip([0.4, 0.2, 0.4]) {
            assert!((found - expected).abs() < 1e-12, "{shares:?}");
        }
        let expected = [[134.0, -18.0, -116.0], [-18.0, 36.0, -18.0], [-116.0, -18.0, 134.0]];
        for (found, expected) in covariance.iter().flatten().zip(expected.iter().flatten()) {
            assert!((found - expected / 375.0).abs() < 1e-12, "{covariance:?}");
        }
        assert_eq!(long_run(&[vec![1.0, 0.0], vec![0.0, 1.0]]), None, "two worlds");
        assert_eq!(long_run(&[vec![0.5, 0.4], vec![1.0, 0.0]]), None, "chances that do not sum");
        assert_eq!(long_run(&[]), None);
    }

    #[test]
    fn rare_classes_are_put_together() {
        assert_eq!(pooled(&[100.0, 0.0, 3.0, 50.0, 2.5]), [vec![0], vec![3], vec![2, 4]]);
        assert_eq!(pooled(&[100.0, 1.0, 50.0]), [vec![0], vec![2, 1]]);
        assert!(pooled(&[1.0, 2.0]).is_empty());
        assert_eq!(transitions(&sticky(), &vec![vec![1, 0, 0]; 3]), None);
    }
}
