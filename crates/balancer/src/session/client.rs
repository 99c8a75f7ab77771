//! The client's side of a session: its stream, what has come from it, what was agreed on.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};

use super::lull::Lull;
use super::memory::{BASE, Held, Memory};
use crate::wire::capabilities::Capabilities;
use crate::wire::codec::{Front, front, renumber};
use crate::wire::compression::Algorithm;
use crate::wire::packet::{HEADER, Malformed, put_packet};
use crate::wire::reply;
use crate::wire::trackers::Trackers;
use crate::wire::transport::Transport;

/// Spare room for what a client says; most commands are short. It grows with what comes, not with what is announced.
const ROOM: usize = 1 << 10;
/// A buffer that has grown beyond this is given up when nothing has come for a while.
const KEPT_IDLE: usize = 4 << 10;
/// That while, in beats.
const IDLE: u32 = 2;
/// A buffer that has grown beyond this is given up after the command.
const KEPT: usize = 256 << 10;

/// COM_QUIT as a packet.
const QUIT: [u8; 5] = [1, 0, 0, 0, 1];
/// The server's words for error 1153.
const TOO_BIG: &str = "Got a packet bigger than 'max_allowed_packet' bytes";

/// Why a session ends.
#[derive(Debug, thiserror::Error)]
pub enum Gone {
    /// The client left, or its connection broke.
    #[error("the client is gone: {0}")]
    Io(#[from] io::Error),
    /// The client broke the protocol; it has been told.
    #[error("the client broke the protocol: {0}")]
    Malformed(#[from] Malformed),
    /// It said goodbye, or it had to be sent away.
    #[error("the session is over")]
    Over,
}

/// What [`Client::poll_command`] has met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A whole command.
    Command,
    /// It needs a buffer, and all sessions together hold too much already.
    TooMuch,
    /// Anything else, which [`Client::receive`] deals with.
    Otherwise,
}

/// A connected client.
#[derive(Debug)]
pub struct Client {
    /// To and from it.
    pub stream: Transport,
    /// What has come from it; the command under way stands at the front.
    pub buffer: BytesMut,
    /// Bytes of the command under way, with headers.
    pub command: usize,
    /// The sequence number of the next packet to it.
    pub sequence: u8,
    /// What was agreed on.
    pub capabilities: Capabilities,
    /// How bytes are packed once it has logged in, if they are.
    pub packing: Option<Algorithm>,
    /// The id that it was greeted with.
    pub id: u32,
    /// How long it has been waited for, or has waited.
    pub lull: Rc<Lull>,
    /// What of its session's changes it is told.
    pub trackers: Trackers,
    held: Held,
    /// The buffer is empty and has grown.
    large: bool,
}

impl Client {
    /// A client that has said nothing yet.
    pub fn new(stream: Transport, id: u32, memory: Arc<Memory>) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            command: 0,
            sequence: 0,
            capabilities: Capabilities::default(),
            packing: None,
            id,
            lull: Rc::default(),
            trackers: Trackers::default(),
            held: Held::new(memory),
            large: false,
        }
    }

    /// Whether nobody on the way can read along: a password may be sent as it is.
    pub fn is_secure(&self) -> bool {
        self.stream.is_secure()
    }

    /// What [`Client::receive`] does for a plain stream whose next command comes as it should, for who polls. The command
    /// before has to be finished.
    pub fn poll_command(&mut self, context: &mut Context<'_>, limit: usize) -> Poll<Heard> {
        if !self.stream.is_plain() || (self.large && self.buffer.is_empty()) {
            return Poll::Ready(Heard::Otherwise);
        }
        loop {
            match front(&self.buffer, Some(0), limit) {
                Ok(Front::Whole(length, last)) => {
                    self.command = length;
                    self.sequence = last.wrapping_add(1);
                    return Poll::Ready(Heard::Command);
                }
                Ok(Front::Partial) => {}
                Ok(Front::TooLong) | Err(_) => return Poll::Ready(Heard::Otherwise),
            }
            match ready!(self.stream.poll_read(context, &mut self.buffer, ROOM)) {
                Ok(true) if self.has_memory() => {}
                Ok(true) => return Poll::Ready(Heard::TooMuch),
                Ok(false) | Err(_) => return Poll::Ready(Heard::Otherwise),
            }
        }
    }

    /// Counts what the buffer holds; `false`: all sessions together hold too much.
    fn has_memory(&mut self) -> bool {
        self.buffer.capacity() <= BASE || self.held.set(self.buffer.capacity()).is_ok()
    }

    /// Waits for a whole command whose packets count from `sequence`; it replaces the one before.
    pub async fn receive(&mut self, sequence: u8, limit: usize) -> Result<(), Gone> {
        self.finish_command();
        if sequence == 0 {
            self.stream.begin_command();
        }
        let compressed = self.stream.is_compressed();
        loop {
            match front(&self.buffer, (!compressed).then_some(sequence), limit) {
                Ok(Front::Whole(length, mut last)) => {
                    self.command = length;
                    if compressed {
                        last = renumber(&mut self.buffer[..length], sequence);
                    }
                    self.sequence = last.wrapping_add(1);
                    self.stream.follow_frames(self.sequence);
                    return Ok(());
                }
                Ok(Front::Partial) => {}
                Ok(Front::TooLong) => {
                    self.sequence = sequence.wrapping_add(1);
                    self.error(1153, "08S01", TOO_BIG).await?;
                    return Err(Gone::Over);
                }
                Err(error) => {
                    self.sequence = sequence.wrapping_add(1);
                    self.error(1156, "08S01", "Got packets out of order").await?;
                    return Err(error.into());
                }
            }
            match self.read().await {
                Ok(true) => {}
                Ok(false) => return Err(Gone::Over),
                Err(error) => return Err(self.unreadable(sequence, error).await),
            }
            if !self.has_memory() {
                self.sequence = sequence.wrapping_add(1);
                self.out_of_memory().await?;
                return Err(Gone::Over);
            }
        }
    }

    /// Reads once. A client that is idle costs no large buffer.
    async fn read(&mut self) -> io::Result<bool> {
        if self.large && self.buffer.is_empty() {
            let read = {
                let mut read = pin!(self.stream.read_with_room(&mut self.buffer, ROOM));
                poll_fn(|context| match read.as_mut().poll(context) {
                    Poll::Ready(read) => Poll::Ready(Some(read)),
                    Poll::Pending if self.lull.has_lasted(IDLE, context) => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                })
                .await
            };
            match read {
                Some(read) => return read,
                None => self.give_up_buffer(),
            }
        }
        self.stream.read_with_room(&mut self.buffer, ROOM).await
    }

    fn give_up_buffer(&mut self) {
        self.buffer = BytesMut::new();
        self.large = false;
        let less = self.held.set(0);
        debug_assert!(less.is_ok(), "less is never refused");
    }

    /// Tells that all sessions together hold too much already.
    pub async fn out_of_memory(&mut self) -> Result<(), Gone> {
        let message =
            "Out of memory: the sessions of the balancer hold as much as `limits.memory_bytes` allows";
        self.error(1041, "HY000", message).await
    }

    /// What came cannot be read; a client that can be told is told.
    async fn unreadable(&mut self, sequence: u8, error: io::Error) -> Gone {
        self.sequence = sequence.wrapping_add(1);
        let told = match error.kind() {
            io::ErrorKind::FileTooLarge => self.error(1153, "08S01", TOO_BIG).await,
            io::ErrorKind::InvalidData if self.stream.is_compressed() => {
                self.error(1157, "08S01", "Couldn't uncompress communication packet").await
            }
            _ => Ok(()),
        };
        told.err().unwrap_or(Gone::Io(error))
    }

    /// Bytes that have come beyond the command under way.
    pub fn ahead(&self) -> usize {
        self.buffer.len() - self.command + self.stream.packed_ahead()
    }

    /// Whether nothing has come beyond the command under way but a goodbye.
    pub fn has_nothing_to_add(&self) -> bool {
        match &self.buffer[self.command..] {
            // A packed COM_QUIT is that with the header of a frame.
            [] => self.stream.packed_ahead() <= 7 + QUIT.len(),
            ahead => *ahead == QUIT && self.stream.packed_ahead() == 0,
        }
    }

    /// Gives up the command under way.
    pub fn finish_command(&mut self) {
        let command = std::mem::take(&mut self.command);
        if command == 0 {
            return;
        }
        self.buffer.advance(command);
        if self.buffer.is_empty() {
            // What has been advanced over counts as no capacity, and is there all the same.
            let capacity = command + self.buffer.capacity();
            self.large = capacity > KEPT_IDLE;
            if capacity > KEPT {
                self.give_up_buffer();
            }
        }
    }

    /// The payload of the command under way; of a very long one the part in its first packet.
    pub fn payload(&self) -> &[u8] {
        let command = &self.buffer[..self.command];
        let first = crate::wire::packet::header(command).map_or(0, |(length, _)| length);
        command.get(HEADER..HEADER + first).unwrap_or_default()
    }

    /// Writes another id over that of the prepared statement which the command under way names.
    pub fn name_statement(&mut self, id: u32) {
        let at = HEADER + crate::wire::prepared::ID.start;
        self.buffer[at..at + 4].copy_from_slice(&id.to_le_bytes());
    }

    /// Sends a payload of the balancer's own as the next packet.
    pub async fn send(&mut self, payload: &[u8]) -> Result<(), Gone> {
        let mut packet = Vec::with_capacity(payload.len() + HEADER);
        self.sequence = put_packet(&mut packet, self.sequence, payload);
        Ok(self.stream.write_all(&packet).await?)
    }

    /// Answers with an error of the balancer's own.
    pub async fn error(&mut self, code: u16, state: &str, message: &str) -> Result<(), Gone> {
        self.send(&reply::err(code, state, message)).await
    }

    /// Answers with OK.
    pub async fn ok(&mut self, status: u16) -> Result<(), Gone> {
        self.send(&reply::ok(status)).await
    }
}

