//! When what happens: phases with their numbers of browsers, and events to ask the cluster for.

mod chaos;
mod event;
pub(crate) mod perform;
mod phase;
pub(crate) mod warm_up;

pub use chaos::Chaos;
pub use event::{Event, EventAction};
pub use phase::{Level, Phase, PhaseKind, Plan, Until};
