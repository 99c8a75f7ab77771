//! Gathers whole seconds from all workers and writes their rows, once a second.
//!
//! The rows end with the load. A page that is under way then is waited for, as its browser ends at its boundary, but when it
//! ends no load is there any more to which it could be compared: it has no row, is only counted
//! ([`Totals::after_end`]), and its order is in the ledger like any other.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use report::record::{NodeRow, SecondRow, WarmUp};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::events::EventLog;
use super::files::{Files, Frame, mean, quantile};
use super::nodes::NodeWatch;
use super::slice::Slice;
use super::tally::Tally;
use crate::metrics::{Metrics, Moment};
use crate::run::{Live, RunError, SoFar};
use crate::schedule::warm_up::WarmUpWatch;
use crate::schedule::{PhaseKind, Plan};
use crate::session::Crew;

/// Figures of a run, known at its end.
#[derive(Debug)]
pub(crate) struct Totals {
    /// The measurement interval.
    pub measured: Slice,
    /// The whole run, what came after the load's end included; its histograms stay empty.
    pub whole: Slice,
    /// Tries of pages that ended after the load's last second, well or not: they have no rows.
    pub after_end: u64,
    /// How a warm-up of open length ended.
    pub warm_up: Option<WarmUp>,
}

/// The gatherer; it alone writes the rows of seconds.
#[derive(Debug)]
pub(crate) struct Collector<T> {
    crew: Arc<Crew<T>>,
    tallies: Vec<Arc<Tally>>,
    plan: Plan,
    files: Files,
    nodes: NodeWatch,
    events: Arc<EventLog>,
    /// When the load ended, since its start; set once.
    ended: Arc<OnceLock<Duration>>,
    progress: watch::Sender<Live>,
    warm_up: Option<WarmUpWatch>,
    metrics: Option<Arc<Metrics>>,
    /// On the heap, as are the totals: they are moved about with the task that gathers.
    sum: Box<Slice>,
    totals: Box<Totals>,
    /// Seconds of the measurement interval that are over.
    measured_s: u32,
}

/// What a collector is made of.
pub(crate) struct Parts<T> {
    pub crew: Arc<Crew<T>>,
    pub tallies: Vec<Arc<Tally>>,
    pub plan: Plan,
    pub files: Files,
    pub nodes: NodeWatch,
    pub events: Arc<EventLog>,
    pub ended: Arc<OnceLock<Duration>>,
    pub progress: watch::Sender<Live>,
    pub metrics: Option<Arc<Metrics>>,
}

impl<T> Collector<T> {
    pub(crate) fn new(parts: Parts<T>) -> Self {
        let Parts { crew, tallies, plan, files, nodes, events, ended, progress, metrics } = parts;
        let warm_up = WarmUpWatch::of(&plan);
        let totals = Totals { measured: Slice::new(), whole: Slice::new(), after_end: 0, warm_up: None };
        Self {
            crew,
            tallies,
            plan,
            files,
            nodes,
            events,
            ended,
            progress,
            warm_up,
            metrics,
            sum: Box::new(Slice::new()),
            totals: Box::new(totals),
            measured_s: 0,
        }
    }

    /// Gathers until `done`, then what is left.
    pub(crate) async fn run(mut self, done: CancellationToken) -> Result<(Box<Totals>, Files), RunError> {
        let mut second = 0;
        loop {
            tokio::select! {
                biased;
                () = sleep_until(self.end_of(second)) => self.close(second).await?,
                () = done.cancelled() => break,
            }
            second += 1;
        }
        while self.end_of(second) <= Instant::now() + Duration::from_secs(1) {
            self.close(second).await?;
            second += 1;
        }
        self.nodes.tell(&self.events).await;
        self.failures()?;
        Ok((self.totals, self.files))
    }

    fn end_of(&self, second: u32) -> Instant {
        self.crew.start + Duration::from_secs(u64::from(second) + 1)
    }

    async fn close(&mut self, second: u32) -> Result<(), RunError> {
        self.sum.reset();
        for tally in &self.tallies {
            tally.take(second, &mut self.sum);
        }
        self.nodes.tell(&self.events).await;
        self.totals.whole.merge_counts(&self.sum);
        match self.frame(second) {
            Some(frame) => self.record(&frame).await?,
            None => self.pass(),
        }
        self.failures()
    }

