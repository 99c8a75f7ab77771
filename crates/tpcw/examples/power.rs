//! How surely `tpcw ab --side-by-side` finds a slowdown, and how often it cries wolf, on this machine.
//!
//! ```text
//! cargo build --release -p tpcw --features planted --bin tpcw --example power
//! target/release/examples/power live 20 0 5 DIR      # 20 sessions of at most 5 minutes, A against A
//! target/release/examples/power live 20 5 5 DIR      # … with B's balancer passing each answer on 5 % later
//! target/release/examples/power resample DIR 2000    # false alarms and power from the blocks of sessions A against A
//! ```
//!
//! A session that was cut off is made again; whole ones in DIR are judged again and counted, not repeated. Resampling takes the quartets of one whole session
//! at a time in another order, swaps their sides by a coin, and makes B slower by arithmetic: what a real slowdown of that size would do to the
//! same noise, to the latency and the processor time by that share, to the rate by what it adds to a browser's page and thinking. What differs
//! between two equal clusters for as long as they live is not in it: that is what live sessions are for.
//!
//! Both sides are the same build; B's is told by `TPCW_PLANTED_SLOWER_PCT` to keep each answer of a node back for that share of the time
//! that it took, busily, as slower code would.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to people on a terminal")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use report::compare::Change;
use report::compare::turns::{Look, Plan, look};
use report::record::{BlockRow, read_table};
use report::statistics::random::SplitMix64;
use serde_json::Value;

/// Slowdowns that resampling plants, in per cent.
const EFFECTS: [f64; 8] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0];
/// Browsers of the workload `gate`.
const BROWSERS: f64 = 10.0;
/// Quartets of a whole session.
const QUARTETS: usize = 20;
/// Sessions A against A in a folder of sessions have this in their name.
const EQUAL: &str = "live-0-";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["live", sessions, slower, minutes, folder] => live(sessions, slower, minutes, Path::new(folder)),
        ["resample", folder, rounds] => resample(Path::new(folder), rounds),
        _ => Err("power: `live SESSIONS PERCENT MINUTES DIR` or `resample DIR ROUNDS`".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn number<N: std::str::FromStr>(what: &str, text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("power: {what} `{text}` is no number"))
}

/// Real sessions, one after the other.
fn live(sessions: &str, slower: &str, minutes: &str, folder: &Path) -> Result<(), String> {
    let (sessions, slower): (u32, f64) = (number("SESSIONS", sessions)?, number("PERCENT", slower)?);
    let _: f64 = number("MINUTES", minutes)?;
    if !(0.0..=1000.0).contains(&slower) {
        return Err("power: PERCENT: allowed is 0 to 1000".to_owned());
    }
    let build = slowed(slower, folder)?;
    let mut found = Verdicts::default();
    for session in 1..=sessions {
        let place = folder.join(format!("live-{slower}-{session:03}"));
        if !place.join("comparison.json").is_file() {
            if place.join("blocks.csv").is_file() || place.join("a").is_dir() {
                std::fs::remove_dir_all(&place).map_err(|error| format!("{}: {error}", place.display()))?;
            }
            let mut command = Command::new(program()?);
            command.args(["ab", "gate", "--side-by-side", "--minutes", minutes]);
            command.arg("--build-b").arg(&build).arg("--out").arg(&place);
            let status = command.status().map_err(|error| error.to_string())?;
            println!("session {session}: {status}");
        }
        match verdict(&place) {
            Some(told) => found.take(&told),
            None => found.broken += 1,
        }
    }
    println!("\nlive, B's balancer slower by {slower} % of each answer, at most {minutes} min:");
    found.print(slower > 0.0);
    Ok(())
}

/// The program with a balancer that is slower by so many per cent of each answer, as a build of its own.
fn slowed(percent: f64, folder: &Path) -> Result<PathBuf, String> {
    use std::os::unix::fs::PermissionsExt;
    let cannot = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(cannot)?;
    let file = folder.canonicalize().map_err(cannot)?.join(format!("slower-{percent}.sh"));
    let program = program()?;
    let text =
        format!("#!/bin/sh\n{}={percent} exec '{}' \"$@\"\n", balancer::planted::SLOWER, program.display());
    std::fs::write(&file, text).map_err(cannot)?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).map_err(cannot)?;
    Ok(file)
}

