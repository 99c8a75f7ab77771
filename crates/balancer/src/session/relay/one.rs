//! One node's answer to its client: as it comes, in few writes, with what ends it taken in.
//!
//! An answer is held back until it is whole or 64 KiB long. Most are whole with one read, so they leave with one write;
//! and as long as nothing has left, a read whose node dies can still be asked elsewhere.

use std::io;
use std::rc::Rc;

use bytes::{Buf, BytesMut};
use cluster::replication::gtid::GtidPosition;

use crate::pool::connect::Connection;
use crate::pool::image::{Image, is_carried};
use crate::session::client::{Client, Gone};
use crate::session::kill::TIME_UP;
use crate::session::watch::{Interruption, News, Watch};
use crate::wire::capabilities::{Capabilities, status};
use crate::wire::packet::{HEADER, Malformed, header, put_header};
use crate::wire::reply::{self, Change, ErrPacket, Expect, OkPacket, Prepared, Scanner, Step};

/// Held back at most.
const HELD: usize = 64 << 10;

/// What an answer told.
#[derive(Debug, Default)]
pub struct Seen {
    /// Anything has been passed on to the client.
    pub passed_on: bool,
    /// The node's status at the end, if it was told.
    pub status: Option<u16>,
    /// Warnings in all.
    pub warnings: u16,
    /// The last AUTO_INCREMENT id told, 0: none.
    pub insert_id: u64,
    /// The error that ended it.
    pub error: Option<u16>,
    /// Where the session's writes have come to.
    pub gtid: Option<GtidPosition>,
    /// The session's new state.
    pub image: Option<Image>,
    /// The client has switched the tracking to something else.
    pub untracked: bool,
    /// A result ended without telling changes (EOF).
    pub untold: bool,
    /// The statement that was prepared.
    pub prepared: Option<Prepared>,
    /// Why the node has been told to end the statement early.
    pub interrupted: Option<Interruption>,
}

/// How the walk over an answer ended.
#[derive(Debug)]
pub enum End {
    /// It has been passed on whole.
    Whole,
    /// The node takes no writes: nothing was done, nothing passed on.
    ReadOnly,
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
    let tracks = client.capabilities.has(Capabilities::SESSION_TRACK);
    let mut scanner = Scanner::new(order.expect, deprecate);
    loop {
        let step = match scanner.step(&connection.buffer) {
            Ok(step) => step,
            Err(error) => {
                return broken(&mut connection.buffer, &mut scanner, client, seen, malformed(error)).await;
            }
        };
        let ended = match step {
            Step::More => {
                if scanner.at >= HELD {
                    pass_on(&mut connection.buffer, &mut scanner, client, seen).await?;
                }
                let error = match watch.news(connection, client).await {
                    News::Node(Ok(true)) => continue,
                    News::Node(Ok(false)) => io::ErrorKind::UnexpectedEof.into(),
                    News::Node(Err(error)) => error,
                    News::Left => return Err(Gone::Over),
                    News::Interrupt(why) => {
                        seen.interrupted = Some(why);
                        if why != Interruption::SessionKilled && watch.end_statement(connection).await {
                            continue;
                        }
                        io::ErrorKind::Interrupted.into()
                    }
                    News::NoAnswer => io::ErrorKind::TimedOut.into(),
                };
                return broken(&mut connection.buffer, &mut scanner, client, seen, error).await;
            }
            Step::Ok(range) => {
                let payload = &connection.buffer[range.start + HEADER..range.end];
                let Ok(packet) = OkPacket::read(payload) else {
                    return broken(
                        &mut connection.buffer,
                        &mut scanner,
                        client,
                        seen,
                        malformed(Malformed::Short),
                    )
                    .await;
                };
                seen.take(&packet, &connection.image);
                if packet.status & status::SESSION_STATE_CHANGED != 0 {
                    let shown = packet.for_client(payload[0], tracks);
                    shorten(&mut connection.buffer, range.start, range.end, &shown);
                    scanner.at = range.start + HEADER + shown.len();
                }
                !seen.more()
            }
            Step::Eof(range) => {
                match reply::eof_status(&connection.buffer[range.start + HEADER..range.end]) {
                    Ok(told) => seen.status = Some(told & !status::SESSION_STATE_CHANGED),
                    Err(error) => {
                        return broken(&mut connection.buffer, &mut scanner, client, seen, malformed(error))
                            .await;
                    }
                }
                seen.untold = true;
                !seen.more()
            }
            Step::Err(range) => {
                let error = ErrPacket::read(&connection.buffer[range.start + HEADER..range.end]);
                if order.stop_at_read_only && !seen.passed_on && error.is_ok_and(|error| error.is_read_only())
                {
                    connection.buffer.advance(range.end);
                    return Ok(End::ReadOnly);
                }
                // The node's own goodbye: as good as a broken connection, and taken as one while nothing has left.
                if !seen.passed_on && error.is_ok_and(|error| matches!(error.code, 1053 | 1927)) {
                    return Ok(End::Broken(io::ErrorKind::ConnectionAborted.into()));
                }
                seen.error = Some(error.map_or(0, |error| error.code));
                if seen.interrupted == Some(Interruption::TimeUp) && seen.error == Some(1317) {
                    scanner.at = range.start;
                    pass_on(&mut connection.buffer, &mut scanner, client, seen).await?;
                    connection.buffer.advance(range.len());
                    client.sequence = scanner.sequence;
                    seen.error = Some(1969);
                    client.error(1969, "70100", TIME_UP).await?;
                    return Ok(End::Whole);
                }
                true
            }
            Step::Prepared(range) => {
                let payload = range.start + HEADER;
                seen.prepared = Prepared::read(&connection.buffer[payload..range.end]).ok();
                let id = payload + Prepared::ID.start..payload + Prepared::ID.end;
                connection.buffer[id].copy_from_slice(&order.statement_id.to_le_bytes());
                continue;
            }
            Step::Ended => true,
            Step::Infile(_) => {
                pass_on(&mut connection.buffer, &mut scanner, client, seen).await?;
                if let Err(error) = pass_file(connection, client).await? {
                    return broken(&mut connection.buffer, &mut scanner, client, seen, error).await;
                }
                continue;
            }
        };
        if ended {
            pass_on(&mut connection.buffer, &mut scanner, client, seen).await?;
            return Ok(End::Whole);
        }
        scanner.next_result();
    }
}

