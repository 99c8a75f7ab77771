//! `tpcw ab`: two targets, builds or settings in turns (A B B A) on one machine, then the verdict of `tpcw compare`.

use std::path::{Path, PathBuf};

use report::RunDir;
use report::compare::{Change, Comparison, Figure, Options};
use report::summary::ValidityState;
use toml::{Table, Value};

use super::side_by_side;
use crate::cli::{AbArgs, RunArgs};
use crate::failure::{Failure, Kind, Outcome};
use crate::interrupt::Interrupt;
use crate::trial::Trial;
use crate::workload;

/// What makes a side what it is.
#[derive(Clone, PartialEq)]
struct Asked<'a> {
    set: &'a [String],
    target: Option<&'a String>,
    build: Option<&'a PathBuf>,
}

/// The two, as asked for.
fn asked(args: &AbArgs) -> [Asked<'_>; 2] {
    let a = Asked { set: &args.set_a, target: args.target_a.as_ref(), build: args.build_a.as_ref() };
    let b = Asked { set: &args.set_b, target: args.target_b.as_ref(), build: args.build_b.as_ref() };
    if args.self_test { [a.clone(), a] } else { [a, b] }
}

/// One of the two, ready to run.
pub(super) struct Side {
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
    pub(super) file: PathBuf,
    flags: Vec<String>,
}

/// Runs both sides in turns and compares them.
pub async fn ab(args: AbArgs, interrupt: &Interrupt) -> Outcome {
    let options = options(&args)?;
    let mut resolved = workload::resolve(
        workload::read(Some(&args.workload))?,
        &RunArgs {
            sessions: args.sessions,
            duration: args.duration.clone(),
            warm_up: args.warm_up,
            ..RunArgs::default()
        },
    )?;
    let session = if args.side_by_side { Some(side_by_side::folder(args.out.as_ref())?) } else { None };
    let folder = match &session {
        Some(session) => session.path().to_owned(),
        None => args.out.clone().unwrap_or_else(|| PathBuf::from("reports/ab")),
    };
    if args.side_by_side {
        // A cluster that is kept up has what it takes to break it, unless told that nobody will.
        let cluster = &mut resolved.workload.cluster;
        cluster.relays.get_or_insert(side_by_side::needs_relays(&args));
        cluster.watch_writes.get_or_insert(false);
    }
    let text = toml::to_string(&resolved.workload).map_err(Failure::from_below)?;
    let [a, b] = asked(&args);
    let sides =
        [side("a", &folder, &resolved.name, &text, &a)?, side("b", &folder, &resolved.name, &text, &b)?];
    if let Some(session) = &session {
        return side_by_side::compare(&args, &sides, session, interrupt).await;
    }
    let mut runs: [Vec<RunDir>; 2] = Default::default();
    for (number, which) in turns(args.blocks).enumerate() {
        let side = &sides[which];
        let order = runs[which].len() + 1;
        crate::say(&format!("run {} of {}: {}", number + 1, args.blocks * 4, side.name.to_uppercase()));
        let trial = Trial {
            program: &side.program,
            workload: &side.file,
            flags: side.flags.clone(),
            folder: folder.join(side.name).join(format!("{order:04}")),
        };
        let summary = trial.run(interrupt).await?;
        if summary.validity.state == ValidityState::Invalid {
            let reasons = summary.validity.invalid_reasons.join("; ");
            let message = format!("run {order} of {} is no measurement: {reasons}", side.name.to_uppercase());
            return Err(Failure { kind: Kind::NoVerdict, message });
        }
        runs[which].push(RunDir::open(&trial.folder).map_err(Failure::from_below)?);
    }
    let [a, b] = &runs;
    let found = report::compare::compare(a, b, &options).map_err(Failure::from_below)?;
    report::record::write_json(&folder.join("comparison.json"), &found).map_err(Failure::from_below)?;
    tell(&args, &found)
}

/// A B B A, A B B A, …: what drifts evenly with time falls on both alike.
fn turns(blocks: u32) -> impl Iterator<Item = usize> {
    (0..blocks).flat_map(|_| [0, 1, 1, 0])
}

fn options(args: &AbArgs) -> Outcome<Options> {
    if !(1..=1000).contains(&args.blocks) {
        return Err(Failure::usage(format!("--blocks {}: allowed is 1 to 1000", args.blocks)));
    }
    if !(0.1..=100.0).contains(&args.smallest_effect) {
        return Err(Failure::usage(format!(
            "--smallest-effect {}: allowed is 0.1 to 100",
            args.smallest_effect
        )));
    }
    let [a, b] = asked(args);
    if !args.self_test && a == b && args.fault_b.is_none() {
        return Err(Failure::usage(
            "both sides are the same: give --set-b, --target-b or --build-b, or --self to learn what this machine can tell",
        ));
    }
    // Settings that differ are the question, not an obstacle; runs that are no measurement were refused before.
    let force = a != b;
    let smallest_effect_pct = args.smallest_effect;
    Ok(Options { smallest_effect_pct, run_noise_pct: 0.0, block_s: args.block, force, ..Options::default() })
}

