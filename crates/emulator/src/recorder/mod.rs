//! What happened, counted where it happens and gathered once a second.
//!
//! A [`tally::Tally`] per worker takes in pages and statements by the second in which they ended; the
//! [`collector::Collector`] takes whole seconds away from all workers, adds them up and writes the run folder's rows. Nothing
//! is kept per browser, and nothing is lost when the collector is late.

pub(crate) mod collector;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod messages;
pub(crate) mod nodes;
pub(crate) mod resources;
pub(crate) mod slice;
pub(crate) mod spread;
pub(crate) mod tally;

pub use slice::Slice;
pub use tally::{Step, Tally, Times};
