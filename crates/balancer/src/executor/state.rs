//! What outlives the balancer: who was the primary and since when, which nodes serve, which an operator has switched off.
//!
//! One small JSON file, replaced as a whole. It is a memory and no authority: who is the primary now is asked of the
//! nodes, and the file only settles what they cannot know.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use cluster::NodeId;
use serde::{Deserialize, Serialize};

use super::topology::Home;
use crate::failover::reign::Reign;

/// The file's contents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The last known primary.
    pub primary: Option<NodeId>,
    /// Its reign, where it is known.
    #[serde(default)]
    pub reign: Option<Reign>,
    /// By node.
    pub nodes: BTreeMap<NodeId, SavedNode>,
}

/// One node's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedNode {
    /// Whether it serves when it is well.
    pub home: Home,
    /// Whether an operator has switched it off.
    pub disabled: bool,
}

/// Where the memory is kept.
#[derive(Clone, Debug, Default)]
pub enum Memory {
    /// Nowhere: a restart forgets.
    #[default]
    Nowhere,
    /// In a file.
    File(PathBuf),
    /// By whoever starts one control plane after the other in one process.
    Held(Arc<Mutex<Saved>>),
}

impl Memory {
    /// What is remembered.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn read(&self) -> io::Result<Saved> {
        match self {
            Self::Nowhere => Ok(Saved::default()),
            Self::File(path) => read(path),
            Self::Held(saved) => Ok(saved.lock().expect("no panic while the memory is held").clone()),
        }
    }

    /// Remembers this instead.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, new: &Saved) -> io::Result<()> {
        match self {
            Self::Nowhere => Ok(()),
            Self::File(path) => write(path, new),
            Self::Held(saved) => {
                saved.lock().expect("no panic while the memory is held").clone_from(new);
                Ok(())
            }
        }
    }
}

/// Reads the file; a missing one is an empty memory.
pub fn read(path: &Path) -> io::Result<Saved> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Saved::default()),
        Err(error) => Err(error),
    }
}

/// Replaces the file, so that a reader finds the old or the new one and never half of one.
pub fn write(path: &Path, saved: &Saved) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut bytes = serde_json::to_vec_pretty(saved).map_err(io::Error::other)?;
    bytes.push(b'\n');
    std::fs::write(&beside, bytes)?;
    std::fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        assert_eq!(read(&path).unwrap(), Saved::default());
        let node = SavedNode { home: Home::Standby, disabled: true };
        let reign = Some(Reign { from: 7, server: 1 });
        let saved = Saved { primary: Some("n1".into()), reign, nodes: [("n4".into(), node)].into() };
        write(&path, &saved).unwrap();
        assert_eq!(read(&path).unwrap(), saved);
        std::fs::write(&path, "{").unwrap();
        assert!(read(&path).is_err());
    }
}
