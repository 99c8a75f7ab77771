//! Runs of the program itself, for programs that make many.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// One run with its audit, into this folder; its summary, whatever its verdict.
pub fn run(workload: &str, seed: u64, out: &Path) -> Result<Value, String> {
    let (seed, out_word) = (seed.to_string(), out.to_string_lossy());
    let words = ["run", workload, "--seed", &seed, "--out", &*out_word, "--quiet"];
    let status = Command::new(program()?).args(words).status().map_err(|error| error.to_string())?;
    let text = std::fs::read_to_string(out.join("summary.json"))
        .map_err(|error| format!("{status}, and no summary: {error}"))?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// The program beside the examples' folder, of the same build.
fn program() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let beside = own.parent().and_then(Path::parent).map(|folder| folder.join("tpcw"));
    let found = beside.filter(|path| path.is_file());
    found.ok_or_else(|| "build the program first: cargo build --release -p tpcw".to_owned())
}