impl Client {
    /// The payload of the command under way, put together from all its packets.
    pub fn whole_payload(&self) -> Vec<u8> {
        let mut rest = &self.buffer[..self.command];
        let mut payload = Vec::with_capacity(rest.len());
        while let Some((length, _)) = crate::wire::packet::header(rest) {
            let end = (HEADER + length).min(rest.len());
            payload.extend_from_slice(&rest[HEADER..end]);
            rest = &rest[end..];
        }
        payload
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn a_buffer_that_has_grown_is_given_up_by_who_is_idle() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let near = Transport::plain(listener.accept().await.unwrap().0);
        let mut client = Client::new(near, 1, Arc::new(Memory::new(1 << 30)));
        let mut command = Vec::new();
        put_packet(&mut command, 0, &[3; 3 * KEPT_IDLE]);
        far.write_all(&command).await.unwrap();
        client.receive(0, 1 << 20).await.unwrap();
        assert!(client.buffer.capacity() > KEPT_IDLE);
        let lull = client.lull.clone();
        lull.restart();
        let beats = async {
            for _ in 0..IDLE {
                tokio::time::sleep(Duration::from_millis(20)).await;
                lull.beat();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        tokio::select! {
            biased;
            received = client.receive(0, 1 << 20) => panic!("nothing was said: {received:?}"),
            () = beats => {}
        }
        assert!(client.buffer.capacity() <= ROOM, "{}", client.buffer.capacity());
        put_packet(&mut command, 0, b"\x0e");
        far.write_all(&command).await.unwrap();
        client.receive(0, 1 << 20).await.unwrap();
        assert_eq!(client.payload().len(), 3 * KEPT_IDLE, "whatever it says next is read");
    }
}
