//! A new primary.
//!
//! *Because the old one is gone* ([`replace`]): stop every follower from receiving, so that from here on nothing more can
//! be acknowledged to the old primary, wherever it is and whatever it believes; hear how far each has come; choose
//! ([`plan`]); close whoever else is open; apply what the chosen one has received; open it and at the same time
//! point the others at it, since its first commit waits for one of them.
//!
//! *While the old one is well* ([`switch`]): writes wait (the view has no primary), what is under way ends, the old one
//! is closed, the new one catches up and is opened.
//!
//! A try that fails leaves followers stopped. It is safe to try again from there, also with the old primary back: it then
//! stands for election like all others.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use cluster::NodeId;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep};

use super::job::{News, Opening, STEP, Tools, step};
use super::planted::Bug;
use super::scale;
use crate::failover::plan::{self, Standing};
use crate::nodes::{Facts, NodeError};
use crate::telemetry::Meter;

/// Between two tries to hear the ones that are missing.
const RETRY: Duration = Duration::from_millis(100);
/// A node that may be dead is not asked for longer.
const DOUBTFUL: Duration = Duration::from_millis(300);

/// A node whose data are known to be of the lost primary's history.
#[derive(Clone, Debug)]
pub struct Voter {
    /// Which one.
    pub id: NodeId,
    /// Whether it served reads.
    pub serving: bool,
    /// It was not known to be dead before the primary was lost, so the newest transaction may be there alone and it must
    /// be heard. One that was is heard if it answers within 300 ms: after a pause it may have acknowledged again before
    /// anybody saw it alive.
    pub required: bool,
}

/// Who may vote, and for what.
#[derive(Clone, Debug)]
pub struct Election {
    /// Who held the role.
    pub holder: Option<NodeId>,
    /// Those that followed when it was lost.
    pub electorate: Vec<Voter>,
    /// All others that are alive. They have no vote, but may still follow the old primary and must not acknowledge to it.
    pub bystanders: Vec<NodeId>,
    /// An operator's choice, that overrides what is missing.
    pub wanted: Option<NodeId>,
    /// The live figures of who held the role: they tell what clients were told.
    pub meter: Option<Arc<Meter>>,
    /// The whole must be over by then.
    pub end: Instant,
}

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
    let received = |node: &Standing| node.facts.received().sequence(0);
    let at = standing.iter().find(|node| node.id == chosen).map_or(0, received);
    tools.tell(News::Opened(Opening { chosen, why, steps: steps.text, heard, at })).await;
    News::Promoted { strays: opened.strays().await }
}

/// Stops and hears all voters, again and again until a choice can be made.
async fn elect(tools: &Tools, election: &Election) -> Result<(Vec<Standing>, plan::Choice), String> {
    let mut bystanders: Vec<&NodeId> = election.bystanders.iter().collect();
    let mut heard: Vec<Standing> = Vec::new();
    loop {
        let silent: Vec<_> =
            election.electorate.iter().filter(|voter| heard.iter().all(|node| node.id != voter.id)).collect();
        let (answers, former, _) = tokio::join!(
            join_all(silent.iter().map(|voter| halt(tools, voter))),
            former(tools, election),
            join_all(bystanders.drain(..).map(|id| step(id, "halt", DOUBTFUL, tools.nodes.halt(id)))),
        );
        // Held for dead, and alive enough to say no: then it must be heard as well.
        let alive: Vec<NodeId> = silent
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| matches!(answer, Err(NodeError::Server { .. })))
            .map(|(voter, _)| voter.id.clone())
            .collect();
        heard.extend(answers.into_iter().flatten());
        let mut missing: Vec<NodeId> = election
            .electorate
            .iter()
            .filter(|voter| voter.required || alive.contains(&voter.id) || tools.board.alive(&voter.id))
            .map(|voter| voter.id.clone())
            .filter(|id| heard.iter().all(|node| node.id != *id))
            .collect();
        // A former primary that is held for alive has every acknowledged transaction: it is waited for as well.
        missing.extend(election.holder.clone().filter(|id| former.is_none() && tools.board.alive(id)));
        let mut standing = heard.clone();
        standing.extend(former);
        let told = election.meter.as_ref().map_or(0, |meter| meter.acknowledged.load(Relaxed));
        let chosen = plan::choose(&standing, &missing, election.wanted.as_ref(), told)
            .map_err(|reason| reason.to_string())
            .and_then(
                |choice| if tools.board.alive(&choice.chosen) { Ok(choice) } else { Err(doubtful(&choice)) },
            );
        match chosen {
            Ok(choice) => return Ok((standing, choice)),
            Err(reason) if Instant::now() + RETRY >= election.end => return Err(reason),
            Err(_) => sleep(RETRY).await,
        }
    }
}

/// Whoever is held for dead would be taken out of the view as soon as it stands there.
fn doubtful(choice: &plan::Choice) -> String {
    format!("{} was chosen ({}), and does not answer probes", choice.chosen, choice.why)
}

async fn halt(tools: &Tools, Voter { id, serving, .. }: &Voter) -> Result<Standing, NodeError> {
    let limit = if tools.board.alive(id) { STEP } else { DOUBTFUL };
    let facts = step(id, "halt", limit, tools.nodes.halt(id)).await?;
    Ok(Standing { id: id.clone(), former: false, serving: *serving, facts })
}

/// The former primary, if it answers.
async fn former(tools: &Tools, election: &Election) -> Option<Standing> {
    let id = election.holder.as_ref().filter(|id| tools.board.alive(id))?;
    let facts = step(id, "status", STEP, tools.nodes.status(id)).await.ok()?;
    Some(Standing { id: id.clone(), former: true, serving: true, facts })
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
        Ok(()) => hand_over(tools, &handover, &mut steps).await,
        Err(error) => Err(error),
    };
    let mut strays = match handed_over {
        Ok(strays) => strays,
        Err(error) => {
            let how =
                undo(tools, &handover).await.map_or_else(|error| error.to_string(), |()| "undone".to_owned());
            return News::Failed(format!("{error}; {how}"));
        }
    };
    let why = "asked for".to_owned();
    let (chosen, heard) = (handover.to.clone(), Vec::new());
    tools.tell(News::Opened(Opening { chosen, why, steps: steps.text, heard, at: 0 })).await;
    strays.extend(repoint(tools, std::slice::from_ref(&handover.from), &handover.to).await);
    News::Promoted { strays }
}

/// Closes the new one, of which nobody knows how far it got, before the old one is opened again.
async fn undo(tools: &Tools, handover: &Handover) -> Result<(), NodeError> {
    step(&handover.to, "fence", STEP, tools.nodes.fence(&handover.to)).await?;
    step(&handover.from, "open", STEP, tools.nodes.open(&handover.from)).await
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

/// Lets what is under way on the old one end, closes it, and waits for the new one to have everything.
async fn prepare(tools: &Tools, handover: &Handover, steps: &mut Steps) -> Result<(), NodeError> {
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
    while !step(to, "status", STEP, tools.nodes.status(to)).await?.applied.covers(&target.applied) {
        if Instant::now() >= end {
            let limit_ms = STEP.as_millis() as u64;
            return Err(NodeError::TimedOut { node: to.clone(), step: "catch up", limit_ms });
        }
        sleep(Duration::from_millis(2)).await;
    }
    Ok(())
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
