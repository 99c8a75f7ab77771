//! A client's prepared statements: its ids, and all that is needed to run them on any connection.

use std::collections::HashMap;
use std::rc::Rc;

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
}

/// All of a session.
#[derive(Debug, Default)]
pub struct Prepared {
    statements: HashMap<u32, Statement>,
    last: u32,
}

impl Prepared {
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
        self.statements.insert(id, statement);
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
        self.statements.remove(&id);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.statements.clear();
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
