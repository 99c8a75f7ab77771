//! A run folder read as a whole: every table, and the latencies of the measurement interval merged.

use std::collections::{BTreeMap, BTreeSet};

use hdrhistogram::Histogram;

use crate::{
    ReportError, RunDir,
    inside::Inside,
    record::{
        AUDIT_FILE, Audit, ErrorRow, EventRow, FineRow, GeneratorRow, InteractionRow, Manifest, NodeRow,
        OUTCOME_FILE, Outcome, ResourceRow, SecondRow, TAG_ERROR, TAG_LATE, TAG_READ, TAG_SERVICE, TAG_WRITE,
        ThinkRow, TransitionRow, VisitRow, new_histogram, read_json, read_recorded, read_table,
    },
    spread::Spread,
};

/// What a run folder holds. What an interrupted run did not get to write is empty.
#[derive(Debug, Default)]
pub struct Folder {
    /// `manifest.json`.
    pub manifest: Manifest,
    /// `seconds.csv`, by second.
    pub seconds: Vec<SecondRow>,
    /// `interactions.csv`; made from histograms and errors where the run did not get to write it.
    pub interactions: Vec<InteractionRow>,
    /// `nodes.csv`.
    pub nodes: Vec<NodeRow>,
    /// `events.csv`, in order of time.
    pub events: Vec<EventRow>,
    /// `errors.csv`.
    pub errors: Vec<ErrorRow>,
    /// `fine.csv`.
    pub fine: Vec<FineRow>,
    /// `generator.csv`.
    pub generator: Vec<GeneratorRow>,
    /// `resources.csv`.
    pub resources: Vec<ResourceRow>,
    /// `think_times.csv`.
    pub thinks: Vec<ThinkRow>,
    /// `transitions.csv`.
    pub transitions: Vec<TransitionRow>,
    /// `visits.csv`; empty in an open load, and in folders of older versions.
    pub visits: Vec<VisitRow>,
    /// `audit.json`.
    pub audit: Option<Audit>,
    /// `outcome.json`.
    pub outcome: Option<Outcome>,
    /// Latencies of the measurement interval, merged from `histograms.hlog`.
    pub latencies: Latencies,
    /// Latencies over the whole load, in columns of some seconds.
    pub spread: Spread,
    /// Browsers inside an interaction, second by second.
    pub inside: Inside,
}

/// Latencies of the measurement interval in µs.
#[derive(Debug)]
pub struct Latencies {
    /// All interactions that ended well.
    pub all: Histogram<u64>,
    /// The same by interaction.
    pub by_interaction: BTreeMap<String, Histogram<u64>>,
    /// Statements that only read.
    pub reads: Histogram<u64>,
    /// All other statements.
    pub writes: Histogram<u64>,
    /// Tries that failed.
    pub errors: Histogram<u64>,
    /// All interactions that ended well, from asking to done; empty in folders of older versions.
    pub service: Histogram<u64>,
    /// How much later than due browsers woke up; empty in folders of older versions.
    pub late: Histogram<u64>,
}

impl Folder {
    /// Reads everything.
    ///
    /// # Errors
    /// Names the file that cannot be read, and the line where one does not fit. [`ReportError::Later`] for a folder of a later
    /// version.
    pub fn read(run: &RunDir) -> Result<Self, ReportError> {
        let path = run.path();
        let manifest = Manifest::read(path)?.unwrap_or_default();
        let mut seconds: Vec<SecondRow> = read_table(path)?;
        seconds.sort_by_key(|s| s.second);
        seconds.dedup_by_key(|s| s.second);
        let mut events: Vec<EventRow> = read_table(path)?;
        events.sort_by(|a, b| a.second.total_cmp(&b.second));
        let load_s = seconds.last().map_or(0, |s| s.second + 1);
        let (latencies, spread, inside) = read_latencies(run, &measured_seconds(&seconds), load_s)?;
        let mut folder = Self {
            manifest,
            seconds,
            interactions: read_table(path)?,
            nodes: read_table(path)?,
            events,
            errors: read_table(path)?,
            fine: read_table(path)?,
            generator: read_table(path)?,
            resources: read_table(path)?,
            thinks: read_table(path)?,
            transitions: read_table(path)?,
            visits: read_table(path)?,
            audit: read_json(&run.file(AUDIT_FILE))?,
            outcome: read_json(&run.file(OUTCOME_FILE))?,
            latencies,
            spread,
            inside,
        };
        folder.fine.sort_by_key(|bin| bin.ms);
        if folder.interactions.is_empty() {
            folder.interactions = folder.interactions_from_histograms();
        }
        Ok(folder)
    }

    /// The seconds of the measurement interval.
    pub fn measured(&self) -> impl Iterator<Item = &SecondRow> {
        self.seconds.iter().filter(|s| s.measured)
    }

