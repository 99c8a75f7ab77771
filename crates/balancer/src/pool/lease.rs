//! A connection in somebody's hands.

use std::rc::Rc;

use tokio::time::Instant;

use super::NodePool;
use super::budget::Slot;
use super::connect::Connection;

/// A connection with its right to exist.
#[derive(Debug)]
pub struct Pooled {
    /// The connection. Closed before its slot is free for another one.
    pub(super) connection: Connection,
    #[expect(dead_code, reason = "held for what its end does")]
    pub(super) slot: Slot,
    /// When it is too old to be kept.
    pub(super) expires: Option<Instant>,
}

impl Pooled {
    pub(super) fn is_too_old(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// A leased connection. Dropped, it is closed: whoever did not finish cleanly leaves it in an unknown state.
#[derive(Debug)]
pub struct Lease {
    pooled: Option<Box<Pooled>>,
    pool: Rc<NodePool>,
}

impl Lease {
    pub(super) fn new(pooled: Box<Pooled>, pool: Rc<NodePool>) -> Self {
        Self { pooled: Some(pooled), pool }
    }

    /// Gives it back as it was taken.
    pub fn put_back(mut self) {
        if let Some(pooled) = self.pooled.take() {
            self.pool.give_back(pooled);
        }
    }

    /// Gives the connection back for others to use. `remembers`: its owner may ask about its last statement. One that does
    /// not tell its changes as all others do is closed.
    pub fn release(mut self, owner: u32, remembers: bool, now: Instant) {
        if let Some(mut pooled) = self.pooled.take_if(|pooled| pooled.connection.is_tracked()) {
            pooled.connection.owner = owner;
            pooled.connection.remembers = remembers;
            pooled.connection.used = now;
            self.pool.give_back(pooled);
        }
    }
}

impl std::ops::Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.pooled.as_ref().expect("a lease holds its connection until it is released").connection
    }
}

impl std::ops::DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.pooled.as_mut().expect("a lease holds its connection until it is released").connection
    }
}
