//! Room on the disk that is kept for saying why a run could not be recorded.

use std::path::{Path, PathBuf};

use report::ReportError;
use report::record::{OUTCOME_FILE, Outcome, write_json};

/// Enough for `outcome.json` and what a file system needs beside it.
const BYTES: usize = 64 * 1024;
const FILE: &str = ".reserve";

/// A file of nothing, given up when a disk is full.
#[derive(Debug)]
pub(super) struct Reserve {
    folder: PathBuf,
}

impl Reserve {
    pub(super) fn create(folder: &Path) -> Result<Self, ReportError> {
        let path = folder.join(FILE);
        let written = std::fs::write(&path, vec![b'.'; BYTES]);
        written.map_err(|error| ReportError::write(&path, error))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Gives up the room and says in `outcome.json` why the run ends here.
    pub(super) fn tell(self, why: &impl std::fmt::Display) {
        let path = self.folder.join(OUTCOME_FILE);
        let outcome = Outcome { interrupted: true, failed: Some(why.to_string()), ..Outcome::default() };
        drop(self);
        if let Err(error) = write_json(&path, &outcome) {
            tracing::warn!(%error, "not even the reason can be written");
        }
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(self.folder.join(FILE)) {
            tracing::debug!(%error, "the reserve is left behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use report::record::read_json;

    use super::*;

    #[test]
    fn the_reason_takes_the_place_of_the_reserve() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let reserve = Reserve::create(folder.path()).expect("room");
        assert_eq!(folder.path().join(FILE).metadata().map(|file| file.len()).ok(), Some(BYTES as u64));
        reserve.tell(&"no space left on device");
        assert!(!folder.path().join(FILE).exists());
        let told: Outcome = read_json(&folder.path().join(OUTCOME_FILE)).expect("read").expect("there");
        assert_eq!(told.failed.as_deref(), Some("no space left on device"));
    }
}
