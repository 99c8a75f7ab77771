//! Loopback ports for nodes, safe among several `tpcw` at once and over restarts of a node.
//!
//! Ports lie below the range from which the system gives outgoing connections theirs: a node that is away must find its
//! port free when it comes back. A lock on a file named after the port keeps other `tpcw` off it meanwhile.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use crate::cache::Lock;
use crate::error::{Error, OnFile};

/// Above the ports of well-known services.
const LOWEST: u16 = 15_000;
/// Where outgoing ports begin when the system does not tell.
const OUTGOING_FROM: u16 = 32_768;
/// Ports looked at before giving up.
const TRIES: usize = 500;

/// Gives out ports.
#[derive(Debug)]
pub(crate) struct Ports {
    locks: PathBuf,
    end: u16,
}

/// A port that is ours as long as the value lives.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _lock: Lock,
}

impl Ports {
    /// Keeps its locks below the folder that all `tpcw` of this user share.
    pub(crate) fn new(root: &Path) -> Result<Self, Error> {
        let locks = root.join("ports");
        fs::create_dir_all(&locks).on("create the folder", &locks)?;
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        let outgoing =
            range.split_whitespace().next().and_then(|low| low.parse().ok()).unwrap_or(OUTGOING_FROM);
        // A system that gives out nearly all ports leaves no better choice than trying.
        let end = if outgoing > LOWEST + 1000 { outgoing } else { OUTGOING_FROM };
        Ok(Self { locks, end })
    }

    /// A port on which nobody listens.
    pub(crate) fn take(&self) -> Result<Port, Error> {
        let mut random = fs::File::open("/dev/urandom").on("open", Path::new("/dev/urandom"))?;
        for _ in 0..TRIES {
            let mut bytes = [0; 2];
            io::Read::read_exact(&mut random, &mut bytes).on("read", Path::new("/dev/urandom"))?;
            let number = LOWEST + u16::from_le_bytes(bytes) % (self.end - LOWEST);
            let path = self.locks.join(number.to_string());
            let Some(lock) = Lock::attempt(&path, FlockOperation::NonBlockingLockExclusive)? else {
                continue;
            };
            if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Port { number, _lock: lock });
            }
        }
        Err(Error::Spec(format!("no free port between {LOWEST} and {} on 127.0.0.1", self.end)))
    }
}

impl Port {
    /// The loopback address with this port.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_out_once_until_it_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let ports = Ports { end: LOWEST + 3, ..Ports::new(folder.path()).unwrap() };
        let held: Vec<Port> = (0..3).filter_map(|_| ports.take().ok()).collect();
        assert!(!held.is_empty(), "none of three ports is free on this machine");
        let mut numbers: Vec<u16> = held.iter().map(|p| p.number).collect();
        numbers.dedup();
        assert_eq!(numbers.len(), held.len());
        let all = held.len();
        assert!(ports.take().is_err() || all < 3);
        drop(held);
        assert!(ports.take().is_ok());
    }
}
