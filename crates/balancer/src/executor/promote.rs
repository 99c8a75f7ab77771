//! A new primary.
//!
//! *Because the old one is gone* ([`replace`]): elect the next one ([`super::elect`]), after which nothing more can be
//! acknowledged to the old one; close whoever else is open; apply what the chosen one has received; open it and at the
//! same time point the others at it, since its first commit waits for one of them.
//!
//! *While the old one is well* ([`switch`]): writes wait (the view has no primary), what is under way ends, the old one
//! is closed, the new one catches up and is opened.
//!
//! A try that fails leaves followers stopped. It is safe to try again from there, also with the old primary back: it then
//! stands for election like all others.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use cluster::NodeId;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep};

use super::elect::{Election, elect};
use super::job::{News, Opening, STEP, Tools, step};
use super::planted::Bug;
use super::scale;
use crate::failover::plan::Standing;
use crate::nodes::{Facts, NodeError};
use crate::telemetry::Meter;

/// Times of the steps, for people.
struct Steps {
    text: String,
    since: Instant,
}

impl Steps {
    fn new() -> Self {
        Self { text: String::new(), since: Instant::now() }
    }

    fn done(&mut self, name: &str) {
        let separator = if self.text.is_empty() { "" } else { ", " };
        let _ = write!(self.text, "{separator}{name} {} ms", self.since.elapsed().as_millis());
        self.since = Instant::now();
    }
}

/// Replaces a primary that is gone. Tells `Opened` on the way.
pub async fn replace(tools: &Tools, election: Election) -> News {
    let mut steps = Steps::new();
    let (standing, choice) = match elect(tools, &election).await {
        Ok(elected) => elected,
        Err(reason) => return News::Failed(reason),
    };
    steps.done("elected");
    let opened = match install(tools, &election, &standing, &choice.chosen, &mut steps).await {
        Ok(others) => others,
        Err(error) => return News::Failed(format!("{} was chosen ({}): {error}", choice.chosen, choice.why)),
    };
    let (chosen, why) = (choice.chosen.clone(), choice.why.clone());
    let heard = standing.iter().map(|node| node.id.clone()).collect();
    let facts = standing.iter().find(|node| node.id == chosen).map(|node| &node.facts);
    let (at, server) = facts.map_or((0, 0), |facts| (facts.received().sequence(0), facts.server));
    tools.tell(News::Opened(Opening { chosen, why, steps: steps.text, heard, at, server })).await;
    News::Promoted { strays: opened.strays().await }
}

/// What is still under way after the chosen one is open.
struct Repointing<'a> {
    left: FuturesUnordered<futures_util::future::BoxFuture<'a, (NodeId, Result<(), NodeError>)>>,
    strays: Vec<NodeId>,
}

impl Repointing<'_> {
    fn took(&mut self, (id, result): (NodeId, Result<(), NodeError>)) -> bool {
        let ok = result.is_ok();
        if let Err(error) = result {
            tracing::warn!(node = %id, %error, "could not be pointed at the new primary");
            self.strays.push(id);
        }
        ok
    }

    async fn strays(mut self) -> Vec<NodeId> {
        while let Some(result) = self.left.next().await {
            self.took(result);
        }
        self.strays
    }
}

/// Makes the chosen one the primary; comes back when it is open and, if there are others, one of them follows.
async fn install<'a>(
    tools: &'a Tools,
    election: &Election,
    standing: &[Standing],
    chosen: &'a NodeId,
    steps: &mut Steps,
) -> Result<Repointing<'a>, NodeError> {
    let left = || election.end.saturating_duration_since(Instant::now()).max(STEP);
    close_others(tools, standing, chosen).await?;
    if standing.iter().any(|node| node.id == *chosen && !node.facts.applied.covers(&node.facts.received())) {
        step(chosen, "drain", left(), tools.nodes.drain(chosen, left())).await?;
        steps.done("drained");
    }
    let others =
        standing.iter().filter(|node| node.id != *chosen && !node.former).map(|node| node.id.clone());
    let mut repointing = Repointing { left: FuturesUnordered::new(), strays: Vec::new() };
    for id in others {
        repointing.left.push(Box::pin(async move {
            let result = step(&id, "follow", STEP, tools.nodes.follow(&id, chosen)).await;
            (id, result)
        }));
    }
    let open = step(chosen, "open", STEP, tools.nodes.open(chosen));
    let first = async {
        while let Some(result) = repointing.left.next().await {
            if repointing.took(result) {
                break;
            }
        }
    };
    let (opened, ()) = tokio::join!(open, first);
    opened?;
    steps.done("opened");
    Ok(repointing)
}

/// No other node may take writes when the chosen one opens.
async fn close_others(tools: &Tools, standing: &[Standing], chosen: &NodeId) -> Result<(), NodeError> {
    let open = standing.iter().filter(|node| node.id != *chosen && !node.facts.read_only);
    for result in join_all(open.map(|node| async {
        let result = step(&node.id, "fence", STEP, tools.nodes.fence(&node.id)).await;
        // The former primary cannot have a write acknowledged any more; if it dies at this moment, so be it.
        if node.former && !tools.board.alive(&node.id) { Ok(()) } else { result }
    }))
    .await
    {
        result?;
    }
    Ok(())
}

