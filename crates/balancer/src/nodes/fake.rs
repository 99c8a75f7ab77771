//! Nodes that live in memory: they replicate, acknowledge, die, pause, come back and fail half-way, all by a seed.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use cluster::NodeId;
use cluster::replication::gtid::{Gtid, GtidPosition};
use futures_util::future::BoxFuture;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use tokio::sync::watch;
use tokio::time::sleep;

use super::{Answer, Facts, Following, NodeError, Nodes, Receiving};

/// One transaction: who first wrote it, its place, and a number that no other has.
pub type Transaction = (u32, u64, u64);

/// What a node's process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    Up,
    Paused,
    Dead,
}

#[derive(Clone, Debug)]
pub struct FakeNode {
    pub id: NodeId,
    pub process: Process,
    pub log: Vec<Transaction>,
    /// Received and not applied.
    pub relay: Vec<Transaction>,
    pub read_only: bool,
    pub source: Option<usize>,
    pub receiving: bool,
    pub diverged: bool,
    /// What each answer takes longer, in ms.
    pub slow_ms: u64,
}

impl FakeNode {
    fn tip(&self) -> u64 {
        self.relay.last().or(self.log.last()).map_or(0, |trx| trx.1)
    }

    pub fn has(&self, trx: &Transaction) -> bool {
        // Sequence numbers have no gaps here.
        let at = trx.1 as usize - 1;
        self.log.get(at).or_else(|| self.relay.get(at.checked_sub(self.log.len())?)) == Some(trx)
    }
}

#[derive(Debug)]
pub struct World {
    inner: Mutex<Inner>,
    broken: Vec<watch::Sender<u64>>,
}

#[derive(Debug)]
pub struct Inner {
    pub random: Xoshiro256PlusPlus,
    pub nodes: Vec<FakeNode>,
    /// Written and waiting for an acknowledgement: the node and the transaction.
    pub pending: Vec<(usize, Transaction)>,
    /// In the order in which clients heard of it.
    pub acknowledged: Vec<Transaction>,
    numbers: u64,
    /// How often in a thousand an operation fails, before or after its effect, or comes late.
    pub mishaps: u32,
}

fn position(log: &[Transaction]) -> GtidPosition {
    let mut position = GtidPosition::default();
    if let Some((server, sequence, _)) = log.last() {
        position.advance(Gtid { domain: 0, server: *server, sequence: *sequence });
    }
    position
}

pub fn address(index: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1 + index as u16))
}

impl World {
    /// `nodes` nodes, the first a primary that all others follow.
    pub fn new(nodes: usize, seed: u64) -> Self {
        let node = |index| FakeNode {
            id: NodeId::new(format!("n{}", index + 1)),
            process: Process::Up,
            log: vec![(1, 1, 0)],
            relay: Vec::new(),
            read_only: index > 0,
            source: (index > 0).then_some(0),
            receiving: index > 0,
            diverged: false,
            slow_ms: 0,
        };
        let inner = Inner {
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            nodes: (0..nodes).map(node).collect(),
            pending: Vec::new(),
            acknowledged: Vec::new(),
            numbers: 0,
            mishaps: 0,
        };
        Self { inner: Mutex::new(inner), broken: (0..nodes).map(|_| watch::Sender::new(0)).collect() }
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic while the world is held")
    }

    fn index(&self, node: &NodeId) -> usize {
        self.lock().nodes.iter().position(|fake| fake.id == *node).expect("a known node")
    }

    pub fn kill(&self, index: usize) {
        let mut inner = self.lock();
        inner.nodes[index].process = Process::Dead;
        inner.pending.retain(|(node, _)| *node != index);
        for node in &mut inner.nodes {
            // Receivers try again by themselves; nothing to do but to find nobody there.
            node.diverged = false;
        }
        drop(inner);
        self.broken[index].send_modify(|count| *count += 1);
    }

