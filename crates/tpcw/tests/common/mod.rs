//! Runs the program as a user would, in an empty folder of its own.
#![allow(dead_code, reason = "each test program uses its part of this")]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// An empty folder to run commands in.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tpcw"));
        command.args(words).current_dir(self.folder.path()).stdin(Stdio::null()).env("TERM", "dumb");
        command
    }

    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("the program starts")
    }

    /// In the background; its words go to `output.txt`.
    pub fn start(&self, words: &[&str]) -> Child {
        let file = std::fs::File::create(self.folder.path().join("output.txt")).expect("output");
        let copy = file.try_clone().expect("output");
        self.command(words).stdout(file).stderr(copy).spawn().expect("the program starts")
    }

    pub fn output(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("output.txt")).unwrap_or_default()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("a file");
    }
}

/// Exit code and everything said.
pub fn said(output: &Output) -> (Option<i32>, String) {
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

/// The summary of a run folder.
pub fn summary(folder: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(folder.join("summary.json")).expect("summary.json");
    serde_json::from_str(&text).expect("a summary is JSON")
}

/// Waits until something is so, with patience from `TPCW_TEST_PATIENCE` (seconds, 60 unless set).
pub fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let patience = std::env::var("TPCW_TEST_PATIENCE").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    for _ in 0..patience * 20 {
        if so() {
            return;
        }
        #[expect(clippy::disallowed_methods, reason = "a test outside any runtime")]
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("waited in vain: {what}");
}

/// Processes whose command line holds `part`.
pub fn processes(part: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("/proc");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let of = |pid: &u32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    pids.filter(|pid| String::from_utf8_lossy(&of(pid)).contains(part)).collect()
}

/// Children of a process.
pub fn children(parent: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task"));
    let lists = tasks
        .into_iter()
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Whether a process is there and not merely waiting to be buried.
pub fn alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}
