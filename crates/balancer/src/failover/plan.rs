//! Which node becomes the primary: made from what the nodes say at the moment of acting, not from what was known before.
//!
//! Any *one* follower's acknowledgement makes a commit safe, so the transaction acknowledged last may be on any one of
//! those that followed. Hence: every node that followed the lost primary and was not known to be dead before it must be
//! heard, and the one that has received most is taken. While one of them is missing the choice is put off: losing an
//! acknowledged order is worse than waiting. An operator may name the node and so take the decision on himself.
//!
//! A node that was held for dead may have come back, have acknowledged alone, and be out of hearing again. Therefore what
//! clients were told counts as well: all of it came through here, and nobody is chosen who lacks it. After a restart nobody
//! knows it any more but only what it was at most; whoever lacks some of that is chosen once nobody else can have it
//! ([`Told`]).

use cluster::NodeId;

use super::reign::Told;
use crate::nodes::Facts;

/// A node that answered after it had stopped receiving.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Which one.
    pub id: NodeId,
    /// It is the one that held the role; it has no right to it any more, but may have the most data.
    pub former: bool,
    /// It served reads; all else equal it is preferred to a candidate.
    pub serving: bool,
    /// What it says now.
    pub facts: Facts,
}

/// A choice with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The next primary.
    pub chosen: NodeId,
    /// Why this one, for people.
    pub why: String,
}

/// Why nobody can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoChoice {
    /// Some that may hold the newest acknowledged transaction did not answer.
    #[error("waiting for {}: the newest acknowledged transaction may be there alone", names(.0))]
    Missing(Vec<NodeId>),
    /// Nobody answered.
    #[error("no node that could take over answers")]
    Nobody,
    /// The node with the most data cannot apply it, and no other has it all.
    #[error("{0} has received more than any other node and cannot apply it: {1}")]
    Stuck(NodeId, String),
    /// Two nodes have transactions that the other lacks.
    #[error("{0} and {1} each have transactions that the other lacks")]
    Diverged(NodeId, NodeId),
    /// Clients were told of more than anybody has who answers.
    #[error(
        "{best} has come furthest of those that answer, to {has}; clients were told of transactions up to \
         {told}, which somebody must have who does not answer"
    )]
    Lacking {
        /// Who would have been chosen.
        best: NodeId,
        /// Its newest transaction, as a sequence number of replication domain 0.
        has: u64,
        /// The newest that a client was told of.
        told: u64,
    },
    /// Clients may have been told of more than anybody has who stands for election, and somebody else may have it.
    #[error(
        "{best} has come furthest of those that may take over, to {has}; clients may have been told of transactions up to \
         {told}, and they may be on {}",
        names(.elsewhere)
    )]
    Unsure {
        /// Who would have been chosen.
        best: NodeId,
        /// Its newest transaction, as a sequence number of replication domain 0.
        has: u64,
        /// The newest that a client may have been told of.
        told: u64,
        /// Who did not answer, or has more and is not known to be of the same history.
        elsewhere: Vec<NodeId>,
    },
    /// Some may still acknowledge to the old primary, which cannot be closed.
    #[error("waiting for {}: it may still acknowledge to the old primary", names(.0))]
    Loose(Vec<NodeId>),
    /// The choice is made, and fell on one that would not be admitted.
    #[error("{} was chosen ({}), and does not answer probes", .0.chosen, .0.why)]
    Doubtful(Choice),
    /// The named node is not among those that answered.
    #[error("{0} does not answer")]
    NotThere(NodeId),
}

fn names(ids: &[NodeId]) -> String {
    ids.iter().map(NodeId::as_str).collect::<Vec<_>>().join(", ")
}

