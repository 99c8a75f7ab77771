//! A running server process: start, ready, signal, wait, log.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use crate::account::Account;
use crate::admin::Admin;
use crate::error::{Error, OnFile};
use crate::fault::full::{Watched, ask_before_writes};
use crate::lifetime::Nursery;
use crate::program::ServerProgram;

/// How often a starting or ending process is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// The end of a log that goes into messages.
const LOG_TAIL_BYTES: u64 = 16 << 10;

/// A child process. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Mutex<Child>,
    pid: Pid,
    /// Who answers for its writes; dropped when it is gone.
    watched: Option<Watched>,
}

impl Process {
    /// Starts the server with a settings file, and watches over what it writes into the folder `watched`; its own log is named there, what it says before goes to `early_log`.
    pub(crate) async fn start(
        nursery: &Nursery,
        program: &ServerProgram,
        settings: &Path,
        early_log: &Path,
        watched: Option<&Path>,
    ) -> Result<Self, Error> {
        let log = File::options().create(true).append(true).open(early_log).on("write", early_log)?;
        let again = log.try_clone().on("write", early_log)?;
        let mut command = program.command();
        command.arg(format!("--defaults-file={}", settings.display()));
        command.stdout(Stdio::from(log)).stderr(Stdio::from(again));
        let Some(folder) = watched else { return Self::spawn(nursery, command).await };
        ask_before_writes(&mut command);
        let mut process = Self::spawn(nursery, command).await?;
        let watched = Watched::begin(process.pid, folder.to_owned());
        let what = || format!("watch the writes of process {}", process.pid());
        process.watched = watched.map_err(|source| Error::Process { what: what(), source })?;
        Ok(process)
    }

    /// Starts any command as a child of ours.
    pub(crate) async fn spawn(nursery: &Nursery, mut command: Command) -> Result<Self, Error> {
        command.stdin(Stdio::null());
        Self::spawn_as_is(nursery, command).await
    }

    /// Starts any command as a child of ours that reads from a file.
    pub(crate) async fn spawn_reading(
        nursery: &Nursery,
        mut command: Command,
        input: File,
    ) -> Result<Self, Error> {
        command.stdin(Stdio::from(input));
        Self::spawn_as_is(nursery, command).await
    }

    /// Starts any command as a child of ours, with the ends that it was given.
    pub(crate) async fn spawn_as_is(nursery: &Nursery, command: Command) -> Result<Self, Error> {
        let what = format!("start {}", command.get_program().to_string_lossy());
        let child = nursery.spawn(command).await.map_err(|source| Error::Process { what, source })?;
        let pid = Pid::from_child(&child);
        Ok(Self { child: Mutex::new(child), pid, watched: None })
    }

    /// Who answers for its writes, if they are watched.
    pub(crate) fn watched(&self) -> Option<&Watched> {
        self.watched.as_ref()
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait().ok().flatten()
    }

    /// Sends a signal, unless it has ended: its number may be somebody else's by then.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Error> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(child.try_wait(), Ok(None)) {
            kill_process(self.pid, signal).map_err(|e| Error::Process {
                what: format!("signal process {}", self.pid()),
                source: e.into(),
            })?;
        }
        Ok(())
    }

    /// Stops it in its tracks; returns when the last of its threads stands still, some of which may go on for a moment
    /// after the signal.
    pub(crate) async fn pause(&self) -> Result<(), Error> {
        self.signal(Signal::STOP)?;
        let limit = Duration::from_secs(5);
        let end = Instant::now() + limit;
        while self.ended().is_none() && !self.stands_still() {
            if Instant::now() >= end {
                return Err(Error::TimedOut { what: format!("the stop of process {}", self.pid()), limit });
            }
            sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// Whether every thread is in state `T`, stopped (proc(5), `/proc/pid/stat`).
    fn stands_still(&self) -> bool {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid()));
        threads.into_iter().flatten().flatten().all(|thread| {
            // A thread that is gone by now does nothing either.
            std::fs::read_to_string(thread.path().join("stat"))
                .map_or(true, |stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
        })
    }

    /// Waits until it has ended.
    pub(crate) async fn wait(&self, limit: Duration) -> Result<ExitStatus, Error> {
        let end = Instant::now() + limit;
        loop {
            match self.ended() {
                Some(status) => return Ok(status),
                None if Instant::now() >= end => {
                    return Err(Error::TimedOut {
                        what: format!("the end of process {}", self.pid()),
                        limit,
                    });
                }
                None => sleep(LOOK).await,
            }
        }
    }

    /// Kills it and waits for its end.
    pub(crate) async fn kill(&self) -> Result<(), Error> {
        self.signal(Signal::KILL)?;
        self.wait(Duration::from_secs(10)).await.map(drop)
    }

    /// Waits until the server lets `account` in, or has ended, or `limit` has passed.
    pub(crate) async fn ready(
        &self,
        address: SocketAddr,
        account: &Account,
        limit: Duration,
    ) -> Result<Admin, NotReady> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended() {
                return Err(NotReady::Ended(status));
            }
            // Not before the server has run its init file can this account log in: success means ready, and ours.
            match Admin::connect(address, account, Duration::from_secs(2)).await {
                Ok(admin) => return Ok(admin),
                Err(e) if Instant::now() >= end => return Err(NotReady::TimedOut(e.to_string())),
                Err(_) => sleep(LOOK * 2).await,
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        if matches!(child.try_wait(), Ok(None)) {
            let _ = child.kill();
            // A killed process is gone within milliseconds; reaping it here leaves no zombie.
            let _ = child.wait();
        }
    }
}

/// Why a started server does not serve.
#[derive(Debug)]
pub(crate) enum NotReady {
    Ended(ExitStatus),
    TimedOut(String),
}

impl std::fmt::Display for NotReady {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ended(status) => write!(f, "the process ended ({status})"),
            Self::TimedOut(last) => write!(f, "it let nobody in: {last}"),
        }
    }
}

/// The last lines of a log, at most `lines`; empty when there is none.
pub(crate) fn log_tail(path: &Path, lines: usize) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Whether a log says that the port was taken.
pub(crate) fn port_was_taken(log: &str) -> bool {
    log.contains("Can't start server: Bind on TCP/IP port") || log.contains("Address already in use")
}
