//! What a function that is called adds, by its name.

use super::names::{FUNCTIONS, GLUED, KEYWORDS, has};
use super::tokens::Upper;
use super::{Kind, Marks, One, Own};

/// How a name stands before its parenthesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// `name(`.
    Plain,
    /// `name (`: some functions are known to servers without the gap only.
    Apart,
    /// `` `name`( ``: never a keyword.
    Quoted,
    /// `schema.name(`: always a function of somebody's own.
    Qualified,
}

/// A read, or a setting, that turns out to leave something behind is none.
pub(super) fn raise(one: One, marks: Marks, reason: &'static str) -> One {
    use super::Kind::{Read, Session, Write};
    let marks = if one.kind == Read { marks.with(Marks::ROWS) } else { marks };
    let kind = if matches!(one.kind, Read | Session) { Write } else { one.kind };
    One { kind, marks: one.marks.with(marks), reason }
}

/// A read that only the primary can answer.
pub(super) fn on_primary(one: One, marks: Marks, reason: &'static str) -> One {
    let reason = if one.kind == super::Kind::Read { reason } else { one.reason };
    One { reason, ..one.with(marks.with(Marks::PRIMARY)) }
}

/// A function is called, or a word of the language stands before a parenthesis. `bare`: nothing is in the parentheses.
pub(super) fn function(one: One, name: &Upper, call: Call, bare: impl FnOnce() -> bool) -> One {
    let name = name.get();
    if call == Call::Qualified {
        return stored(one);
    }
    match name {
        b"GET_LOCK" | b"RELEASE_LOCK" | b"RELEASE_ALL_LOCKS" => raise(one, Marks::LOCKS, "takes a lock"),
        b"CONNECTION_ID" => on_primary(one, Marks::OWN_ID, "asks about the connection"),
        b"IS_FREE_LOCK" | b"IS_USED_LOCK" => on_primary(one, Marks::NONE, "asks about a lock"),
        b"NEXTVAL" | b"SETVAL" => raise(one, Marks::NONE, "uses a sequence"),
        b"LASTVAL" => on_primary(one, Marks::ASKS_WRITE, "asks about the last write"),
        b"LAST_INSERT_ID" if (one.kind == Kind::Read || one.marks.any(Marks::ROWS)) && !bare() => {
            raise(one, Marks::UNKNOWN.with(Marks::ASKS_WRITE), "sets the last id")
        }
        b"LAST_INSERT_ID" => on_primary(one, Marks::ASKS_WRITE, "asks about the last write"),
        b"FOUND_ROWS" | b"ROW_COUNT" => on_primary(one, Marks::ASKS_LAST, "asks about the last statement"),
        b"BINLOG_GTID_POS"
        | b"WSREP_LAST_WRITTEN_GTID"
        | b"WSREP_LAST_SEEN_GTID"
        | b"WSREP_SYNC_WAIT_UPTO_GTID" => on_primary(one, Marks::NONE, "asks about one server"),
        b"SLEEP"
        | b"BENCHMARK"
        | b"LOAD_FILE"
        | b"MASTER_GTID_WAIT"
        | b"MASTER_POS_WAIT"
        | b"SOURCE_POS_WAIT"
        | b"WAIT_FOR_EXECUTED_GTID_SET" => on_primary(one, Marks::NONE, "calls a function with effects"),
        name if has(FUNCTIONS, name) => one,
        name if has(GLUED, name) && call == Call::Plain => one,
        name if has(GLUED, name) => raise(one, Marks::NONE, "a stored function may have the name"),
        name if call != Call::Quoted && has(KEYWORDS, name) => one,
        _ => stored(one),
    }
}

fn stored(one: One) -> One {
    raise(one, Marks::UNKNOWN, "calls a function that is not built in")
}

/// A system variable is read.
pub(super) fn system_variable(one: One, name: &[u8]) -> One {
    let last = Upper::of(name.rsplit(|byte| *byte == b'.').next().unwrap_or(name));
    match last.get() {
        b"LAST_INSERT_ID" | b"IDENTITY" | b"LAST_GTID" => {
            on_primary(one, Marks::ASKS_WRITE, "asks about the last write")
        }
        b"WARNING_COUNT" | b"ERROR_COUNT" => {
            on_primary(one, Marks::ASKS_LAST, "asks about the last statement")
        }
        // The name stands apart, behind a point of its own.
        b"" | b"SESSION" | b"LOCAL" => on_primary(one, Marks::ASKS_WRITE, "a variable that cannot be told"),
        b"GLOBAL" | b"HOSTNAME" | b"READ_ONLY" | b"SUPER_READ_ONLY" | b"INNODB_READ_ONLY" | b"SERVER_ID"
        | b"SERVER_UUID" | b"SERVER_UID" | b"PORT" | b"SOCKET" | b"DATADIR" | b"PID_FILE"
        | b"REPORT_HOST" | b"REPORT_PORT" | b"IN_TRANSACTION" => {
            on_primary(one, Marks::NONE, "asks about one server")
        }
        name if name.starts_with(b"TPCW_") && one.kind == Kind::Read => {
            One { kind: Kind::Own(Own::Select), reason: "the balancer's own", ..one }
        }
        name if name.starts_with(b"SESSION_TRACK_") => one.with(Marks::TRACKING),
        name if name.starts_with(b"GTID_") || name.starts_with(b"RPL_") => {
            on_primary(one, Marks::NONE, "asks about one server")
        }
        _ => one,
    }
}
