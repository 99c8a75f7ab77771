//! The whole control plane over fake nodes, on a clock that jumps: schedules of everything that can happen are drawn from
//! seeds and the promises are checked after every step.
//!
//! [`world`] is the nodes ([`node`]) and [`answers`] what they do when they are asked, [`stage`] the control plane above them and the passing of time, [`promises`] what must hold,
//! [`schedule`] what happens. A seed always gives the same schedule.

pub mod answers;
mod mend;
pub mod node;
pub mod promises;
pub mod schedule;
pub mod stage;
pub mod world;

pub use crate::executor::planted::Bug;
pub use schedule::{Figures, run};
pub use stage::{Stage, Violation};
