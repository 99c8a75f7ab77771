//! Which node is at the other end of a connection: the one whose process holds the socket.
//!
//! All nodes reach each other from the same loopback address, so the address tells nothing. The kernel does: the table of
//! connections has the socket's inode, and the process's open files name it (proc(5), `/proc/net/tcp` and `/proc/pid/fd`).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The processes of a cluster's nodes, by `server_id`.
#[derive(Debug, Default)]
pub struct Processes {
    pids: Mutex<BTreeMap<u32, u32>>,
    /// Whoever looks into the kernel's tables: a fault may have hundreds of connections ask at once.
    looking: tokio::sync::Mutex<()>,
}

impl Processes {
    /// Notes a node's present process.
    pub fn set(&self, node: u32, pid: u32) {
        self.lock().insert(node, pid);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, u32>> {
        self.pids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node that holds the end `client` of a connection to `door`; `None`: none of ours. One question at a time.
    pub(super) async fn owner(self: &Arc<Self>, client: SocketAddr, door: SocketAddr) -> Option<u32> {
        let _turn = self.looking.lock().await;
        let processes = self.clone();
        tokio::task::spawn_blocking(move || processes.look(client, door)).await.ok().flatten()
    }

    fn look(&self, client: SocketAddr, door: SocketAddr) -> Option<u32> {
        let inode = inode(BufReader::new(File::open("/proc/net/tcp").ok()?), client, door).ok()??;
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
fn inode(mut table: impl BufRead, local: SocketAddr, remote: SocketAddr) -> io::Result<Option<u64>> {
    let mut line = String::new();
    while table.read_line(&mut line)? > 0 {
        let mut fields = line.split_whitespace().skip(1);
        let mut is = |end| fields.next().and_then(address) == Some(end);
        if is(local) && is(remote) {
            return Ok(fields.nth(6).and_then(|inode| inode.parse().ok()));
        }
        line.clear();
    }
    Ok(None)
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

    #[tokio::test]
    async fn a_connection_is_known_by_the_process_that_holds_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = listener.local_addr().unwrap();
        let client = TcpStream::connect(door).unwrap().local_addr().map(|address| (address, ()));
        let kept = TcpStream::connect(door).unwrap();
        let processes = Arc::new(Processes::default());
        assert_eq!(processes.owner(kept.local_addr().unwrap(), door).await, None, "no node is known");
        processes.set(7, std::process::id());
        assert_eq!(processes.owner(kept.local_addr().unwrap(), door).await, Some(7));
        assert_eq!(processes.owner(client.unwrap().0, door).await, None, "closed, nobody holds it");
    }
}
