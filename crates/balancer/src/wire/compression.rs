//! The compressed protocol: what goes over the wire is cut into frames, packed or not, whatever packets are in them.
//!
//! A frame begins with 3 bytes of length, a sequence number, and 3 bytes of the length when unpacked, 0 for one that is
//! not packed. Frames are counted over both directions, from 0 with each command. Sources: the MySQL internals manual,
//! "Compression", and the MariaDB knowledge base, "Protocol differences".
//!
//! Servers let the number of the next packet follow the number of the next frame wherever they flush, and some clients
//! expect it: after a command, after a file, and at the end of a result that is not the last. Elsewhere packets count on.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::rc::Rc;

use bytes::{Buf, BytesMut};
use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};
use zstd::bulk::Compressor;
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::packet::{HEADER as PACKET_HEADER, header};

/// Bytes before a frame's content.
const HEADER: usize = 7;
/// Less is not worth packing; the same limit as in servers (`MIN_COMPRESS_LENGTH`).
const WORTH_IT: usize = 50;
/// More than this is sent in several frames: packing one holds up the thread, and packs no worse.
const FRAME: usize = 64 << 10;
/// Unpacked at a time, for the same reason.
const PART: usize = 256 << 10;
/// Some bytes do not get shorter by packing; more than this they cannot get longer.
const OVERHEAD: usize = 1 << 10;
/// A window of 16 MiB, as long as a frame can be.
const WINDOW_LOG: u32 = 24;
/// zlib's fastest level: half the processor time of the usual 6, and a tenth more bytes.
const ZLIB_LEVEL: flate2::Compression = flate2::Compression::fast();
/// The highest level of zstd that is used, whatever the client asks for: above it one client could hold up the others.
const ZSTD_LEVEL_MAX: u8 = 9;
/// Room that is kept between commands.
const KEPT: usize = 64 << 10;

/// How to pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RFC 1950.
    Zlib,
    /// RFC 8878, at the level that the client has asked for: 1 to 22.
    Zstd(u8),
}

/// What packs, shared by the sessions of a thread: each of these takes some 100 KiB.
#[derive(Clone, Default)]
pub struct Packers(Rc<RefCell<Tools>>);

#[derive(Default)]
struct Tools {
    zlib: Option<Compress>,
    zstd: Option<Compressor<'static>>,
}

/// One client's.
pub struct Compression {
    algorithm: Algorithm,
    packers: Packers,
    /// The number of the next frame in either direction.
    sequence: u8,
    /// Added to the numbers of packets on their way out, and how much of the packet under way is left.
    shift: (u8, usize),
    /// The longest packet that is allowed, in bytes.
    limit: usize,
    /// What has come and is not unpacked.
    packed: BytesMut,
    /// The frame at the front of it, if that has been begun.
    begun: Option<Begun>,
}

/// A packed frame halfway.
struct Begun {
    unpacker: Unpacker,
    /// What is still packed, in bytes.
    packed: usize,
    /// What it has to become, in bytes.
    left: usize,
}

enum Unpacker {
    Zlib(Decompress),
    Zstd(Decoder<'static>),
}

/// What has been added to the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpacked {
    /// Nothing: more has to come first.
    Nothing,
    /// The rest of a frame.
    Whole,
    /// A part of a frame; there is more of it.
    Part,
}

impl fmt::Debug for Packers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Packers")
    }
}

impl fmt::Debug for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compression")
            .field("algorithm", &self.algorithm)
            .field("sequence", &self.sequence)
            .field("packed", &self.packed.len())
            .finish_non_exhaustive()
    }
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

impl Compression {
    /// Begins between two commands. Packets of more than `limit` bytes are refused before they are unpacked.
    pub fn new(algorithm: Algorithm, limit: usize, packers: Packers) -> Self {
        Self { algorithm, packers, sequence: 0, shift: (0, 0), limit, packed: BytesMut::new(), begun: None }
    }

