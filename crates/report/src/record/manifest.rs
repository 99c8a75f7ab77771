//! `manifest.json`: everything needed to repeat the run.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::read_json;
use crate::ReportError;

/// File name of the manifest.
pub const MANIFEST_FILE: &str = "manifest.json";
/// The present version of the folder's formats.
pub const SCHEMA_VERSION: u32 = 1;

/// What was run, on what, when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// Rises when a reader of old folders would misread new ones.
    pub schema_version: u32,
    /// As typed, with the password in a target's address replaced by `***`.
    pub command_line: Vec<String>,
    /// The workload's name.
    pub workload_name: String,
    /// The workload as resolved from file and flags.
    pub workload: serde_json::Value,
    /// The mix: `browsing`, `shopping` or `ordering`.
    pub mix: String,
    /// Browsers at the peak of the load.
    pub sessions: u32,
    /// Mean think time asked for, in ms; 0 when browsers do not think.
    pub think_mean_ms: f64,
    /// The longest think time that can be drawn, in ms; 0 for no limit.
    pub think_max_ms: f64,
    /// Mean least length of a visit asked for, in ms; 0 in an open load, whose visits end at home.
    pub visit_mean_ms: f64,
    /// The longest that can be drawn, in ms.
    pub visit_max_ms: f64,
    /// The seed that every random choice derives from.
    pub seed: u64,
    /// What took part.
    pub versions: Versions,
    /// Where.
    pub machine: Machine,
    /// Start of the process, of the load, and end of the load, RFC 3339 in UTC.
    pub started: String,
    /// See `started`.
    pub load_started: String,
    /// See `started`.
    pub load_ended: String,
    /// How each local node was limited, for people and as figures; `null` for none.
    pub node_capacity: serde_json::Value,
    /// The label that the benchmark's owner asks for.
    pub label: String,
}

/// Versions of the programs that took part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Versions {
    /// This program, with the git revision it was built from where known.
    pub tpcw: String,
    /// The database server, as it names itself.
    pub server: String,
    /// The kernel.
    pub kernel: String,
}

/// The machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// Processor model.
    pub processor: String,
    /// Logical cores that may be used.
    pub cores: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
}

impl Manifest {
    /// Reads a folder's manifest; none where it has none.
    ///
    /// # Errors
    /// [`ReportError::Later`] for a folder of a later version, which this one would misread.
    pub fn read(folder: &Path) -> Result<Option<Self>, ReportError> {
        let found: Option<Value> = read_json(&folder.join(MANIFEST_FILE))?;
        let version = found.as_ref().and_then(|manifest| manifest.get("schema_version")?.as_u64());
        match version.map(|version| u32::try_from(version).unwrap_or(u32::MAX)) {
            Some(found) if found > SCHEMA_VERSION => {
                Err(ReportError::Later { path: folder.to_owned(), found, known: SCHEMA_VERSION })
            }
            // Read by the types only now: a later version may have changed them.
            _ => read_json(&folder.join(MANIFEST_FILE)),
        }
    }
}
