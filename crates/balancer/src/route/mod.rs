//! A statement, what its session may see, and the view → a node, with the reason.

pub mod causal;
pub mod replicated;
pub mod strategy;

use cluster::replication::gtid::GtidPosition;

use crate::config::Consistency;
use crate::sql::classify::{Kind, Marks, Statement};
use crate::sql::hint;
use crate::view::{ClusterView, Strategy};

/// What routing needs to know of a statement, free of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What it is.
    pub kind: Kind,
    /// What else is known.
    pub marks: Marks,
    /// Why.
    pub reason: &'static str,
    /// The node that a hint asks for, by its number.
    pub node: Option<usize>,
    /// The kind of node that a hint asks for.
    pub role: Option<hint::Kind>,
    /// The strategy that a hint asks for.
    pub strategy: Option<Strategy>,
}

impl Plan {
    /// The plan of a classified statement; names in its hint are looked up in the view.
    pub fn of(statement: &Statement<'_>, view: &ClusterView) -> Self {
        let node = statement.hint.node.and_then(|name| {
            view.nodes.iter().find(|node| node.id.as_str().as_bytes() == name).map(|node| node.index)
        });
        Self { node, ..Self::plain(statement.kind, statement.marks, statement.reason) }
            .with(statement.hint.role, statement.hint.strategy)
    }

    /// A plan without a hint.
    pub fn plain(kind: Kind, marks: Marks, reason: &'static str) -> Self {
        Self { kind, marks, reason, node: None, role: None, strategy: None }
    }

    fn with(mut self, role: Option<hint::Kind>, strategy: Option<Strategy>) -> Self {
        self.role = role;
        self.strategy = strategy;
        self
    }

    /// Whether it may be run again when its node died before anything of its answer was passed on.
    pub fn repeatable(&self) -> bool {
        matches!(self.kind, Kind::Read | Kind::Session)
    }
}

/// What decides besides the statement.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The topology.
    pub view: &'a ClusterView,
    /// What reads are promised.
    pub consistency: Consistency,
    /// How far the session's own writes have come.
    pub last_write: &'a GtidPosition,
    /// Each statement commits by itself.
    pub autocommit: bool,
    /// Nodes that have just failed this statement, a bit each by number.
    pub tried: u64,
    /// Nodes known to be so far behind that waiting for them is in vain, a bit each by number.
    pub behind: u64,
}

impl Context<'_> {
    /// Whether a node's bit is set.
    pub fn bit(index: usize) -> u64 {
        1u64.checked_shl(index as u32).unwrap_or(0)
    }
}

/// Where a statement goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The node, or why there is none.
    pub to: To,
    /// Why.
    pub reason: &'static str,
}

/// See [`Route`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// The node with this number.
    Node(usize),
    /// That node, once it has applied the session's last write.
    WhenApplied(usize),
    /// It needs the primary, and there is none now.
    NoPrimary,
    /// Nothing serves.
    Nobody,
}