    /// Comes back closed and following nobody, with or without what nobody acknowledged.
    pub fn restart(&self, index: usize, truncate: bool) {
        let mut inner = self.lock();
        let acknowledged: BTreeSet<Transaction> = inner.acknowledged.iter().copied().collect();
        let elsewhere: BTreeSet<Transaction> = inner
            .nodes
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != index)
            .flat_map(|(_, n)| n.log.clone())
            .collect();
        let node = &mut inner.nodes[index];
        let relay = std::mem::take(&mut node.relay);
        node.log.extend(relay);
        if truncate {
            let keeps =
                |trx: &Transaction| acknowledged.contains(trx) || elsewhere.contains(trx) || trx.2 == 0;
            node.log.truncate(node.log.iter().rposition(keeps).map_or(0, |last| last + 1));
        }
        (node.process, node.read_only, node.source, node.receiving) = (Process::Up, true, None, false);
        (node.diverged, node.slow_ms) = (false, 0);
    }

    /// As from a fresh copy of another node, which takes a moment.
    pub async fn rebuild(&self, index: usize, from: usize) {
        self.kill(index);
        let copy = self.lock().nodes[from].log.clone();
        self.lock().nodes[index].log = copy;
        self.lock().nodes[index].relay.clear();
        sleep(Duration::from_millis(1000)).await;
        self.restart(index, false);
    }

    pub fn set_process(&self, index: usize, process: Process) {
        self.lock().nodes[index].process = process;
    }

    /// A client writes on a node.
    pub fn write(&self, index: usize) {
        let mut inner = self.lock();
        inner.numbers += 1;
        let number = inner.numbers;
        let node = &mut inner.nodes[index];
        if node.process == Process::Up && !node.read_only {
            let transaction = (index as u32 + 1, node.tip() + 1, number);
            node.log.push(transaction);
            inner.pending.push((index, transaction));
        }
    }

    /// Some milliseconds pass: followers receive and apply, and what was received is acknowledged. A client only hears of
    /// it from the node that is the primary by the view of that moment.
    pub fn tick(&self, primary: Option<usize>) {
        let mut inner = self.lock();
        for index in 0..inner.nodes.len() {
            inner.replicate(index);
        }
        let Inner { nodes, pending, acknowledged, .. } = &mut *inner;
        pending.retain(|(at, transaction)| {
            if nodes[*at].process != Process::Up {
                return nodes[*at].process == Process::Paused;
            }
            let follows = |node: &FakeNode| {
                node.process == Process::Up
                    && node.receiving
                    && node.source == Some(*at)
                    && node.has(transaction)
            };
            if !nodes.iter().any(follows) {
                return true;
            }
            if primary == Some(*at) {
                acknowledged.push(*transaction);
            }
            false
        });
    }

    async fn operate<T>(
        &self,
        node: &NodeId,
        step: &'static str,
        effect: impl FnOnce(&mut Inner, usize) -> T,
    ) -> Result<T, NodeError> {
        let index = self.index(node);
        let (wait, mishap) = {
            let mut inner = self.lock();
            let mishaps = inner.mishaps;
            let mut by_lot = |share: u32| inner.random.random_range(0..1000) < share;
            let mishap = (by_lot(mishaps), by_lot(mishaps), by_lot(mishaps));
            let slow = inner.nodes[index].slow_ms;
            let late = if mishap.2 { inner.random.random_range(100..3000) } else { 0 };
            (inner.random.random_range(1..20) + slow + late, mishap)
        };
        sleep(Duration::from_millis(wait)).await;
        while self.lock().nodes[index].process == Process::Paused {
            sleep(Duration::from_millis(20)).await;
        }
        let mut inner = self.lock();
        if inner.nodes[index].process == Process::Dead {
            return Err(NodeError::Unreachable { node: node.clone(), reason: "dead".into() });
        }
        let failure =
            |reason: &str| Err(NodeError::Server { node: node.clone(), step, reason: reason.into() });
        if mishap.0 {
            return failure("mishap before");
        }
        let result = effect(&mut inner, index);
        if mishap.1 { failure("mishap after") } else { Ok(result) }
    }
}

