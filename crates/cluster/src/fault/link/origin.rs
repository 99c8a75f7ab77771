//! Which node is at the other end of a connection: the one whose process holds the socket.
//!
//! All nodes reach each other from the same loopback address, so the address tells nothing. The kernel does: the table of
//! connections has the socket's inode, and the process's open files name it (proc(5), `/proc/net/tcp` and `/proc/pid/fd`).

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The processes of a cluster's nodes, by `server_id`.
#[derive(Debug, Default)]
pub struct Processes(Mutex<BTreeMap<u32, u32>>);

impl Processes {
    /// Notes a node's present process.
    pub fn set(&self, node: u32, pid: u32) {
        self.lock().insert(node, pid);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node that holds the end `client` of a connection to `door`; `None`: none of ours.
    pub(super) fn owner(&self, client: SocketAddr, door: SocketAddr) -> Option<u32> {
        let table = fs::read_to_string("/proc/net/tcp").ok()?;
        let inode = inode(&table, client, door)?;
        let wanted = format!("socket:[{inode}]");
        let nodes = self.lock().clone();
        nodes.into_iter().find(|(_, pid)| holds(*pid, &wanted)).map(|(node, _)| node)
    }
}

fn holds(pid: u32, socket: &str) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.into_iter().any(|file| fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == socket))
}

/// The inode of the socket `local`, connected to `remote`, in the kernel's table.
fn inode(table: &str, local: SocketAddr, remote: SocketAddr) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is = |field: usize, end| fields.get(field).and_then(|text| address(text)) == Some(end);
        (is(1, local) && is(2, remote)).then(|| fields.get(9)?.parse().ok()).flatten()
    })
}

/// `0100007F:1F90`: the address in the machine's own order of bytes, the port as a number.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let ip = Ipv4Addr::from(u32::from_str_radix(ip, 16).ok()?.to_ne_bytes());
    Some(SocketAddr::from((ip, u16::from_str_radix(port, 16).ok()?)))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_is_known_by_the_process_that_holds_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = listener.local_addr().unwrap();
        let client = TcpStream::connect(door).unwrap().local_addr().map(|address| (address, ()));
        let kept = TcpStream::connect(door).unwrap();
        let processes = Processes::default();
        assert_eq!(processes.owner(kept.local_addr().unwrap(), door), None, "no node is known");
        processes.set(7, std::process::id());
        assert_eq!(processes.owner(kept.local_addr().unwrap(), door), Some(7));
        assert_eq!(processes.owner(client.unwrap().0, door), None, "closed, nobody holds it");
    }
}
