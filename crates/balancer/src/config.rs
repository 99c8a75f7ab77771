//! Settings of the balancer, as plain structs: from a TOML file (`tpcw balance --config`) or made by `tpcw run`.
//!
//! Durations are whole milliseconds and say so in their names; unknown keys are refused. Addresses may be given by host
//! name: a name is resolved once, when the settings are read ([`host`]).

mod host;
mod reads;
pub mod tls;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::reads::{Causal, Consistency, Eventual, LONGEST_WAIT_MS, Listener};
pub use self::tls::{Compression, NodesTls, Tls};
use crate::view::Strategy;
use crate::wire::auth::Plugin;

/// Everything that the balancer needs to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where clients connect. Port 0: any free one, told by the handle.
    #[serde(deserialize_with = "host::listen")]
    pub listen: SocketAddr,
    /// Where the admin API listens; absent: nowhere.
    #[serde(default, deserialize_with = "host::admin")]
    pub admin: Option<SocketAddr>,
    /// Threads that carry statements; 0: one a core.
    #[serde(default)]
    pub workers: usize,
    /// How reads are spread at first.
    #[serde(default)]
    pub strategy: Strategy,
    /// What a read may miss.
    #[serde(default)]
    pub consistency: Consistency,
    /// Reads that have to see something certain.
    #[serde(default)]
    pub causal: Causal,
    /// Reads that any replica may answer.
    #[serde(default)]
    pub eventual: Eventual,
    /// More addresses for clients, each with promises of its own.
    #[serde(default)]
    pub listeners: Vec<Listener>,
    /// A node that begins to serve gets its full share of the reads after so long, growing from nothing: its caches are
    /// cold. 0: at once. Nodes that serve when the balancer starts are taken for warm.
    #[serde(default = "ten_seconds")]
    pub slow_start_ms: u64,
    /// Who may log in to the balancer; each is logged in to the nodes under the same name. More may come from `auth`.
    #[serde(default)]
    pub accounts: Vec<Account>,
    /// How clients log in, and who else may.
    #[serde(default)]
    pub auth: Auth,
    /// Under which the balancer looks after the nodes: needs the rights for replication, SUPER and PROCESS.
    pub operator: Account,
    /// The account that nodes replicate with.
    pub replication: Account,
    /// The nodes, in the order in which they are preferred when all else is equal.
    pub nodes: Vec<Node>,
    /// Probing and judging.
    #[serde(default)]
    pub health: Health,
    /// Replacing a primary.
    #[serde(default)]
    pub failover: Failover,
    /// Scaling.
    #[serde(default)]
    pub elastic: Elastic,
    /// Connections to nodes.
    #[serde(default)]
    pub pool: Pool,
    /// What clients may use up.
    #[serde(default)]
    pub limits: Limits,
    /// Encryption with clients.
    #[serde(default)]
    pub tls: Tls,
    /// Encryption with nodes.
    #[serde(default)]
    pub nodes_tls: NodesTls,
    /// Compression that clients are offered.
    #[serde(default = "Compression::all")]
    pub compression: Vec<Compression>,
    /// Where operators' switches and the last known topology are kept over restarts; absent: nowhere.
    #[serde(default)]
    pub state_file: Option<PathBuf>,
}

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct ConfigError {
    /// Which setting, as in the file: `elastic.floor`.
    pub key: String,
    /// What is wrong with it and what is allowed.
    pub problem: String,
}

