//! A statement, what its session may see, and the view → a node, with the reason.

pub mod causal;
pub mod promise;
pub mod replicated;
pub mod strategy;

pub use self::promise::Promise;
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
    /// The consistency that a hint asks for.
    pub consistency: Option<Consistency>,
    /// A hint hands over a token.
    pub token: bool,
}

impl Plan {
    /// The plan of a classified statement; names in its hint are looked up in the view.
    pub fn of(statement: &Statement<'_>, view: &ClusterView) -> Self {
        let node = statement.hint.node.and_then(|name| {
            view.nodes.iter().find(|node| node.id.as_str().as_bytes() == name).map(|node| node.index)
        });
        let hint = statement.hint;
        Self {
            node,
            role: hint.role,
            strategy: hint.strategy,
            consistency: hint.consistency,
            token: hint.token.is_some(),
            ..Self::plain(statement.kind, statement.marks, statement.reason)
        }
    }

    /// A plan without a hint.
    pub fn plain(kind: Kind, marks: Marks, reason: &'static str) -> Self {
        let (node, role, strategy, consistency) = (None, None, None, None);
        Self { kind, marks, reason, node, role, strategy, consistency, token: false }
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
    /// What a read is promised.
    pub promise: Promise<'a>,
    /// How the session's reads are spread; `None`: as everybody's.
    pub strategy: Option<Strategy>,
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
    /// That node, once it has applied what the read needs.
    WhenApplied(usize),
    /// It needs the primary, and there is none now.
    NoPrimary,
    /// Nothing serves.
    Nobody,
}
