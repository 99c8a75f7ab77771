//! The folder that later runs profit from: fetched server programs and filled data folders.
//!
//! Several `tpcw` may use it at once. An entry is made aside and renamed into place under its lock; who copies an entry
//! holds its lock shared, so that nobody removes it meanwhile.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tokio::time::{Instant, sleep};

use crate::error::{Error, OnFile};

/// How often a lock that somebody else holds is tried.
pub(crate) const TRY_AGAIN: Duration = Duration::from_millis(50);

/// A cache folder. It may be removed at any time when no `tpcw` runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The folder that the environment asks for: `TPCW_CACHE_DIR`, else `$XDG_CACHE_HOME/tpcw`, else `~/.cache/tpcw`,
    /// else one in the folder for temporary files.
    pub fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let folder = |name: &str| variable(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let root = folder("TPCW_CACHE_DIR")
            .or_else(|| folder("XDG_CACHE_HOME").map(|f| f.join("tpcw")))
            .or_else(|| folder("HOME").map(|f| f.join(".cache/tpcw")))
            .unwrap_or_else(|| std::env::temp_dir().join("tpcw-cache"));
        Self { root }
    }

    /// A certain folder; made when first used.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A folder below the root, made if needed.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.root.join(name);
        fs::create_dir_all(&path).on("create the folder", &path)?;
        Ok(path)
    }
}

/// A lock on a file, held as long as the value lives; the kernel releases it when the process ends in any way.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Tries once; `None`: somebody else holds it.
    pub(crate) fn attempt(path: &Path, how: FlockOperation) -> Result<Option<Self>, Error> {
        let file =
            File::options().create(true).truncate(false).write(true).open(path).on("open the lock", path)?;
        match flock(&file, how) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(e).on("lock", path),
        }
    }

    /// Alone on it, waiting up to `limit`.
    pub(crate) async fn exclusive(path: &Path, limit: Duration) -> Result<Self, Error> {
        Self::wait(path, FlockOperation::NonBlockingLockExclusive, limit).await
    }

    /// With others that share it, waiting up to `limit`.
    pub(crate) async fn shared(path: &Path, limit: Duration) -> Result<Self, Error> {
        Self::wait(path, FlockOperation::NonBlockingLockShared, limit).await
    }

    async fn wait(path: &Path, how: FlockOperation, limit: Duration) -> Result<Self, Error> {
        let end = Instant::now() + limit;
        loop {
            if let Some(lock) = Self::attempt(path, how)? {
                return Ok(lock);
            }
            if Instant::now() >= end {
                return Err(Error::TimedOut { what: format!("the lock {}", path.display()), limit });
            }
            sleep(TRY_AGAIN).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_chooses_the_folder() {
        let all = [("TPCW_CACHE_DIR", "/a"), ("XDG_CACHE_HOME", "/b"), ("HOME", "/c")];
        for (skip, expected) in [(0, "/a"), (1, "/b/tpcw"), (2, "/c/.cache/tpcw")] {
            let find =
                |name: &str| all[skip..].iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
            assert_eq!(Cache::from_environment(find).root(), Path::new(expected));
        }
        assert!(Cache::from_environment(|_| None).root().ends_with("tpcw-cache"));
    }

    #[tokio::test]
    async fn a_lock_keeps_others_out_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = Lock::exclusive(&path, Duration::ZERO).await.unwrap();
        assert!(matches!(Lock::shared(&path, Duration::ZERO).await, Err(Error::TimedOut { .. })));
        drop(held);
        let _one = Lock::shared(&path, Duration::ZERO).await.unwrap();
        let _two = Lock::shared(&path, Duration::ZERO).await.unwrap();
        assert!(Lock::attempt(&path, FlockOperation::NonBlockingLockExclusive).unwrap().is_none());
    }
}
