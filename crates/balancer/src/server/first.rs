//! The first look: which node is the primary, and how all others stand.
//!
//! The nodes are asked, and what they say counts. The state file settles what they cannot know: which of two writable nodes
//! was the primary last, and, when none is writable, whose place is to be filled by an election in which every node must be
//! heard. Where both together leave a doubt, the balancer does not start.

use std::sync::Arc;
use std::time::Duration;

use cluster::{NodeId, Role};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::StartError;
use super::rivals::{self, Primary};
use crate::config::Config;
use crate::executor::state::Saved;
use crate::executor::topology::{Home, Member, Topology};
use crate::failover::reign::Reign;
use crate::nodes::{Answer, Facts, Nodes};
use crate::telemetry::Meter;
use crate::view::{NodeState, NodeView};

/// At the start nodes may take so long to answer: they may be starting themselves.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Followers that answer may take so long to be connected to their primary: they may just have been told to follow.
const CONNECTING: Duration = Duration::from_secs(2);
/// Followers may take so long to have what the primary had at the first look; who needs longer is brought back like one
/// that was away.
const FRESH: Duration = Duration::from_secs(1);

/// What every node says, in the order of the configuration.
pub type Found = Vec<(NodeId, Option<Facts>)>;

/// The nodes as they stand, and what they said.
pub async fn topology(
    config: &Config,
    nodes: &dyn Nodes,
    saved: &Saved,
) -> Result<(Topology, Found), StartError> {
    let mut found = look(config, nodes).await?;
    let primary = match rivals::find_primary(config, &found, saved) {
        Err(doubt @ (StartError::TwoPrimaries { .. } | StartError::Doubtful { .. })) => {
            rivals::settle(config, nodes, &found, saved).await.ok_or(doubt)?
        }
        other => other?,
    };
    let fresh = match &primary {
        Primary::Serves(id) => {
            if nodes.observed().is_none() {
                rivals::leave_others(config, nodes, &mut found, id).await?;
            }
            freshen(config, nodes, &mut found, id).await
        }
        Primary::Lost(_) => Vec::new(),
    };
    let topology = first_topology(config, &found, &primary, saved, &fresh);
    Ok((topology, found))
}

/// Who has what the primary had when it was asked. What the nodes said is brought up to date on the way.
async fn freshen(config: &Config, nodes: &dyn Nodes, found: &mut Found, primary: &NodeId) -> Vec<NodeId> {
    let target = found.iter().find(|(id, _)| id == primary).and_then(|(_, facts)| facts.as_ref());
    let Some(target) = target.map(|facts| facts.applied.clone()) else { return Vec::new() };
    let limit = Duration::from_millis(config.health.timeout_ms);
    let end = Instant::now() + FRESH;
    loop {
        let behind = |facts: &Option<Facts>| {
            facts.as_ref().is_some_and(|facts| facts.replicates() && !facts.applied.covers(&target))
        };
        let late: Vec<usize> = (0..found.len()).filter(|at| behind(&found[*at].1)).collect();
        if late.is_empty() || Instant::now() >= end {
            let has = |facts: &Facts| facts.applied.covers(&target);
            let fresh = found.iter().filter(|(_, facts)| facts.as_ref().is_some_and(has));
            return fresh.map(|(id, _)| id.clone()).collect();
        }
        sleep(Duration::from_millis(20)).await;
        let ask = late.iter().map(|at| timeout(limit, nodes.probe(&found[*at].0)));
        let answers = join_all(ask).await;
        for (at, answer) in late.into_iter().zip(answers) {
            found[at].1 = match answer {
                Ok(Answer::Facts(facts, _)) => Some(facts),
                _ => None,
            };
        }
    }
}

