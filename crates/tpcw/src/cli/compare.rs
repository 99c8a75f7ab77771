//! What holds runs against each other: `tpcw compare`, `tpcw ab`, `tpcw history`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use emulator::workload::WarmUpLength;

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

/// `tpcw ab`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tpcw ab smoke --blocks 6 --set-b balancer.strategy=random
  tpcw ab smoke --blocks 6 --build-b /tmp/other/tpcw
  tpcw ab smoke --blocks 6 --target-a URL --target-b URL
  tpcw ab smoke --blocks 6 --self          A against A: what can this machine tell apart?
  tpcw ab gate --side-by-side --build-b /tmp/other/tpcw    both at once, an answer within five minutes

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

/// `tpcw history`.
#[derive(Args, Clone, Debug)]
pub struct HistoryArgs {
    /// A folder of run folders, such as reports/smoke
    pub dir: PathBuf,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}
