//! Connections to nodes, shared by the sessions of one thread.
//!
//! A connection is leased for one statement, or for as long as a session is tied to it. Idle ones are taken last in,
//! first out, so that few stay warm. Each thread may have its share of `pool.max` a node; whoever finds none free waits
//! in line. A lease that is dropped closes its connection; only [`Lease::release`] gives it back.

pub mod ask;
pub mod connect;
pub mod image;
pub mod lease;
pub mod statements;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use cluster::NodeId;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use self::connect::{ConnectError, Connection, Key};
use self::image::Image;
use self::lease::Lease;
use crate::config::{Account, Pool as Settings};
use crate::telemetry::{Meter, Sighting};
use crate::tls::Certificates;
use crate::view::{ClusterView, NodeState, NodeView};
use crate::wire::transport::Cutter;

/// A connection whose last statement may still be asked about is left alone so long, if others are free.
const KEPT_FOR_OWNER: Duration = Duration::from_secs(2);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// All are in use, and none came free in time.
    #[error("all connections to {0} are in use")]
    Full(NodeId),
    /// The node could not be connected to.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

/// A node as the pools need it, to keep across waits.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its number.
    pub index: usize,
    /// Its name.
    pub id: NodeId,
    /// Its epoch when the statement was routed.
    pub epoch: u64,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its figures.
    pub meter: Arc<Meter>,
}

impl Place {
    /// The place of a node in a view.
    pub fn of(node: &NodeView) -> Self {
        Self {
            index: node.index,
            id: node.id.clone(),
            epoch: node.epoch,
            address: node.address,
            meter: node.meter.clone(),
        }
    }
}

/// What a session wants of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Want<'a> {
    /// Who it is and what was agreed on.
    pub key: &'a Key,
    /// The session's state.
    pub image: &'a Rc<Image>,
    /// The session that asks; a connection kept for it is its own.
    pub owner: u32,
}

/// All pools of one thread.
#[derive(Debug)]
pub struct Pools {
    nodes: RefCell<Vec<Option<Rc<NodePool>>>>,
    settings: Settings,
    certificates: Arc<Certificates>,
    share: usize,
    sightings: mpsc::Sender<(NodeId, Sighting)>,
    serial: Cell<u64>,
}

/// The connections to one node.
#[derive(Debug)]
pub struct NodePool {
    id: NodeId,
    #[expect(clippy::vec_box, reason = "a connection moves in and out with every statement")]
    idle: RefCell<Vec<Box<Connection>>>,
    permits: Semaphore,
    /// All connections, in use or not, to cut them: by epoch.
    all: RefCell<Vec<(u64, Cutter)>>,
    epoch: Cell<u64>,
    share: usize,
}

impl Pools {
    /// Pools for one of `workers` threads.
    pub fn new(
        settings: Settings,
        certificates: Arc<Certificates>,
        workers: usize,
        sightings: mpsc::Sender<(NodeId, Sighting)>,
    ) -> Self {
        let share = settings.max.div_ceil(workers.max(1)).max(1);
        Self {
            nodes: RefCell::new(Vec::new()),
            settings,
            certificates,
            share,
            sightings,
            serial: Cell::new(1),
        }
    }

    fn pool(&self, index: usize, id: &NodeId) -> Rc<NodePool> {
        let mut nodes = self.nodes.borrow_mut();
        if nodes.len() <= index {
            nodes.resize(index + 1, None);
        }
        nodes[index]
            .get_or_insert_with(|| {
                Rc::new(NodePool {
                    id: id.clone(),
                    idle: RefCell::new(Vec::new()),
                    permits: Semaphore::new(self.share),
                    all: RefCell::new(Vec::new()),
                    epoch: Cell::new(0),
                    share: self.share,
                })
            })
            .clone()
    }

    /// Tells the judge about a node.
    pub fn sighted(&self, id: &NodeId, sighting: Sighting) {
        let _ = self.sightings.try_send((id.clone(), sighting));
    }

    /// An idle connection that fits, at once.
    pub fn try_take(&self, node: &NodeView, want: Want<'_>) -> Option<Lease> {
        let pool = self.pool(node.index, &node.id);
        let permit = pool.permits.try_acquire().ok()?;
        let found = self.find(&pool, node.epoch, want)?;
        permit.forget();
        Some(Lease::new(found, pool))
    }

    /// The very connection with this serial number, if it is idle, fits, and nobody but `owner` has used it since.
    pub fn try_take_serial(&self, node: &NodeView, serial: u64, key: &Key, owner: u32) -> Option<Lease> {
        let pool = self.pool(node.index, &node.id);
        let permit = pool.permits.try_acquire().ok()?;
        let at = pool.idle.borrow().iter().position(|c| c.serial == serial && c.owner == owner)?;
        let fits = |c: &Connection| c.epoch == node.epoch && c.key == *key;
        let mut connection = pool.idle.borrow_mut().remove(at);
        if !fits(&connection) || !connection.is_quiet() {
            return None;
        }
        permit.forget();
        Some(Lease::new(connection, pool))
    }

    /// Takes the best idle connection; those found broken are closed and told about.
    fn find(&self, pool: &Rc<NodePool>, epoch: u64, want: Want<'_>) -> Option<Box<Connection>> {
        loop {
            let mut connection = pool.take_idle(epoch, want)?;
            if connection.is_quiet() {
                return Some(connection);
            }
            self.sighted(&pool.id, Sighting::Broken);
        }
    }

