//! What the control plane asks of the fake nodes, and how it is carried out: through links that are cut, by processes that
//! sleep, late, half-way or not at all.
//!
//! A change is carried out by the node and not by the one who asks: whoever gives up early does not know whether it was, or
//! will be, done. The changes asked of one node happen in the order in which they reached it.

use std::time::Duration;

use cluster::NodeId;
use cluster::replication::gtid::{Gtid, GtidPosition};
use futures_util::future::BoxFuture;
use rand::RngExt;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};

use super::node::{FakeNode, Link, Process, Transaction, address};
use super::world::{Inner, World};
use crate::nodes::{Answer, Facts, Following, NodeError, Nodes, Receiving};

/// Between two looks at whether a node can be reached again.
const LOOK: Duration = Duration::from_millis(40);

fn position(log: &[Transaction]) -> GtidPosition {
    let mut position = GtidPosition::default();
    if let Some((server, sequence, _)) = log.last() {
        position.advance(Gtid { domain: 0, server: *server, sequence: *sequence });
    }
    position
}

impl World {
    /// Waits until the balancer's words get through; fails where somebody says that they do not.
    async fn reach(&self, index: usize) -> Result<(), String> {
        loop {
            {
                let inner = self.lock();
                let node = &inner.nodes[index];
                match (node.process, node.link) {
                    (_, Link::Refusing) => return Err("refused".to_owned()),
                    (Process::Dead, Link::Open) => return Err("dead".to_owned()),
                    (Process::Up, Link::Open) => return Ok(()),
                    _ => {}
                }
            }
            sleep(LOOK).await;
        }
    }

    /// A question, which changes nothing.
    async fn ask<T>(
        &self,
        node: &NodeId,
        step: &'static str,
        look: impl FnOnce(&Inner, usize) -> T,
    ) -> Result<T, NodeError> {
        let index = self.index(node);
        let unreachable = |reason| NodeError::Unreachable { node: node.clone(), reason };
        let (wait, mishap) = self.lots(index);
        sleep(wait).await;
        self.reach(index).await.map_err(unreachable)?;
        if mishap.0 || mishap.1 {
            return Err(NodeError::Server { node: node.clone(), step, reason: "mishap".to_owned() });
        }
        let answer = look(&self.lock(), index);
        Ok(answer)
    }

    /// A change. Once the node has been reached it happens, whether or not somebody still waits for the answer.
    async fn change<T: Send + 'static>(
        &self,
        node: &NodeId,
        step: &'static str,
        effect: impl FnOnce(&mut Inner, usize) -> T + Send + 'static,
    ) -> Result<T, NodeError> {
        let index = self.index(node);
        let unreachable = |reason| NodeError::Unreachable { node: node.clone(), reason };
        self.reach(index).await.map_err(unreachable)?;
        let (wait, mishap) = self.lots(index);
        let (due, lives) = {
            let now = Instant::now();
            let node = &mut self.lock().nodes[index];
            let due = node.free_at.map_or(now, |free| free.max(now)) + wait;
            node.free_at = Some(due);
            (due, node.lives)
        };
        let (tell, told) = oneshot::channel();
        let world = self.clone();
        tokio::spawn(async move {
            sleep_until(due).await;
            while world.lock().nodes[index].process == Process::Paused {
                sleep(LOOK).await;
            }
            let gone = |node: &FakeNode| node.process == Process::Dead || node.lives != lives;
            let result = if gone(&world.lock().nodes[index]) {
                Err(None)
            } else if mishap.0 {
                Err(Some("mishap before"))
            } else {
                let result = effect(&mut world.lock(), index);
                if mishap.1 { Err(Some("mishap after")) } else { Ok(result) }
            };
            // The answer comes when it can; nobody may be there any more.
            if world.reach(index).await.is_ok() {
                let _ = tell.send(result);
            }
        });
        match told.await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(Some(reason))) => {
                Err(NodeError::Server { node: node.clone(), step, reason: reason.to_owned() })
            }
            Ok(Err(None)) | Err(_) => Err(unreachable("it broke off".to_owned())),
        }
    }

    /// How long an operation takes, and whether it fails before or after its effect.
    fn lots(&self, index: usize) -> (Duration, (bool, bool)) {
        let mut guard = self.lock();
        let Inner { random, nodes, mishaps, .. } = &mut *guard;
        let mut by_lot = || *mishaps > 0 && random.random_range(0..1000) < *mishaps;
        let (before, after, late) = (by_lot(), by_lot(), by_lot());
        let late = if late { random.random_range(100..3000) } else { 0 };
        let wait = random.random_range(1..20) + nodes[index].slow_ms + late;
        (Duration::from_millis(wait), (before, after))
    }
}

impl Inner {
    fn facts(&self, index: usize) -> Facts {
        let node = &self.nodes[index];
        let following = node.source.map(|source| {
            // A way that is cut looks like one on which nothing is said.
            let connected = self.nodes[source].process != Process::Dead;
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
        Facts {
            server: index as u32 + 1,
            read_only: node.read_only,
            applied: position(&node.log),
            following,
            waits: true,
        }
    }
}

impl Nodes for World {
    fn probe<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let index = self.index(node);
            let slow = self.lock().nodes[index].slow_ms;
            let took = Duration::from_millis(1 + slow);
            sleep(took).await;
            match self.reach(index).await {
                Ok(()) => Answer::Facts(self.lock().facts(index), took),
                Err(reason) => Answer::Refused(reason),
            }
        })
    }

    fn broken<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut broken = self.breaking(self.index(node));
            if broken.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }

    fn status<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Facts, NodeError>> {
        Box::pin(self.ask(node, "status", |inner, index| inner.facts(index)))
    }

    fn fence<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(self.change(node, "fence", |inner, index| {
            inner.nodes[index].read_only = true;
            inner.pending.retain(|(at, _)| *at != index);
        }))
    }

    fn halt<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Facts, NodeError>> {
        Box::pin(self.change(node, "halt", |inner, index| {
            inner.nodes[index].receiving = false;
            inner.facts(index)
        }))
    }

    fn drain<'a>(&'a self, node: &'a NodeId, _limit: Duration) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(self.change(node, "drain", |inner, index| {
            let node = &mut inner.nodes[index];
            node.receiving = false;
            let relay = std::mem::take(&mut node.relay);
            node.log.extend(relay);
        }))
    }

    fn open<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(self.change(node, "open", |inner, index| {
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
        Box::pin(self.ask(node, "compare", move |inner, index| {
            let tip = inner.nodes[index].relay.last().or(inner.nodes[index].log.last())?;
            (!inner.nodes[there].has(tip)).then(|| format!("{tip:?}"))
        }))
    }

    fn follow<'a>(&'a self, node: &'a NodeId, primary: &'a NodeId) -> BoxFuture<'a, Result<(), NodeError>> {
        let there = self.index(primary);
        Box::pin(self.change(node, "follow", move |inner, index| {
            let node = &mut inner.nodes[index];
            node.relay.clear();
            (node.source, node.receiving, node.read_only, node.diverged) = (Some(there), true, true, false);
            inner.pending.retain(|(at, _)| *at != index);
        }))
    }
}
