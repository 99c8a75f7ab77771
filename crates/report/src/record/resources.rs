//! `resources.csv`: what each part of the experiment used, one row a part and second.

use serde::{Deserialize, Serialize};

use super::{
    Row,
    number::{rounded, rounded_option},
};

/// The whole machine.
pub const PART_MACHINE: &str = "machine";
/// The process of the generator, and of the balancer where that is a part of it: memory and disk, which threads do not have.
pub const PART_PROCESS: &str = "process";
/// The browsers' threads.
pub const PART_GENERATOR: &str = "generator";
/// The balancer's threads.
pub const PART_BALANCER: &str = "balancer";

/// One part in one second. What is not known of it is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceRow {
    /// Seconds since the start of the load.
    pub second: u32,
    /// `machine`, `process`, `generator`, `balancer`, or a node's name.
    pub part: String,
    /// Processor time used in this second, in cores.
    #[serde(serialize_with = "rounded_option")]
    pub cpu_cores: Option<f64>,
    /// Memory held (resident), in MiB.
    #[serde(serialize_with = "rounded_option")]
    pub memory_mib: Option<f64>,
    /// Read from disks, in KiB.
    pub read_kib: Option<u64>,
    /// Written to disks, in KiB.
    pub written_kib: Option<u64>,
    /// Received over the network, in KiB; for a node, by its clients and followers as the server counts it.
    pub received_kib: Option<u64>,
    /// Sent over the network, in KiB.
    pub sent_kib: Option<u64>,
    /// Statements that clients sent to the server.
    pub statements: Option<u64>,
    /// Waits for a row's lock that began.
    pub row_lock_waits: Option<u64>,
    /// Time spent in such waits, in ms.
    pub row_lock_wait_ms: Option<u64>,
    /// Deadlocks.
    pub deadlocks: Option<u64>,
    /// Pages found in the buffer pool, in per cent of those looked for.
    #[serde(serialize_with = "rounded_option")]
    pub buffer_pool_hit_pct: Option<f64>,
    /// Age of the oldest heartbeat that the node has not applied, in ms; 0 when it has applied all.
    #[serde(serialize_with = "rounded_option")]
    pub lag_ms: Option<f64>,
    /// Transactions that the primary has and the node has not.
    pub lag_transactions: Option<u64>,
    /// How far the machine's wall clock has moved against its steady clock since the start of the load, in ms; of the machine.
    #[serde(serialize_with = "rounded")]
    pub clock_ms: f64,
}

impl Row for ResourceRow {
    const FILE: &'static str = "resources.csv";
    const COLUMNS: &'static [&'static str] = &[
        "second",
        "part",
        "cpu_cores",
        "memory_mib",
        "read_kib",
        "written_kib",
        "received_kib",
        "sent_kib",
        "statements",
        "row_lock_waits",
        "row_lock_wait_ms",
        "deadlocks",
        "buffer_pool_hit_pct",
        "lag_ms",
        "lag_transactions",
        "clock_ms",
    ];
}
