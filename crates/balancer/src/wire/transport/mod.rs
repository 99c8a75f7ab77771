//! One stream to a client or a node, whatever lies between its bytes and the wire: nothing, TLS, compression, or
//! compression within TLS. The only code that touches a stream.
//!
//! Reading goes through tokio's `AsyncRead`, which after a short read asks the kernel no second time. Writing tries at
//! once and waits only when the peer is slow.

mod socket;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

pub use self::socket::Cutter;
use self::socket::{Below, Socket};
use self::stream::{Layered, Stream, Tls};
use super::compression::Compression;

/// Spare room that a buffer has before each read.
const ROOM: usize = 16 << 10;
/// The same for what comes ahead of its time, which is seldom anything.
const AHEAD_ROOM: usize = 64;

/// A connected stream.
#[derive(Debug)]
pub struct Transport {
    link: Link,
}

#[derive(Debug)]
enum Link {
    /// The bytes are sent as they are.
    Plain(Socket),
    /// Something lies in between.
    Layered(Box<Layered>),
    /// What was to lie in between could not be agreed on.
    Closed,
}

impl Transport {
    /// Nothing in between: bytes are sent as they are.
    pub fn plain(stream: TcpStream) -> Self {
        Self { link: Link::Plain(Socket::new(stream)) }
    }

    /// Reads once into the buffer; `false`: the peer has closed.
    ///
    /// # Errors
    /// The stream's own; `InvalidData` and `FileTooLarge` for what cannot or may not be unpacked.
    pub async fn read_more(&mut self, buffer: &mut BytesMut) -> io::Result<bool> {
        self.read_with_room(buffer, ROOM).await
    }

    /// As [`Transport::read_more`], with another spare room.
    ///
    /// # Errors
    /// As [`Transport::read_more`].
    pub async fn read_with_room(&mut self, buffer: &mut BytesMut, room: usize) -> io::Result<bool> {
        if buffer.capacity() - buffer.len() < room / 4 {
            buffer.reserve(room);
        }
        match &mut self.link {
            Link::Plain(socket) => socket.read(buffer).await,
            Link::Layered(layered) => layered.read(buffer, room).await,
            Link::Closed => Ok(false),
        }
    }

    /// Whether nothing lies in between: bytes are sent as they are.
    pub fn is_plain(&self) -> bool {
        matches!(self.link, Link::Plain(_))
    }

