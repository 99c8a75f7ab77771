//! One node's answer to its client: as it comes, in few writes, with what ends it taken in.
//!
//! An answer is held back until it is whole or 64 KiB long. Most are whole with one read, so they leave with one write;
//! and as long as nothing has left, a read whose node dies can still be asked elsewhere.

use std::io;
use std::ops::Range;

use bytes::{Buf, BytesMut};

use super::file::pass_file;
use super::seen::Seen;
use crate::pool::connect::Connection;
use crate::session::client::{Client, Gone};
use crate::session::kill::TIME_UP;
use crate::session::watch::{Interruption, News, Watch};
use crate::wire::capabilities::{Capabilities, status};
use crate::wire::packet::{HEADER, Malformed, header, put_header};
use crate::wire::reply::{self, ErrPacket, Expect, OkPacket, Prepared, Scanner, Step};
use crate::wire::trackers::Trackers;

/// Held back at most.
pub(super) const HELD: usize = 64 << 10;

/// How the walk over an answer ended.
#[derive(Debug)]
pub enum End {
    /// It has been passed on whole.
    Whole,
    /// The node takes no writes: nothing was done, nothing passed on.
    ReadOnly,
    /// It is this OK, as the client would be shown it; nothing has been passed on.
    Held(Vec<u8>),
    /// The connection to the node broke.
    Broken(io::Error),
}

/// What is to be done with an answer.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Its kind.
    pub expect: Expect,
    /// Stop at an error that says that the node takes no writes.
    pub stop_at_read_only: bool,
    /// An answer that is nothing but an OK is not passed on.
    pub hold: bool,
    /// The client's id for the statement that is prepared.
    pub statement_id: u32,
}

/// Passes on the answer to what has been sent. `seen` holds what was told, also when this ends early or is dropped.
pub async fn relay(
    connection: &mut Connection,
    client: &mut Client,
    order: Order,
    seen: &mut Seen,
    watch: &mut Watch<'_>,
) -> Result<End, Gone> {
    let deprecate = connection.key.capabilities.has(Capabilities::DEPRECATE_EOF);
    let scanner = Scanner::new(order.expect, deprecate);
    let mut relay = Relay { connection, client, order, seen, scanner };
    loop {
        let met = match relay.scanner.step(&relay.connection.buffer) {
            Ok(Step::More) => relay.more(watch).await?,
            Ok(Step::Ok(range)) => relay.ok(range),
            Ok(Step::Eof(range)) => relay.eof(range),
            Ok(Step::Err(range)) => relay.error(range).await?,
            Ok(Step::Prepared(range)) => relay.prepared(range),
            Ok(Step::Ended) => Met::LastPacket,
            Ok(Step::Infile(_)) => relay.infile().await?,
            Err(error) => Met::broken(error),
        };
        match met {
            Met::GoOn => {}
            Met::EndOfResult if relay.seen.more() => relay.scanner.next_result(),
            Met::EndOfResult if relay.order.hold && relay.is_ok_alone() => return Ok(relay.held()),
            Met::EndOfResult | Met::LastPacket => {
                relay.pass_on().await?;
                return Ok(End::Whole);
            }
            Met::Break(error) => return relay.broken(error).await,
            Met::End(end) => return Ok(end),
        }
    }
}

/// Walks over what has come of an answer in one go: `true` if that is all of it, one result that ends well. Then
/// `scanner.at` bytes may be passed on; otherwise nothing has been touched.
pub fn is_whole(
    connection: &mut Connection,
    client: &Client,
    seen: &mut Seen,
    scanner: &mut Scanner,
) -> bool {
    match scanner.step(&connection.buffer) {
        Ok(Step::Ok(range)) => {
            let payload = &connection.buffer[range.start + HEADER..range.end];
            let Ok(packet) = OkPacket::read(payload) else { return false };
            if packet.status & status::MORE_RESULTS != 0 {
                return false;
            }
            seen.take(&packet, &connection.image);
            if packet.status & status::SESSION_STATE_CHANGED != 0 {
                let shown = show(connection, client, &packet, payload[0]);
                shorten(&mut connection.buffer, range.start, range.end, &shown);
                scanner.at = range.start + HEADER + shown.len();
            }
            true
        }
        Ok(Step::Eof(range)) => {
            let Ok(told) = reply::eof_status(&connection.buffer[range.start + HEADER..range.end]) else {
                return false;
            };
            seen.end_untold(told);
            told & status::MORE_RESULTS == 0
        }
        _ => false,
    }
}

