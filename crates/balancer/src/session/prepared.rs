//! A client's prepared statements: its ids, and all that is needed to run them on any connection.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::memory::{Held, Memory, OutOfMemory};
use crate::pool::statements::Text;
use crate::route::Plan;

/// Statements a session may have prepared at once, as the server's default `max_prepared_stmt_count`.
pub const LIMIT: usize = 16_382;

/// One of them.
#[derive(Debug)]
pub struct Statement {
    /// Its text, and the state that it was prepared in.
    pub text: Rc<Text>,
    /// What it is and where it goes.
    pub plan: Plan,
    /// How many parameters it has.
    pub parameters: u16,
    /// The types that the client has bound last, two bytes a parameter; empty: none yet.
    pub types: Vec<u8>,
    /// Stands for these types on connections; see [`crate::pool::statements::OnNode::bound`].
    pub bound: u64,
    /// Commands with parts of parameters, whole packets, sent before the next execute.
    pub long_data: Vec<u8>,
    /// There was no memory for one of them: the next execute fails.
    pub refused: bool,
}

/// All of a session.
#[derive(Debug)]
pub struct Prepared {
    statements: HashMap<u32, Statement>,
    last: u32,
    /// Texts and parts of parameters, in bytes.
    bytes: usize,
    held: Held,
}

impl Prepared {
    /// None yet.
    pub fn new(memory: Arc<Memory>) -> Self {
        Self { statements: HashMap::new(), last: 0, bytes: 0, held: Held::new(memory) }
    }

    /// Makes sure that so much more may be kept.
    ///
    /// # Errors
    /// All sessions together keep too much already.
    pub fn make_room(&mut self, more: usize) -> Result<(), OutOfMemory> {
        self.held.set(self.bytes.saturating_add(more))
    }

    fn count(&mut self, bytes: usize) {
        self.bytes = bytes;
        // What grows has been asked for by `make_room`.
        let _ = self.held.set(bytes);
    }

    /// Keeps a part of a parameter for the next execute.
    pub fn add_long_data(&mut self, id: u32, packet: &[u8]) {
        let room = self.make_room(packet.len()).is_ok();
        let Some(statement) = self.statements.get_mut(&id) else { return };
        if room {
            statement.long_data.extend_from_slice(packet);
            self.count(self.bytes + packet.len());
        } else {
            statement.refused = true;
        }
    }

    /// Gives up the parts of parameters.
    pub fn clear_long_data(&mut self, id: u32) {
        if let Some(statement) = self.statements.get_mut(&id)
            && (statement.refused || !statement.long_data.is_empty())
        {
            statement.refused = false;
            let less = std::mem::take(&mut statement.long_data).len();
            self.count(self.bytes - less);
        }
    }

    /// The id for the next statement.
    pub fn next_id(&mut self) -> u32 {
        self.last = self.last.wrapping_add(1).max(1);
        self.last
    }

    /// The id that was given last.
    pub fn last(&self) -> u32 {
        self.last
    }

    /// Keeps a statement under an id.
    pub fn put(&mut self, id: u32, statement: Statement) {
        let more = statement.bytes();
        let before = self.statements.insert(id, statement).map_or(0, |before| before.bytes());
        self.count(self.bytes + more - before);
    }

    /// The statement of an id.
    pub fn get(&self, id: u32) -> Option<&Statement> {
        self.statements.get(&id)
    }

    /// The statement of an id, to change it.
    pub fn get_mut(&mut self, id: u32) -> Option<&mut Statement> {
        self.statements.get_mut(&id)
    }

    /// Forgets one.
    pub fn close(&mut self, id: u32) {
        if let Some(closed) = self.statements.remove(&id) {
            self.count(self.bytes - closed.bytes());
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.statements = HashMap::new();
        self.count(0);
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}

impl Statement {
    fn bytes(&self) -> usize {
        self.text.sql.len() + self.long_data.len()
    }

    /// The kept parts of parameters, as packets for a node that knows the statement by this id.
    pub fn long_data_for(&self, id: u32) -> Vec<u8> {
        let mut packets = self.long_data.clone();
        let mut at = 0;
        while let Some((length, _)) = packets.get(at..).and_then(crate::wire::packet::header) {
            let first = at + crate::wire::packet::HEADER + crate::wire::prepared::ID.start;
            if let Some(place) = packets.get_mut(first..first + 4) {
                place.copy_from_slice(&id.to_le_bytes());
            }
            at += crate::wire::packet::HEADER + length;
        }
        packets
    }
}
