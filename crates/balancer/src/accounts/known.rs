//! One account: what is kept of its password, and what has been learned of it from clients that proved it.

use std::sync::Mutex;

use zeroize::Zeroizing;

use super::host::HostPattern;
use super::stored::{Password, Stored};
use crate::wire::auth::{Plugin, ed25519, native, sha2};

/// An account's number within one run of the balancer. Never given twice, not even to the same name with another
/// password: connections to nodes that were made with an old one are not mistaken for those with the new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u32);

/// An account that may log in.
#[derive(Debug)]
pub struct Known {
    /// Its number.
    pub id: AccountId,
    /// Its name.
    pub name: Box<str>,
    /// From where.
    pub host: HostPattern,
    /// What its password is checked against.
    pub stored: Stored,
    /// The server's plugin that it needs, if that is none that is spoken here.
    pub foreign: Option<Box<str>>,
    learned: Mutex<Credentials>,
}

/// What the balancer can prove to nodes. Its `Debug` hides it.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The password.
    pub password: Option<Password>,
    /// `SHA1(password)`: enough for `mysql_native_password`.
    pub once: Option<Zeroizing<[u8; native::LENGTH]>>,
    /// `SHA256(SHA256(password))`: lets clients in by the short dialogue.
    digest: Option<[u8; sha2::LENGTH]>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("password", &self.password.is_some())
            .field("once", &self.once.is_some())
            .finish()
    }
}

impl Credentials {
    fn of(password: &[u8]) -> Self {
        Self {
            password: Some(Zeroizing::new(password.to_vec())),
            once: Some(Zeroizing::new(native::once(password))),
            digest: Some(sha2::digest(password)),
        }
    }

    fn any(&self) -> bool {
        self.password.is_some() || self.once.is_some()
    }
}

impl Known {
    /// An account of this name.
    pub fn new(
        id: AccountId,
        name: &str,
        host: HostPattern,
        stored: Stored,
        foreign: Option<Box<str>>,
    ) -> Self {
        let learned =
            Mutex::new(stored.password.as_ref().map_or_else(Credentials::default, |p| Credentials::of(p)));
        Self { id, name: name.into(), host, stored, foreign, learned }
    }

    /// An account whose password is known: for connections of the balancer's own.
    pub fn plain(account: &crate::config::Account) -> Self {
        let stored = Stored::password(&account.password);
        Self::new(AccountId::default(), &account.name, HostPattern::default(), stored, None)
    }

    /// Whether a source still lists it like this.
    pub(super) fn is(&self, listed: &super::Listed) -> bool {
        self.name == listed.name
            && self.host == listed.host
            && self.stored == listed.stored
            && self.foreign == listed.foreign
    }

    /// What nodes can be proved at this moment.
    pub fn credentials(&self) -> Credentials {
        self.learned.lock().map_or_else(|_| Credentials::default(), |learned| learned.clone())
    }

    fn learn(&self, change: impl FnOnce(&mut Credentials)) {
        if let Ok(mut learned) = self.learned.lock() {
            change(&mut learned);
        }
    }

    /// The plugin to ask a client for that would begin with `claimed`.
    pub fn plugin(&self, claimed: Option<Plugin>, default: Plugin, secure: bool) -> Plugin {
        match claimed {
            Some(Plugin::Clear) if secure => Plugin::Clear,
            Some(plugin) if self.speaks(plugin) => plugin,
            _ => [default, Plugin::Native, Plugin::Sha2, Plugin::Ed25519]
                .into_iter()
                .find(|plugin| self.speaks(*plugin))
                .unwrap_or(default),
        }
    }

    /// Whether a client can prove its password by a plugin, and the nodes can be proved it afterwards.
    fn speaks(&self, plugin: Plugin) -> bool {
        let learned = self.credentials();
        let password = learned.password.is_some();
        match plugin {
            Plugin::Native => password || self.stored.native.is_some(),
            // By the long dialogue any hash can be checked; it is asked for where no other is kept.
            Plugin::Sha2 => password || self.stored.native.is_none(),
            // A signature teaches nothing: the nodes could not be logged in to.
            Plugin::Ed25519 => password || self.stored.ed25519.is_some() && learned.any(),
            Plugin::Clear => false,
        }
    }

    /// Whether the password is the empty one.
    pub fn takes_no_password(&self) -> bool {
        self.stored.password.as_ref().is_some_and(|password| password.is_empty())
    }

