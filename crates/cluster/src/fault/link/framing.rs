//! Where commands begin in a client's stream of bytes.

/// Bytes before each packet's content.
const HEADER: usize = 4;

/// Follows packet boundaries through pieces of any size, without keeping any content.
#[derive(Debug, Default)]
pub(super) struct Framing {
    header: [u8; HEADER],
    have: usize,
    /// Bytes of the present packet still to come.
    left: usize,
}

impl Framing {
    /// How many commands begin in the next piece. A header that is cut counts with the piece that completes it.
    pub(super) fn commands_in(&mut self, mut piece: &[u8]) -> u32 {
        let mut commands = 0;
        while !piece.is_empty() {
            let skip = self.left.min(piece.len());
            self.left -= skip;
            piece = &piece[skip..];
            let take = piece.len().min(HEADER - self.have);
            if take == 0 || self.left > 0 {
                continue;
            }
            self.header[self.have..self.have + take].copy_from_slice(&piece[..take]);
            self.have += take;
            piece = &piece[take..];
            if self.have == HEADER {
                self.have = 0;
                self.left = u32::from_le_bytes([self.header[0], self.header[1], self.header[2], 0]) as usize;
                commands += u32::from(self.header[3] == 0);
            }
        }
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet of `length` bytes of content.
    fn packet(length: usize, sequence: u8) -> Vec<u8> {
        let mut bytes = (length as u32).to_le_bytes().to_vec();
        bytes[3] = sequence;
        bytes.resize(HEADER + length, 0);
        bytes
    }

    #[test]
    fn commands_are_counted_however_the_stream_is_cut() {
        // Login reply, a query, an empty packet that ends a LOAD DATA, a query of 300 bytes, a ping.
        let packets = [packet(80, 1), packet(9, 0), packet(0, 5), packet(300, 0), packet(1, 0)];
        let stream = packets.concat();
        for size in 1..=stream.len() {
            let mut framing = Framing::default();
            let commands: u32 = stream.chunks(size).map(|piece| framing.commands_in(piece)).sum();
            assert_eq!(commands, 3, "in pieces of {size}");
        }
    }
}
