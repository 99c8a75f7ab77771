//! What can go wrong with nodes of our own, told so that somebody can do something about it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::admin::AdminError;
use crate::node::NodeId;
use crate::program::ProgramError;

/// A failure of the surroundings: a program, a folder, a process, a node. None of them is safe to ignore, all of them
/// leave nothing running and nothing half-made behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No usable server program.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A statement to a node failed.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// A file or folder could not be used.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// What was tried: `create`, `copy`, ….
        what: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The server program ended, or did not answer in time, while it was started.
    #[error("{what} did not start: {reason}\n{log}")]
    Start {
        /// A node's name, or what the process was for.
        what: String,
        /// Why.
        reason: String,
        /// The last lines of the server's own log.
        log: String,
    },
    /// The server's system tables could not be made.
    #[error("{program} could not make a data folder: {reason}")]
    Bootstrap {
        /// The server program.
        program: PathBuf,
        /// What it said.
        reason: String,
    },
    /// The closure that fills a template failed.
    #[error("loading the data failed: {0}")]
    Fill(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Something did not happen within its limit.
    #[error("{what} did not happen within {limit:?}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// There is no node of that name.
    #[error("there is no node `{0}` in this cluster")]
    UnknownNode(NodeId),
    /// What was asked for does not fit the node's state.
    #[error("{node} is {state}: {what}")]
    WrongState {
        /// The node.
        node: NodeId,
        /// `running`, `paused` or `down`.
        state: &'static str,
        /// What is wrong about it.
        what: &'static str,
    },
    /// A copy of a serving node broke off.
    #[error("the copy of {source_node} broke off: {reason}")]
    Copy {
        /// The node that was copied.
        source_node: NodeId,
        /// The last words of the tools.
        reason: String,
    },
    /// A network fault on a node whose network nothing of ours stands in.
    #[error(
        "{0} has no relay in front of it, so its network cannot be broken; start the cluster with relays"
    )]
    NoRelay(NodeId),
    /// A process could not be started, signalled or waited for.
    #[error("cannot {what}: {source}")]
    Process {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The capacity that was declared cannot be applied here.
    #[error("cannot limit local nodes: {0}")]
    Capacity(String),
    /// The cluster has been stopped.
    #[error("the cluster has been stopped")]
    Stopped,
    /// A setting makes no sense.
    #[error("{0}")]
    Spec(String),
}

/// Wraps errors of the file system with what was tried on what.
pub(crate) trait OnFile<T> {
    /// Says what was tried on which path.
    fn on(self, what: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> OnFile<T> for Result<T, E> {
    fn on(self, what: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::File { what, path: path.to_owned(), source: source.into() })
    }
}
