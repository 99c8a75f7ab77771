//! Small answers of the balancer's own, as text results.

use super::capabilities::{Capabilities, status};
use super::packet::{put_number, put_packet, put_text};

/// A result: columns and rows of text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResultSet {
    /// Names of the columns.
    pub columns: Vec<&'static str>,
    /// Values; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
}

impl ResultSet {
    /// The packets, beginning at `sequence`, for a client with these capabilities.
    pub fn packets(&self, mut sequence: u8, capabilities: Capabilities, status: u16) -> Vec<u8> {
        let mut out = Vec::new();
        let mut payload = Vec::new();
        put_number(&mut payload, self.columns.len() as u64);
        sequence = put_packet(&mut out, sequence, &payload);
        for name in &self.columns {
            sequence = put_packet(&mut out, sequence, &definition(name, capabilities));
        }
        let deprecate = capabilities.has(Capabilities::DEPRECATE_EOF);
        if !deprecate {
            sequence = put_packet(&mut out, sequence, &eof(status));
        }
        for row in &self.rows {
            payload.clear();
            for value in row {
                match value {
                    Some(text) => put_text(&mut payload, text.as_bytes()),
                    None => payload.push(0xFB),
                }
            }
            sequence = put_packet(&mut out, sequence, &payload);
        }
        let mut end = super::reply::ok(status & !status::SESSION_STATE_CHANGED);
        end[0] = 0xFE;
        put_packet(&mut out, sequence, &if deprecate { end } else { eof(status) });
        out
    }
}

/// One number in one row, as servers answer `SELECT CONNECTION_ID()`: a column of type BIGINT UNSIGNED.
pub fn number(name: &[u8], value: u64, mut sequence: u8, capabilities: Capabilities, status: u16) -> Vec<u8> {
    let mut out = Vec::new();
    sequence = put_packet(&mut out, sequence, &[1]);
    let mut column = Vec::new();
    put_text(&mut column, b"def");
    [b""; 3].iter().for_each(|empty| put_text(&mut column, *empty));
    put_text(&mut column, name);
    put_text(&mut column, b"");
    if capabilities.has(Capabilities::EXTENDED_METADATA) {
        put_text(&mut column, b"");
    }
    // Fixed part of 12 bytes: binary, 10 digits, BIGINT, NOT NULL and UNSIGNED and BINARY, no decimals.
    column.extend_from_slice(&[12, 63, 0, 10, 0, 0, 0, 8, 0xA1, 0, 0, 0, 0]);
    sequence = put_packet(&mut out, sequence, &column);
    let deprecate = capabilities.has(Capabilities::DEPRECATE_EOF);
    if !deprecate {
        sequence = put_packet(&mut out, sequence, &eof(status));
    }
    let mut row = Vec::new();
    put_text(&mut row, value.to_string().as_bytes());
    sequence = put_packet(&mut out, sequence, &row);
    let mut end = super::reply::ok(status & !status::SESSION_STATE_CHANGED);
    end[0] = 0xFE;
    put_packet(&mut out, sequence, &if deprecate { end } else { eof(status) });
    out
}

/// An EOF packet as a payload.
pub fn eof(status: u16) -> Vec<u8> {
    let [low, high] = status.to_le_bytes();
    vec![0xFE, 0, 0, low, high]
}

/// A column of type VARCHAR in utf8mb4.
fn definition(name: &str, capabilities: Capabilities) -> Vec<u8> {
    let mut out = Vec::new();
    put_text(&mut out, b"def");
    [b"", b"", b""].iter().for_each(|empty| put_text(&mut out, *empty));
    put_text(&mut out, name.as_bytes());
    put_text(&mut out, name.as_bytes());
    if capabilities.has(Capabilities::EXTENDED_METADATA) {
        put_text(&mut out, b"");
    }
    out.push(12);
    out.extend_from_slice(&45u16.to_le_bytes());
    out.extend_from_slice(&1024u32.to_le_bytes());
    out.push(253);
    out.extend_from_slice(&[0, 0, 0, 0, 0]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::reply::{Expect, Scanner, Step};

    #[test]
    fn a_result_is_walked_over_to_its_end() {
        let result = ResultSet {
            columns: vec!["node", "reads"],
            rows: vec![vec![Some("n1".into()), None], vec![Some("n2".into()), Some("5".into())]],
        };
        for capabilities in [Capabilities::default(), Capabilities::DEPRECATE_EOF] {
            let deprecate = capabilities.has(Capabilities::DEPRECATE_EOF);
            let bytes = result.packets(1, capabilities, 2);
            let mut scanner = Scanner::new(Expect::Result, deprecate);
            let step = scanner.step(&bytes).unwrap();
            assert!(if deprecate { matches!(step, Step::Ok(_)) } else { matches!(step, Step::Eof(_)) });
            assert_eq!(scanner.at, bytes.len());
        }
    }
}
