//! One run of many, in a process and a cluster of its own: nothing is left over from the one before.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use report::RunDir;
use report::record::{MANIFEST_FILE, OUTCOME_FILE};
use report::summary::{SUMMARY_FILE, Summary};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::failure::{Failure, Kind, Outcome};
use crate::interrupt::Interrupt;

/// How long a run may take to end after it was told to: it heals, ends its nodes and audits.
const ENDING: Duration = Duration::from_secs(120);

/// What is run.
#[derive(Clone, Debug)]
pub struct Trial<'a> {
    /// The program: this one, or another build of it.
    pub program: &'a Path,
    /// The workload's file.
    pub workload: &'a Path,
    /// Flags beyond those of every trial.
    pub flags: Vec<String>,
    /// Where its files go.
    pub folder: PathBuf,
}

impl Trial<'_> {
    /// Runs it, unless its folder holds the whole of it already; a folder with half a run is made anew.
    ///
    /// # Errors
    /// The run could not be made (its own words are told), or the program is to end.
    pub async fn run(&self, interrupt: &Interrupt) -> Outcome<Summary> {
        if !self.is_done() {
            self.clear()?;
            self.carry_out(interrupt).await?;
        }
        let folder = RunDir::open(&self.folder).map_err(Failure::from_below)?;
        report::summary::summarize(&folder).map_err(Failure::from_below)
    }

    fn is_done(&self) -> bool {
        [SUMMARY_FILE, OUTCOME_FILE].iter().all(|file| self.folder.join(file).is_file())
    }

    /// Removes what is left of a run that was cut off, and nothing that is no run.
    fn clear(&self) -> Outcome {
        let leftover = [MANIFEST_FILE, "tpcw.log"].iter().any(|file| self.folder.join(file).is_file());
        if !leftover {
            return Ok(());
        }
        std::fs::remove_dir_all(&self.folder).map_err(|error| {
            Failure::surroundings(format!("cannot remove {}: {error}", self.folder.display()))
        })
    }

    async fn carry_out(&self, interrupt: &Interrupt) -> Outcome {
        let mut command = Command::new(self.program);
        command.arg("run").arg(self.workload).arg("--out").arg(&self.folder).arg("--quiet");
        command.args(&self.flags).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // In good order: it has nodes of its own to end.
        cluster::bind_to_parent(command.as_std_mut(), Signal::TERM);
        let program = self.program.display();
        let mut child = command
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::surroundings(format!("{program} cannot be started: {error}")))?;
        let mut words = String::new();
        let mut said = child.stderr.take();
        let listening = async {
            if let Some(said) = &mut said {
                // What is no text is no message either.
                let _ = said.read_to_string(&mut words).await;
            }
        };
        let status = tokio::select! {
            (status, ()) = async { tokio::join!(child.wait(), listening) } => status,
            () = interrupt.stop.cancelled() => {
                end(&mut child).await;
                return Err(Failure { kind: Kind::Interrupted, message: String::new() });
            }
        };
        match status.map(|status| status.code()) {
            // Limits that were not held and runs that are no measurement are what a trial is to find out.
            Ok(Some(0 | 1 | 4)) => Ok(()),
            Ok(code) => Err(Failure::surroundings(format!(
                "a run of {program} ended with {}: {}",
                code.map_or("a signal".to_owned(), |code| format!("exit code {code}")),
                words.trim()
            ))),
            Err(error) => Err(Failure::surroundings(format!("{program}: {error}"))),
        }
    }
}

/// Has a run end in good order, as Ctrl-C would.
pub async fn end(child: &mut Child) {
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        // It may have ended just now.
        let _ = kill_process(pid, Signal::TERM);
    }
    let _ = timeout(ENDING, child.wait()).await;
}
