//! Data folders that are made once and copied often: an empty one a server version, filled ones by key.

use std::fs;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::FlockOperation;
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::account::{Account, Accounts};
use crate::admin::Admin;
use crate::cache::{Cache, Lock, TRY_AGAIN};
use crate::error::{Error, OnFile};
use crate::lifetime::Nursery;
use crate::mariadbd::launch::Launch;
use crate::mariadbd::options::{NodeFolder, loading};
use crate::mariadbd::process::Process;
use crate::mariadbd::{datadir, process};
use crate::program::ServerProgram;
use crate::provision::accounts_sql;
use crate::provision::port::{Port, Ports};
use crate::provision::run_folder::RunFolder;

/// Filled templates that are kept, the newest used.
const KEPT: usize = 8;
/// Somebody else is making the same template; a big shop takes minutes.
const LOCK_LIMIT: Duration = Duration::from_secs(3600);
/// A server without data starts in a fraction of a second.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Writing back all that was loaded.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(600);
/// Rises when folders made by older versions of this code must not be used any more.
const LAYOUT: u32 = 1;

/// A data folder to copy nodes from. While the value lives nobody removes the folder.
#[derive(Debug)]
pub struct Template {
    path: PathBuf,
    /// Whether this call has made it, or found it.
    pub made_now: bool,
    _in_use: Lock,
}

/// A server that stands alone, to be filled. Fast and unsafe: no binary log, no waiting for the disk.
#[derive(Clone, Debug)]
pub struct LoneServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// May do everything.
    pub operator: Account,
    /// An empty database that exists already.
    pub database: String,
}

impl Template {
    /// The data folder; not to be used by a server.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// System tables and nothing else. Made once a server version, which takes about half a second.
    pub async fn empty(program: &ServerProgram, cache: &Cache) -> Result<Self, Error> {
        Self::find_or_make(program, cache, "empty", |aside: PathBuf| async move {
            let nursery = new_nursery()?;
            datadir::bootstrap(&nursery, program, &aside.join("data")).await
        })
        .await
    }

    /// Filled by `fill`, once for each `key`, then kept in the cache (the 8 used last) and found there. `key` must name
    /// everything that the content depends on but the server's version, in letters, digits, `-`, `_` and `.`.
    ///
    /// The server that `fill` talks to stops cleanly before the folder is kept. An error of `fill`, or an end of this
    /// process at any moment, leaves no template; the next call begins anew.
    pub async fn populated<F, Filling, E>(
        program: &ServerProgram,
        cache: &Cache,
        key: &str,
        database: &str,
        fill: F,
    ) -> Result<Self, Error>
    where
        F: FnOnce(LoneServer) -> Filling,
        Filling: Future<Output = Result<(), E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            return Err(Error::Spec(format!("`{key}` is no name for a template")));
        }
        let empty = Self::empty(program, cache).await?;
        let made = Self::find_or_make(program, cache, &format!("shop-{key}"), |aside: PathBuf| async move {
            datadir::copy(empty.path(), &aside.join("data")).await?;
            fill_with_server(program, &aside, database, fill).await?;
            datadir::sync(&aside.join("data")).await
        })
        .await?;
        forget_oldest(&cache.folder("templates")?, KEPT);
        Ok(made)
    }

    /// Finds a template, or has `make` leave its folder as `data` in a folder aside.
    async fn find_or_make<Making>(
        program: &ServerProgram,
        cache: &Cache,
        kind: &str,
        make: impl FnOnce(PathBuf) -> Making,
    ) -> Result<Self, Error>
    where
        Making: Future<Output = Result<(), Error>>,
    {
        let folder = cache.folder("templates")?;
        let name = format!("{LAYOUT}-{}-{kind}", plain(&program.version_text));
        let (path, lock) = (folder.join(&name), folder.join(format!("{name}.lock")));
        let end = Instant::now() + LOCK_LIMIT;
        let alone = loop {
            // Whoever is making it uses it afterwards, for as long as its run takes: that is no reason to wait.
            if let Some(found) = Self::find(&path, &lock).await? {
                return Ok(found);
            }
            if let Some(alone) = Lock::attempt(&lock, FlockOperation::NonBlockingLockExclusive)? {
                break alone;
            }
            if Instant::now() >= end {
                let what = format!("the lock {}", lock.display());
                return Err(Error::TimedOut { what, limit: LOCK_LIMIT });
            }
            sleep(TRY_AGAIN).await;
        };
        let made_now = !path.is_dir();
        if made_now {
            let aside = folder.join(format!("{name}.aside"));
            // Whoever left it is gone: we hold the lock.
            datadir::remove(&aside).await?;
            fs::create_dir_all(&aside).on("create the folder", &aside)?;
            let result = make(aside.clone()).await;
            let result = result.and_then(|()| fs::rename(aside.join("data"), &path).on("rename to", &path));
            datadir::remove(&aside).await?;
            result?;
        }
        drop(alone);
        match Self::find(&path, &lock).await? {
            Some(found) => Ok(Self { made_now, ..found }),
            None => Err(Error::File { what: "find", path, source: std::io::ErrorKind::NotFound.into() }),
        }
    }

    /// A finished template, marked as used now.
    async fn find(path: &Path, lock: &Path) -> Result<Option<Self>, Error> {
        if !path.is_dir() {
            return Ok(None);
        }
        let in_use = Lock::shared(lock, LOCK_LIMIT).await?;
        if !path.is_dir() {
            return Ok(None);
        }
        if let Ok(file) = fs::File::open(lock) {
            // The time orders removal only; not being able to set it is no reason to fail.
            let _ = file.set_modified(SystemTime::now());
        }
        Ok(Some(Self { path: path.to_owned(), made_now: false, _in_use: in_use }))
    }
}

