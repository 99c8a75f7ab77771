//! Bytes between a client and a node.

mod file;
pub mod one;
pub mod seen;
