//! The part of a watched process that is set up between fork and exec: a seccomp filter that lets the kernel ask before each write
//! (seccomp(2), seccomp_unotify(2)). It needs no rights, and it holds for everything that the process does from then on.

use std::ffi::{c_long, c_uint};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use rustix::io::{FdFlags, fcntl_setfd};

#[cfg(target_arch = "x86_64")]
mod numbers {
    pub(super) const ARCHITECTURE: u32 = 0xC000_003E;
    pub(super) const SECCOMP: i64 = 317;
    pub(in super::super) const WRITE: i32 = 1;
    pub(in super::super) const PWRITE: i32 = 18;
    pub(in super::super) const FALLOCATE: i32 = 285;
}

#[cfg(target_arch = "aarch64")]
mod numbers {
    pub(super) const ARCHITECTURE: u32 = 0xC000_00B7;
    pub(super) const SECCOMP: i64 = 277;
    pub(in super::super) const WRITE: i32 = 64;
    pub(in super::super) const PWRITE: i32 = 68;
    pub(in super::super) const FALLOCATE: i32 = 47;
}

use numbers::{ARCHITECTURE, SECCOMP};
pub(super) use numbers::{FALLOCATE, PWRITE, WRITE};

/// One instruction of the kernel's filter machine (`struct sock_filter`).
#[repr(C)]
#[derive(Clone, Copy)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    value: u32,
}

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    length: u16,
    first: *const Instruction,
}

const fn load(offset: u32) -> Instruction {
    Instruction { code: 0x20, if_true: 0, if_false: 0, value: offset }
}

const fn jump(code: u16, value: u32, if_true: u8, if_false: u8) -> Instruction {
    Instruction { code, if_true, if_false, value }
}

const fn end(value: u32) -> Instruction {
    Instruction { code: 0x06, if_true: 0, if_false: 0, value }
}

const EQUALS: u16 = 0x15;
const IS_GREATER: u16 = 0x25;
/// Offsets in `struct seccomp_data`: number, architecture, low half of the third argument.
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const LENGTH_AT: u32 = 32;
const ALLOW: u32 = 0x7FFF_0000;
const ASK: u32 = 0x7FC0_0000;
/// Writes up to this many bytes are not asked for: by one of them a child tells its parent that exec has failed.
const TINY: u32 = 8;

const FILTER: [Instruction; 10] = [
    load(ARCHITECTURE_AT),
    jump(EQUALS, ARCHITECTURE, 0, 6),
    load(NUMBER_AT),
    jump(EQUALS, PWRITE as u32, 5, 0),
    jump(EQUALS, FALLOCATE as u32, 4, 0),
    jump(EQUALS, WRITE as u32, 0, 2),
    load(LENGTH_AT),
    jump(IS_GREATER, TINY, 1, 0),
    end(ALLOW),
    end(ASK),
];

unsafe extern "C" {
    /// Of the system's C library: the one system call that has no wrapper there.
    fn syscall(number: c_long, ...) -> c_long;
}

/// Sets the filter for the calling thread and all that comes of it. The end through which the kernel asks stays open over exec;
/// from now on each write waits until somebody answers there.
///
/// Makes system calls only, and allocates nothing: it may be called between fork and exec.
pub(super) fn set() -> io::Result<()> {
    const SET_MODE_FILTER: c_uint = 1;
    const NEW_LISTENER: c_uint = 1 << 3;
    rustix::thread::set_no_new_privs(true)?;
    let program = Program { length: FILTER.len() as u16, first: FILTER.as_ptr() };
    // SAFETY: seccomp(2) reads the program, which lives until it returns; every pointer in it is valid.
    let listener = unsafe { syscall(SECCOMP as c_long, SET_MODE_FILTER, NEW_LISTENER, &raw const program) };
    let listener = i32::try_from(listener).ok().filter(|listener| *listener >= 0);
    let listener = listener.ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel has just made it, for nobody else.
    let listener = unsafe { OwnedFd::from_raw_fd(listener) };
    fcntl_setfd(&listener, FdFlags::empty())?;
    std::mem::forget(listener);
    Ok(())
}
