//! Whole runs on a paused clock against a shop without a database.

mod ending;
mod load;
mod metrics;
mod open;
mod schedule;
mod trouble;
mod walk;
mod warm_up;

use std::sync::Mutex;

use bookstore::store::FailureClass;
use bookstore::{Interaction, Mix};
use futures_util::future::BoxFuture;
use report::record::{
    ErrorRow, EventKind, FineRow, GeneratorRow, InteractionRow, OUTCOME_FILE, Outcome, SecondRow, ThinkRow,
    TransitionRow, read_histograms, read_json, read_table,
};
use tempfile::TempDir;
use tokio::time::{Duration, Instant};

use super::*;
use crate::control::{Action, ControlError, Done, Fault, Happening, NoControl, NodeReading, NodeSelector};
use crate::schedule::{Level, Phase, PhaseKind, Until};
use crate::span::Span;
use crate::target::fake::Fake;

const MS: Duration = Duration::from_millis(1);

fn phase(kind: PhaseKind, seconds: u32, sessions: Level, ramp_seconds: u32) -> Phase {
    Phase { name: kind.name().into(), kind, seconds, until: None, least_seconds: 0, sessions, ramp_seconds }
}

/// `sessions` browsers that think `think_ms` in the mean, measured for so many seconds.
fn workload(sessions: u32, think_ms: u64, seconds: u32) -> Workload {
    let text = format!("sessions = {sessions}\nthink_time = '{think_ms}ms'\nphase = []");
    let mut workload: Workload = toml::from_str(&text).expect("a workload");
    workload.phases = vec![phase(PhaseKind::Measure, seconds, Level::default(), 0)];
    workload
}

struct Ran {
    folder: TempDir,
    outcome: RunOutcome,
    live: Live,
}

impl Ran {
    fn rows<R: report::record::Row>(&self) -> Vec<R> {
        read_table(self.folder.path()).expect("a readable table")
    }

    fn events(&self) -> Vec<EventRow> {
        self.rows()
    }

    fn seconds(&self) -> Vec<SecondRow> {
        self.rows()
    }

    /// Pages of the load that ended well.
    fn served(&self) -> u64 {
        self.seconds().iter().map(|row| row.interactions).sum()
    }

    /// `outcome.json`.
    fn told(&self) -> Outcome {
        read_json(&self.folder.path().join(OUTCOME_FILE)).expect("readable").expect("there is one")
    }
}

async fn ran(fake: Fake, workload: Workload) -> Ran {
    ran_with(fake, workload, Arc::new(NoControl), CancellationToken::new(), 7).await
}

async fn ran_with(
    fake: Fake,
    workload: Workload,
    control: Arc<dyn Control>,
    stop: CancellationToken,
    seed: u64,
) -> Ran {
    let plan = RunPlan { control, seed, ..plan(workload) };
    carried_out(fake, plan, stop).await
}

async fn ran_watched(fake: Fake, workload: Workload, metrics: Option<Arc<Metrics>>) -> Ran {
    carried_out(fake, RunPlan { metrics, ..plan(workload) }, CancellationToken::new()).await
}

fn plan(workload: Workload) -> RunPlan {
    RunPlan {
        workload,
        target: mysql_async::Opts::default(),
        scale: Scale { items: 1_000, browsers: 1 },
        seed: 7,
        folder: PathBuf::new(),
        control: Arc::new(NoControl),
        metrics: None,
    }
}

async fn carried_out(fake: Fake, plan: RunPlan, stop: CancellationToken) -> Ran {
    assert_eq!(plan.workload.check(), Ok(()));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plan = RunPlan { folder: folder.path().to_owned(), ..plan };
    let (progress, seen) = watch::channel(Live::default());
    let outcome = Box::pin(drive(fake, plan, Place::Here(2), progress, stop)).await.expect("a run");
    let live = seen.borrow().clone();
    Ran { folder, outcome, live }
}
