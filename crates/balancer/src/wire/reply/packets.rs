//! OK, ERR and EOF packets.

use crate::wire::capabilities::status;
use crate::wire::packet::{Malformed, Reader, put_number, put_text};
use crate::wire::trackers::{GTIDS, SCHEMA, Trackers, VARIABLE};

/// An OK packet, as nodes send it to a connection that tracks session state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OkPacket<'a> {
    /// Rows changed or matched.
    pub affected: u64,
    /// The AUTO_INCREMENT id given, 0: none.
    pub last_insert_id: u64,
    /// Bits of [`status`].
    pub status: u16,
    /// Warnings of the statement.
    pub warnings: u16,
    /// A text about it.
    pub info: &'a [u8],
    /// What has changed in the session, see [`changes`].
    pub changes: &'a [u8],
}

impl<'a> OkPacket<'a> {
    /// Reads a payload that begins with 0x00 or 0xFE.
    pub fn read(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        reader.u8()?;
        let affected = reader.number()?;
        let last_insert_id = reader.number()?;
        let status = reader.u16()?;
        let warnings = reader.u16()?;
        let info = if reader.is_empty() { &[] } else { reader.text()? };
        let changed = status & status::SESSION_STATE_CHANGED != 0 && !reader.is_empty();
        let changes = if changed { reader.text()? } else { &[] };
        Ok(Self { affected, last_insert_id, status, warnings, info, changes })
    }

    /// The packet for a client: with the changes that it would be told on one server, or with none.
    pub fn for_client(&self, first: u8, trackers: Option<&Trackers>) -> Vec<u8> {
        let mut kept = Vec::new();
        if let Some(trackers) = trackers {
            for (kind, data) in raw_changes(self.changes).filter(|(kind, data)| trackers.tells(*kind, data)) {
                kept.push(kind);
                put_text(&mut kept, data);
            }
        }
        let mut status = self.status & !status::SESSION_STATE_CHANGED;
        if !kept.is_empty() {
            status |= status::SESSION_STATE_CHANGED;
        }
        let mut out = vec![first];
        put_number(&mut out, self.affected);
        put_number(&mut out, self.last_insert_id);
        out.extend_from_slice(&status.to_le_bytes());
        out.extend_from_slice(&self.warnings.to_le_bytes());
        if !self.info.is_empty() || !kept.is_empty() {
            put_text(&mut out, self.info);
        }
        if !kept.is_empty() {
            put_text(&mut out, &kept);
        }
        out
    }
}

/// One change of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// A system variable has a new value.
    Variable(&'a [u8], &'a [u8]),
    /// The default schema is another.
    Schema(&'a [u8]),
    /// MySQL: the transactions that the session has committed since the last answer.
    Gtids(&'a [u8]),
}

/// The changes in an OK packet; kinds that mean nothing here are left out.
pub fn changes(bytes: &[u8]) -> impl Iterator<Item = Change<'_>> {
    raw_changes(bytes).filter_map(|(kind, data)| {
        let mut reader = Reader::new(data);
        match kind {
            VARIABLE => Some(Change::Variable(reader.text().ok()?, reader.text().ok()?)),
            SCHEMA => Some(Change::Schema(reader.text().ok()?)),
            // An encoding comes first, of which there is one: text (MySQL's worklog 6128).
            GTIDS => (reader.u8().ok()? == 0).then(|| reader.text().ok()).flatten().map(Change::Gtids),
            _ => None,
        }
    })
}

fn raw_changes(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(move || Some((reader.u8().ok()?, reader.text().ok()?)))
}

/// An ERR packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrPacket<'a> {
    /// The server's error code.
    pub code: u16,
    /// Five characters.
    pub state: &'a [u8],
    /// For people.
    pub message: &'a [u8],
}

impl<'a> ErrPacket<'a> {
    /// Reads a payload that begins with 0xFF.
    pub fn read(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        reader.u8()?;
        let code = reader.u16()?;
        let rest = reader.rest();
        match rest.first() {
            Some(b'#') if rest.len() >= 6 => Ok(Self { code, state: &rest[1..6], message: &rest[6..] }),
            _ => Ok(Self { code, state: b"HY000", message: rest }),
        }
    }

    /// Whether the node refused because it takes no writes: nothing of the statement has been done.
    pub fn is_read_only(&self) -> bool {
        match self.code {
            1792 | 1836 => true,
            // Also used for other options, such as secure_file_priv.
            1290 => memchr::memmem::find(self.message, b"read-only").is_some(),
            _ => false,
        }
    }
}

/// An ERR packet as a payload.
pub fn err(code: u16, state: &str, message: &str) -> Vec<u8> {
    let mut out = vec![0xFF];
    out.extend_from_slice(&code.to_le_bytes());
    out.push(b'#');
    out.extend_from_slice(state.as_bytes());
    out.extend_from_slice(message.as_bytes());
    out
}

/// An OK packet as a payload.
pub fn ok(status: u16) -> Vec<u8> {
    let mut out = vec![0, 0, 0];
    out.extend_from_slice(&status.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out
}

/// The status in an EOF packet.
pub fn eof_status(payload: &[u8]) -> Result<u16, Malformed> {
    let mut reader = Reader::new(payload);
    reader.bytes(3)?;
    reader.u16()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_what_one_server_would_tell_it() {
        let mut tracked = Vec::new();
        for (name, value) in [("last_gtid", "0-1-5"), ("autocommit", "OFF")] {
            let mut data = Vec::new();
            put_text(&mut data, name.as_bytes());
            put_text(&mut data, value.as_bytes());
            tracked.push(0);
            put_text(&mut tracked, &data);
        }
        tracked.extend_from_slice(b"\x03\x05\x00\x03a:1");
        let mut payload = vec![0, 1, 2, 2, 0x40, 0, 0];
        put_text(&mut payload, b"Rows matched: 1");
        put_text(&mut payload, &tracked);
        let packet = OkPacket::read(&payload).unwrap();
        assert_eq!(
            changes(packet.changes).collect::<Vec<_>>(),
            [
                Change::Variable(b"last_gtid", b"0-1-5"),
                Change::Variable(b"autocommit", b"OFF"),
                Change::Gtids(b"a:1"),
            ]
        );
        assert_eq!(
            changes(b"\x03\x05\x01\x03a:1\x03\x01\x00").next(),
            None,
            "an unknown encoding, a short one"
        );
        let plain = packet.for_client(0, None);
        assert_eq!(plain, b"\x00\x01\x02\x02\x00\x00\x00\x0fRows matched: 1");
        let told = packet.for_client(0, Some(&Trackers::Default));
        let told = OkPacket::read(&told).unwrap();
        assert_eq!(changes(told.changes).collect::<Vec<_>>(), [Change::Variable(b"autocommit", b"OFF")]);
        assert_eq!(ok(2), OkPacket::read(&ok(2)).unwrap().for_client(0, Some(&Trackers::Default)));
    }

    #[test]
    fn only_a_read_only_node_is_tried_elsewhere() {
        let refused = err(1290, "HY000", "The MariaDB server is running with the --read-only option");
        assert!(ErrPacket::read(&refused).unwrap().is_read_only());
        let other = err(1290, "HY000", "running with the --secure-file-priv option");
        assert!(!ErrPacket::read(&other).unwrap().is_read_only());
    }
}
