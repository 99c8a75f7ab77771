//! How far a node's data have come: in MariaDB's binary log `domain-server-sequence`, one a domain; with MySQL the set of
//! all transactions ([`GtidSet`]).
//!
//! Source: MariaDB knowledge base, "Global Transaction ID". Within one domain, and with `gtid_strict_mode=ON`, the
//! sequence number alone orders transactions, which is what every comparison here relies on.

use std::fmt;
use std::str::FromStr;

use super::gtid_set::GtidSet;

/// One transaction: `0-1-270`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gtid {
    /// Replication domain; one stream of ordered transactions.
    pub domain: u32,
    /// `server_id` of the node that first wrote it.
    pub server: u32,
    /// Position in the domain; rises by at least one a transaction.
    pub sequence: u64,
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.domain, self.server, self.sequence)
    }
}

/// A text that is no GTID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a GTID of the form domain-server-sequence (MariaDB) or uuid:numbers (MySQL)")]
pub struct ParseGtidError(pub String);

impl FromStr for Gtid {
    type Err = ParseGtidError;

    fn from_str(text: &str) -> Result<Self, ParseGtidError> {
        let bad = || ParseGtidError(text.to_owned());
        let mut parts = text.trim().split('-');
        let (Some(domain), Some(server), Some(sequence), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(bad());
        };
        Ok(Self {
            domain: domain.parse().map_err(|_| bad())?,
            server: server.parse().map_err(|_| bad())?,
            sequence: sequence.parse().map_err(|_| bad())?,
        })
    }
}

/// How far a node has come. Empty: nothing yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GtidPosition {
    /// MariaDB: the newest transaction of each domain, sorted by domain.
    newest: Vec<Gtid>,
    /// MySQL: all transactions.
    set: GtidSet,
}

impl GtidPosition {
    /// MariaDB: the newest transaction of each domain, sorted by domain.
    pub fn gtids(&self) -> &[Gtid] {
        &self.newest
    }

    /// MySQL: all transactions.
    pub fn set(&self) -> &GtidSet {
        &self.set
    }

    /// With how many parts it is written: domains, or intervals.
    pub fn parts(&self) -> usize {
        self.newest.len() + self.set.intervals()
    }

    /// Nothing written yet.
    pub fn is_empty(&self) -> bool {
        self.newest.is_empty() && self.set.is_empty()
    }

    /// The newest sequence number of a domain, 0 when there is none.
    pub fn sequence(&self, domain: u32) -> u64 {
        self.newest.iter().find(|g| g.domain == domain).map_or(0, |g| g.sequence)
    }

    /// Whether a node at this position has applied everything up to `other`.
    pub fn covers(&self, other: &GtidPosition) -> bool {
        other.newest.iter().all(|g| self.sequence(g.domain) >= g.sequence)
            && (other.set.is_empty() || self.set.covers(&other.set))
    }

    /// Whether a server that has come to `applied` can be asked to wait for this: it is of its kind.
    pub fn is_kind_of(&self, applied: &GtidPosition) -> bool {
        let sets = (!self.set.is_empty(), !applied.set.is_empty());
        sets.0 == sets.1 && (self.newest.is_empty() || applied.set.is_empty())
    }

    /// Moves forward to include `gtid`; never moves back.
    pub fn advance(&mut self, gtid: Gtid) {
        match self.newest.binary_search_by_key(&gtid.domain, |g| g.domain) {
            Ok(at) if self.newest[at].sequence < gtid.sequence => self.newest[at] = gtid,
            Ok(_) => {}
            Err(at) => self.newest.insert(at, gtid),
        }
    }

    /// Moves forward to include every transaction of `other`.
    pub fn merge(&mut self, other: &GtidPosition) {
        other.newest.iter().for_each(|g| self.advance(*g));
        self.set.merge(&other.set);
    }

    /// As [`GtidPosition::merge`], for a position that something waits for: it stays short, and may come to ask for more
    /// than both ([`GtidSet::fill`]).
    pub fn require(&mut self, other: &GtidPosition) {
        self.merge(other);
        self.set.fill();
    }

    /// How many transactions `other` is ahead, summed over domains (sequence numbers may have gaps, so an upper bound;
    /// exact with MySQL).
    pub fn behind(&self, other: &GtidPosition) -> u64 {
        let domains = other.newest.iter().map(|g| g.sequence.saturating_sub(self.sequence(g.domain)));
        domains.sum::<u64>() + self.set.lacks(&other.set)
    }
}

impl FromStr for GtidPosition {
    type Err = ParseGtidError;

