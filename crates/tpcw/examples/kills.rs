//! What the loss of a node costs, over many losses: so many kills under 60 sessions that never think, in runs of ten.
//!
//! `cargo build --release -p tpcw && cargo run --release -p tpcw --example kills -- primary 100` (or `replica 100`). Ten kills
//! take about a minute and a half. Prints the distribution of the figures and what the audits found; ends with 1 if an order
//! was lost or doubled, nodes differ, or, with replicas, a browser saw a failure.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to people on a terminal")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::Value;

const PER_RUN: u32 = 10;
/// Seconds between two kills, and how long the node stays away.
const EVERY: u32 = 8;
const AWAY: u32 = 2;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let node = words.first().map_or("primary", String::as_str);
    let kills: u32 = words.get(1).and_then(|word| word.parse().ok()).unwrap_or(100);
    let sessions: u32 = words.get(2).and_then(|word| word.parse().ok()).unwrap_or(60);
    if !["primary", "replica"].contains(&node) || kills == 0 {
        eprintln!("kills: primary or replica, then how many kills, then how many sessions");
        return ExitCode::from(2);
    }
    let folder = std::env::temp_dir().join(format!("tpcw-kills-{}", std::process::id()));
    let mut found = Found::default();
    for run in 1..=kills.div_ceil(PER_RUN) {
        let wanted = PER_RUN.min(kills - (run - 1) * PER_RUN);
        match one_run(&folder, node, run, wanted, sessions) {
            Ok(summary) => found.take(&summary),
            Err(error) => {
                eprintln!("run {run}: {error}");
                found.broken += 1;
            }
        }
        println!("run {run}: {} kills so far", found.kills);
    }
    found.print(node);
    let _ = std::fs::remove_dir_all(&folder);
    let failed = found.harm > 0 || found.broken > 0 || (node == "replica" && found.errors > 0);
    ExitCode::from(u8::from(failed))
}

/// One run of the program itself, with its audit.
fn one_run(folder: &Path, node: &str, run: u32, kills: u32, sessions: u32) -> Result<Value, String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let workload = folder.join("kills.toml");
    std::fs::write(&workload, text(node, kills, sessions)).map_err(|error| error.to_string())?;
    let out = folder.join(format!("run-{run}"));
    let (workload, out_word) = (workload.to_string_lossy(), out.to_string_lossy());
    let seed = run.to_string();
    let words = ["run", &*workload, "--seed", &seed, "--out", &*out_word, "--quiet"];
    let status = Command::new(program()?).args(words).status().map_err(|error| error.to_string())?;
    let text = std::fs::read_to_string(out.join("summary.json"))
        .map_err(|error| format!("{status}, and no summary: {error}"))?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// The program beside this example's folder, of the same build.
fn program() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let beside = own.parent().and_then(Path::parent).map(|folder| folder.join("tpcw"));
    let found = beside.filter(|path| path.is_file());
    found.ok_or_else(|| "build the program first: cargo build --release -p tpcw".to_owned())
}

fn text(node: &str, kills: u32, sessions: u32) -> String {
    let mut text = format!(
        "description = \"{kills} times the {node} killed\"\npopulation = 5\n[load]\nmix = \"ordering\"\nsessions = {sessions}\n\
         think_time = \"0ms\"\n[[load.phase]]\nname = \"measure\"\nkind = \"measure\"\nseconds = {}\n\
         [balancer.elastic]\nautomatic = false\n",
        10 + kills * EVERY
    );
    for kill in 0..kills {
        let at = 5 + kill * EVERY;
        text += &format!(
            "[[load.event]]\nat = {at}\naction = \"kill\"\nnode = \"{node}\"\nheal_after = {AWAY}\n"
        );
    }
    text
}

/// What all runs showed.
#[derive(Default)]
struct Found {
    kills: usize,
    detected: Vec<f64>,
    writable: Vec<f64>,
    unavailable: Vec<f64>,
    recovered: Vec<f64>,
    orders: u64,
    unknown: u64,
    errors: u64,
    /// Lost, duplicated, out of nothing, nodes that differ, conditions broken, stale reads.
    harm: u64,
    broken: u32,
}

impl Found {
    fn take(&mut self, summary: &Value) {
        let events = summary["events"].as_array().cloned().unwrap_or_default();
        for event in events.iter().filter(|event| event["kind"] == "fault_injected") {
            self.kills += 1;
            for (figure, all) in [
                ("detected_ms", &mut self.detected),
                ("writable_ms", &mut self.writable),
                ("unavailable_ms", &mut self.unavailable),
                ("recovered_90_ms", &mut self.recovered),
            ] {
                all.extend(event[figure].as_f64());
            }
        }
        let audit = &summary["audit"];
        let count = |name: &str| audit[name].as_u64().unwrap_or_default();
        self.orders += count("acknowledged_orders");
        self.unknown += count("unknown_outcome");
        self.errors += summary["errors"].as_u64().unwrap_or_default();
        let harms =
            ["lost", "duplicated", "phantom", "replicas_diverged", "conditions_failed", "stale_reads"];
        self.harm += harms.iter().map(|name| count(name)).sum::<u64>();
        self.broken += u32::from(audit.is_null());
    }

    fn print(&mut self, node: &str) {
        println!("\n{} kills of the {node}", self.kills);
        println!(
            "{:<16} {:>6} {:>9} {:>9} {:>9} {:>9}",
            "figure", "known", "median", "p90", "p99", "longest"
        );
        for (name, all) in [
            ("detected_ms", &mut self.detected),
            ("writable_ms", &mut self.writable),
            ("unavailable_ms", &mut self.unavailable),
            ("recovered_90_ms", &mut self.recovered),
        ] {
            all.sort_by(f64::total_cmp);
            let at = |share: f64| all.get(((all.len() as f64 * share).ceil() as usize).saturating_sub(1));
            let shown = |share: f64| at(share).map_or("-".to_owned(), |value| format!("{value:.1}"));
            let [median, p90, p99, longest] = [0.5, 0.9, 0.99, 1.0].map(shown);
            println!("{name:<16} {:>6} {median:>9} {p90:>9} {p99:>9} {longest:>9}", all.len());
        }
        println!(
            "{} orders acknowledged, {} of unknown outcome; {} failed tries; lost, doubled, out of nothing, different, stale or \
             against a condition: {}; runs that broke down: {}",
            self.orders, self.unknown, self.errors, self.harm, self.broken
        );
    }
}
