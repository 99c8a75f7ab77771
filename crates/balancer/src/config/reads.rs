//! What reads are promised, and by which listener.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{ConfigError, host};
use crate::view::Strategy;

/// What a session's reads are promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    /// A session reads its own acknowledged writes, on any node.
    #[default]
    Causal,
    /// A session never reads an older state than it has read before.
    Monotonic,
    /// Any serving replica will do that is not too far behind ([`Eventual::max_lag_ms`]).
    Eventual,
    /// Every read goes to the primary.
    Primary,
}

impl Consistency {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Causal, Self::Monotonic, Self::Eventual, Self::Primary];

    /// The name used in files, hints and statements.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Causal => "causal",
            Self::Monotonic => "monotonic",
            Self::Eventual => "eventual",
            Self::Primary => "primary",
        }
    }

    /// The level of a name, in any case.
    pub fn of(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// Reads that have to see something certain: a session's own write, what it has read before, a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Causal {
    /// A read waits so long at most for a replica to apply what it has to see, then the primary answers; 0: no replica is
    /// waited for.
    pub wait_ms: u64,
}

impl Default for Causal {
    fn default() -> Self {
        Self { wait_ms: 300 }
    }
}

/// Reads that any replica may answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Eventual {
    /// A replica further behind, as far as probes know, answers no read; 0: no limit.
    pub max_lag_ms: u64,
}

/// Another address for clients, with promises of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Where clients connect. Port 0: any free one.
    #[serde(deserialize_with = "host::address")]
    pub address: SocketAddr,
    /// What reads of its sessions are promised; absent: as everywhere.
    #[serde(default)]
    pub consistency: Option<Consistency>,
    /// How reads of its sessions are spread; absent: as everywhere.
    #[serde(default)]
    pub strategy: Option<Strategy>,
    /// A replica further behind answers no `eventual` read of its sessions; absent: as everywhere.
    #[serde(default)]
    pub max_lag_ms: Option<u64>,
    /// How long its sessions' reads wait for a replica; absent: as everywhere.
    #[serde(default)]
    pub wait_ms: Option<u64>,
}

impl Listener {
    /// One that promises what all others do.
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, consistency: None, strategy: None, max_lag_ms: None, wait_ms: None }
    }
}

/// The longest that a read may be told to wait for a replica.
pub const LONGEST_WAIT_MS: u64 = 60_000;

/// Refuses waits that would hold a client for longer than it could want.
pub fn check_wait(key: &str, wait_ms: u64) -> Result<(), ConfigError> {
    if wait_ms <= LONGEST_WAIT_MS {
        return Ok(());
    }
    let problem = format!("{wait_ms} is not allowed; at most {LONGEST_WAIT_MS} (a minute)");
    Err(ConfigError { key: key.to_owned(), problem })
}
