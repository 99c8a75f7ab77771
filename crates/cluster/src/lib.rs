//! Database nodes: find a server program, start it, replicate, break, repair.
//!
//! The room knows processes, folders, ports and replication. It knows nothing of TPC-W and nothing of the balancer.
//!
//! Two halves that need not be used together:
//!
//! * *Local nodes.* [`program`] finds (or fetches) `mariadbd`; [`mariadbd`] makes data folders and starts processes;
//!   [`provision::LocalCluster`] is a replicated cluster of child processes; [`fault`] and [`capacity`] break and limit it.
//! * *Any nodes.* [`admin`] speaks to a server by address and account; [`replication`] reads its state and changes it.

pub mod account;
pub mod admin;
pub mod cache;
pub mod capacity;
mod error;
pub mod fault;
mod lifetime;
pub mod mariadbd;
pub mod node;
pub mod program;
pub mod provision;
pub mod replication;

pub use account::{Account, Accounts, Encryption, Password};
pub use admin::{Admin, AdminError};
pub use cache::Cache;
pub use capacity::{AppliedCapacity, Capacity, CapacityMode};
pub use error::Error;
pub use fault::{Fault, Peer, Way};
pub use lifetime::bind_to_parent;
pub use mariadbd::template::{LoneServer, Template};
pub use node::{NodeId, Role};
pub use program::{BackupTools, FindOptions, ProgramError, ServerProgram, client, find_server, plugins};
pub use provision::CopyFigures;
pub use provision::local::{ClusterSpec, Durability, LocalCluster, LocalNode};
