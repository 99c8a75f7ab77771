//! What the loss of a node costs, over many losses: so many kills under 60 sessions that never think, in runs of ten.
//!
//! `cargo build --release -p tpcw && cargo run --release -p tpcw --example kills -- primary 100` (or `replica 100`; with `60 pause`
//! or `60 partition` behind it: sessions, and how else the node is lost; and `ask` behind that: `failover.outcomes`). Ten kills
//! take about a minute and a half. Prints the distribution of the figures and what the audits found; ends with 1 if an order
//! was lost or doubled, nodes differ, or, with replicas, a browser saw a failure.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to people on a terminal")]

mod runner;

use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

const PER_RUN: u32 = 10;
/// The ways a node can be lost, each with the seconds between two losses and how long the node stays away: long enough
/// that silence is noticed.
const WAYS: [(&str, u32, u32); 3] = [("kill", 8, 2), ("pause", 12, 6), ("partition", 12, 6)];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let node = words.first().map_or("primary", String::as_str);
    let kills: u32 = words.get(1).and_then(|word| word.parse().ok()).unwrap_or(100);
    let sessions: u32 = words.get(2).and_then(|word| word.parse().ok()).unwrap_or(60);
    let way = words.get(3).map_or("kill", String::as_str);
    let outcomes = words.get(4).map_or("tell", String::as_str);
    let known = WAYS.iter().find(|(name, _, _)| *name == way).copied();
    let sound = ["primary", "replica"].contains(&node) && ["tell", "ask"].contains(&outcomes) && kills > 0;
    let (true, Some(way)) = (sound, known) else {
        eprintln!(
            "kills: primary or replica, how many, how many sessions, then kill, pause or partition, then tell or ask"
        );
        return ExitCode::from(2);
    };
    let folder = std::env::temp_dir().join(format!("tpcw-kills-{}", std::process::id()));
    let mut found = Found::default();
    for run in 1..=kills.div_ceil(PER_RUN) {
        let wanted = PER_RUN.min(kills - (run - 1) * PER_RUN);
        match one_run(&folder, &text(node, wanted, sessions, way, outcomes), run) {
            Ok(summary) => found.take(&summary),
            Err(error) => {
                eprintln!("run {run}: {error}");
                found.broken += 1;
            }
        }
        println!("run {run}: {} kills so far", found.kills);
    }
    found.print(way.0, node);
    let failed = found.harm > 0 || found.broken > 0 || (node == "replica" && found.errors > 0);
    if failed {
        println!("the runs are in {}", folder.display());
    } else {
        let _ = std::fs::remove_dir_all(&folder);
    }
    ExitCode::from(u8::from(failed))
}

/// One run of a workload.
fn one_run(folder: &Path, workload_text: &str, run: u32) -> Result<Value, String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let workload = folder.join("kills.toml");
    std::fs::write(&workload, workload_text).map_err(|error| error.to_string())?;
    runner::run(&workload.to_string_lossy(), run.into(), &folder.join(format!("run-{run}")))
}

fn text(
    node: &str,
    kills: u32,
    sessions: u32,
    (way, every, away): (&str, u32, u32),
    outcomes: &str,
) -> String {
    let mut text = format!(
        "description = \"{kills} times the {node} lost by {way}\"\npopulation = 5\n[load]\nmix = \"ordering\"\nsessions = {sessions}\n\
         think_time = \"0ms\"\n[[load.phase]]\nname = \"measure\"\nkind = \"measure\"\nseconds = {}\n\
         [balancer.elastic]\nautomatic = false\n[balancer.failover]\noutcomes = \"{outcomes}\"\n",
        10 + kills * every
    );
    for kill in 0..kills {
        let at = 5 + kill * every;
        text += &format!(
            "[[load.event]]\nat = {at}\naction = \"{way}\"\nnode = \"{node}\"\nheal_after = {away}\n"
        );
    }
    text
}

/// What all runs showed.
#[derive(Default)]
struct Found {
    kills: usize,
    detected: Vec<f64>,
    promoted: Vec<f64>,
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
        let second = |event: &Value| event["second"].as_f64().unwrap_or_default();
        for (at, event) in events.iter().enumerate().filter(|(_, event)| event["kind"] == "fault_injected") {
            self.kills += 1;
            let next = events[at + 1..].iter().take_while(|event| event["kind"] != "fault_injected");
            let promotion = next.into_iter().find(|event| event["kind"] == "promoted");
            self.promoted.extend(promotion.map(|promotion| (second(promotion) - second(event)) * 1e3));
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

    fn print(&mut self, way: &str, node: &str) {
        println!("\n{} times the {node} lost by {way}", self.kills);
        println!(
            "{:<16} {:>6} {:>9} {:>9} {:>9} {:>9}",
            "figure", "known", "median", "p90", "p99", "longest"
        );
        for (name, all) in [
            ("detected_ms", &mut self.detected),
            ("promoted_ms", &mut self.promoted),
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
