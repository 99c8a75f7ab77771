//! What a node answers: the walk over an answer that finds the OK, ERR and EOF [`packets`] in it.
//!
//! Rows pass as bytes. The [`Scanner`] looks at the header and the first byte of each packet and at nothing else, except
//! in the few packets that end a result: they carry the status, and with session tracking what has changed.

use std::ops::Range;

use super::capabilities::status;
use super::packet::{HEADER, MAX_PAYLOAD, Malformed, Reader, header};

mod packets;

pub use packets::{Change, ErrPacket, OkPacket, changes, eof_status, err, ok};

/// Packets up to this length are waited for until they are whole, so that an answer is cut between packets only.
const WHOLE: usize = 32 << 10;
/// No packet that tells how many columns follow is longer.
const MAX_COUNT: usize = 16;
/// No packet that ends a result is longer.
const MAX_END: usize = 1 << 20;

/// What kind of answer a command has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// OK, ERR, or results.
    Result,
    /// The same, of an execute that has asked for a cursor.
    Cursor,
    /// A prepared statement with its definitions.
    Prepared,
    /// Definitions up to an end.
    Definitions,
}

/// Where the walk over an answer stopped. Ranges are of whole packets, header included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// More bytes are needed.
    More,
    /// A result ends with OK; its status says whether another follows.
    Ok(Range<usize>),
    /// A result ends with EOF; its status says whether another follows.
    Eof(Range<usize>),
    /// The answer ends with an error.
    Err(Range<usize>),
    /// The node wants a file of the client's.
    Infile(Range<usize>),
    /// A statement is prepared; its definitions follow.
    Prepared(Range<usize>),
    /// The last definition of a prepared statement has come.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    First(Expect),
    Definitions(u64),
    DefinitionsEnd,
    Rows,
    Counted(u64),
}

/// Walks over an answer as it arrives.
#[derive(Debug)]
pub struct Scanner {
    /// Everything before it has been walked over and may be passed on.
    pub at: usize,
    /// The sequence number of the last packet met.
    pub sequence: u8,
    skip: usize,
    continued: bool,
    phase: Phase,
    deprecate_eof: bool,
    cursor: bool,
}

impl Scanner {
    /// Begins an answer whose first byte will be at 0.
    pub fn new(expect: Expect, deprecate_eof: bool) -> Self {
        let (phase, cursor) = (Self::first(expect), expect == Expect::Cursor);
        Self { at: 0, sequence: 0, skip: 0, continued: false, phase, deprecate_eof, cursor }
    }

    fn first(expect: Expect) -> Phase {
        if expect == Expect::Definitions { Phase::Rows } else { Phase::First(expect) }
    }

    /// Goes on with another result of the same answer.
    pub fn next_result(&mut self) {
        self.phase = Phase::First(Expect::Result);
    }

    /// Whether `at` stands between two packets.
    pub fn between_packets(&self) -> bool {
        self.skip == 0 && !self.continued
    }

    /// Whether `at` stands between two results, or before the first.
    pub fn between_results(&self) -> bool {
        matches!(self.phase, Phase::First(_)) && self.between_packets()
    }

    /// Walks on over `bytes`.
    pub fn step(&mut self, bytes: &[u8]) -> Result<Step, Malformed> {
        loop {
            if self.skip > 0 {
                let passed = self.skip.min(bytes.len() - self.at);
                self.at += passed;
                self.skip -= passed;
                if self.skip > 0 {
                    return Ok(Step::More);
                }
            }
            if self.phase == Phase::Counted(0) {
                return Ok(Step::Ended);
            }
            let rest = &bytes[self.at..];
            let Some((length, sequence)) = header(rest) else { return Ok(Step::More) };
            let first = match (length, rest.get(HEADER)) {
                (0, _) => 0,
                (_, Some(byte)) => *byte,
                (_, None) => return Ok(Step::More),
            };
            let whole = rest.len() >= HEADER + length;
            let range = self.at..self.at + HEADER + length;
            let end = if self.continued { None } else { self.ends(first, length)? };
            match end {
                Some(_) if length > MAX_END => return Err(Malformed::Length),
                Some(_) | None if !whole && length <= WHOLE => return Ok(Step::More),
                Some(_) if !whole => return Ok(Step::More),
                Some(step) => {
                    self.sequence = sequence;
                    if let Some(step) = self.take_end(step, bytes, range)? {
                        return Ok(step);
                    }
                }
                None => {
                    self.sequence = sequence;
                    if !self.continued {
                        self.advance(&bytes[range.start + HEADER..range.end.min(bytes.len())])?;
                    }
                    self.continued = length == MAX_PAYLOAD;
                    let passed = range.len().min(rest.len());
                    self.at += passed;
                    self.skip = range.len() - passed;
                }
            }
        }
    }

