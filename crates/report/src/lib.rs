//! What a run leaves: rows, histograms, plots, the page and the verdict.
//!
//! The room reads and writes files and knows no process: everything here works on a run folder alone. Times in rows are
//! seconds since the start of the load, latencies are milliseconds, both as decimal fractions.

pub mod compare;
mod error;
pub mod folder;
pub mod history;
pub mod html;
pub mod inside;
pub mod plot;
pub mod png;
pub mod record;
mod render;
pub mod run_dir;
pub mod spread;
pub mod statistics;
pub mod summary;
pub mod text;
pub mod thresholds;

pub use error::ReportError;
pub use render::{render, render_and_tell};
pub use run_dir::RunDir;
