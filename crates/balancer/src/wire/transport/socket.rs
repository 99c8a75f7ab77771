//! The TCP stream below everything.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// A peer that takes nothing for longer is given up, as servers do (`net_write_timeout`).
pub(super) const WRITE_LIMIT: Duration = Duration::from_secs(60);

/// A TCP stream whose writing half can be cut from elsewhere on the thread.
#[derive(Debug)]
pub(super) struct Socket {
    reader: OwnedReadHalf,
    writer: Rc<OwnedWriteHalf>,
}

/// Cuts a stream that somebody else holds.
#[derive(Debug)]
pub struct Cutter(Weak<OwnedWriteHalf>);

impl Cutter {
    /// Cuts nothing.
    pub(super) fn of_nothing() -> Self {
        Self(Weak::new())
    }

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

impl Socket {
    pub fn new(stream: TcpStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader, writer: Rc::new(writer) }
    }

    pub fn stream(&self) -> &TcpStream {
        (*self.writer).as_ref()
    }

    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream().peer_addr()
    }

    pub fn cutter(&self) -> Cutter {
        Cutter(Rc::downgrade(&self.writer))
    }

    pub async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<bool> {
        Ok(self.reader.read_buf(buffer).await? > 0)
    }

    pub fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<bool>> {
        pin!(self.reader.read_buf(buffer)).poll(context).map_ok(|read| read > 0)
    }

    pub fn write_at_once(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.stream().try_write(bytes) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(0)
            }
            written => written,
        }
    }

    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
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

    /// Asks the kernel only if it has reported something.
    pub fn is_quiet(&self) -> bool {
        let stream = self.stream();
        let mut context = Context::from_waker(Waker::noop());
        match stream.poll_read_ready(&mut context) {
            Poll::Pending => true,
            Poll::Ready(_) => {
                matches!(stream.try_read(&mut [0; 1]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
        }
    }
}

/// A socket as the TLS layer wants it: bytes that were read too early come first.
#[derive(Debug)]
pub(super) struct Below {
    pub socket: Socket,
    pub ahead: BytesMut,
}

impl AsyncRead for Below {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.socket.reader).poll_read(context, buffer);
        }
        let taken = self.ahead.len().min(buffer.remaining());
        buffer.put_slice(&self.ahead[..taken]);
        self.ahead.advance(taken);
        if self.ahead.is_empty() {
            self.ahead = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl Below {
    /// Tries at once, and waits only when the peer is slow.
    fn poll_try(
        &self,
        context: &mut Context<'_>,
        attempt: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let stream = self.socket.stream();
        loop {
            match attempt(stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(stream.poll_write_ready(context))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

impl AsyncWrite for Below {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_try(context, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_try(context, |stream| stream.try_write_vectored(parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(self.socket.stream()).shutdown(Shutdown::Write))
    }
}