    /// Parses `@@gtid_current_pos`, `@@gtid_executed` and their like: GTIDs separated by commas, possibly empty.
    fn from_str(text: &str) -> Result<Self, ParseGtidError> {
        if text.contains(':') {
            return Ok(Self { newest: Vec::new(), set: text.parse()? });
        }
        let mut position = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            position.advance(part.parse()?);
        }
        Ok(position)
    }
}

impl fmt::Display for GtidPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, gtid) in self.newest.iter().enumerate() {
            write!(f, "{}{gtid}", if i == 0 { "" } else { "," })?;
        }
        let between = if self.newest.is_empty() || self.set.is_empty() { "" } else { "," };
        write!(f, "{between}{}", self.set)
    }
}

/// What a node's binary log holds: the newest transaction of each pair of domain and server (`@@gtid_binlog_state`).
/// Unlike a [`GtidPosition`] it can tell whether a certain transaction is part of the node's history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GtidState(Vec<Gtid>);

impl GtidState {
    /// Whether this history contains `gtid`: the server that wrote it is seen to have come at least that far in it.
    pub fn contains(&self, gtid: Gtid) -> bool {
        self.0
            .iter()
            .any(|g| g.domain == gtid.domain && g.server == gtid.server && g.sequence >= gtid.sequence)
    }
}

impl FromStr for GtidState {
    type Err = ParseGtidError;

    fn from_str(text: &str) -> Result<Self, ParseGtidError> {
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn position() -> impl Strategy<Value = GtidPosition> {
        proptest::collection::vec((0..4_u32, 0..4_u32, 0..1000_u64), 0..8).prop_map(|gtids| {
            let mut position = GtidPosition::default();
            gtids
                .into_iter()
                .for_each(|(domain, server, sequence)| position.advance(Gtid { domain, server, sequence }));
            position
        })
    }

    proptest! {
        #[test]
        fn positions_survive_their_text_and_merge_to_what_covers_both(a in position(), b in position()) {
            prop_assert_eq!(&a.to_string().parse::<GtidPosition>().unwrap(), &a);
            let mut both = a.clone();
            both.merge(&b);
            prop_assert!(both.covers(&a) && both.covers(&b));
            prop_assert_eq!(a.behind(&both) == 0, a.covers(&both));
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in "\\PC{0,40}|[0-9,-]{0,40}") {
            let _ = (text.parse::<GtidPosition>(), text.parse::<GtidState>());
        }
    }

    #[test]
    fn a_position_covers_what_it_has_passed_in_every_domain() {
        let at: GtidPosition = "0-1-100,1-7-5".parse().unwrap();
        for (other, covered) in
            [("", true), ("0-2-100", true), ("0-1-101", false), ("1-7-5,0-1-3", true), ("2-1-1", false)]
        {
            assert_eq!(at.covers(&other.parse().unwrap()), covered, "{other}");
        }
    }

    #[test]
    fn a_position_never_moves_back_and_keeps_its_text() {
        let mut at: GtidPosition = "1-7-5, 0-1-100".parse().unwrap();
        at.advance("0-2-90".parse().unwrap());
        assert_eq!(at.to_string(), "0-1-100,1-7-5");
        at.merge(&"0-2-110,3-1-1".parse().unwrap());
        assert_eq!(at.to_string(), "0-2-110,1-7-5,3-1-1");
        assert_eq!("0-1-100".parse::<GtidPosition>().unwrap().behind(&at), 10 + 5 + 1);
    }

    #[test]
    fn a_position_of_mysql_is_a_set() {
        let position = |text: &str| -> GtidPosition {
            text.replace('A', "3e11fa47-71ca-11e1-9e33-c80aa9429562").parse().unwrap()
        };
        let mut at = position("A:1-5:8");
        assert!(at.covers(&position("A:8")) && !at.covers(&position("A:7")) && at.covers(&position("")));
        assert_eq!((at.behind(&position("A:1-10")), at.parts(), at.sequence(0)), (4, 2, 0));
        at.merge(&position("A:6-7"));
        assert_eq!(at, position("A:1-8"));
        assert!(!at.covers(&position("0-1-1")) && !position("0-1-1").covers(&at), "another kind of server's");
        assert!(at.is_kind_of(&position("A:1")) && position("0-1-1").is_kind_of(&position("")));
        assert!(!at.is_kind_of(&position("0-1-1")) && !position("0-1-1").is_kind_of(&at));
    }

    #[test]
    fn text_that_is_no_gtid_is_refused() {
        for text in ["0-1", "0-1-2-3", "a-1-2", "0-1-", "0--1"] {
            assert!(text.parse::<GtidPosition>().is_err(), "{text}");
        }
    }
}
