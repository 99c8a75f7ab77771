//! `interactions.csv`: one row an interaction, over the measurement interval.

use serde::{Deserialize, Serialize};

use super::{Row, number::rounded};

/// One of the 14 interactions over the measurement interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InteractionRow {
    /// Its name: `best_sellers`.
    pub interaction: String,
    /// How many ended well.
    pub count: u64,
    /// Tries that did not.
    pub errors: u64,
    /// Its share of all that ended well, in per cent.
    #[serde(serialize_with = "rounded")]
    pub share_pct: f64,
    /// The share that the mix asks for, in per cent.
    #[serde(serialize_with = "rounded")]
    pub target_share_pct: f64,
    /// Mean time from due to done, in ms.
    #[serde(serialize_with = "rounded")]
    pub mean_ms: f64,
    /// Percentiles of the same.
    #[serde(serialize_with = "rounded")]
    pub p50_ms: f64,
    /// 90th percentile.
    #[serde(serialize_with = "rounded")]
    pub p90_ms: f64,
    /// 95th percentile.
    #[serde(serialize_with = "rounded")]
    pub p95_ms: f64,
    /// 99th percentile.
    #[serde(serialize_with = "rounded")]
    pub p99_ms: f64,
    /// 99.9th percentile.
    #[serde(serialize_with = "rounded")]
    pub p999_ms: f64,
    /// The longest.
    #[serde(serialize_with = "rounded")]
    pub max_ms: f64,
    /// The specification's limit for the 90th percentile, in ms.
    #[serde(serialize_with = "rounded")]
    pub limit_ms: f64,
    /// Whether `p90_ms` keeps it; also true when nothing was counted.
    pub within_limit: bool,
}

impl Row for InteractionRow {
    const FILE: &'static str = "interactions.csv";
    const COLUMNS: &'static [&'static str] = &[
        "interaction",
        "count",
        "errors",
        "share_pct",
        "target_share_pct",
        "mean_ms",
        "p50_ms",
        "p90_ms",
        "p95_ms",
        "p99_ms",
        "p999_ms",
        "max_ms",
        "limit_ms",
        "within_limit",
    ];
}
