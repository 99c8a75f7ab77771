//! Bytes between a client and a node.

pub mod one;
