//! A comment in a statement that asks for a node, a role, a strategy or a consistency: `/* tpcw: role=primary */`; or that
//! hands over a token: `/* tpcw: token=0-1-270 */`.
//!
//! Hints move reads only. No comment sends a write to a replica.

use crate::config::Consistency;
use crate::view::Strategy;

/// What a comment asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hint<'a> {
    /// This node, by name.
    pub node: Option<&'a [u8]>,
    /// A kind of node.
    pub role: Option<Kind>,
    /// This strategy, for this statement.
    pub strategy: Option<Strategy>,
    /// This promise, for this statement.
    pub consistency: Option<Consistency>,
    /// What the session's reads have to see from now on: another session's token.
    pub token: Option<&'a [u8]>,
}

/// Kinds of nodes that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The one that takes the writes.
    Primary,
    /// One of the others, causality kept.
    Replica,
}

impl<'a> Hint<'a> {
    /// Reads the inside of a comment: `key=value` pairs between blanks or commas. Unknown ones ask for nothing. A token has
    /// commas of its own, so only a blank or a comma before another pair ends it.
    pub fn read(text: &'a [u8]) -> Self {
        let mut hint = Self::default();
        for pair in pairs(text) {
            let Some(equals) = memchr::memchr(b'=', pair) else { continue };
            let (key, value) = (&pair[..equals], &pair[equals + 1..]);
            match key {
                b"node" => hint.node = Some(value),
                b"role" if value == b"primary" => hint.role = Some(Kind::Primary),
                b"role" if value == b"replica" => hint.role = Some(Kind::Replica),
                b"strategy" => hint.strategy = Strategy::of(value),
                b"consistency" => hint.consistency = Consistency::of(value),
                b"token" => hint.token = Some(value),
                _ => {}
            }
        }
        hint
    }
}

/// Whether a token goes on behind a comma: with a digit (MariaDB), or with a server's uuid and a colon (MySQL).
fn goes_on(rest: &[u8]) -> bool {
    let ends = |byte: &u8| matches!(byte, b':' | b'=' | b',') || byte.is_ascii_whitespace();
    let first = rest.iter().position(ends);
    rest.first().is_some_and(u8::is_ascii_digit) || first.is_some_and(|at| rest[at] == b':')
}

/// The pairs between blanks, and between those commas after which a key begins.
fn pairs(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let ends =
            |at: usize| rest[at].is_ascii_whitespace() || rest[at] == b',' && !goes_on(&rest[at + 1..]);
        let end = (0..rest.len()).find(|at| ends(*at)).unwrap_or(rest.len());
        let pair = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(pair)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_read_and_nonsense_is_not() {
        assert_eq!(Hint::read(b" node=n2").node, Some(&b"n2"[..]));
        assert_eq!(Hint::read(b"role=primary").role, Some(Kind::Primary));
        let both = Hint::read(b"strategy=random, role=replica");
        assert_eq!((both.strategy, both.role), (Some(Strategy::Random), Some(Kind::Replica)));
        let level = Hint::read(b"consistency=Monotonic,token=0-1-270,1-2-3,node=n3");
        assert_eq!((level.consistency, level.node), (Some(Consistency::Monotonic), Some(&b"n3"[..])));
        assert_eq!(level.token, Some(&b"0-1-270,1-2-3"[..]));
        let uuids = b"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,a000fa47-71ca-11e1-9e33-c80aa9429562:1-5:9";
        let hint = [b"token=", &uuids[..], b",node=n3"].concat();
        assert_eq!((Hint::read(&hint).token, Hint::read(&hint).node), (Some(&uuids[..]), Some(&b"n3"[..])));
        assert_eq!(Hint::read(b"token= role=primary").token, Some(&b""[..]));
        assert_eq!(Hint::read(b"role=king node strategy=best"), Hint::default());
    }
}
