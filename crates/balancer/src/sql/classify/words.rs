//! What the words inside a statement add: locks, variables, functions with effects.

use super::tokens::{Tokens, Upper};
use super::{Kind, Marks, One, Own};
use crate::sql::lexer::Token;

/// Walks on to the end of the statement and adds what its words tell.
pub(super) fn finish(mut one: One, tokens: &mut Tokens<'_>) -> One {
    let mut before_variable = false;
    while let Some(token) = tokens.next() {
        let was_variable = std::mem::replace(&mut before_variable, matches!(token, Token::UserVariable(_)));
        match token {
            Token::Mark(b';') => break,
            Token::Assign if was_variable => one = raise(one, Marks::VARIABLES, "sets a user variable"),
            Token::SystemVariable(name) => one = system_variable(one, name),
            Token::Word(word) if word.len() >= 3 => one = in_words(one, &Upper::of(word), tokens),
            _ => {}
        }
    }
    one
}

/// A read that turns out to leave something behind is none.
pub(super) fn raise(one: One, marks: Marks, reason: &'static str) -> One {
    let kind = if one.kind == Kind::Read { Kind::Write } else { one.kind };
    One { kind, marks: one.marks.with(marks), reason }
}

/// A read that only the primary can answer.
fn on_primary(one: One, marks: Marks, reason: &'static str) -> One {
    let reason = if one.kind == Kind::Read { reason } else { one.reason };
    One { reason, ..one.with(marks.with(Marks::PRIMARY)) }
}

fn in_words(one: One, word: &Upper, tokens: &mut Tokens<'_>) -> One {
    match word.get() {
        b"FOR" if one.kind == Kind::Read => match tokens.peek_word().get() {
            b"UPDATE" | b"SHARE" => on_primary(one, Marks::NONE, "locks rows"),
            _ => one,
        },
        b"LOCK" if tokens.peek_word().get() == b"IN" => on_primary(one, Marks::NONE, "locks rows"),
        b"INTO" if one.kind == Kind::Read => match tokens.peek() {
            Some(Token::UserVariable(_)) => raise(one, Marks::VARIABLES, "sets a user variable"),
            _ => raise(one, Marks::NONE, "writes a file or a variable"),
        },
        b"SQL_CALC_FOUND_ROWS" => one.with(Marks::COUNTS),
        b"VALUE" if tokens.peek_word().get() == b"FOR" => raise(one, Marks::NONE, "uses a sequence"),
        _ if tokens.peek() == Some(Token::Mark(b'(')) => function(one, word.get()),
        _ => one,
    }
}

pub(super) fn function(one: One, name: &[u8]) -> One {
    match name {
        b"GET_LOCK" | b"RELEASE_LOCK" | b"RELEASE_ALL_LOCKS" => raise(one, Marks::LOCKS, "takes a lock"),
        b"IS_FREE_LOCK" | b"IS_USED_LOCK" => on_primary(one, Marks::NONE, "asks about a lock"),
        b"NEXTVAL" | b"SETVAL" => raise(one, Marks::NONE, "uses a sequence"),
        b"LASTVAL" => on_primary(one, Marks::ASKS_WRITE, "asks about the last write"),
        b"LAST_INSERT_ID" => on_primary(one, Marks::ASKS_WRITE, "asks about the last write"),
        b"FOUND_ROWS" | b"ROW_COUNT" => on_primary(one, Marks::ASKS_LAST, "asks about the last statement"),
        b"SLEEP" | b"BENCHMARK" | b"LOAD_FILE" | b"MASTER_GTID_WAIT" | b"MASTER_POS_WAIT" => {
            on_primary(one, Marks::NONE, "calls a function with effects")
        }
        _ => one,
    }
}

pub(super) fn system_variable(one: One, name: &[u8]) -> One {
    let name = Upper::of(name.rsplit(|byte| *byte == b'.').next().unwrap_or(name));
    match name.get() {
        b"LAST_INSERT_ID" | b"IDENTITY" | b"LAST_GTID" => {
            on_primary(one, Marks::ASKS_WRITE, "asks about the last write")
        }
        b"WARNING_COUNT" | b"ERROR_COUNT" => {
            on_primary(one, Marks::ASKS_LAST, "asks about the last statement")
        }
        name if name.starts_with(b"TPCW_") && one.kind == Kind::Read => {
            One { kind: Kind::Own(Own::Select), reason: "the balancer's own", ..one }
        }
        _ => one,
    }
}
