//! What a run leaves: rows, histograms, plots, the page and the verdict.
//!
//! The room reads and writes files and knows no process: everything here works on a run folder alone. Times in rows are
//! seconds since the start of the load, latencies are milliseconds, both as decimal fractions.

pub mod record;
