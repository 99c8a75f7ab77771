//! `events.csv`: what happened, when, to which node, why.

use serde::{Deserialize, Serialize};

use super::{Row, number::rounded};

/// The kinds of events in a run folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants are the contract's own words")]
pub enum EventKind {
    #[default]
    Phase,
    ScaleOutRequested,
    ScaleOutDone,
    ScaleInRequested,
    ScaleInDone,
    FaultInjected,
    FaultHealed,
    NodeDown,
    NodeUp,
    Promoted,
    Rejoined,
    /// An action that could not be finished and was undone; `detail` says why.
    ActionFailed,
    /// A node that would not be taken back as it is (for one, with transactions that no other node has).
    Refused,
    /// Reads are spread in another way from now on; `detail` names it.
    StrategySet,
    /// A kind that this version does not know; kept as a mark without figures.
    #[serde(other)]
    Other,
}

impl EventKind {
    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Phase => "phase",
            Self::ScaleOutRequested => "scale_out_requested",
            Self::ScaleOutDone => "scale_out_done",
            Self::ScaleInRequested => "scale_in_requested",
            Self::ScaleInDone => "scale_in_done",
            Self::FaultInjected => "fault_injected",
            Self::FaultHealed => "fault_healed",
            Self::NodeDown => "node_down",
            Self::NodeUp => "node_up",
            Self::Promoted => "promoted",
            Self::Rejoined => "rejoined",
            Self::ActionFailed => "action_failed",
            Self::Refused => "refused",
            Self::StrategySet => "strategy_set",
            Self::Other => "other",
        }
    }

    /// The kind of that name; [`Self::Other`] for one that this version does not know.
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.name() == name).unwrap_or(Self::Other)
    }

    /// All kinds with a meaning.
    pub const ALL: [Self; 14] = [
        Self::Phase,
        Self::ScaleOutRequested,
        Self::ScaleOutDone,
        Self::ScaleInRequested,
        Self::ScaleInDone,
        Self::FaultInjected,
        Self::FaultHealed,
        Self::NodeDown,
        Self::NodeUp,
        Self::Promoted,
        Self::Rejoined,
        Self::ActionFailed,
        Self::Refused,
        Self::StrategySet,
    ];
}

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventRow {
    /// Seconds since the start of the load, to the millisecond.
    #[serde(serialize_with = "rounded")]
    pub second: f64,
    /// What happened.
    pub kind: EventKind,
    /// To which node; empty for none.
    pub node: String,
    /// Who asked or what was seen: `schedule`, `controller: read latency 143 ms above 100 ms`, `probe`.
    pub cause: String,
    /// More for people: `killed, process 4711`, `in 87 ms`.
    pub detail: String,
}

impl Row for EventRow {
    const FILE: &'static str = "events.csv";
    const COLUMNS: &'static [&'static str] = &["second", "kind", "node", "cause", "detail"];
}