/// Asks every node until all have answered or the patience is at an end.
async fn look(config: &Config, nodes: &dyn Nodes) -> Result<Found, StartError> {
    let ids: Vec<NodeId> = config.nodes.iter().map(|node| NodeId::new(&node.name)).collect();
    let limit = Duration::from_millis(config.health.timeout_ms);
    let began = Instant::now();
    loop {
        let answers = join_all(
            ids.iter().map(async |id| timeout(limit, nodes.probe(id)).await.unwrap_or(Answer::Silent)),
        )
        .await;
        let waits = config.nodes.iter().zip(&answers).map(|(node, answer)| wait_for(node.candidate, answer));
        let waiting = waits.max().unwrap_or_default();
        let denied = answers.iter().any(|answer| matches!(answer, Answer::Denied(_) | Answer::Unfit(_)));
        if began.elapsed() < waiting && !denied {
            sleep(Duration::from_millis(100)).await;
            continue;
        }
        let mut why = Vec::new();
        let mut found = Found::new();
        for (id, answer) in ids.into_iter().zip(answers) {
            match answer {
                Answer::Denied(reason) => return Err(StartError::Denied { node: id, reason }),
                Answer::Unfit(reason) => return Err(StartError::Unfit { node: id, reason }),
                Answer::Facts(facts, _) => found.push((id, Some(facts))),
                other => {
                    why.push(format!("{id}: {other:?}"));
                    found.push((id, None));
                }
            }
        }
        return match found.iter().any(|(_, facts)| facts.is_some()) {
            true => Ok(found),
            false => Err(StartError::NobodyAnswers(why.join("; "))),
        };
    }
}

/// How long a node is waited for at the start: not at all when it answers and, if it follows, replicates, so that all
/// that is well serves in the first view and nothing has to be brought back that was never away. Nor for a candidate where
/// nobody is: its place may be kept for a node that is still to be made.
fn wait_for(candidate: bool, answer: &Answer) -> Duration {
    match answer {
        Answer::Refused(_) | Answer::Broken(_) if candidate => Duration::ZERO,
        Answer::Facts(facts, _) if facts.following.is_none() || facts.replicates() => Duration::ZERO,
        Answer::Facts(..) => CONNECTING,
        _ => PATIENCE,
    }
}

/// Nodes as they stand at the start. A follower that does not answer is down, one that does not replicate well or is far
/// behind serves nothing until it has been brought back. Where the primary was lost all must be heard before one takes over.
fn first_topology(
    config: &Config,
    found: &Found,
    primary: &Primary,
    saved: &Saved,
    fresh: &[NodeId],
) -> Topology {
    let lost = matches!(primary, Primary::Lost(_));
    let members = config.nodes.iter().zip(found).enumerate().map(|(index, (node, (id, facts)))| {
        let memory = saved.nodes.get(id);
        let is_primary = id == primary.id();
        let home = match memory {
            _ if is_primary => Home::Serving,
            Some(memory) => memory.home,
            None if node.candidate => Home::Standby,
            None => Home::Serving,
        };
        let follows = facts.as_ref().is_some_and(|facts| facts.read_only && facts.replicates());
        let well = follows && fresh.contains(id);
        let state = match (is_primary, facts, home) {
            (true, ..) if !lost => NodeState::Serving,
            _ if memory.is_some_and(|memory| memory.disabled) => NodeState::Disabled,
            (_, None, _) => NodeState::Down,
            (_, Some(_), Home::Serving) if well => NodeState::Serving,
            (_, Some(_), Home::Standby) if well => NodeState::Standby,
            _ => NodeState::Joining,
        };
        let role = match (is_primary, home) {
            (true, _) => Role::Primary,
            (_, Home::Standby) => Role::Candidate,
            (_, Home::Serving) => Role::Replica,
        };
        let meter = Arc::new(Meter::default());
        let (id, address, weight) = (id.clone(), node.address, node.weight);
        let node = NodeView { id, index, address, role, state, weight, epoch: 0, meter };
        Member { node, home, sound: is_primary || follows || lost, refused: None, failures: (0, None) }
    });
    let facts = found.iter().find(|(id, _)| id == primary.id()).and_then(|(_, facts)| facts.as_ref());
    let reign = reign(facts, primary, saved);
    // Nobody knows any more what clients were told of: perhaps all that the primary has, and had when it began.
    let has = facts.map_or(0, |facts| facts.applied.sequence(0));
    let perhaps_told = has.max(reign.map_or(0, |reign| reign.from));
    let members = members.collect();
    Topology { members, strategy: config.strategy, perhaps_told, reign, unproven: lost }
}

