//! Users, load and measuring: emulated browsers against one address.
//!
//! The room knows an address and a [`control::Control`]; it knows neither the balancer nor how nodes are made.

pub mod control;
