//! Connections to nodes, shared by the sessions of one thread.
//!
//! A connection is leased for one statement, or for as long as a session is tied to it. Idle ones are taken last in,
//! first out, so that few stay warm. All threads together have `pool.max` a node ([`budget`]); whoever finds none free
//! waits in line ([`queue`]). A lease that is dropped closes its connection; only [`Lease::release`] gives it back.

pub mod ask;
pub mod budget;
pub mod connect;
pub mod image;
pub mod lease;
mod node;
pub mod prelude;
mod prove;
pub mod queue;
pub mod statements;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use cluster::NodeId;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use self::budget::{Budgets, Slot};
use self::connect::{ConnectError, Key};
use self::image::Image;
use self::lease::{Lease, Pooled};
use self::node::Found;
pub use self::node::NodePool;
use crate::accounts::known::Known;
use crate::config::Config;
use crate::telemetry::{Meter, Sighting};
use crate::tls::{Certificates, ToNode};
use crate::view::{ClusterView, NodeState, NodeView};

/// Who waits for a connection looks again, and calls the other threads again, at least this often.
const CALL_AGAIN: Duration = Duration::from_millis(25);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// All are in use, and none came free in time.
    #[error("all {max} connections to {node} are in use, and none came free within {waited_ms} ms")]
    Full {
        /// The node.
        node: NodeId,
        /// So many there may be: to the node, or of the account to the node.
        max: usize,
        /// So long it was waited, in ms.
        waited_ms: u64,
    },
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
    config: Arc<Config>,
    certificates: Arc<Certificates>,
    budgets: Arc<Budgets>,
    thread: usize,
    sightings: mpsc::Sender<(NodeId, Sighting)>,
    serial: Cell<u64>,
}

impl Pools {
    /// Pools for one thread.
    pub fn new(
        config: Arc<Config>,
        certificates: Arc<Certificates>,
        thread: usize,
        budgets: Arc<Budgets>,
        sightings: mpsc::Sender<(NodeId, Sighting)>,
    ) -> Self {
        let (nodes, serial) = (RefCell::default(), Cell::new(1));
        Self { nodes, config, certificates, budgets, thread, sightings, serial }
    }

    fn pool(&self, index: usize, id: &NodeId) -> Rc<NodePool> {
        let mut nodes = self.nodes.borrow_mut();
        if nodes.len() <= index {
            nodes.resize(index + 1, None);
        }
        let make = || Rc::new(NodePool::new(id.clone(), self.thread, self.budgets.of(index)));
        nodes[index].get_or_insert_with(make).clone()
    }

    /// How connections to a node are encrypted.
    pub fn to_node(&self, place: &Place) -> Option<ToNode> {
        self.certificates.to_node(place.id.as_str(), place.address.ip())
    }

    /// Tells the judge about a node.
    pub fn sighted(&self, id: &NodeId, sighting: Sighting) {
        let _ = self.sightings.try_send((id.clone(), sighting));
    }

    /// An idle connection that fits, at once; nobody who waits is overtaken.
    pub fn try_take(&self, node: &NodeView, want: Want<'_>) -> Option<Lease> {
        let pool = self.pool(node.index, &node.id);
        if !pool.queue.lets_pass() {
            return None;
        }
        let found = self.find(&pool, node.epoch, want)?;
        Some(Lease::new(found, pool))
    }

    /// The idle connection that was used last, if it stands ready in the very state that is wanted.
    pub fn try_take_ready(&self, node: &NodeView, want: Want<'_>) -> Option<Lease> {
        let nodes = self.nodes.borrow();
        let pool = nodes.get(node.index)?.as_ref()?;
        let pooled = pool.queue.lets_pass().then(|| pool.take_ready(node.epoch, want)).flatten()?;
        Some(Lease::new(pooled, pool.clone()))
    }

    /// The very connection with this serial number, if it is idle, fits, and nobody but `owner` has used it since.
    pub fn try_take_serial(&self, node: &NodeView, serial: u64, key: &Key, owner: u32) -> Option<Lease> {
        let pool = self.pool(node.index, &node.id);
        let mut pooled = pool.take_serial(serial, owner)?;
        let fits = pooled.connection.epoch == node.epoch && pooled.connection.key == *key;
        (fits && pooled.connection.is_quiet()).then(|| Lease::new(pooled, pool))
    }

    /// Takes the best idle connection; those found broken are closed and told about.
    fn find(&self, pool: &NodePool, epoch: u64, want: Want<'_>) -> Option<Box<Pooled>> {
        loop {
            let mut pooled = pool.take_idle(epoch, want)?;
            if pooled.connection.is_quiet() {
                return Some(pooled);
            }
            self.sighted(&pool.id, Sighting::Broken);
        }
    }

    /// A connection: an idle one, or a new one, or one that comes free within the pool's limit.
    ///
    /// # Errors
    /// None came free in time, or a new one could not be made.
    pub async fn take(&self, place: &Place, account: &Known, want: Want<'_>) -> Result<Lease, PoolError> {
        let pool = self.pool(place.index, &place.id);
        let slot = match self.find_or_wait(&pool, place, account, want).await? {
            Found::Idle(pooled) => return Ok(Lease::new(pooled, pool)),
            Found::Slot(slot) => slot,
        };
        self.open(pool, slot, place, account, want).await
    }

