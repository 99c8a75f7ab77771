//! What clients were told of, and who may have it: the questions that decide whether a node may take over that is not known
//! to have everything.
//!
//! The time of one primary is its *reign*. All that was ever acknowledged before it is among what the primary began with;
//! all that is acknowledged in it was written by that primary and received by a node that follows it.

use cluster::NodeId;
use cluster::replication::gtid::GtidPosition;
use serde::{Deserialize, Serialize};

/// The time of one primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reign {
    /// What the primary began with, as a sequence number of replication domain 0.
    pub from: u64,
    /// Its `server_id`: all that comes after is written by it.
    pub server: u32,
}

impl Reign {
    /// Of a primary that began with `from`; `None` where its `server_id` is not known.
    pub fn new(from: u64, server: u32) -> Option<Self> {
        (server != 0).then_some(Self { from, server })
    }

    /// Whether it is still this reign when the same node is chosen again, at `at`: what it had written and lost since, as a server does that
    /// crashes before anybody has acknowledged it, is not a beginning.
    pub fn goes_on(&self, at: u64, server: u32) -> bool {
        self.server == server && self.from <= at
    }

    /// Whether a node has gone another way: it has a transaction that was written in this time by somebody else, which no
    /// client of the primary was told of.
    pub fn excludes(&self, received: &GtidPosition) -> bool {
        let foreign = received.gtids().iter().find(|gtid| gtid.domain == 0 && gtid.sequence > self.from);
        foreign.is_some_and(|gtid| gtid.server != self.server)
    }

    /// Whether a node has nothing of this time: what it has and the primary has not was acknowledged to nobody, since all that
    /// was is among what the primary began with.
    pub fn is_unknown_to(&self, applied: &GtidPosition) -> bool {
        applied.sequence(0) <= self.from
    }
}

/// What clients were told of, as sequence numbers of replication domain 0.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Up to here for certain: whoever takes over must have it.
    pub surely: u64,
    /// Up to here at most, from when nobody knew it for certain.
    pub perhaps: u64,
    /// The time of the primary that was lost, where it is known.
    pub reign: Option<Reign>,
    /// Who does not stand for election.
    pub aside: Vec<Aside>,
}

/// A node that does not stand for election.
#[derive(Clone, Debug)]
pub struct Aside {
    /// Which one.
    pub id: NodeId,
    /// What it has received; `None`: it did not answer.
    pub received: Option<GtidPosition>,
    /// It has acknowledged nothing in this reign: it is the lost primary itself, or was compared with it and turned away.
    /// What was there before the reign it may still have.
    pub outsider: bool,
}

impl Told {
    /// Who may have what clients may have been told of and `best`, the most that anybody has who stands for election, is
    /// lacking. Nobody: it was never acknowledged, since no node has it that a client's write waits for.
    pub fn elsewhere(&self, best: &GtidPosition) -> Vec<NodeId> {
        let has = best.sequence(0);
        if has >= self.perhaps {
            return Vec::new();
        }
        // Something of the time before is lacking: it may be wherever more is, on whichever way that has gone since.
        let before = self.reign.is_none_or(|reign| has < reign.from);
        let acknowledged = |received: &GtidPosition| {
            let excluded = || self.reign.is_some_and(|reign| reign.excludes(received));
            !best.covers(received) && (before || !excluded())
        };
        let may_have =
            |node: &&Aside| (before || !node.outsider) && node.received.as_ref().is_none_or(acknowledged);
        self.aside.iter().filter(may_have).map(|node| node.id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(text: &str) -> GtidPosition {
        text.parse().expect("a position")
    }

    #[test]
    fn without_a_servers_number_nothing_is_known_of_a_reign() {
        assert_eq!(Reign::new(100, 0), None);
        assert_eq!(Reign::new(100, 2), Some(Reign { from: 100, server: 2 }));
    }

    #[test]
    fn a_primary_that_is_chosen_again_goes_on_with_its_reign() {
        let reign = Reign { from: 100, server: 2 };
        for (at, server, goes_on) in [(100, 2, true), (414, 2, true), (99, 2, false), (414, 3, false)] {
            assert_eq!(reign.goes_on(at, server), goes_on, "{at} {server}");
        }
    }

    #[test]
    fn who_has_written_in_anothers_time_is_on_a_way_of_his_own() {
        let reign = Reign { from: 100, server: 2 };
        for (received, excluded) in [
            ("0-1-90", false),
            ("0-1-100", false),
            ("0-1-101", true),
            ("0-2-150", false),
            ("", false),
            ("0-2-150,1-7-900", false),
        ] {
            assert_eq!(reign.excludes(&position(received)), excluded, "{received}");
        }
    }

    #[test]
    fn what_may_have_been_told_is_wherever_it_may_have_been_acknowledged() {
        let node = |id: &str, received: Option<&str>, outsider| Aside {
            id: id.into(),
            received: received.map(position),
            outsider,
        };
        let reign = Some(Reign { from: 100, server: 2 });
        let table: &[(&str, u64, Option<Reign>, Aside, bool)] = &[
            ("all is there", 120, reign, node("n3", None, false), false),
            ("a follower is silent", 150, reign, node("n3", None, false), true),
            ("a follower has more", 150, reign, node("n3", Some("0-2-130"), false), true),
            ("a follower has no more", 150, reign, node("n3", Some("0-2-120"), false), false),
            ("more, of its own", 150, reign, node("n3", Some("0-3-130"), false), false),
            ("more, and nobody knows whose", 150, None, node("n3", Some("0-3-130"), false), true),
            ("the lost primary is silent", 150, reign, node("n2", None, true), false),
            (
                "the lost primary is silent and began with more",
                150,
                Some(Reign { from: 121, server: 2 }),
                node("n2", None, true),
                true,
            ),
            (
                "one that was turned away has what was there before",
                150,
                Some(Reign { from: 121, server: 2 }),
                node("n3", Some("0-3-130"), true),
                true,
            ),
        ];
        for (name, perhaps, reign, aside, may) in table {
            let told = Told { surely: 0, perhaps: *perhaps, reign: *reign, aside: vec![aside.clone()] };
            assert_eq!(!told.elsewhere(&position("0-2-120")).is_empty(), *may, "{name}");
        }
    }
}
