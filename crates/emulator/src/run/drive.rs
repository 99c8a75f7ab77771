//! The parts of a run, put together and run side by side: browsers, schedule, recorder.

use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use bookstore::Shop;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::conductor::Conductor;
use super::ending::{self, Browsed};
use super::reserve::Reserve;
use super::{Live, RunError, RunOutcome, RunPlan};
use crate::generator::Threads;
use crate::ledger::{Ledger, base36};
use crate::load::{CrowdReport, threads};
use crate::recorder::collector::{Collector, Parts, Totals};
use crate::recorder::events::EventLog;
use crate::recorder::files::Files;
use crate::recorder::messages::FirstMessages;
use crate::recorder::nodes::NodeWatch;
use crate::recorder::resources::Resources;
use crate::recorder::tally::Tally;
use crate::schedule::Plan;
use crate::schedule::perform::Performer;
use crate::session::Crew;
use crate::target::Target;
use crate::workload::Workload;

/// Where the workers live.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// So many threads of their own.
    Threads(usize),
    /// So many tasks of the calling runtime, whose clock may be paused.
    #[cfg_attr(not(test), expect(dead_code, reason = "for tests on a paused clock"))]
    Here(usize),
}

impl Place {
    fn workers(self) -> usize {
        match self {
            Self::Threads(workers) | Self::Here(workers) => workers,
        }
    }
}

/// The two ends of a run.
#[derive(Clone, Debug, Default)]
struct Ends {
    /// The load is over; browsers may still be in their last page.
    load: CancellationToken,
    /// The last browser has gone.
    pages: CancellationToken,
}

/// A run against any target, in any place.
pub(crate) async fn drive<T: Target>(
    target: T,
    plan: RunPlan,
    place: Place,
    progress: watch::Sender<Live>,
    stop: CancellationToken,
) -> Result<RunOutcome, RunError> {
    let nodes = NodeWatch::start(plan.control.clone()).await;
    let visitors = plan.workload.arrivals.map_or(0.0, |arrivals| arrivals.visitors(plan.workload.mix));
    let (started, start) = (SystemTime::now(), Instant::now());
    let crew = Arc::new(Crew { visitors, ..crew(target, &plan, started, start)? });
    let reserve = Reserve::create(&plan.folder)?;
    let events = Arc::new(EventLog::create(&plan.folder, start)?);
    let files = Files::create(&plan.folder, started)?;
    let tallies: Vec<_> = (0..place.workers()).map(|_| Arc::new(Tally::new(start))).collect();
    let ended = Arc::new(OnceLock::new());
    let (level, levels) = watch::channel(0);
    let phases = plan.workload.plan();
    let (stop, ends) = (stop.child_token(), Ends::default());
    let reports = begin(&crew, &tallies, &levels, &plan.workload, place)?;
    let conductor = Conductor {
        crew: crew.clone(),
        workload: plan.workload.clone(),
        plan: phases.clone(),
        events: events.clone(),
        level,
        stop: stop.clone(),
    };
    let collector = Collector::new(Parts {
        crew: crew.clone(),
        tallies,
        plan: phases.clone(),
        files,
        nodes,
        events: events.clone(),
        ended: ended.clone(),
        progress,
        metrics: plan.metrics.clone(),
    });
    let resources = match place {
        // A clock that is paused would run ahead of whoever is asked.
        Place::Here(_) => None,
        Place::Threads(_) => {
            let (control, target) = (plan.control.clone(), &plan.target);
            Some(Resources::create(&plan.folder, control, target, start, started)?)
        }
    };
    let (browsed, (), collected, used) = tokio::join!(
        browse(conductor, &ended, reports, &ends),
        perform(&plan, &phases, events, start, &ends),
        collect(collector, &ends, &stop),
        watch_resources(resources, &ends, &stop),
    );
    let written = used.and(collected).and_then(|(totals, files)| {
        ending::write(&plan, started, browsed, &totals, &files, crew.ledger.path())
    });
    if let Err(error) = &written {
        reserve.tell(error);
    }
    written
}