impl Config {
    /// Refuses what makes no sense, naming the key and what is allowed.
    pub fn check(&self) -> Result<(), ConfigError> {
        let fail = |key: &str, problem: String| Err(ConfigError { key: key.to_owned(), problem });
        if self.nodes.is_empty() {
            return fail("nodes", "no node is given; at least one is needed".into());
        }
        if self.accounts.is_empty() && self.auth.accounts_file.is_none() && !self.auth.from_nodes {
            return fail(
                "accounts",
                "no account is given: nobody could log in; at least one is needed, or auth.accounts_file, or \
                 auth.from_nodes"
                    .into(),
            );
        }
        if !matches!(self.auth.default_plugin, Plugin::Native | Plugin::Sha2) {
            let problem = "only mysql_native_password and caching_sha2_password are allowed: others begin with a switch";
            return fail("auth.default_plugin", problem.into());
        }
        if self.admin.is_some_and(|admin| !admin.ip().is_loopback()) && self.auth.admin_token_file.is_none() {
            let problem =
                "others can reach this address: auth.admin_token_file is needed, or a loopback address";
            return fail("admin", problem.into());
        }
        for (at, node) in self.nodes.iter().enumerate() {
            let key = format!("nodes[{at}]");
            if node.name.is_empty() || node.name.len() > 64 {
                return fail(&key, format!("the name `{}` must have 1 to 64 characters", node.name));
            }
            if node.weight == 0 {
                return fail(&key, format!("`{}` has weight 0; at least 1 is allowed", node.name));
            }
            if let Some(other) = self.nodes[..at].iter().find(|other| other.name == node.name) {
                return fail(&key, format!("the name `{}` is given twice", other.name));
            }
            let same = |other: &&Node| {
                other.address == node.address || other.admin_address() == node.admin_address()
            };
            if let Some(other) = self.nodes[..at].iter().find(same) {
                return fail(&key, format!("`{}` has the same address as `{}`", node.name, other.name));
            }
        }
        if self.nodes.iter().all(|node| node.candidate) {
            return fail("nodes", "all nodes are candidates; at least one must serve".into());
        }
        for (key, value) in [
            ("health.interval_ms", self.health.interval_ms),
            ("health.timeout_ms", self.health.timeout_ms),
            ("health.fall", self.health.fall.into()),
            ("health.rise", self.health.rise.into()),
            ("failover.limit_ms", self.failover.limit_ms),
        ] {
            if value == 0 {
                return fail(key, "0 is not allowed; at least 1".into());
            }
        }
        reads::check_wait("causal.wait_ms", self.causal.wait_ms)?;
        for (at, listener) in self.listeners.iter().enumerate() {
            reads::check_wait(&format!("listeners[{at}].wait_ms"), listener.wait_ms.unwrap_or(0))?;
        }
        if self.pool.max == 0 || self.pool.min > self.pool.max {
            let problem =
                format!("{} is not allowed; at least 1, and `pool.min`, {}", self.pool.max, self.pool.min);
            return fail("pool.max", problem);
        }
        self.limits.check()?;
        self.tls.check()?;
        self.nodes_tls.check(&self.nodes)?;
        self.elastic.check()
    }
}

/// A name and its password. Its `Debug` hides the password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The account's name.
    pub name: String,
    /// In clear text: the balancer has to prove it to the nodes.
    pub password: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("name", &self.name).field("password", &"***").finish()
    }
}

/// How clients log in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// The plugin that the greeting names; clients may begin with another one.
    pub default_plugin: Plugin,
    /// A file whose one line the admin API asks for as `Authorization: Bearer …`; without it the API listens on loopback
    /// addresses only.
    pub admin_token_file: Option<PathBuf>,
    /// A file with more accounts, as hashes ([`crate::accounts::file`]); read again when it changes.
    pub accounts_file: Option<PathBuf>,
    /// Whether the accounts of the nodes may log in, by the hashes in the nodes' own tables.
    pub from_nodes: bool,
    /// The private RSA key (PEM) under which passwords cross unencrypted connections; absent: one is made when needed.
    pub rsa_key_file: Option<PathBuf>,
}

