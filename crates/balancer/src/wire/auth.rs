//! `mysql_native_password`: the client proves a password by `SHA1(p) xor SHA1(scramble + SHA1(SHA1(p)))`.

use sha1::{Digest, Sha1};

/// The only plugin that clients are asked for.
pub const NATIVE: &[u8] = b"mysql_native_password";
/// Bytes in a scramble.
pub const SCRAMBLE: usize = 20;

/// The proof of a password under a scramble; empty for the empty password.
pub fn native_proof(password: &[u8], scramble: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let once = Sha1::digest(password);
    let twice = Sha1::digest(once);
    let mixed = Sha1::new().chain_update(scramble).chain_update(twice).finalize();
    once.iter().zip(mixed).map(|(a, b)| a ^ b).collect()
}

/// Whether `proof` proves `password`. Takes the same time wherever the two differ.
pub fn native_proves(proof: &[u8], password: &[u8], scramble: &[u8]) -> bool {
    let right = native_proof(password, scramble);
    right.len() == proof.len() && right.iter().zip(proof).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_fits_its_password_and_scramble_alone() {
        let scramble = [7u8; SCRAMBLE];
        let proof = native_proof(b"secret", &scramble);
        assert!(native_proves(&proof, b"secret", &scramble));
        assert!(!native_proves(&proof, b"Secret", &scramble));
        assert!(!native_proves(&proof, b"secret", &[8; SCRAMBLE]));
        assert!(!native_proves(&proof[..19], b"secret", &scramble));
        assert!(!native_proves(b"", b"secret", &scramble));
        assert!(native_proves(b"", b"", &scramble));
    }
}
