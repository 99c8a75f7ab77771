//! Who may log in to the balancer, and as whom it logs in to the nodes.
//!
//! Accounts come from up to three sources: the configuration, a file of hashes ([`file`]), and the nodes' own tables
//! ([`nodes`]). [`watch`] reads the last two again while the balancer runs. A login takes the list of its moment (one
//! atomic load) and keeps its account for as long as the session lasts, as on a server.

pub mod file;
pub mod host;
pub mod keys;
pub mod known;
pub mod nodes;
pub mod stored;
pub mod watch;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, watch as channel};

use self::host::HostPattern;
use self::keys::Keys;
use self::known::{AccountId, Known};
use self::stored::Stored;
use crate::config::{Account, Auth, ConfigError};

/// A login that was refused waits so long at most for the lists to be read again.
const REFRESH: Duration = Duration::from_secs(2);

/// An account as a source lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: Box<str>,
    /// From where it may log in.
    pub host: HostPattern,
    /// What its password is checked against.
    pub stored: Stored,
    /// The plugin that it needs, if it is not spoken here.
    pub foreign: Option<Box<str>>,
}

/// Where accounts come from. Of two that fit a client equally well, the earlier source's is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `accounts` in the configuration.
    Configuration,
    /// `auth.accounts_file`.
    File,
    /// The nodes' tables.
    Nodes,
}

/// All accounts. Shared by all threads.
#[derive(Debug)]
pub struct Accounts {
    /// The keys under which passwords cross unencrypted connections.
    pub keys: Keys,
    /// The settings.
    pub settings: Auth,
    book: ArcSwap<Book>,
    /// The lists that the book is made of, by [`Source`].
    lists: Mutex<[Vec<Arc<Known>>; 3]>,
    next: AtomicU32,
    noise: [u8; 32],
    asked: Notify,
    read: channel::Sender<u64>,
}

#[derive(Debug, Default)]
struct Book {
    by_name: HashMap<Box<str>, Vec<Arc<Known>>>,
    all: usize,
    /// Those that somebody can log in to.
    models: Vec<Arc<Known>>,
}

impl Accounts {
    /// The accounts of a configuration and of its file, if it names one.
    pub fn new(accounts: &[Account], settings: &Auth) -> Result<Self, ConfigError> {
        let mut noise = [0; 32];
        rsa::rand_core::RngCore::fill_bytes(&mut rsa::rand_core::OsRng, &mut noise);
        let all = Self {
            keys: Keys::new(settings.rsa_key_file.as_deref())?,
            settings: settings.clone(),
            book: ArcSwap::default(),
            lists: Mutex::default(),
            next: AtomicU32::new(1),
            noise,
            asked: Notify::new(),
            read: channel::Sender::new(0),
        };
        let listed = accounts.iter().map(|account| Listed {
            name: account.name.as_str().into(),
            host: HostPattern::default(),
            stored: Stored::password(&account.password),
            foreign: None,
        });
        all.replace(Source::Configuration, listed.collect());
        if let Some(path) = &settings.accounts_file {
            all.replace(Source::File, file::read(path)?);
        }
        Ok(all)
    }

    /// Takes a source's accounts of this moment for those it told before. Accounts that are the same keep their numbers
    /// and what was learned of them. Returns how many are new or changed, and how many are gone.
    pub fn replace(&self, source: Source, listed: Vec<Listed>) -> (usize, usize) {
        let mut lists = self.lists.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = std::mem::take(&mut lists[source as usize]);
        let mut fresh = 0;
        let list: Vec<Arc<Known>> = listed
            .into_iter()
            .map(|listed| {
                if let Some(same) = before.iter().find(|known| known.is(&listed)) {
                    return same.clone();
                }
                fresh += 1;
                let id = AccountId(self.next.fetch_add(1, Relaxed));
                Arc::new(Known::new(id, &listed.name, listed.host, listed.stored, listed.foreign))
            })
            .collect();
        let gone = before.len() + fresh - list.len();
        lists[source as usize] = list;
        self.book.store(Arc::new(Book::of(lists.iter().flatten())));
        (fresh, gone)
    }

    /// The account that a client means; of several, the one with the most specific host.
    pub fn find(&self, name: &[u8], peer: IpAddr) -> Option<Arc<Known>> {
        let book = self.book.load();
        let named = book.by_name.get(std::str::from_utf8(name).ok()?)?;
        named.iter().find(|known| known.host.fits(peer)).cloned()
    }

    /// The account with this number, if it is still listed.
    pub fn by_id(&self, id: AccountId) -> Option<Arc<Known>> {
        let book = self.book.load();
        book.by_name.values().flatten().find(|known| known.id == id).cloned()
    }

