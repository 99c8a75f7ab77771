//! What one statement is, by how it begins.

use super::definition::definition;
use super::set::set;
use super::tokens::{Tokens, Upper};
use super::walk::{Names, finish, finish_with};
use super::{Kind, Marks, One, Own};
use crate::sql::lexer::{Lexer, Token};

/// Why the balancer answers.
const OWN: &str = "the balancer's own";

/// One statement, from its first token up to the semicolon.
pub(super) fn statement(first: Token<'_>, tokens: &mut Tokens<'_>) -> One {
    let mut first = first;
    while first == Token::Mark(b'(') {
        match tokens.next() {
            Some(token) => first = token,
            None => return One::new(Kind::Write, "not understood"),
        }
    }
    let Token::Word(word) = first else {
        return anything(tokens, "not understood");
    };
    match Upper::of(word).get() {
        b"SELECT" | b"VALUES" | b"TABLE" | b"HELP" => finish(reads(), tokens),
        b"WITH" => finish_with(reads(), tokens, Names::UntilStatement),
        b"SHOW" => show(tokens),
        b"EXPLAIN" | b"DESCRIBE" | b"DESC" => explain(tokens, word),
        b"SET" => set(tokens),
        b"USE" => finish(One::new(Kind::Session, "default schema"), tokens),
        b"BEGIN" => begin(tokens),
        b"START" => start(tokens),
        b"COMMIT" => finish(One::new(Kind::Commit, "ends the transaction"), tokens),
        b"ROLLBACK" => rollback(tokens),
        b"INSERT" | b"REPLACE" => finish_with(One::new(Kind::Write, "writes"), tokens, Names::Target),
        b"LOAD" => finish_with(One::new(Kind::Write, "writes"), tokens, Names::UntilSet),
        b"UPDATE" | b"DELETE" | b"DO" | b"SIGNAL" | b"RESIGNAL" | b"SAVEPOINT" | b"RELEASE" => {
            finish(One::new(Kind::Write, "writes"), tokens)
        }
        b"CREATE" | b"DROP" | b"ALTER" | b"RENAME" | b"TRUNCATE" | b"GRANT" | b"REVOKE" | b"OPTIMIZE"
        | b"REPAIR" | b"CHECK" => definition(tokens),
        b"ANALYZE" => analyze(tokens),
        b"CALL" | b"XA" | b"PREPARE" | b"EXECUTE" | b"DEALLOCATE" | b"HANDLER" | b"BACKUP" => {
            anything(tokens, "may leave anything behind")
        }
        b"LOCK" | b"FLUSH" => locks(tokens),
        b"UNLOCK" => finish(One::new(Kind::Write, "releases locks"), tokens),
        b"GET" => finish(One::new(Kind::Read, "asks about the last statement").with(diagnostics()), tokens),
        b"KILL" => finish(One::new(Kind::Kill, "ends a connection"), tokens),
        b"CHANGE" | b"STOP" | b"RESET" | b"PURGE" | b"INSTALL" | b"UNINSTALL" | b"IMPORT" | b"CLONE"
        | b"BINLOG" | b"CACHE" | b"CHECKSUM" | b"SHUTDOWN" | b"RESTART" => administration(tokens),
        _ => anything(tokens, "not known to be a read"),
    }
}

fn reads() -> One {
    One::new(Kind::Read, "reads")
}

/// Whatever it does: on the primary, and nobody else uses its connection afterwards.
fn anything(tokens: &mut Tokens<'_>, reason: &'static str) -> One {
    finish(One::new(Kind::Write, reason).with(Marks::UNKNOWN.with(Marks::COMMITS)), tokens)
}

fn administration(tokens: &mut Tokens<'_>) -> One {
    finish_with(One::new(Kind::Write, "administration").with(Marks::COMMITS), tokens, Names::UntilSelect)
}

fn diagnostics() -> Marks {
    Marks::ASKS_LAST.with(Marks::PRIMARY).with(Marks::VARIABLES)
}

fn show(tokens: &mut Tokens<'_>) -> One {
    let mut word = tokens.word();
    let mut global = false;
    while matches!(word.get(), b"FULL" | b"EXTENDED" | b"SESSION" | b"LOCAL" | b"GLOBAL" | b"STORAGE") {
        global |= word.get() == b"GLOBAL";
        word = tokens.word();
    }
    let one = match word.get() {
        b"TPCW" => match tokens.peek_word().get() {
            b"STATUS" => One::new(Kind::Status, OWN),
            b"SESSIONS" => One::new(Kind::Sessions, OWN),
            b"TOKEN" => One::new(Kind::Own(Own::Token), OWN),
            b"ROUTE" => One::new(Kind::Own(Own::Route), OWN),
            _ => One::new(Kind::Read, "asks about one server").with(Marks::PRIMARY),
        },
        b"TABLES" | b"TABLE" | b"COLUMNS" | b"FIELDS" | b"INDEX" | b"INDEXES" | b"KEYS" | b"CREATE"
        | b"DATABASES" | b"SCHEMAS" | b"COLLATION" | b"CHARACTER" | b"CHARSET" | b"ENGINES" | b"TRIGGERS"
        | b"PROCEDURE" | b"FUNCTION" | b"PACKAGE" | b"EVENTS" | b"PRIVILEGES" => reads(),
        b"WARNINGS" | b"ERRORS" | b"COUNT" => {
            One::new(Kind::Read, "asks about the last statement").with(Marks::ASKS_LAST.with(Marks::PRIMARY))
        }
        b"VARIABLES" if !global && shows_trackers(tokens.lexer.clone()) => {
            let marks = Marks::PRIMARY.with(Marks::TRACKING);
            One::new(Kind::Read, "asks about one server").with(marks)
        }
        _ => One::new(Kind::Read, "asks about one server").with(Marks::PRIMARY),
    };
    finish(one, tokens)
}

