//! What goes over the admin API, both ways.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use cluster::Role;
use serde::{Deserialize, Serialize};

use crate::config::Elastic;
use crate::elastic::Thought;
use crate::event::EventKind;
use crate::executor::Progress;
use crate::session::roster::SessionRow;
use crate::telemetry::LatencySnapshot;
use crate::telemetry::freshness::FreshnessSnapshot;
use crate::view::{NodeState, Strategy};

/// `GET /status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Number of the view.
    pub generation: u64,
    /// Who takes writes; absent while it is being replaced.
    pub primary: Option<String>,
    /// Nodes in service, primary included.
    pub serving: usize,
    /// How reads are spread.
    pub strategy: Strategy,
    /// Since the balancer started.
    pub uptime_ms: u64,
    /// What the executor is about.
    pub progress: Progress,
    /// What the controller last thought.
    pub controller: Thought,
    /// What is not as the promises need it, with its consequence and remedy; usually empty.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// `GET /nodes`: a list of these. Counters and histograms run from the balancer's start; a reader takes differences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeRow {
    /// Its name.
    pub node: String,
    /// Where its server listens.
    pub address: SocketAddr,
    /// What it is for.
    pub role: Role,
    /// Whether it takes statements.
    pub state: NodeState,
    /// Whether health holds it for alive.
    pub alive: bool,
    /// Why not, empty while it is.
    pub evidence: String,
    /// Its share under the weighted strategy.
    pub weight: u32,
    /// Reads answered.
    pub reads: u64,
    /// Other statements answered.
    pub writes: u64,
    /// Statements that failed because of the node.
    pub errors: u64,
    /// Statements under way.
    pub in_flight: u32,
    /// Sessions that must come back to it.
    pub pinned: u32,
    /// Connections held to it.
    pub connections: u32,
    /// Statements that wait in line for a connection to it.
    #[serde(default)]
    pub waiting: u32,
    /// How long those waited that had to, also in vain.
    #[serde(default)]
    pub waits: LatencySnapshot,
    /// Statements that waited in vain.
    #[serde(default)]
    pub wait_timeouts: u64,
    /// Connections made to it.
    #[serde(default)]
    pub opened: u64,
    /// Times that a session on it was reset for somebody else.
    #[serde(default)]
    pub resets: u64,
    /// How far its data is behind; absent when unknown.
    pub lag_ms: Option<f64>,
    /// The same in transactions.
    #[serde(default)]
    pub lag_transactions: Option<u64>,
    /// How far behind its answers to reads were, up to the last probe; see [`crate::telemetry::freshness`].
    #[serde(default)]
    pub freshness: FreshnessSnapshot,
    /// The part of its share of the reads that it gets: below 1 while it is new in service.
    #[serde(default = "whole")]
    pub share: f64,
    /// The last probe's round trip; 0 before the first.
    pub ping_ms: f64,
    /// Whether it refuses writes.
    pub read_only: bool,
    /// How far it has applied.
    pub applied: String,
    /// Time of reads at the node.
    pub read_latency: LatencySnapshot,
    /// Time of everything else.
    pub write_latency: LatencySnapshot,
}

fn whole() -> f64 {
    1.0
}

/// `GET /sessions?pinned=true&limit=N`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// Logged in.
    pub sessions: usize,
    /// With a statement under way.
    pub running: usize,
    /// Pinned to a node connection.
    pub pinned: usize,
    /// By cause; one session may count for several.
    pub pinned_by: BTreeMap<String, usize>,
    /// Clients that have not logged in.
    pub logging_in: usize,
    /// What sessions hold in buffers beyond their base, in bytes.
    pub memory_bytes: usize,
    /// How often `limits.memory_bytes` was in the way.
    pub memory_refusals: u64,
    /// The sessions, by id.
    pub list: Vec<SessionRow>,
}

/// `GET /events?after=N`: a list of these, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventRow {
    /// Its number, rising.
    pub sequence: u64,
    /// How long ago it was, so that a reader can place it on a clock of its own.
    pub age_ms: f64,
    /// What happened.
    pub kind: EventKind,
    /// To which node; empty for none.
    pub node: String,
    /// Why.
    pub cause: String,
    /// More for people.
    pub detail: String,
}

/// `GET /settings`: what may be changed while the balancer runs, by `PUT /strategy` and `PUT /elastic`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// How reads are spread.
    pub strategy: Strategy,
    /// Scaling.
    pub elastic: Elastic,
}

/// `GET` and `PUT /strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrategyBody {
    /// How reads are spread.
    pub strategy: Strategy,
}

/// The answer to a request that was taken (202): it is not done yet, see the events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// In words.
    pub taken: String,
}

/// The answer to a request that was not taken (4xx, 503).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What is wrong.
    pub error: String,
    /// What would be right, where that can be listed.
    pub allowed: Vec<String>,
}
