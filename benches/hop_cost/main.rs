//! What a hop between a client and its server costs: processor time, system calls and latency a statement, of the
//! balancer, of HAProxy, and of forwarders that look at nothing, in front of the same node, in one run.
//!
//! `cargo run --release -p benches --bin hop_cost -- --help`. Needs `sysbench`, `haproxy`, and for system calls `perf`
//! with the right to use it. In each round every hop gets the same load in turn, so what else happens on the machine
//! disturbs all of them alike; hops are compared by their ratio within a round.

mod floor;
mod hops;
mod load;
mod table;
mod usage;

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use clap::Parser;
use cluster::LocalCluster;
use tokio::process::Command;

use crate::hops::{Hop, Running};
use crate::load::{Cell, Protocol, Script};
use crate::table::{Measured, Table};
use crate::usage::Usage;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Measures what a hop in front of one local node costs.
#[derive(Debug, Parser)]
#[command(name = "hop_cost")]
struct Arguments {
    /// How often each hop gets each load.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of load at a time.
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Connections at once.
    #[arg(long, value_delimiter = ',', default_value = "1,8,32")]
    connections: Vec<u32>,
    /// What is asked.
    #[arg(long, value_delimiter = ',', default_value = "point-select,read-only")]
    scripts: Vec<Script>,
    /// How it is asked.
    #[arg(long, value_delimiter = ',', default_value = "text,prepared")]
    protocols: Vec<Protocol>,
    /// What stands between.
    #[arg(long, value_delimiter = ',', default_value = "direct,floor,epoll,haproxy,balancer")]
    hops: Vec<Hop>,
    /// A `tpcw` program to take for the balancer, instead of the code that this program was built with.
    #[arg(long, value_name = "PROGRAM")]
    balancer: Option<PathBuf>,
    /// Leave out the extra run in which system calls are counted.
    #[arg(long)]
    no_calls: bool,
    /// Where all measurements are written as CSV.
    #[arg(long, default_value = "target/hop_cost.csv")]
    csv: PathBuf,
}

#[expect(clippy::print_stderr, reason = "the one place that tells the user of a failure")]
fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match given.split_first() {
        Some((first, rest)) if first == "hop" => hops::serve(rest),
        _ => measure(&Arguments::parse()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("hop_cost: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::new(error.to_string()))?;
    runtime.block_on(async {
        let cluster = LocalCluster::for_tests(1).await.map_err(|error| Failure::new(error.to_string()))?;
        let measured = tokio::select! {
            measured = rounds(arguments, &cluster) => measured,
            _ = tokio::signal::ctrl_c() => Err(Failure::new("interrupted")),
        };
        cluster.stop().await.map_err(|error| Failure::new(error.to_string()))?;
        measured
    })
}

/// Starts the hops, gives each its share in turn, and shows what came out.
async fn rounds(arguments: &Arguments, cluster: &LocalCluster) -> Result<(), Failure> {
    let mut hops = Vec::new();
    for hop in &arguments.hops {
        let program = arguments.balancer.as_deref();
        hops.push(Running::start(*hop, cluster, cluster.folder(), program).await?);
    }
    load::prepare(cluster.nodes()[0].address, &cluster.accounts().shop, cluster.database()).await?;
    let mut table = Table::default();
    for script in &arguments.scripts {
        for protocol in &arguments.protocols {
            for connections in &arguments.connections {
                let cell = Cell { script: *script, protocol: *protocol, connections: *connections };
                for round in 0..arguments.rounds {
                    // Whoever comes first in one round comes last in the next.
                    let order = hops.iter().cycle().skip(round).take(hops.len());
                    for hop in order {
                        table.add(cell, hop.hop, one(cluster, hop, cell, arguments.seconds).await?);
                    }
                }
                if !arguments.no_calls {
                    for hop in &hops {
                        table.calls(cell, hop.hop, calls(cluster, hop, cell).await?);
                    }
                }
                show(&table.of_cell(cell));
            }
        }
    }
    show(&table.summary());
    if let Some(folder) = arguments.csv.parent() {
        let made = std::fs::create_dir_all(folder);
        made.map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
    }
    table.write(&arguments.csv)
}

#[expect(clippy::print_stdout, reason = "the one place that shows figures")]
fn show(text: &str) {
    println!("{text}");
}

/// One hop under one load.
async fn one(cluster: &LocalCluster, hop: &Running, cell: Cell, seconds: u32) -> Result<Measured, Failure> {
    let usage = |pid: Option<u32>| match pid.map(Usage::of) {
        Some(Err(error)) => Err(Failure::new(format!("{}: {error}", hop.hop))),
        Some(Ok(usage)) => Ok(usage),
        None => Ok(Usage::default()),
    };
    let before = usage(hop.pid)?;
    let told = load::run(hop.address, &cluster.accounts().shop, cluster.database(), cell, seconds).await?;
    let used = usage(hop.pid)?.since(before);
    Ok(Measured {
        cpu_us: used.cpu_ns as f64 / 1e3 / told.statements,
        waits: used.waits as f64 / told.statements,
        rate: told.rate,
        p95_ms: told.p95_ms,
    })
}

/// System calls a statement, counted by `perf` in a run of its own; `None` where it may not be used.
async fn calls(cluster: &LocalCluster, hop: &Running, cell: Cell) -> Result<Option<f64>, Failure> {
    const SECONDS: u32 = 1;
    let Some(pid) = hop.pid else { return Ok(None) };
    let counting = Command::new("perf")
        .args(["stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-p", &pid.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let Ok(counting) = counting else { return Ok(None) };
    tokio::time::sleep(Duration::from_millis(300)).await;
    let told = load::run(hop.address, &cluster.accounts().shop, cluster.database(), cell, SECONDS).await?;
    // SIGINT makes it print what it has counted.
    if let Some(pid) = counting.id().and_then(|pid| rustix::process::Pid::from_raw(pid as i32)) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
    }
    let output = counting.wait_with_output().await.map_err(|error| Failure::new(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let counted = text.lines().find_map(|line| line.split(',').next()?.parse::<f64>().ok());
    Ok(counted.map(|calls| calls / told.statements))
}
