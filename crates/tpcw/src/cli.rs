//! The command line, as typed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use emulator::workload::WarmUpLength;

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

const FAULTS: &str = "\
Faults, and what may follow them (usual values in brackets):
  kill                          end the process at once (SIGKILL)
  stop                          shut the server down in good order (SIGTERM)
  pause                         stop the process in its tracks (SIGSTOP)
  slow PERCENT                  give the process so much of its time (10)
  refuse                        refuse new connections
  mute                          accept new connections and never answer
  cut BYTES                     cut every connection in mid-answer, after so many bytes (4096)
  cut_commit COUNT              cut the connection between a COMMIT and its answer, so many times (1)
  delay TIME JITTER             delay everything, each way (50ms 0ms)
  bandwidth BYTES               carry no more bytes a second (100000)
  partition FROM WAY            cut off from all, balancer, nodes or one NODE (all); both, in or out (both)
  stop_replication              stop a replica's replication
  delay_replication SECONDS     have a replica apply so late (5)
  too_many_connections          take all connections of the node
  disk_full                     leave the node's data no space to grow
  kill_balancer                 end the balancer at once; NODE is `balancer`

Examples:
  tpcw cluster fail primary partition balancer
  tpcw cluster fail n2 delay 20ms 5ms
  tpcw cluster heal n2";

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

/// `tpcw run`.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "\
Examples:
  tpcw run --sessions 60
  tpcw run shopping --think-time 500ms --duration 60s
  tpcw run open --rate 200 --connections 64
  tpcw run ordering --sessions 10 --think-time 0ms --target mysql://shop:secret@127.0.0.1:3306/tpcw

Workloads: elastic (default), smoke, browsing, shopping, ordering, failover, scale-out-in, open, crowd; or the path of a file.")]
pub struct RunArgs {
    /// Name of a workload, or path of a workload file
    pub workload: Option<String>,
    /// Emulated browsers at the peak, 1 to 100,000
    #[arg(long, value_name = "N")]
    pub sessions: Option<u32>,
    /// Open load: so many interactions are due in a second at the peak, however slowly they are answered
    #[arg(long, value_name = "RATE")]
    pub rate: Option<f64>,
    /// Connections that all browsers share (default: each has its own)
    #[arg(long, value_name = "N")]
    pub connections: Option<u32>,
    /// The mix of interactions
    #[arg(long, value_name = "MIX")]
    pub mix: Option<MixArg>,
    /// How long the load lasts in all; phases and events keep their proportions (90s, 10m)
    #[arg(long, value_name = "TIME")]
    pub duration: Option<String>,
    /// How long the first warm-up lasts: so many seconds, or `steady`: until throughput and 90th percentile are (MSER-5)
    #[arg(long, value_name = "steady|SECONDS")]
    pub warm_up: Option<WarmUpLength>,
    /// Mean think time (500ms, 0ms), or `spec` for the specification's 7 s
    #[arg(long, value_name = "TIME")]
    pub think_time: Option<String>,
    /// Items in the shop
    #[arg(long, value_name = "N")]
    pub items: Option<u32>,
    /// Emulated browsers that the data is sized for (2,880 customers each)
    #[arg(long, value_name = "N")]
    pub population: Option<u32>,
    /// The seed that every random choice derives from
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Measure this server instead of a local cluster: mysql://user:password@host:port/database
    #[arg(long, value_name = "URL")]
    pub target: Option<String>,
    /// Where the run's files go, instead of reports/<workload>/<time>
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Serve the run's figures for Prometheus while it lasts, at this loopback address (127.0.0.1:9100; port 0: any free one)
    #[arg(long, value_name = "ADDRESS")]
    pub metrics: Option<SocketAddr>,
    /// Say nothing but errors and the verdict
    #[arg(long)]
    pub quiet: bool,
    /// Print summary.json on standard output at the end
    #[arg(long)]
    pub json: bool,
    /// How the server program is found.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// The three mixes of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MixArg {
    /// 95 % browsing (WIPSb)
    Browsing,
    /// 80 % browsing (WIPS)
    Shopping,
    /// 50 % browsing (WIPSo)
    Ordering,
}

/// `tpcw cluster`.
#[derive(Args, Clone, Debug)]
pub struct ClusterArgs {
    /// Which cluster, when several are kept up
    #[arg(long, default_value = "default", global = true, value_name = "NAME")]
    pub name: String,
    /// What to do.
    #[command(subcommand)]
    pub command: ClusterCommand,
}

