//! The command line, as typed.

mod cluster;
mod compare;
mod run;
mod search;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use cluster::{ClusterArgs, ClusterCommand, KeepArgs};
pub use compare::{AbArgs, CompareArgs, FormatArg, HistoryArgs};
pub use run::{MixArg, RunArgs};
pub use search::{SearchArgs, SearchFor};

/// How does a replicated MySQL or MariaDB cluster behave under an online shop's load while it scales, fails and
/// recovers?
#[derive(Debug, Parser)]
#[command(name = "tpcw", version = crate::VERSION, max_term_width = 110, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  tpcw run --sessions 60                 the whole experiment, about two minutes
  tpcw run failover --out /tmp/mine      another workload, another folder
  tpcw run shopping --target mysql://shop:secret@db.example:3306/tpcw
  tpcw cluster up                        the same cluster, kept up
  tpcw cluster fail primary kill         … and driven by hand
  tpcw balance --config balancer.toml    the balancer alone, for your own nodes
  tpcw report reports/elastic/latest     plots and page again, no server needed
  tpcw compare A B                       has B become slower than A?
  tpcw search --think-time spec          how many browsers are too many?
  tpcw ab smoke --set-b balancer.strategy=random

Exit codes:
  0    done, and every threshold held
  1    a threshold or a data condition failed, or a regression was found
  2    the command line or a file is wrong
  3    the surroundings failed (no server program, target out of reach, disk full)
  4    no verdict can be given (generator overloaded, too few samples, comparison inconclusive)
  130  interrupted, after cleaning up";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a whole experiment: cluster, balancer, load, faults, audit, report
    Run(RunArgs),
    /// Keep the same cluster and balancer up and drive them by hand
    Cluster(ClusterArgs),
    /// Put schema and population into a target
    Load(LoadArgs),
    /// Run the balancer alone, from a configuration file
    Balance(BalanceArgs),
    /// Check the conditions that the shop's data must meet
    Check(CheckArgs),
    /// Make plots and page again from a run folder
    Report(ReportArgs),
    /// Hold a run, or a row of runs, against another: improved, unchanged, regressed or inconclusive
    Compare(CompareArgs),
    /// Find the greatest number of browsers, or rate, that keeps every limit
    Search(SearchArgs),
    /// Run two targets, builds or settings in turns on this machine, and compare them
    Ab(AbArgs),
    /// Where the level of many runs changed
    History(HistoryArgs),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// The process behind `cluster up`
    #[command(hide = true)]
    Keep(KeepArgs),
}

/// How the database server is found.
#[derive(Args, Clone, Debug, Default)]
pub struct ServerArgs {
    /// The server program to start nodes with (MariaDB 10.11 or later); otherwise looked for, and fetched if need be
    #[arg(long, env = "TPCW_SERVER_BINARY", value_name = "PATH")]
    pub server_binary: Option<PathBuf>,
    /// Never fetch anything
    #[arg(long)]
    pub offline: bool,
}

/// `tpcw load`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Example:
  tpcw load --target mysql://shop:secret@127.0.0.1:3306/tpcw --items 10000 --population 100")]
pub struct LoadArgs {
    /// Where to: mysql://user:password@host:port/database
    #[arg(long, value_name = "URL")]
    pub target: String,
    /// Items in the shop
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub items: u32,
    /// Emulated browsers that the data is sized for (2,880 customers each)
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub population: u32,
    /// The seed of the population
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Parallel streams (default: one a core, at least 2)
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Wait so long for the target to take connections (30s, 2m)
    #[arg(long, value_name = "TIME")]
    pub wait: Option<String>,
    /// Replace a shop that is there already, with another scale or seed
    #[arg(long)]
    pub replace: bool,
    /// Say nothing but errors
    #[arg(long)]
    pub quiet: bool,
}

/// `tpcw balance`.
#[derive(Args, Clone, Debug)]
pub struct BalanceArgs {
    /// The configuration file (TOML; see docs/balancer.md)
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Check the file, say what it means, and stop
    #[arg(long)]
    pub check: bool,
}

/// `tpcw check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// Which server: mysql://user:password@host:port/database
    #[arg(long, value_name = "URL")]
    pub target: String,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// `tpcw report`.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// A run folder
    pub dir: PathBuf,
    /// Print summary.json on standard output
    #[arg(long)]
    pub json: bool,
}
