//! One stream to a client or a node, whatever lies between its bytes and the wire. The only code that touches a stream.
//!
//! Reading goes through tokio's `AsyncRead`, which after a short read asks the kernel no second time. Writing tries at
//! once and waits only when the peer is slow.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use socket2::SockRef;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Spare room that a buffer has before each read.
const ROOM: usize = 16 << 10;
/// A peer that takes nothing for longer is given up, as servers do (`net_write_timeout`).
const WRITE_LIMIT: Duration = Duration::from_secs(60);

/// A connected stream.
#[derive(Debug)]
pub struct Transport {
    socket: Socket,
}

/// A TCP stream whose writing half can be cut from elsewhere on the thread.
#[derive(Debug)]
struct Socket {
    reader: OwnedReadHalf,
    writer: Rc<OwnedWriteHalf>,
}

/// Cuts a stream that somebody else holds.
#[derive(Debug)]
pub struct Cutter(Weak<OwnedWriteHalf>);

impl Transport {
    /// Nothing in between: bytes are sent as they are.
    pub fn plain(stream: TcpStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { socket: Socket { reader, writer: Rc::new(writer) } }
    }

    /// Reads once into the buffer; `false`: the peer has closed.
    ///
    /// # Errors
    /// The stream's own.
    pub async fn read_more(&mut self, buffer: &mut BytesMut) -> io::Result<bool> {
        self.read_with_room(buffer, ROOM).await
    }

    /// As [`Transport::read_more`], with another spare room.
    ///
    /// # Errors
    /// The stream's own.
    pub async fn read_with_room(&mut self, buffer: &mut BytesMut, room: usize) -> io::Result<bool> {
        if buffer.capacity() - buffer.len() < room / 4 {
            buffer.reserve(room);
        }
        Ok(self.socket.reader.read_buf(buffer).await? > 0)
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// The stream's own, or `TimedOut` for a peer that takes nothing for a minute.
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// Whether nothing has come since the last read. Asks the kernel only if it has reported something.
    pub fn is_quiet(&mut self) -> bool {
        let stream = self.socket.stream();
        let mut context = Context::from_waker(Waker::noop());
        match stream.poll_read_ready(&mut context) {
            Poll::Pending => true,
            Poll::Ready(_) => {
                matches!(stream.try_read(&mut [0; 1]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
        }
    }

    /// Whether nobody on the way can read along.
    pub fn is_secure(&self) -> bool {
        false
    }

    /// The address of the other side.
    ///
    /// # Errors
    /// The socket's own: it is no longer connected.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.stream().peer_addr()
    }

    /// What cuts this stream from elsewhere.
    pub fn cutter(&self) -> Cutter {
        Cutter(Rc::downgrade(&self.socket.writer))
    }
}

impl Socket {
    fn stream(&self) -> &TcpStream {
        (*self.writer).as_ref()
    }

    async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        let stream = self.stream();
        while !bytes.is_empty() {
            match stream.try_write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    tokio::time::timeout(WRITE_LIMIT, stream.writable()).await??;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Cutter {
    /// Ends the stream in both directions; whoever waits on it sees it end.
    pub fn cut(&self) {
        if let Some(writer) = self.0.upgrade() {
            let _ = SockRef::from(AsRef::<TcpStream>::as_ref(&*writer)).shutdown(Shutdown::Both);
        }
    }

    /// Whether the stream is gone already.
    pub fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}
