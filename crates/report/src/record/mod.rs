//! The files of a run folder, one format a file. Columns may be added; those here keep their names and meaning.

mod audit;
mod blocks;
mod errors;
mod events;
mod fine;
mod generator;
mod histograms;
mod interactions;
mod manifest;
mod nodes;
mod number;
mod outcome;
mod recorded;
mod resources;
mod seconds;
mod table;
mod think;
mod transitions;
mod visits;

pub use audit::{AUDIT_FILE, Audit, Condition, NodeAudit};
pub use blocks::BlockRow;
pub use errors::ErrorRow;
pub use events::{EventKind, EventRow};
pub use fine::{FINE_BIN_MS, FineRow};
pub use generator::GeneratorRow;
pub use histograms::{
    DIGITS, HIGHEST_US, HISTOGRAMS_FILE, HistogramLog, Interval, LOWEST_US, TAG_ERROR, TAG_LATE, TAG_READ,
    TAG_SERVICE, TAG_WRITE, new_histogram, read_histograms, read_recorded,
};
pub use interactions::InteractionRow;
pub use manifest::{MANIFEST_FILE, Machine, Manifest, SCHEMA_VERSION, Versions};
pub use nodes::NodeRow;
pub use number::round3;
pub use outcome::{OUTCOME_FILE, Outcome, WarmUp};
pub use resources::{PART_BALANCER, PART_GENERATOR, PART_MACHINE, PART_PROCESS, ResourceRow};
pub use seconds::SecondRow;
pub(crate) use table::replace;
pub use table::{Row, Table, read_json, read_table, write_json, write_table};
pub use think::ThinkRow;
pub use transitions::TransitionRow;
pub use visits::VisitRow;