    /// A command begins: frames count from 0 again.
    pub fn begin_command(&mut self) {
        self.sequence = 0;
        self.shift = (0, 0);
        if self.packed.is_empty() && self.packed.capacity() > KEPT {
            self.packed = BytesMut::new();
        }
    }

    /// What is sent next begins with the packet of this number; clients expect it under the number of the frame.
    pub fn follow_frames(&mut self, next: u8) {
        self.shift = (self.sequence.wrapping_sub(next), 0);
    }

    /// Gives packets their new numbers; these bytes may begin and end within one.
    fn renumber(&mut self, bytes: &mut [u8]) {
        let (shift, left) = &mut self.shift;
        let mut at = *left;
        while let Some((length, sequence)) = bytes.get(at..).and_then(header) {
            bytes[at + PACKET_HEADER - 1] = sequence.wrapping_add(*shift);
            at += PACKET_HEADER + length;
        }
        *left = at.saturating_sub(bytes.len());
    }

    /// Where to put what comes from the wire.
    pub fn packed(&mut self, room: usize) -> &mut BytesMut {
        if self.packed.capacity() - self.packed.len() < room / 4 {
            self.packed.reserve(room);
        }
        &mut self.packed
    }

    /// Bytes that wait to be unpacked; a frame that has been begun counts as one more.
    pub fn held(&self) -> usize {
        self.packed.len() + usize::from(self.begun.is_some())
    }

    /// Whether nothing waits to be unpacked.
    pub fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    /// Appends the next part of the frame at the front; a part is no longer than 256 KiB unless it came unpacked.
    ///
    /// # Errors
    /// `FileTooLarge` for a frame that would unpack to more than a packet may have; `InvalidData` for a frame out of turn
    /// or one that holds something else than it says.
    pub fn unpack(&mut self, buffer: &mut BytesMut) -> io::Result<Unpacked> {
        let begun = match &mut self.begun {
            Some(begun) => begun,
            None => match self.next_frame()? {
                Some((length, 0)) => {
                    buffer.extend_from_slice(&self.packed[..length]);
                    self.packed.advance(length);
                    return Ok(Unpacked::Whole);
                }
                Some((packed, left)) => {
                    let unpacker = Unpacker::new(self.algorithm)?;
                    self.begun.insert(Begun { unpacker, packed, left })
                }
                None => return Ok(Unpacked::Nothing),
            },
        };
        let read = begun.step(&self.packed, buffer)?;
        self.packed.advance(read);
        if begun.left > 0 {
            return Ok(Unpacked::Part);
        }
        self.packed.advance(begun.packed);
        self.begun = None;
        Ok(Unpacked::Whole)
    }

    /// Takes the header of the next frame, once that is whole: its length, and the length when unpacked.
    fn next_frame(&mut self) -> io::Result<Option<(usize, usize)>> {
        let Some(header) = self.packed.first_chunk::<HEADER>() else { return Ok(None) };
        let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], 0]) as usize;
        let (length, sequence, unpacked) = (number(0), header[3], number(4));
        if sequence != self.sequence {
            return Err(invalid("a compressed frame has the wrong sequence number"));
        }
        let allowed = self.limit.saturating_add(PACKET_HEADER);
        if unpacked > allowed || (unpacked == 0 && length > allowed) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if length == 0 || (unpacked > 0 && length > unpacked + OVERHEAD) {
            return Err(invalid("a compressed frame has an impossible length"));
        }
        if self.packed.len() < HEADER + length {
            return Ok(None);
        }
        self.sequence = sequence.wrapping_add(1);
        self.packed.advance(HEADER);
        Ok(Some((length, unpacked)))
    }

    /// These bytes, of packets whose headers are whole, as frames.
    pub fn pack(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.shift.0 == 0 {
            return self.frames(bytes);
        }
        let mut bytes = bytes.to_vec();
        self.renumber(&mut bytes);
        self.frames(&bytes)
    }

    fn frames(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + HEADER * (1 + bytes.len() / FRAME));
        let mut tools = self.packers.0.borrow_mut();
        for part in bytes.chunks(FRAME) {
            let start = out.len();
            out.resize(start + HEADER + part.len(), 0);
            let (head, content) = out[start..].split_at_mut(HEADER);
            let packed = if part.len() < WORTH_IT { None } else { tools.pack(self.algorithm, part, content) };
            if packed.is_none() {
                content.copy_from_slice(part);
            }
            let length = packed.unwrap_or(part.len());
            let unpacked = if packed.is_some() { part.len() } else { 0 };
            head[..3].copy_from_slice(&(length as u32).to_le_bytes()[..3]);
            head[3] = self.sequence;
            head[4..].copy_from_slice(&(unpacked as u32).to_le_bytes()[..3]);
            out.truncate(start + HEADER + length);
            self.sequence = self.sequence.wrapping_add(1);
        }
        out
    }
}

