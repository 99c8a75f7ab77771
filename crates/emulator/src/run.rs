//! A run of a workload against one address: warm up, measure, drain, finish.

mod conductor;
mod drive;
mod ending;
mod knock;
mod reserve;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use bookstore::Scale;
use report::ReportError;
use report::record::{EventRow, NodeRow};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::drive::{Place, drive};
use crate::control::Control;
use crate::metrics::Metrics;
use crate::target::sql::SqlTarget;
use crate::workload::Workload;

/// Everything that a run needs to know.
#[derive(Clone, Debug)]
pub struct RunPlan {
    /// What browsers do.
    pub workload: Workload,
    /// Address, account and database of the shop; settings that would spoil the measuring are overruled.
    pub target: mysql_async::Opts,
    /// How large the shop is.
    pub scale: Scale,
    /// Every random choice derives from it.
    pub seed: u64,
    /// An existing folder, in which no run has been yet.
    pub folder: PathBuf,
    /// Whom the schedule asks, and who tells of the nodes.
    pub control: Arc<dyn Control>,
    /// Kept up to date for whoever reads it meanwhile.
    pub metrics: Option<Arc<Metrics>>,
}

/// What a live view shows: one second, and the run so far.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Seconds of load that are over.
    pub second: u32,
    /// Seconds of load planned.
    pub of_seconds: u32,
    /// The phase's name.
    pub phase: String,
    /// Whether it counts.
    pub measured: bool,
    /// Browsers running.
    pub sessions: u32,
    /// Interactions that ended well in this second.
    pub wips: f64,
    /// Tries that failed in this second.
    pub errors: u64,
    /// Median time from due to done in this second, in ms; 0 when nothing ended.
    pub p50_ms: f64,
    /// 90th percentile of the same.
    pub p90_ms: f64,
    /// 99th percentile of the same.
    pub p99_ms: f64,
    /// Statements that only read in this second.
    pub reads: u64,
    /// All other statements in this second.
    pub writes: u64,
    /// Mean time of a read in this second, in ms.
    pub read_mean_ms: f64,
    /// Mean time of a write in this second, in ms.
    pub write_mean_ms: f64,
    /// Interactions that ended well since the start.
    pub total_interactions: u64,
    /// Tries that failed since the start.
    pub total_errors: u64,
    /// Orders acknowledged since the start.
    pub orders: u64,
    /// What was measured so far.
    pub so_far: SoFar,
    /// The nodes in this second; empty when the target tells nothing.
    pub nodes: Vec<NodeRow>,
    /// The newest events, oldest first, at most eight.
    pub events: Vec<EventRow>,
}

/// The measurement interval as far as it is over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SoFar {
    /// Its seconds.
    pub seconds: u32,
    /// Interactions that ended well.
    pub interactions: u64,
    /// Tries that did not.
    pub errors: u64,
    /// Median time from due to done, in ms; 0 when nothing ended.
    pub p50_ms: f64,
    /// 90th percentile of the same.
    pub p90_ms: f64,
    /// 99th percentile of the same.
    pub p99_ms: f64,
    /// Statements that only read.
    pub reads: u64,
    /// Mean time of a read, in ms.
    pub read_mean_ms: f64,
}

/// How a run ended. The figures are in its folder.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// Start of the load.
    pub started: SystemTime,
    /// End of the load.
    pub ended: SystemTime,
    /// Whether it was stopped from outside before its time.
    pub interrupted: bool,
    /// Browsers started.
    pub sessions_started: u64,
    /// Browsers that ended before they were told to; 0 is what is promised.
    pub sessions_ended_early: u64,
    /// Connections made again after one was lost.
    pub reconnects: u64,
    /// Interactions that ended well in the measurement interval.
    pub interactions: u64,
    /// Tries that failed in the measurement interval.
    pub errors: u64,
    /// Pages that showed a browser something older than it had seen or written before, on the same connection.
    pub stale_reads: u64,
    /// The same, where a reconnection lay between.
    pub stale_after_reconnect: u64,
    /// Where the ledger of orders is.
    pub ledger: PathBuf,
}

/// Why a run could not be made or had to end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The workload makes no sense; each line names key, value and what is allowed.
    #[error("the workload makes no sense: {}", .0.join("; "))]
    Workload(Vec<String>),
    /// The target cannot be reached or does not let us in. Trying again helps when it comes up.
    #[error("cannot use the target {address}: {message}")]
    Target {
        /// Host and port.
        address: String,
        /// What it said.
        message: String,
    },
    /// The target holds no shop of this size.
    #[error("{address} holds no shop of this size: {message}")]
    Shop {
        /// Host and port.
        address: String,
        /// What was found.
        message: String,
    },
    /// Nothing can be written into the run's folder any more.
    #[error(transparent)]
    Folder(#[from] ReportError),
    /// The ledger cannot be kept: no order could be proved.
    #[error("cannot keep the ledger of orders: {0}")]
    Ledger(std::io::Error),
    /// The system refuses threads or timers.
    #[error("cannot start the browsers' threads: {0}")]
    Threads(std::io::Error),
}

/// Runs a workload. `progress` is told once a second; when `stop` is cancelled the browsers end at once, faults that the
/// schedule made are healed, and what was measured is written all the same.
///
/// Ends at most two of the workload's statement time-outs, its connect time-out and 15 s (for healing) after the load; where
/// it is stopped, browsers get a second to end their pages.
///
/// # Errors
/// Before the load: [`RunError::Workload`], [`RunError::Target`], [`RunError::Shop`], [`RunError::Threads`]. During it only
/// [`RunError::Folder`] and [`RunError::Ledger`]; failures of the target are measured, not returned.
pub async fn run(
    plan: RunPlan,
    progress: watch::Sender<Live>,
    stop: CancellationToken,
) -> Result<RunOutcome, RunError> {
    plan.workload.check().map_err(RunError::Workload)?;
    knock::knock(&plan.target, plan.scale, plan.workload.connect_timeout.0).await?;
    let limits = (plan.workload.connect_timeout.0, plan.workload.statement_timeout.0);
    let target = SqlTarget::new(&plan.target, limits.0, limits.1).map_err(RunError::Threads)?;
    room_for(plan.workload.connections.unwrap_or(plan.workload.sessions));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let place = Place::Threads(plan.workload.workers_on(cores));
    drive(target, plan, place, progress, stop).await
}

/// Raises the limit on open files as far as it goes: each connection has a socket, and the run has its files.
fn room_for(connections: u32) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if setrlimit(Resource::Nofile, raised).is_err() {
        tracing::debug!("the limit on open files cannot be raised");
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if files < u64::from(connections) + OTHER_FILES {
        tracing::warn!(files, connections, "fewer open files are allowed than there will be connections");
    }
}

/// Files of a run beside its browsers' sockets, generously.
const OTHER_FILES: u64 = 256;