fn malformed(error: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Sends what has been walked over.
async fn pass_on(
    buffer: &mut BytesMut,
    scanner: &mut Scanner,
    client: &mut Client,
    seen: &mut Seen,
) -> Result<(), Gone> {
    seen.passed_on = true;
    client.stream.write_all(&buffer[..scanner.at]).await?;
    buffer.advance(std::mem::take(&mut scanner.at));
    client.sequence = scanner.sequence.wrapping_add(1);
    if scanner.between_results() {
        client.stream.follow_frames(client.sequence);
    }
    Ok(())
}

/// The node is gone. If part of the answer has been passed on, whole packets that were held back follow it, and the
/// rest can only be an error; half a packet cannot be ended at all.
async fn broken(
    buffer: &mut BytesMut,
    scanner: &mut Scanner,
    client: &mut Client,
    seen: &mut Seen,
    error: io::Error,
) -> Result<End, Gone> {
    if seen.passed_on {
        if !scanner.between_packets() {
            return Err(Gone::Io(error));
        }
        pass_on(buffer, scanner, client, seen).await?;
    }
    Ok(End::Broken(error))
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

/// Passes a file from the client to the node, up to the empty packet that ends it. When the node breaks, the rest of the
/// file is read and thrown away, so that the client stays usable.
async fn pass_file(connection: &mut Connection, client: &mut Client) -> Result<io::Result<()>, Gone> {
    client.finish_command();
    let mut outcome = Ok(());
    let mut left = 0;
    // Where frames are counted, not packets, clients may number packets as they like, and nodes do not care for it.
    let renumber = client.stream.is_compressed();
    let mut next = client.sequence;
    loop {
        let ready = left.min(client.buffer.len());
        if ready > 0 {
            if outcome.is_ok() {
                outcome = connection.stream.write_all(&client.buffer[..ready]).await;
            }
            client.buffer.advance(ready);
            left -= ready;
        }
        if left == 0
            && let Some((length, sequence)) = header(&client.buffer)
        {
            left = HEADER + length;
            let sequence = if renumber { next } else { sequence };
            client.buffer[HEADER - 1] = sequence;
            next = sequence.wrapping_add(1);
            client.sequence = next;
            if length == 0 {
                if outcome.is_ok() {
                    outcome = connection.stream.write_all(&client.buffer[..HEADER]).await;
                }
                client.buffer.advance(HEADER);
                client.stream.follow_frames(client.sequence);
                return Ok(outcome);
            }
            continue;
        }
        if !client.stream.read_with_room(&mut client.buffer, HELD).await? {
            return Err(Gone::Over);
        }
    }
}

impl Seen {
    /// Whether another result follows.
    fn more(&self) -> bool {
        self.status.is_some_and(|told| told & status::MORE_RESULTS != 0)
    }

    /// Takes in what an OK packet tells.
    fn take(&mut self, packet: &OkPacket<'_>, before: &Rc<Image>) {
        self.status = Some(packet.status & !status::SESSION_STATE_CHANGED);
        self.warnings = self.warnings.saturating_add(packet.warnings);
        if packet.last_insert_id != 0 {
            self.insert_id = packet.last_insert_id;
        }
        for change in reply::changes(packet.changes) {
            match change {
                Change::Variable(b"last_gtid", value) => self.written(value),
                Change::Variable(b"session_track_system_variables", value) => self.untracked = value != b"*",
                Change::Variable(name, value) => {
                    let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
                    if is_carried(&name) {
                        self.image.get_or_insert_with(|| Image::clone(before)).set(&name, &value);
                    }
                }
                Change::Schema(name) => {
                    let schema = (!name.is_empty()).then(|| name.into());
                    if self.image.as_ref().unwrap_or(before).schema != schema {
                        self.image.get_or_insert_with(|| Image::clone(before)).schema = schema;
                    }
                }
            }
        }
    }

    fn written(&mut self, text: &[u8]) {
        if let Ok(position) = String::from_utf8_lossy(text).parse::<GtidPosition>()
            && !position.is_empty()
        {
            self.gtid.get_or_insert_default().merge(&position);
        }
    }
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
