//! Do sessions read what they have written? Counted on real nodes.
//!
//!     cargo run --release -p balancer --example causal_check -- --sessions 32 --reads 1000000 --delay-ms 1000
//!
//! Starts a primary and two replicas, one of which applies everything late, and the balancer in front of them. Each session
//! writes its own counter, one write among many reads, and reads its own and its neighbour's. A read of its own counter that
//! shows less than the last acknowledged write is *stale*; one of either counter that shows less than an earlier read of the
//! session is *back in time*. Nodes tell with each answer which of them it is.
//!
//! The exit code is 0 if every level kept its promise: no stale read under `causal` and `primary`, nothing back in time under
//! `monotonic`, `causal` reads of the own counter included; and no read of the primary longer after the session's last write
//! than the late replica needs.
#![expect(clippy::print_stdout, reason = "a program for people")]

mod options;
mod session;
mod stage;
#[path = "../../tests/steering/mod.rs"]
mod steering;
mod table;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use balancer::config::Consistency;
use clap::Parser;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::options::Options;
use self::session::{Counts, Run, run};
use self::stage::Stage;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<ExitCode, Error> {
    let options = Options::parse();
    let stage = Stage::start(&options).await?;
    let late = stage.measure_delay().await?;
    println!("n3 applies what n1 commits {late:.0} ms later (three trials, the median)\n");
    let mut results = Vec::new();
    for level in options.levels() {
        let reads = if options.consistency.contains(&level) { options.reads } else { options.reads / 10 };
        let counts = check(&stage, &options, level, reads.max(1)).await?;
        table::line(&counts, results.is_empty());
        results.push(counts);
    }
    table::freshness(&stage.nodes());
    if let Some(path) = &options.csv {
        std::fs::write(path, table::csv(&results))?;
        println!("\nwritten to {}", path.display());
    }
    stage.stop().await?;
    let broken: Vec<String> = results.iter().flat_map(Counts::broken).collect();
    broken.iter().for_each(|promise| println!("BROKEN: {promise}"));
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All sessions under one level, until `reads` have been answered in all.
async fn check(stage: &Stage, options: &Options, level: Consistency, reads: i64) -> Result<Counts, Error> {
    stage.settle().await?;
    let left = Arc::new(AtomicI64::new(reads));
    let mut sessions = JoinSet::new();
    let began = Instant::now();
    for number in 0..options.sessions {
        let run_of = Run {
            number,
            sessions: options.sessions,
            level,
            reads_per_write: options.reads_per_write,
            settled: options.settled(),
            left: left.clone(),
        };
        sessions.spawn(run(stage.client().await?, run_of));
    }
    let mut all = Counts::new(level);
    while let Some(counts) = sessions.join_next().await {
        all.add(&counts??);
    }
    all.took = began.elapsed();
    Ok(all)
}
