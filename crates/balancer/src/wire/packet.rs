//! Framing and the primitive values: a packet is 3 bytes of length, a sequence number and a payload.

/// Bytes before a payload.
pub const HEADER: usize = 4;
/// A payload of exactly this length goes on in the next packet.
pub const MAX_PAYLOAD: usize = 0xFF_FFFF;

/// A packet that breaks the protocol. Whoever sent it cannot be understood any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It ends within a value.
    #[error("a packet ends within a value")]
    Short,
    /// A length that cannot be.
    #[error("a packet holds an impossible length")]
    Length,
    /// A packet arrived where another one had to come.
    #[error("a packet came out of turn")]
    OutOfTurn,
    /// The sequence number is not the next one.
    #[error("a packet has the wrong sequence number")]
    Sequence,
    /// A value that nothing stands for.
    #[error("a packet holds an unknown value")]
    Unknown,
}

/// The length and the sequence number in a header.
pub fn header(bytes: &[u8]) -> Option<(usize, u8)> {
    let bytes: [u8; HEADER] = bytes.get(..HEADER)?.try_into().ok()?;
    Some((usize::from(bytes[0]) | usize::from(bytes[1]) << 8 | usize::from(bytes[2]) << 16, bytes[3]))
}

/// Writes the header of a payload that is shorter than [`MAX_PAYLOAD`].
pub fn put_header(out: &mut [u8], length: usize, sequence: u8) {
    debug_assert!(length < MAX_PAYLOAD, "longer payloads need several packets");
    out[..3].copy_from_slice(&(length as u32).to_le_bytes()[..3]);
    out[3] = sequence;
}

/// Appends packets that carry `payload`, beginning at `sequence`; returns the sequence number after the last.
pub fn put_packet(out: &mut Vec<u8>, mut sequence: u8, payload: &[u8]) -> u8 {
    let mut rest = payload;
    loop {
        let (part, left) = rest.split_at(rest.len().min(MAX_PAYLOAD));
        out.extend_from_slice(&(part.len() as u32).to_le_bytes()[..3]);
        out.push(sequence);
        out.extend_from_slice(part);
        sequence = sequence.wrapping_add(1);
        rest = left;
        if part.len() < MAX_PAYLOAD {
            return sequence;
        }
    }
}

/// Reads values from a payload, in order.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Begins at the first byte of a payload.
    pub fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether all has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.bytes(N)?.try_into().map_err(|_| Malformed::Short)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// A length-encoded number: 1, 3, 4 or 9 bytes.
    pub fn number(&mut self) -> Result<u64, Malformed> {
        match self.u8()? {
            small @ 0..=0xFA => Ok(u64::from(small)),
            0xFC => Ok(u64::from(self.u16()?)),
            0xFD => {
                let [a, b, c] = self.array()?;
                Ok(u64::from(u32::from_le_bytes([a, b, c, 0])))
            }
            0xFE => Ok(u64::from_le_bytes(self.array()?)),
            _ => Err(Malformed::Unknown),
        }
    }

    /// Bytes after their length-encoded length.
    pub fn text(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.number()?;
        self.bytes(usize::try_from(length).map_err(|_| Malformed::Length)?)
    }

    /// Bytes up to a zero, which is read too.
    pub fn zero_ended(&mut self) -> Result<&'a [u8], Malformed> {
        let end = memchr::memchr(0, self.rest).ok_or(Malformed::Short)?;
        let text = self.bytes(end)?;
        self.bytes(1)?;
        Ok(text)
    }
}

/// Appends a length-encoded number.
pub fn put_number(out: &mut Vec<u8>, number: u64) {
    match number {
        0..=0xFA => out.push(number as u8),
        0xFB..=0xFFFF => {
            out.push(0xFC);
            out.extend_from_slice(&(number as u16).to_le_bytes());
        }
        0x1_0000..=0xFF_FFFF => {
            out.push(0xFD);
            out.extend_from_slice(&(number as u32).to_le_bytes()[..3]);
        }
        _ => {
            out.push(0xFE);
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
}

/// Appends bytes after their length-encoded length.
pub fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_their_encoding() {
        for number in [0, 0xFA, 0xFB, 0xFF, 0xFFFF, 0x1_0000, 0xFF_FFFF, 0x100_0000, u64::MAX] {
            let mut bytes = Vec::new();
            put_number(&mut bytes, number);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.number(), Ok(number));
            assert!(reader.is_empty(), "{number}");
            assert!(number < 0xFB || Reader::new(&bytes[..bytes.len() - 1]).number().is_err(), "{number}");
        }
        assert_eq!(Reader::new(&[0xFB]).number(), Err(Malformed::Unknown));
    }

    #[test]
    fn a_text_longer_than_its_packet_is_refused() {
        assert_eq!(Reader::new(&[5, b'a', b'b']).text(), Err(Malformed::Short));
        assert!(Reader::new(&[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]).text().is_err());
        assert_eq!(Reader::new(b"abc").zero_ended(), Err(Malformed::Short));
    }

    #[test]
    fn a_payload_of_the_largest_length_goes_on_in_an_empty_packet() {
        let mut out = Vec::new();
        assert_eq!(put_packet(&mut out, 3, &vec![7; MAX_PAYLOAD]), 5);
        assert_eq!(header(&out), Some((MAX_PAYLOAD, 3)));
        assert_eq!(header(&out[HEADER + MAX_PAYLOAD..]), Some((0, 4)));
        out.clear();
        assert_eq!(put_packet(&mut out, 255, b"abc"), 0);
        assert_eq!(out, [3, 0, 0, 255, b'a', b'b', b'c']);
    }
}
