//! What is kept of an account's password: in clear text, or as the hash of one plugin or several.

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use zeroize::Zeroizing;

use crate::wire::auth::crypt::{Crypt, LONGEST};
use crate::wire::auth::{Plugin, ed25519, native, same};

/// A password in memory; overwritten when it is given up. Its `Debug` hides it.
pub type Password = Zeroizing<Vec<u8>>;

/// What a password can be checked against. With nothing in it, no password is right.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// The password itself.
    pub password: Option<Password>,
    /// Of `mysql_native_password`.
    pub native: Option<[u8; native::LENGTH]>,
    /// Of `caching_sha2_password`.
    pub sha2: Option<Crypt>,
    /// Of `client_ed25519`.
    pub ed25519: Option<[u8; ed25519::KEY]>,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds = [
            ("password", self.password.is_some()),
            ("native", self.native.is_some()),
            ("caching_sha2", self.sha2.is_some()),
            ("ed25519", self.ed25519.is_some()),
        ];
        f.debug_set().entries(kinds.iter().filter(|(_, there)| *there).map(|(kind, _)| kind)).finish()
    }
}

/// A hash that is not one of its plugin's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not {0}")]
pub struct NoHash(pub &'static str);

impl Stored {
    /// A password that is known.
    pub fn password(text: &str) -> Self {
        Self { password: Some(Zeroizing::new(text.as_bytes().to_vec())), ..Self::default() }
    }

    /// Adds a hash as servers write it. An empty one stands for the empty password.
    pub fn add(&mut self, plugin: Plugin, text: &[u8]) -> Result<(), NoHash> {
        if text.is_empty() {
            self.password = Some(Password::default());
            return Ok(());
        }
        match plugin {
            Plugin::Native => self.native = Some(read_native(text)?),
            Plugin::Sha2 => self.sha2 = Some(read_sha2(text)?),
            Plugin::Ed25519 => self.ed25519 = Some(read_ed25519(text)?),
            Plugin::Clear => self.password = Some(Zeroizing::new(text.to_vec())),
        }
        Ok(())
    }

    /// Whether this is the password. Takes milliseconds where the only hash is MySQL's.
    pub fn proves(&self, password: &[u8]) -> bool {
        if password.len() > LONGEST {
            return false;
        }
        if let Some(known) = &self.password {
            return same(known, password);
        }
        if let Some(hash) = &self.native {
            return same(hash, &native::hash(password));
        }
        if let Some(key) = &self.ed25519 {
            return same(key, &ed25519::public(password));
        }
        self.sha2.as_ref().is_some_and(|crypt| crypt.proves(password))
    }

    /// The same kinds with secrets that fit no password anybody could send: stands for accounts that are not there.
    pub fn decoy(&self, noise: [u8; 32]) -> Self {
        let bytes = noise.map(|byte| byte % 94 + 33);
        Self {
            password: self.password.is_some().then(|| Zeroizing::new(noise.to_vec())),
            native: self.native.map(|_| native::hash(&noise)),
            sha2: self.sha2.as_ref().map(|crypt| crypt.with_noise(&bytes)),
            ed25519: self.ed25519.map(|_| ed25519::public(&noise)),
        }
    }
}

fn read_native(text: &[u8]) -> Result<[u8; native::LENGTH], NoHash> {
    let no = NoHash("a hash of mysql_native_password: `*` and 40 hexadecimal digits");
    text.strip_prefix(b"*").and_then(from_hex).and_then(|bytes| bytes.try_into().ok()).ok_or(no)
}

fn read_sha2(text: &[u8]) -> Result<Crypt, NoHash> {
    let no = NoHash(
        "a hash of caching_sha2_password: `$A$005$`, 20 bytes and 43 characters; or that in hexadecimal after 0x",
    );
    let raw = text.strip_prefix(b"0x").and_then(from_hex);
    Crypt::read(raw.as_deref().unwrap_or(text)).ok_or(no)
}

fn read_ed25519(text: &[u8]) -> Result<[u8; ed25519::KEY], NoHash> {
    let no = NoHash("a key of ed25519: 43 characters of base64");
    BASE64_STANDARD_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(no)
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some((digit(*high)? << 4 | digit(*low)?) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NATIVE: &[u8] = b"*14E65567ABDB5135D0CFD9A70B3032C179A49EE7";
    const ED25519: &[u8] = b"ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY";

    #[test]
    fn each_kind_of_hash_proves_its_password() {
        let sha2 = Crypt::of(b"secret", *b"12345678901234567890").write();
        let hex: String = sha2.iter().map(|byte| format!("{byte:02x}")).collect();
        for (plugin, text) in [
            (Plugin::Native, NATIVE),
            (Plugin::Sha2, &sha2),
            (Plugin::Sha2, format!("0x{hex}").as_bytes()),
            (Plugin::Ed25519, ED25519),
            (Plugin::Clear, b"secret"),
        ] {
            let mut stored = Stored::default();
            stored.add(plugin, text).unwrap();
            assert!(stored.proves(b"secret"), "{plugin:?}");
            assert!(!stored.proves(b"Secret") && !stored.proves(b""), "{plugin:?}");
            let decoy = stored.decoy([7; 32]);
            assert_eq!(format!("{decoy:?}"), format!("{stored:?}"), "the same kinds");
            assert!(!decoy.proves(b"secret"), "{plugin:?}");
        }
    }

    #[test]
    fn an_empty_hash_is_the_empty_password_and_none_at_all_is_no_password() {
        let mut stored = Stored::default();
        assert!(!stored.proves(b""));
        stored.add(Plugin::Native, b"").unwrap();
        assert!(stored.proves(b"") && !stored.proves(b"x"));
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        for (plugin, text) in [
            (Plugin::Native, &b"14E65567ABDB5135D0CFD9A70B3032C179A49EE7"[..]),
            (Plugin::Native, b"*14E65567ABDB5135D0CFD9A70B3032C179A49EE"),
            (Plugin::Native, b"*14E65567ABDB5135D0CFD9A70B3032C179A49EEG"),
            (Plugin::Native, b"invalid"),
            (Plugin::Sha2, b"$A$005$short"),
            (Plugin::Ed25519, &ED25519[1..]),
        ] {
            assert!(Stored::default().add(plugin, text).is_err(), "{}", String::from_utf8_lossy(text));
        }
    }
}
