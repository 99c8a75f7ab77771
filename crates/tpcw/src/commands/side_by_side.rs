//! `tpcw ab --side-by-side`: both sides are up at once, and one load goes to the one and the other in turns of a few seconds, A B B A,
//! until there is a verdict. What the machine does meanwhile falls on both.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use emulator::control::{Fault, NoControl};
use emulator::run::{Live, RunPlan};
use emulator::schedule::{Level, Phase, PhaseKind};
use emulator::usage;
use emulator::workload::Workload as Load;
use mysql_async::Opts;
use report::RunDir;
use report::compare::Change;
use report::compare::turns::{LEAST_QUARTETS, Look, Plan, look};
use report::folder::Folder;
use report::record::{BlockRow, Table};
use report::statistics::geometric_mean;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use super::ab::Side;
use super::load::inspect;
use crate::cli::AbArgs;
use crate::failure::{Failure, Kind, Outcome};
use crate::interrupt::Interrupt;
use crate::kept::Kept;
use crate::{target, workload};

/// Seconds of each block before those that are measured: browsers connect.
const WARM_UP: u32 = 1;
/// What a block takes beside its seconds, in s, for planning.
const OVERHEAD: f64 = 0.6;
/// The chance of a false alarm that is allowed.
const LEVEL: f64 = 0.02;
/// With fewer interactions a turn than this, chance which pages come decides.
const FEW: f64 = 200.0;
/// A browser thread above this share of a core measures itself.
const GENERATOR_BUSY: f64 = 0.95;

/// What is left in `comparison.json`.
#[derive(Serialize)]
struct Told<'a> {
    plan: &'a Plan,
    found: &'a Look,
}

/// One side, up.
struct Up {
    name: &'static str,
    target: Opts,
    load: Load,
    seed: u64,
    scale: bookstore::Scale,
    /// None where the target is not ours.
    cluster: Option<Kept>,
    /// Whether its processor time tells anything: not beside a fault, which the same process keeps up.
    counted: bool,
}

/// Compares both sides; the verdict is the exit code.
pub(super) async fn compare(
    args: &AbArgs,
    sides: &[Side; 2],
    folder: &RunDir,
    interrupt: &Interrupt,
) -> Outcome {
    let plan = planned(args)?;
    let fault = args.fault_b.as_deref().map(fault_of).transpose()?;
    let mut up = Vec::new();
    let targets = [&args.target_a, &args.target_b];
    for (side, url) in sides.iter().zip(targets) {
        match bring_up(side, url.as_deref(), interrupt).await {
            Ok(side) => up.push(Up { counted: fault.is_none(), ..side }),
            Err(failure) => {
                take_down(up).await;
                return Err(failure);
            }
        }
    }
    let measured = async {
        if let (Some(fault), Some(cluster)) = (fault, &up[1].cluster) {
            crate::say(&format!("B: every node: {}", cluster.strike(&fault).await?));
        }
        take_turns(args, &plan, &up, folder, interrupt).await
    };
    let measured = measured.await;
    take_down(up).await;
    let found = measured?;
    let told = Told { plan: &plan, found: &found };
    report::record::write_json(&folder.file("comparison.json"), &told).map_err(Failure::from_below)?;
    crate::print(&table(&found));
    crate::print(&format!("{}\n", folder.path().display()));
    match found.verdict {
        Change::Improved | Change::Unchanged => Ok(()),
        Change::Regressed => Err(Failure { kind: Kind::Verdict, message: String::new() }),
        Change::Inconclusive => Err(Failure { kind: Kind::NoVerdict, message: String::new() }),
    }
}

fn planned(args: &AbArgs) -> Outcome<Plan> {
    if !(1.0..=1440.0).contains(&args.minutes) {
        return Err(Failure::usage(format!("--minutes {}: allowed is 1 to 1440", args.minutes)));
    }
    let quartet = 4.0 * (f64::from(args.turn + WARM_UP) + OVERHEAD);
    let quartets = ((args.minutes * 60.0 / quartet) as u32).max(LEAST_QUARTETS);
    Ok(Plan { quartets, effect_pct: args.smallest_effect, level: LEVEL })
}

fn fault_of(words: &str) -> Outcome<Fault> {
    let words: Vec<&str> = words.split_whitespace().collect();
    let (name, rest) = words.split_first().ok_or_else(|| Failure::usage("--fault-b: the name of a fault"))?;
    Fault::parse(name, rest).map_err(|message| Failure::usage(format!("--fault-b: {message}")))
}

/// Whether B is to be struck in a way that only relays make possible; A has them too then.
pub(super) fn needs_relays(args: &AbArgs) -> bool {
    let fault = args.fault_b.as_deref().and_then(|words| fault_of(words).ok());
    fault.is_some_and(|fault| fault.needs_relay())
}

