//! Statements that define something.

use super::tokens::Tokens;
use super::walk::{Names, finish_with};
use super::{Kind, Marks, One};
use crate::sql::lexer::Token;

/// CREATE, DROP, ALTER and their like.
pub(super) fn definition(tokens: &mut Tokens<'_>) -> One {
    let one = One::new(Kind::Write, "defines");
    while tokens.take(b"OR") || tokens.take(b"REPLACE") {}
    match tokens.peek_word().get() {
        b"TEMPORARY" => finish_with(one.with(Marks::TEMPORARY), tokens, Names::UntilSelect),
        b"DATABASE" | b"SCHEMA" => {
            finish_with(one.with(Marks::COMMITS.with(Marks::SCHEMAS)), tokens, Names::UntilSelect)
        }
        b"TABLE" | b"INDEX" | b"UNIQUE" | b"FULLTEXT" | b"SPATIAL" | b"USER" | b"ROLE" | b"SEQUENCE"
        | b"SERVER" | b"TABLES" | b"USERS" | b"TABLESPACE" | b"LOGFILE" => {
            finish_with(one.with(Marks::COMMITS), tokens, Names::UntilSelect)
        }
        b"FUNCTION" | b"PROCEDURE" | b"TRIGGER" | b"EVENT" | b"PACKAGE" | b"VIEW" | b"DEFINER"
        | b"AGGREGATE" | b"ALGORITHM" | b"SQL" => stored(one.with(Marks::COMMITS), tokens),
        _ => finish_with(one.with(Marks::COMMITS), tokens, Names::UntilSelect),
    }
}

/// The body of what is stored is not run now. Whether it, or the text, ends at a semicolon would take a parser to tell.
fn stored(mut one: One, tokens: &mut Tokens<'_>) -> One {
    let mut ended = false;
    while let Some(token) = tokens.next() {
        if ended && token != Token::Mark(b';') {
            one = one.with(Marks::UNKNOWN.with(Marks::SEVERAL));
        }
        ended |= token == Token::Mark(b';');
    }
    one
}
