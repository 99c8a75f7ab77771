//! What TPC-W is: the online bookstore's schema, population, interactions, mixes and the conditions its data must meet.
//!
//! The facts, with how certain each is, are in `docs/tpcw.md`. The room measures nothing and knows no cluster: it speaks
//! to one database through [`store::Store`], which the emulator (and later the web tier) implements.
//!
//! A page's way through the visit half: [`mix::Transitions::next`] names it, [`prepare`] draws the visitor's choices into a
//! [`Request`], [`perform`] runs the statements of its file in [`interaction`] and lets the [`Visit`] remember the [`Page`].

pub mod catalogue;
pub mod check;
mod columns;
pub mod digsyl;
pub mod input;
pub mod interaction;
pub mod load;
pub mod mix;
pub mod money;
pub mod page;
pub mod plain;
pub mod populate;
pub mod request;
pub mod scale;
pub mod schema;
pub mod shop;
pub mod statements;
pub mod store;
pub mod visit;

pub use input::Input;
pub use interaction::{Interaction, perform, serve};
pub use mix::{Mix, Transitions};
pub use money::Cents;
pub use page::Page;
pub use request::{Request, prepare};
pub use scale::Scale;
pub use shop::Shop;
pub use visit::Visit;
