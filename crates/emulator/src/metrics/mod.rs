//! The figures of a run while it goes on, for whoever watches: counters since its start, brought up to date once a second.

mod buckets;
mod text;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bookstore::Interaction;
use report::record::SecondRow;

use self::buckets::Buckets;
use crate::recorder::Slice;
use crate::recorder::slice::{CLASSES, PAGES};

/// What one run has come to so far. Made before the run, handed to it, and read at any time.
#[derive(Debug, Default)]
pub struct Metrics {
    figures: Mutex<Figures>,
}

/// A second of the load beside what was counted in it.
#[derive(Clone, Debug)]
pub(crate) struct Moment<'a> {
    pub row: &'a SecondRow,
    /// All phases by name.
    pub phases: Vec<String>,
    /// Seconds of load planned.
    pub of_seconds: u32,
    /// Share of a core of the busiest browser thread.
    pub cpu_share: f64,
    /// Orders acknowledged so far.
    pub orders: u64,
    /// Events so far, by kind.
    pub events: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Debug, Default)]
struct Figures {
    row: SecondRow,
    phases: Vec<String>,
    of_seconds: u32,
    cpu_share: f64,
    orders: u64,
    events: BTreeMap<&'static str, u64>,
    /// By place in [`Interaction::ALL`].
    pages: [PageFigures; PAGES],
    service: Buckets,
    late: Buckets,
    reads: Buckets,
    writes: Buckets,
    reconnects: u64,
    given_up: u64,
    stale: u64,
    stale_across: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct PageFigures {
    latency: Buckets,
    /// Tries that failed, by class.
    failed: [u64; CLASSES],
}

impl Metrics {
    /// Takes in a second.
    pub(crate) fn second(&self, moment: Moment<'_>, slice: &Slice) {
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.take_in(slice);
        figures.row = moment.row.clone();
        (figures.phases, figures.of_seconds) = (moment.phases, moment.of_seconds);
        (figures.cpu_share, figures.orders, figures.events) =
            (moment.cpu_share, moment.orders, moment.events);
    }

    /// All of it as Prometheus text (exposition format 0.0.4).
    pub fn text(&self) -> String {
        let figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner).clone();
        text::page(&figures)
    }
}

impl Figures {
    fn take_in(&mut self, slice: &Slice) {
        for page in Interaction::ALL {
            let (figures, at) = (&mut self.pages[page.index()], page.index());
            figures.latency.add(&slice.pages[at]);
            figures.failed.iter_mut().zip(slice.errors[at]).for_each(|(sum, count)| *sum += count);
        }
        self.service.add(&slice.service);
        self.late.add(&slice.late);
        self.reads.add(&slice.reads);
        self.writes.add(&slice.writes);
        self.reconnects += slice.reconnects;
        self.given_up += slice.given_up;
        self.stale += slice.stale;
        self.stale_across += slice.stale_across;
    }
}
