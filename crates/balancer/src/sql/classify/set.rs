//! `SET`: of the session, of the next transaction, of everybody.

use super::functions::{Call, function, raise, system_variable};
use super::literals::literal;
use super::tokens::{Tokens, Upper};
use super::walk::finish;
use super::{Kind, Marks, One, Own, kinds};
use crate::sql::lexer::Token;

/// SET: which of the many.
pub(super) fn set(tokens: &mut Tokens<'_>) -> One {
    match tokens.peek_word().get() {
        b"STATEMENT" => {
            tokens.next();
            assignments(One::new(Kind::Session, "set for one statement"), tokens, true)
        }
        b"PASSWORD" | b"DEFAULT" => {
            finish(One::new(Kind::Write, "changes an account").with(Marks::COMMITS), tokens)
        }
        b"ROLE" | b"RESOURCE" => {
            finish(One::new(Kind::Write, "changes the role").with(Marks::UNKNOWN), tokens)
        }
        b"TRANSACTION" => {
            finish(One::new(Kind::Session, "for the next transaction").with(Marks::NEXT_ONLY), tokens)
        }
        b"CHARACTER" | b"CHARSET" => {
            // The collation comes from the default schema.
            finish(One::new(Kind::Session, "session variables").with(Marks::COLLATION), tokens)
        }
        _ => assignments(One::new(Kind::Session, "session variables"), tokens, false),
    }
}

/// Variables and their values. `for_one`: a statement follows behind `FOR`.
fn assignments(mut one: One, tokens: &mut Tokens<'_>, for_one: bool) -> One {
    let mut target = true;
    let mut scoped = false;
    let mut depth = 0i32;
    let mut previous = Token::Mark(b',');
    while let Some(token) = tokens.next() {
        match token {
            Token::Mark(b';') => break,
            Token::Mark(b',') if depth == 0 => (target, scoped) = (true, false),
            Token::Mark(b'(') => {
                depth += 1;
                one = call(one, previous, tokens);
            }
            Token::Mark(b')') => depth -= 1,
            Token::Assign if !target => one = raise(one, Marks::VARIABLES, "sets a user variable"),
            Token::Mark(b'=') | Token::Assign => target = false,
            Token::UserVariable(name) if target && !for_one && literal(name, &tokens.lexer).is_some() => {
                one = one.with(Marks::LITERALS);
            }
            Token::UserVariable(_) if target => one = raise(one, Marks::VARIABLES, "sets a user variable"),
            Token::SystemVariable(name) if target => one = set_target(one, name, name.contains(&b'.')),
            Token::SystemVariable(name) => one = system_variable(one, name),
            Token::Quoted(name) | Token::Text(name) if target => one = set_target(one, name, scoped),
            Token::Word(word) if target => {
                let word = Upper::of(word);
                one = set_target(one, word.get(), scoped);
                scoped |= matches!(word.get(), b"SESSION" | b"LOCAL" | b"GLOBAL");
            }
            Token::Word(word) if for_one && depth == 0 && word.eq_ignore_ascii_case(b"FOR") => {
                return around(one, tokens);
            }
            Token::Word(word) => one = set_value(one, &Upper::of(word)),
            _ => {}
        }
        previous = token;
    }
    if for_one { raise(one, Marks::UNKNOWN, "not understood") } else { one }
}

/// The statement that settings are made for, together with them.
fn around(settings: One, tokens: &mut Tokens<'_>) -> One {
    let Some(first) = tokens.next() else { return raise(settings, Marks::UNKNOWN, "not understood") };
    let one = kinds::statement(first, tokens);
    match (settings.kind, one.kind) {
        (Kind::Session, Kind::Read) => one.with(settings.marks),
        _ => One { kind: Kind::Write, ..one.with(settings.marks).with(Marks::COMMITS) },
    }
}

/// A parenthesis in a value.
fn call(one: One, previous: Token<'_>, tokens: &mut Tokens<'_>) -> One {
    let (name, call) = match previous {
        Token::Word(name) => (name, if tokens.lexer.is_glued() { Call::Plain } else { Call::Apart }),
        Token::Quoted(name) | Token::Text(name) => (name, Call::Quoted),
        _ => return one,
    };
    function(one, &Upper::of(name), call, || tokens.peek() == Some(Token::Mark(b')')))
}

/// A variable that is set, or a word before it.
fn set_target(one: One, name: &[u8], scoped: bool) -> One {
    if one.kind == Kind::Own(Own::Set) {
        return one;
    }
    let last = Upper::of(name.rsplit(|byte| *byte == b'.').next().unwrap_or(name));
    if last.get().starts_with(b"TPCW_") {
        return One { kind: Kind::Own(Own::Set), reason: "the balancer's own", ..one };
    }
    let global = Upper::of(name.split(|byte| *byte == b'.').next().unwrap_or(name));
    if matches!(global.get(), b"GLOBAL" | b"PERSIST" | b"PERSIST_ONLY") {
        return One { kind: Kind::Write, reason: "sets a global variable", ..one.with(Marks::COMMITS) };
    }
    match last.get() {
        b"LAST_INSERT_ID"
        | b"IDENTITY"
        | b"INSERT_ID"
        | b"RAND_SEED1"
        | b"RAND_SEED2"
        | b"SQL_LOG_BIN"
        | b"GTID_DOMAIN_ID"
        | b"GTID_SEQ_NO"
        | b"GTID_NEXT"
        | b"SERVER_ID"
        | b"PSEUDO_THREAD_ID"
        | b"PSEUDO_SLAVE_MODE"
        | b"PSEUDO_REPLICA_MODE"
        | b"SKIP_REPLICATION"
        | b"TIMESTAMP" => raise(one, Marks::UNKNOWN, "sets what cannot be repeated"),
        b"TX_ISOLATION" | b"TRANSACTION_ISOLATION" | b"TX_READ_ONLY" | b"TRANSACTION_READ_ONLY"
            if !scoped =>
        {
            one.with(Marks::NEXT_ONLY)
        }
        b"DEFAULT" => one.with(Marks::COLLATION),
        name if name.starts_with(b"SESSION_TRACK_") => one.with(Marks::TRACKING),
        name if name.starts_with(b"COLLAT") => one.with(Marks::COLLATION),
        _ => one,
    }
}

/// A word in the value that is given.
fn set_value(one: One, word: &Upper) -> One {
    match word.get() {
        b"SELECT" => one.with(Marks::PRIMARY),
        b"COLLATE" | b"DEFAULT" => one.with(Marks::COLLATION),
        b"FOR" | b"INTO" | b"LOCK" => raise(one, Marks::UNKNOWN, "not understood"),
        _ => one,
    }
}
