//! `tpcw load`: schema and population into a target; and what `run` needs to know of a target's shop.

use std::time::Duration;

use bookstore::Scale;
use bookstore::load::{LoadError, LoadOptions, LoadReport, Outcome as Loading, Progress, Step, loaded};
use indicatif::{ProgressBar, ProgressStyle};
use mysql_async::Opts;
use mysql_async::prelude::Queryable;
use tokio::time::{Instant, sleep};

use crate::cli::LoadArgs;
use crate::failure::{Failure, Kind, Outcome};
use crate::interrupt::Interrupt;
use crate::target;

/// Loads a shop into a target.
pub async fn load(args: LoadArgs, interrupt: &Interrupt) -> Outcome {
    let opts = target::parse(&args.target)?;
    for (flag, value, most) in [("items", args.items, 10_000_000), ("population", args.population, 100_000)] {
        if !(1..=most).contains(&value) {
            return Err(Failure::usage(format!("--{flag} {value}: allowed is 1 to {most}")));
        }
    }
    if let Some(wait) = &args.wait {
        let span: emulator::span::Span =
            wait.parse().map_err(|error| Failure::usage(format!("--wait: {error}")))?;
        wait_for(&opts, span.0).await?;
    }
    let scale = Scale { items: args.items, browsers: args.population };
    let usual = LoadOptions::new(scale, args.seed);
    let options =
        LoadOptions { threads: args.threads.unwrap_or_else(default_threads), replace: args.replace, ..usual };
    let report = tokio::select! {
        report = fill(&opts, options, !args.quiet) => report?,
        () = interrupt.stop.cancelled() => {
            return Err(Failure {
                kind: Kind::Interrupted,
                message: "interrupted; the next load begins anew by itself".to_owned(),
            });
        }
    };
    if !args.quiet {
        crate::print(&table(&report));
    }
    Ok(())
}

/// Streams, at least two: one makes rows while the server works on another's.
pub fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2))
}

/// Loads with a progress bar (on a terminal) into what `opts` names.
pub async fn fill(opts: &Opts, options: LoadOptions, shown: bool) -> Outcome<LoadReport> {
    let bar = if shown { ProgressBar::new(1) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{msg:>14} {wide_bar} {percent:>3}% {elapsed}") {
        bar.set_style(style);
    }
    let told = bar.clone();
    let progress = move |progress: Progress| {
        told.set_length(progress.rows_total);
        told.set_position(progress.rows);
        told.set_message(match progress.step {
            Step::Tables => "tables",
            Step::Rows => "rows",
            Step::Keys => "keys",
            Step::Done => "done",
        });
    };
    let report = bookstore::load::load(opts.clone(), options, progress).await;
    bar.finish_and_clear();
    report.map_err(from_load)
}

/// A failed load as the end of a command.
fn from_load(error: LoadError) -> Failure {
    match error {
        LoadError::Different { .. } | LoadError::Foreign { .. } | LoadError::Scale(_) => {
            Failure::usage(error)
        }
        other => Failure::from_below(other),
    }
}

async fn wait_for(opts: &Opts, patience: Duration) -> Outcome {
    let end = Instant::now() + patience;
    loop {
        let tried = tokio::time::timeout(Duration::from_secs(5), mysql_async::Conn::new(opts.clone())).await;
        let why = match tried {
            Ok(Ok(connection)) => {
                let _ = connection.disconnect().await;
                return Ok(());
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in 5 s".to_owned(),
        };
        if Instant::now() >= end {
            return Err(Failure::surroundings(format!("the target takes no connections: {why}")));
        }
        sleep(Duration::from_millis(500)).await;
    }
}

fn table(report: &LoadReport) -> String {
    let mut text = String::new();
    for part in &report.tables {
        let (mib, rate) = (part.bytes as f64 / 1_048_576.0, part.rows_per_second());
        let name = part.table.name();
        text.push_str(&format!(
            "{name:<20} {:>10} rows  {mib:>8.1} MiB  {rate:>9.0} rows/s a stream\n",
            part.rows
        ));
    }
    text.push_str(match report.outcome {
        Loading::Loaded => "loaded",
        Loading::Restarted => "an interrupted load was found and done again",
        Loading::Replaced => "what was there has been replaced",
        Loading::AlreadyThere => "the same shop was there already; nothing to do",
    });
    text.push_str(&format!(": {} rows, {:.1} s\n", report.rows, report.seconds));
    text
}

/// The shop that a target holds, and the version of its server.
#[derive(Clone, Debug)]
pub struct Found {
    /// How large it is.
    pub scale: Scale,
    /// The server as it names itself.
    pub server: String,
}

/// Looks what a target holds.
///
/// # Errors
/// Exit code 3 when it cannot be reached or holds no complete shop, with the command that loads one.
pub async fn inspect(opts: &Opts) -> Outcome<Found> {
    let mut connection = super::check::connect(opts).await?;
    let found = loaded(&mut connection).await.map_err(Failure::from_below)?;
    let server: Option<String> =
        connection.query_first("SELECT VERSION()").await.map_err(Failure::from_below)?;
    let _ = connection.disconnect().await;
    match found {
        Some(shop) => Ok(Found { scale: shop.scale, server: server.unwrap_or_default() }),
        None => Err(Failure::surroundings(
            "the target holds no complete shop; load one first: tpcw load --target mysql://user:password@host:port/database",
        )),
    }
}
