//! A run's folder: made once, opened as often as one likes, and `latest` beside it pointing at the newest.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    ReportError,
    record::{MANIFEST_FILE, Row, SecondRow},
};

/// Name of the link to the newest run of a workload.
const LATEST: &str = "latest";
/// How many runs of one workload may begin in one second.
const SAME_SECOND: u32 = 100;

/// A run's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes `<base>/<workload>/<UTC time>/` and points `<base>/<workload>/latest` at it, or makes `out` where given (which
    /// may exist if it is empty, and gets no link). Never writes over another run.
    ///
    /// # Errors
    /// [`ReportError::Taken`] when `out` holds something, [`ReportError::Write`] when the folder cannot be made or nothing
    /// can be written into it.
    pub fn create(base: &Path, workload: &str, out: Option<&Path>) -> Result<Self, ReportError> {
        if let Some(out) = out {
            return Self::create_at(out);
        }
        let parent = base.join(folder_name(workload));
        fs::create_dir_all(&parent).map_err(|e| ReportError::write(&parent, e))?;
        let name = make_new(&parent)?;
        let run = Self { path: parent.join(&name) };
        run.try_writing()?;
        point_latest(&parent, &name)?;
        Ok(run)
    }

    fn create_at(out: &Path) -> Result<Self, ReportError> {
        fs::create_dir_all(out).map_err(|e| ReportError::write(out, e))?;
        let mut inside = fs::read_dir(out).map_err(|e| ReportError::read(out, e))?;
        if inside.next().is_some() {
            return Err(ReportError::Taken(out.to_owned()));
        }
        let run = Self { path: out.to_owned() };
        run.try_writing()?;
        Ok(run)
    }

    /// Opens a folder that a run has left.
    ///
    /// # Errors
    /// [`ReportError::NoRun`] when it holds neither a manifest nor seconds.
    pub fn open(path: &Path) -> Result<Self, ReportError> {
        if path.join(MANIFEST_FILE).is_file() || path.join(SecondRow::FILE).is_file() {
            Ok(Self { path: path.to_owned() })
        } else {
            Err(ReportError::NoRun(path.to_owned()))
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a file of it is or will be.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A read-only or full file system is better told now than after the load.
    fn try_writing(&self) -> Result<(), ReportError> {
        let probe = self.file(".probe");
        fs::write(&probe, b"tpcw\n")
            .and_then(|()| fs::remove_file(&probe))
            .map_err(|e| ReportError::write(&self.path, e))
    }
}

/// A workload's name as a folder: everything but letters, digits, `-`, `_` and `.` becomes `-`.
fn folder_name(workload: &str) -> String {
    let name: String = workload
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' })
        .collect();
    let name = name.trim_start_matches('.');
    if name.is_empty() { "unnamed".to_owned() } else { name.to_owned() }
}

/// Makes a folder named after the time; two runs in the same second get a number.
fn make_new(parent: &Path) -> Result<String, ReportError> {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
    for number in 1..=SAME_SECOND {
        let name = if number == 1 { now.clone() } else { format!("{now}-{number}") };
        let path = parent.join(&name);
        match fs::create_dir(&path) {
            Ok(()) => return Ok(name),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(ReportError::write(&path, e)),
        }
    }
    Err(ReportError::Taken(parent.join(now)))
}

/// Puts the link in place in one step; a folder or file of that name that is no link is left alone.
fn point_latest(parent: &Path, name: &str) -> Result<(), ReportError> {
    let link = parent.join(LATEST);
    if link.symlink_metadata().is_ok_and(|found| !found.is_symlink()) {
        return Ok(());
    }
    let beside = parent.join(format!(".{LATEST}-{name}"));
    std::os::unix::fs::symlink(name, &beside)
        .and_then(|()| fs::rename(&beside, &link))
        .map_err(|e| ReportError::write(&link, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_never_share_a_folder_and_latest_is_the_newest() {
        let base = tempfile::tempdir().expect("a temporary folder");
        let first = RunDir::create(base.path(), "elastic", None).expect("made");
        let second = RunDir::create(base.path(), "elastic", None).expect("made");
        assert_ne!(first, second);
        let latest = base.path().join("elastic").join(LATEST);
        let points_at = fs::read_link(&latest).expect("a link");
        assert!(points_at.is_relative());
        assert_eq!(fs::canonicalize(latest).ok(), fs::canonicalize(second.path()).ok());
        assert_eq!(fs::read_dir(first.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn a_folder_of_ones_own_must_be_empty() {
        let base = tempfile::tempdir().expect("a temporary folder");
        let out = base.path().join("a/b");
        let run = RunDir::create(base.path(), "elastic", Some(&out)).expect("made");
        assert_eq!(run.path(), out);
        fs::write(run.file("x"), b"mine").expect("written");
        let error = RunDir::create(base.path(), "elastic", Some(&out)).expect_err("taken");
        assert!(matches!(error, ReportError::Taken(_)), "{error}");
        assert_eq!(fs::read(run.file("x")).expect("still there"), b"mine");
    }

    #[test]
    fn what_cannot_be_written_is_told_at_once() {
        let base = tempfile::tempdir().expect("a temporary folder");
        let file = base.path().join("file");
        fs::write(&file, b"").expect("written");
        let error = RunDir::create(&file, "elastic", None).expect_err("no folder").to_string();
        assert!(error.starts_with("cannot write") && error.contains("file"), "{error}");
        assert!(RunDir::create(base.path(), "x", Some(&file)).is_err());
    }

    #[test]
    fn a_name_cannot_leave_the_base() {
        for (name, folder) in [
            ("../../etc", "-..-etc"),
            ("a b/c", "a-b-c"),
            ("..", "unnamed"),
            ("", "unnamed"),
            ("größe", "größe"),
        ] {
            assert_eq!(folder_name(name), folder);
        }
    }

    #[test]
    fn only_a_run_can_be_opened() {
        let base = tempfile::tempdir().expect("a temporary folder");
        assert!(matches!(RunDir::open(base.path()), Err(ReportError::NoRun(_))));
        fs::write(base.path().join("seconds.csv"), b"").expect("written");
        assert!(RunDir::open(base.path()).is_ok());
    }

    #[test]
    fn a_latest_that_is_no_link_is_left_alone() {
        let base = tempfile::tempdir().expect("a temporary folder");
        let latest = base.path().join("elastic").join(LATEST);
        fs::create_dir_all(&latest).expect("made");
        RunDir::create(base.path(), "elastic", None).expect("made");
        assert!(latest.symlink_metadata().expect("there").is_dir());
    }
}
