//! Which node is the primary, where more than one could be: from what all of them say, and from what was written down.

use std::time::Duration;

use cluster::NodeId;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::StartError;
use super::first::{Found, PATIENCE};
use crate::config::Config;
use crate::executor::state::Saved;
use crate::failover::reign::Reign;
use crate::nodes::{Facts, Nodes, Receiving};

/// Between two tries to stop a node.
const AGAIN: Duration = Duration::from_millis(100);

/// Who is the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Primary {
    /// It takes writes.
    Serves(NodeId),
    /// Nobody does; this one did last.
    Lost(NodeId),
}

impl Primary {
    pub(super) fn id(&self) -> &NodeId {
        match self {
            Self::Serves(id) | Self::Lost(id) => id,
        }
    }
}

/// The primary is the writable node. Of two, it is the one that others follow, or that was the primary last while nobody
/// receives from the other. With none it is whoever was the primary last, and is to be replaced. All else is a guess, and refused.
pub(super) fn find_primary(config: &Config, found: &Found, saved: &Saved) -> Result<Primary, StartError> {
    let look = Look { config, found };
    let heads = look.heads();
    let remembered = saved.primary.as_ref().filter(|last| found.iter().any(|(id, _)| id == *last));
    match (heads.as_slice(), remembered) {
        ([one], _) => match look.doubt(one, remembered) {
            None => Ok(Primary::Serves((*one).clone())),
            Some((last, other)) => Err(StartError::Doubtful { writable: (*one).clone(), last, other }),
        },
        ([first, second, ..], last) => {
            let alone = |id: &NodeId| look.followers(id) == 0;
            match last.filter(|last| heads.iter().all(|id| id == last || alone(id))) {
                Some(last) if heads.contains(&last) => Ok(Primary::Serves(last.clone())),
                _ => Err(StartError::TwoPrimaries { first: (*first).clone(), second: (*second).clone() }),
            }
        }
        ([], Some(last)) => Ok(Primary::Lost(last.clone())),
        ([], None) => {
            let states = found.iter().map(|(id, facts)| match facts {
                Some(facts) => format!("{id} read-only at {}", facts.applied),
                None => format!("{id} does not answer"),
            });
            Err(StartError::NoPrimary(states.collect::<Vec<_>>().join(", ")))
        }
    }
}

struct Look<'a> {
    config: &'a Config,
    found: &'a Found,
}

impl<'a> Look<'a> {
    fn facts(&self, id: &NodeId) -> Option<&'a Facts> {
        self.found.iter().find(|(known, _)| known == id).and_then(|(_, facts)| facts.as_ref())
    }

    /// Whom a node follows, of those that are known.
    fn source(&self, facts: &Facts) -> Option<NodeId> {
        let source = facts.following.as_ref()?.source?;
        let node = self.config.nodes.iter().find(|node| node.admin_address() == source)?;
        Some(NodeId::new(&node.name))
    }

    /// How many receive from a node, or would if they could. Who was told to stop, as all are in an election, has left it:
    /// it acknowledges nothing there any more.
    fn followers(&self, id: &NodeId) -> usize {
        let stopped = |facts: &Facts| {
            facts.following.as_ref().is_some_and(|following| following.receiving == Receiving::Stopped)
        };
        let follows = |facts: &Facts| self.source(facts).as_ref() == Some(id) && !stopped(facts);
        self.found.iter().filter(|(_, facts)| facts.as_ref().is_some_and(follows)).count()
    }

    /// Writable nodes that others follow or that follow nobody.
    fn heads(&self) -> Vec<&'a NodeId> {
        let leads = |id: &NodeId, facts: &Facts| {
            !facts.read_only && (self.followers(id) > 0 || facts.following.is_none())
        };
        let heads =
            self.found.iter().filter(|(id, facts)| facts.as_ref().is_some_and(|facts| leads(id, facts)));
        heads.map(|(id, _)| id).collect()
    }

    /// Why the one writable node may not be who took the last writes, and who may be.
    fn doubt(&self, one: &NodeId, remembered: Option<&NodeId>) -> Option<(NodeId, String)> {
        if remembered == Some(one) {
            return None;
        }
        let mine = &self.facts(one)?.applied;
        if let Some(last) = remembered {
            // Another one than before: by hand, or in an election of which the end was not written down. Then it has all.
            let lacks = |(_, facts): &&(NodeId, Option<Facts>)| {
                facts.as_ref().is_none_or(|facts| !mine.covers(&facts.received()))
            };
            let not_its_own = |(id, facts): &&(NodeId, Option<Facts>)| {
                id != one && facts.as_ref().and_then(|facts| self.source(facts)).as_ref() != Some(one)
            };
            let (id, facts) = self.found.iter().filter(not_its_own).find(lacks)?;
            let how = if facts.is_some() { "has more than it" } else { "does not answer" };
            return Some((last.clone(), format!("the primary was {last} before, and {id} {how}")));
        }
        self.found.iter().find_map(|(id, facts)| {
            let other = self.source(facts.as_ref()?).filter(|other| other != one)?;
            let silent = self.facts(&other).is_none();
            silent.then(|| (other.clone(), format!("{id} follows {other}, which does not answer")))
        })
    }
}

