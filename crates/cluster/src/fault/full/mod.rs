//! A disk that is full, for one process: what would make a file of its folder grow fails with `ENOSPC`; what overwrites what is there
//! goes on, as on a file system without free blocks.
//!
//! The process is started with a filter by which the kernel asks us before each write. Usually the answer is to go on.
//! A limit on the size of files (`RLIMIT_FSIZE`) would be simpler and would not do: servers take its `EFBIG` for something else than
//! a full disk. MariaDB 10.11 then undoes the transaction in its tables and still writes it to its binary log later on, so that
//! its followers have what it has not.

mod filter;

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::io::Errno;
use rustix::ioctl::{Updater, ioctl, opcode};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::JoinHandle;

use self::filter::{FALLOCATE, PWRITE, WRITE};

/// How `/proc` names the end through which the kernel asks.
const LISTENER: &str = "anon_inode:seccomp notify";

/// Has the process of a command ask before it writes; somebody has to [`watch`](Watched::begin) it then.
pub(crate) fn ask_before_writes(command: &mut Command) {
    // Where the kernel has no such filter, the node starts without.
    let set = || filter::set().or(Ok(()));
    // SAFETY: between fork and exec only system calls are made, and no memory is allocated.
    unsafe { command.pre_exec(set) };
}

/// A process whose writes are answered for. They wait for ever once this is dropped: the process goes first.
#[derive(Debug)]
pub(crate) struct Watched {
    full: Arc<AtomicBool>,
    answering: JoinHandle<()>,
}

impl Watched {
    /// Begins to answer for a process that has been started; `None`: it does not ask.
    pub(crate) fn begin(pid: Pid, folder: PathBuf) -> io::Result<Option<Self>> {
        let Some(listener) = listener(pid)? else { return Ok(None) };
        let full = Arc::new(AtomicBool::new(false));
        let answering = tokio::spawn(answer_all(listener, full.clone(), folder));
        Ok(Some(Self { full, answering }))
    }

    /// Fills its disk, or frees it.
    pub(crate) fn set_full(&self, full: bool) {
        self.full.store(full, Relaxed);
    }

    /// Whether its disk is full.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Relaxed)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

/// The process's end, as one of ours.
fn listener(pid: Pid) -> io::Result<Option<OwnedFd>> {
    for entry in fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero()))? {
        let entry = entry?;
        let number = entry.file_name().to_string_lossy().parse::<i32>();
        if let Ok(number) = number
            && fs::read_link(entry.path()).is_ok_and(|target| target == Path::new(LISTENER))
        {
            let process = pidfd_open(pid, PidfdFlags::empty())?;
            return Ok(Some(pidfd_getfd(&process, number, PidfdGetfdFlags::empty())?));
        }
    }
    Ok(None)
}

/// `struct seccomp_notif` with its `struct seccomp_data`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Question {
    id: u64,
    /// The thread that asks.
    pid: u32,
    flags: u32,
    number: i32,
    architecture: u32,
    instruction: u64,
    arguments: [u64; 6],
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Answer {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// Go on as if nobody had asked.
const CONTINUE: u32 = 1;
const RECEIVE: u32 = opcode::read_write::<Question>(b'!', 0);
const SEND: u32 = opcode::read_write::<Answer>(b'!', 1);

async fn answer_all(listener: OwnedFd, full: Arc<AtomicBool>, folder: PathBuf) {
    loop {
        if !asks(&listener).await.unwrap_or(false) {
            return;
        }
        match answer(&listener, &full, &folder) {
            Ok(()) => {}
            // Whoever asked has been killed meanwhile, or a signal came.
            Err(Errno::NOENT | Errno::INTR | Errno::AGAIN) => {}
            Err(error) => {
                tracing::warn!(%error, "the writes of a node cannot be answered for any more");
                return;
            }
        }
    }
}

/// Waits for a question; `false`: there is nobody left to ask. Registered anew each time, since the system tells only once that
/// questions are waiting, and taking one where none is waits for it.
async fn asks(listener: &OwnedFd) -> io::Result<bool> {
    // SAFETY: the descriptor is borrowed for as long as it is registered, and stays the same.
    let listener = unsafe { AsyncFd::register_with_interest(listener.as_fd(), Interest::READABLE) }?;
    let ready = listener.readable().await?;
    Ok(!ready.ready().is_read_closed())
}

/// Answers the first that is waiting.
fn answer(listener: &OwnedFd, full: &AtomicBool, folder: &Path) -> Result<(), Errno> {
    let mut question = Question::default();
    // SAFETY: the opcode goes with the type, which is zeroed as the kernel asks for.
    unsafe { ioctl(listener, Updater::<RECEIVE, Question>::new(&mut question)) }?;
    let refused = full.load(Relaxed) && grows(&question, folder).unwrap_or(false);
    let mut answer = Answer { id: question.id, ..Answer::default() };
    if refused {
        answer.error = -Errno::NOSPC.raw_os_error();
    } else {
        answer.flags = CONTINUE;
    }
    // SAFETY: the opcode goes with the type.
    unsafe { ioctl(listener, Updater::<SEND, Answer>::new(&mut answer)) }
}

/// Whether a write would make a file of the folder grow.
fn grows(question: &Question, folder: &Path) -> io::Result<bool> {
    let [file, _, length, offset, ..] = question.arguments;
    let file = format!("{}/fd/{}", process(question), file as i32);
    if !fs::read_link(&file)?.starts_with(folder) {
        return Ok(false);
    }
    let size = fs::metadata(&file)?.len();
    Ok(match question.number {
        FALLOCATE => true,
        PWRITE => offset + length > size,
        WRITE => position(question, size)? + length > size,
        _ => false,
    })
}

fn process(question: &Question) -> String {
    format!("/proc/{}", question.pid)
}

/// Where the next write to the question's file would begin (proc(5), `/proc/pid/fdinfo`).
fn position(question: &Question, size: u64) -> io::Result<u64> {
    const APPEND: u64 = 0o2000;
    let file = format!("{}/fdinfo/{}", process(question), question.arguments[0] as i32);
    let text = fs::read_to_string(file)?;
    let value = |name: &str, radix| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| u64::from_str_radix(value.trim(), radix).ok()).unwrap_or(0)
    };
    Ok(if value("flags:", 8) & APPEND != 0 { size } else { value("pos:", 10) })
}
