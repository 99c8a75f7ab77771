//! The command. The only room that sees all the others: it joins a workload, a local cluster, the balancer and the
//! emulator into one run, and owns everything that a user sees in a terminal.

mod api;
mod cli;
mod commands;
mod control;
mod failure;
mod front;
mod interrupt;
mod keeper;
mod kept;
mod live;
mod logging;
mod machine;
mod memory;
mod place;
mod provider;
mod search;
mod stage;
mod status;
mod target;
mod trial;
mod watch;
mod workload;

use std::process::ExitCode;

use clap::Parser;

use crate::failure::Kind;
use crate::interrupt::Interrupt;

/// The version shown and written into manifests.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("TPCW_REVISION"), ")");

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    memory::keep_together();
    let interrupt = Interrupt::new();
    interrupt.catch_panics();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("no threads can be started: {error}"));
            return ExitCode::from(Kind::Surroundings.code());
        }
    };
    let outcome = runtime.block_on(async {
        interrupt.catch_signals();
        commands::dispatch(cli, &interrupt).await
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    if interrupt.panicked() {
        return ExitCode::from(Kind::Bug.code());
    }
    match outcome {
        Ok(()) if interrupt.was_signalled() => ExitCode::from(Kind::Interrupted.code()),
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                complain(&failure.message);
            }
            let kind = if interrupt.was_signalled() { Kind::Interrupted } else { failure.kind };
            ExitCode::from(kind.code())
        }
    }
}

/// A line for the user on standard error.
#[expect(clippy::print_stderr, reason = "the one place where progress is printed")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// An error for the user.
pub(crate) fn complain(message: &str) {
    say(&format!("tpcw: {message}"));
}

/// What was asked for, on standard output. A closed pipe is no error of ours.
pub(crate) fn print(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
