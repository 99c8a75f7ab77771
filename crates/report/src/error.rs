//! What can go wrong with a run folder. The surroundings are at fault, save for [`ReportError::Format`] and
//! [`ReportError::Draw`]; trying again helps in no case.

use std::{
    io,
    path::{Path, PathBuf},
};

/// An error of this room; each names the file.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file or folder cannot be made or written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder already holds a run.
    #[error("{} is not empty; choose another folder for this run", .0.display())]
    Taken(PathBuf),
    /// The folder holds no run.
    #[error("{} is not a run folder: it holds neither manifest.json nor seconds.csv", .0.display())]
    NoRun(PathBuf),
    /// The folder was made by a later version, whose formats mean something else.
    #[error(
        "{} was made by a later version of tpcw: its format is {found}, this one reads up to {known}; use a later tpcw",
        path.display()
    )]
    Later {
        /// Which one.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The version of this program.
        known: u32,
    },
    /// A file does not hold what it should.
    #[error("{}: {message}", path.display())]
    Format {
        /// Which one.
        path: PathBuf,
        /// Where and what.
        message: String,
    },
    /// A picture could not be drawn.
    #[error("cannot draw {picture}: {message}")]
    Draw {
        /// Its file name.
        picture: String,
        /// Why.
        message: String,
    },
}

impl ReportError {
    /// Of a file that cannot be written.
    pub fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }

    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }
}
