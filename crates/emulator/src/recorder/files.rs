//! The rows of a run folder that come once a second, and those that come at its end.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bookstore::mix::wirt_limit;
use bookstore::store::FailureClass;
use bookstore::{Interaction, Mix};
use hdrhistogram::Histogram;
use report::ReportError;
use report::record::{
    ErrorRow, FINE_BIN_MS, FineRow, GeneratorRow, HistogramLog, InteractionRow, NodeRow, SecondRow,
    TAG_ERROR, TAG_LATE, TAG_READ, TAG_SERVICE, TAG_WRITE, Table, ThinkRow, TransitionRow, VisitRow,
    write_table,
};

use super::collector::Totals;
use super::slice::{Bin, Slice};
use super::spread::ends;
use crate::think::{THINK_CUT, VISIT_CUT};
use crate::workload::Workload;

/// The tables that grow while a run goes on.
#[derive(Debug)]
pub(crate) struct Files {
    folder: PathBuf,
    seconds: Table<SecondRow>,
    nodes: Table<NodeRow>,
    errors: Table<ErrorRow>,
    fine: Table<FineRow>,
    generator: Table<GeneratorRow>,
    histograms: HistogramLog,
}

/// What a second's rows need beside its slice.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub second: u32,
    pub phase: String,
    pub measured: bool,
    pub sessions: u32,
    pub cpu_share: f64,
}

impl Files {
    pub(crate) fn create(folder: &Path, load_started: SystemTime) -> Result<Self, ReportError> {
        Ok(Self {
            folder: folder.to_owned(),
            seconds: Table::create(folder)?,
            nodes: Table::create(folder)?,
            errors: Table::create(folder)?,
            fine: Table::create(folder)?,
            generator: Table::create(folder)?,
            histograms: HistogramLog::create(folder, load_started)?,
        })
    }

    /// Writes all rows of a second and hands back the one of `seconds.csv`.
    pub(crate) fn append(
        &mut self,
        frame: &Frame,
        slice: &Slice,
        nodes: &[NodeRow],
    ) -> Result<SecondRow, ReportError> {
        let row = second_row(frame, slice, nodes);
        self.errors.append_all(&error_rows(frame.second, slice))?;
        self.fine.append_all(&fine_rows(frame.second, slice))?;
        self.generator.append(&generator_row(frame, slice))?;
        self.nodes.append_all(nodes)?;
        self.append_histograms(frame.second, slice)?;
        // Last, so that a second with a row has all its others too.
        self.seconds.append(&row)?;
        Ok(row)
    }

    fn append_histograms(&mut self, second: u32, slice: &Slice) -> Result<(), ReportError> {
        let (start, length) = (Duration::from_secs(second.into()), Duration::from_secs(1));
        let pages = Interaction::ALL.map(Interaction::name).into_iter().zip(&slice.pages);
        let others = [
            (TAG_READ, &slice.reads),
            (TAG_WRITE, &slice.writes),
            (TAG_ERROR, &slice.failed),
            (TAG_SERVICE, &slice.service),
            (TAG_LATE, &slice.late),
        ];
        pages
            .chain(others)
            .try_for_each(|(tag, histogram)| self.histograms.append(start, length, tag, histogram))
    }

    /// Writes the tables that are known at the end.
    pub(crate) fn finish(&self, workload: &Workload, totals: &Totals) -> Result<(), ReportError> {
        let (mix, limit_share) = (workload.mix, workload.limits.share());
        write_table(&self.folder, &interaction_rows(mix, limit_share, &totals.measured))?;
        write_table(&self.folder, &think_rows(workload.think_time.mean(), &totals.whole))?;
        // Visits of an open load end when the walk leads home, not after a time.
        if workload.arrivals.is_none() && !workload.visit_length.0.is_zero() {
            write_table(&self.folder, &visit_rows(workload.visit_length.0, &totals.whole))?;
        }
        write_table(&self.folder, &transition_rows(mix, &totals.whole))
    }
}

fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

/// A quantile in ms; 0 of nothing.
pub(super) fn quantile(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    if histogram.is_empty() { 0.0 } else { ms(histogram.value_at_quantile(quantile)) }
}

fn max(histogram: &Histogram<u64>) -> f64 {
    if histogram.is_empty() { 0.0 } else { ms(histogram.max()) }
}

pub(super) fn mean(histogram: &Histogram<u64>) -> f64 {
    histogram.mean() / 1000.0
}