/// Whether `SHOW VARIABLES` shows what is tracked: unless its pattern begins with something else.
fn shows_trackers(mut lexer: Lexer<'_>) -> bool {
    match (lexer.next(), lexer.next()) {
        (Some(Token::Word(like)), Some(Token::Text(pattern))) if like.eq_ignore_ascii_case(b"LIKE") => {
            let wild = pattern.iter().position(|byte| matches!(byte, b'%' | b'_' | b'\\'));
            let begin = &pattern[..wild.unwrap_or(pattern.len())];
            b"session".get(..begin.len()).is_some_and(|name| name.eq_ignore_ascii_case(begin))
        }
        _ => true,
    }
}

/// `EXPLAIN` of a table, of a statement that is not run, and with `ANALYZE` of one that is; `EXPLAIN ROUTE`.
fn explain(tokens: &mut Tokens<'_>, verb: &[u8]) -> One {
    if verb.eq_ignore_ascii_case(b"EXPLAIN")
        && tokens.peek_word().get() == b"ROUTE"
        && let Some(one) = explain_route(tokens)
    {
        return one;
    }
    loop {
        match tokens.peek_word().get() {
            b"EXTENDED" | b"PARTITIONS" => _ = tokens.next(),
            b"FORMAT" => {
                tokens.next();
                if tokens.peek() != Some(Token::Mark(b'=')) {
                    // A table of this name.
                    return finish(reads(), tokens);
                }
                tokens.next();
                tokens.next();
            }
            b"ANALYZE" => {
                tokens.next();
                return analyze(tokens);
            }
            b"UPDATE" | b"DELETE" | b"INSERT" | b"REPLACE" | b"FOR" => {
                let one = One::new(Kind::Read, "explained by the server that would run it");
                return finish_with(one.with(Marks::PRIMARY), tokens, Names::Target);
            }
            b"WITH" => {
                tokens.next();
                return finish_with(reads(), tokens, Names::UntilStatement);
            }
            _ => return finish(reads(), tokens),
        }
    }
}

/// The balancer's own, unless nothing follows: then it is a table of this name.
fn explain_route(tokens: &mut Tokens<'_>) -> Option<One> {
    let before = tokens.lexer.clone();
    tokens.next();
    let one = One::new(Kind::ExplainRoute(tokens.lexer.at()), "the balancer's own");
    if matches!(tokens.peek(), None | Some(Token::Mark(b';'))) {
        tokens.lexer = before;
        return None;
    }
    while tokens.next().is_some() {}
    Some(one)
}

/// `ANALYZE` of tables writes statistics; of a statement it runs it. Either way it is for the primary.
fn analyze(tokens: &mut Tokens<'_>) -> One {
    let one = One::new(Kind::Write, "analyzes").with(Marks::COMMITS);
    match tokens.peek_word().get() {
        b"TABLE" | b"TABLES" | b"LOCAL" | b"NO_WRITE_TO_BINLOG" => {
            finish_with(one, tokens, Names::UntilSelect)
        }
        b"INSERT" | b"REPLACE" => finish_with(one, tokens, Names::Target),
        b"WITH" => {
            tokens.next();
            finish_with(one, tokens, Names::UntilStatement)
        }
        _ => finish(one, tokens),
    }
}

fn begin(tokens: &mut Tokens<'_>) -> One {
    match tokens.peek_word().get() {
        b"" | b"WORK" if !matches!(tokens.peek(), Some(Token::Quoted(_) | Token::Mark(b'<'))) => {
            finish(One::new(Kind::Begin { read_only: false }, "begins a transaction"), tokens)
        }
        _ => anything(tokens, "may leave anything behind"),
    }
}

fn start(tokens: &mut Tokens<'_>) -> One {
    if !tokens.take(b"TRANSACTION") {
        return administration(tokens);
    }
    let mut read_only = false;
    while let Some(token) = tokens.next() {
        match token {
            Token::Mark(b';') => break,
            Token::Word(word) => read_only |= Upper::of(word).get() == b"ONLY",
            _ => {}
        }
    }
    let reason = if read_only { "begins a read-only transaction" } else { "begins a transaction" };
    One::new(Kind::Begin { read_only }, reason)
}

fn rollback(tokens: &mut Tokens<'_>) -> One {
    let mut kind = Kind::Rollback;
    while let Some(token) = tokens.next() {
        match token {
            Token::Mark(b';') => break,
            Token::Word(word) if Upper::of(word).get() == b"TO" => kind = Kind::Write,
            _ => {}
        }
    }
    One::new(kind, if kind == Kind::Write { "undoes a part" } else { "ends the transaction" })
}

fn locks(tokens: &mut Tokens<'_>) -> One {
    // LOCK TABLES, FLUSH [LOCAL] TABLES … WITH READ LOCK, LOCK INSTANCE FOR BACKUP
    let _ = tokens.take(b"NO_WRITE_TO_BINLOG") || tokens.take(b"LOCAL");
    let kept = matches!(tokens.peek_word().get(), b"TABLE" | b"TABLES" | b"INSTANCE");
    let one = One::new(Kind::Write, "locks or flushes").with(Marks::COMMITS);
    let one = finish_with(one, tokens, Names::UntilSelect);
    if kept { one.with(Marks::LOCKS) } else { one }
}