async fn bring_up(side: &Side, url: Option<&str>, interrupt: &Interrupt) -> Outcome<Up> {
    let resolved = workload::read(Some(&side.file.to_string_lossy()))?;
    let (cluster, target) = match url {
        Some(url) => (None, target::parse(url)?),
        None => {
            crate::say(&format!("{}: starting its cluster", side.name.to_uppercase()));
            let name = format!("ab-{}-{}", side.name, std::process::id());
            let kept = Kept::up(&side.program, &name, &side.file, interrupt).await?;
            let target = target::parse(kept.target())?;
            (Some(kept), target)
        }
    };
    let scale = match &cluster {
        Some(_) => resolved.scale(),
        None => inspect(&target).await?.scale,
    };
    let (seed, load) = (resolved.workload.seed, resolved.workload.load);
    Ok(Up { name: side.name, target, load, seed, scale, cluster, counted: true })
}

async fn take_down(sides: Vec<Up>) {
    for cluster in sides.into_iter().filter_map(|side| side.cluster) {
        cluster.down().await;
    }
}

/// Quartets until there is a verdict, or as many as planned.
async fn take_turns(
    args: &AbArgs,
    plan: &Plan,
    sides: &[Up],
    folder: &RunDir,
    interrupt: &Interrupt,
) -> Outcome<Look> {
    let mut table: Table<BlockRow> = Table::create(folder.path()).map_err(Failure::from_below)?;
    let (begun, mut blocks) = (Instant::now(), Vec::new());
    loop {
        let quartet = blocks.len() as u32 / 4;
        // Who comes first changes from quartet to quartet.
        let first = (quartet % 2) as usize;
        for which in [first, 1 - first, 1 - first, first] {
            let second = begun.elapsed().as_secs_f64();
            let number = blocks.len();
            let place = folder.file(&format!("block-{number:04}"));
            let row = block(&sides[which], args.turn, &place, number, interrupt).await?;
            let row = BlockRow { second, quartet, ..row };
            table.append(&row).map_err(Failure::from_below)?;
            blocks.push(row);
        }
        let seen = quartet + 1;
        if seen == 1
            && let Some(hint) = hint(&blocks, args.turn)
        {
            crate::say(&hint);
        }
        if !plan.looks_at(seen) {
            continue;
        }
        let found = look(&blocks, plan);
        crate::say(&format!("{seen} of {} quartets: {}", plan.quartets, line(&found)));
        if found.over {
            return Ok(found);
        }
    }
}

/// What to change where the turns hold too little to tell anything.
fn hint(blocks: &[BlockRow], turn: u32) -> Option<String> {
    let rate = blocks.iter().map(|block| block.wips).sum::<f64>() / blocks.len().max(1) as f64;
    let held = rate * f64::from(turn);
    (held < FEW).then(|| {
        format!(
            "only {held:.0} interactions a turn, below {FEW:.0} small changes are hardly found: more --sessions, a longer --turn, \
             a shorter load.think_time (--set-a and --set-b), or the workload `gate`"
        )
    })
}

/// The browsers of both sides' turns side by side see the same pages and think for the same times: what they draw differs from pair to
/// pair, not within one (common random numbers).
fn seed_of(side: &Up, number: usize) -> u64 {
    side.seed.wrapping_add(number as u64 / 2)
}

/// Some seconds of load on one side.
async fn block(
    side: &Up,
    turn: u32,
    place: &Path,
    number: usize,
    interrupt: &Interrupt,
) -> Outcome<BlockRow> {
    std::fs::create_dir(place)
        .map_err(|error| Failure::surroundings(format!("cannot make {}: {error}", place.display())))?;
    let process = side.cluster.as_ref().filter(|_| side.counted).map(Kept::pid);
    let before = process.and_then(usage::of_tree);
    let (progress, _seen) = watch::channel(Live::default());
    let plan = RunPlan {
        workload: short(&side.load, turn),
        target: side.target.clone(),
        scale: side.scale,
        seed: seed_of(side, number),
        folder: place.to_owned(),
        control: Arc::new(NoControl),
        metrics: None,
    };
    let outcome =
        emulator::run::run(plan, progress, interrupt.stop.clone()).await.map_err(Failure::from_below)?;
    if outcome.interrupted {
        return Err(Failure { kind: Kind::Interrupted, message: String::new() });
    }
    let used =
        process.and_then(usage::of_tree).zip(before).map(|(after, before)| after.saturating_sub(before));
    let folder = RunDir::open(place).and_then(|run| Folder::read(&run)).map_err(Failure::from_below)?;
    let row = figures(&folder, used.map(|used| used.as_secs_f64() * 1e6));
    std::fs::remove_dir_all(place)
        .map_err(|error| Failure::surroundings(format!("cannot remove {}: {error}", place.display())))?;
    row.map(|row| BlockRow { side: side.name.to_owned(), ..row }).map_err(|message| Failure {
        kind: Kind::NoVerdict,
        message: format!("block {number} of {} is no measurement: {message}", side.name.to_uppercase()),
    })
}

/// The workload's load as it is at its peak, for a moment, with nothing that disturbs it.
fn short(load: &Load, turn: u32) -> Load {
    let phase = |name: &str, kind, seconds| Phase {
        name: name.to_owned(),
        kind,
        seconds,
        until: None,
        least_seconds: 0,
        sessions: Level::default(),
        ramp_seconds: 0,
    };
    let phases = vec![phase("warm-up", PhaseKind::Warmup, WARM_UP), phase("turn", PhaseKind::Measure, turn)];
    Load { phases, events: Vec::new(), chaos: None, stop_after: None, ..load.clone() }
}

