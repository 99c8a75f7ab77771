//! Replication between nodes, spoken over short-lived admin connections.
//!
//! Works on any MariaDB node from 10.11 on for which there is an address and an account with all rights, whoever
//! started it. Nothing here decides anything: the balancer's control plane does, on what [`status`] tells.

pub mod divergence;
pub mod follow;
pub mod gtid;
pub mod gtid_set;
pub mod promote;
pub mod semi_sync;
pub mod status;

pub use divergence::errant;
pub use follow::{follow, wait_applied};
pub use gtid::{Gtid, GtidPosition, GtidState};
pub use gtid_set::GtidSet;
pub use promote::{drain_relay_log, fence, open, stop_receiving};
pub use status::{Follows, SemiSyncMaster, Status, status};
