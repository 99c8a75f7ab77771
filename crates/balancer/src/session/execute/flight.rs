//! A statement under way, on its node's meter.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

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
        meter.in_flight.fetch_add(1, Relaxed);
        Self { meter, since: Instant::now() }
    }

    /// What had to go ahead of it has been answered: from now on the node works on it.
    pub fn restart(&mut self) {
        self.since = Instant::now();
    }

    /// It has been answered; it counts as in flight until all that follows from the answer is done.
    pub fn landed(&self, plan: &Plan, work: Work) {
        if matches!(work, Work::Prepare(_) | Work::FieldList) {
            return;
        }
        let took = self.since.elapsed();
        let (count, latency) = match plan.kind {
            Kind::Read => (&self.meter.reads, &self.meter.read_latency),
            _ => (&self.meter.writes, &self.meter.write_latency),
        };
        count.fetch_add(1, Relaxed);
        latency.record(took);
        self.meter.smooth(took);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.meter.in_flight.fetch_sub(1, Relaxed);
    }
}
