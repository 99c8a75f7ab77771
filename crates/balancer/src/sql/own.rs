//! The balancer's own session variables in a text: `SET tpcw_consistency = 'monotonic'`, `SELECT @@tpcw_token`.

use super::lexer::{Lexer, Token};

/// One assignment of a `SET`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting<'a> {
    /// The name, as written, without `@@` and scope.
    pub name: &'a [u8],
    /// The value, as written, without quotes.
    pub value: &'a [u8],
    /// For everybody, not only for the session.
    pub global: bool,
}

/// The assignments of a `SET`; `None` when it is more than the balancer can read.
pub fn settings(text: &[u8]) -> Option<Vec<Setting<'_>>> {
    let mut lexer = after(text, b"SET")?;
    let mut settings = Vec::new();
    loop {
        let (name, global) = target(&mut lexer)?;
        match plain(&mut lexer)? {
            Token::Mark(b'=') | Token::Assign => {}
            _ => return None,
        }
        let (value, last) = value(text, &mut lexer);
        settings.push(Setting { name, value, global });
        match last {
            Some(Token::Mark(b',')) => {}
            _ => return ended(&mut lexer).then_some(settings),
        }
    }
}

/// The names of variables that a `SELECT` asks for, and for nothing else.
pub fn selected(text: &[u8]) -> Option<Vec<&[u8]>> {
    let mut lexer = after(text, b"SELECT")?;
    let mut names = Vec::new();
    loop {
        let Some(Token::SystemVariable(name)) = plain(&mut lexer) else { return None };
        names.push(scoped(name).0);
        match plain(&mut lexer) {
            Some(Token::Mark(b',')) => {}
            Some(Token::Mark(b';')) => return ended(&mut lexer).then_some(names),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case(b"LIMIT") => {
                let number = plain(&mut lexer) == Some(Token::Number);
                return (number && ended(&mut lexer)).then_some(names);
            }
            Some(_) => return None,
            None => return Some(names),
        }
    }
}

/// The tokens behind a first word.
fn after<'a>(text: &'a [u8], first: &[u8]) -> Option<Lexer<'a>> {
    let mut lexer = Lexer::new(text);
    match plain(&mut lexer)? {
        Token::Word(word) if word.eq_ignore_ascii_case(first) => Some(lexer),
        _ => None,
    }
}

/// The next token that is no comment.
fn plain<'a>(lexer: &mut Lexer<'a>) -> Option<Token<'a>> {
    lexer.find(|token| !matches!(token, Token::Hint(_)))
}

fn ended(lexer: &mut Lexer<'_>) -> bool {
    lexer.all(|token| matches!(token, Token::Mark(b';') | Token::Hint(_)))
}

/// The variable that is set: its name and whether it is everybody's.
fn target<'a>(lexer: &mut Lexer<'a>) -> Option<(&'a [u8], bool)> {
    let global = match plain(lexer)? {
        Token::SystemVariable(name) => return Some(scoped(name)),
        Token::Word(word) if word.eq_ignore_ascii_case(b"GLOBAL") => true,
        Token::Word(word) if is_session(word) => false,
        Token::Word(name) => return Some((name, false)),
        _ => return None,
    };
    match plain(lexer)? {
        Token::Word(name) => Some((name, global)),
        _ => None,
    }
}

fn is_session(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"SESSION") || word.eq_ignore_ascii_case(b"LOCAL")
}

/// `global.name` → the name, and whether it is everybody's.
fn scoped(name: &[u8]) -> (&[u8], bool) {
    match name.iter().position(|byte| *byte == b'.') {
        Some(dot) => (&name[dot + 1..], name[..dot].eq_ignore_ascii_case(b"GLOBAL")),
        None => (name, false),
    }
}

/// The text up to the next comma, semicolon or end, without blanks and quotes; and what ended it.
fn value<'a>(text: &'a [u8], lexer: &mut Lexer<'a>) -> (&'a [u8], Option<Token<'a>>) {
    let start = lexer.at();
    loop {
        let end = lexer.at();
        match lexer.next() {
            token @ (None | Some(Token::Mark(b',' | b';'))) => return (unquoted(&text[start..end]), token),
            // What a comment hides is no part of the value.
            Some(Token::Hint(_)) => return (unquoted(&text[start..end]), lexer.next()),
            Some(_) => {}
        }
    }
}

fn unquoted(text: &[u8]) -> &[u8] {
    match text.trim_ascii() {
        [b'\'', inside @ .., b'\''] | [b'"', inside @ .., b'"'] => inside,
        bare => bare,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read() {
        let told = |text: &'static str| -> Option<String> {
            let settings = settings(text.as_bytes())?;
            let shown = settings.iter().map(|s| {
                let (name, value) = (String::from_utf8_lossy(s.name), String::from_utf8_lossy(s.value));
                format!("{}{name}={value}", if s.global { "global " } else { "" })
            });
            Some(shown.collect::<Vec<_>>().join(" "))
        };
        for (text, read) in [
            ("SET tpcw_consistency = 'monotonic'", Some("tpcw_consistency=monotonic")),
            ("/* x */ set tpcw_explain:=1 ;", Some("tpcw_explain=1")),
            ("SET @@tpcw_explain=ON", Some("tpcw_explain=ON")),
            (
                "SET SESSION tpcw_token = '0-1-5,1-2-3', local tpcw_wait_ms=5",
                Some("tpcw_token=0-1-5,1-2-3 tpcw_wait_ms=5"),
            ),
            ("SET tpcw_token=0-1-5", Some("tpcw_token=0-1-5")),
            ("SET @@global.tpcw_strategy=random, GLOBAL a=b", Some("global tpcw_strategy=random global a=b")),
            ("SET @@session.tpcw_token=\"\"", Some("tpcw_token=")),
            ("SET NAMES utf8mb4", None),
            ("SET tpcw_explain", None),
            ("SET tpcw_explain=1; SELECT 1", None),
            ("SET @a=1, tpcw_explain=1", None),
            ("SHOW TABLES", None),
            ("", None),
        ] {
            assert_eq!(told(text).as_deref(), read, "{text}");
        }
    }

    #[test]
    fn selected_names_are_read() {
        for (text, names) in [
            ("SELECT @@tpcw_token", Some(vec!["tpcw_token"])),
            ("select @@session.a , @@b LIMIT 1;", Some(vec!["a", "b"])),
            ("SELECT @@a AS b", None),
            ("SELECT @@a + 1", None),
            ("SELECT 1, @@a", None),
            ("SELECT @@a FROM t", None),
        ] {
            let read = selected(text.as_bytes());
            let wanted = names.map(|names| names.iter().map(|name| name.as_bytes()).collect::<Vec<_>>());
            assert_eq!(read, wanted, "{text}");
        }
    }

    #[test]
    fn any_bytes_are_read_or_not() {
        let alphabet = b"ab'\"`\\@:=/*!-# \n;(5\xff\0,.";
        let mut seed = 1u64;
        for _ in 0..50_000 {
            let mut text = b"SET ".to_vec();
            text.extend((0..10).map(|_| {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                alphabet[(seed >> 33) as usize % alphabet.len()]
            }));
            let _ = (settings(&text), selected(&text));
        }
    }
}