impl Tools {
    /// Packs into `out`, which is as long as `part`; `None` when it would not get shorter.
    fn pack(&mut self, algorithm: Algorithm, part: &[u8], out: &mut [u8]) -> Option<usize> {
        match algorithm {
            Algorithm::Zlib => {
                let zlib = self.zlib.get_or_insert_with(|| Compress::new(ZLIB_LEVEL, true));
                zlib.reset();
                match zlib.compress(part, out, FlushCompress::Finish) {
                    Ok(Status::StreamEnd) => usize::try_from(zlib.total_out()).ok(),
                    _ => None,
                }
            }
            Algorithm::Zstd(level) => {
                if self.zstd.is_none() {
                    self.zstd = Compressor::new(0).ok();
                }
                let zstd = self.zstd.as_mut()?;
                zstd.set_compression_level(level.clamp(1, ZSTD_LEVEL_MAX).into()).ok()?;
                zstd.compress_to_buffer(part, out).ok()
            }
        }
        .filter(|length| *length < part.len())
    }
}

impl Begun {
    /// Unpacks a part into the buffer; returns how much of `packed` that has used up.
    fn step(&mut self, packed: &[u8], buffer: &mut BytesMut) -> io::Result<usize> {
        let start = buffer.len();
        buffer.resize(start + self.left.min(PART), 0);
        let (mut read, written) = self.unpacker.run(&packed[..self.packed], &mut buffer[start..])?;
        buffer.truncate(start + written);
        self.left -= written;
        if self.left == 0 {
            read += self.unpacker.end(&packed[read..self.packed])?;
        } else if written == 0 {
            return Err(invalid("a compressed frame is shorter than it says"));
        }
        self.packed -= read;
        Ok(read)
    }
}

impl Unpacker {
    fn new(algorithm: Algorithm) -> io::Result<Self> {
        Ok(match algorithm {
            Algorithm::Zlib => Self::Zlib(Decompress::new(true)),
            Algorithm::Zstd(_) => {
                let mut decoder = Decoder::new()?;
                decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
                Self::Zstd(decoder)
            }
        })
    }

    /// Unpacks as much as there is room for: how many bytes were read and written.
    fn run(&mut self, packed: &[u8], out: &mut [u8]) -> io::Result<(usize, usize)> {
        match self {
            Self::Zlib(zlib) => {
                let (read, written) = (zlib.total_in(), zlib.total_out());
                zlib.decompress(packed, out, FlushDecompress::None).map_err(|_| invalid("no zlib data"))?;
                Ok(((zlib.total_in() - read) as usize, (zlib.total_out() - written) as usize))
            }
            Self::Zstd(zstd) => {
                let (mut from, mut to) = (InBuffer::around(packed), OutBuffer::around(out));
                loop {
                    let before = (from.pos(), to.pos());
                    let hint = zstd.run(&mut from, &mut to).map_err(|_| invalid("no zstd data"))?;
                    if hint == 0 || (from.pos(), to.pos()) == before {
                        return Ok((from.pos(), to.pos()));
                    }
                }
            }
        }
    }

