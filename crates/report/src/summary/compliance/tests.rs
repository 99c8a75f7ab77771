//! Right samplers fit, wrong ones do not, and what is not told is not judged.

use super::*;
use crate::record::{InteractionRow, SecondRow, ThinkRow, TransitionRow, VisitRow};
use crate::statistics::random::SplitMix64;

/// Uniform in (0, 1].
fn unit(random: &mut SplitMix64) -> f64 {
    ((random.draw() >> 11) as f64 + 1.0) / (1_u64 << 53) as f64
}

fn exponential(random: &mut SplitMix64, mean: f64) -> f64 {
    -unit(random).ln() * mean
}

/// Counts in buckets up to a cut, and one beyond it if anything lies there.
fn counted(values: &[f64], cut: f64, buckets: usize) -> Vec<(f64, u64)> {
    let width = cut / buckets as f64;
    let mut counts: Vec<(f64, u64)> = (1..=buckets).map(|n| (n as f64 * width, 0)).collect();
    let mut beyond: (f64, u64) = (0.0, 0);
    for value in values {
        match counts.get_mut(((value / width - 1e-9).ceil() as usize).saturating_sub(1)) {
            Some(bucket) => bucket.1 += 1,
            None => beyond = (beyond.0.max(*value), beyond.1 + 1),
        }
    }
    counts.extend((beyond.1 > 0).then_some(beyond));
    counts
}

fn thinking(draw: impl Fn(&mut SplitMix64) -> f64) -> ThinkTimes {
    let mut random = SplitMix64::new(21);
    let drawn: Vec<f64> = (0..20_000).map(|_| draw(&mut random)).collect();
    let slept: Vec<f64> = drawn.iter().map(|drawn| drawn + 1.0).collect();
    let (drawn, slept) = (counted(&drawn, 70_000.0, 100), counted(&slept, 70_000.0, 100));
    let row = |at: usize| ThinkRow {
        le_ms: drawn.get(at).or(slept.get(at)).map_or(0.0, |bucket| bucket.0),
        count: drawn.get(at).map_or(0, |bucket| bucket.1),
        slept: slept.get(at).map_or(0, |bucket| bucket.1),
    };
    let mut folder =
        Folder { thinks: (0..drawn.len().max(slept.len())).map(row).collect(), ..Folder::default() };
    (folder.manifest.think_mean_ms, folder.manifest.think_max_ms) = (7_000.0, 70_000.0);
    think_time(&folder).expect("told")
}

#[test]
fn think_times_fit_the_distribution_they_were_asked_for_and_no_other() {
    let right = thinking(|random| exponential(random, 7_000.0).min(70_000.0));
    assert_eq!((right.slept.verdict, right.drawn.verdict), (Agreement::Fits, Agreement::Fits), "{right:?}");
    assert!(right.specification && right.drawn.n == 20_000 && right.beyond_cut == 0);
    assert!((right.mean_ms / 7_000.0 - 1.0).abs() < 0.02, "{right:?}");
    let uniform = thinking(|random| 14_000.0 * unit(random));
    assert_eq!(
        (uniform.slept.verdict, uniform.drawn.verdict),
        (Agreement::DoesNotFit, Agreement::DoesNotFit)
    );
    let longer = thinking(|random| exponential(random, 8_000.0).min(70_000.0));
    assert_eq!((longer.slept.verdict, longer.drawn.p), (Agreement::DoesNotFit, Some(0.0)));
    let uncut = thinking(|random| {
        exponential(random, 7_000.0) + if random.below(5_000) == 0 { 70_000.0 } else { 0.0 }
    });
    assert!(uncut.beyond_cut > 0 && uncut.drawn.verdict == Agreement::DoesNotFit, "{uncut:?}");
}

fn visiting(count: usize, draw: impl Fn(&mut SplitMix64) -> f64) -> SessionLengths {
    let mut random = SplitMix64::new(22);
    let planned: Vec<f64> = (0..count).map(|_| draw(&mut random)).collect();
    let row = |(le_ms, planned)| VisitRow { le_ms, planned, ended: planned / 2, lasted: 0 };
    let visits = counted(&planned, 3_600_000.0, 80).into_iter().map(row).collect();
    let mut folder = Folder { visits, ..Folder::default() };
    (folder.manifest.visit_mean_ms, folder.manifest.visit_max_ms) = (900_000.0, 3_600_000.0);
    session_length(&folder).expect("told")
}

