//! All figures of one worker in one second, and the sum of such.

use std::time::Duration;

use bookstore::Interaction;
use bookstore::store::FailureClass;
use hdrhistogram::Histogram;
use report::record::{FINE_BIN_MS, new_histogram};

use super::spread::Spread;
use crate::target::{Answered, StatementKind};
use crate::think::{THINK_CUT, VISIT_CUT};

/// Interactions, and failure classes.
pub(crate) const PAGES: usize = Interaction::ALL.len();
pub(crate) const CLASSES: usize = FailureClass::ALL.len();
/// Bins of 100 ms in a second.
pub(crate) const BINS: usize = (1000 / FINE_BIN_MS) as usize;
/// Think times in tenths of the mean, up to the cut of ten means.
pub(crate) type Thinks = Spread<100>;
/// Lengths of visits in twentieths of the mean, up to the cut of four means.
pub(crate) type Lengths = Spread<80>;

/// One bin of `fine.csv`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bin {
    pub ok: u64,
    pub errors: u64,
    pub writes_ok: u64,
    pub reconnects: u64,
}

/// A page that ended well.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served {
    pub from: Option<Interaction>,
    pub page: Interaction,
    /// From when it was due.
    pub took: Duration,
    /// From when its last try was asked for.
    pub service: Duration,
    /// Whether it changed something for good.
    pub wrote: bool,
}

/// Figures of pages and statements that ended in one second. Histograms are in µs, up to an hour without clipping, and take
/// some 180 KiB each, so a slice is kept per worker, never per browser.
#[derive(Debug)]
pub struct Slice {
    pub(crate) second: u32,
    /// Time from due to done of pages that ended well, by interaction.
    pub(crate) pages: Vec<Histogram<u64>>,
    /// Time from asking to done of the same, the last try alone: what a tool would report that counts from sending.
    pub(crate) service: Histogram<u64>,
    /// Time of tries that failed, each from its own start; the first from when the page was due.
    pub(crate) failed: Histogram<u64>,
    pub(crate) reads: Histogram<u64>,
    pub(crate) writes: Histogram<u64>,
    /// How late browsers woke up.
    pub(crate) late: Histogram<u64>,
    pub(crate) errors: [[u64; CLASSES]; PAGES],
    pub(crate) bins: [Bin; BINS],
    /// Row `PAGES` is the start of a visit.
    pub(crate) transitions: [[u64; PAGES]; PAGES + 1],
    /// How often walks led from one page to another, across visits.
    pub(crate) steps: [[u64; PAGES]; PAGES],
    /// As drawn.
    pub(crate) thinks: Thinks,
    /// As they really were.
    pub(crate) slept: Thinks,
    /// Least lengths of visits that began.
    pub(crate) planned: Lengths,
    /// The same of those that ended by themselves.
    pub(crate) ended: Lengths,
    /// How long those lasted.
    pub(crate) lasted: Lengths,
    /// Connections made again after one was lost.
    pub(crate) reconnects: u64,
    /// Pages given up: refused too often, of unknown outcome, or unanswered when the browser was told to end.
    pub(crate) given_up: u64,
    pub(crate) stale: u64,
    pub(crate) stale_across: u64,
}

impl Default for Slice {
    fn default() -> Self {
        Self::new()
    }
}

