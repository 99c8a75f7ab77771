//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use balancer::config::Consistency;
use clap::Parser;

/// Counts stale reads of sessions that write and read through the balancer.
#[derive(Debug, Parser)]
pub struct Options {
    /// Sessions at the same time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub sessions: u32,
    /// Reads in all, for each level that is named.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(i64).range(1..))]
    pub reads: i64,
    /// Reads of a session from one of its writes to the next.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub reads_per_write: u32,
    /// How late replica n3 applies; rounded up to whole seconds, as the server has it.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(0..=60_000))]
    pub delay_ms: u64,
    /// Levels: causal, monotonic, eventual, primary; several with commas. Without `primary`, a tenth of the reads goes there
    /// for comparison.
    #[arg(long, value_delimiter = ',', default_value = "causal,monotonic,eventual,primary", value_parser = level)]
    pub consistency: Vec<Consistency>,
    /// A read waits so long at most for a replica.
    #[arg(long, default_value_t = 300)]
    pub wait_ms: u64,
    /// Between two probes of a node.
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u64).range(1..))]
    pub probe_ms: u64,
    /// Threads of the balancer.
    #[arg(long, default_value_t = 2)]
    pub workers: usize,
    /// Where the figures are written as CSV.
    #[arg(long)]
    pub csv: Option<PathBuf>,
}

fn level(text: &str) -> Result<Consistency, String> {
    Consistency::of(text.as_bytes())
        .ok_or_else(|| format!("one of {} is expected", Consistency::ALL.map(Consistency::as_str).join(", ")))
}

impl Options {
    /// The levels that are run, `primary` among them.
    pub fn levels(&self) -> Vec<Consistency> {
        let mut levels = self.consistency.clone();
        if !levels.contains(&Consistency::Primary) {
            levels.push(Consistency::Primary);
        }
        levels
    }

    /// The delay in whole seconds.
    pub fn delay_seconds(&self) -> u64 {
        self.delay_ms.div_ceil(1000)
    }

    /// So long after a write its session's reads belong to replicas again: all have applied it, and probes have seen that.
    pub fn settled(&self) -> Duration {
        Duration::from_secs(self.delay_seconds()) + Duration::from_millis(self.probe_ms * 2 + 500)
    }
}