    /// Whether a packet is one that has to be looked at whole.
    fn ends(&self, first: u8, length: usize) -> Result<Option<End>, Malformed> {
        Ok(match (self.phase, first) {
            (_, 0xFF) => Some(End::Err),
            (Phase::First(_), _) if length == 0 => return Err(Malformed::Short),
            (Phase::First(Expect::Prepared), 0) => Some(End::Prepared),
            (Phase::First(Expect::Prepared), _) => return Err(Malformed::OutOfTurn),
            (Phase::First(_), 0) => Some(End::Ok),
            (Phase::First(_), 0xFB) => Some(End::Infile),
            (Phase::First(_), 0xFE) => return Err(Malformed::OutOfTurn),
            (Phase::DefinitionsEnd, 0xFE) if length < 9 => Some(End::DefinitionsEof),
            (Phase::First(_), _) if length > MAX_COUNT => return Err(Malformed::Length),
            (Phase::Rows, 0xFE) if length < 9 && !self.deprecate_eof => Some(End::Eof),
            (Phase::Rows, 0xFE) if length < MAX_PAYLOAD && self.deprecate_eof => Some(End::Ok),
            _ => None,
        })
    }

    /// `None`: it only looked like an end.
    fn take_end(&mut self, end: End, bytes: &[u8], range: Range<usize>) -> Result<Option<Step>, Malformed> {
        self.at = range.end;
        Ok(Some(match end {
            End::Ok => Step::Ok(range),
            End::Eof => Step::Eof(range),
            End::DefinitionsEof => {
                // With a cursor open this is the end: rows are fetched. A procedure that has had a cursor of its own tells
                // of one too, and its rows follow (mysqlnd's bug 77935).
                let payload = &bytes[range.start + HEADER..range.end];
                if eof_status(payload)? & status::CURSOR_EXISTS != 0 && self.cursor {
                    return Ok(Some(Step::Eof(range)));
                }
                self.phase = Phase::Rows;
                return Ok(None);
            }
            End::Err => Step::Err(range),
            End::Infile => {
                self.next_result();
                Step::Infile(range)
            }
            End::Prepared => {
                let prepared = Prepared::read(&bytes[range.start + HEADER..range.end])?;
                self.phase = Phase::Counted(prepared.packets(self.deprecate_eof));
                Step::Prepared(range)
            }
        }))
    }

    /// A packet that only passes.
    fn advance(&mut self, payload: &[u8]) -> Result<(), Malformed> {
        self.phase = match self.phase {
            Phase::First(_) => Phase::Definitions(Reader::new(payload).number()?),
            Phase::Definitions(1) if self.deprecate_eof => Phase::Rows,
            Phase::Definitions(1) => Phase::DefinitionsEnd,
            Phase::Definitions(left) => Phase::Definitions(left.checked_sub(1).ok_or(Malformed::OutOfTurn)?),
            Phase::DefinitionsEnd | Phase::Rows => Phase::Rows,
            Phase::Counted(left) => Phase::Counted(left - 1),
        };
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum End {
    Ok,
    Eof,
    DefinitionsEof,
    Err,
    Infile,
    Prepared,
}

/// The first packet of a prepared statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Its id on that connection.
    pub id: u32,
    /// Columns of its result.
    pub columns: u16,
    /// Its parameters.
    pub parameters: u16,
}

impl Prepared {
    /// Where the id stands in the payload.
    pub const ID: Range<usize> = 1..5;

    /// Reads a payload.
    pub fn read(payload: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        reader.u8()?;
        Ok(Self { id: reader.u32()?, columns: reader.u16()?, parameters: reader.u16()? })
    }

