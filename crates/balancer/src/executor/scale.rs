//! Into service and out of it: make sure that a candidate is ready, wait until a node has finished what it began.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use cluster::NodeId;
use tokio::time::{Instant, sleep};

use super::job::{News, STEP, Tools, step};
use super::planted::Bug;
use crate::nodes::NodeError;
use crate::telemetry::Meter;

/// A candidate that has not caught up by then is not admitted.
pub const CATCH_UP: Duration = Duration::from_secs(10);
/// A node that has all that the primary had so long ago has caught up.
pub const FRESH: Duration = Duration::from_secs(1);
/// Between two looks at a node that is to become quiet.
const LOOK: Duration = Duration::from_millis(20);
/// Quiet so many times in a row is quiet: a session may have chosen the node by the view before.
const QUIET: u32 = 3;

/// Waits until the candidate has applied all that the primary had when the job began.
pub async fn prepare(tools: &Tools, node: NodeId, primary: NodeId) -> News {
    match caught_up(tools, &node, &primary, CATCH_UP, Threads::Running).await {
        Ok(Caught::Up) => News::Ready(node),
        Ok(Caught::Behind(how)) => News::Failed(format!("{node} is not ready: {how}")),
        Ok(Caught::Diverged(reason)) => News::Refused { node, reason },
        Err(error) => News::Failed(error.to_string()),
    }
}

/// What came of waiting for a follower.
#[derive(Debug, PartialEq, Eq)]
pub enum Caught {
    /// It has applied all that the primary had a moment ago ([`FRESH`]), and replicates.
    Up,
    /// Not within the limit; in words, how far it is.
    Behind(String),
    /// The primary says that it has transactions of its own.
    Diverged(String),
}

/// A follower's threads that receive and apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// They were told to start a moment ago.
    Starting,
    /// They have been running: one that has stopped will not go on by itself, and waiting would only keep others from
    /// starting it.
    Running,
}

/// Waits until a follower has caught up with the primary, which goes on meanwhile.
pub async fn caught_up(
    tools: &Tools,
    node: &NodeId,
    primary: &NodeId,
    limit: Duration,
    threads: Threads,
) -> Result<Caught, NodeError> {
    let end = Instant::now() + limit;
    let mut asked = Instant::now();
    let mut target = step(primary, "status", STEP, tools.nodes.status(primary)).await?.applied;
    let mut pause = Duration::from_millis(5);
    loop {
        let facts = step(node, "status", STEP, tools.nodes.status(node)).await?;
        let reached = facts.replicates() && facts.applied.covers(&target);
        if reached && asked.elapsed() <= FRESH || tools.planted.has(Bug::EarlyAdmission) {
            return Ok(Caught::Up);
        }
        if reached && Instant::now() < end {
            // That was long ago: the primary has gone on since.
            asked = Instant::now();
            target = step(primary, "status", STEP, tools.nodes.status(primary)).await?.applied;
            continue;
        }
        if let Some(following) = facts.following.as_ref().filter(|following| following.diverged) {
            return Ok(Caught::Diverged(following.error.clone()));
        }
        if let Some(stopped) = facts.stopped().filter(|_| threads == Threads::Running) {
            return Ok(Caught::Behind(stopped));
        }
        if Instant::now() >= end {
            let behind = facts.applied.behind(&target);
            let error = facts.following.map_or_else(|| "it follows nobody".into(), |f| f.error);
            return Ok(Caught::Behind(format!("{behind} transactions behind after {limit:?}; {error}")));
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// Waits until no statement and no transaction is under way on a node that gets nothing new.
pub async fn drain(node: NodeId, meter: Arc<Meter>, limit: Duration) -> News {
    let end = Instant::now() + limit;
    let mut quiet = 0;
    while quiet < QUIET {
        let (statements, pinned) = (meter.in_flight.load(Relaxed), meter.pinned.load(Relaxed));
        quiet = if statements == 0 && pinned == 0 { quiet + 1 } else { 0 };
        if quiet == 0 && Instant::now() >= end {
            return News::Failed(format!(
                "{node} still had {statements} statements and {pinned} sessions under way after {limit:?}"
            ));
        }
        sleep(LOOK).await;
    }
    News::Drained(node)
}
