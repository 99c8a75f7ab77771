//! A client's prepared statements: its ids, and all that is needed to run them on any connection.

use std::rc::Rc;
use std::sync::Arc;

use super::memory::{Held, Memory, OutOfMemory};
use crate::pool::statements::{NumberMap, Text};
use crate::route::Plan;
use crate::wire::packet::HEADER;
use crate::wire::prepared::ID;

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
    /// Parts of parameters, sent before the next execute.
    pub long_data: LongData,
    /// A cursor is open, on the connection that the session is tied to.
    pub cursor: bool,
}

/// Parts of parameters, as the commands that brought them.
#[derive(Debug, Default)]
pub struct LongData {
    /// The commands, whole packets one after the other.
    packets: Vec<u8>,
    /// Where each of the commands begins.
    starts: Vec<usize>,
    /// One of them was not kept: the next execute fails.
    pub refused: Option<Refused>,
}

/// Why a part of a parameter was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The session has sent more than it may.
    TooLong,
    /// All sessions together keep too much already.
    NoMemory,
}

/// All of a session.
#[derive(Debug)]
pub struct Prepared {
    statements: NumberMap<u32, Statement>,
    last: u32,
    /// Texts and parts of parameters, in bytes.
    bytes: usize,
    /// Parts of parameters alone.
    long_bytes: usize,
    held: Held,
}

impl Prepared {
    /// None yet.
    pub fn new(memory: Arc<Memory>) -> Self {
        Self { statements: NumberMap::default(), last: 0, bytes: 0, long_bytes: 0, held: Held::new(memory) }
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

    /// Keeps a command that brings a part of a parameter for the next execute, as long as all of the session's have no
    /// more than `limit` bytes.
    pub fn keep_long_data(&mut self, id: u32, command: &[u8], limit: usize) {
        let known = self.statements.get(&id).is_some_and(|statement| statement.long_data.refused.is_none());
        if !known {
            return;
        }
        let refused = if self.long_bytes + command.len() > limit {
            Some(Refused::TooLong)
        } else {
            self.make_room(command.len()).is_err().then_some(Refused::NoMemory)
        };
        if refused.is_some() {
            self.forget_long_data(id);
        }
        let Some(statement) = self.statements.get_mut(&id) else { return };
        let data = &mut statement.long_data;
        data.refused = refused;
        if refused.is_none() {
            data.starts.push(data.packets.len());
            data.packets.extend_from_slice(command);
            self.long_bytes += command.len();
            self.count(self.bytes + command.len());
        }
    }

    /// Gives up the parts of parameters of a statement.
    pub fn forget_long_data(&mut self, id: u32) {
        if let Some(statement) = self.statements.get_mut(&id)
            && (statement.long_data.refused.is_some() || !statement.long_data.is_empty())
        {
            let less = std::mem::take(&mut statement.long_data).packets.len();
            self.long_bytes -= less;
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
        self.forget_long_data(id);
        if let Some(closed) = self.statements.remove(&id) {
            self.count(self.bytes - closed.bytes());
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.statements = NumberMap::default();
        self.long_bytes = 0;
        self.count(0);
    }

    /// Whether any cursor is open.
    pub fn has_cursors(&self) -> bool {
        self.statements.values().any(|statement| statement.cursor)
    }

    /// The cursors are gone, with the connection that they were open on.
    pub fn forget_cursors(&mut self) {
        self.statements.values_mut().for_each(|statement| statement.cursor = false);
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
    /// One that has just been prepared.
    pub fn new(text: Rc<Text>, plan: Plan, parameters: u16) -> Self {
        let long_data = LongData::default();
        Self { text, plan, parameters, types: Vec::new(), bound: 0, long_data, cursor: false }
    }

    fn bytes(&self) -> usize {
        self.text.sql.len() + self.long_data.packets.len()
    }
}

impl LongData {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// The commands for a node that knows the statement by this id.
    pub fn for_node(&self, id: u32) -> Vec<u8> {
        let mut packets = self.packets.clone();
        for start in &self.starts {
            let at = start + HEADER + ID.start;
            if let Some(place) = packets.get_mut(at..at + 4) {
                place.copy_from_slice(&id.to_le_bytes());
            }
        }
        packets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::image::Image;
    use crate::pool::statements::Texts;
    use crate::sql::classify::{Kind, Marks};
    use crate::wire::packet::{MAX_PAYLOAD, put_packet};

    fn prepared() -> Prepared {
        let mut prepared = Prepared::new(Arc::new(Memory::new(1 << 30)));
        let text = Texts::default().intern(&Rc::new(Image::default()), b"select ?");
        let plan = Plan::plain(Kind::Read, Marks::NONE, "reads");
        for id in [1, 2] {
            prepared.put(id, Statement::new(text.clone(), plan, 1));
        }
        prepared
    }

    fn command(length: usize) -> Vec<u8> {
        let mut packets = Vec::new();
        put_packet(&mut packets, 0, &[&[0x18, 9, 9, 9, 9, 0, 0][..], &vec![b'x'; length]].concat());
        packets
    }

    #[test]
    fn ids_are_put_into_commands_and_never_into_what_follows_in_other_packets() {
        let mut prepared = prepared();
        let (short, long) = (command(5), command(MAX_PAYLOAD + 100));
        prepared.keep_long_data(1, &short, usize::MAX);
        prepared.keep_long_data(1, &long, usize::MAX);
        let bytes = prepared.get(1).unwrap().long_data.for_node(7);
        let mut expected = [short.clone(), long.clone()].concat();
        for start in [0, short.len()] {
            expected[start + 5..start + 9].copy_from_slice(&[7, 0, 0, 0]);
        }
        assert!(bytes == expected);
    }

    #[test]
    fn what_is_kept_is_bounded_over_all_statements() {
        let mut prepared = prepared();
        let limit = 2 * command(100).len();
        prepared.keep_long_data(1, &command(100), limit);
        prepared.keep_long_data(2, &command(100), limit);
        prepared.keep_long_data(2, &command(1), limit);
        prepared.keep_long_data(2, &command(1), limit);
        let refused = |prepared: &Prepared, id| prepared.get(id).unwrap().long_data.refused;
        assert_eq!((refused(&prepared, 1), refused(&prepared, 2)), (None, Some(Refused::TooLong)));
        prepared.forget_long_data(2);
        prepared.keep_long_data(2, &command(100), limit);
        assert_eq!(refused(&prepared, 2), None);
        prepared.close(1);
        prepared.close(2);
        assert_eq!((prepared.long_bytes, prepared.bytes), (0, 0));
    }
}
