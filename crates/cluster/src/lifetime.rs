//! Child processes that never outlive us, however we end.
//!
//! Each child asks the kernel for SIGKILL when its parent goes (`PR_SET_PDEATHSIG`), which holds for stopped children and
//! after `kill -9` of the parent as well. The kernel means the parent *thread*: so all children of a cluster are started
//! by one thread of its own that lives as long as the cluster. When the cluster is dropped the thread ends, and even a
//! child that everything else has overlooked goes with it.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use tokio::sync::oneshot;

/// Starts of processes that may wait at once; each takes some milliseconds.
const WAITING: usize = 16;

struct Job {
    command: Command,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// The thread that starts children and on whose life theirs depends.
#[derive(Debug)]
pub(crate) struct Nursery {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Nursery {
    /// Starts the thread.
    pub(crate) fn new() -> io::Result<Self> {
        let (jobs, inbox) = sync_channel(WAITING);
        let thread = std::thread::Builder::new().name("nursery".to_owned()).spawn(move || tend(&inbox))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Starts a child in a process group of its own, so that Ctrl-C in a terminal reaches only us, and
    /// bound to our life.
    pub(crate) async fn spawn(&self, mut command: Command) -> io::Result<Child> {
        command.process_group(0);
        bind_to_parent(&mut command, Signal::KILL);
        let (reply, answer) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts processes has ended");
        self.jobs.as_ref().ok_or_else(gone)?.try_send(Job { command, reply }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Drop for Nursery {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // The loop ends with the last sender; it holds nothing that could panic.
            let _ = thread.join();
        }
    }
}

fn tend(inbox: &Receiver<Job>) {
    while let Ok(Job { mut command, reply }) = inbox.recv() {
        if let Err(Ok(mut orphan)) = reply.send(command.spawn()) {
            // Whoever asked has given up: nobody else knows of this child.
            let _ = orphan.kill();
            let _ = orphan.wait();
        }
    }
}

/// Has the kernel send the child `signal` when the thread that starts it is gone, however it went. A child that is started where the
/// process lives as long as it, on the main thread, ends with the process, even after `kill -9`.
pub fn bind_to_parent(command: &mut Command, signal: Signal) {
    let parent = Pid::from_raw(std::process::id() as i32);
    let bind = move || {
        set_parent_process_death_signal(Some(signal))?;
        // The parent may have died before the request was made; then nothing would ever tell us.
        if getppid() == parent { Ok(()) } else { Err(io::Error::other("the parent has ended")) }
    };
    // SAFETY: between fork and exec only two system calls are made, and no memory is allocated unless they fail.
    unsafe { command.pre_exec(bind) };
}
