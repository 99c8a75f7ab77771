//! Where the log goes: the run folder's `tpcw.log`, or standard error for what stays in the foreground.

use std::fs::File;
use std::path::Path;

use tracing_subscriber::EnvFilter;

use crate::failure::{Failure, Outcome};

fn filter() -> EnvFilter {
    EnvFilter::try_from_env("TPCW_LOG").unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Sends the log to a file. `TPCW_LOG` sets what is logged (default `info`).
pub fn to_file(path: &Path) -> Outcome {
    let file = File::create(path)
        .map_err(|error| Failure::surroundings(format!("{} cannot be written: {error}", path.display())))?;
    tracing_subscriber::fmt().with_env_filter(filter()).with_ansi(false).with_writer(file).init();
    Ok(())
}

/// Sends the log to standard error.
pub fn to_terminal() {
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter()).with_ansi(ansi).with_writer(std::io::stderr).init();
}
