//! Where commands begin in a client's stream of bytes, and which of them are a `COMMIT`.

/// Bytes before each packet's content.
const HEADER: usize = 4;
/// `COM_QUERY` with this text and nothing else.
const COMMIT: [u8; 7] = *b"\x03commit";

/// Follows packet boundaries through pieces of any size, without keeping any content.
#[derive(Debug, Default)]
pub(super) struct Framing {
    header: [u8; HEADER],
    have: usize,
    /// Bytes of the present packet still to come.
    left: usize,
    /// How much of a `COMMIT` the present packet has been so far; `None`: it is something else.
    like_commit: Option<usize>,
}

/// What begins, or ends, in a piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Commands {
    /// Commands that begin.
    pub(super) begun: u32,
    /// Commands that are a `COMMIT` and are complete.
    pub(super) commits: u32,
}

impl Framing {
    /// What is in the next piece. A header that is cut counts with the piece that completes it.
    pub(super) fn read(&mut self, mut piece: &[u8]) -> Commands {
        let mut found = Commands::default();
        while !piece.is_empty() {
            if self.left > 0 {
                let (content, rest) = piece.split_at(self.left.min(piece.len()));
                self.left -= content.len();
                found.commits += u32::from(self.compare(content) && self.left == 0);
                piece = rest;
                continue;
            }
            let take = piece.len().min(HEADER - self.have);
            self.header[self.have..self.have + take].copy_from_slice(&piece[..take]);
            self.have += take;
            piece = &piece[take..];
            if self.have == HEADER {
                self.have = 0;
                self.left = u32::from_le_bytes([self.header[0], self.header[1], self.header[2], 0]) as usize;
                let command = self.header[3] == 0;
                self.like_commit = (command && self.left == COMMIT.len()).then_some(0);
                found.begun += u32::from(command);
            }
        }
        found
    }

    /// Whether the packet, so far, is a `COMMIT`.
    fn compare(&mut self, content: &[u8]) -> bool {
        let Some(at) = self.like_commit else { return false };
        let same = COMMIT.get(at..at + content.len()).is_some_and(|part| content.eq_ignore_ascii_case(part));
        self.like_commit = same.then_some(at + content.len());
        same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(content: &[u8], sequence: u8) -> Vec<u8> {
        let mut bytes = (content.len() as u32).to_le_bytes().to_vec();
        bytes[3] = sequence;
        bytes.extend(content);
        bytes
    }

    #[test]
    fn commands_and_commits_are_counted_however_the_stream_is_cut() {
        // Login reply, a query, a commit, an empty packet that ends a LOAD DATA, a query of 300 bytes, what looks like a commit
        // and is none, and a ping.
        let packets = [
            packet(&[0; 80], 1),
            packet(b"\x03SELECT 1", 0),
            packet(b"\x03COMMIT", 0),
            packet(b"", 5),
            packet(&[0; 300], 0),
            packet(b"\x03commix", 0),
            packet(b"\x03commit", 1),
            packet(b"\x03Commit", 0),
            packet(b"\x0e", 0),
        ];
        let stream = packets.concat();
        for size in 1..=stream.len() {
            let mut framing = Framing::default();
            let found = stream.chunks(size).map(|piece| framing.read(piece));
            let (begun, commits) = found.fold((0, 0), |(b, c), f| (b + f.begun, c + f.commits));
            assert_eq!((begun, commits), (6, 2), "in pieces of {size}");
        }
    }
}
