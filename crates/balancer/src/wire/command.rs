//! What a client asks for: the first byte of a command.

use super::packet::Malformed;

/// A command, named as in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Command {
    /// The client leaves.
    Quit = 0x01,
    /// Another default schema.
    InitDb = 0x02,
    /// A statement as text.
    Query = 0x03,
    /// Columns of a table.
    FieldList = 0x04,
    /// Flush something, by a set of bits; out of use since `FLUSH`.
    Refresh = 0x07,
    /// End the server.
    Shutdown = 0x08,
    /// A line about the server.
    Statistics = 0x09,
    /// `SHOW PROCESSLIST`.
    ProcessInfo = 0x0A,
    /// End a connection.
    ProcessKill = 0x0C,
    /// Write what the server knows of itself to its log.
    Debug = 0x0D,
    /// Is anybody there.
    Ping = 0x0E,
    /// Log in again on the same connection.
    ChangeUser = 0x11,
    /// A replica asks for the binary log.
    BinlogDump = 0x12,
    /// A replica makes itself known.
    RegisterReplica = 0x15,
    /// Prepare a statement.
    Prepare = 0x16,
    /// Execute a prepared one.
    Execute = 0x17,
    /// Part of a parameter.
    SendLongData = 0x18,
    /// Forget a prepared statement; has no answer.
    CloseStatement = 0x19,
    /// Forget long data and the cursor.
    ResetStatement = 0x1A,
    /// Switch multi-statements on or off.
    SetOption = 0x1B,
    /// Rows from a cursor.
    Fetch = 0x1C,
    /// As [`Command::BinlogDump`], by GTID.
    BinlogDumpGtid = 0x1E,
    /// Forget all session state.
    ResetConnection = 0x1F,
    /// MariaDB: execute with many rows of parameters.
    BulkExecute = 0xFA,
}

impl Command {
    /// The command of a payload; `None` for one that is not known.
    pub fn of(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let first = *payload.first().ok_or(Malformed::Short)?;
        Ok(Self::ALL.into_iter().find(|command| *command as u8 == first))
    }

    /// The most frequent ones first.
    const ALL: [Self; 24] = [
        Self::Query,
        Self::Execute,
        Self::Prepare,
        Self::CloseStatement,
        Self::Ping,
        Self::Quit,
        Self::InitDb,
        Self::FieldList,
        Self::Statistics,
        Self::Refresh,
        Self::Shutdown,
        Self::ProcessInfo,
        Self::Debug,
        Self::ProcessKill,
        Self::ChangeUser,
        Self::BinlogDump,
        Self::RegisterReplica,
        Self::SendLongData,
        Self::ResetStatement,
        Self::SetOption,
        Self::Fetch,
        Self::BinlogDumpGtid,
        Self::ResetConnection,
        Self::BulkExecute,
    ];
}
