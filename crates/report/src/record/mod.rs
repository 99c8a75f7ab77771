//! The files of a run folder, one format a file. Columns may be added; those here keep their names and meaning.

mod events;
mod interactions;
mod manifest;
mod nodes;
mod seconds;

pub use events::{EventKind, EventRow};
pub use interactions::InteractionRow;
pub use manifest::{Machine, Manifest, Versions};
pub use nodes::NodeRow;
pub use seconds::SecondRow;
