//! What of its session's changes a client is told in OK packets: what a server tells by default, or what the client asked for.
//!
//! Node connections are told everything, since the balancer needs it. So the values of `session_track_system_variables`,
//! `session_track_schema` and (MySQL) `session_track_gtids` are kept with the client; the other trackers, which the balancer
//! does not need, are variables of the session as any other.

use super::packet::Reader;

/// Kinds of changes in an OK packet; further ones come only if the session has asked for them.
pub(super) const VARIABLE: u8 = 0;
pub(super) const SCHEMA: u8 = 1;
pub(super) const GTIDS: u8 = 3;

/// Of these a server tells by default.
const DEFAULT: [&[u8]; 5] = [
    b"autocommit",
    b"character_set_client",
    b"character_set_connection",
    b"character_set_results",
    b"time_zone",
];

/// The trackers of one client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trackers {
    /// What servers tell by default.
    #[default]
    Default,
    /// Whatever comes.
    All,
    /// What the client has asked for.
    Asked(Box<Asked>),
}

/// The values of the session's variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `session_track_system_variables`: names with commas between, or `*`.
    pub variables: String,
    /// `session_track_schema`.
    pub schema: bool,
    /// `session_track_gtids`, on MySQL.
    pub gtids: Option<String>,
}

impl Trackers {
    /// The question that [`Trackers::read`] reads the answer of.
    pub fn question(mysql: bool) -> &'static [u8] {
        if mysql {
            b"SELECT CONCAT(@@SESSION.session_track_schema, ':', @@SESSION.session_track_gtids, ':', IFNULL(@@SESSION.session_track_system_variables, ''))"
        } else {
            b"SELECT CONCAT(@@SESSION.session_track_schema, '::', IFNULL(@@SESSION.session_track_system_variables, ''))"
        }
    }

    /// Reads the answer to [`Trackers::question`]; what makes no sense is read as the default.
    pub fn read(answer: &str) -> Self {
        let mut parts = answer.splitn(3, ':');
        let (Some(schema), Some(gtids), Some(variables)) = (parts.next(), parts.next(), parts.next()) else {
            return Self::Default;
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '*' | ',' | '.' | ' ');
        if !variables.chars().all(plain) {
            return Self::Default;
        }
        let gtids = gtids.chars().all(plain).then_some(gtids).filter(|gtids| !gtids.is_empty());
        let asked = Asked {
            variables: variables.to_owned(),
            schema: matches!(schema, "1" | "ON"),
            gtids: gtids.map(str::to_owned),
        };
        Self::Asked(Box::new(asked))
    }

    /// The SET that gives a server these trackers.
    pub fn set(&self, mysql: bool) -> String {
        let Self::Asked(asked) = self else {
            let gtids = if mysql { ", session_track_gtids=DEFAULT" } else { "" };
            return format!(
                "SET session_track_system_variables=DEFAULT, session_track_schema=DEFAULT{gtids}"
            );
        };
        let Asked { variables, schema, gtids } = &**asked;
        let gtids = gtids.as_ref().map_or(String::new(), |gtids| format!(", session_track_gtids={gtids}"));
        format!("SET session_track_system_variables='{variables}', session_track_schema={schema}{gtids}")
    }

    /// Whether a change of this kind is told.
    pub fn tells(&self, kind: u8, data: &[u8]) -> bool {
        match (self, kind) {
            (Self::All, _) => true,
            (Self::Default, SCHEMA) => true,
            (Self::Default, GTIDS) => false,
            (Self::Default, VARIABLE) => name(data).is_some_and(|name| DEFAULT.contains(&name)),
            (Self::Asked(asked), SCHEMA) => asked.schema,
            (Self::Asked(asked), GTIDS) => asked.gtids.as_ref().is_some_and(|gtids| gtids != "OFF"),
            (Self::Asked(asked), VARIABLE) => name(data).is_some_and(|name| asked.lists(name)),
            _ => true,
        }
    }
}

impl Asked {
    fn lists(&self, name: &[u8]) -> bool {
        let mut names = self.variables.split(',').map(str::trim);
        names.any(|listed| listed == "*" || listed.as_bytes().eq_ignore_ascii_case(name))
    }
}

/// The name of the variable that has changed.
fn name(data: &[u8]) -> Option<&[u8]> {
    Reader::new(data).text().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_what_it_has_asked_for() {
        let (time_zone, gtid) = (b"\x09time_zone\x06SYSTEM", b"\x09last_gtid\x050-1-5");
        let told = |trackers: &Trackers| {
            [(0, &time_zone[..]), (0, gtid), (1, b"\x01a"), (2, b"1"), (3, b"\x00\x01x")]
                .map(|(kind, data)| trackers.tells(kind, data))
        };
        assert_eq!(told(&Trackers::Default), [true, false, true, true, false]);
        assert_eq!(told(&Trackers::All), [true; 5]);
        assert_eq!(told(&Trackers::read("1::last_gtid, x")), [false, true, true, true, false]);
        assert_eq!(told(&Trackers::read("0:OWN_GTID:*")), [true, true, false, true, true]);
        assert_eq!(told(&Trackers::read("0:OFF:")), [false, false, false, true, false]);
        assert_eq!(Trackers::read("nonsense"), Trackers::Default);
        assert_eq!(Trackers::read("1::it's"), Trackers::Default);
    }

    #[test]
    fn they_are_set_as_they_were_read() {
        let set = "SET session_track_system_variables='time_zone,x', session_track_schema=false";
        assert_eq!(Trackers::read("0::time_zone,x").set(false), set);
        let set =
            "SET session_track_system_variables='*', session_track_schema=true, session_track_gtids=OWN_GTID";
        assert_eq!(Trackers::read("1:OWN_GTID:*").set(true), set);
        assert!(Trackers::Default.set(true).contains("gtids=DEFAULT"));
    }
}