impl Inner {
    fn replicate(&mut self, index: usize) {
        let Some(source) = self.nodes[index].source else { return };
        let (lag, apply) = (self.random.random_range(0..3_usize), self.random.random_range(0..4_usize));
        let Ok([node, there]) = self.nodes.get_disjoint_mut([index, source]) else { return };
        if node.process != Process::Up {
            return;
        }
        if node.receiving && there.process == Process::Up {
            let mine = node.log.len() + node.relay.len();
            let same = mine == 0
                || node
                    .relay
                    .last()
                    .or(node.log.last())
                    .is_some_and(|tip| there.log.get(mine - 1) == Some(tip));
            if same {
                let until = there.log.len().saturating_sub(lag).max(mine);
                node.relay.extend_from_slice(&there.log[mine..until]);
            } else {
                (node.receiving, node.diverged) = (false, true);
            }
        }
        let apply = apply.min(node.relay.len());
        node.log.extend(node.relay.drain(..apply));
    }

    fn facts(&self, index: usize) -> Facts {
        let node = &self.nodes[index];
        let following = node.source.map(|source| {
            let connected = self.nodes[source].process == Process::Up;
            Following {
                source: Some(address(source)),
                received: position(if node.relay.is_empty() { &node.log } else { &node.relay }),
                receiving: match (node.receiving, connected) {
                    (false, _) => Receiving::Stopped,
                    (true, false) => Receiving::Connecting,
                    (true, true) => Receiving::Connected,
                },
                applying: true,
                error: String::new(),
                diverged: node.diverged,
            }
        });
        Facts { read_only: node.read_only, applied: position(&node.log), following, waits: true }
    }
}

impl Nodes for World {
    fn probe<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let index = self.index(node);
            let slow = self.lock().nodes[index].slow_ms;
            sleep(Duration::from_millis(1 + slow)).await;
            let process = self.lock().nodes[index].process;
            match process {
                Process::Up => Answer::Facts(self.lock().facts(index), Duration::from_millis(1 + slow)),
                Process::Dead => Answer::Refused("dead".into()),
                Process::Paused => std::future::pending().await,
            }
        })
    }

    fn broken<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut broken = self.broken[self.index(node)].subscribe();
            if broken.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }

    fn status<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Facts, NodeError>> {
        Box::pin(self.operate(node, "status", |inner, index| inner.facts(index)))
    }

    fn fence<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(self.operate(node, "fence", |inner, index| {
            inner.nodes[index].read_only = true;
            inner.pending.retain(|(at, _)| *at != index);
        }))
    }

    fn halt<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Facts, NodeError>> {
        Box::pin(self.operate(node, "halt", |inner, index| {
            inner.nodes[index].receiving = false;
            inner.facts(index)
        }))
    }

    fn drain<'a>(&'a self, node: &'a NodeId, _limit: Duration) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(self.operate(node, "drain", |inner, index| {
            let node = &mut inner.nodes[index];
            node.receiving = false;
            let relay = std::mem::take(&mut node.relay);
            node.log.extend(relay);
        }))
    }

    fn open<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(self.operate(node, "open", |inner, index| {
            let node = &mut inner.nodes[index];
            node.relay.clear();
            (node.source, node.receiving, node.read_only) = (None, false, false);
        }))
    }

    fn extra<'a>(
        &'a self,
        node: &'a NodeId,
        primary: &'a NodeId,
    ) -> BoxFuture<'a, Result<Option<String>, NodeError>> {
        let there = self.index(primary);
        Box::pin(self.operate(node, "compare", move |inner, index| {
            let tip = inner.nodes[index].relay.last().or(inner.nodes[index].log.last())?;
            (!inner.nodes[there].has(tip)).then(|| format!("{tip:?}"))
        }))
    }

    fn follow<'a>(&'a self, node: &'a NodeId, primary: &'a NodeId) -> BoxFuture<'a, Result<(), NodeError>> {
        let there = self.index(primary);
        Box::pin(self.operate(node, "follow", move |inner, index| {
            let node = &mut inner.nodes[index];
            node.relay.clear();
            (node.source, node.receiving, node.read_only, node.diverged) = (Some(there), true, true, false);
            inner.pending.retain(|(at, _)| *at != index);
        }))
    }
}