/// The primary's reign as it was written down, or else from this moment on.
fn reign(facts: Option<&Facts>, primary: &Primary, saved: &Saved) -> Option<Reign> {
    let fits = |reign: &Reign| {
        let other = |facts: &Facts| facts.server != reign.server || reign.excludes(&facts.applied);
        saved.primary.as_ref() == Some(primary.id()) && !facts.is_some_and(other)
    };
    let serves = matches!(primary, Primary::Serves(_));
    let now = || {
        let Facts { server, applied, .. } = facts.filter(|_| serves)?;
        Reign::new(applied.sequence(0), *server)
    };
    saved.reign.filter(fits).or_else(now)
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::executor::state;
    use crate::server::rivals::tests::found;

    /// n1, n2, and n3, which begins as a candidate.
    pub(in crate::server) fn config() -> Config {
        crate::simulation::stage::config(3, 1)
    }

    fn serves(id: &str) -> Primary {
        Primary::Serves(id.into())
    }

    fn all() -> Vec<NodeId> {
        ["n1", "n2", "n3"].map(NodeId::from).to_vec()
    }

    #[test]
    fn a_lost_primary_leaves_nobody_in_service_and_everybody_to_be_heard() {
        let lost = Primary::Lost("n1".into());
        let topology = first_topology(&config(), &found("-rr"), &lost, &Saved::default(), &[]);
        let found: Vec<_> = topology.members.iter().map(|m| (m.node.state, m.sound)).collect();
        use NodeState::{Down, Joining};
        assert_eq!(found, [(Down, true), (Joining, true), (Joining, true)]);
        assert_eq!(topology.holder().map(|holder| holder.node.id.clone()), Some("n1".into()));
    }

    #[test]
    fn a_node_far_behind_does_not_serve_at_once() {
        let fresh = ["n2".into()];
        let topology = first_topology(&config(), &found("w11"), &serves("n1"), &Saved::default(), &fresh);
        let found: Vec<_> = topology.members.iter().map(|member| member.node.state).collect();
        assert_eq!(found, [NodeState::Serving, NodeState::Serving, NodeState::Joining]);
    }

    #[test]
    fn the_first_view_holds_only_what_is_well() {
        use NodeState::*;
        for (shape, states) in [
            ("w11", [Serving, Serving, Standby]),
            ("w-1", [Serving, Down, Standby]),
            ("wr1", [Serving, Joining, Standby]),
        ] {
            let topology = first_topology(&config(), &found(shape), &serves("n1"), &Saved::default(), &all());
            let found: Vec<_> = topology.members.iter().map(|member| member.node.state).collect();
            assert_eq!(found, states, "{shape}");
        }
    }

    #[test]
    fn a_remembered_switch_counts_more_than_the_configuration() {
        let line = |home, disabled| state::SavedNode { home, disabled };
        let saved = Saved {
            reign: None,
            primary: None,
            nodes: [("n2".into(), line(Home::Serving, true)), ("n3".into(), line(Home::Serving, false))]
                .into(),
        };
        let topology = first_topology(&config(), &found("w11"), &serves("n1"), &saved, &all());
        let found: Vec<_> = topology.members.iter().map(|member| member.node.state).collect();
        assert_eq!(found, [NodeState::Serving, NodeState::Disabled, NodeState::Serving]);
    }

    #[test]
    fn a_configuration_that_makes_no_sense_is_refused_by_key() {
        type Change = fn(&mut Config);
        let table: &[(Change, &str)] = &[
            (|c| c.nodes.clear(), "nodes: no node is given"),
            (|c| c.nodes[1].name = "n1".into(), "nodes[1]: the name `n1` is given twice"),
            (|c| c.nodes[2].address = c.nodes[0].address, "nodes[2]: `n3` has the same address as `n1`"),
            (|c| c.nodes[0].weight = 0, "nodes[0]: `n1` has weight 0"),
            (|c| c.nodes.iter_mut().for_each(|n| n.candidate = true), "nodes: all nodes are candidates"),
            (
                |c| c.admin = Some(SocketAddr::from(([0, 0, 0, 0], 8080))),
                "admin: others can reach this address: auth.admin_token_file is needed",
            ),
            (|c| c.health.fall = 0, "health.fall: 0 is not allowed"),
            (|c| c.elastic.floor = 0, "elastic.floor: 0 is not allowed"),
            (|c| c.elastic.in_below_ms = 500.0, "elastic.in_below_ms: 500 must be below out_above_ms, 400"),
            (|c| c.elastic.out_above_ms = f64::NAN, "elastic.in_below_ms: must be a number"),
        ];
        assert_eq!(config().check(), Ok(()));
        for (change, expected) in table {
            let mut config = config();
            change(&mut config);
            let told = config.check().expect_err(expected).to_string();
            assert!(told.starts_with(expected), "{told}");
        }
    }
}