    /// End of the load in seconds: of the last second that was recorded.
    pub fn load_seconds(&self) -> u32 {
        self.seconds.last().map_or(0, |s| s.second + 1)
    }

    /// Names of the nodes, in order.
    pub fn node_names(&self) -> BTreeSet<&str> {
        self.nodes.iter().map(|n| n.node.as_str()).collect()
    }

    /// What can be told of the interactions of a run that was cut off; limits and target shares are not known then (0).
    fn interactions_from_histograms(&self) -> Vec<InteractionRow> {
        let measured = measured_seconds(&self.seconds);
        let mut errors: BTreeMap<&str, u64> = BTreeMap::new();
        for row in self.errors.iter().filter(|e| measured.contains(&e.second)) {
            *errors.entry(&row.interaction).or_default() += row.count;
        }
        let total = self.latencies.all.len();
        self.latencies
            .by_interaction
            .iter()
            .map(|(name, h)| InteractionRow {
                errors: errors.get(name.as_str()).copied().unwrap_or(0),
                share_pct: percent(h.len(), total),
                ..interaction_row(name, h)
            })
            .collect()
    }
}

/// Count and latencies of one interaction; shares, errors and limit are the caller's.
pub fn interaction_row(name: &str, latencies: &Histogram<u64>) -> InteractionRow {
    let q = |quantile| ms(latencies.value_at_quantile(quantile));
    InteractionRow {
        interaction: name.to_owned(),
        count: latencies.len(),
        mean_ms: latencies.mean() / 1000.0,
        p50_ms: q(0.5),
        p90_ms: q(0.9),
        p95_ms: q(0.95),
        p99_ms: q(0.99),
        p999_ms: q(0.999),
        max_ms: ms(latencies.max()),
        within_limit: true,
        ..InteractionRow::default()
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            all: new_histogram(),
            by_interaction: BTreeMap::new(),
            reads: new_histogram(),
            writes: new_histogram(),
            errors: new_histogram(),
            service: new_histogram(),
            late: new_histogram(),
        }
    }
}

/// Values in µs with their counts: a second of one tag holds some tens of them in 23 000 places.
type Recorded = [(u64, u64)];

/// Reads the log once: the measured seconds merged, all of them in columns, and browsers inside an interaction by second.
fn read_latencies(
    run: &RunDir,
    measured: &BTreeSet<u32>,
    load_s: u32,
) -> Result<(Latencies, Spread, Inside), ReportError> {
    let (mut found, mut spread, mut inside) =
        (Latencies::default(), Spread::new(load_s), Inside::new(load_s));
    let mut misfit = None;
    read_recorded(run.path(), |heading, recorded| {
        // Intervals begin with a second, give or take the writer's own lateness.
        let second = heading.start.as_secs_f64().round();
        if second < f64::from(u32::MAX) {
            spread.add(second as u32, heading.tag, recorded);
            inside.add(second as u32, heading.tag, recorded);
            if measured.contains(&(second as u32)) {
                misfit = misfit.take().or(found.add(heading.tag, recorded).err());
            }
        }
    })?;
    match misfit {
        None => Ok((found, spread, inside)),
        Some(message) => Err(ReportError::Format { path: run.file(crate::record::HISTOGRAMS_FILE), message }),
    }
}

impl Latencies {
    fn add(&mut self, tag: &str, recorded: &Recorded) -> Result<(), String> {
        let (into, all) = match tag {
            TAG_READ => (&mut self.reads, None),
            TAG_WRITE => (&mut self.writes, None),
            TAG_ERROR => (&mut self.errors, None),
            TAG_SERVICE => (&mut self.service, None),
            TAG_LATE => (&mut self.late, None),
            name => {
                if !self.by_interaction.contains_key(name) {
                    self.by_interaction.insert(name.to_owned(), new_histogram());
                }
                (self.by_interaction.get_mut(name).expect("just inserted"), Some(&mut self.all))
            }
        };
        merge(into, recorded)?;
        all.map_or(Ok(()), |all| merge(all, recorded))
    }
}

fn merge(into: &mut Histogram<u64>, recorded: &Recorded) -> Result<(), String> {
    recorded.iter().try_for_each(|(value, count)| into.record_n(*value, *count)).map_err(|e| e.to_string())
}

fn measured_seconds(seconds: &[SecondRow]) -> BTreeSet<u32> {
    seconds.iter().filter(|s| s.measured).map(|s| s.second).collect()
}

/// µs as ms.
#[expect(clippy::cast_precision_loss, reason = "an hour in µs is far below 2^53")]
pub(crate) fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

/// A part of a whole in per cent; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(crate) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}
