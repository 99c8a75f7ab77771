//! What client, balancer and node agree on when they meet.
//!
//! The upper 32 bits are MariaDB's own, exchanged only where bit 0 (`CLIENT_MYSQL`) is not set.

/// A set of capability bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(pub u64);

impl Capabilities {
    /// The speaker is MySQL: the upper 32 bits are not there.
    pub const MYSQL: Self = Self(1);
    /// Counts of matched instead of changed rows.
    pub const FOUND_ROWS: Self = Self(1 << 1);
    /// The handshake names a schema.
    pub const CONNECT_WITH_DB: Self = Self(1 << 3);
    /// Frames packed with zlib.
    pub const COMPRESS: Self = Self(1 << 5);
    /// LOAD DATA LOCAL INFILE.
    pub const LOCAL_FILES: Self = Self(1 << 7);
    /// Blanks between a function's name and its parenthesis.
    pub const IGNORE_SPACE: Self = Self(1 << 8);
    /// The protocol since 4.1; nothing older is spoken.
    pub const PROTOCOL_41: Self = Self(1 << 9);
    /// Encrypted connection wanted.
    pub const SSL: Self = Self(1 << 11);
    /// Several statements in one text.
    pub const MULTI_STATEMENTS: Self = Self(1 << 16);
    /// The handshake names an authentication plugin.
    pub const PLUGIN_AUTH: Self = Self(1 << 19);
    /// The handshake carries attributes.
    pub const CONNECT_ATTRS: Self = Self(1 << 20);
    /// The proof in the handshake has a length-encoded length.
    pub const PLUGIN_AUTH_LENENC: Self = Self(1 << 21);
    /// OK packets tell changes of the session.
    pub const SESSION_TRACK: Self = Self(1 << 23);
    /// Results end with OK instead of EOF.
    pub const DEPRECATE_EOF: Self = Self(1 << 24);
    /// Frames packed with zstd; the handshake ends with the level.
    pub const ZSTD: Self = Self(1 << 26);
    /// COM_STMT_BULK_EXECUTE.
    pub const BULK: Self = Self(1 << 34);
    /// Columns carry MariaDB's extended types.
    pub const EXTENDED_METADATA: Self = Self(1 << 35);

    /// Long passwords and flags, ODBC, interactive, no SIGPIPE, transactions, 4.1 authentication, several results: harmless.
    const PLAIN: u64 =
        1 << 2 | 1 << 6 | 1 << 10 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15 | 1 << 17 | 1 << 18 | 1 << 31;

    /// What clients are offered in any case; encryption and compression come on top by the settings. Not among it, since it
    /// is not handled: progress reports, and results without their metadata (the node would leave out what another client
    /// has not seen).
    pub const OFFERED: Self = Self(
        Self::PLAIN
            | Self::FOUND_ROWS.0
            | Self::CONNECT_WITH_DB.0
            | Self::LOCAL_FILES.0
            | Self::IGNORE_SPACE.0
            | Self::PROTOCOL_41.0
            | Self::MULTI_STATEMENTS.0
            | Self::PLUGIN_AUTH.0
            | Self::CONNECT_ATTRS.0
            | Self::PLUGIN_AUTH_LENENC.0
            | Self::SESSION_TRACK.0
            | Self::DEPRECATE_EOF.0
            | Self::BULK.0
            | Self::EXTENDED_METADATA.0,
    );

    /// What changes the bytes or the meaning of statements and answers: a node connection has to agree with its client here.
    pub const SHARED: Self = Self(
        Self::FOUND_ROWS.0
            | Self::LOCAL_FILES.0
            | Self::IGNORE_SPACE.0
            | Self::MULTI_STATEMENTS.0
            | Self::DEPRECATE_EOF.0
            | Self::BULK.0
            | Self::EXTENDED_METADATA.0,
    );

    /// What a node connection asks for besides what its client asked for.
    pub const TO_NODES: Self = Self(
        1 << 2
            | 1 << 13
            | 1 << 15
            | 1 << 17
            | 1 << 18
            | Self::PROTOCOL_41.0
            | Self::PLUGIN_AUTH.0
            | Self::SESSION_TRACK.0,
    );

    /// What clients are offered from now on, in front of a node that can do `node`. What statements depend on must be the
    /// node's too; a MySQL server's clients are not offered what only MariaDB has.
    pub fn offered_before(self, node: Self) -> Self {
        let both = Self(self.0 & (node.0 | !Self::SHARED.0));
        if node.has(Self::MYSQL) { Self(both.0 & 0xFFFF_FFFF | Self::MYSQL.0) } else { both }
    }

    /// Whether all of `other` is in here.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What both have.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// With all of `other`, or without.
    pub fn with(self, other: Self, on: bool) -> Self {
        Self(if on { self.0 | other.0 } else { self.0 & !other.0 })
    }

    /// What either has.
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Bits of the server status in OK and EOF packets.
pub mod status {
    /// A transaction is open.
    pub const IN_TRANSACTION: u16 = 1;
    /// Each statement commits by itself.
    pub const AUTOCOMMIT: u16 = 2;
    /// Another result follows.
    pub const MORE_RESULTS: u16 = 8;
    /// A cursor is open: rows come when they are fetched.
    pub const CURSOR_EXISTS: u16 = 0x40;
    /// The last row of a cursor has been sent, and it is closed.
    pub const LAST_ROW_SENT: u16 = 0x80;
    /// What holds from one statement to the next: transaction (also a read-only one), autocommit, how texts are read.
    pub const LASTING: u16 = IN_TRANSACTION | AUTOCOMMIT | 0x200 | 0x2000 | 0x8000;
    /// The packet tells changes of the session.
    pub const SESSION_STATE_CHANGED: u16 = 0x4000;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_offered_what_the_node_can_do() {
        let offered = Capabilities::OFFERED;
        assert_eq!(offered.offered_before(Capabilities(!1)), offered);
        let mysql = offered.offered_before(Capabilities(0xFFFF_FFFF));
        assert!(mysql.has(Capabilities::MYSQL) && mysql.has(Capabilities::DEPRECATE_EOF));
        assert!(!mysql.has(Capabilities::BULK) && mysql.0 >> 32 == 0);
        let old = offered.offered_before(Capabilities::PROTOCOL_41);
        assert!(!old.has(Capabilities::DEPRECATE_EOF) && old.has(Capabilities::SESSION_TRACK));
        assert_eq!(mysql.offered_before(Capabilities(!1)).0 >> 32, 0, "it stays left out");
    }
}
