//! `tpcw completions SHELL`.

use clap::CommandFactory;

use crate::cli::Cli;
use crate::failure::Outcome;

/// Prints the completion script of a shell.
pub fn print(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tpcw", &mut script);
    crate::print(&String::from_utf8_lossy(&script));
    Ok(())
}
