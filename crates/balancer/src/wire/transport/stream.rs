//! What may lie between a session's bytes and the socket. Off the path of plain streams.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::socket::{Below, Socket, WRITE_LIMIT};
use crate::wire::compression::{Compression, Unpacked};

/// A stream with something in between.
#[derive(Debug)]
pub(super) struct Layered {
    pub stream: Stream,
    pub compression: Option<Compression>,
}

/// What compression lies on.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it stands in a box already, that of `Layered`")]
pub(super) enum Stream {
    Plain(Socket),
    Tls(Tls),
}

/// An encrypted stream. Says goodbye when it is dropped, as far as the peer takes it at once.
#[derive(Debug)]
pub(super) struct Tls(pub TlsStream<Below>);

impl Layered {
    /// As [`super::Transport::read_more`]. A packed frame is unpacked when it is whole, a part at a time.
    pub async fn read(&mut self, buffer: &mut BytesMut, room: usize) -> io::Result<bool> {
        let Some(compression) = &mut self.compression else { return self.stream.read(buffer).await };
        loop {
            match compression.unpack(buffer)? {
                Unpacked::Whole => return Ok(true),
                Unpacked::Part => {
                    // Much from one client: the others of the thread come in between.
                    tokio::task::yield_now().await;
                    return Ok(true);
                }
                Unpacked::Nothing => {
                    if !self.stream.read(compression.packed(room)).await? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// As [`super::Transport::read_ahead`], of a packed stream.
    pub async fn read_ahead(&mut self, room: usize) -> io::Result<bool> {
        match &mut self.compression {
            Some(compression) => self.stream.read(compression.packed(room)).await,
            None => Ok(true),
        }
    }

    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.compression {
            None => self.stream.write_all(bytes).await,
            Some(compression) => {
                let packed = compression.pack(bytes);
                self.stream.write_all(&packed).await
            }
        }
    }

    pub fn is_quiet(&mut self) -> bool {
        self.compression.as_ref().is_none_or(Compression::is_empty) && self.stream.is_quiet()
    }
}

impl Stream {
    pub fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &tls.0.get_ref().0.socket,
        }
    }

    async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<bool> {
        match self {
            Self::Plain(socket) => socket.read(buffer).await,
            Self::Tls(tls) => match tls.0.read_buf(buffer).await {
                Ok(read) => Ok(read > 0),
                // Without a goodbye. The protocol above tells where things end.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
                Err(error) => Err(error),
            },
        }
    }

    async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes).await,
            Self::Tls(tls) => {
                while !bytes.is_empty() {
                    match patiently(tls.0.write(bytes)).await? {
                        0 => return Err(io::ErrorKind::WriteZero.into()),
                        written => bytes = &bytes[written..],
                    }
                }
                patiently(tls.0.flush()).await
            }
        }
    }

    fn is_quiet(&mut self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_quiet(),
            // What is no message for us (a new ticket) is taken in on the way.
            Self::Tls(tls) => {
                let mut byte = [0; 1];
                let mut buffer = ReadBuf::new(&mut byte);
                let mut context = Context::from_waker(Waker::noop());
                Pin::new(&mut tls.0).poll_read(&mut context, &mut buffer).is_pending()
            }
        }
    }
}

/// Waits for a peer that does not take anything, for as long as servers do. Looks at no clock when it does.
async fn patiently<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let mut work = pin!(work);
    match poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
        Poll::Ready(result) => result,
        Poll::Pending => tokio::time::timeout(WRITE_LIMIT, work).await?,
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let goodbye = |below: &Below, write: &mut dyn FnMut(&mut dyn io::Write) -> io::Result<usize>| {
            let _ = write(&mut AtOnce(below.socket.stream()));
        };
        match &mut self.0 {
            TlsStream::Server(stream) => {
                let (below, connection) = stream.get_mut();
                connection.send_close_notify();
                goodbye(below, &mut |wire| connection.write_tls(&mut &mut *wire));
            }
            TlsStream::Client(stream) => {
                let (below, connection) = stream.get_mut();
                connection.send_close_notify();
                goodbye(below, &mut |wire| connection.write_tls(&mut &mut *wire));
            }
        }
    }
}

/// Writes what is taken at once.
struct AtOnce<'a>(&'a TcpStream);

impl io::Write for AtOnce<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
