//! What is wrong with the way to a node, and for whom.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Whose bytes get lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Everybody's.
    All,
    /// Those of everybody who is no node of this cluster: the balancer, clients, tools.
    Balancer,
    /// Those of every other node.
    Nodes,
    /// Those of the node with this `server_id`.
    Node(u32),
}

/// Which direction of a connection gets lost, seen from the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Both.
    #[default]
    Both,
    /// What is sent to the node.
    In,
    /// What the node sends.
    Out,
}

impl Way {
    /// The same loss, seen from the other end.
    pub fn reversed(self) -> Self {
        match self {
            Self::Both => Self::Both,
            Self::In => Self::Out,
            Self::Out => Self::In,
        }
    }

    fn takes(self, other: Self) -> bool {
        self == Self::Both || self == other
    }
}

/// What becomes of new connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// They are carried.
    #[default]
    Open,
    /// They are accepted, and nothing ever comes.
    Mute,
    /// Nobody listens.
    Shut,
}

/// One trouble. The default is none at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// New connections.
    pub door: Door,
    /// Whose bytes get lost, in which direction. What is lost is held back, as by a network that goes on trying to deliver: it
    /// arrives when the trouble is over, if both ends still want it.
    pub silence: Option<(Whom, Way)>,
    /// Added to each piece (16 KiB at most) in each direction.
    pub delay: Duration,
    /// Added besides, drawn evenly from nothing to so much.
    pub jitter: Duration,
    /// Bytes a second, both directions and all connections together.
    pub bytes_per_second: Option<u64>,
    /// A connection is cut when so many bytes of the node's answers have passed since the trouble began.
    pub cut_after: Option<u64>,
    /// So many connections are cut after the node's answer to their `COMMIT` has come, which nobody gets.
    pub cut_commits: u32,
}

/// All troubles of a link at one moment, each with the `server_id` of the node for whose sake it was made.
#[derive(Clone, Debug, Default)]
pub(super) struct Troubles {
    list: Vec<(u32, Trouble)>,
    /// Rises with each change: what is counted from the beginning of a trouble begins anew.
    pub(super) generation: u64,
}

impl Troubles {
    pub(super) fn add(&mut self, owner: u32, trouble: Trouble) {
        self.list.push((owner, trouble));
        self.generation += 1;
    }

    /// Whether there was anything to remove.
    pub(super) fn remove(&mut self, owner: u32) -> bool {
        let before = self.list.len();
        self.list.retain(|(of, _)| *of != owner);
        self.generation += 1;
        self.list.len() < before
    }

    fn all(&self) -> impl Iterator<Item = &Trouble> {
        self.list.iter().map(|(_, trouble)| trouble)
    }

    pub(super) fn none(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn door(&self) -> Door {
        self.all().map(|trouble| trouble.door).max().unwrap_or_default()
    }

    /// Whether bytes of `origin` (a node's `server_id`, or nobody of ours) get lost on this way.
    pub(super) fn silences(&self, origin: Option<u32>, way: Way) -> bool {
        self.all().filter_map(|trouble| trouble.silence).any(|(whom, lost)| {
            lost.takes(way)
                && match whom {
                    Whom::All => true,
                    Whom::Balancer => origin.is_none(),
                    Whom::Nodes => origin.is_some(),
                    Whom::Node(node) => origin == Some(node),
                }
        })
    }

    /// Whether it matters who is at the other end.
    pub(super) fn asks_for_origin(&self) -> bool {
        self.all().any(|trouble| trouble.silence.is_some_and(|(whom, _)| whom != Whom::All))
    }

    /// The delay of a piece; `unit` is drawn from [0, 1).
    pub(super) fn delay(&self, unit: f64) -> Duration {
        self.all().map(|trouble| trouble.delay + trouble.jitter.mul_f64(unit)).sum()
    }

    pub(super) fn bytes_per_second(&self) -> Option<u64> {
        self.all().filter_map(|trouble| trouble.bytes_per_second).min()
    }

    pub(super) fn cut_after(&self) -> Option<u64> {
        self.all().filter_map(|trouble| trouble.cut_after).min()
    }

    pub(super) fn cuts_commits(&self) -> bool {
        self.all().any(|trouble| trouble.cut_commits > 0)
    }

    /// Takes one of the commits that are still to be cut.
    pub(super) fn take_commit(&mut self) -> bool {
        let armed = self.list.iter_mut().find(|(_, trouble)| trouble.cut_commits > 0);
        armed.map(|(_, trouble)| trouble.cut_commits -= 1).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_strikes_whom_it_is_meant_for_in_its_direction() {
        let (node, balancer) = (Some(2), None);
        for (whom, lost, origin, way, expected) in [
            (Whom::All, Way::Both, node, Way::In, true),
            (Whom::All, Way::In, balancer, Way::Out, false),
            (Whom::Balancer, Way::Both, balancer, Way::Out, true),
            (Whom::Balancer, Way::Both, node, Way::Out, false),
            (Whom::Nodes, Way::Out, node, Way::Out, true),
            (Whom::Nodes, Way::Out, balancer, Way::Out, false),
            (Whom::Node(2), Way::Both, node, Way::In, true),
            (Whom::Node(3), Way::Both, node, Way::In, false),
        ] {
            let mut troubles = Troubles::default();
            troubles.add(1, Trouble { silence: Some((whom, lost)), ..Trouble::default() });
            assert_eq!(troubles.silences(origin, way), expected, "{whom:?} {lost:?} {origin:?} {way:?}");
            assert!(troubles.remove(1) && !troubles.silences(origin, way));
        }
    }

    #[test]
    fn troubles_of_two_owners_add_up_and_end_apart() {
        let mut troubles = Troubles::default();
        let slow = Trouble { delay: Duration::from_millis(20), ..Trouble::default() };
        troubles.add(1, Trouble { door: Door::Mute, cut_commits: 1, ..slow.clone() });
        troubles.add(2, Trouble { door: Door::Shut, jitter: Duration::from_millis(10), ..slow });
        assert_eq!((troubles.door(), troubles.delay(0.5)), (Door::Shut, Duration::from_millis(45)));
        assert!(troubles.take_commit() && !troubles.take_commit());
        assert!(troubles.remove(2) && !troubles.remove(2));
        assert_eq!((troubles.door(), troubles.delay(0.5)), (Door::Mute, Duration::from_millis(20)));
    }
}