/// A planned change.
#[derive(Clone, Debug)]
pub struct Handover {
    /// The present primary.
    pub from: NodeId,
    /// Its live figures.
    pub meter: Arc<Meter>,
    /// The next one.
    pub to: NodeId,
    /// All others that follow.
    pub others: Vec<NodeId>,
    /// What is under way may take so long to end.
    pub patience: Duration,
}

/// Changes the primary while the old one is well. The view has none meanwhile; after a failure the old one is open again.
pub async fn switch(tools: &Tools, handover: Handover) -> News {
    let mut steps = Steps::new();
    // As long as the next one has not been touched, the death of the old one ends this at once: an election must not wait.
    let prepared = tokio::select! {
        biased;
        () = death(tools, &handover.from) => {
            return News::Failed(format!("{} died meanwhile", handover.from));
        }
        prepared = prepare(tools, &handover, &mut steps) => prepared,
    };
    let handed_over = match prepared {
        Ok(has) => hand_over(tools, &handover, &mut steps).await.map(|strays| (has, strays)),
        Err(error) => Err(error),
    };
    let (has, mut strays) = match handed_over {
        Ok(handed_over) => handed_over,
        Err(error) => {
            return match undo(tools, &handover).await {
                Ok(()) => News::Failed(format!("{error}; undone")),
                Err(undoing) => News::Stranded { to: handover.to, reason: format!("{error}; {undoing}") },
            };
        }
    };
    let why = "asked for".to_owned();
    let (chosen, heard) = (handover.to.clone(), Vec::new());
    let (at, server) = (has.applied.sequence(0), has.server);
    tools.tell(News::Opened(Opening { chosen, why, steps: steps.text, heard, at, server })).await;
    strays.extend(repoint(tools, std::slice::from_ref(&handover.from), &handover.to).await);
    News::Promoted { strays }
}

/// Closes the new one, of which nobody knows how far it got, before the old one is opened again and followed as before.
async fn undo(tools: &Tools, Handover { from, to, .. }: &Handover) -> Result<(), NodeError> {
    step(to, "fence", STEP, tools.nodes.fence(to)).await?;
    step(from, "open", STEP, tools.nodes.open(from)).await?;
    // If it fails here the watchers find it astray and have it brought back.
    let _ = repoint(tools, std::slice::from_ref(to), from).await;
    Ok(())
}

/// Points nodes at a primary, all at once; returns those where it failed.
async fn repoint(tools: &Tools, ids: &[NodeId], primary: &NodeId) -> Vec<NodeId> {
    let results = ids.iter().map(|id| async move {
        step(id, "follow", STEP, tools.nodes.follow(id, primary)).await.err().map(|_| id.clone())
    });
    join_all(results).await.into_iter().flatten().collect()
}

/// Waits until the judge holds a node for dead.
async fn death(tools: &Tools, node: &NodeId) {
    let mut learned = tools.board.watch();
    while tools.board.alive(node) {
        if learned.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Lets what is under way on the old one end, closes it, and waits for the new one to have everything; returns what it has.
async fn prepare(tools: &Tools, handover: &Handover, steps: &mut Steps) -> Result<Facts, NodeError> {
    let Handover { from, meter, to, patience, .. } = handover;
    // What does not end in time is cut off by the fence and gets an error, as the operator was told.
    scale::drain(from.clone(), meter.clone(), *patience).await;
    steps.done("ended");
    if !tools.planted.has(Bug::TwoPrimaries) {
        step(from, "fence", STEP, tools.nodes.fence(from)).await?;
    }
    steps.done("closed");
    let target: Facts = step(from, "status", STEP, tools.nodes.status(from)).await?;
    let end = Instant::now() + STEP;
    loop {
        let facts = step(to, "status", STEP, tools.nodes.status(to)).await?;
        if facts.applied.covers(&target.applied) {
            return Ok(facts);
        }
        if Instant::now() >= end {
            let limit_ms = STEP.as_millis() as u64;
            return Err(NodeError::TimedOut { node: to.clone(), step: "catch up", limit_ms });
        }
        sleep(Duration::from_millis(2)).await;
    }
}

/// Opens the new one, which has everything whatever becomes of the old one. Returns the others that do not follow it.
async fn hand_over(tools: &Tools, handover: &Handover, steps: &mut Steps) -> Result<Vec<NodeId>, NodeError> {
    let Handover { to, others, .. } = handover;
    step(to, "drain", STEP, tools.nodes.drain(to, STEP)).await?;
    steps.done("caught up");
    step(to, "open", STEP, tools.nodes.open(to)).await?;
    // The first commit on the new primary waits for a follower.
    let strays = repoint(tools, others, to).await;
    steps.done("opened");
    Ok(strays)
}