/// What can be done by hand.
#[derive(Clone, Debug, Subcommand)]
pub enum ClusterCommand {
    /// Start nodes and balancer, with a populated shop, and keep them up in the background
    Up {
        /// Take cluster, balancer and scale from this workload (default: elastic)
        workload: Option<String>,
        /// Items in the shop
        #[arg(long, value_name = "N")]
        items: Option<u32>,
        /// Emulated browsers that the data is sized for
        #[arg(long, value_name = "N")]
        population: Option<u32>,
        /// The seed of the population
        #[arg(long, value_name = "N")]
        seed: Option<u64>,
        /// Where the balancer listens (default: a free port on the loopback address)
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<SocketAddr>,
        /// Stay in the foreground until interrupted
        #[arg(long)]
        foreground: bool,
        /// How the server program is found.
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Show nodes, addresses and the last events
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Put a candidate into service
    ScaleOut,
    /// Drain a replica and make it a candidate
    ScaleIn,
    /// Make a node the primary while the present one is well, without a failed statement
    Promote {
        /// Its name
        node: String,
    },
    /// Let a node serve again
    Enable {
        /// Its name
        node: String,
    },
    /// Switch a node off at once
    Disable {
        /// Its name
        node: String,
    },
    /// Let a node finish what it began, then switch it off
    Drain {
        /// Its name
        node: String,
    },
    /// Spread reads in another way
    Strategy {
        /// `round_robin`, `random`, `weighted`, `least_connections`, `least_latency`, `lowest_ping`, `peak_ewma`, `direct`
        name: String,
    },
    /// Break a node
    #[command(after_help = FAULTS)]
    Fail {
        /// `primary`, `replica`, a node's name, or `balancer`
        node: String,
        /// How: kill, stop, pause, slow, refuse, mute, cut, cut_commit, delay, bandwidth, partition, stop_replication,
        /// delay_replication, too_many_connections, disk_full, kill_balancer
        fault: String,
        /// What follows the fault's name
        words: Vec<String>,
    },
    /// Mend a node: undo whatever was done to it
    Heal {
        /// `last` (the one broken last), a node's name, or `balancer`
        #[arg(default_value = "last")]
        node: String,
    },
    /// Stop everything and remove its folders
    Down,
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

/// `tpcw compare`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tpcw compare reports/baseline reports/smoke/latest
  tpcw compare before/ after/ --interleaved        folders of runs, paired by the order of their names
  tpcw compare A B --format markdown --out pr.md

Exit codes: 0 improved or unchanged, 1 regressed, 2 not comparable, 4 inconclusive.")]
pub struct CompareArgs {
    /// A run folder, or a folder of run folders
    pub baseline: PathBuf,
    /// The same, to be judged
    pub candidate: PathBuf,
    /// How the answer is written
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: FormatArg,
    /// Write the answer into this file, and the table on the terminal
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Changes within so many per cent are no matter
    #[arg(long, default_value_t = 5.0, value_name = "PCT")]
    pub smallest_effect: f64,
    /// The chance of a false alarm that is allowed
    #[arg(long, default_value_t = 0.01, value_name = "SHARE")]
    pub level: f64,
    /// Length of a block in seconds
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    pub block: u32,
    /// Spread of one and the same run when it is repeated on this machine, in per cent (standard deviation)
    #[arg(long, default_value_t = 5.0, value_name = "PCT")]
    pub run_noise: f64,
    /// The runs of both sides took turns: nothing has to be allowed for what the machine did in between
    #[arg(long)]
    pub interleaved: bool,
    /// Compare although the runs differ in something that matters
    #[arg(long)]
    pub force: bool,
}

/// `tpcw search`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tpcw search --think-time spec                     browsers that keep the specification's limits
  tpcw search shopping --what rate --from 100       interactions a second, open load
  tpcw search … --out DIR                           again with the same flags: goes on where it was cut off

Exit codes: 0 found, 1 not even the least load keeps the limits, 4 a run was no measurement.")]
pub struct SearchArgs {
    /// Name or path of a workload; its phases and events are replaced by a warm-up and a measurement
    #[arg(default_value = "shopping")]
    pub workload: String,
    /// What is searched for
    #[arg(long, value_enum, default_value = "sessions")]
    pub what: SearchFor,
    /// The first level tried
    #[arg(long, default_value_t = 50.0, value_name = "N")]
    pub from: f64,
    /// The greatest level tried
    #[arg(long, value_name = "N")]
    pub most: Option<f64>,
    /// How narrow the interval must be, in per cent
    #[arg(long, default_value_t = 5.0, value_name = "PCT")]
    pub precision: f64,
    /// Further runs that the answer must hold
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub confirmations: u32,
    /// Seconds before each measurement, or `steady`: until throughput and 90th percentile are, 20 s to 200 s
    #[arg(long, default_value = "20", value_name = "steady|SECONDS")]
    pub warm_up: WarmUpLength,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub hold: u32,
    /// The mix of interactions
    #[arg(long, value_name = "MIX")]
    pub mix: Option<MixArg>,
    /// Mean think time (500ms, 0ms), or `spec`
    #[arg(long, value_name = "TIME")]
    pub think_time: Option<String>,
    /// Connections that all browsers share
    #[arg(long, value_name = "N")]
    pub connections: Option<u32>,
    /// Measure this server instead of a local cluster
    #[arg(long, value_name = "URL")]
    pub target: Option<String>,
    /// Where the trials' folders go, instead of reports/search-<workload>
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the answer and all trials as JSON
    #[arg(long)]
    pub json: bool,
}

/// What a search is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchFor {
    /// Browsers of a closed load
    Sessions,
    /// Interactions a second of an open load
    Rate,
}

/// `tpcw ab`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tpcw ab smoke --blocks 6 --set-b balancer.strategy=random
  tpcw ab smoke --blocks 6 --build-b /tmp/other/tpcw
  tpcw ab smoke --blocks 6 --target-a URL --target-b URL
  tpcw ab smoke --blocks 6 --self          A against A: what can this machine tell apart?
  tpcw ab smoke --side-by-side --build-b /tmp/other/tpcw   both at once, an answer within five minutes

Exit codes: 0 improved or unchanged, 1 regressed, 2 wrong flags, 4 inconclusive.")]
pub struct AbArgs {
    /// Name or path of a workload
    #[arg(default_value = "smoke")]
    pub workload: String,
    /// Blocks of four runs, A B B A; from fewer than 6 hardly any difference can be told
    #[arg(long, default_value_t = 6, value_name = "N")]
    pub blocks: u32,
    /// Emulated browsers at the peak
    #[arg(long, value_name = "N")]
    pub sessions: Option<u32>,
    /// How long the load of each run lasts
    #[arg(long, value_name = "TIME")]
    pub duration: Option<String>,
    /// How long the warm-up of each run lasts: so many seconds, or `steady`
    #[arg(long, value_name = "steady|SECONDS")]
    pub warm_up: Option<WarmUpLength>,
    /// A key of the workload for A, as KEY=VALUE (may be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    pub set_a: Vec<String>,
    /// The same for B
    #[arg(long, value_name = "KEY=VALUE")]
    pub set_b: Vec<String>,
    /// The server that A measures, instead of a local cluster
    #[arg(long, value_name = "URL")]
    pub target_a: Option<String>,
    /// The same for B
    #[arg(long, value_name = "URL")]
    pub target_b: Option<String>,
    /// The build of tpcw that A runs, instead of this one
    #[arg(long, value_name = "PATH")]
    pub build_a: Option<PathBuf>,
    /// The same for B
    #[arg(long, value_name = "PATH")]
    pub build_b: Option<PathBuf>,
    /// A against A: how small a difference could be found here?
    #[arg(long = "self", conflicts_with_all = ["set_b", "target_b", "build_b"])]
    pub self_test: bool,
    /// Changes within so many per cent are no matter
    #[arg(long, default_value_t = 5.0, value_name = "PCT")]
    pub smallest_effect: f64,
    /// Length of a block within a run in seconds
    #[arg(long, default_value_t = 5, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub block: u32,
    /// Keep both sides up at once and have the load take turns of some seconds, until there is a verdict
    #[arg(long)]
    pub side_by_side: bool,
    /// With --side-by-side: an answer within so many minutes
    #[arg(long, default_value_t = 5.0, value_name = "MINUTES")]
    pub minutes: f64,
    /// With --side-by-side: measured seconds of a turn
    #[arg(long, default_value_t = 2, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub turn: u32,
    /// With --side-by-side: strike every node of B with this fault first ("slow 95"), to see whether that is found
    #[arg(long, value_name = "FAULT", requires = "side_by_side", conflicts_with = "target_b")]
    pub fault_b: Option<String>,
    /// Where the runs' folders go
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// How a comparison is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// A table for a terminal
    Text,
    /// For a pull request
    Markdown,
    /// Everything, for programs
    Json,
    /// A test case a figure, for CI
    Junit,
}

/// `tpcw history`.
#[derive(Args, Clone, Debug)]
pub struct HistoryArgs {
    /// A folder of run folders, such as reports/smoke
    pub dir: PathBuf,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// The process behind `cluster up`.
#[derive(Args, Clone, Debug)]
pub struct KeepArgs {
    /// File with what `up` was asked for (JSON).
    #[arg(long)]
    pub order: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_fault() {
        for (name, ..) in emulator::fault::FAULTS {
            assert!(FAULTS.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name}");
        }
    }
}
