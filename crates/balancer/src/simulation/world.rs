//! Nodes that live in memory: they replicate, acknowledge, die, pause, are cut off, come back and fail half-way, all by a
//! seed. What the control plane asks of them is in [`super::answers`].

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cluster::NodeId;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::node::{FakeNode, Link, Process, Transaction};

/// All nodes. A handle, cheap to clone.
#[derive(Clone, Debug)]
pub struct World(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    broken: Vec<watch::Sender<u64>>,
}

/// The nodes and what happened on them.
#[derive(Debug)]
pub struct Inner {
    /// Where all chance of the world comes from.
    pub random: Xoshiro256PlusPlus,
    /// By their index.
    pub nodes: Vec<FakeNode>,
    /// Pairs of nodes that do not hear each other, the smaller index first.
    pub apart: Vec<(usize, usize)>,
    /// Written and waiting for an acknowledgement: the node and the transaction.
    pub pending: Vec<(usize, Transaction)>,
    /// In the order in which clients heard of it, with the moment.
    pub acknowledged: Vec<(Instant, Transaction)>,
    numbers: u64,
    /// Nothing is broken any more: followers soon apply all that they have received.
    healed: bool,
    /// How often in a thousand an operation fails, before or after its effect, or comes late.
    pub mishaps: u32,
}

impl World {
    /// `nodes` nodes, the first a primary that all others follow.
    pub fn new(nodes: usize, seed: u64) -> Self {
        let inner = Inner {
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            nodes: (0..nodes).map(FakeNode::new).collect(),
            apart: Vec::new(),
            pending: Vec::new(),
            acknowledged: Vec::new(),
            numbers: 0,
            healed: false,
            mishaps: 0,
        };
        let broken = (0..nodes).map(|_| watch::Sender::new(0)).collect();
        Self(Arc::new(Shared { inner: Mutex::new(inner), broken }))
    }

    /// The nodes, to look at or to change. Not to be held across waits.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().expect("no panic while the world is held")
    }

    pub(super) fn index(&self, node: &NodeId) -> usize {
        self.lock().nodes.iter().position(|fake| fake.id == *node).expect("a known node")
    }

    /// Ends a node's process; the balancer's connections to it break.
    pub fn kill(&self, index: usize) {
        let mut inner = self.lock();
        inner.nodes[index].process = Process::Dead;
        inner.pending.retain(|(node, _)| *node != index);
        let silent = inner.nodes[index].link == Link::Silent;
        drop(inner);
        if !silent {
            self.breaks(index);
        }
    }

    /// Wakes when the balancer's connections to a node break.
    pub(super) fn breaking(&self, index: usize) -> watch::Receiver<u64> {
        self.0.broken[index].subscribe()
    }

    fn breaks(&self, index: usize) {
        self.0.broken[index].send_modify(|count| *count += 1);
    }

    /// Comes back closed and receiving nothing, as the nodes of this program are started, with or without what nobody
    /// acknowledged. Whom it followed it still knows.
    pub fn restart(&self, index: usize, truncate: bool) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let node = &mut inner.nodes[index];
        let relay = std::mem::take(&mut node.relay);
        node.log.extend(relay);
        if truncate {
            let log = std::mem::take(&mut inner.nodes[index].log);
            let acknowledged: BTreeSet<Transaction> = inner.acknowledged.iter().map(|(_, t)| *t).collect();
            let keeps = |trx: &Transaction| {
                trx.2 == 0 || acknowledged.contains(trx) || inner.nodes.iter().any(|node| node.has(trx))
            };
            let kept = log.iter().rposition(keeps).map_or(0, |last| last + 1);
            inner.nodes[index].log = log[..kept].to_vec();
        }
        let node = &mut inner.nodes[index];
        (node.process, node.read_only, node.receiving) = (Process::Up, true, false);
        (node.diverged, node.slow_ms, node.lame, node.free_at) = (false, 0, false, None);
        node.lives += 1;
    }

    /// As from a fresh copy of another node, which takes a moment.
    pub async fn rebuild(&self, index: usize, from: usize) {
        self.kill(index);
        sleep(Duration::from_millis(1000)).await;
        let copy = self.lock().nodes[from].log.clone();
        self.lock().nodes[index].log = copy;
        self.lock().nodes[index].relay.clear();
        self.lock().nodes[index].source = None;
        self.restart(index, false);
    }

    /// Pauses or continues a process.
    pub fn set_process(&self, index: usize, process: Process) {
        self.lock().nodes[index].process = process;
    }

    /// Changes what lies between the balancer and a node.
    pub fn set_link(&self, index: usize, link: Link) {
        self.lock().nodes[index].link = link;
        if link == Link::Refusing {
            self.lock().pending.retain(|(node, _)| *node != index);
            self.breaks(index);
        }
    }

    /// Cuts two nodes off from each other, or joins them again.
    pub fn set_apart(&self, one: usize, other: usize, apart: bool) {
        let pair = (one.min(other), one.max(other));
        let mut inner = self.lock();
        inner.apart.retain(|known| *known != pair);
        if apart {
            inner.apart.push(pair);
        }
    }

    /// All that is broken is mended, except processes that are gone.
    pub fn heal(&self) {
        let mut inner = self.lock();
        (inner.mishaps, inner.apart, inner.healed) = (0, Vec::new(), true);
        for node in &mut inner.nodes {
            (node.slow_ms, node.lame, node.link) = (0, false, Link::Open);
            if node.process == Process::Paused {
                node.process = Process::Up;
            }
        }
    }

    /// A client writes on a node, through the balancer.
    pub fn write(&self, index: usize) {
        let mut inner = self.lock();
        inner.numbers += 1;
        let number = inner.numbers;
        let node = &mut inner.nodes[index];
        if node.reachable() && !node.read_only {
            let transaction = (index as u32 + 1, node.tip() + 1, number);
            node.log.push(transaction);
            inner.pending.push((index, transaction));
        }
    }

    /// Some milliseconds pass: followers receive and apply, and what was received is acknowledged. A client only hears of
    /// it from the node that is the primary by the view of that moment; `heard` is told the newest place that one did.
    pub fn tick(&self, primary: Option<usize>, heard: impl FnOnce(u64)) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        for index in 0..inner.nodes.len() {
            inner.replicate(index);
        }
        let now = Instant::now();
        let Inner { nodes, pending, acknowledged, apart, .. } = inner;
        let mut newest = 0;
        pending.retain(|(at, transaction)| {
            if nodes[*at].process != Process::Up {
                return nodes[*at].process == Process::Paused;
            }
            let acknowledges = |(index, node): (usize, &FakeNode)| {
                receives(nodes, apart, index) == Some(*at) && node.has(transaction)
            };
            if !nodes.iter().enumerate().any(acknowledges) {
                return true;
            }
            if primary == Some(*at) && nodes[*at].link == Link::Open {
                acknowledged.push((now, *transaction));
                newest = newest.max(transaction.1);
            }
            false
        });
        drop(guard);
        if newest > 0 {
            heard(newest);
        }
    }
}

