//! `caching_sha2_password`: a proof like the native one over SHA-256, for servers that still have the digest in memory;
//! else the password itself.

use sha2::{Digest, Sha256};

use super::{same, xor};

/// Bytes in a digest.
pub const LENGTH: usize = 32;
/// First byte of a server's packet within the dialogue.
pub const MORE: u8 = 1;
/// After [`MORE`]: the proof is good, OK follows.
pub const FAST: u8 = 3;
/// After [`MORE`]: the digest is not in memory, the password is needed.
pub const FULL: u8 = 4;
/// From a client without encryption: the public key, please.
pub const KEY_PLEASE: u8 = 2;

/// `SHA256(SHA256(p))`, which is kept in memory.
pub fn digest(password: &[u8]) -> [u8; LENGTH] {
    Sha256::digest(Sha256::digest(password)).into()
}

/// The proof under a scramble.
pub fn proof(password: &[u8], scramble: &[u8]) -> [u8; LENGTH] {
    xor(Sha256::digest(password).into(), &mask(&digest(password), scramble))
}

/// Whether a proof proves the password behind `digest`.
pub fn proves(proof: &[u8], digest: &[u8; LENGTH], scramble: &[u8]) -> bool {
    let once = xor(mask(digest, scramble), proof);
    same(&Sha256::digest(once), digest) && proof.len() == LENGTH
}

fn mask(digest: &[u8; LENGTH], scramble: &[u8]) -> [u8; LENGTH] {
    Sha256::new().chain_update(digest).chain_update(scramble).finalize().into()
}

/// A password under a scramble, as it is encrypted with a public key; the same again gives the password back.
pub fn veil(text: &mut [u8], scramble: &[u8]) {
    text.iter_mut().zip(scramble.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_the_one_that_clients_make() {
        // Made with PyMySQL: _auth.scramble_caching_sha2(b"secret", bytes(range(1, 21))).
        let scramble: Vec<u8> = (1..=20).collect();
        let hex: String = proof(b"secret", &scramble).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "746ebe205d56a0707acb3e796e834e0dd7b1d61743b26bd5202c7a623230c7c9");
    }

    #[test]
    fn a_proof_fits_its_password_and_scramble_alone() {
        let scramble = [7u8; 20];
        let made = proof(b"secret", &scramble);
        assert!(proves(&made, &digest(b"secret"), &scramble));
        assert!(!proves(&made, &digest(b"Secret"), &scramble));
        assert!(!proves(&made, &digest(b"secret"), &[8; 20]));
        assert!(!proves(&made[..31], &digest(b"secret"), &scramble));
        assert!(!proves(b"", &digest(b"secret"), &scramble));
    }

    #[test]
    fn what_is_veiled_twice_is_plain() {
        let mut text = b"a password that is longer than twenty bytes\0".to_vec();
        let plain = text.clone();
        veil(&mut text, &[9; 20]);
        assert!(text.iter().zip(&plain).all(|(a, b)| a != b));
        veil(&mut text, &[9; 20]);
        assert_eq!(text, plain);
    }
}