    async fn record(&mut self, frame: &Frame) -> Result<(), RunError> {
        let nodes = self.nodes.rows(frame.second).await;
        let row = self.files.append(frame, &self.sum, &nodes)?;
        if let Some(metrics) = &self.metrics {
            metrics.second(self.moment(frame, &row), &self.sum);
        }
        if let Some(watch) = &mut self.warm_up {
            watch.second(frame.second, row.interactions, row.p90_ms);
            self.totals.warm_up = watch.ended(frame.second + 1);
        }
        if frame.measured {
            self.totals.measured.merge(&self.sum);
            self.measured_s += 1;
        }
        self.show(frame, &row, nodes);
        Ok(())
    }

    fn moment<'a>(&self, frame: &Frame, row: &'a SecondRow) -> Moment<'a> {
        Moment {
            row,
            phases: self.plan.spans().map(|(.., phase)| phase.name.clone()).collect(),
            of_seconds: self.plan.seconds(),
            cpu_share: frame.cpu_share,
            orders: self.crew.ledger.acknowledged(),
            events: self.events.counts(),
        }
    }

    /// A second after the load: the live view stays at the last one, but for what goes on happening.
    fn pass(&mut self) {
        self.totals.after_end += self.sum.served() + self.sum.failures();
        self.progress.send_modify(|live| {
            live.orders = self.crew.ledger.acknowledged();
            live.events = self.events.recent();
        });
    }

    /// Where a second of the load belongs; `None` after its end. One that the end has cut short is shown and not counted.
    fn frame(&self, second: u32) -> Option<Frame> {
        let ended = self.ended.get().copied().unwrap_or(Duration::MAX);
        if ended <= Duration::from_secs(second.into()) {
            return None;
        }
        let whole = ended >= Duration::from_secs(u64::from(second) + 1);
        let phase = self.plan.phase_at(second)?;
        Some(Frame {
            second,
            phase: phase.name.clone(),
            measured: whole && phase.kind == PhaseKind::Measure,
            sessions: self.crew.running.load(std::sync::atomic::Ordering::Relaxed),
            cpu_share: self.crew.threads.busiest(),
        })
    }

    fn show(&self, frame: &Frame, row: &SecondRow, nodes: Vec<NodeRow>) {
        let before = self.progress.borrow();
        let (interactions, errors) = (before.total_interactions, before.total_errors);
        drop(before);
        self.progress.send_replace(Live {
            second: frame.second + 1,
            of_seconds: self.plan.seconds(),
            phase: frame.phase.clone(),
            measured: frame.measured,
            sessions: row.sessions,
            wips: row.wips,
            errors: row.errors,
            p50_ms: row.p50_ms,
            p90_ms: row.p90_ms,
            p99_ms: row.p99_ms,
            reads: row.reads,
            writes: row.writes,
            read_mean_ms: row.read_mean_ms,
            write_mean_ms: row.write_mean_ms,
            total_interactions: interactions + row.interactions,
            total_errors: errors + row.errors,
            orders: self.crew.ledger.acknowledged(),
            so_far: self.so_far(),
            nodes,
            events: self.events.recent(),
        });
    }

    fn so_far(&self) -> SoFar {
        let measured = &self.totals.measured;
        let pages = measured.all_pages();
        SoFar {
            seconds: self.measured_s,
            interactions: pages.len(),
            errors: measured.failures(),
            p50_ms: quantile(&pages, 0.5),
            p90_ms: quantile(&pages, 0.9),
            p99_ms: quantile(&pages, 0.99),
            reads: measured.reads.len(),
            read_mean_ms: mean(&measured.reads),
        }
    }

    /// What others could not write ends the run here.
    fn failures(&self) -> Result<(), RunError> {
        if let Some(error) = self.crew.ledger.failure() {
            return Err(RunError::Ledger(error));
        }
        match self.events.failure() {
            Some(error) => Err(RunError::Folder(error)),
            None => Ok(()),
        }
    }
}