fn second_row(frame: &Frame, slice: &Slice, nodes: &[NodeRow]) -> SecondRow {
    let pages = slice.all_pages();
    SecondRow {
        second: frame.second,
        phase: frame.phase.clone(),
        sessions: frame.sessions,
        interactions: pages.len(),
        errors: slice.failures(),
        wips: pages.len() as f64,
        p50_ms: quantile(&pages, 0.5),
        p90_ms: quantile(&pages, 0.9),
        p99_ms: quantile(&pages, 0.99),
        max_ms: max(&pages),
        reads: slice.reads.len(),
        writes: slice.writes.len(),
        read_mean_ms: mean(&slice.reads),
        write_mean_ms: mean(&slice.writes),
        serving_nodes: nodes.iter().filter(|node| node.state == "serving").count() as u32,
        measured: frame.measured,
    }
}

fn error_rows(second: u32, slice: &Slice) -> Vec<ErrorRow> {
    let mut rows = Vec::new();
    for interaction in Interaction::ALL {
        for class in FailureClass::ALL {
            let count = slice.errors[interaction.index()][class.index()];
            if count > 0 {
                let (interaction, class) = (interaction.name().to_owned(), class.name().to_owned());
                rows.push(ErrorRow { second, interaction, class, count });
            }
        }
    }
    rows
}

fn fine_rows(second: u32, slice: &Slice) -> Vec<FineRow> {
    let start = u64::from(second) * 1000;
    let bins = (0..).map(|bin| start + bin * FINE_BIN_MS).zip(&slice.bins);
    bins.map(|(ms, bin)| {
        let Bin { ok, errors, writes_ok, reconnects } = *bin;
        FineRow { ms, ok, errors, writes_ok, reconnects }
    })
    .collect()
}

fn generator_row(frame: &Frame, slice: &Slice) -> GeneratorRow {
    GeneratorRow {
        second: frame.second,
        cpu_share: frame.cpu_share,
        late_p50_ms: quantile(&slice.late, 0.5),
        late_p99_ms: quantile(&slice.late, 0.99),
        late_max_ms: max(&slice.late),
    }
}

fn interaction_rows(mix: Mix, limit_share: f64, measured: &Slice) -> Vec<InteractionRow> {
    let all = measured.served().max(1) as f64;
    let row = |interaction: Interaction| {
        let histogram = &measured.pages[interaction.index()];
        let limit_ms = wirt_limit(interaction).as_secs_f64() * 1000.0 * limit_share;
        let p90_ms = quantile(histogram, 0.9);
        InteractionRow {
            interaction: interaction.name().to_owned(),
            count: histogram.len(),
            errors: measured.errors[interaction.index()].iter().sum(),
            share_pct: 100.0 * histogram.len() as f64 / all,
            target_share_pct: mix.required_share(interaction),
            mean_ms: mean(histogram),
            p50_ms: quantile(histogram, 0.5),
            p90_ms,
            p95_ms: quantile(histogram, 0.95),
            p99_ms: quantile(histogram, 0.99),
            p999_ms: quantile(histogram, 0.999),
            max_ms: max(histogram),
            limit_ms,
            within_limit: p90_ms <= limit_ms,
        }
    };
    Interaction::ALL.map(row).into()
}

fn think_rows(mean: Duration, whole: &Slice) -> Vec<ThinkRow> {
    let (drawn, slept) = (&whole.thinks, &whole.slept);
    if mean.is_zero() {
        return vec![ThinkRow { le_ms: 0.0, count: drawn.total(), slept: slept.total() }];
    }
    let rows =
        ends(&[drawn, slept], THINK_CUT, millis(mean)).into_iter().zip(drawn.counts().zip(slept.counts()));
    rows.map(|(le_ms, (count, slept))| ThinkRow { le_ms, count, slept }).collect()
}

fn visit_rows(mean: Duration, whole: &Slice) -> Vec<VisitRow> {
    let (planned, ended, lasted) = (&whole.planned, &whole.ended, &whole.lasted);
    let ends = ends(&[planned, ended, lasted], VISIT_CUT, millis(mean));
    let counts = planned.counts().zip(ended.counts()).zip(lasted.counts());
    let row = |(le_ms, ((planned, ended), lasted))| VisitRow { le_ms, planned, ended, lasted };
    ends.into_iter().zip(counts).map(row).collect()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn transition_rows(mix: Mix, whole: &Slice) -> Vec<TransitionRow> {
    let mut rows = Vec::new();
    for (from, counts) in whole.transitions.iter().enumerate() {
        let page = Interaction::ALL.get(from).copied();
        for (to, count) in Interaction::ALL.into_iter().zip(counts) {
            let drawn = page.map_or(0, |page| whole.steps[page.index()][to.index()]);
            let chance = page.map_or(0.0, |page| mix.transitions().chance(page, to));
            if *count > 0 || drawn > 0 || chance > 0.0 {
                let from = page.map_or("start", Interaction::name).to_owned();
                rows.push(TransitionRow { from, to: to.name().to_owned(), count: *count, drawn, chance });
            }
        }
    }
    rows
}
