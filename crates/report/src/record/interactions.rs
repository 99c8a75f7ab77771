//! `interactions.csv`: one row an interaction, over the measurement interval.

use serde::{Deserialize, Serialize};

/// One of the 14 interactions over the measurement interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InteractionRow {
    /// Its name: `best_sellers`.
    pub interaction: String,
    /// How many ended well.
    pub count: u64,
    /// Tries that did not.
    pub errors: u64,
    /// Its share of all that ended well, in per cent.
    pub share_pct: f64,
    /// The share that the mix asks for, in per cent.
    pub target_share_pct: f64,
    /// Mean time from due to done, in ms.
    pub mean_ms: f64,
    /// Percentiles of the same.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// The specification's limit for the 90th percentile, in ms.
    pub limit_ms: f64,
    /// Whether `p90_ms` keeps it; also true when nothing was counted.
    pub within_limit: bool,
}