/// An OK packet as the client is shown it: `first` is its first byte.
fn show(connection: &Connection, client: &Client, packet: &OkPacket<'_>, first: u8) -> Vec<u8> {
    let tracks = client.capabilities.has(Capabilities::SESSION_TRACK);
    // Otherwise the node tells what the client has asked for.
    let trackers = if connection.is_tracked() { &client.trackers } else { &Trackers::All };
    packet.for_client(first, tracks.then_some(trackers))
}

/// What a step over the answer has come to.
enum Met {
    /// Nothing that ends anything.
    GoOn,
    /// The end of a result; another one may follow.
    EndOfResult,
    /// The end of it all.
    LastPacket,
    /// The connection is of no use any more.
    Break(io::Error),
    /// There is nothing more to pass on.
    End(End),
}

impl Met {
    fn broken(error: Malformed) -> Self {
        Self::Break(io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

/// An answer on its way.
struct Relay<'a> {
    connection: &'a mut Connection,
    client: &'a mut Client,
    order: Order,
    seen: &'a mut Seen,
    scanner: Scanner,
}

impl Relay<'_> {
    /// Waits for more of it.
    async fn more(&mut self, watch: &mut Watch<'_>) -> Result<Met, Gone> {
        if self.scanner.at >= HELD {
            self.pass_on().await?;
        }
        let error = match watch.news(self.connection, self.client).await {
            News::Node(Ok(true)) => return Ok(Met::GoOn),
            News::Node(Ok(false)) => io::ErrorKind::UnexpectedEof.into(),
            News::Node(Err(error)) => error,
            News::Left => return Err(Gone::Over),
            News::Interrupt(why) => {
                self.seen.interrupted = Some(why);
                let ended = why != Interruption::SessionKilled
                    && watch.end_statement(self.connection, self.client).await;
                if ended {
                    return Ok(Met::GoOn);
                }
                io::ErrorKind::Interrupted.into()
            }
            News::NoAnswer => io::ErrorKind::TimedOut.into(),
        };
        Ok(Met::Break(error))
    }

    /// A result ends with an OK packet: what it tells is taken in, and what the client would not be told is cut out.
    fn ok(&mut self, range: Range<usize>) -> Met {
        let payload = &self.connection.buffer[range.start + HEADER..range.end];
        let Ok(packet) = OkPacket::read(payload) else { return Met::broken(Malformed::Short) };
        self.seen.take(&packet, &self.connection.image);
        if packet.status & status::SESSION_STATE_CHANGED != 0 {
            let shown = show(self.connection, self.client, &packet, payload[0]);
            shorten(&mut self.connection.buffer, range.start, range.end, &shown);
            self.scanner.at = range.start + HEADER + shown.len();
        }
        Met::EndOfResult
    }

    /// A result ends in the old way.
    fn eof(&mut self, range: Range<usize>) -> Met {
        match reply::eof_status(&self.connection.buffer[range.start + HEADER..range.end]) {
            Ok(told) => self.seen.end_untold(told),
            Err(error) => return Met::broken(error),
        }
        Met::EndOfResult
    }

    /// It ends with an error.
    async fn error(&mut self, range: Range<usize>) -> Result<Met, Gone> {
        let error = ErrPacket::read(&self.connection.buffer[range.start + HEADER..range.end]);
        if !self.seen.passed_on {
            if self.order.stop_at_read_only && error.is_ok_and(|error| error.is_read_only()) {
                self.connection.buffer.advance(range.end);
                return Ok(Met::End(End::ReadOnly));
            }
            // The node's own goodbye: as good as a broken connection, and taken as one while nothing has left.
            if error.is_ok_and(|error| matches!(error.code, 1053 | 1927)) {
                return Ok(Met::End(End::Broken(io::ErrorKind::ConnectionAborted.into())));
            }
        }
        self.seen.error = Some(error.map_or(0, |error| error.code));
        if self.seen.interrupted == Some(Interruption::TimeUp) && self.seen.error == Some(1317) {
            return self.time_up(range).await;
        }
        Ok(Met::LastPacket)
    }

    /// The node says that it was interrupted; the client is told why.
    async fn time_up(&mut self, range: Range<usize>) -> Result<Met, Gone> {
        self.scanner.at = range.start;
        self.pass_on().await?;
        self.connection.buffer.advance(range.len());
        self.client.sequence = self.scanner.sequence;
        self.seen.error = Some(1969);
        self.client.error(1969, "70100", TIME_UP).await?;
        Ok(Met::End(End::Whole))
    }

    /// A statement has been prepared: the client's id is written over the node's.
    fn prepared(&mut self, range: Range<usize>) -> Met {
        let payload = range.start + HEADER;
        self.seen.prepared = Prepared::read(&self.connection.buffer[payload..range.end]).ok();
        let id = payload + Prepared::ID.start..payload + Prepared::ID.end;
        self.connection.buffer[id].copy_from_slice(&self.order.statement_id.to_le_bytes());
        Met::GoOn
    }

    /// The node asks for a file.
    async fn infile(&mut self) -> Result<Met, Gone> {
        self.pass_on().await?;
        let passed = pass_file(self.connection, self.client).await?;
        Ok(passed.map_or_else(Met::Break, |()| Met::GoOn))
    }

    /// Whether one OK is all that there is.
    fn is_ok_alone(&self) -> bool {
        let first = header(&self.connection.buffer).map(|(length, _)| HEADER + length);
        first == Some(self.scanner.at) && self.connection.buffer.get(HEADER) == Some(&0)
    }

    /// Takes the OK out.
    fn held(&mut self) -> End {
        End::Held(self.connection.buffer.split_to(self.scanner.at)[HEADER..].to_vec())
    }

    /// Sends what has been walked over.
    async fn pass_on(&mut self) -> Result<(), Gone> {
        self.seen.passed_on = true;
        let walked = std::mem::take(&mut self.scanner.at);
        self.client.stream.write_all(&self.connection.buffer[..walked]).await?;
        self.connection.buffer.advance(walked);
        self.client.sequence = self.scanner.sequence.wrapping_add(1);
        if self.scanner.between_results() {
            self.client.stream.follow_frames(self.client.sequence);
        }
        Ok(())
    }

    /// The node is gone. If part of the answer has been passed on, whole packets that were held back follow it, and the
    /// rest can only be an error; half a packet cannot be ended at all.
    async fn broken(&mut self, error: io::Error) -> Result<End, Gone> {
        if self.seen.passed_on {
            if !self.scanner.between_packets() {
                return Err(Gone::Io(error));
            }
            self.pass_on().await?;
        }
        Ok(End::Broken(error))
    }
}

/// Replaces a packet in the buffer by a shorter one with the same sequence number.
fn shorten(buffer: &mut BytesMut, start: usize, end: usize, payload: &[u8]) {
    debug_assert!(start + HEADER + payload.len() <= end, "what clients are shown is never longer");
    let sequence = buffer[start + 3];
    put_header(&mut buffer[start..], payload.len(), sequence);
    let new_end = start + HEADER + payload.len();
    buffer[start + HEADER..new_end].copy_from_slice(payload);
    buffer.copy_within(end.., new_end);
    let length = buffer.len() - (end - new_end);
    buffer.truncate(length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_packet_keeps_its_number_and_what_follows() {
        let mut buffer = BytesMut::from(&b"\x05\0\0\x07abcde\x01\0\0\x08x"[..]);
        shorten(&mut buffer, 0, 9, b"AB");
        assert_eq!(&buffer[..], b"\x02\0\0\x07AB\x01\0\0\x08x");
    }
}