    /// Sees to it that nothing follows but checksums: how many bytes those had.
    fn end(&mut self, packed: &[u8]) -> io::Result<usize> {
        let (read, written) = self.run(packed, &mut [0; 1])?;
        if written > 0 { Err(invalid("a compressed frame is longer than it says")) } else { Ok(read) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Algorithm; 2] = [Algorithm::Zlib, Algorithm::Zstd(3)];
    const LIMIT: usize = 64 << 20;

    fn side(algorithm: Algorithm) -> Compression {
        Compression::new(algorithm, LIMIT, Packers::default())
    }

    /// Everything that comes out of these frames, fed `piece` bytes at a time.
    fn unpacked(side: &mut Compression, frames: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        let mut out = BytesMut::new();
        for piece in frames.chunks(piece) {
            side.packed(piece.len()).extend_from_slice(piece);
            while side.unpack(&mut out)? != Unpacked::Nothing {}
        }
        Ok(out.to_vec())
    }

    /// Some that packs well and some that does not.
    fn texts() -> Vec<Vec<u8>> {
        let noise = |length: usize| {
            let mut state = 7u64;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            };
            (0..length).map(|_| next()).collect::<Vec<u8>>()
        };
        let mut mixed = b"SELECT ".repeat(100_000);
        mixed.extend(noise(100_000));
        vec![vec![1], vec![9; 49], vec![9; 50], noise(1000), b"abc".repeat(30_000), mixed, vec![0; 5 << 20]]
    }

    #[test]
    fn what_is_packed_on_one_side_is_unpacked_on_the_other() {
        for algorithm in BOTH {
            for text in texts() {
                for piece in [1 << 30, 1000] {
                    let (mut from, mut to) = (side(algorithm), side(algorithm));
                    let frames = from.pack(&text);
                    assert_eq!(unpacked(&mut to, &frames, piece).unwrap(), text, "{algorithm:?}");
                    assert_eq!(from.sequence, to.sequence, "both count the same frames");
                    assert!(frames.len() <= text.len() + HEADER * (1 + text.len() / FRAME));
                    assert!(to.is_empty());
                }
            }
        }
    }

    #[test]
    fn little_is_not_packed_and_frames_are_counted_from_each_command() {
        let mut side = side(Algorithm::Zlib);
        assert_eq!(side.pack(&[7; 3]), [3, 0, 0, 0, 0, 0, 0, 7, 7, 7]);
        assert_eq!(side.pack(&[7; 50])[3..7], [1, 50, 0, 0], "this one is");
        side.begin_command();
        assert_eq!(side.pack(&[7])[3], 0);
    }

    #[test]
    fn packets_follow_the_frames_where_a_server_flushes() {
        let mut side = side(Algorithm::Zlib);
        side.sequence = 5;
        side.follow_frames(250);
        // Three packets in two writes, of which the first ends within the second packet.
        let sent = [side.pack(&[1, 0, 0, 250, 7, 2, 0, 0, 251, 7]), side.pack(&[7, 0, 0, 0, 252])].concat();
        let plain = [&sent[HEADER..HEADER + 10], &sent[2 * HEADER + 10..]].concat();
        assert_eq!(plain, [1, 0, 0, 5, 7, 2, 0, 0, 6, 7, 7, 0, 0, 0, 7]);
    }