fn side(name: &'static str, folder: &Path, workload: &str, text: &str, asked: &Asked<'_>) -> Outcome<Side> {
    let cannot = |what: &Path, error: std::io::Error| {
        Failure::surroundings(format!("cannot write {}: {error}", what.display()))
    };
    let mut table: Table = text.parse().map_err(Failure::from_below)?;
    for setting in asked.set {
        set(&mut table, setting)
            .map_err(|message| Failure::usage(format!("--set-{name} {setting}: {message}")))?;
    }
    let own = folder.join(name);
    std::fs::create_dir_all(&own).map_err(|error| cannot(&own, error))?;
    let file = own.join(format!("{workload}.toml"));
    let text = table.to_string();
    if std::fs::read_to_string(&file).is_ok_and(|known| known != text) {
        return Err(Failure::usage(format!(
            "{} holds runs with other settings; choose another --out",
            own.display()
        )));
    }
    std::fs::write(&file, text).map_err(|error| cannot(&file, error))?;
    let path = file.to_string_lossy();
    workload::read(Some(&path))?;
    let program = match asked.build {
        Some(build) => build.clone(),
        None => std::env::current_exe().map_err(Failure::from_below)?,
    };
    let flags = asked.target.iter().flat_map(|url| ["--target".to_owned(), (*url).clone()]).collect();
    Ok(Side { name, program, file, flags })
}

/// Sets one key of a workload, given as `balancer.strategy = "random"`; quotes around words may be left out.
fn set(table: &mut Table, setting: &str) -> Result<(), String> {
    let (path, value) = setting.split_once('=').ok_or("KEY=VALUE is expected")?;
    let value = value.trim();
    let read: Result<Table, _> = format!("value = {value}").parse();
    let value = read
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(value.to_owned()));
    let mut keys: Vec<&str> = path.trim().split('.').collect();
    let last = keys.pop().filter(|key| !key.is_empty()).ok_or("a key is expected")?;
    let mut at = table;
    for key in keys {
        let inner = at.entry(key).or_insert_with(|| Value::Table(Table::new()));
        at = inner.as_table_mut().ok_or_else(|| format!("`{key}` is no table"))?;
    }
    at.insert(last.to_owned(), value);
    Ok(())
}

fn tell(args: &AbArgs, found: &Comparison) -> Outcome {
    crate::print(&report::compare::text(found));
    if args.self_test {
        crate::print(
            "\nthe smallest differences that these runs could have shown, nineteen times in twenty:\n",
        );
        for figure in found.figures.iter().filter(|figure| figure.gates) {
            let words =
                smallest(figure).map_or("unknown: too few pairs".to_owned(), |pct| format!("{pct:.1} %"));
            crate::print(&format!("  {:<24}{words}\n", figure.name));
        }
    }
    match found.verdict {
        Change::Improved | Change::Unchanged => Ok(()),
        Change::Regressed => Err(Failure { kind: Kind::Verdict, message: String::new() }),
        Change::Inconclusive => Err(Failure { kind: Kind::NoVerdict, message: String::new() }),
    }
}

/// Half of the interval is what the level's quantile makes of the standard error (2.576 at 1 %); to be found nineteen times in twenty a
/// difference must lie 1.645 standard errors beyond that.
fn smallest(figure: &Figure) -> Option<f64> {
    const LEVEL: f64 = 2.576;
    const POWER: f64 = 1.645;
    figure.interval.map(|(low, high)| (high - low).abs() / 2.0 * (LEVEL + POWER) / LEVEL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_take_turns_in_mirrored_order() {
        assert_eq!(turns(2).collect::<Vec<_>>(), [0, 1, 1, 0, 0, 1, 1, 0]);
    }

    #[test]
    fn settings_are_put_where_their_key_says() {
        let mut table: Table = "[load]\nsessions = 60\n".parse().expect("a table");
        for setting in ["load.sessions=30", "balancer.strategy = random", "balancer.pool.size = 7", "seed=3"]
        {
            set(&mut table, setting).expect(setting);
        }
        let expected =
            "seed = 3\n[load]\nsessions = 30\n[balancer]\nstrategy = 'random'\n[balancer.pool]\nsize = 7\n";
        assert_eq!(table, expected.parse::<Table>().expect("a table"));
        for wrong in ["load.sessions", "=3", "seed.x=1"] {
            assert!(set(&mut table, wrong).is_err(), "{wrong}");
        }
    }
}