/// The load, and the last pages after it.
async fn browse<T: Target>(
    conductor: Conductor<T>,
    ended: &OnceLock<Duration>,
    reports: Vec<oneshot::Receiver<CrowdReport>>,
    ends: &Ends,
) -> Browsed {
    let crew = conductor.crew.clone();
    let interrupted = conductor.conduct(ended).await;
    ends.load.cancel();
    let crowds = gather(reports).await;
    ends.pages.cancel();
    Browsed { interrupted, crowds, first_messages: crew.messages.told() }
}

/// The schedule to the load's end; then what it broke is mended.
async fn perform(plan: &RunPlan, phases: &Plan, events: Arc<EventLog>, start: Instant, ends: &Ends) {
    let mut performer = Performer::new(plan.control.clone(), events);
    performer.perform(&plan.workload.schedule(plan.seed), phases, start, &ends.load).await;
    ends.load.cancelled().await;
    performer.mend().await;
}

/// The recorder. A folder that cannot be written any more ends the load.
async fn collect<T>(
    collector: Collector<T>,
    ends: &Ends,
    stop: &CancellationToken,
) -> Result<(Box<Totals>, Files), RunError> {
    collector.run(ends.pages.clone()).await.inspect_err(|_| stop.cancel())
}

/// What each part of the experiment uses, until the last page.
async fn watch_resources(
    resources: Option<Resources>,
    ends: &Ends,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    let Some(resources) = resources else { return Ok(()) };
    let written = resources.run(ends.pages.clone()).await;
    written.map_err(RunError::Folder).inspect_err(|_| stop.cancel())
}

fn crew<T>(target: T, plan: &RunPlan, started: SystemTime, start: Instant) -> Result<Crew<T>, RunError> {
    let workload = &plan.workload;
    Ok(Crew {
        target,
        shop: Shop::new(plan.scale),
        mix: workload.mix,
        think: workload.think_time,
        arrivals: workload.arrivals,
        visitors: 0.0,
        connections: workload.connections,
        most: workload.sessions,
        visit_length: workload.visit_length.0,
        retry: workload.retry.clone(),
        seed: plan.seed,
        start,
        ledger: Ledger::create(&plan.folder, &run_tag(started)).map_err(RunError::Ledger)?,
        running: AtomicU32::new(0),
        served: AtomicU64::new(0),
        stop_after: workload.stop_after,
        enough: CancellationToken::new(),
        hurry: CancellationToken::new(),
        threads: Threads::default(),
        messages: FirstMessages::default(),
        turned_away: AtomicU64::new(0),
    })
}

/// Begins the tokens of this run's orders: its time and process, so that runs with one seed still differ.
fn run_tag(started: SystemTime) -> String {
    let ms = started.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    format!("{}{}", base36(ms), base36(u64::from(std::process::id() % 1296)))
}

fn begin<T: Target>(
    crew: &Arc<Crew<T>>,
    tallies: &[Arc<Tally>],
    levels: &watch::Receiver<u32>,
    workload: &Workload,
    place: Place,
) -> Result<Vec<oneshot::Receiver<CrowdReport>>, RunError> {
    // The longest that one page can be at work without coming to a boundary is its slowest statement; a second one rolls back.
    let patience = workload.connect_timeout.0 + workload.statement_timeout.0 * 2;
    match place {
        Place::Threads(_) => threads::start(crew, tallies, levels, patience).map_err(RunError::Threads),
        Place::Here(_) => Ok(threads::start_here(crew, tallies, levels, patience)),
    }
}

async fn gather(reports: Vec<oneshot::Receiver<CrowdReport>>) -> CrowdReport {
    let mut all = CrowdReport::default();
    for report in reports {
        match report.await {
            Ok(report) => all.merge(report),
            Err(_) => {
                all.merge(CrowdReport::broken("a thread of browsers broke down with all that were on it"))
            }
        }
    }
    all
}
