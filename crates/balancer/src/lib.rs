//! One MySQL address in front of many nodes.
//!
//! Two orders, each read from top to bottom.
//!
//! *As a query meets it:* `server` accepts → `session` (login, then a loop of commands) → `wire` (bytes ↔ packets) →
//! `sql` (text → statement) → `route` (statement, session, view → node) → `pool` (a connection to it) → `session::relay`
//! (bytes there and back) → `telemetry`.
//!
//! *As an event meets it:* `health` (probe, judge) → `failover`, `elastic`, `recovery`, an operator on `admin` →
//! [`request`] → `executor` (the one writer) → [`view`] and [`event`].
//!
//! The four tables between the two planes, [`view`], [`telemetry`], [`request`] and [`event`], import nobody else.
//! The balancer knows no table of any application.

pub mod accounts;
pub mod admin;
pub mod config;
pub mod control;
pub mod dataplane;
pub mod elastic;
pub mod event;
pub mod executor;
pub mod failover;
pub mod health;
pub mod nodes;
pub mod outcome;
#[cfg(feature = "planted")]
pub mod planted;
pub mod pool;
pub mod request;
pub mod route;
pub mod server;
pub mod session;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
pub mod sql;
pub mod telemetry;
pub mod tls;
pub mod view;
pub mod wire;