/// A node as configured. Which one is the primary is found out from the nodes themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Where its server listens for the balancer's statements.
    #[serde(deserialize_with = "host::address")]
    pub address: SocketAddr,
    /// Where other nodes and the balancer's probes reach it, when that differs (a limited link stands in `address`).
    #[serde(default, deserialize_with = "host::direct_address")]
    pub direct_address: Option<SocketAddr>,
    /// Share of the reads under the weighted strategy.
    #[serde(default = "one")]
    pub weight: u32,
    /// Starts as a candidate: follows, does not serve until a scale-out.
    #[serde(default)]
    pub candidate: bool,
}

impl Node {
    /// Where probes, admin statements and replication connect.
    pub fn admin_address(&self) -> SocketAddr {
        self.direct_address.unwrap_or(self.address)
    }
}

fn one() -> u32 {
    1
}

fn ten_seconds() -> u64 {
    10_000
}

/// Probing and judging.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// Between two probes of a node.
    pub interval_ms: u64,
    /// A probe without an answer for so long has failed.
    pub timeout_ms: u64,
    /// Silent probes in a row after which a node is dead (a refused or broken connection needs one check only).
    pub fall: u32,
    /// Good probes in a row after which it is alive again.
    pub rise: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self { interval_ms: 250, timeout_ms: 400, fall: 3, rise: 2 }
    }
}

/// Replacing a primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Failover {
    /// Whether a dead primary is replaced without being asked.
    pub automatic: bool,
    /// Statements that need a primary wait so long for one, then fail with 1290-like server errors.
    pub hold_ms: u64,
    /// A promotion that has not finished by then is undone.
    pub limit_ms: u64,
    /// What a client is told of a write whose answer was lost.
    pub outcomes: Outcomes,
}

impl Default for Failover {
    fn default() -> Self {
        Self { automatic: true, hold_ms: 10_000, limit_ms: 10_000, outcomes: Outcomes::Tell }
    }
}

/// What a client is told of a write whose answer was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcomes {
    /// That its outcome is unknown.
    #[default]
    Tell,
    /// What became of it: each transaction leaves a row in a table of the balancer's, and the primary is asked for it.
    Ask,
}

/// Scaling. Defaults as promised: window 60 s, out above 400 ms, in below 50 ms, two serving nodes at least.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Elastic {
    /// Whether the controller acts by itself.
    pub automatic: bool,
    /// Read latency is averaged over this long.
    pub window_ms: u64,
    /// Above this average (ms) a node is added.
    pub out_above_ms: f64,
    /// Below this average (ms) one is taken away.
    pub in_below_ms: f64,
    /// Serving nodes, primary included, that are kept in any case.
    pub floor: usize,
    /// Serving nodes at most; 0: as many as there are.
    pub ceiling: usize,
    /// After an action has finished, the controller holds still for so long; 0: one window.
    pub cooldown_ms: u64,
    /// How often it looks.
    pub interval_ms: u64,
    /// A node that is still busy after this long of draining is put back into service.
    pub drain_ms: u64,
}

impl Elastic {
    /// Refuses what makes no sense, naming the key and what is allowed.
    pub fn check(&self) -> Result<(), ConfigError> {
        let fail = |key: &str, problem: String| Err(ConfigError { key: format!("elastic.{key}"), problem });
        for (key, value) in
            [("window_ms", self.window_ms), ("interval_ms", self.interval_ms), ("drain_ms", self.drain_ms)]
        {
            if value == 0 || value > 86_400_000 {
                return fail(key, format!("{value} is not allowed; 1 to 86400000 (a day)"));
            }
        }
        if !(self.in_below_ms >= 0.0 && self.out_above_ms.is_finite()) {
            return fail("in_below_ms", "must be a number of at least 0, out_above_ms a finite one".into());
        }
        if self.in_below_ms >= self.out_above_ms {
            return fail(
                "in_below_ms",
                format!("{} must be below out_above_ms, {}", self.in_below_ms, self.out_above_ms),
            );
        }
        if self.floor == 0 {
            return fail("floor", "0 is not allowed; at least 1, since the primary counts".into());
        }
        if self.ceiling != 0 && self.ceiling < self.floor {
            return fail(
                "ceiling",
                format!("{} is below the floor, {}; 0 means no ceiling", self.ceiling, self.floor),
            );
        }
        Ok(())
    }
}

