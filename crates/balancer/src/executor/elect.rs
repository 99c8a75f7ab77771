//! Elects the primary that takes the place of one that is gone: every follower stops receiving, so that from here on nothing
//! more can be acknowledged to the old one, wherever it is and whatever it believes, and says how far it has come; then
//! [`plan`] chooses.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use cluster::NodeId;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::job::{STEP, Tools, step};
use crate::failover::plan::{self, Choice, NoChoice, Standing};
use crate::failover::reign::{Aside, Reign, Told};
use crate::nodes::{Facts, NodeError};
use crate::telemetry::Meter;

/// Between two tries to hear the ones that are missing.
const RETRY: Duration = Duration::from_millis(100);
/// A node that may be dead is not asked for longer.
const DOUBTFUL: Duration = Duration::from_millis(300);
/// Nor one without a vote that did not answer its last probe: it may have come back a moment ago.
const LONG_SHOT: Duration = Duration::from_millis(50);

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

/// A node without a vote. It may still follow the old primary, or be about to because it was just told to, and must not
/// acknowledge to it.
#[derive(Clone, Debug)]
pub struct Bystander {
    /// Which one.
    pub id: NodeId,
    /// It was compared with a primary and turned away, and has followed none since.
    pub refused: bool,
}

/// Who may vote, and for what.
#[derive(Clone, Debug)]
pub struct Election {
    /// Who held the role.
    pub holder: Option<NodeId>,
    /// Those that followed when it was lost.
    pub electorate: Vec<Voter>,
    /// All others.
    pub bystanders: Vec<Bystander>,
    /// An operator's choice, that overrides what is missing.
    pub wanted: Option<NodeId>,
    /// The live figures of who held the role: they tell what clients were told.
    pub meter: Option<Arc<Meter>>,
    /// See [`super::topology::Topology::perhaps_told`].
    pub perhaps_told: u64,
    /// The reign of who held the role.
    pub reign: Option<Reign>,
    /// Of no voter it is known which way it has gone.
    pub unproven: bool,
    /// The whole must be over by then.
    pub end: Instant,
}

/// What has been heard so far. Whoever was heard once has stopped and says nothing new.
#[derive(Default)]
struct Heard {
    voters: Vec<Standing>,
    bystanders: Vec<(NodeId, Facts)>,
    /// The former primary, if it answers; it goes on, and is asked anew each time.
    former: Option<Standing>,
    /// Held for dead, and alive enough to say no: then it must be heard as well.
    unwilling: Vec<NodeId>,
}

impl Heard {
    fn voter(&self, id: &NodeId) -> bool {
        self.voters.iter().any(|node| node.id == *id)
    }

    fn bystander(&self, id: &NodeId) -> Option<&Facts> {
        self.bystanders.iter().find(|(heard, _)| heard == id).map(|(_, facts)| facts)
    }
}

/// Stops and hears all nodes, again and again until a choice can be made. Returns those that stood for election, and who won.
///
/// # Errors
/// Why nobody could be chosen in time, for people.
pub async fn elect(tools: &Tools, election: &Election) -> Result<(Vec<Standing>, Choice), String> {
    let mut heard = Heard::default();
    loop {
        listen(tools, election, &mut heard).await;
        let standing = standing(election, &heard);
        match choose(tools, election, &heard, &standing) {
            Ok(choice) => return Ok((standing, choice)),
            Err(reason) if Instant::now() + RETRY >= election.end => return Err(reason.to_string()),
            Err(_) => sleep(RETRY).await,
        }
    }
}

/// Who may be chosen of those that were heard.
fn standing(election: &Election, heard: &Heard) -> Vec<Standing> {
    let reign = election.reign.filter(|_| election.unproven);
    let fits = |node: &&Standing| !reign.is_some_and(|reign| reign.excludes(&node.facts.received()));
    heard.voters.iter().filter(fits).chain(&heard.former).cloned().collect()
}

/// Asks everybody who was not heard yet, all at once.
async fn listen(tools: &Tools, election: &Election, heard: &mut Heard) {
    let voters: Vec<&Voter> = election.electorate.iter().filter(|voter| !heard.voter(&voter.id)).collect();
    let aside = election.bystanders.iter().filter(|node| heard.bystander(&node.id).is_none());
    let (answers, former, bystanders) = tokio::join!(
        join_all(voters.iter().map(|voter| halt(tools, voter))),
        former(tools, election),
        join_all(aside.map(|node| quieten(tools, &node.id))),
    );
    let refuses = |answer: &Result<Standing, NodeError>| matches!(answer, Err(NodeError::Server { .. }));
    let unwilling = voters.iter().zip(&answers).filter(|(_, answer)| refuses(answer));
    heard.unwilling = unwilling.map(|(voter, _)| voter.id.clone()).collect();
    heard.voters.extend(answers.into_iter().flatten());
    heard.bystanders.extend(bystanders.into_iter().flatten());
    heard.former = former;
}

