//! Database nodes: find a server program, start it, replicate, break, repair.
//!
//! The room knows processes, folders, ports and replication. It knows nothing of TPC-W and nothing of the balancer.

pub mod node;
pub mod replication;

pub use node::{NodeId, Role};