/// The verdict at the first look that gives one, by the method of this build; `None` where a session cannot be read, or ended before this method
/// would have ended it: such a one is counted as without an answer, not run again, for those are not the easy ones.
fn verdict(place: &Path) -> Option<Look> {
    let text = std::fs::read_to_string(place.join("comparison.json")).ok()?;
    let told: Value = serde_json::from_str(&text).ok()?;
    let plan: Plan = serde_json::from_value(told["plan"].clone()).ok()?;
    let blocks: Vec<BlockRow> = read_table(place).ok()?;
    let looks = (1..=blocks.len() / 4).filter(|seen| plan.looks_at(*seen as u32));
    looks.map(|seen| look(&blocks[..4 * seen], &plan)).find(|found| found.over)
}

#[derive(Default)]
struct Verdicts {
    regressed: u32,
    improved: u32,
    unchanged: u32,
    inconclusive: u32,
    broken: u32,
    /// How many found each figure changed for worse or better.
    by_figure: BTreeMap<String, u32>,
    /// Changes of each figure, in per cent.
    changes: BTreeMap<String, Vec<f64>>,
    quartets: Vec<f64>,
}

impl Verdicts {
    fn take(&mut self, found: &Look) {
        match found.verdict {
            Change::Regressed => self.regressed += 1,
            Change::Improved => self.improved += 1,
            Change::Unchanged => self.unchanged += 1,
            Change::Inconclusive => self.inconclusive += 1,
        }
        for figure in &found.figures {
            self.changes.entry(figure.name.clone()).or_default().push(figure.change);
            let changed = matches!(figure.verdict, Change::Regressed | Change::Improved);
            *self.by_figure.entry(figure.name.clone()).or_default() += u32::from(changed);
        }
        self.quartets.push(f64::from(found.quartets));
    }

    fn print(&self, slowed: bool) {
        let all = self.regressed + self.improved + self.unchanged + self.inconclusive;
        let share = |count: u32| 100.0 * f64::from(count) / f64::from(all.max(1));
        println!(
            "{all} sessions: {} regressed ({:.1} %), {} improved, {} unchanged, {} inconclusive; {} without an answer",
            self.regressed,
            share(self.regressed),
            self.improved,
            self.unchanged,
            self.inconclusive,
            self.broken
        );
        if !slowed {
            println!(
                "false alarms: {} ({:.1} %)",
                self.regressed + self.improved,
                share(self.regressed + self.improved)
            );
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        println!("after {:.1} quartets in the mean", mean(&self.quartets));
        for (name, changes) in &self.changes {
            let most = changes.iter().fold(f64::NEG_INFINITY, |most, change| most.max(*change));
            let least = changes.iter().fold(f64::INFINITY, |least, change| least.min(*change));
            println!(
                "{name:<12} of B {:+.2} % in the mean ({least:+.2} to {most:+.2}); changed in {} sessions",
                mean(changes),
                self.by_figure[name]
            );
        }
    }
}

/// The table of power against size of effect, from the blocks of sessions A against A.
fn resample(folder: &Path, rounds: &str) -> Result<(), String> {
    let rounds: u32 = number("ROUNDS", rounds)?;
    let sessions = recorded(folder)?;
    let quartets: usize = sessions.iter().map(Vec::len).sum();
    println!(
        "{} sessions, {quartets} quartets; {rounds} resampled sessions for each size of effect",
        sessions.len()
    );
    print_power(&sessions, rounds);
    println!("\nwithout processor time, as of a foreign target:");
    let blind = |block: BlockRow| BlockRow { cpu_us: None, ..block };
    let blind: Vec<Vec<Quartet>> = sessions
        .into_iter()
        .map(|session| session.into_iter().map(|quartet| quartet.into_iter().map(blind).collect()).collect())
        .collect();
    print_power(&blind, rounds);
    Ok(())
}

/// The table: for each size of effect what so many resampled sessions came to.
fn print_power(sessions: &[Vec<Quartet>], rounds: u32) {
    println!(
        "{:>8} {:>12} {:>12} {:>12} {:>14} {:>10}",
        "slower", "regressed", "improved", "unchanged", "inconclusive", "quartets"
    );
    for effect in EFFECTS {
        let mut random = SplitMix64::new(7);
        let (mut counts, mut used) = ([0_u32; 4], 0_u64);
        for _ in 0..rounds {
            let session = &sessions[random.below(sessions.len())];
            let (verdict, quartets) = one(session, effect, &mut random);
            counts[verdict as usize] += 1;
            used += u64::from(quartets);
        }
        let share = |verdict: Change| 100.0 * f64::from(counts[verdict as usize]) / f64::from(rounds.max(1));
        println!(
            "{effect:>6} % {:>10.1} % {:>10.1} % {:>10.1} % {:>12.1} % {:>10.1}",
            share(Change::Regressed),
            share(Change::Improved),
            share(Change::Unchanged),
            share(Change::Inconclusive),
            used as f64 / f64::from(rounds.max(1))
        );
    }
}

type Quartet = Vec<BlockRow>;

/// Whole quartets of every session A against A.
fn recorded(folder: &Path) -> Result<Vec<Vec<Quartet>>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut places: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    places.sort();
    let equal =
        |place: &&PathBuf| place.file_name().is_some_and(|name| name.to_string_lossy().starts_with(EQUAL));
    let mut sessions = Vec::new();
    for place in places.iter().filter(equal) {
        let rows: Vec<BlockRow> = read_table(place).map_err(|error| error.to_string())?;
        let whole = rows.chunk_by(|a, b| a.quartet == b.quartet).filter(|quartet| quartet.len() == 4);
        let whole: Vec<Quartet> = whole.map(<[BlockRow]>::to_vec).collect();
        // Fewer would have to be drawn twice, and what comes twice looks steadier than it is.
        sessions.extend((whole.len() >= QUARTETS).then_some(whole));
    }
    if sessions.is_empty() {
        return Err(format!("{} holds no session `{EQUAL}NNN` of {QUARTETS} quartets", folder.display()));
    }
    Ok(sessions)
}

