//! The test of Kolmogorov and Smirnov for values of which only the buckets were kept.
//!
//! The greatest distance between both distributions is then looked for at the ends of the buckets alone, and is smaller than
//! between single values: the usual tables would let too much pass. The distance is held instead against what the limit of the empirical
//! distribution, a Brownian bridge, shows at the same places, found by simulation.

use std::f64::consts::TAU;

use super::random::SplitMix64;

/// Bridges simulated at most.
const ROUNDS: u32 = 10_000;
/// A simulation is long enough when so many bridges were as far out: the chance is known to a seventh of itself then (Besag and
/// Clifford, 1991).
const ENOUGH: u32 = 50;
/// Chances below this, by the bound that holds for single values, need no simulation.
const CERTAIN: f64 = 1e-4;
const SEED: u64 = 0x5EED_0F4B;

/// What a test found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// The greatest distance between the share of the values and the chance of them, 0 to 1.
    pub distance: f64,
    /// Values.
    pub values: u64,
    /// The chance of a distance at least this great.
    pub p: f64,
}

/// Holds counts by bucket against the chance of a value up to the end of each, which rises to 1. `None` without values.
pub fn grouped(counts: &[u64], chance_up_to: &[f64]) -> Option<Fit> {
    let values: u64 = counts.iter().sum();
    if values == 0 || counts.len() != chance_up_to.len() {
        return None;
    }
    let mut seen = 0;
    let distances = counts.iter().zip(chance_up_to).map(|(count, chance)| {
        seen += count;
        (seen as f64 / values as f64 - chance).abs()
    });
    let distance = distances.fold(0.0, f64::max);
    let scaled = (values as f64).sqrt() * distance;
    let bound = single_values(scaled);
    let p = if bound < CERTAIN { bound } else { bound.min(simulated(scaled, chance_up_to)) };
    Some(Fit { distance, values, p })
}

/// Kolmogorov's limit for the greatest distance of single values, times the root of their number.
fn single_values(scaled: f64) -> f64 {
    if scaled < 0.2 {
        return 1.0;
    }
    let term = |k: i32| {
        let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
        sign * (-2.0 * f64::from(k * k) * scaled * scaled).exp()
    };
    (1..100).map(term).sum::<f64>().clamp(0.0, 1.0)
}

/// The share of Brownian bridges that are as far out at one of the places.
fn simulated(scaled: f64, places: &[f64]) -> f64 {
    let mut random = SplitMix64::new(SEED);
    let mut path = vec![0.0; places.len()];
    let mut beyond = 0;
    for round in 1..=ROUNDS {
        let (mut motion, mut before) = (0.0, 0.0);
        for (at, place) in places.iter().enumerate() {
            motion += normal(&mut random) * (place - before).max(0.0).sqrt();
            (path[at], before) = (motion, *place);
        }
        let far = |(at, motion_at): (&f64, &f64)| (motion_at - at * motion).abs() >= scaled;
        beyond += u32::from(places.iter().zip(&path).any(far));
        if beyond == ENOUGH {
            return f64::from(beyond) / f64::from(round);
        }
    }
    f64::from(beyond + 1) / f64::from(ROUNDS + 1)
}

/// A standard normal value (Box and Muller).
fn normal(random: &mut SplitMix64) -> f64 {
    let mut unit = || ((random.draw() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    let radius = (-2.0 * unit().ln()).sqrt();
    radius * (TAU * unit()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ends of 40 buckets of a tenth of the mean, and the chance of an exponential value up to each.
    fn exponential() -> Vec<f64> {
        (1..=40).map(|n| if n == 40 { 1.0 } else { 1.0 - (-0.1 * f64::from(n)).exp() }).collect()
    }

    fn counted(values: impl Iterator<Item = f64>) -> Vec<u64> {
        let mut counts = vec![0; 40];
        values.for_each(|value| counts[((value * 10.0) as usize).min(39)] += 1);
        counts
    }

    fn drawn(random: &mut SplitMix64, mean: f64) -> f64 {
        -mean * (((random.draw() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64).ln()
    }

    #[test]
    fn the_bound_is_the_table_of_kolmogorov() {
        for (scaled, p) in [(1.224, 0.10), (1.358, 0.05), (1.628, 0.01), (1.949, 0.001)] {
            assert!((single_values(scaled) / p - 1.0).abs() < 0.01, "{scaled}");
        }
        assert_eq!((single_values(0.0), single_values(0.1)), (1.0, 1.0));
    }

    #[test]
    fn a_right_sampler_is_refused_as_often_as_the_level_says() {
        let mut random = SplitMix64::new(3);
        let mut refused = [0; 2];
        for _ in 0..400 {
            let fit =
                grouped(&counted((0..500).map(|_| drawn(&mut random, 1.0))), &exponential()).expect("values");
            refused[0] += u32::from(fit.p < 0.05);
            refused[1] += u32::from(single_values(500_f64.sqrt() * fit.distance) < 0.05);
        }
        // 20 expected, deviation 4.4; the tables for single values would refuse fewer.
        assert!((8..=34).contains(&refused[0]) && refused[1] <= refused[0], "{refused:?}");
    }

    #[test]
    fn wrong_samplers_are_refused() {
        let mut random = SplitMix64::new(5);
        let mut unit = || (random.draw() >> 11) as f64 / (1_u64 << 53) as f64;
        let uniform = grouped(&counted((0..500).map(|_| 2.0 * unit())), &exponential()).expect("values");
        assert!(uniform.p < 1e-6, "{uniform:?}");
        let mut random = SplitMix64::new(6);
        let longer = grouped(&counted((0..3000).map(|_| drawn(&mut random, 8.0 / 7.0))), &exponential());
        assert!(longer.expect("values").p < 1e-3, "{longer:?}");
        assert_eq!(grouped(&[0, 0], &[0.5, 1.0]), None);
        assert_eq!(grouped(&[1], &[0.5, 1.0]), None);
    }

    #[test]
    fn one_bucket_can_tell_nothing() {
        assert_eq!(grouped(&[7], &[1.0]), Some(Fit { distance: 0.0, values: 7, p: 1.0 }));
    }
}
