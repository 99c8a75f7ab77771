//! Where a command ends in the bytes that have come.

use super::packet::{HEADER, MAX_PAYLOAD, Malformed, header};

/// What stands at the front of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// Not yet whole.
    Partial,
    /// A whole command, over one or more packets: so many bytes with headers; the last packet had this sequence number.
    Whole(usize, u8),
    /// Longer than allowed.
    TooLong,
}

/// Looks for a whole command whose packets count from `sequence`; `None`: they may have any numbers, as under compression,
/// where servers look at the numbers of the frames alone.
///
/// # Errors
/// A wrong sequence number.
pub fn front(buffer: &[u8], sequence: Option<u8>, limit: usize) -> Result<Front, Malformed> {
    let mut at = 0;
    let mut expected = sequence;
    loop {
        let Some((length, found)) = header(&buffer[at..]) else { return Ok(Front::Partial) };
        if expected.is_some_and(|expected| found != expected) {
            return Err(Malformed::Sequence);
        }
        at += HEADER + length;
        if at > limit.saturating_add(HEADER) {
            return Ok(Front::TooLong);
        }
        if buffer.len() < at {
            return Ok(Front::Partial);
        }
        if length < MAX_PAYLOAD {
            return Ok(Front::Whole(at, found));
        }
        expected = expected.map(|expected| expected.wrapping_add(1));
    }
}

/// Numbers the packets of a whole command from `sequence` on; returns the number of the last.
pub fn renumber(command: &mut [u8], sequence: u8) -> u8 {
    let (mut at, mut next) = (0, sequence);
    while let Some((length, _)) = header(&command[at..]) {
        command[at + HEADER - 1] = next;
        next = next.wrapping_add(1);
        at = (at + HEADER + length).min(command.len());
    }
    next.wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::packet::put_packet;

    #[test]
    fn a_command_is_taken_when_it_is_whole() {
        let mut bytes = Vec::new();
        put_packet(&mut bytes, 0, b"\x03select 1");
        for end in 0..bytes.len() {
            assert_eq!(front(&bytes[..end], Some(0), 100), Ok(Front::Partial));
        }
        let whole = bytes.len();
        assert_eq!(front(&bytes, Some(0), 100), Ok(Front::Whole(whole, 0)));
        put_packet(&mut bytes, 0, b"\x0e");
        assert_eq!(front(&bytes, Some(0), 100), Ok(Front::Whole(whole, 0)), "the next command is left alone");
        assert_eq!(front(&bytes, Some(0), 5), Ok(Front::TooLong));
        assert_eq!(front(&bytes, Some(1), 100), Err(Malformed::Sequence));
    }

    #[test]
    fn a_long_command_is_taken_with_all_its_packets() {
        let mut bytes = Vec::new();
        put_packet(&mut bytes, 0, &vec![3; MAX_PAYLOAD + 10]);
        assert_eq!(front(&bytes, Some(0), usize::MAX), Ok(Front::Whole(bytes.len(), 1)));
        assert_eq!(front(&bytes[..bytes.len() - 1], Some(0), usize::MAX), Ok(Front::Partial));
        assert_eq!(front(&bytes, Some(0), MAX_PAYLOAD), Ok(Front::TooLong));
    }

    #[test]
    fn under_compression_numbers_are_as_they_may_be_and_are_put_right() {
        let mut bytes = Vec::new();
        put_packet(&mut bytes, 7, &vec![3; MAX_PAYLOAD + 10]);
        let whole = bytes.len();
        assert_eq!(front(&bytes, Some(0), usize::MAX), Err(Malformed::Sequence));
        assert_eq!(front(&bytes, None, usize::MAX), Ok(Front::Whole(whole, 8)));
        assert_eq!(renumber(&mut bytes, 0), 1);
        assert_eq!(front(&bytes, Some(0), usize::MAX), Ok(Front::Whole(whole, 1)));
        assert_eq!(renumber(&mut [], 3), 2);
    }
}
