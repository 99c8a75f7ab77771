//! One node that lives in memory.

use std::net::SocketAddr;

use cluster::NodeId;
use tokio::time::Instant;

/// Where a node listens, which nobody connects to.
pub fn address(index: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1 + index as u16))
}

/// One transaction: who first wrote it, its place, and a number that no other has.
pub type Transaction = (u32, u64, u64);

/// What a node's process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// It runs.
    Up,
    /// It is there and does nothing.
    Paused,
    /// It is gone.
    Dead,
}

/// What lies between the balancer and a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Nothing.
    Open,
    /// All that is sent is lost, both ways.
    Silent,
    /// Connections are refused and broken.
    Refusing,
}

/// One node.
#[derive(Clone, Debug)]
pub struct FakeNode {
    /// Its name.
    pub id: NodeId,
    /// Its process.
    pub process: Process,
    /// Its way to the balancer.
    pub link: Link,
    /// What it has applied; sequence numbers begin at 1 and have no gaps.
    pub log: Vec<Transaction>,
    /// Received and not applied.
    pub relay: Vec<Transaction>,
    /// It refuses writes.
    pub read_only: bool,
    /// Whom it follows.
    pub source: Option<usize>,
    /// Whether it wants to receive.
    pub receiving: bool,
    /// Its source told it that it has gone another way.
    pub diverged: bool,
    /// What each answer takes longer, in ms.
    pub slow_ms: u64,
    /// It applies one transaction in ten ticks.
    pub lame: bool,
    /// When it has done all that it was asked for.
    pub(super) free_at: Option<Instant>,
    /// How often it was started. What its process was asked for dies with it.
    pub(super) lives: u64,
}

impl FakeNode {
    /// A node of a cluster in which all is well: the first is the primary and all others follow it.
    pub(super) fn new(index: usize) -> Self {
        Self {
            id: NodeId::new(format!("n{}", index + 1)),
            process: Process::Up,
            link: Link::Open,
            log: vec![(1, 1, 0)],
            relay: Vec::new(),
            read_only: index > 0,
            source: (index > 0).then_some(0),
            receiving: index > 0,
            diverged: false,
            slow_ms: 0,
            lame: false,
            free_at: None,
            lives: 1,
        }
    }

    pub(super) fn tip(&self) -> u64 {
        self.relay.last().or(self.log.last()).map_or(0, |trx| trx.1)
    }

    /// Whether it has received a transaction.
    pub fn has(&self, trx: &Transaction) -> bool {
        let at = trx.1 as usize - 1;
        self.log.get(at).or_else(|| self.relay.get(at.checked_sub(self.log.len())?)) == Some(trx)
    }

    /// Whether it has applied a transaction.
    pub fn shows(&self, trx: &Transaction) -> bool {
        self.log.get(trx.1 as usize - 1) == Some(trx)
    }

    /// Whether the balancer's words reach it and are understood.
    pub(super) fn reachable(&self) -> bool {
        self.process == Process::Up && self.link == Link::Open
    }
}
