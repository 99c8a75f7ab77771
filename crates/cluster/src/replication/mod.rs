//! Replication between nodes, spoken over short-lived admin connections.

pub mod gtid;
