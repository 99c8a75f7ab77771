//! Users, load and measuring: emulated browsers against one address.
//!
//! The room knows an address and a [`control::Control`]; it knows neither the balancer nor how nodes are made. A workload
//! ([`workload`]) says what browsers do; [`run::run`] lets them; [`audit::audit`] proves afterwards that nothing they were told
//! is lost.

mod alarm;
pub mod audit;
pub mod control;
pub mod fault;
mod generator;
pub mod guarantees;
pub mod ledger;
pub mod load;
pub mod metrics;
pub mod recorder;
pub mod run;
pub mod schedule;
mod seed;
mod session;
pub mod span;
pub mod target;
pub mod think;
pub mod usage;
pub mod workload;
