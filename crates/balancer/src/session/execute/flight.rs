//! A statement under way, on its node's meter.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;

use super::Work;
use crate::route::Plan;
use crate::sql::classify::Kind;
use crate::telemetry::Meter;

/// Counts as in flight until it is dropped.
pub(super) struct Flight {
    meter: Arc<Meter>,
    since: Instant,
}

impl Flight {
    /// The statement is about to be sent.
    pub fn begin(meter: Arc<Meter>) -> Self {
        Self::start(&meter);
        Self { meter, since: Instant::now() }
    }

    /// Counts a statement that somebody else watches over.
    pub fn start(meter: &Meter) {
        meter.in_flight.fetch_add(1, Relaxed);
    }

    /// Counts it off.
    pub fn end(meter: &Meter) {
        meter.in_flight.fetch_sub(1, Relaxed);
    }

    /// Takes over one that has been counted.
    pub fn taken_over(meter: Arc<Meter>, since: Instant) -> Self {
        Self { meter, since }
    }

    /// Since when the node works on it.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// What had to go ahead of it has been answered: from now on the node works on it.
    pub fn restart(&mut self) {
        self.since = Instant::now();
    }

    /// It has been answered; it counts as in flight until all that follows from the answer is done.
    pub fn landed(&self, plan: &Plan, work: Work) {
        if !matches!(work, Work::Prepare(_) | Work::FieldList) {
            count(&self.meter, plan, self.since.elapsed());
        }
    }
}

/// Counts a statement that has been answered.
pub(super) fn count(meter: &Meter, plan: &Plan, took: Duration) {
    let (count, latency) = match plan.kind {
        Kind::Read => (&meter.reads, &meter.read_latency),
        _ => (&meter.writes, &meter.write_latency),
    };
    count.fetch_add(1, Relaxed);
    latency.record(took);
    meter.smooth(took);
}

impl Drop for Flight {
    fn drop(&mut self) {
        Self::end(&self.meter);
    }
}