impl Default for Elastic {
    fn default() -> Self {
        Self {
            automatic: true,
            window_ms: 60_000,
            out_above_ms: 400.0,
            in_below_ms: 50.0,
            floor: 2,
            ceiling: 0,
            cooldown_ms: 0,
            interval_ms: 1_000,
            drain_ms: 30_000,
        }
    }
}

/// Connections to nodes, per node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pool {
    /// At most, over all threads.
    pub max: usize,
    /// So many are kept open, of the kind that was asked for last; none before the first client.
    pub min: usize,
    /// Waiting for a free one longer than this fails the statement.
    pub wait_ms: u64,
    /// Making one longer than this fails.
    pub connect_ms: u64,
    /// Idle ones beyond `min` are closed after this long.
    pub idle_ms: u64,
    /// Older ones are closed as soon as they are idle, up to a tenth earlier so that they do not all end together; 0: never.
    pub age_ms: u64,
}

impl Default for Pool {
    fn default() -> Self {
        Self { max: 256, min: 0, wait_ms: 10_000, connect_ms: 2_000, idle_ms: 300_000, age_ms: 3_600_000 }
    }
}

/// What clients may use up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Clients at a time; one more gets error 1040.
    pub clients: usize,
    /// Largest packet from a client, in bytes; a larger one gets error 1153.
    pub packet_bytes: usize,
    /// A login that takes longer is cut.
    pub login_ms: u64,
    /// A client that says nothing for longer is cut; 0: never.
    pub idle_ms: u64,
    /// A read that waits longer for a node's answer is given up and tried elsewhere; 0: never.
    pub read_ms: u64,
    /// A statement that a node works on for longer is ended there, with error 1969; the end of a transaction is not. 0: never.
    pub statement_ms: u64,
    /// Clients at a time that have not logged in; beyond, the ones that take longest are cut.
    pub logins: usize,
    /// What all sessions may hold in buffers in all, in bytes, not counting the first 64 KiB of each: long commands, kept
    /// parameters, prepared texts. Whoever needs more gets error 1041.
    pub memory_bytes: usize,
    /// Limits of single accounts, by name.
    pub accounts: BTreeMap<String, AccountLimits>,
}

/// What one account may use up; what is absent is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountLimits {
    /// Clients at a time; one more gets error 1226.
    pub clients: Option<usize>,
    /// Connections to one node; statements beyond wait for one of them.
    pub node_connections: Option<usize>,
}

impl Limits {
    /// The limits of an account.
    pub fn of(&self, account: &str) -> AccountLimits {
        self.accounts.get(account).copied().unwrap_or_default()
    }

    fn check(&self) -> Result<(), ConfigError> {
        let fail = |key: &str, problem: String| Err(ConfigError { key: format!("limits.{key}"), problem });
        for (key, value, least) in [
            ("clients", self.clients, 1),
            ("packet_bytes", self.packet_bytes, 1024),
            ("logins", self.logins, 1),
            ("memory_bytes", self.memory_bytes, 1 << 20),
        ] {
            if value < least {
                return fail(key, format!("{value} is not allowed; at least {least}"));
            }
        }
        for (name, limits) in &self.accounts {
            if limits.clients == Some(0) || limits.node_connections == Some(0) {
                return fail(&format!("accounts.{name}"), "0 is not allowed; at least 1, or nothing".into());
            }
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clients: 10_000,
            packet_bytes: 64 << 20,
            login_ms: 10_000,
            idle_ms: 0,
            read_ms: 0,
            statement_ms: 0,
            logins: 1_000,
            memory_bytes: 1 << 30,
            accounts: BTreeMap::new(),
        }
    }
}