#[test]
fn lengths_of_visits_fit_the_distribution_they_were_asked_for_and_no_other() {
    let right = visiting(600, |random| exponential(random, 900_000.0).min(3_600_000.0));
    assert_eq!((right.planned.verdict, right.planned.n, right.specification), (Agreement::Fits, 600, true));
    assert!((right.mean_s / 900.0 - 1.0).abs() < 0.15 && right.ended > 200, "{right:?}");
    let uncut = visiting(600, |random| exponential(random, 900_000.0));
    assert!(uncut.beyond_cut > 0 && uncut.planned.verdict == Agreement::DoesNotFit, "{uncut:?}");
    let shorter = visiting(600, |random| exponential(random, 600_000.0).min(3_600_000.0));
    assert_eq!(shorter.planned.verdict, Agreement::DoesNotFit);
    let few = visiting(5, |random| exponential(random, 900_000.0));
    assert_eq!((few.planned.verdict, few.planned.p), (Agreement::TooFew, None));
}

#[test]
fn what_the_folder_does_not_tell_is_not_judged() {
    let mut folder = Folder::default();
    assert_eq!(Compliance::of(&folder), Compliance::default());
    // A folder of an older version: think times drawn, but not those taken.
    (folder.manifest.think_mean_ms, folder.manifest.think_max_ms) = (7_000.0, 70_000.0);
    folder.thinks = vec![ThinkRow { le_ms: 700.0, count: 50, slept: 0 }];
    folder.transitions =
        vec![TransitionRow { from: "home".into(), to: "search_request".into(), ..Default::default() }];
    let row = |name: &str, count, target_share_pct| InteractionRow {
        interaction: name.to_owned(),
        count,
        target_share_pct,
        ..InteractionRow::default()
    };
    folder.interactions = vec![row("home", 520, 50.0), row("search_request", 480, 50.0)];
    let found = Compliance::of(&folder);
    assert_eq!((&found.think_time, &found.transitions, &found.session_length), (&None, &None, &None));
    let mix = found.mix.expect("shares are told");
    assert!(mix.name.contains("independent") && (mix.statistic - 1.6).abs() < 1e-9, "{mix:?}");
}

#[test]
fn the_walk_is_judged_by_the_chances_of_its_own_table() {
    let chances =
        [("home", "home", 0.2), ("home", "cart", 0.8), ("cart", "home", 0.5), ("cart", "cart", 0.5)];
    let walked = |drawn: [u64; 4]| {
        let row = |((from, to, chance), drawn): (&(&str, &str, f64), u64)| TransitionRow {
            from: (*from).to_owned(),
            to: (*to).to_owned(),
            count: drawn,
            drawn,
            chance: *chance,
        };
        let page = |name: &str, count| InteractionRow {
            interaction: name.to_owned(),
            count,
            ..InteractionRow::default()
        };
        Folder {
            transitions: chances.iter().zip(drawn).map(row).collect(),
            interactions: vec![page("home", drawn[0] + drawn[2]), page("cart", drawn[1] + drawn[3])],
            ..Folder::default()
        }
    };
    // In the long run home has 5/13 of the pages.
    let right = Compliance::of(&walked([205, 795, 800, 800]));
    assert_eq!(
        right.transitions.as_ref().map(|test| (test.verdict, test.freedom, test.n)),
        Some((Agreement::Fits, Some(2), 2_600))
    );
    assert_eq!(right.mix.as_ref().map(|test| (test.verdict, test.freedom)), Some((Agreement::Fits, Some(1))));
    assert!(right.mix.expect("told").name.contains("walk"));
    let wrong = Compliance::of(&walked([400, 600, 600, 1_000]));
    assert_eq!(wrong.transitions.map(|test| test.verdict), Some(Agreement::DoesNotFit));
}

#[test]
fn the_rate_keeps_the_scaling_rule_or_not() {
    let at = |per_second: u64, sessions: u32, think_ms: f64| {
        let row = |second| SecondRow {
            second,
            sessions,
            interactions: per_second,
            measured: true,
            ..SecondRow::default()
        };
        let mut folder = Folder { seconds: (0..600).map(row).collect(), ..Folder::default() };
        folder.manifest.think_mean_ms = think_ms;
        scaling(&folder)
    };
    let kept = at(130, 1_000, 7_000.0).expect("judged");
    assert!(kept.within && (kept.low, kept.high) == (71.429, 142.857), "{kept:?}");
    assert!(!at(60, 1_000, 7_000.0).expect("judged").within, "pages take longer than their thinking");
    assert!(!at(150, 1_000, 7_000.0).expect("judged").within, "more than browsers can ask for");
    assert!(at(143, 1_000, 7_000.0).expect("judged").within, "beyond the bound by less than chance");
    assert_eq!(at(130, 1_000, 500.0), None, "another think time");
    assert_eq!(at(0, 0, 7_000.0), None);
}
