//! Where spoilt connections go.
//!
//! A connection dropped inside a runtime is cleaned up by a task that waits for the server's answer, which a hung server
//! never gives: sockets and tasks would pile up just when a node is ill. Dropped on a plain thread its socket is closed at
//! once.

use std::sync::mpsc::{SyncSender, sync_channel};

use mysql_async::Conn;

/// Connections that may wait to be closed. More than that are dropped where they are, which only costs time.
const WAITING: usize = 1024;

/// Hands connections to the closing thread, which ends with the last handle.
#[derive(Clone, Debug)]
pub(super) struct Undertaker {
    sender: SyncSender<Conn>,
}

impl Undertaker {
    pub(super) fn start() -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel::<Conn>(WAITING);
        std::thread::Builder::new()
            .name("undertaker".into())
            .spawn(move || receiver.into_iter().for_each(drop))?;
        Ok(Self { sender })
    }

    /// Closes the connection's socket without a word to the server.
    pub(super) fn bury(&self, conn: Conn) {
        // Full or gone: the connection comes back in the error and is dropped here.
        let _ = self.sender.try_send(conn);
    }
}
