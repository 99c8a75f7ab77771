//! Statements prepared on one connection, bounded; and the texts, shared by the sessions of one thread.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::{Rc, Weak};

use super::image::Image;

/// Statements that a connection keeps prepared; the one unused for longest makes room. With 256 connections of 128
/// the server's default limit of 16,382 is not reached by what a shop uses.
pub const KEPT: usize = 128;

/// A text that is prepared, together with the state that it was prepared in (schema, character set, mode).
#[derive(Debug)]
pub struct Text {
    /// Its number within this thread.
    pub number: u64,
    /// As the client sent it.
    pub sql: Box<[u8]>,
    /// The session's state at that moment.
    pub image: Rc<Image>,
}

/// A state and a text.
type TextKey = (Rc<Image>, Box<[u8]>);

/// All texts that somebody on this thread has prepared.
#[derive(Debug, Default)]
pub struct Texts {
    known: RefCell<HashMap<TextKey, Weak<Text>>>,
    next: Cell<u64>,
}

impl Texts {
    /// The one copy of a text.
    pub fn intern(&self, image: &Rc<Image>, sql: &[u8]) -> Rc<Text> {
        let key = (image.clone(), Box::from(sql));
        let mut known = self.known.borrow_mut();
        if let Some(text) = known.get(&key).and_then(Weak::upgrade) {
            return text;
        }
        if known.len() >= 1024 && known.len().is_power_of_two() {
            known.retain(|_, text| text.strong_count() > 0);
        }
        let text = self.number(sql, image);
        known.insert(key, Rc::downgrade(&text));
        text
    }

    /// A copy with a number of its own, which shares no statement on any node with the others.
    pub fn separate(&self, text: &Text) -> Rc<Text> {
        self.number(&text.sql, &text.image)
    }

    fn number(&self, sql: &[u8], image: &Rc<Image>) -> Rc<Text> {
        self.next.set(self.next.get() + 1);
        Rc::new(Text { number: self.next.get(), sql: sql.into(), image: image.clone() })
    }
}

/// A statement as one connection knows it.
#[derive(Clone, Copy, Debug)]
pub struct OnNode {
    /// The node's id for it.
    pub id: u32,
    /// Which client's types were bound to its parameters last; 0: none.
    pub bound: u64,
    /// The client's statement that has a cursor open on it, by the client's id; 0: none.
    pub cursor: u32,
    used: u64,
}

/// Spreads numbers that are given out one after the other; nobody outside chooses them.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByNumber(u64);

impl Hasher for ByNumber {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
}

/// A map by numbers that are given out one after the other.
pub type NumberMap<K, V> = HashMap<K, V, BuildHasherDefault<ByNumber>>;

/// The statements prepared on one connection.
#[derive(Debug, Default)]
pub struct Statements {
    known: NumberMap<u64, (Rc<Text>, OnNode)>,
    clock: u64,
}

impl Statements {
    /// The statement for a text, marked as used.
    pub fn get(&mut self, text: &Text) -> Option<&mut OnNode> {
        self.clock += 1;
        let (_, statement) = self.known.get_mut(&text.number)?;
        statement.used = self.clock;
        Some(statement)
    }

    /// Notes a statement that has just been prepared; returns the id of one that has to be closed for it.
    pub fn put(&mut self, text: &Rc<Text>, id: u32) -> Option<u32> {
        self.clock += 1;
        let statement = OnNode { id, bound: 0, cursor: 0, used: self.clock };
        if let Some((_, before)) = self.known.insert(text.number, (text.clone(), statement)) {
            return Some(before.id);
        }
        if self.known.len() <= KEPT {
            return None;
        }
        let closable = self.known.iter().filter(|(_, (_, statement))| statement.cursor == 0);
        let oldest = closable.min_by_key(|(_, (_, statement))| statement.used).map(|(number, _)| *number)?;
        self.known.remove(&oldest).map(|(_, statement)| statement.id)
    }

    /// Forgets one; returns its id on the node, where it is to be closed.
    pub fn remove(&mut self, text: &Text) -> Option<u32> {
        self.known.remove(&text.number).map(|(_, statement)| statement.id)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_in_equal_states_are_one() {
        let texts = Texts::default();
        let plain = Rc::new(Image::default());
        let shop = Rc::new(Image { schema: Some((*b"tpcw").into()), ..Image::default() });
        let one = texts.intern(&plain, b"select 1");
        assert_eq!(texts.intern(&Rc::new(Image::default()), b"select 1").number, one.number);
        assert_ne!(texts.intern(&shop, b"select 1").number, one.number, "another schema, another table");
        assert_ne!(texts.intern(&plain, b"select 2").number, one.number);
    }

    #[test]
    fn the_statement_unused_for_longest_makes_room() {
        let texts = Texts::default();
        let image = Rc::new(Image::default());
        let all: Vec<_> = (0..=KEPT).map(|n| texts.intern(&image, n.to_string().as_bytes())).collect();
        let mut statements = Statements::default();
        for (id, text) in all.iter().take(KEPT).enumerate() {
            assert_eq!(statements.put(text, id as u32), None);
        }
        assert!(statements.get(&all[0]).is_some());
        assert_eq!(statements.put(&all[KEPT], 999), Some(1), "the second one is the oldest now");
        assert!(statements.get(&all[1]).is_none());
        assert_eq!(statements.put(&all[0], 1000), Some(0), "prepared anew: the old one is closed");
        assert_eq!(statements.len(), KEPT);
        statements.get(&all[2]).unwrap().cursor = 7;
        all.iter().skip(3).for_each(|text| assert!(statements.get(text).is_some()));
        assert!(statements.get(&all[0]).is_some());
        let copy = texts.separate(&all[2]);
        assert_ne!(copy.number, all[2].number);
        assert_eq!(statements.put(&copy, 2000), Some(3), "an open cursor keeps its statement");
        assert_eq!(statements.remove(&copy), Some(2000));
    }
}