impl Slice {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            second: 0,
            pages: (0..PAGES).map(|_| new_histogram()).collect(),
            service: new_histogram(),
            failed: new_histogram(),
            reads: new_histogram(),
            writes: new_histogram(),
            late: new_histogram(),
            errors: [[0; CLASSES]; PAGES],
            bins: [Bin::default(); BINS],
            transitions: [[0; PAGES]; PAGES + 1],
            steps: [[0; PAGES]; PAGES],
            thinks: Thinks::new(),
            slept: Thinks::new(),
            planned: Lengths::new(),
            ended: Lengths::new(),
            lasted: Lengths::new(),
            reconnects: 0,
            given_up: 0,
            stale: 0,
            stale_across: 0,
        }
    }

    pub(crate) fn serve(&mut self, bin: usize, served: Served) {
        record(&mut self.pages[served.page.index()], served.took);
        record(&mut self.service, served.service);
        let from = served.from.map_or(PAGES, Interaction::index);
        self.transitions[from][served.page.index()] += 1;
        self.bins[bin].ok += 1;
        self.bins[bin].writes_ok += u64::from(served.wrote);
    }

    pub(crate) fn fail(&mut self, bin: usize, page: Interaction, class: FailureClass, took: Duration) {
        record(&mut self.failed, took);
        self.errors[page.index()][class.index()] += 1;
        self.bins[bin].errors += 1;
    }

    pub(crate) fn answer(&mut self, answered: Answered) {
        let histogram = match answered.kind {
            StatementKind::Read => &mut self.reads,
            StatementKind::Inside | StatementKind::Durable => &mut self.writes,
        };
        record(histogram, answered.took);
    }

    pub(crate) fn wake(&mut self, late: Duration) {
        record(&mut self.late, late);
    }

    pub(crate) fn reconnect(&mut self, bin: usize) {
        self.reconnects += 1;
        self.bins[bin].reconnects += 1;
    }

    /// Counts a think time as drawn and as it was, in means.
    pub(crate) fn think(&mut self, drawn: f64, slept: f64) {
        self.thinks.note(drawn, THINK_CUT);
        self.slept.note(slept, THINK_CUT);
    }

    pub(crate) fn step(&mut self, from: Interaction, to: Interaction) {
        self.steps[from.index()][to.index()] += 1;
    }

    /// Counts a visit that begins, by its least length in means.
    pub(crate) fn begin_visit(&mut self, planned: f64) {
        self.planned.note(planned, VISIT_CUT);
    }

    /// Counts one that ended by itself.
    pub(crate) fn end_visit(&mut self, planned: f64, lasted: f64) {
        self.ended.note(planned, VISIT_CUT);
        self.lasted.note(lasted, VISIT_CUT);
    }

    /// Pages that ended well.
    pub fn served(&self) -> u64 {
        self.pages.iter().map(Histogram::len).sum()
    }

    /// Tries that failed.
    pub fn failures(&self) -> u64 {
        self.errors.iter().flatten().sum()
    }

    /// All pages that ended well in one histogram.
    pub(crate) fn all_pages(&self) -> Histogram<u64> {
        let mut all = new_histogram();
        for page in &self.pages {
            add(&mut all, page);
        }
        all
    }

    /// Adds another's figures; the second stays.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.histograms().into_iter().zip(other.all_histograms()) {
            add(mine, theirs);
        }
        self.merge_counts(other);
    }

    /// Adds another's figures but for its histograms.
    pub(crate) fn merge_counts(&mut self, other: &Self) {
        let sums = |mine: &mut [u64], theirs: &[u64]| {
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine += theirs);
        };
        sums(self.errors.as_flattened_mut(), other.errors.as_flattened());
        sums(self.transitions.as_flattened_mut(), other.transitions.as_flattened());
        sums(self.steps.as_flattened_mut(), other.steps.as_flattened());
        self.thinks.merge(&other.thinks);
        self.slept.merge(&other.slept);
        self.planned.merge(&other.planned);
        self.ended.merge(&other.ended);
        self.lasted.merge(&other.lasted);
        for (mine, theirs) in self.bins.iter_mut().zip(&other.bins) {
            mine.ok += theirs.ok;
            mine.errors += theirs.errors;
            mine.writes_ok += theirs.writes_ok;
            mine.reconnects += theirs.reconnects;
        }
        self.reconnects += other.reconnects;
        self.given_up += other.given_up;
        self.stale += other.stale;
        self.stale_across += other.stale_across;
    }

    /// Empties it for another second; what is empty already is not touched.
    pub fn reset(&mut self) {
        for histogram in self.histograms() {
            if !histogram.is_empty() {
                histogram.reset();
            }
        }
        self.errors = [[0; CLASSES]; PAGES];
        self.bins = [Bin::default(); BINS];
        self.transitions = [[0; PAGES]; PAGES + 1];
        self.steps = [[0; PAGES]; PAGES];
        (self.thinks, self.slept) = (Thinks::new(), Thinks::new());
        (self.planned, self.ended, self.lasted) = (Lengths::new(), Lengths::new(), Lengths::new());
        (self.reconnects, self.given_up, self.stale, self.stale_across) = (0, 0, 0, 0);
    }

    fn histograms(&mut self) -> Vec<&mut Histogram<u64>> {
        let Self { pages, service, failed, reads, writes, late, .. } = self;
        pages.iter_mut().chain([service, failed, reads, writes, late]).collect()
    }

    fn all_histograms(&self) -> impl Iterator<Item = &Histogram<u64>> {
        self.pages.iter().chain([&self.service, &self.failed, &self.reads, &self.writes, &self.late])
    }
}

/// Records in µs; what is below one counts as one, what is above an hour as an hour.
fn record(histogram: &mut Histogram<u64>, took: Duration) {
    histogram.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1));
}

fn add(to: &mut Histogram<u64>, other: &Histogram<u64>) {
    if !other.is_empty() {
        to.add(other).expect("both have the same bounds");
    }
}