/// Chooses the next primary among those that answered. `missing` followed the lost primary and did not answer.
/// `wanted` is an operator's word, which counts more than what is missing and what clients were `told`.
pub fn choose(
    standing: &[Standing],
    missing: &[NodeId],
    wanted: Option<&NodeId>,
    told: &Told,
) -> Result<Choice, NoChoice> {
    if let Some(wanted) = wanted {
        let there = standing.iter().any(|node| &node.id == wanted);
        let why = "named by an operator".to_owned();
        return if there {
            Ok(Choice { chosen: wanted.clone(), why })
        } else {
            Err(NoChoice::NotThere(wanted.clone()))
        };
    }
    if !missing.is_empty() {
        return Err(NoChoice::Missing(missing.to_vec()));
    }
    let best = standing.iter().reduce(|best, node| if better(node, best) { node } else { best });
    let best = best.ok_or(NoChoice::Nobody)?;
    let received = best.facts.received();
    for node in standing {
        let theirs = node.facts.received();
        if received.covers(&theirs) {
            continue;
        }
        // `best` is able; whoever has more than it is either not, or has gone another way.
        return Err(if able(node) {
            NoChoice::Diverged(best.id.clone(), node.id.clone())
        } else {
            NoChoice::Stuck(node.id.clone(), error(node))
        });
    }
    if !able(best) {
        return Err(NoChoice::Stuck(best.id.clone(), error(best)));
    }
    let has = received.sequence(0);
    if has < told.surely {
        return Err(NoChoice::Lacking { best: best.id.clone(), has, told: told.surely });
    }
    let elsewhere = told.elsewhere(&received);
    if !elsewhere.is_empty() {
        return Err(NoChoice::Unsure { best: best.id.clone(), has, told: told.perhaps, elsewhere });
    }
    Ok(Choice { chosen: best.id.clone(), why: reason(best, standing) })
}

fn error(node: &Standing) -> String {
    node.facts.following.as_ref().map(|following| following.error.clone()).unwrap_or_default()
}

/// Whether a node can apply all it has received.
fn able(node: &Standing) -> bool {
    node.facts.applied.covers(&node.facts.received())
        || node.facts.following.as_ref().is_some_and(|f| f.applying)
}

/// Whether `a` is to be preferred to `b`, which comes earlier in the configuration.
fn better(a: &Standing, b: &Standing) -> bool {
    let rank = |node: &Standing, other: &Standing| {
        let ahead = other.facts.received().behind(&node.facts.received());
        let applied = other.facts.applied.behind(&node.facts.applied);
        // The former primary needs neither a drain nor new connections, when it has lost nothing.
        (able(node), ahead, applied, node.former, node.serving)
    };
    rank(a, b) > rank(b, a)
}

