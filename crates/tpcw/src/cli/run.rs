//! `tpcw run`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use emulator::workload::WarmUpLength;

use super::ServerArgs;

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
