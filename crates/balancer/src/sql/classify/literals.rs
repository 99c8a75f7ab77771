//! User variables that are set to literals: they can be set again on any connection, so they tie nobody to one.

use super::tokens::Upper;
use crate::sql::lexer::{Lexer, Manner, Token};

/// As long as the server allows, in bytes.
const LONGEST_NAME: usize = 64;

/// The literal that a user variable is given, if that is all that it is given; `lexer` stands behind its name.
pub(super) fn literal<'a>(name: &[u8], lexer: &Lexer<'a>) -> Option<&'a [u8]> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.iter().all(plain) {
        return None;
    }
    let mut lexer = lexer.clone();
    if !matches!(beyond_hints(&mut lexer)?, Token::Mark(b'=') | Token::Assign) {
        return None;
    }
    let start = lexer.at();
    let first = beyond_hints(&mut lexer)?;
    let signed = matches!(first, Token::Mark(b'-' | b'+'));
    let value = if signed { beyond_hints(&mut lexer)? } else { first };
    match value {
        Token::Number => {}
        Token::Text(_) if !signed => {}
        Token::Word(word) if !signed && matches!(Upper::of(word).get(), b"NULL" | b"TRUE" | b"FALSE") => {}
        _ => return None,
    }
    let end = lexer.at();
    let ended = matches!(beyond_hints(&mut lexer), None | Some(Token::Mark(b',' | b';')));
    ended.then(|| lexer.text()[start..end].trim_ascii())
}

/// Hints are comments, and mean nothing here.
fn beyond_hints<'a>(lexer: &mut Lexer<'a>) -> Option<Token<'a>> {
    lexer.find(|token| !matches!(token, Token::Hint(_)))
}

/// The user variables that a SET marked [`super::Marks::LITERALS`] sets, as written: names and literals.
pub fn literals(text: &[u8], manner: Manner) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut lexer = Lexer::reading(text, manner);
    let (mut depth, mut target) = (0i32, true);
    std::iter::from_fn(move || {
        loop {
            match lexer.next()? {
                Token::Mark(b',') if depth == 0 => target = true,
                Token::Mark(b'(') => depth += 1,
                Token::Mark(b')') => depth -= 1,
                Token::Mark(b'=') | Token::Assign => target = false,
                Token::UserVariable(name) if target => {
                    target = false;
                    if let Some(literal) = literal(name, &lexer) {
                        return Some((name, literal));
                    }
                }
                _ => {}
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Marks, classify};
    use super::*;

    #[test]
    fn what_can_be_set_again_is_found_and_nothing_else() {
        for (text, expected) in [
            ("SET @a = 1", "a=1"),
            ("set @A:=-1.5e3 , @b.c = 'it''s', @`d` = \"x\"; ", "A=-1.5e3 b.c='it''s' d=\"x\""),
            ("SET time_zone = IF(1, '+00:00', 'x'), @a = NULL", "a=NULL"),
            ("SET @a = TRUE, sql_mode = ''", "a=TRUE"),
            ("SET @a = 0x41", "a=0x41"),
            ("SET @a = 5 /* tpcw: node=n2 */, @b /* tpcw: x */ = 6", "a=5 b=6"),
        ] {
            let statement = classify(text.as_bytes());
            assert!(statement.kind == Kind::Session && statement.marks.any(Marks::LITERALS), "{text}");
            assert!(!statement.marks.any(Marks::VARIABLES), "{text}");
            let found = literals(text.as_bytes(), Manner::default());
            let found: Vec<_> = found
                .map(|(name, value)| {
                    format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
                })
                .collect();
            assert_eq!(found.join(" "), expected, "{text}");
        }
        for text in [
            "SET @a = 1 + 1",
            "SET @a = @b",
            "SET @a = 'a' 'b'",
            "SET @a = 'a' COLLATE utf8mb4_bin",
            "SET @a = _latin1'x'",
            "SET @a = X'41'",
            "SET @a = -'1'",
            "SET @a = (1)",
            "SET @a = (SELECT 1)",
            "SET @a = @b := 1",
            "SET @`a b` = 1",
            "SET @a = 1, @b = NOW()",
            "SET @a = 1; SELECT @a",
            "SET @a = 1; SET @a = 2",
            "SET STATEMENT sql_mode='' FOR SELECT @a := 1",
        ] {
            let marks = classify(text.as_bytes()).marks;
            assert!(marks.any(Marks::VARIABLES), "{text} ties");
        }
    }
}