fn reason(best: &Standing, standing: &[Standing]) -> String {
    let received = best.facts.received();
    let next = standing
        .iter()
        .filter(|node| node.id != best.id)
        .min_by_key(|node| node.facts.received().behind(&received));
    match next.map(|next| (next, next.facts.received().behind(&received))) {
        None => format!("the only one that answers, at {received}"),
        Some((next, 0)) => format!("as far as {}, at {received}", next.id),
        Some((next, ahead)) => format!("{ahead} transactions more than {}, at {received}", next.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failover::reign::Aside;
    use crate::nodes::{Following, Receiving};

    /// A follower that applied `applied` of the `received` transactions.
    fn node(name: &str, received: u64, applied: u64) -> Standing {
        let position = |n: u64| if n == 0 { Default::default() } else { format!("0-1-{n}").parse().unwrap() };
        let following = Following {
            source: None,
            received: position(received),
            receiving: Receiving::Stopped,
            applying: true,
            error: String::new(),
            diverged: false,
        };
        let facts = Facts {
            read_only: true,
            applied: position(applied),
            following: Some(following),
            ..Facts::default()
        };
        Standing { id: name.into(), former: false, serving: true, facts }
    }

    fn candidate(standing: Standing) -> Standing {
        Standing { serving: false, ..standing }
    }

    fn stopped(mut standing: Standing) -> Standing {
        let following = standing.facts.following.as_mut().unwrap();
        (following.applying, following.error) = (false, "duplicate key".into());
        standing
    }

    fn former(name: &str, applied: u64) -> Standing {
        let mut standing = node(name, applied, applied);
        standing.former = true;
        standing.facts.following = None;
        standing
    }

    #[test]
    fn choices() {
        let table: Vec<(&str, Vec<Standing>, Result<&str, NoChoice>)> = vec![
            ("most received", vec![node("n2", 10, 10), node("n3", 12, 8)], Ok("n3")),
            ("then most applied", vec![node("n2", 12, 8), node("n3", 12, 9)], Ok("n3")),
            ("then the first", vec![node("n2", 12, 9), node("n3", 12, 9)], Ok("n2")),
            ("a candidate that knows more", vec![node("n2", 10, 10), candidate(node("n4", 11, 3))], Ok("n4")),
            ("a serving one all else equal", vec![candidate(node("n2", 5, 5)), node("n4", 5, 5)], Ok("n4")),
            ("the former one, if it has all", vec![former("n1", 12), node("n2", 12, 12)], Ok("n1")),
            ("not if it lost something", vec![former("n1", 11), node("n2", 12, 12)], Ok("n2")),
            ("nobody", vec![], Err(NoChoice::Nobody)),
            (
                "one that cannot apply what it alone has",
                vec![node("n2", 10, 10), stopped(node("n3", 12, 8))],
                Err(NoChoice::Stuck("n3".into(), "duplicate key".into())),
            ),
            (
                "one that cannot apply what others have too",
                vec![stopped(node("n2", 12, 8)), node("n3", 12, 7)],
                Ok("n3"),
            ),
            (
                "one that stopped with nothing left",
                vec![stopped(node("n2", 12, 12)), node("n3", 11, 11)],
                Ok("n2"),
            ),
        ];
        for (name, standing, expected) in table {
            let chosen = choose(&standing, &[], None, &Told::default()).map(|choice| choice.chosen);
            assert_eq!(chosen, expected.map(NodeId::from), "{name}");
        }
    }

    #[test]
    fn two_histories_are_not_chosen_between() {
        let mut other = node("n3", 5, 5);
        other.facts.applied = "0-1-5,1-7-3".parse().unwrap();
        let found = choose(&[node("n2", 9, 9), other], &[], None, &Told::default());
        assert!(matches!(found, Err(NoChoice::Diverged(..))), "{found:?}");
    }

    #[test]
    fn a_missing_follower_is_waited_for_unless_an_operator_decides() {
        let standing = [node("n2", 10, 10)];
        let (missing, told) = ([NodeId::from("n3"), NodeId::from("n4")], Told::default());
        let refused = choose(&standing, &missing, None, &told).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "waiting for n3, n4: the newest acknowledged transaction may be there alone"
        );
        assert_eq!(choose(&standing, &missing, Some(&"n2".into()), &told).unwrap().chosen, "n2".into());
        assert!(choose(&standing, &missing, Some(&"n3".into()), &told).is_err());
    }

    #[test]
    fn what_clients_were_told_of_is_not_given_up() {
        let standing = [node("n2", 10, 10), node("n3", 9, 9)];
        let surely = |surely| Told { surely, ..Told::default() };
        assert_eq!(choose(&standing, &[], None, &surely(10)).unwrap().chosen, "n2".into());
        let refused = choose(&standing, &[], None, &surely(11)).unwrap_err();
        assert_eq!(refused, NoChoice::Lacking { best: "n2".into(), has: 10, told: 11 });
        assert!(choose(&standing, &[], Some(&"n2".into()), &surely(11)).is_ok(), "an operator may");
    }

    #[test]
    fn what_clients_may_have_been_told_of_is_waited_for_while_somebody_may_have_it() {
        let n3 = |received| Aside { id: "n3".into(), received, outsider: false };
        let chosen = |aside| {
            let told = Told { perhaps: 11, aside: vec![aside], ..Told::default() };
            choose(&[node("n2", 10, 10)], &[], None, &told).map(|choice| choice.chosen)
        };
        let elsewhere = vec!["n3".into()];
        let unsure = NoChoice::Unsure { best: "n2".into(), has: 10, told: 11, elsewhere };
        assert_eq!(chosen(n3(None)), Err(unsure));
        assert_eq!(chosen(n3(Some("0-1-10".parse().unwrap()))), Ok("n2".into()), "so nobody was told");
    }

    #[test]
    fn the_reason_names_the_runner_up() {
        let why = choose(&[node("n2", 10, 10), node("n3", 51, 8)], &[], None, &Told::default()).unwrap().why;
        assert_eq!(why, "41 transactions more than n2, at 0-1-51");
    }
}
