//! `blocks.csv`: the blocks of two sides that took turns, one row a block, in the order in which they ran.

use serde::{Deserialize, Serialize};

use super::{
    Row,
    number::{rounded, rounded_option},
};

/// One block: some seconds of the same load on one of the sides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlockRow {
    /// Seconds since the first block began.
    #[serde(serialize_with = "rounded")]
    pub second: f64,
    /// Its quartet, from 0: four blocks, A B B A or B A A B.
    pub quartet: u32,
    /// `a` or `b`.
    pub side: String,
    /// Interactions that ended well, a second.
    #[serde(serialize_with = "rounded")]
    pub wips: f64,
    /// Mean time from due to done, in ms.
    #[serde(serialize_with = "rounded")]
    pub mean_ms: f64,
    /// Geometric mean of the same, which a few very slow ones hardly move; not in files of earlier versions.
    #[serde(serialize_with = "rounded_option")]
    pub geomean_ms: Option<f64>,
    /// 90th percentile of the same.
    #[serde(serialize_with = "rounded")]
    pub p90_ms: f64,
    /// Failed tries in per cent of all.
    #[serde(serialize_with = "rounded")]
    pub errors_pct: f64,
    /// Processor time of the side's balancer and nodes a statement, in µs; not known of a foreign target.
    #[serde(serialize_with = "rounded_option")]
    pub cpu_us: Option<f64>,
}

impl Row for BlockRow {
    const FILE: &'static str = "blocks.csv";
    const COLUMNS: &'static [&'static str] =
        &["second", "quartet", "side", "wips", "mean_ms", "geomean_ms", "p90_ms", "errors_pct", "cpu_us"];
}
