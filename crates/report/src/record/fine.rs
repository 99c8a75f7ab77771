//! `fine.csv`: the load in bins of 100 ms, from which the cost of an outage is computed.

use serde::{Deserialize, Serialize};

use super::Row;

/// Length of a bin in ms.
pub const FINE_BIN_MS: u64 = 100;

/// One bin. Bins in which nothing ended may be left out; they count as zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FineRow {
    /// Start of the bin in ms since the start of the load, a multiple of [`FINE_BIN_MS`].
    pub ms: u64,
    /// Interactions that ended well in the bin.
    pub ok: u64,
    /// Tries of interactions that failed in the bin.
    pub errors: u64,
    /// Of `ok`, those that committed a write on the primary.
    pub writes_ok: u64,
    /// Connections made in place of lost ones.
    pub reconnects: u64,
}

impl Row for FineRow {
    const FILE: &'static str = "fine.csv";
    const COLUMNS: &'static [&'static str] = &["ms", "ok", "errors", "writes_ok", "reconnects"];
}