    /// Whether a proof by `mysql_native_password` is right; what it gives away is kept.
    pub fn proven_by_native(&self, proof: &[u8], scramble: &[u8]) -> bool {
        let hash = match (&self.stored.native, self.credentials().once) {
            (Some(hash), _) => *hash,
            (None, Some(once)) => <sha1::Sha1 as sha1::Digest>::digest(&once[..]).into(),
            (None, None) => return false,
        };
        let once = native::recover(proof, &hash, scramble).map(Zeroizing::new);
        let proven = once.is_some();
        if proven {
            self.learn(|learned| learned.once = once);
        }
        proven
    }

    /// Whether a proof by the short dialogue of `caching_sha2_password` is right; `None`: only the long one can tell.
    pub fn proven_by_sha2(&self, proof: &[u8], scramble: &[u8]) -> Option<bool> {
        let learned = self.credentials();
        let proven = learned.digest.is_some_and(|digest| sha2::proves(proof, &digest, scramble));
        (proven || self.stored.password.is_some()).then_some(proven)
    }

    /// Whether a proof by `client_ed25519` is right.
    pub fn proven_by_ed25519(&self, proof: &[u8], scramble: &[u8]) -> bool {
        let key = match (&self.stored.ed25519, self.credentials().password) {
            (Some(key), _) => *key,
            (None, Some(password)) => ed25519::public(&password),
            (None, None) => return false,
        };
        ed25519::proves(proof, &key, scramble)
    }

    /// Whether this is the password; it is kept if it is. May take milliseconds.
    pub fn proven_by(&self, password: &[u8]) -> bool {
        let proven = self.stored.proves(password);
        if proven {
            self.learn(|learned| *learned = Credentials::of(password));
        }
        proven
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::auth::crypt::Crypt;

    fn account(stored: Stored) -> Known {
        Known::new(AccountId(1), "shop", HostPattern::default(), stored, None)
    }

    fn native() -> Stored {
        Stored { native: Some(native::hash(b"secret")), ..Stored::default() }
    }

    fn sha2() -> Stored {
        Stored { sha2: Some(Crypt::of(b"secret", [b'x'; 20])), ..Stored::default() }
    }

    fn ed25519() -> Stored {
        Stored { ed25519: Some(ed25519::public(b"secret")), ..Stored::default() }
    }

    #[test]
    fn a_client_is_asked_for_what_can_be_checked_and_used() {
        use Plugin::*;
        let table = [
            (Stored::password("secret"), [Native, Native, Sha2, Ed25519]),
            (native(), [Native, Native, Native, Native]),
            (sha2(), [Sha2, Sha2, Sha2, Sha2]),
            (ed25519(), [Sha2, Sha2, Sha2, Sha2]),
        ];
        for (stored, expected) in table {
            let account = account(stored);
            let asked = [None, Some(Native), Some(Sha2), Some(Ed25519)]
                .map(|claimed| account.plugin(claimed, Native, false));
            assert_eq!(asked, expected, "{:?}", account.stored);
            assert_eq!(account.plugin(Some(Clear), Native, true), Clear);
            assert_ne!(account.plugin(Some(Clear), Native, false), Clear);
            assert!(account.proven_by(b"secret"));
            assert_eq!(account.plugin(Some(Ed25519), Native, false), Ed25519, "once it is known");
        }
    }

    #[test]
    fn a_native_proof_is_enough_for_the_nodes() {
        let account = account(native());
        assert!(account.credentials().once.is_none());
        let proof = native::proof(&native::once(b"secret"), &[7; 20]);
        assert!(!account.proven_by_native(&proof, &[8; 20]));
        assert!(account.credentials().once.is_none());
        assert!(account.proven_by_native(&proof, &[7; 20]));
        assert_eq!(account.credentials().once.as_deref(), Some(&native::once(b"secret")));
    }

    #[test]
    fn the_short_dialogue_needs_the_long_one_once() {
        let account = account(sha2());
        let proof = sha2::proof(b"secret", &[7; 20]);
        assert_eq!(account.proven_by_sha2(&proof, &[7; 20]), None);
        assert!(!account.proven_by(b"Secret"));
        assert_eq!(account.proven_by_sha2(&proof, &[7; 20]), None);
        assert!(account.proven_by(b"secret"));
        assert_eq!(account.proven_by_sha2(&proof, &[7; 20]), Some(true));
        assert_eq!(account.proven_by_sha2(&proof, &[8; 20]), None, "the password may have changed: ask");
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?}", account(Stored::password("secret")));
        assert!(!shown.contains("secret") && !shown.contains("115"), "{shown}");
    }
}
