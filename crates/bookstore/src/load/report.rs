//! What a load tells while it is under way and at its end.

use crate::schema::Table;

/// What a load is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Making the tables.
    Tables,
    /// Loading rows.
    Rows,
    /// Making keys and statistics.
    Keys,
    /// Finished.
    Done,
}

/// How far a load has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What it is doing.
    pub step: Step,
    /// Rows loaded so far.
    pub rows: u64,
    /// Rows there will be.
    pub rows_total: u64,
    /// Bytes sent so far, as tab-separated text.
    pub bytes: u64,
}

/// What a load found and did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There was nothing; it was loaded.
    Loaded,
    /// An interrupted load was found and done again from the start.
    Restarted,
    /// Something else was dropped, as asked.
    Replaced,
    /// The same data was there already; nothing was done.
    AlreadyThere,
}

/// One table of a load.
#[derive(Clone, Copy, Debug)]
pub struct TableReport {
    /// Which.
    pub table: Table,
    /// Rows loaded.
    pub rows: u64,
    /// Bytes sent.
    pub bytes: u64,
    /// Time in its LOAD DATA statements, summed over the connections.
    pub seconds: f64,
}

impl TableReport {
    /// Rows a second of one connection.
    pub fn rows_per_second(&self) -> f64 {
        rate(self.rows, self.seconds)
    }
}

/// What was loaded and how long it took, by the clock.
#[derive(Clone, Debug)]
pub struct LoadReport {
    /// What was found and done.
    pub outcome: Outcome,
    /// The populated tables; empty when nothing was done.
    pub tables: Vec<TableReport>,
    /// Rows of all tables.
    pub rows: u64,
    /// Bytes sent for them.
    pub bytes: u64,
    /// Seconds from the first row to the last.
    pub rows_seconds: f64,
    /// Seconds for keys and statistics.
    pub keys_seconds: f64,
    /// Seconds for everything.
    pub seconds: f64,
}

impl LoadReport {
    /// Rows a second while rows were loaded, all connections together.
    pub fn rows_per_second(&self) -> f64 {
        rate(self.rows, self.rows_seconds)
    }

    pub(super) fn nothing(seconds: f64) -> Self {
        Self {
            outcome: Outcome::AlreadyThere,
            tables: Vec::new(),
            rows: 0,
            bytes: 0,
            rows_seconds: 0.0,
            keys_seconds: 0.0,
            seconds,
        }
    }
}

fn rate(rows: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { rows as f64 / seconds } else { 0.0 }
}
