//! Many runs of the workload `chaos`, each with another seed, and what every fault of them cost.
//!
//! `cargo build --release -p tpcw && cargo run --release -p tpcw --example chaos -- 1 50 chaos-runs`: seeds 1 to 50, run folders and
//! `faults.csv` in `chaos-runs`. A run takes a little over two minutes. Prints a line a run and, at the end, a line a kind of
//! fault; ends with 1 if a run did not keep every promise and threshold.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to people on a terminal")]

mod runner;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
    let (Some(from), Some(to), Some(folder)) = (number(0), number(1), words.get(2)) else {
        eprintln!("chaos: the first seed, the last seed, and a folder for the runs");
        return ExitCode::from(2);
    };
    match all(from, to, Path::new(folder)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos: {error}");
            ExitCode::from(3)
        }
    }
}

/// Makes the runs; how many did not keep all they should.
fn all(from: u64, to: u64, folder: &Path) -> Result<u32, String> {
    let text = |error: std::io::Error| error.to_string();
    std::fs::create_dir_all(folder).map_err(text)?;
    let mut table = std::fs::File::create(folder.join("faults.csv")).map_err(text)?;
    writeln!(table, "{COLUMNS}").map_err(text)?;
    let (mut kinds, mut failed) = (BTreeMap::<String, Kind>::new(), 0);
    for seed in from..=to {
        let faults = match runner::run("chaos", seed, &folder.join(format!("run-{seed}"))) {
            Ok(summary) => {
                let faults = faults_of(&summary);
                let kept = summary["verdict"] == "pass";
                failed += u32::from(!kept);
                println!("{}", line(seed, &summary, &faults, kept));
                faults
            }
            Err(error) => {
                failed += 1;
                println!("seed {seed}: {error}");
                Vec::new()
            }
        };
        for fault in faults {
            writeln!(table, "{}", fault.row(seed)).map_err(text)?;
            kinds.entry(fault.kind.clone()).or_default().take(&fault);
        }
    }
    println!(
        "\n{:<21} {:>6} {:>9} {:>11} {:>12} {:>7}",
        "fault", "times", "with gap", "longest ms", "recovery ms", "errors"
    );
    for (name, kind) in kinds {
        let (times, with_gap, gap, recovery, errors) =
            (kind.times, kind.with_gap, kind.longest_gap, kind.longest_recovery, kind.errors);
        println!("{name:<21} {times:>6} {with_gap:>9} {gap:>11.0} {recovery:>12.0} {errors:>7}");
    }
    Ok(failed)
}

const COLUMNS: &str =
    "seed,second,fault,node,healed_after_s,unavailable_ms,recovered_90_ms,errors,reconnects";

/// A fault with what it cost until the next one, its healing included.
struct Fault {
    second: f64,
    kind: String,
    node: String,
    healed_after_s: Option<f64>,
    unavailable_ms: f64,
    /// From the fault's beginning; nothing: not before the next one.
    recovered_90_ms: Option<f64>,
    errors: u64,
    reconnects: u64,
}

impl Fault {
    fn row(&self, seed: u64) -> String {
        let shown = |value: Option<f64>| value.map(|value| format!("{value:.1}")).unwrap_or_default();
        format!(
            "{seed},{:.1},{},{},{},{:.0},{},{},{}",
            self.second,
            self.kind,
            self.node,
            shown(self.healed_after_s),
            self.unavailable_ms,
            shown(self.recovered_90_ms),
            self.errors,
            self.reconnects
        )
    }
}

fn faults_of(summary: &Value) -> Vec<Fault> {
    let number = |event: &Value, key: &str| event[key].as_f64();
    let count = |event: &Value, key: &str| event[key].as_u64().unwrap_or_default();
    let empty = Vec::new();
    let events = summary["events"].as_array().unwrap_or(&empty);
    let injected = |event: &&Value| event["kind"] == "fault_injected";
    let mut faults = Vec::new();
    for (at, event) in events.iter().enumerate().filter(|(_, event)| injected(event)) {
        let second = number(event, "second").unwrap_or_default();
        let healed = events[at..]
            .iter()
            .skip(1)
            .take_while(|event| !injected(event))
            .find(|later| later["kind"] == "fault_healed" && later["node"] == event["node"]);
        let after = healed.and_then(|healed| number(healed, "second")).map(|healed| healed - second);
        // Where the fall outlasted the fault, it ended with the recovery that follows the healing.
        let later = || Some(after? * 1e3 + number(healed?, "recovered_90_ms")?);
        let detail = event["detail"].as_str().unwrap_or_default();
        let both = |key: &str| count(event, key) + healed.map_or(0, |healed| count(healed, key));
        let gap = |event: &Value| number(event, "unavailable_ms").unwrap_or_default();
        faults.push(Fault {
            second,
            kind: detail.split(':').next().unwrap_or_default().to_owned(),
            node: event["node"].as_str().unwrap_or_default().to_owned(),
            healed_after_s: after,
            unavailable_ms: gap(event) + healed.map_or(0.0, gap),
            recovered_90_ms: number(event, "recovered_90_ms").or_else(later),
            errors: both("errors"),
            reconnects: both("reconnects"),
        });
    }
    faults
}

fn line(seed: u64, summary: &Value, faults: &[Fault], kept: bool) -> String {
    let audit = |key: &str| audit_count(summary, key);
    let longest = faults.iter().map(|fault| fault.unavailable_ms).fold(0.0, f64::max);
    let recovery = faults.iter().filter_map(|fault| fault.recovered_90_ms).fold(0.0, f64::max);
    format!(
        "seed {seed}: {}, {} faults, longest gap {longest:.0} ms, longest recovery {recovery:.0} ms, {} interactions, {} failed tries, \
         {} orders, {} unknown; lost {}, doubled {}, out of nothing {}, stale {}, nodes different {}, conditions broken {}",
        if kept { "kept" } else { "NOT KEPT" },
        faults.len(),
        summary["interactions"],
        summary["errors"],
        audit("acknowledged_orders"),
        audit("unknown_outcome"),
        audit("lost"),
        audit("duplicated"),
        audit("phantom"),
        audit("stale_reads"),
        audit("replicas_diverged"),
        audit("conditions_failed"),
    )
}

fn audit_count(summary: &Value, key: &str) -> String {
    summary["audit"][key].as_u64().map_or("?".to_owned(), |count| count.to_string())
}

/// All faults of one kind.
#[derive(Default)]
struct Kind {
    times: u32,
    with_gap: u32,
    longest_gap: f64,
    longest_recovery: f64,
    errors: u64,
}

impl Kind {
    fn take(&mut self, fault: &Fault) {
        self.times += 1;
        self.with_gap += u32::from(fault.unavailable_ms > 0.0);
        self.longest_gap = self.longest_gap.max(fault.unavailable_ms);
        self.longest_recovery = self.longest_recovery.max(fault.recovered_90_ms.unwrap_or_default());
        self.errors += fault.errors;
    }
}
