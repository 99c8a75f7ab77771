//! A balancer in front of a local cluster, for tests of the control plane.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::SocketAddr;
use std::time::Duration;

use balancer::config::{self, Config};
use cluster::{Account, LocalCluster};
use mysql_async::OptsBuilder;

/// How long any single thing may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn account(account: &Account) -> config::Account {
    config::Account { name: account.user.clone(), password: account.password.expose().to_owned() }
}

pub fn config(cluster: &LocalCluster, candidates: &[&str]) -> Config {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let accounts = cluster.accounts();
    Config {
        listen: any,
        admin: Some(any),
        workers: 1,
        strategy: Default::default(),
        consistency: Default::default(),
        causal: Default::default(),
        eventual: Default::default(),
        listeners: Vec::new(),
        slow_start_ms: 0,
        accounts: vec![account(&accounts.shop)],
        auth: Default::default(),
        operator: account(&accounts.operator),
        replication: account(&accounts.replication),
        nodes: cluster
            .nodes()
            .iter()
            .map(|node| config::Node {
                name: node.id.to_string(),
                address: node.address,
                direct_address: Some(node.server),
                weight: 1,
                candidate: candidates.contains(&node.id.as_str()),
            })
            .collect(),
        health: Default::default(),
        failover: Default::default(),
        elastic: config::Elastic { automatic: false, ..Default::default() },
        pool: Default::default(),
        limits: Default::default(),
        tls: Default::default(),
        nodes_tls: Default::default(),
        compression: balancer::config::Compression::all(),
        state_file: None,
    }
}

/// A session of `account` with the balancer.
pub fn session_options(address: SocketAddr, account: &Account) -> OptsBuilder {
    OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some(account.user.clone()))
        .pass(Some(account.password.expose()))
        .prefer_socket(false)
}