    #[test]
    fn frames_are_taken_one_at_a_time_so_that_the_next_command_keeps_its_own_count() {
        let mut buffer = BytesMut::new();
        let mut side = side(Algorithm::Zlib);
        side.packed(64).extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, b'a', 1, 0, 0, 0, 0, 0, 0, b'b']);
        assert_eq!(side.unpack(&mut buffer).unwrap(), Unpacked::Whole);
        assert_eq!((&buffer[..], side.sequence), (&b"a"[..], 1));
        assert!(!side.is_empty());
        side.begin_command();
        assert_eq!(side.unpack(&mut buffer).unwrap(), Unpacked::Whole);
        assert_eq!(&buffer[..], b"ab");
    }

    #[test]
    fn a_frame_that_lies_is_refused() {
        let long = |algorithm| side(algorithm).pack(&[5; 4000]);
        let told =
            |frames: &[u8], algorithm| unpacked(&mut side(algorithm), frames, 1 << 20).map_err(|e| e.kind());
        for algorithm in BOTH {
            let good = long(algorithm);
            assert_eq!(told(&good, algorithm), Ok(vec![5; 4000]));
            for (at, value) in [(3, 1), (4, 0xA1), (4, 0x9F), (0, 5)] {
                let mut bad = good.clone();
                bad[at] = value;
                assert_eq!(told(&bad, algorithm), Err(io::ErrorKind::InvalidData), "{algorithm:?} {at}");
            }
            let mut noise = good.clone();
            noise[HEADER..].fill(0x55);
            assert_eq!(told(&noise, algorithm), Err(io::ErrorKind::InvalidData), "{algorithm:?}");
            assert_eq!(told(&[0; HEADER], algorithm), Err(io::ErrorKind::InvalidData));
        }
    }

    #[test]
    fn a_bomb_is_refused_by_what_it_says_and_never_unpacks_to_more() {
        for algorithm in BOTH {
            let mut small = Compression::new(algorithm, 1000, Packers::default());
            let frames = side(algorithm).pack(&[0; 2000]);
            assert_eq!(
                unpacked(&mut small, &frames, 1 << 20).unwrap_err().kind(),
                io::ErrorKind::FileTooLarge
            );
            // Says 1000, holds 2000.
            let mut lies = frames.clone();
            lies[4..7].copy_from_slice(&[0xE8, 3, 0]);
            let mut small = Compression::new(algorithm, 1000, Packers::default());
            small.packed(lies.len()).extend_from_slice(&lies);
            let mut out = BytesMut::new();
            assert_eq!(small.unpack(&mut out).unwrap_err().kind(), io::ErrorKind::InvalidData);
            assert!(out.len() <= 1000);
        }
        let unpacked_and_long = [0xFF, 0xFF, 0xFF, 0, 0, 0, 0];
        let mut small = Compression::new(Algorithm::Zlib, 1000, Packers::default());
        let refused = unpacked(&mut small, &unpacked_and_long, 100).unwrap_err().kind();
        assert_eq!(refused, io::ErrorKind::FileTooLarge, "before any of it has been waited for");
    }

    #[test]
    fn a_long_frame_is_unpacked_a_part_at_a_time() {
        // One frame, as a client makes it of a long packet.
        let text = vec![3; 3 * PART + 1];
        let mut zlib = Compress::new(ZLIB_LEVEL, true);
        let mut packed = vec![0; text.len()];
        zlib.compress(&text, &mut packed, FlushCompress::Finish).unwrap();
        packed.truncate(zlib.total_out() as usize);
        let mut to = side(Algorithm::Zlib);
        let length = |n: usize| (n as u32).to_le_bytes();
        to.packed(16).extend_from_slice(&length(packed.len())[..3]);
        to.packed(16).extend_from_slice(&[0]);
        to.packed(16).extend_from_slice(&length(text.len())[..3]);
        to.packed(16).extend_from_slice(&packed);
        let mut out = BytesMut::new();
        for part in 1..=3 {
            assert_eq!(to.unpack(&mut out).unwrap(), Unpacked::Part);
            assert_eq!(out.len(), part * PART);
        }
        assert_eq!(to.unpack(&mut out).unwrap(), Unpacked::Whole);
        assert_eq!(out.len(), text.len());
        assert!(to.is_empty());
    }
}
