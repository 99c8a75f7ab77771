//! What one statement is, by how it begins.

use super::set::set;
use super::tokens::{Tokens, Upper};
use super::words::finish;
use super::{Kind, Marks, One, Own};
use crate::sql::lexer::Token;

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
        return finish(One::new(Kind::Write, "not understood"), tokens);
    };
    match Upper::of(word).get() {
        b"SELECT" | b"VALUES" => finish(One::new(Kind::Read, "reads"), tokens),
        b"WITH" => with(tokens),
        b"SHOW" => show(tokens),
        b"EXPLAIN" | b"DESCRIBE" | b"DESC" => explain(tokens),
        b"HELP" => finish(One::new(Kind::Read, "reads"), tokens),
        b"SET" => set(tokens),
        b"USE" => finish(One::new(Kind::Session, "default schema"), tokens),
        b"BEGIN" => begin(tokens),
        b"START" => start(tokens),
        b"COMMIT" => finish(One::new(Kind::Commit, "ends the transaction"), tokens),
        b"ROLLBACK" => rollback(tokens),
        b"INSERT" | b"UPDATE" | b"DELETE" | b"REPLACE" | b"LOAD" | b"DO" | b"SIGNAL" | b"RESIGNAL"
        | b"SAVEPOINT" | b"RELEASE" | b"UNLOCK" => finish(One::new(Kind::Write, "writes"), tokens),
        b"CREATE" | b"DROP" | b"ALTER" | b"RENAME" | b"TRUNCATE" | b"GRANT" | b"REVOKE" | b"ANALYZE"
        | b"OPTIMIZE" | b"REPAIR" | b"CHECK" => definition(tokens),
        b"CALL" | b"XA" | b"PREPARE" | b"EXECUTE" | b"DEALLOCATE" | b"HANDLER" | b"BACKUP" => finish(
            One::new(Kind::Write, "may leave anything behind").with(Marks::UNKNOWN.with(Marks::COMMITS)),
            tokens,
        ),
        b"LOCK" | b"FLUSH" => locks(tokens),
        b"GET" => finish(One::new(Kind::Read, "asks about the last statement").with(diagnostics()), tokens),
        b"KILL" => finish(One::new(Kind::Kill, "ends a connection"), tokens),
        _ => finish(One::new(Kind::Write, "not known to be a read").with(Marks::COMMITS), tokens),
    }
}

fn diagnostics() -> Marks {
    Marks::ASKS_LAST.with(Marks::PRIMARY).with(Marks::VARIABLES)
}

/// `WITH … SELECT` reads, `WITH … UPDATE` and `DELETE` write.
fn with(tokens: &mut Tokens<'_>) -> One {
    let mut look = tokens.ahead();
    let mut depth = 0i32;
    let mut one = One::new(Kind::Read, "reads");
    while let Some(token) = look.next() {
        match token {
            Token::Mark(b'(') => depth += 1,
            Token::Mark(b')') => depth -= 1,
            Token::Mark(b';') => break,
            Token::Word(word) if depth == 0 => match Upper::of(word).get() {
                b"UPDATE" | b"DELETE" | b"INSERT" | b"REPLACE" => one = One::new(Kind::Write, "writes"),
                b"SELECT" => break,
                _ => {}
            },
            _ => {}
        }
        if one.kind == Kind::Write {
            break;
        }
    }
    finish(one, tokens)
}

fn show(tokens: &mut Tokens<'_>) -> One {
    let mut word = tokens.word();
    while matches!(word.get(), b"FULL" | b"EXTENDED" | b"SESSION" | b"LOCAL" | b"GLOBAL") {
        word = tokens.word();
    }
    let one = match word.get() {
        b"TPCW" => match tokens.peek_word().get() {
            b"STATUS" => One::new(Kind::Status, OWN),
            b"TOKEN" => One::new(Kind::Own(Own::Token), OWN),
            b"ROUTE" => One::new(Kind::Own(Own::Route), OWN),
            _ => One::new(Kind::Read, "asks about one server").with(Marks::PRIMARY),
        },
        b"TABLES" | b"TABLE" | b"COLUMNS" | b"FIELDS" | b"INDEX" | b"INDEXES" | b"KEYS" | b"CREATE"
        | b"DATABASES" | b"SCHEMAS" | b"COLLATION" | b"CHARACTER" | b"CHARSET" | b"ENGINES" | b"PLUGINS"
        | b"VARIABLES" | b"TRIGGERS" | b"PROCEDURE" | b"FUNCTION" | b"OPEN" => One::new(Kind::Read, "reads"),
        b"WARNINGS" | b"ERRORS" | b"COUNT" => {
            One::new(Kind::Read, "asks about the last statement").with(Marks::ASKS_LAST.with(Marks::PRIMARY))
        }
        _ => One::new(Kind::Read, "asks about one server").with(Marks::PRIMARY),
    };
    // The rest is a pattern or a name; none of its words means anything more.
    let marks = one.marks;
    One { kind: one.kind, marks, ..finish(one, tokens) }
}

fn explain(tokens: &mut Tokens<'_>) -> One {
    let word = tokens.peek_word();
    if word.get() == b"ROUTE" {
        tokens.next();
        let one = One::new(Kind::ExplainRoute(tokens.lexer.at()), "the balancer's own");
        while tokens.next().is_some() {}
        return one;
    }
    let mut one = One::new(Kind::Read, "reads");
    while let Some(token) = tokens.next() {
        match token {
            Token::Mark(b';') => break,
            Token::Word(word) => match Upper::of(word).get() {
                b"UPDATE" | b"DELETE" | b"INSERT" | b"REPLACE" | b"CONNECTION" | b"ANALYZE" => {
                    one = one.with(Marks::PRIMARY);
                }
                _ => {}
            },
            _ => {}
        }
    }
    one
}

fn begin(tokens: &mut Tokens<'_>) -> One {
    match tokens.peek_word().get() {
        b"" | b"WORK" => finish(One::new(Kind::Begin { read_only: false }, "begins a transaction"), tokens),
        _ => finish(
            One::new(Kind::Write, "may leave anything behind").with(Marks::UNKNOWN.with(Marks::COMMITS)),
            tokens,
        ),
    }
}

fn start(tokens: &mut Tokens<'_>) -> One {
    if tokens.word().get() != b"TRANSACTION" {
        return finish(One::new(Kind::Write, "not known to be a read").with(Marks::COMMITS), tokens);
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

fn definition(tokens: &mut Tokens<'_>) -> One {
    let mut marks = Marks::COMMITS;
    // CREATE [OR REPLACE] TEMPORARY TABLE
    let mut word = tokens.peek_word();
    while matches!(word.get(), b"OR" | b"REPLACE") {
        tokens.next();
        word = tokens.peek_word();
    }
    if word.get() == b"TEMPORARY" {
        marks = Marks::TEMPORARY;
    }
    finish(One::new(Kind::Write, "defines").with(marks), tokens)
}

fn locks(tokens: &mut Tokens<'_>) -> One {
    // LOCK TABLES, FLUSH TABLES … WITH READ LOCK
    let tables = matches!(tokens.peek_word().get(), b"TABLE" | b"TABLES");
    let one = finish(One::new(Kind::Write, "locks or flushes").with(Marks::COMMITS), tokens);
    if tables { one.with(Marks::LOCKS) } else { one }
}
