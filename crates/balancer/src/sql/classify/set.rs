//! `SET`: of the session, of the next transaction, of everybody.

use super::tokens::{Tokens, Upper};
use super::words::{finish, function, raise, system_variable};
use super::{Kind, Marks, One, Own};
use crate::sql::lexer::Token;

/// SET: which of the many.
pub(super) fn set(tokens: &mut Tokens<'_>) -> One {
    match tokens.peek_word().get() {
        b"STATEMENT" => {
            return finish(One::new(Kind::Write, "set for one statement").with(Marks::COMMITS), tokens);
        }
        b"PASSWORD" | b"DEFAULT" => {
            return finish(One::new(Kind::Write, "changes an account").with(Marks::COMMITS), tokens);
        }
        b"ROLE" => return finish(One::new(Kind::Write, "changes the role").with(Marks::UNKNOWN), tokens),
        b"TRANSACTION" => {
            return finish(
                One::new(Kind::Session, "for the next transaction").with(Marks::NEXT_ONLY),
                tokens,
            );
        }
        _ => {}
    }
    let mut one = One::new(Kind::Session, "session variables");
    let mut target = true;
    let mut depth = 0i32;
    while let Some(token) = tokens.next() {
        match token {
            Token::Mark(b';') => break,
            Token::Mark(b',') if depth == 0 => target = true,
            Token::Mark(b'(') => depth += 1,
            Token::Mark(b')') => depth -= 1,
            Token::Mark(b'=') | Token::Assign => target = false,
            Token::UserVariable(_) if target => {
                one = One { kind: Kind::Write, ..raise(one, Marks::VARIABLES, "sets a user variable") };
            }
            Token::SystemVariable(name) if target => one = set_target(one, name),
            Token::SystemVariable(name) => one = system_variable(one, name),
            Token::Word(word) if target => one = set_target(one, word),
            Token::Word(word) => one = set_value(one, &Upper::of(word), tokens),
            _ => {}
        }
    }
    one
}

/// A variable that is set, or a word before it.
fn set_target(one: One, name: &[u8]) -> One {
    let global = Upper::of(name);
    if one.kind == Kind::Own(Own::Set) {
        return one;
    }
    let own = global.get().windows(5).any(|part| part == b"TPCW_");
    if !own && (global.get().starts_with(b"GLOBAL") || global.get().starts_with(b"PERSIST")) {
        return One { kind: Kind::Write, reason: "sets a global variable", ..one.with(Marks::COMMITS) };
    }
    let last = Upper::of(name.rsplit(|byte| *byte == b'.').next().unwrap_or(name));
    match last.get() {
        b"LAST_INSERT_ID" | b"IDENTITY" | b"INSERT_ID" | b"RAND_SEED1" | b"RAND_SEED2" | b"SQL_LOG_BIN"
        | b"GTID_DOMAIN_ID" | b"GTID_SEQ_NO" | b"SERVER_ID" | b"PSEUDO_THREAD_ID" | b"PSEUDO_SLAVE_MODE"
        | b"SKIP_REPLICATION" | b"TIMESTAMP" => {
            One { kind: Kind::Write, ..raise(one, Marks::UNKNOWN, "sets what cannot be repeated") }
        }
        name if name.starts_with(b"TPCW_") => {
            One { kind: Kind::Own(Own::Set), reason: "the balancer's own", ..one }
        }
        name if name.starts_with(b"COLLAT") => one.with(Marks::COLLATION),
        _ => one,
    }
}

/// A word in the value that is given.
fn set_value(one: One, word: &Upper, tokens: &mut Tokens<'_>) -> One {
    match word.get() {
        b"SELECT" => one.with(Marks::PRIMARY),
        b"COLLATE" => one.with(Marks::COLLATION),
        _ if tokens.peek() == Some(Token::Mark(b'(')) => function(one, word.get()),
        _ => one,
    }
}