/// What a block came to; `cpu_us`: what the side used in it.
fn figures(folder: &Folder, cpu_us: Option<f64>) -> Result<BlockRow, String> {
    let (mut done, mut failed, mut seconds) = (0, 0, 0);
    for second in folder.measured() {
        (done, failed, seconds) = (done + second.interactions, failed + second.errors, seconds + 1);
    }
    if done == 0 {
        return Err("no interaction ended well".to_owned());
    }
    let busiest = folder.generator.iter().map(|row| row.cpu_share).fold(0.0, f64::max);
    if busiest > GENERATOR_BUSY {
        return Err(format!("the generator's busiest thread used {:.0} % of a core", 100.0 * busiest));
    }
    // Processor time is counted over the whole block, so are statements.
    let statements: u64 = folder.seconds.iter().map(|second| second.reads + second.writes).sum();
    let all = &folder.latencies.all;
    Ok(BlockRow {
        wips: done as f64 / f64::from(seconds),
        mean_ms: all.mean() / 1000.0,
        geomean_ms: geometric_mean(all).map(|us| us / 1000.0),
        p90_ms: all.value_at_quantile(0.9) as f64 / 1000.0,
        errors_pct: 100.0 * failed as f64 / (done + failed) as f64,
        cpu_us: cpu_us.filter(|_| statements > 0).map(|us| us / statements as f64),
        ..BlockRow::default()
    })
}

fn line(found: &Look) -> String {
    let figures = found.figures.iter().filter(|figure| figure.name != "errors_pct");
    let changes: Vec<String> =
        figures.map(|figure| format!("{} {:+.1} %", figure.name, figure.change)).collect();
    format!("{} so far: {}", found.verdict.name(), changes.join(", "))
}

fn table(found: &Look) -> String {
    let mut text = format!(
        "{} after {} quartets\n{:<12}{:>12}{:>12}{:>10}{:>22}{:>10}  verdict\n",
        found.verdict.name(),
        found.quartets,
        "figure",
        "A",
        "B",
        "change",
        "interval",
        "chance"
    );
    for figure in &found.figures {
        let unit = if figure.name == "errors_pct" { "pts" } else { "%" };
        let interval = format!("{:+.2} to {:+.2}", figure.interval.0, figure.interval.1);
        text.push_str(&format!(
            "{:<12}{:>12.2}{:>12.2}{:>8.2} {:<3}{:>20}{:>10.4}  {}\n",
            figure.name,
            figure.a,
            figure.b,
            figure.change,
            unit,
            interval,
            figure.chance,
            figure.verdict.name()
        ));
    }
    text
}

/// Where a session's files go.
pub(super) fn folder(out: Option<&PathBuf>) -> Outcome<RunDir> {
    let base = Path::new("reports");
    RunDir::create(base, "ab-side-by-side", out.map(PathBuf::as_path)).map_err(Failure::from_below)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> AbArgs {
        use clap::Parser as _;
        let words = ["tpcw", "ab", "smoke", "--self", "--side-by-side"].iter().chain(words);
        match crate::cli::Cli::try_parse_from(words).expect("allowed").command {
            crate::cli::Command::Ab(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn five_minutes_are_planned_as_such() {
        let plan = planned(&args(&[])).expect("allowed");
        assert_eq!((plan.quartets, plan.effect_pct), (20, 5.0));
        let plan = planned(&args(&["--minutes", "1", "--turn", "10"])).expect("allowed");
        assert_eq!(plan.quartets, LEAST_QUARTETS, "fewer make no sense");
        assert_eq!(planned(&args(&["--minutes", "0.5"])).expect_err("too few").kind.code(), 2);
    }

    #[test]
    fn a_fault_for_b_is_read_as_on_the_command_line_of_a_cluster() {
        assert_eq!(fault_of("slow 95").ok(), Some(Fault::Slow { percent: 95 }));
        for wrong in ["", "slow much", "explode"] {
            assert_eq!(fault_of(wrong).expect_err(wrong).kind.code(), 2);
        }
    }

    #[test]
    fn turns_that_hold_too_little_are_told() {
        let blocks = |wips| vec![BlockRow { wips, ..BlockRow::default() }; 4];
        assert_eq!(hint(&blocks(450.0), 2), None);
        let told = hint(&blocks(3.5), 2).expect("far too few");
        assert!(told.starts_with("only 7 interactions a turn") && told.contains("`gate`"), "{told}");
        assert_eq!(hint(&blocks(3.5), 100), None, "a longer turn helps");
    }

    #[test]
    fn a_block_has_nothing_in_it_that_disturbs() {
        let chaos = workload::read(Some("chaos")).expect("built in").workload.load;
        let short = short(&chaos, 2);
        assert_eq!((short.seconds(), short.chaos.is_none(), short.check()), (3, true, Ok(())));
        assert_eq!(short.sessions, chaos.sessions);
    }
}
