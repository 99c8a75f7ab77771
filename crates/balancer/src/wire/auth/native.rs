//! `mysql_native_password`: the client proves a password by `SHA1(p) xor SHA1(scramble | SHA1(SHA1(p)))`.
//!
//! Whoever knows the hash that a server keeps can take `SHA1(p)` out of a proof, and with it prove the password to another
//! server that keeps the same hash: clients' proofs are good for logging in to the nodes.

use sha1::{Digest, Sha1};

use super::{same, xor};

/// Bytes in a digest.
pub const LENGTH: usize = 20;

/// `SHA1(p)`, with which proofs are made.
pub fn once(password: &[u8]) -> [u8; LENGTH] {
    Sha1::digest(password).into()
}

/// `SHA1(SHA1(p))`, which servers keep and show as `*` and 40 hexadecimal digits.
pub fn hash(password: &[u8]) -> [u8; LENGTH] {
    Sha1::digest(once(password)).into()
}

/// The proof under a scramble by somebody who knows `SHA1(p)`.
pub fn proof(once: &[u8; LENGTH], scramble: &[u8]) -> [u8; LENGTH] {
    xor(*once, &mask(&Sha1::digest(once).into(), scramble))
}

/// What a proof was made from, `SHA1(p)`, if it proves the password behind `hash`.
pub fn recover(proof: &[u8], hash: &[u8; LENGTH], scramble: &[u8]) -> Option<[u8; LENGTH]> {
    let once = xor(mask(hash, scramble), proof);
    let proven = same(&Sha1::digest(once), hash) && proof.len() == LENGTH;
    proven.then_some(once)
}

fn mask(hash: &[u8; LENGTH], scramble: &[u8]) -> [u8; LENGTH] {
    Sha1::new().chain_update(scramble).chain_update(hash).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_that_servers_show() {
        // SELECT PASSWORD('secret'), SELECT PASSWORD('password')
        for (password, shown) in [
            ("secret", "14E65567ABDB5135D0CFD9A70B3032C179A49EE7"),
            ("password", "2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"),
        ] {
            let hex: String = hash(password.as_bytes()).iter().map(|byte| format!("{byte:02X}")).collect();
            assert_eq!(hex, shown);
        }
    }

    #[test]
    fn a_proof_fits_its_password_and_scramble_alone() {
        let scramble = [7u8; 20];
        let made = proof(&once(b"secret"), &scramble);
        assert_eq!(recover(&made, &hash(b"secret"), &scramble), Some(once(b"secret")));
        assert_eq!(recover(&made, &hash(b"Secret"), &scramble), None);
        assert_eq!(recover(&made, &hash(b"secret"), &[8; 20]), None);
        assert_eq!(recover(&made[..19], &hash(b"secret"), &scramble), None);
        assert_eq!(recover(&[&made[..], &[0]].concat(), &hash(b"secret"), &scramble), None);
        assert_eq!(recover(b"", &hash(b"secret"), &scramble), None);
    }
}