    /// A new connection, if there is room for one at once.
    ///
    /// # Errors
    /// There is no room, or it could not be made.
    pub async fn make(&self, place: &Place, account: &Known, want: Want<'_>) -> Result<Lease, PoolError> {
        let pool = self.pool(place.index, &place.id);
        let (node, max) = (place.id.clone(), self.config.pool.max);
        let limit = self.config.limits.of(&account.name).node_connections.unwrap_or(usize::MAX);
        let slot = pool.budget.try_open(want.key.account.0 as usize, limit);
        let slot = slot.map_err(|_| PoolError::Full { node, max, waited_ms: 0 })?;
        self.open(pool, slot, place, account, want).await
    }

    async fn open(
        &self,
        pool: Rc<NodePool>,
        slot: Slot,
        place: &Place,
        account: &Known,
        want: Want<'_>,
    ) -> Result<Lease, PoolError> {
        self.serial.set(self.serial.get() + 1);
        let limit = Duration::from_millis(self.config.pool.connect_ms);
        let tls = self.to_node(place);
        let made = connect::connect(place, account, *want.key, self.serial.get(), tls, limit).await;
        let connection = made.inspect_err(|error| {
            if error.is_sign_of_death() {
                self.sighted(&place.id, Sighting::Broken);
            }
        })?;
        place.meter.opened.fetch_add(1, Relaxed);
        pool.register(&connection);
        let expires = self.expiry(connection.serial);
        Ok(Lease::new(Box::new(Pooled { connection, slot, expires }), pool))
    }

    /// An idle connection or the right to make one, at once or in line.
    async fn find_or_wait(
        &self,
        pool: &NodePool,
        place: &Place,
        account: &Known,
        want: Want<'_>,
    ) -> Result<Found, PoolError> {
        let now = Instant::now();
        let settings = &self.config.pool;
        let limit = self.config.limits.of(&account.name).node_connections.unwrap_or(usize::MAX);
        let look = |since| match self.find(pool, place.epoch, want) {
            Some(idle) => Ok(Found::Idle(idle)),
            None => pool.try_open(want.key, limit, since).map(Found::Slot),
        };
        if pool.queue.lets_pass()
            && let Ok(found) = look(now)
        {
            return Ok(found);
        }
        let until = now + Duration::from_millis(settings.wait_ms);
        let waiting = pool.wait(&place.meter, now);
        loop {
            // Those further behind are woken when it is their turn.
            let next = waiting.is_next();
            let again = if next { until.min(Instant::now() + CALL_AGAIN) } else { until };
            if timeout_at(again, waiting.woken()).await.is_err() {
                if again == until {
                    place.meter.wait_timeouts.fetch_add(1, Relaxed);
                    let (node, max) = (place.id.clone(), limit.min(settings.max));
                    return Err(PoolError::Full { node, max, waited_ms: settings.wait_ms });
                }
                waiting.call_again();
            }
            match look(now) {
                Ok(found) => return Ok(found),
                Err(full) => waiting.told(full),
            }
        }
    }

    /// When a new connection is too old: `pool.age_ms`, up to a tenth earlier, so that those that were made together do
    /// not all end together.
    fn expiry(&self, serial: u64) -> Option<Instant> {
        let age = self.config.pool.age_ms;
        let spread = serial.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54;
        (age > 0).then(|| Instant::now() + Duration::from_millis(age - age / 10 * spread / 1024))
    }

    /// Closes what a new view makes useless: connections to nodes that are down, gone, or back as something else. Sessions
    /// that wait on one see it end.
    pub fn obey(&self, view: &ClusterView) {
        for (index, pool) in self.all().iter().enumerate() {
            let Some(pool) = pool else { continue };
            let valid = view.node(index).filter(|node| node.state != NodeState::Down).map(|node| node.epoch);
            pool.keep_only(valid);
            if view
                .node(index)
                .is_some_and(|node| matches!(node.state, NodeState::Disabled | NodeState::Standby))
            {
                pool.clear();
            }
        }
    }

    /// Closes what has been idle for too long or is too old, beyond the warm minimum; gives up buffers of the rest.
    pub fn reap(&self, now: Instant) {
        let limit = Duration::from_millis(self.config.pool.idle_ms);
        for pool in self.all().iter().flatten() {
            pool.reap(now, limit, self.config.pool.min);
        }
    }

    /// Another thread has called: gives it what is idle here, and looks whether there is something for this one.
    pub fn called(&self, now: Instant) {
        for pool in self.all().iter().flatten() {
            pool.called(now);
        }
    }

    /// How many connections to a node this thread lacks for the warm minimum, and of which kind: as was asked for last.
    pub fn lacks(&self, index: usize) -> Option<(Key, usize)> {
        let pool = self.nodes.borrow().get(index)?.clone()?;
        let min = self.config.pool.min;
        pool.lacks(min, min.div_ceil(self.budgets.threads()))
    }

    /// Connections to a node that this thread has in its pool, unused.
    pub fn idle(&self, index: usize) -> usize {
        let nodes = self.nodes.borrow();
        nodes.get(index).and_then(Option::as_ref).map_or(0, |pool| pool.idle())
    }

    fn all(&self) -> Vec<Option<Rc<NodePool>>> {
        self.nodes.borrow().clone()
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
