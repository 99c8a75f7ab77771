//! `events.csv`: written when something happens, by whoever sees it.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Mutex;

use report::ReportError;
use report::record::{EventKind, EventRow, Table};
use tokio::time::Instant;

/// Events kept for the live view.
const RECENT: usize = 8;

/// The run's events, shared by the schedule, the phases and the collector.
#[derive(Debug)]
pub(crate) struct EventLog {
    start: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    table: Table<EventRow>,
    recent: VecDeque<EventRow>,
    /// By kind.
    counts: BTreeMap<&'static str, u64>,
    failed: Option<ReportError>,
}

impl EventLog {
    pub(crate) fn create(folder: &Path, start: Instant) -> Result<Self, ReportError> {
        let table = Table::create(folder)?;
        let recent = VecDeque::with_capacity(RECENT);
        let inner = Inner { table, recent, counts: BTreeMap::new(), failed: None };
        Ok(Self { start, inner: Mutex::new(inner) })
    }

    /// Writes an event. A failure is kept for [`EventLog::failure`].
    pub(crate) fn tell(&self, at: Instant, kind: EventKind, node: &str, cause: &str, detail: &str) {
        let row = EventRow {
            second: at.saturating_duration_since(self.start).as_secs_f64(),
            kind,
            node: node.to_owned(),
            cause: cause.to_owned(),
            detail: detail.to_owned(),
        };
        let mut inner = self.inner.lock().expect("no panic while the events are held");
        if let Err(error) = inner.table.append(&row) {
            inner.failed.get_or_insert(error);
        }
        *inner.counts.entry(kind.name()).or_default() += 1;
        if inner.recent.len() == RECENT {
            inner.recent.pop_front();
        }
        inner.recent.push_back(row);
    }

    /// The newest events, oldest first.
    pub(crate) fn recent(&self) -> Vec<EventRow> {
        self.inner.lock().expect("no panic while the events are held").recent.iter().cloned().collect()
    }

    /// How many there were, by kind.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.inner.lock().expect("no panic while the events are held").counts.clone()
    }

    /// Why an event could not be written, once.
    pub(crate) fn failure(&self) -> Option<ReportError> {
        self.inner.lock().expect("no panic while the events are held").failed.take()
    }
}
