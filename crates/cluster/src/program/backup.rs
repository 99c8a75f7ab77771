//! The server's own backup tools: beside the server, in `PATH`, in the cache; or fetched.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::Cache;
use crate::program::fetch::{self, Package};
use crate::program::{ProgramError, ServerProgram, command};

/// The tool that reads a serving node's files; its older name second.
const BACKUP: [&str; 2] = ["mariadb-backup", "mariabackup"];
/// The tool that makes files of its stream.
const STREAM: &str = "mbstream";

/// The programs that copy a node while it serves. They have to be of the server's own version, or newer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupTools {
    backup: PathBuf,
    stream: PathBuf,
    library_dirs: Vec<PathBuf>,
}

impl BackupTools {
    /// Finds the tools that go with a server, fetching them if there are none and that is allowed. `say` gets whole lines
    /// for people.
    ///
    /// # Errors
    /// When there are none, with what can be done about it.
    pub async fn find(
        program: &ServerProgram,
        cache: &Cache,
        offline: bool,
        say: impl Fn(&str),
    ) -> Result<Self, ProgramError> {
        let places = || places(&program.path);
        if let Some(found) = Self::within(places(), &[]) {
            return Ok(found);
        }
        let unpacked = fetch::unpacked(cache, Package::Backup);
        let in_cache = || Self::within([unpacked.join("usr/bin")], &fetch::library_dirs(&unpacked));
        if let Some(found) = in_cache() {
            return Ok(found);
        }
        if offline {
            let reason = "there is no mariadb-backup here and --offline forbids fetching it".to_owned();
            return Err(ProgramError::Fetch { reason });
        }
        fetch::fetch_package(cache, Package::Backup, &say).await?;
        Self::within(places(), &[]).or_else(in_cache).ok_or_else(|| ProgramError::Fetch {
            reason: "the package of mariadb-backup was fetched and holds no such program".to_owned(),
        })
    }

    fn within(folders: impl IntoIterator<Item = PathBuf>, library_dirs: &[PathBuf]) -> Option<Self> {
        folders.into_iter().find_map(|folder| {
            let there = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
            let backup = BACKUP.iter().find_map(|name| there(name))?;
            Some(Self { backup, stream: there(STREAM)?, library_dirs: library_dirs.to_vec() })
        })
    }

    pub(crate) fn backup(&self) -> Command {
        command(&self.backup, &self.library_dirs)
    }

    pub(crate) fn stream(&self) -> Command {
        command(&self.stream, &self.library_dirs)
    }
}

/// Beside the server, in the `bin` of its installation, in `PATH`.
fn places(server: &Path) -> Vec<PathBuf> {
    let beside = server.parent().map(Path::to_owned);
    let bin = server.parent().and_then(Path::parent).map(|prefix| prefix.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    beside.into_iter().chain(bin).chain(std::env::split_paths(&path)).filter(|f| f.is_absolute()).collect()
}