    /// As [`Transport::read_with_room`], for who polls. Only a plain stream is read; another one counts as closed.
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
        room: usize,
    ) -> Poll<io::Result<bool>> {
        if buffer.capacity() - buffer.len() < room / 4 {
            buffer.reserve(room);
        }
        match &mut self.link {
            Link::Plain(socket) => socket.poll_read(context, buffer),
            _ => Poll::Ready(Ok(false)),
        }
    }

    /// As [`Transport::poll_read`], with the room of [`Transport::read_more`].
    pub fn poll_read_more(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<bool>> {
        self.poll_read(context, buffer, ROOM)
    }

    /// Writes what a plain stream takes at once; returns how many bytes that were, none of another one.
    ///
    /// # Errors
    /// The stream's own.
    pub fn write_at_once(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.link {
            Link::Plain(socket) => socket.write_at_once(bytes),
            _ => Ok(0),
        }
    }

    /// Reads once what comes ahead of its time. A packed stream leaves it packed: it belongs to another command, with frames
    /// that count anew.
    ///
    /// # Errors
    /// As [`Transport::read_more`].
    pub async fn read_ahead(&mut self, buffer: &mut BytesMut) -> io::Result<bool> {
        if let Link::Layered(layered) = &mut self.link
            && layered.compression.is_some()
        {
            return layered.read_ahead(AHEAD_ROOM).await;
        }
        self.read_with_room(buffer, AHEAD_ROOM).await
    }

    /// Bytes that have come and are packed still.
    pub fn packed_ahead(&self) -> usize {
        match &self.link {
            Link::Layered(layered) => layered.compression.as_ref().map_or(0, Compression::held),
            _ => 0,
        }
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// The stream's own, or `TimedOut` for a peer that takes nothing for a minute.
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.link {
            Link::Plain(socket) => socket.write_all(bytes).await,
            Link::Layered(layered) => layered.write_all(bytes).await,
            Link::Closed => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Whether nothing has come since the last read. Asks the kernel only if it has reported something.
    pub fn is_quiet(&mut self) -> bool {
        match &mut self.link {
            Link::Plain(socket) => socket.is_quiet(),
            Link::Layered(layered) => layered.is_quiet(),
            Link::Closed => false,
        }
    }

    /// Whether nobody on the way can read along.
    pub fn is_secure(&self) -> bool {
        matches!(&self.link, Link::Layered(layered) if matches!(layered.stream, Stream::Tls(_)))
    }

    /// Whether bytes are packed.
    pub fn is_compressed(&self) -> bool {
        matches!(&self.link, Link::Layered(layered) if layered.compression.is_some())
    }

    /// The address of the other side.
    ///
    /// # Errors
    /// The socket's own: it is no longer connected.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket().ok_or(io::ErrorKind::NotConnected)?.peer_addr()
    }

    /// What cuts this stream from elsewhere.
    pub fn cutter(&self) -> Cutter {
        self.socket().map_or_else(Cutter::of_nothing, Socket::cutter)
    }

    fn socket(&self) -> Option<&Socket> {
        match &self.link {
            Link::Plain(socket) => Some(socket),
            Link::Layered(layered) => Some(layered.stream.socket()),
            Link::Closed => None,
        }
    }
}

/// What is put in between. Each of these leaves a closed stream behind when it fails or is dropped halfway.
impl Transport {
    /// Encrypts from here on, as a server. `ahead` is what has been read of the client's first message already.
    ///
    /// # Errors
    /// The client left, or there is nothing that both agree on.
    pub async fn accept_tls(&mut self, acceptor: &TlsAcceptor, ahead: BytesMut) -> io::Result<()> {
        let below = Below { socket: self.take_plain()?, ahead };
        let agreed = acceptor.accept(below).await?;
        self.put_tls(agreed.into());
        Ok(())
    }

    /// Encrypts from here on, as a client of the server of this name.
    ///
    /// # Errors
    /// The node left, there is nothing that both agree on, or its certificate is not accepted (`InvalidData`).
    pub async fn connect_tls(
        &mut self,
        connector: &TlsConnector,
        name: ServerName<'static>,
    ) -> io::Result<()> {
        let below = Below { socket: self.take_plain()?, ahead: BytesMut::new() };
        let agreed = connector.connect(name, below).await?;
        self.put_tls(agreed.into());
        Ok(())
    }

    /// Packs and unpacks from here on.
    pub fn compress(&mut self, compression: Compression) {
        self.link = match std::mem::replace(&mut self.link, Link::Closed) {
            Link::Plain(socket) => Link::Layered(Box::new(Layered {
                stream: Stream::Plain(socket),
                compression: Some(compression),
            })),
            Link::Layered(mut layered) => {
                layered.compression = Some(compression);
                Link::Layered(layered)
            }
            Link::Closed => Link::Closed,
        };
    }

    /// A command of a client begins: packed frames count from 0 again.
    pub fn begin_command(&mut self) {
        if let Link::Layered(layered) = &mut self.link
            && let Some(compression) = &mut layered.compression
        {
            compression.begin_command();
        }
    }

    /// What is sent next begins with the packet of this number, and a server would have flushed before it.
    pub fn follow_frames(&mut self, next: u8) {
        if let Link::Layered(layered) = &mut self.link
            && let Some(compression) = &mut layered.compression
        {
            compression.follow_frames(next);
        }
    }

    fn take_plain(&mut self) -> io::Result<Socket> {
        match std::mem::replace(&mut self.link, Link::Closed) {
            Link::Plain(socket) => Ok(socket),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn put_tls(&mut self, agreed: TlsStream<Below>) {
        self.link = Link::Layered(Box::new(Layered { stream: Stream::Tls(Tls(agreed)), compression: None }));
    }
}