/// Who was the primary last is it still if it answers and the writable ones are no rivals: an election was begun and nobody
/// wrote on whoever won it, or one that was the primary before has been out of reach and was not closed. They are closed
/// now; where the last one is closed as well an election follows.
pub(super) async fn settle(
    config: &Config,
    nodes: &dyn Nodes,
    found: &Found,
    saved: &Saved,
) -> Option<Primary> {
    let look = Look { config, found };
    let last = saved.primary.as_ref()?;
    let facts = look.facts(last)?;
    let known = found.iter().filter_map(|(id, facts)| Some((id, facts.as_ref()?)));
    let others: Vec<(&NodeId, &Facts)> = known.filter(|(id, f)| !f.read_only && *id != last).collect();
    // What was written in another's time, with nobody to receive it, was never acknowledged; nor was what a node has for itself
    // that has seen nothing of that time.
    let never =
        |reign: Reign, facts: &Facts| reign.excludes(&facts.applied) || reign.is_unknown_to(&facts.applied);
    let forsaken = |id: &NodeId, facts: &Facts| {
        look.followers(id) == 0 && saved.reign.is_some_and(|reign| never(reign, facts))
    };
    let rivals = others.iter().filter(|(id, facts)| !forsaken(id, facts));
    let extra = join_all(rivals.map(|(id, _)| timeout(PATIENCE, nodes.extra(id, last)))).await;
    if !extra.into_iter().all(|extra| matches!(extra, Ok(Ok(None)))) {
        return None;
    }
    let closed = join_all(others.iter().map(|(id, _)| timeout(PATIENCE, nodes.fence(id)))).await;
    if !closed.into_iter().all(|closed| matches!(closed, Ok(Ok(())))) {
        return None;
    }
    let last = last.clone();
    Some(if facts.read_only { Primary::Lost(last) } else { Primary::Serves(last) })
}

/// Nobody may acknowledge to another node than `primary` before that is held for the only one that takes writes: an election may have
/// opened another, which cannot be heard, or may have told it to open, which it has not done yet. Who follows one is stopped, and
/// brought back afterwards.
pub(super) async fn leave_others(
    config: &Config,
    nodes: &dyn Nodes,
    found: &mut Found,
    primary: &NodeId,
) -> Result<(), StartError> {
    let look = Look { config, found };
    let astray = found.iter().enumerate().filter_map(|(at, (id, facts))| {
        let facts = facts.as_ref().filter(|_| id != primary)?;
        let source = look.source(facts).filter(|source| source != primary)?;
        let receives = facts.following.as_ref().is_some_and(|f| f.receiving != Receiving::Stopped);
        receives.then_some((at, id, source))
    });
    let stopping = astray.map(async |(at, id, source_node)| {
        let stopped = stop(nodes, id).await;
        let node = || id.clone();
        stopped.map(|facts| (at, facts)).map_err(|why| StartError::Astray { node: node(), source_node, why })
    });
    for stopped in join_all(stopping).await {
        let (at, facts) = stopped?;
        found[at].1 = Some(facts);
    }
    Ok(())
}

