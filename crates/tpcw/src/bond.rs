//! Processes of this program that end with the one that started them, even if that is killed.

use std::io;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use tokio::process::Command;

/// Has the kernel ask the child to end in good order (SIGTERM) when the thread that starts it is gone. So it must be started
/// where commands are carried out, on the main thread, which lives as long as the process: a `kill -9` of this process then
/// ends the child too, and the child's own nodes with it.
pub fn to_our_life(command: &mut Command) {
    let parent = Pid::from_raw(std::process::id() as i32);
    let bind = move || {
        set_parent_process_death_signal(Some(Signal::TERM))?;
        // We may be gone already; then nothing would ever tell the child.
        if getppid() == parent { Ok(()) } else { Err(io::Error::other("the parent has ended")) }
    };
    // SAFETY: between fork and exec only two system calls are made, and no memory is allocated unless they fail.
    unsafe { command.pre_exec(bind) };
}