    /// An account that is not there, in the shape of one that is: nobody can tell from the dialogue which names exist.
    /// The same name has the same shape each time.
    pub fn decoy(&self, name: &[u8]) -> Arc<Known> {
        let noise: [u8; 32] = Sha256::new().chain_update(self.noise).chain_update(name).finalize().into();
        let book = self.book.load();
        let model = match book.models.len() {
            0 => &Stored::password(""),
            n => &book.models[usize::from(u16::from_le_bytes([noise[0], noise[1]])) % n].stored,
        };
        let name = String::from_utf8_lossy(name);
        Arc::new(Known::new(AccountId(0), &name, HostPattern::default(), model.decoy(noise), None))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.book.load().all
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Has the nodes' tables read again and waits for it: an account may be new. Not more often than once a second,
    /// however many ask.
    pub async fn refreshed(&self) {
        if !self.settings.from_nodes {
            return;
        }
        let mut read = self.read.subscribe();
        self.asked.notify_one();
        let _ = tokio::time::timeout(REFRESH, read.changed()).await;
    }
}

impl Book {
    fn of<'a>(lists: impl Iterator<Item = &'a Arc<Known>>) -> Self {
        let mut book = Self::default();
        for known in lists {
            book.by_name.entry(known.name.clone()).or_default().push(known.clone());
            book.all += 1;
            if known.stored != Stored::default() {
                book.models.push(known.clone());
            }
        }
        for named in book.by_name.values_mut() {
            // Stable: the order of the sources decides between equals.
            named.sort_by_key(|known| std::cmp::Reverse(known.host.specificity()));
        }
        book
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));

    fn listed(name: &str, host: &str, password: &str) -> Listed {
        let stored = Stored::password(password);
        Listed { name: name.into(), host: HostPattern::new(host), stored, foreign: None }
    }

    fn accounts(listed: Vec<Listed>) -> Accounts {
        let accounts = Accounts::new(&[], &Auth::default()).unwrap();
        accounts.replace(Source::File, listed);
        accounts
    }

    #[test]
    fn the_most_specific_host_is_meant() {
        let accounts = accounts(vec![
            listed("shop", "%", "any"),
            listed("shop", "10.0.0.7", "one"),
            listed("shop", "10.%", "net"),
            listed("far", "192.168.%", "far"),
        ]);
        let password = |name: &str, peer: &str| {
            let found = accounts.find(name.as_bytes(), peer.parse().unwrap())?;
            String::from_utf8(found.credentials().password?.to_vec()).ok()
        };
        assert_eq!(password("shop", "10.0.0.7").as_deref(), Some("one"));
        assert_eq!(password("shop", "10.0.0.8").as_deref(), Some("net"));
        assert_eq!(password("shop", "1.1.1.1").as_deref(), Some("any"));
        assert_eq!(password("far", "10.0.0.7"), None);
        assert_eq!(password("Shop", "10.0.0.7"), None, "names are exact");
        assert!(accounts.find(b"\xFF", PEER).is_none());
    }

    #[test]
    fn numbers_are_kept_by_who_stays_and_never_given_twice() {
        let accounts = accounts(vec![listed("a", "%", "1"), listed("b", "%", "2")]);
        let id = |name: &str| accounts.find(name.as_bytes(), PEER).map(|known| known.id);
        let (a, b) = (id("a").unwrap(), id("b").unwrap());
        let changed = vec![listed("c", "%", "3"), listed("b", "%", "2"), listed("a", "%", "other")];
        assert_eq!(accounts.replace(Source::File, changed), (2, 1));
        assert_eq!(id("b"), Some(b));
        assert!(id("a").unwrap() > b && id("c").unwrap() > b, "a has another password: {a:?}");
        assert_eq!(accounts.replace(Source::File, Vec::new()), (0, 3));
        assert!(accounts.is_empty() && id("a").is_none());
        accounts.replace(Source::File, vec![listed("a", "%", "1")]);
        assert!(id("a").unwrap() > AccountId(4), "gone and back is another");
    }

    #[test]
    fn the_configuration_counts_more_than_the_nodes() {
        let own = Account { name: "shop".into(), password: "own".into() };
        let accounts = Accounts::new(&[own], &Auth::default()).unwrap();
        accounts.replace(Source::Nodes, vec![listed("shop", "%", "theirs"), listed("other", "%", "x")]);
        assert!(accounts.find(b"shop", PEER).unwrap().stored.proves(b"own"));
        assert_eq!(accounts.len(), 3);
    }

    #[test]
    fn a_decoy_has_a_lasting_shape_and_no_password() {
        let mut hashed = listed("b", "%", "");
        hashed.stored = Stored { native: Some([7; 20]), ..Stored::default() };
        let accounts = accounts(vec![listed("a", "%", ""), hashed]);
        let shapes: std::collections::BTreeSet<String> = (0..50)
            .map(|n| {
                let name = format!("nobody{n}");
                let (one, two) = (accounts.decoy(name.as_bytes()), accounts.decoy(name.as_bytes()));
                assert_eq!(one.stored, two.stored);
                assert!(!one.stored.proves(b"") && !one.takes_no_password());
                format!("{:?}", one.stored)
            })
            .collect();
        assert_eq!(shapes.len(), 2, "{shapes:?}");
    }
}