/// Has a node stop receiving, tried for a while; otherwise why it could not.
async fn stop(nodes: &dyn Nodes, id: &NodeId) -> Result<Facts, String> {
    let end = Instant::now() + PATIENCE;
    loop {
        let why = match timeout(PATIENCE, nodes.halt(id)).await {
            Ok(Ok(facts)) => return Ok(facts),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {PATIENCE:?}"),
        };
        if Instant::now() + AGAIN >= end {
            return Err(why);
        }
        sleep(AGAIN).await;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::nodes::Following;
    use crate::server::first::tests::config;

    /// `w`: writable and follows nobody; `-`: does not answer; a digit: read-only and follows that node; `S`: the same with
    /// the first, and told to stop.
    pub(in crate::server) fn found(shape: &str) -> Found {
        let facts = |letter: char| match letter {
            '-' => None,
            'w' => Some(Facts::default()),
            'r' => Some(Facts { read_only: true, ..Facts::default() }),
            other => {
                let port = other.to_digit(10).unwrap_or(1) as u16;
                let stopped = other == 'S';
                let following = Following {
                    source: Some(SocketAddr::from(([127, 0, 0, 1], port))),
                    received: Default::default(),
                    receiving: if stopped { Receiving::Stopped } else { Receiving::Connected },
                    applying: true,
                    error: String::new(),
                    diverged: false,
                };
                Some(Facts { read_only: true, following: Some(following), ..Facts::default() })
            }
        };
        shape.chars().zip(1..).map(|(letter, n)| (NodeId::new(format!("n{n}")), facts(letter))).collect()
    }

    #[test]
    fn the_primary_is_found_from_the_nodes_and_never_guessed() {
        for (shape, expected) in [
            ("w11", "n1"),
            ("2w2", "n2"),
            ("-w2", "n2"),
            ("ww2", "n1 and n2 are both writable"),
            ("w1w", "n1 and n3 are both writable"),
            ("w-2", "n1 is writable, but n3 follows n2, which does not answer"),
            ("rrr", "no node is writable (n1 read-only at , n2 read-only at , n3 read-only at )"),
        ] {
            let told = match find_primary(&config(), &found(shape), &Saved::default())
                .map(|primary| primary.id().clone())
            {
                Ok(id) => id.to_string(),
                Err(error) => error.to_string(),
            };
            assert!(told.starts_with(expected), "{shape}: {told}");
        }
    }

    #[test]
    fn what_was_written_down_settles_what_the_nodes_cannot_know() {
        for (shape, last, expected) in [
            ("w1w", "n1", "n1"),
            ("w1w", "n3", "n1 and n3 are both writable"),
            ("rrr", "n2", "n2"),
            ("-rr", "n1", "n1"),
            ("wwS", "n2", "n2"),
            ("ww1", "n2", "n1 and n2 are both writable"),
            ("w-2", "n2", "n1 is writable, but the primary was n2 before, and n2 does not answer"),
            ("w11", "n2", "n1"),
            ("w1-", "n2", "n1 is writable, but the primary was n2 before, and n3 does not answer"),
        ] {
            let saved = Saved { primary: Some(last.into()), ..Saved::default() };
            let told = match find_primary(&config(), &found(shape), &saved) {
                Ok(primary) => primary.id().to_string(),
                Err(error) => error.to_string(),
            };
            assert!(told.starts_with(expected), "{shape} after {last}: {told}");
        }
    }
}
