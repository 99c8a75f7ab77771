//! What TPC-W is: the online bookstore's schema, population, interactions, mixes and the conditions its data must meet.
//!
//! The facts, with how certain each is, are in `docs/tpcw.md`. The room measures nothing and knows no cluster: it speaks
//! to one database through [`store::Store`], which the emulator (and later the web tier) implements.

pub mod interaction;
pub mod scale;
pub mod store;
