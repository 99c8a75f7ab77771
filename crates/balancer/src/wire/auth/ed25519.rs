//! `client_ed25519`, MariaDB's: the client signs the scramble with a key made of its password.
//!
//! Signatures are Ed25519's; the key is not: where the standard hashes 32 random bytes, MariaDB hashes the password.

use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

/// Bytes in a scramble.
pub const NONCE: usize = 32;
/// Bytes in a public key.
pub const KEY: usize = 32;
/// Bytes in a proof.
pub const SIGNATURE: usize = 64;

fn keys(password: &[u8]) -> (ExpandedSecretKey, VerifyingKey) {
    let hash: Zeroizing<[u8; 64]> = Zeroizing::new(Sha512::digest(password).into());
    let secret = ExpandedSecretKey::from_bytes(&hash);
    let public = VerifyingKey::from(&secret);
    (secret, public)
}

/// The public key, which servers keep and show as 43 characters of base64.
pub fn public(password: &[u8]) -> [u8; KEY] {
    keys(password).1.to_bytes()
}

/// The proof under a scramble.
pub fn proof(password: &[u8], scramble: &[u8]) -> [u8; SIGNATURE] {
    let (secret, public) = keys(password);
    raw_sign::<Sha512>(&secret, scramble, &public).to_bytes()
}

/// Whether a proof proves the password behind a public key.
pub fn proves(proof: &[u8], public: &[u8; KEY], scramble: &[u8]) -> bool {
    let Ok(signature) = Signature::from_slice(proof) else { return false };
    VerifyingKey::from_bytes(public).is_ok_and(|key| key.verify(scramble, &signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD_NO_PAD;

    #[test]
    fn the_key_is_the_one_that_servers_show() {
        // MariaDB's knowledge base: CREATE USER … IDENTIFIED VIA ed25519 USING PASSWORD('secret').
        let shown = BASE64_STANDARD_NO_PAD.encode(public(b"secret"));
        assert_eq!(shown, "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY");
    }

    #[test]
    fn a_proof_fits_its_password_and_scramble_alone() {
        let scramble = [7u8; NONCE];
        let made = proof(b"secret", &scramble);
        assert!(proves(&made, &public(b"secret"), &scramble));
        assert!(!proves(&made, &public(b"Secret"), &scramble));
        assert!(!proves(&made, &public(b"secret"), &[8; NONCE]));
        assert!(!proves(&made[..63], &public(b"secret"), &scramble));
        assert!(!proves(b"", &public(b"secret"), &scramble));
        assert!(!proves(&made, &[0xFF; KEY], &scramble), "no key at all");
    }
}