    /// A connection: an idle one, or a new one, or one that comes free within the pool's limit.
    pub async fn take(&self, place: &Place, account: &Account, want: Want<'_>) -> Result<Lease, PoolError> {
        let pool = self.pool(place.index, &place.id);
        let limit = Duration::from_millis(self.settings.wait_ms);
        let permit = match pool.permits.try_acquire() {
            Ok(permit) => permit,
            Err(_) => match tokio::time::timeout(limit, pool.permits.acquire()).await {
                Ok(Ok(permit)) => permit,
                _ => return Err(PoolError::Full(place.id.clone())),
            },
        };
        if let Some(found) = self.find(&pool, place.epoch, want) {
            permit.forget();
            return Ok(Lease::new(found, pool.clone()));
        }
        pool.make_room();
        self.serial.set(self.serial.get() + 1);
        let limit = Duration::from_millis(self.settings.connect_ms);
        let tls = self.certificates.to_node(place.id.as_str(), place.address.ip());
        let made = connect::connect(place, account, *want.key, self.serial.get(), tls, limit).await;
        let connection = made.map(Box::new).inspect_err(|error| {
            if error.is_sign_of_death() {
                self.sighted(&place.id, Sighting::Broken);
            }
        })?;
        pool.register(&connection);
        permit.forget();
        Ok(Lease::new(connection, pool.clone()))
    }

    /// Closes what a new view makes useless: connections to nodes that are down, gone, or back as something else. Sessions
    /// that wait on one see it end.
    pub fn obey(&self, view: &ClusterView) {
        for (index, pool) in self.nodes.borrow().iter().enumerate() {
            let Some(pool) = pool else { continue };
            let valid = view.node(index).filter(|node| node.state != NodeState::Down).map(|node| node.epoch);
            pool.keep_only(valid);
            if view
                .node(index)
                .is_some_and(|node| matches!(node.state, NodeState::Disabled | NodeState::Standby))
            {
                pool.idle.borrow_mut().clear();
            }
        }
    }

    /// Closes what has been idle for too long.
    pub fn reap(&self, now: Instant) {
        let limit = Duration::from_millis(self.settings.idle_ms);
        for pool in self.nodes.borrow().iter().flatten() {
            pool.idle.borrow_mut().retain(|c| now.duration_since(c.used) < limit);
        }
    }

    /// Connections to a node that this thread has in its pool, unused.
    pub fn idle(&self, index: usize) -> usize {
        let nodes = self.nodes.borrow();
        nodes.get(index).and_then(Option::as_ref).map_or(0, |pool| pool.idle.borrow().len())
    }
}

impl NodePool {
    fn take_idle(&self, epoch: u64, want: Want<'_>) -> Option<Box<Connection>> {
        if self.epoch.replace(epoch) != epoch {
            self.idle.borrow_mut().retain(|c| c.epoch == epoch);
        }
        let mut idle = self.idle.borrow_mut();
        let fits = |c: &Connection| c.epoch == epoch && c.key == *want.key && c.image.leads_to(want.image);
        let last = idle.last()?;
        let kept = |c: &Connection| c.remembers && c.owner != want.owner && c.used.elapsed() < KEPT_FOR_OWNER;
        if fits(last) && (!last.remembers || last.owner == want.owner) && Rc::ptr_eq(&last.image, want.image)
        {
            return idle.pop();
        }
        let best = (0..idle.len()).rev().filter(|at| fits(&idle[*at])).min_by_key(|at| {
            let c = &idle[*at];
            (kept(c), c.image != *want.image)
        })?;
        // One that its owner may still ask about, or one in another state, is spared while there is room for more.
        if kept(&idle[best]) && idle.len() + self.in_use() <= self.share {
            return None;
        }
        Some(idle.remove(best))
    }

    /// Connections in use, counting the permit of whoever asks.
    fn in_use(&self) -> usize {
        self.share - self.permits.available_permits().min(self.share)
    }

    /// Closes an idle connection when a new one would be one too many.
    fn make_room(&self) {
        let in_use = self.in_use();
        let mut idle = self.idle.borrow_mut();
        while !idle.is_empty() && idle.len() + in_use > self.share {
            idle.remove(0);
        }
    }

    fn register(&self, connection: &Connection) {
        let mut all = self.all.borrow_mut();
        if all.len() >= 2 * self.share {
            all.retain(|(_, cutter)| !cutter.is_gone());
        }
        all.push((connection.epoch, connection.stream.cutter()));
    }

    fn keep_only(&self, epoch: Option<u64>) {
        self.idle.borrow_mut().retain(|c| Some(c.epoch) == epoch);
        self.all.borrow_mut().retain(|(of, cutter)| {
            let valid = Some(*of) == epoch;
            if !valid {
                cutter.cut();
            }
            valid && !cutter.is_gone()
        });
    }

    pub(crate) fn give_back(&self, connection: Box<Connection>) {
        self.permits.add_permits(1);
        if connection.epoch >= self.epoch.get() {
            self.idle.borrow_mut().push(connection);
        }
    }

    pub(crate) fn lost(&self) {
        self.permits.add_permits(1);
    }
}

/// Counts a connection as long as it lives.
#[derive(Debug)]
pub struct Counted(Arc<Meter>);

impl Counted {
    /// Counts one more.
    pub fn new(meter: Arc<Meter>) -> Self {
        meter.connections.fetch_add(1, Relaxed);
        Self(meter)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}
