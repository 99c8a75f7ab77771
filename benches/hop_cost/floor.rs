//! The floor: forwarders that look at nothing. What they cost is what the kernel takes for one more hop, so nothing that
//! reads what it forwards can be cheaper on the same machine.
//!
//! [`on_tokio`] has the shape of the balancer: a single-threaded runtime a core, one task a session. [`on_epoll`] does
//! the same on the bare system calls. The difference between the two is what the runtime takes.

use std::future::poll_fn;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream as AsyncStream;
use tokio::sync::mpsc;

/// As much as is moved at once.
const PIECE: usize = 16 << 10;
/// Sessions that may wait for their thread.
const HANDOVER: usize = 64;

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Accepts for ever, and connects each client to the target; `take` gets the number of the session and both ends.
fn accept(
    listener: &TcpListener,
    to: SocketAddr,
    mut take: impl FnMut(usize, TcpStream, TcpStream) -> io::Result<()>,
) -> io::Result<()> {
    for number in 0.. {
        let (client, _) = listener.accept()?;
        let node = TcpStream::connect(to)?;
        for end in [&client, &node] {
            end.set_nodelay(true)?;
            end.set_nonblocking(true)?;
        }
        take(number, client, node)?;
    }
    Ok(())
}

/// Forwards for ever: a single-threaded runtime a core, a task a session.
pub fn on_tokio(listener: &TcpListener, to: SocketAddr) -> io::Result<()> {
    let mut loops = Vec::new();
    for _ in 0..threads() {
        let (sender, mut sessions) = mpsc::channel::<(TcpStream, TcpStream)>(HANDOVER);
        loops.push(sender);
        std::thread::spawn(move || -> io::Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(tokio::runtime::LocalOptions::default())?;
            runtime.block_on(async move {
                while let Some((client, node)) = sessions.recv().await {
                    let ends = [AsyncStream::from_std(client)?, AsyncStream::from_std(node)?];
                    tokio::task::spawn_local(forward(ends));
                }
                Ok(())
            })
        });
    }
    accept(listener, to, |number, client, node| {
        loops[number % loops.len()].blocking_send((client, node)).map_err(io::Error::other)
    })
}

/// One session: whatever comes from either end goes to the other, until one of them closes.
async fn forward(mut ends: [AsyncStream; 2]) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        let (from, read) = poll_fn(|context| {
            for (from, end) in ends.iter_mut().enumerate() {
                let mut into = ReadBuf::new(&mut buffer);
                if let Poll::Ready(read) = Pin::new(end).poll_read(context, &mut into) {
                    return Poll::Ready((from, read.map(|()| into.filled().len())));
                }
            }
            Poll::Pending
        })
        .await;
        let read = read?;
        if read == 0 {
            return Ok(());
        }
        ends[1 - from].write_all(&buffer[..read]).await?;
    }
}

/// Both ends of a session, as long as both are open.
type Ends = Option<Arc<[TcpStream; 2]>>;

/// One thread of [`on_epoll`]: its sessions, by number.
struct Loop {
    epoll: OwnedFd,
    sessions: Mutex<Vec<Ends>>,
}

/// Forwards for ever: a thread a core, each with an `epoll` of its own and blocking writes.
pub fn on_epoll(listener: &TcpListener, to: SocketAddr) -> io::Result<()> {
    let mut loops = Vec::new();
    for _ in 0..threads() {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let one = Arc::new(Loop { epoll, sessions: Mutex::new(Vec::new()) });
        loops.push(one.clone());
        std::thread::spawn(move || one.run());
    }
    accept(listener, to, |number, client, node| loops[number % loops.len()].take(client, node))
}

impl Loop {
    fn take(&self, client: TcpStream, node: TcpStream) -> io::Result<()> {
        let ends = Arc::new([client, node]);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        for (side, end) in ends.iter().enumerate() {
            let data = epoll::EventData::new_u64((sessions.len() * 2 + side) as u64);
            epoll::add(&self.epoll, end, data, epoll::EventFlags::IN)?;
        }
        sessions.push(Some(ends));
        Ok(())
    }

    fn ends(&self, session: usize) -> Ends {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).get(session).cloned().flatten()
    }

    fn run(&self) -> io::Result<()> {
        let mut events = Vec::with_capacity(64);
        let mut buffer = vec![0; PIECE];
        loop {
            events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut events), None)?;
            for event in &events {
                let event: &epoll::Event = event;
                let at = event.data.u64() as usize;
                let Some(ends) = self.ends(at / 2) else { continue };
                if !pass(&ends[at % 2], &ends[1 - at % 2], &mut buffer) {
                    self.sessions.lock().unwrap_or_else(PoisonError::into_inner)[at / 2] = None;
                }
            }
        }
    }
}

/// Moves what has come from one end to the other; `false` when the session is over.
fn pass(mut from: &TcpStream, mut to: &TcpStream, buffer: &mut [u8]) -> bool {
    match from.read(buffer) {
        Ok(0) => false,
        Ok(read) => to.write_all(&buffer[..read]).is_ok(),
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}
