//! How a password is proved: one plugin a file, each a set of functions of its arguments.
//!
//! What a server keeps and what passes over the wire, by plugin (`|` is concatenation, all digests are raw bytes):
//!
//! | plugin | kept | proof |
//! |---|---|---|
//! | [`native`] | `SHA1(SHA1(p))` | `SHA1(p) xor SHA1(scramble \| kept)` |
//! | [`sha2`], fast | `SHA256(SHA256(p))`, in memory | `SHA256(p) xor SHA256(kept \| scramble)` |
//! | [`sha2`], full | [`crypt`] of `p` | `p` itself: over TLS, or under the server's public key ([`rsa`]) |
//! | [`ed25519`] | a public key made of `p` | a signature of the scramble |
//! | clear text | any of these | `p` itself: over TLS alone |
//!
//! Sources: MySQL internals manual, "Authentication Methods"; MariaDB knowledge base, "Authentication Plugin - ed25519"
//! and "Authentication Plugin - SHA-256 and caching_sha2".

pub mod crypt;
pub mod ed25519;
pub mod native;
pub mod rsa;
pub mod sha2;

use serde::{Deserialize, Serialize};

/// Bytes in a scramble, [`ed25519`]'s excepted.
pub const SCRAMBLE: usize = 20;

/// A way to prove a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Plugin {
    /// The old one, which every client speaks.
    #[default]
    #[serde(rename = "mysql_native_password")]
    Native,
    /// MySQL's default since 8.0.
    #[serde(rename = "caching_sha2_password")]
    Sha2,
    /// MariaDB's own.
    #[serde(rename = "client_ed25519")]
    Ed25519,
    /// The password as it is.
    #[serde(rename = "mysql_clear_password")]
    Clear,
}

impl Plugin {
    /// The plugin of a name on the wire: the name of the client's half.
    pub fn of(name: &[u8]) -> Option<Self> {
        [Self::Native, Self::Sha2, Self::Ed25519, Self::Clear]
            .into_iter()
            .find(|plugin| plugin.name().as_bytes() == name)
    }

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "mysql_native_password",
            Self::Sha2 => "caching_sha2_password",
            Self::Ed25519 => "client_ed25519",
            Self::Clear => "mysql_clear_password",
        }
    }

    /// Bytes in its scramble.
    pub fn scramble(self) -> usize {
        match self {
            Self::Ed25519 => ed25519::NONCE,
            _ => SCRAMBLE,
        }
    }
}

/// Whether two secrets are the same, in a time that depends on their lengths alone.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differences) == 0
}

fn xor<const N: usize>(one: [u8; N], other: &[u8]) -> [u8; N] {
    let mut out = one;
    out.iter_mut().zip(other).for_each(|(a, b)| *a ^= b);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_have_the_names_that_clients_know() {
        for plugin in [Plugin::Native, Plugin::Sha2, Plugin::Ed25519, Plugin::Clear] {
            assert_eq!(Plugin::of(plugin.name().as_bytes()), Some(plugin));
        }
        assert_eq!(Plugin::of(b"dialog"), None);
        assert!(same(b"abc", b"abc") && !same(b"abc", b"abd") && !same(b"abc", b"ab") && same(b"", b""));
    }
}