async fn halt(tools: &Tools, Voter { id, serving, .. }: &Voter) -> Result<Standing, NodeError> {
    let limit = if tools.board.alive(id) { STEP } else { DOUBTFUL };
    let facts = step(id, "halt", limit, tools.nodes.halt(id)).await?;
    Ok(Standing { id: id.clone(), former: false, serving: *serving, facts })
}

async fn quieten(tools: &Tools, id: &NodeId) -> Option<(NodeId, Facts)> {
    let limit = if tools.board.answers(id) { DOUBTFUL } else { LONG_SHOT };
    let facts = step(id, "halt", limit, tools.nodes.halt(id)).await.ok()?;
    Some((id.clone(), facts))
}

/// The former primary, if it answers.
async fn former(tools: &Tools, election: &Election) -> Option<Standing> {
    let id = election.holder.as_ref().filter(|id| tools.board.alive(id))?;
    let facts = step(id, "status", STEP, tools.nodes.status(id)).await.ok()?;
    Some(Standing { id: id.clone(), former: true, serving: true, facts })
}

fn choose(
    tools: &Tools,
    election: &Election,
    heard: &Heard,
    standing: &[Standing],
) -> Result<Choice, NoChoice> {
    let wanted = election.wanted.as_ref();
    let loose = loose(tools, election, heard);
    if wanted.is_none() && !loose.is_empty() {
        return Err(NoChoice::Loose(loose));
    }
    let surely = election.meter.as_ref().map_or(0, |meter| meter.acknowledged.load(Relaxed));
    let (perhaps, reign) = (election.perhaps_told, election.reign);
    let told = Told { surely, perhaps, reign, aside: aside(election, heard) };
    let choice = plan::choose(standing, &missing(tools, election, heard), wanted, &told)?;
    // Whoever is held for dead would be taken out of the view as soon as it stands there.
    if tools.board.alive(&choice.chosen) { Ok(choice) } else { Err(NoChoice::Doubtful(choice)) }
}

/// Who must be heard and was not.
fn missing(tools: &Tools, election: &Election, heard: &Heard) -> Vec<NodeId> {
    let must = |voter: &&Voter| {
        voter.required || heard.unwilling.contains(&voter.id) || tools.board.alive(&voter.id)
    };
    let silent = election.electorate.iter().filter(must).filter(|voter| !heard.voter(&voter.id));
    let mut missing: Vec<NodeId> = silent.map(|voter| voter.id.clone()).collect();
    // A former primary that is held for alive has every acknowledged transaction: it is waited for as well.
    missing.extend(election.holder.clone().filter(|id| heard.former.is_none() && tools.board.alive(id)));
    missing
}

/// Who answers probes and could still acknowledge to the old primary, while that one cannot be closed.
fn loose(tools: &Tools, election: &Election, heard: &Heard) -> Vec<NodeId> {
    if election.holder.is_none() || heard.former.is_some() {
        return Vec::new();
    }
    let loose = |id: &&NodeId| heard.bystander(id).is_none() && tools.board.answers(id);
    election.bystanders.iter().map(|node| &node.id).filter(loose).cloned().collect()
}

/// Who does not stand for election and may have what clients were told of: who has no vote, was not heard, or is the lost
/// primary itself.
fn aside(election: &Election, heard: &Heard) -> Vec<Aside> {
    let silent = election.electorate.iter().map(|voter| &voter.id).filter(|id| !heard.voter(id));
    let silent = silent.map(|id| Aside { id: id.clone(), received: None, outsider: false });
    let others = election.bystanders.iter().map(|node| Aside {
        id: node.id.clone(),
        received: heard.bystander(&node.id).map(Facts::received),
        outsider: node.refused,
    });
    let holder = election.holder.iter().filter(|_| heard.former.is_none());
    let holder = holder.map(|id| Aside { id: id.clone(), received: None, outsider: true });
    silent.chain(others).chain(holder).collect()
}
