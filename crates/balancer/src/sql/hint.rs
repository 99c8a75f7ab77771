//! A comment in a statement that asks for a node, a role or a strategy: `/* tpcw: role=primary */`.
//!
//! Hints move reads only. No comment sends a write to a replica.

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
    /// Reads the inside of a comment: `key=value` pairs between blanks or commas. Unknown ones ask for nothing.
    pub fn read(text: &'a [u8]) -> Self {
        let mut hint = Self::default();
        for pair in text.split(|byte| byte.is_ascii_whitespace() || *byte == b',') {
            let Some(equals) = memchr::memchr(b'=', pair) else { continue };
            let (key, value) = (&pair[..equals], &pair[equals + 1..]);
            match key {
                b"node" => hint.node = Some(value),
                b"role" if value == b"primary" => hint.role = Some(Kind::Primary),
                b"role" if value == b"replica" => hint.role = Some(Kind::Replica),
                b"strategy" => {
                    hint.strategy = Strategy::ALL.into_iter().find(|s| s.as_str().as_bytes() == value);
                }
                _ => {}
            }
        }
        hint
    }
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
        assert_eq!(Hint::read(b"role=king node strategy=best"), Hint::default());
    }
}