/// The quartets of a session in another order and with their sides swapped by luck, with B slower by so many per cent: its verdict and its
/// length. Drawing quartets with replacement instead makes a session whose noise is not the one that was met: some come three times.
fn one(session: &[Quartet], slower_pct: f64, random: &mut SplitMix64) -> (Change, u32) {
    let plan = Plan { quartets: QUARTETS as u32, effect_pct: 5.0, level: 0.02 };
    let factor = 1.0 + slower_pct / 100.0;
    let mut blocks: Vec<BlockRow> = Vec::new();
    let mut left: Vec<&Quartet> = session.iter().collect();
    for quartet in 0..plan.quartets {
        let drawn = left.swap_remove(random.below(left.len()));
        // Which of two equal sides is called B is luck.
        let swapped = random.coin();
        for block in drawn {
            let is_b = (block.side == "b") != swapped;
            let mut block =
                BlockRow { quartet, side: if is_b { "b" } else { "a" }.to_owned(), ..block.clone() };
            if is_b {
                // Browsers think for as long as before.
                let cycle_ms = 1000.0 * BROWSERS / block.wips;
                block.wips *= cycle_ms / (cycle_ms + block.mean_ms * (factor - 1.0));
                block.mean_ms *= factor;
                block.geomean_ms = block.geomean_ms.map(|ms| ms * factor);
                block.p90_ms *= factor;
                block.cpu_us = block.cpu_us.map(|us| us * factor);
            }
            blocks.push(block);
        }
        if plan.looks_at(quartet + 1) {
            let found = look(&blocks, &plan);
            if found.over {
                return (found.verdict, found.quartets);
            }
        }
    }
    (look(&blocks, &plan).verdict, plan.quartets)
}

/// The program itself, built beside this example.
fn program() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let program = own.parent().and_then(Path::parent).map(|folder| folder.join("tpcw"));
    program
        .filter(|path| path.is_file())
        .ok_or_else(|| "power: build the program first: cargo build -p tpcw".to_owned())
}