    /// How many packets follow.
    fn packets(self, deprecate_eof: bool) -> u64 {
        let block = |n: u16| u64::from(n) + u64::from(n > 0 && !deprecate_eof);
        block(self.parameters) + block(self.columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::packet::put_packet;

    fn packets(payloads: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        payloads.iter().fold(1, |sequence, payload| put_packet(&mut out, sequence, payload));
        out
    }

    const EOF: &[u8] = &[0xFE, 0, 0, 2, 0];
    const OK_END: &[u8] = &[0xFE, 0, 0, 2, 0, 0, 0];

    /// Walks an answer that arrives in pieces of `piece` bytes, and tells the ends met.
    fn walk(bytes: &[u8], piece: usize, expect: Expect, deprecate: bool) -> Vec<&'static str> {
        let mut scanner = Scanner::new(expect, deprecate);
        let mut met = Vec::new();
        for end in (piece..bytes.len() + piece).step_by(piece) {
            let seen = &bytes[..end.min(bytes.len())];
            loop {
                met.push(match scanner.step(seen).expect("a whole answer") {
                    Step::More => break,
                    Step::Ok(r) => {
                        if OkPacket::read(&seen[r.start + 4..r.end]).unwrap().status & status::MORE_RESULTS
                            != 0
                        {
                            scanner.next_result();
                            "ok+"
                        } else {
                            met.push("ok");
                            return met;
                        }
                    }
                    Step::Eof(_) => "eof",
                    Step::Err(_) => "err",
                    Step::Infile(_) => "infile",
                    Step::Prepared(_) => "prepared",
                    Step::Ended => "ended",
                });
                if matches!(met.last(), Some(&"eof" | &"err" | &"ended")) {
                    assert_eq!(scanner.at, bytes.len());
                    return met;
                }
            }
        }
        panic!("no end: {met:?}")
    }

    #[test]
    fn every_kind_of_answer_ends_where_it_ends_however_it_arrives() {
        let definition: &[u8] = b"\x03defxxxxx";
        let big = vec![b'x'; 100_000];
        let mut huge = vec![0xFE];
        huge.extend_from_slice(&(17u64 << 20).to_le_bytes());
        huge.resize(MAX_PAYLOAD + 500, 0xFF);
        let more: &[u8] = &[0, 0, 0, 10, 0, 0, 0];
        type Case<'a> = (&'a [&'a [u8]], Expect, bool, &'a [&'a str]);
        let cases: &[Case<'_>] = &[
            (&[&[0, 1, 0, 2, 0, 0, 0]], Expect::Result, true, &["ok"]),
            (&[b"\xff\x51\x04#42000no"], Expect::Result, true, &["err"]),
            (&[&[2], definition, definition, b"\x01a\x01b", OK_END], Expect::Result, true, &["ok"]),
            (&[&[2], definition, definition, EOF, b"\x01a\x01b", EOF], Expect::Result, false, &["eof"]),
            (&[&[1], definition, EOF, EOF], Expect::Result, false, &["eof"]),
            (&[&[1], definition, &[0xFE, 0, 0, 0x42, 0]], Expect::Cursor, false, &["eof"]),
            (&[&[1], definition, &[0xFE, 0, 0, 0x42, 0], b"\x01a", EOF], Expect::Result, false, &["eof"]),
            (&[b"\x00\x00\x01a", EOF], Expect::Definitions, false, &["eof"]),
            (&[&[1], definition, b"\x01a", b"\xff\x51\x04#42000no"], Expect::Result, true, &["err"]),
            (&[&[1], definition, &big, &big, OK_END], Expect::Result, true, &["ok"]),
            (&[&[1], definition, &huge, OK_END], Expect::Result, true, &["ok"]),
            (&[more, &[1], definition, b"\x00", OK_END], Expect::Result, true, &["ok+", "ok"]),
            (&[&[0xFB, b'f'], &[0, 1, 0, 2, 0, 0, 0]], Expect::Result, true, &["infile", "ok"]),
            (
                &[&[0, 9, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0], definition, definition, EOF, definition, EOF],
                Expect::Prepared,
                false,
                &["prepared", "ended"],
            ),
            (
                &[&[0, 9, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0], definition, definition, definition],
                Expect::Prepared,
                true,
                &["prepared", "ended"],
            ),
            (&[&[0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]], Expect::Prepared, true, &["prepared", "ended"]),
            (&[definition, definition, EOF], Expect::Definitions, false, &["eof"]),
        ];
        for (at, (payloads, expect, deprecate, met)) in cases.iter().enumerate() {
            let bytes = packets(payloads);
            let pieces: &[usize] = if bytes.len() > 1_000_000 {
                &[65_536, usize::MAX / 2]
            } else {
                &[1, 7, 4096, usize::MAX / 2]
            };
            for piece in pieces {
                assert_eq!(walk(&bytes, *piece, *expect, *deprecate), *met, "case {at} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn garbage_is_an_error_and_never_a_panic() {
        let mut seed = 9u64;
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..40)
                .map(|i| {
                    seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    if i % 5 == 1 || i % 5 == 2 { 0 } else { (seed >> 60) as u8 * 17 }
                })
                .collect();
            for deprecate in [false, true] {
                for expect in [Expect::Result, Expect::Prepared, Expect::Definitions] {
                    let mut scanner = Scanner::new(expect, deprecate);
                    for _ in 0..50 {
                        match scanner.step(&bytes) {
                            Ok(Step::More | Step::Ended) | Err(_) => break,
                            Ok(Step::Ok(range)) => {
                                let _ = OkPacket::read(&bytes[range.start + 4..range.end]);
                            }
                            Ok(_) => {}
                        }
                        assert!(scanner.at <= bytes.len());
                    }
                }
            }
        }
    }
}
