//! A connection in somebody's hands.

use std::rc::Rc;

use tokio::time::Instant;

use super::NodePool;
use super::connect::Connection;

/// A leased connection. Dropped, it is closed: whoever did not finish cleanly leaves it in an unknown state.
#[derive(Debug)]
pub struct Lease {
    connection: Option<Box<Connection>>,
    pool: Rc<NodePool>,
}

impl Lease {
    pub(crate) fn new(connection: Box<Connection>, pool: Rc<NodePool>) -> Self {
        Self { connection: Some(connection), pool }
    }

    /// Gives the connection back for others to use. `remembers`: its owner may ask about its last statement.
    pub fn release(mut self, owner: u32, remembers: bool, now: Instant) {
        if let Some(mut connection) = self.connection.take() {
            connection.owner = owner;
            connection.remembers = remembers;
            connection.used = now;
            self.pool.give_back(connection);
        }
    }
}

impl std::ops::Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_deref().expect("a lease holds its connection until it is released")
    }
}

impl std::ops::DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_deref_mut().expect("a lease holds its connection until it is released")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.connection.take().is_some() {
            self.pool.lost();
        }
    }
}