/// Starts a lone server on `data`, has it filled, stops it cleanly.
async fn fill_with_server<F, Filling, E>(
    program: &ServerProgram,
    aside: &Path,
    database: &str,
    fill: F,
) -> Result<(), Error>
where
    F: FnOnce(LoneServer) -> Filling,
    Filling: Future<Output = Result<(), E>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let nursery = new_nursery()?;
    let ports = Ports::new(&RunFolder::root()?)?;
    let folder = NodeFolder::new(aside.to_owned());
    let accounts = Accounts::generate().on("read", Path::new("/dev/urandom"))?;
    let (server, port) = start_loading(&nursery, program, &ports, &folder, &accounts, database).await?;
    let operator = accounts.operator;
    let address = port.address();
    let lone = LoneServer { address, operator: operator.clone(), database: database.to_owned() };
    fill(lone).await.map_err(|e| Error::Fill(e.into()))?;
    let mut admin = Admin::connect(address, &operator, START_LIMIT).await?;
    // Accounts are each cluster's own.
    admin.run("DELETE FROM mysql.global_priv WHERE User<>'mariadb.sys'").await?;
    admin.run("DELETE FROM mysql.db").await?;
    admin.close().await;
    server.signal(Signal::TERM)?;
    let status = server.wait(SHUTDOWN_LIMIT).await?;
    if status.success() {
        return Ok(());
    }
    let (what, reason) = ("the loading server".to_owned(), format!("it did not stop cleanly ({status})"));
    Err(Error::Start { what, reason, log: process::log_tail(&folder.log(), 20) })
}

/// Starts the server that a template is filled with, on a free port.
async fn start_loading(
    nursery: &Nursery,
    program: &ServerProgram,
    ports: &Ports,
    folder: &NodeFolder,
    accounts: &Accounts,
    database: &str,
) -> Result<(Process, Port), Error> {
    accounts_sql::write(&folder.init_file(), accounts, database)?;
    let launch = Launch {
        nursery,
        program,
        folder,
        account: &accounts.operator,
        limit: START_LIMIT,
        what: "the loading server",
        watched: false,
    };
    let started =
        launch.on_free_port(ports, |address| loading(program, folder, address, &folder.init_file())).await;
    accounts_sql::remove(&folder.init_file())?;
    started
}

fn new_nursery() -> Result<Nursery, Error> {
    Nursery::new().map_err(|source| Error::Process { what: "start a thread".to_owned(), source })
}

/// Removes filled templates beyond the `kept` used last, unless somebody uses them.
fn forget_oldest(folder: &Path, kept: usize) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut shops: Vec<(SystemTime, PathBuf)> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension().is_some_and(|e| e == "lock") && path.to_string_lossy().contains("-shop-")
        })
        .filter(|path| path.with_extension("").is_dir())
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .collect();
    shops.sort();
    for (_, lock) in shops.iter().rev().skip(kept) {
        if let Ok(Some(_alone)) = Lock::attempt(lock, FlockOperation::NonBlockingLockExclusive) {
            // The lock's file stays: who waits for it must find the same file. Its folder is what takes room.
            let _ = fs::remove_dir_all(lock.with_extension(""));
        }
    }
}

/// A text as part of a file's name.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Product, Version};

    #[test]
    fn the_templates_used_last_and_those_in_use_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let entry = |name: &str, age: u64| {
            fs::create_dir(folder.path().join(name)).unwrap();
            let lock = fs::File::create(folder.path().join(format!("{name}.lock"))).unwrap();
            lock.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1000 - age)).unwrap();
        };
        entry("1-10.11.19-empty", 99);
        (0..5).for_each(|age| entry(&format!("1-10.11.19-shop-{age}"), age));
        let oldest = folder.path().join("1-10.11.19-shop-4.lock");
        let in_use = Lock::attempt(&oldest, FlockOperation::NonBlockingLockShared).unwrap();
        let kept = || {
            let entries = fs::read_dir(folder.path()).unwrap().flatten().filter(|e| e.path().is_dir());
            let mut names: Vec<String> = entries.map(|e| e.file_name().into_string().unwrap()).collect();
            names.sort();
            names.join(" ").replace("1-10.11.19-", "")
        };
        forget_oldest(folder.path(), 2);
        assert_eq!(kept(), "empty shop-0 shop-1 shop-4");
        drop(in_use);
        forget_oldest(folder.path(), 2);
        assert_eq!(kept(), "empty shop-0 shop-1");
    }

    #[tokio::test]
    async fn who_waited_for_a_template_does_not_wait_for_its_maker_to_be_done_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let text = "10.11.19-MariaDB";
        let program = ServerProgram {
            path: "/usr/sbin/mariadbd".into(),
            product: Product::MariaDb,
            version: Version { major: 10, minor: 11, patch: 19 },
            version_text: text.to_owned(),
            share_dir: PathBuf::new(),
            library_dirs: Vec::new(),
        };
        let make = |aside: PathBuf| async move {
            sleep(Duration::from_millis(200)).await;
            fs::create_dir(aside.join("data")).on("create", &aside)
        };
        let wanted = || Template::find_or_make(&program, &cache, "shop-1", make);
        // Both keep it; whoever came second came while it was being made.
        let (one, other) = tokio::join!(wanted(), wanted());
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.path(), other.path());
        assert!(one.made_now != other.made_now, "it was made once");
    }
}
