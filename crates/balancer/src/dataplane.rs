//! The data plane's door: threads that each carry a share of the sessions, and one loop a listener that hands clients to them.
//!
//! Each of the `workers` threads, named `balancer-N`, runs a single-threaded runtime. A session, its node connections
//! and the pools that they come from live and die on one thread: nothing on the way of a statement is locked or
//! handed to another thread. `balancer-0` also accepts, and gives each client to the thread with the fewest sessions.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::Duration;

use cluster::NodeId;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::accounts::Accounts;
use crate::config::Config;
use crate::session::worker::{Shared, Worker};
use crate::telemetry::Sighting;
use crate::tls::Certificates;
use crate::view::ViewCell;

/// Clients that may wait between being accepted and being taken by their thread.
const HANDOVER: usize = 1024;
/// How often threads look at what is idle.
const BEAT: Duration = Duration::from_secs(1);
/// After the stop, sessions have so long to end by themselves.
const GRACE: Duration = Duration::from_millis(200);

/// A running data plane. Ends when its token is cancelled; dropping this does not end it.
#[derive(Debug)]
pub struct DataPlane {
    /// Where clients connect: as configured, with the port that was found for port 0.
    pub address: SocketAddr,
    /// Where they connect besides, in the order of the configuration.
    pub listeners: Vec<SocketAddr>,
    /// Who may log in.
    pub accounts: Arc<Accounts>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl DataPlane {
    /// Clients connected now.
    pub fn clients(&self) -> usize {
        self.shared.clients.load(Relaxed)
    }

    /// What its threads share.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Leaves sessions no time when the token is cancelled: they end where they stand.
    pub fn cut(&self) {
        self.shared.cut.store(true, Relaxed);
    }

    /// Waits until all its threads have ended, which they do shortly after the token is cancelled.
    pub async fn join(self) {
        let threads = self.threads;
        let waited = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|t| drop(t.join())));
        drop(waited.await);
    }
}

/// Binds the addresses for clients and starts the threads. Statements go by `view`; what sessions see of nodes goes to
/// `sightings`; all ends when `stop` is cancelled.
///
/// # Errors
/// An address cannot be bound, certificates cannot be used, or the system gives no threads.
pub fn start(
    config: Arc<Config>,
    view: Arc<ViewCell>,
    sightings: mpsc::Sender<(NodeId, Sighting)>,
    stop: CancellationToken,
) -> io::Result<DataPlane> {
    let certificates = Certificates::load(&config).map_err(io::Error::other)?;
    start_with(config, Arc::new(certificates), view, sightings, stop)
}

/// As [`start`], with certificates that somebody else keeps fresh.
///
/// # Errors
/// An address cannot be bound, or the system gives no threads.
pub fn start_with(
    config: Arc<Config>,
    certificates: Arc<Certificates>,
    view: Arc<ViewCell>,
    sightings: mpsc::Sender<(NodeId, Sighting)>,
    stop: CancellationToken,
) -> io::Result<DataPlane> {
    let bound = addresses(&config).map(bind).collect::<io::Result<Vec<_>>>()?;
    let mut listeners = bound.iter().map(StdListener::local_addr).collect::<io::Result<Vec<_>>>()?;
    let address = listeners.remove(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = if config.workers == 0 { cores } else { config.workers };
    let accounts = Accounts::new(&config.accounts, &config.auth).map_err(io::Error::other)?;
    let accounts = Arc::new(accounts);
    let shared =
        Arc::new(Shared::new(config, accounts.clone(), certificates, view, sightings, stop, workers));
    let beat = shared.clone();
    let mut threads = vec![spawn("balancer-beat".to_owned(), move || run_beat(&beat))?];
    let mut bound = Some(bound);
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..workers).map(|_| mpsc::channel(HANDOVER)).unzip();
    for (number, receiver) in receivers.into_iter().enumerate() {
        let accept = bound.take().map(|bound| (bound, senders.clone()));
        let of_worker = shared.clone();
        let worker = spawn(format!("balancer-{number}"), move || {
            run_worker(number, of_worker, receiver, accept);
        });
        threads.push(worker.inspect_err(|_| shared.stop.cancel())?);
    }
    Ok(DataPlane { address, listeners, accounts, shared, threads })
}

/// The main one first.
fn addresses(config: &Config) -> impl Iterator<Item = SocketAddr> {
    std::iter::once(config.listen).chain(config.listeners.iter().map(|listener| listener.address))
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name).spawn(run)
}

/// The life of the thread that beats for the others.
fn run_beat(shared: &Shared) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime for the beat of the balancer");
            return shared.stop.cancel();
        }
    };
    runtime.block_on(async {
        let mut interval = tokio::time::interval(BEAT);
        while shared.stop.run_until_cancelled(interval.tick()).await.is_some() {
            shared.beat.send_replace(());
        }
    });
}

fn bind(address: SocketAddr) -> io::Result<StdListener> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

/// A client that has been accepted, and the number of the listener that it came to; the main one is 0.
type Arrival = (StdStream, usize);
type Accept = (Vec<StdListener>, Vec<mpsc::Sender<Arrival>>);

/// One thread's life.
fn run_worker(number: usize, shared: Arc<Shared>, clients: mpsc::Receiver<Arrival>, accept: Option<Accept>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default());
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime for a thread of the balancer");
            shared.stop.cancel();
            return;
        }
    };
    runtime.block_on(async move {
        let worker = Worker::start(number, shared.clone());
        let (listeners, senders) = accept.unwrap_or_default();
        let first = worker.clone();
        tokio::task::spawn_local(async move {
            if !listeners.is_empty() {
                first.learn_face().await;
            }
            for (number, listener) in listeners.into_iter().enumerate() {
                tokio::task::spawn_local(accept_loop(listener, number, senders.clone(), shared.clone()));
            }
        });
        take_clients(&worker, clients).await;
        if !worker.shared.cut.load(Relaxed) {
            worker.sessions_ended(GRACE).await;
        }
    });
}

/// Takes the clients that the accept loop hands over, until the stop.
async fn take_clients(worker: &std::rc::Rc<Worker>, mut clients: mpsc::Receiver<Arrival>) {
    loop {
        tokio::select! {
            () = worker.shared.stop.cancelled() => return,
            client = clients.recv() => match client {
                Some((client, listener)) => worker.take(client, listener),
                None => return,
            }
        }
    }
}

/// Accepts until the stop. A failing `accept` (no file descriptors left) is tried again a little later.
async fn accept_loop(
    listener: StdListener,
    number: usize,
    senders: Vec<mpsc::Sender<Arrival>>,
    shared: Arc<Shared>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the listening socket cannot be used");
            return shared.stop.cancel();
        }
    };
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted.and_then(|(stream, _)| stream.into_std()),
        };
        match accepted {
            Ok(stream) => hand_over((stream, number), &senders, &shared).await,
            Err(error) => {
                tracing::warn!(%error, "a client could not be accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Gives a client to the thread with the fewest sessions.
async fn hand_over(client: Arrival, senders: &[mpsc::Sender<Arrival>], shared: &Shared) {
    let least = (0..senders.len()).min_by_key(|at| shared.sessions[*at].load(Relaxed)).unwrap_or(0);
    shared.sessions[least].fetch_add(1, Relaxed);
    shared.clients.fetch_add(1, Relaxed);
    if senders[least].send(client).await.is_err() {
        shared.sessions[least].fetch_sub(1, Relaxed);
        shared.clients.fetch_sub(1, Relaxed);
    }
}
