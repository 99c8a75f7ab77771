//! `tpcw search`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use emulator::workload::WarmUpLength;

use super::MixArg;

/// `tpcw search`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tpcw search --think-time spec                     browsers that keep the specification's limits
  tpcw search shopping --what rate --from 100       interactions a second, open load
  tpcw search … --out DIR                           again with the same flags: goes on where it was cut off
  tpcw search … --out DIR --confirmations 4         a surer answer from the trials that are there and some more

Browsers arrive over the first half of the warm-up. A level that fails is tried again and is out when it has failed twice; a rate
is also out when its queue grows by more than 2 % of what falls due. Levels that held at one time and failed at another lie inside the answer.

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
    /// Further runs of both ends of the answer, which must end as the first did
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
