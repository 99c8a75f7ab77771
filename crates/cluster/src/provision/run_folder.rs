//! The folder of one cluster's nodes, and the removal of those whose owner is gone.
//!
//! Below `<temporary files>/tpcw-<user>/`, one `run-*` a cluster. Its owner holds a lock on the file `owner` in it, which
//! the kernel releases however the owner ends: whoever can take that lock may remove the folder.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::fs::FlockOperation;

use crate::cache::Lock;
use crate::capacity::quota::Quota;
use crate::error::{Error, OnFile};

/// Making and clearing away take turns; each takes moments.
const TURN_LIMIT: Duration = Duration::from_secs(60);
/// Processor groups of a cluster, one path a line: they are outside the folder and must go with it.
const GROUPS: &str = "groups";
/// The number of this process's next folder. None is given out twice: a cluster that was stopped has removed its folder already, and
/// what it does to that path when it is dropped must not reach one that was made meanwhile.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A folder that lives as long as the value.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    _owner: Lock,
}

impl RunFolder {
    /// The folder that all `tpcw` of this user share. Nobody else can read it: node folders hold passwords.
    pub(crate) fn root() -> Result<PathBuf, Error> {
        let user = rustix::process::geteuid().as_raw();
        let root = std::env::temp_dir().join(format!("tpcw-{user}"));
        match fs::DirBuilder::new().mode(0o700).create(&root) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                return Err(e).on("create the folder", &root);
            }
            _ => {}
        }
        let found = fs::symlink_metadata(&root).on("look at", &root)?;
        if !found.is_dir() || found.uid() != user || found.mode() & 0o077 != 0 {
            return Err(io::Error::other("it exists and is not a folder of this user's alone"))
                .on("use", &root);
        }
        Ok(root)
    }

    /// Makes a folder below `root`, after removing what dead owners left there.
    pub(crate) async fn create(root: &Path) -> Result<Self, Error> {
        let _turn = Lock::exclusive(&root.join("lock"), TURN_LIMIT).await?;
        remove_stale(root);
        let id = std::process::id();
        // An earlier process of the same number may have left some that could not be removed.
        let path = std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed))
            .take(10_000)
            .map(|n| root.join(format!("run-{id}-{n}")))
            .find(|path| !path.exists())
            .ok_or_else(|| Error::Spec(format!("{} is full", root.display())))?;
        fs::create_dir(&path).on("create the folder", &path)?;
        let owner = Lock::exclusive(&path.join("owner"), TURN_LIMIT).await?;
        Ok(Self { path, _owner: owner })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Notes a processor group for removal by somebody else, should we end badly.
    pub(crate) fn note_group(&self, group: &Path) -> Result<(), Error> {
        use io::Write as _;
        let path = self.path.join(GROUPS);
        let mut file = fs::File::options().create(true).append(true).open(&path).on("write", &path)?;
        writeln!(file, "{}", group.display()).on("write", &path)
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        clear(&self.path);
    }
}

/// Removes the folders of owners that are gone.
fn remove_stale(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("run-")) {
            continue;
        }
        if let Ok(Some(_dead)) = Lock::attempt(&path.join("owner"), FlockOperation::NonBlockingLockExclusive)
        {
            clear(&path);
        }
    }
}

/// Removes a folder and the processor groups noted in it. What cannot be removed now is tried again by the next run.
fn clear(path: &Path) {
    for group in fs::read_to_string(path.join(GROUPS)).unwrap_or_default().lines() {
        Quota::remove_group(Path::new(group));
    }
    let _ = fs::remove_dir_all(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_dead_owners_left_goes_and_what_living_ones_have_stays() {
        let root = tempfile::tempdir().unwrap();
        let (group, foreign) = (root.path().join("tpcw-run-1-0-n1"), root.path().join("somebody-elses"));
        let dead = root.path().join("run-1-0");
        for folder in [&group, &foreign, &dead.join("n1/data")] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(dead.join("owner"), "").unwrap();
        fs::write(dead.join(GROUPS), format!("{}\n{}\n", group.display(), foreign.display())).unwrap();
        let living = RunFolder::create(root.path()).await.unwrap();
        assert!(!dead.exists() && !group.exists() && foreign.is_dir());
        let another = RunFolder::create(root.path()).await.unwrap();
        assert!(living.path().is_dir() && another.path() != living.path());
        let path = living.path().to_owned();
        drop(living);
        assert!(!path.exists() && another.path().is_dir());
    }

    #[tokio::test]
    async fn a_folder_that_was_removed_before_its_owner_goes_takes_no_later_one_with_it() {
        let root = tempfile::tempdir().unwrap();
        let stopped = RunFolder::create(root.path()).await.unwrap();
        fs::remove_dir_all(stopped.path()).unwrap();
        let later = RunFolder::create(root.path()).await.unwrap();
        drop(stopped);
        assert!(later.path().is_dir());
    }
}