/// Whom a node receives from at this moment.
fn receives(nodes: &[FakeNode], apart: &[(usize, usize)], index: usize) -> Option<usize> {
    let node = &nodes[index];
    let source = node.source.filter(|_| node.receiving && node.process == Process::Up)?;
    let hears = !apart.contains(&(index.min(source), index.max(source)));
    (hears && nodes[source].process == Process::Up).then_some(source)
}

impl Inner {
    /// The nodes that would acknowledge a write to a client: writable, and with a follower that counts and receives.
    pub fn takers(&self, counts: impl Fn(usize) -> bool) -> impl Iterator<Item = usize> {
        let taken = move |at: &usize| {
            let followed = (0..self.nodes.len())
                .any(|index| counts(index) && receives(&self.nodes, &self.apart, index) == Some(*at));
            followed && !self.nodes[*at].read_only
        };
        (0..self.nodes.len()).filter(taken)
    }

    fn replicate(&mut self, index: usize) {
        let Some(source) = self.nodes[index].source else { return };
        let (lag, mut apply) = (self.random.random_range(0..3_usize), self.random.random_range(0..4_usize));
        if self.nodes[index].lame {
            apply = usize::from(self.random.random_range(0..10) == 0);
        }
        let (receives, hurry) =
            (receives(&self.nodes, &self.apart, index).is_some(), self.healed && apply > 0);
        let Ok([node, there]) = self.nodes.get_disjoint_mut([index, source]) else { return };
        if node.process != Process::Up {
            return;
        }
        if receives {
            let mine = node.log.len() + node.relay.len();
            let tip = node.relay.last().or(node.log.last());
            if mine == 0 || tip.is_some_and(|tip| there.log.get(mine - 1) == Some(tip)) {
                let until = there.log.len().saturating_sub(lag).max(mine);
                node.relay.extend_from_slice(&there.log[mine..until]);
            } else {
                (node.receiving, node.diverged) = (false, true);
            }
        }
        let apply = if hurry { node.relay.len() } else { apply.min(node.relay.len()) };
        node.log.extend(node.relay.drain(..apply));
    }
}
