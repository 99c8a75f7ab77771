//! The session's system variables that a SET names, for whoever has to ask what became of them.

use super::tokens::Upper;
use crate::sql::lexer::{Lexer, Manner, Token};

/// What SET NAMES and SET CHARACTER SET set.
const OF_NAMES: [&str; 3] = ["character_set_client", "character_set_connection", "character_set_results"];

/// The names of the session's system variables that this SET sets, in lower case; those of everybody (GLOBAL) and of the
/// next transaction alone are left out. Nothing for other statements.
pub fn settings(text: &[u8], manner: Manner) -> Vec<String> {
    let mut names = Vec::new();
    let (mut begun, mut target, mut scope, mut depth) = (false, false, Scope::None, 0i32);
    for token in Lexer::reading(text, manner) {
        match token {
            Token::Hint(_) | Token::VersionComment => {}
            Token::Word(word) if !begun => {
                if !word.eq_ignore_ascii_case(b"SET") {
                    return Vec::new();
                }
                (begun, target) = (true, true);
            }
            _ if !begun => return Vec::new(),
            Token::Mark(b';') => break,
            Token::Mark(b',') if depth == 0 => (target, scope) = (true, Scope::None),
            Token::Mark(b'(') => depth += 1,
            Token::Mark(b')') => depth -= 1,
            Token::Mark(b'=') | Token::Assign => target = false,
            Token::Word(word) if target => match Upper::of(word).get() {
                b"STATEMENT" if names.is_empty() && scope == Scope::None => return Vec::new(),
                b"SESSION" | b"LOCAL" => scope = Scope::Session,
                b"GLOBAL" | b"PERSIST" | b"PERSIST_ONLY" => scope = Scope::Global,
                b"NAMES" | b"CHARACTER" | b"CHARSET" => {
                    names.extend(OF_NAMES.map(str::to_owned));
                    target = false;
                }
                _ => add(&mut names, word, scope),
            },
            Token::Quoted(name) | Token::Text(name) if target => add(&mut names, name, scope),
            Token::SystemVariable(name) if target => {
                let mut parts = name.splitn(2, |byte| *byte == b'.');
                match (parts.next(), parts.next()) {
                    (Some(name), None) => add(&mut names, name, Scope::None),
                    (Some(first), Some(name)) => match Upper::of(first).get() {
                        b"SESSION" | b"LOCAL" => add(&mut names, name, Scope::Session),
                        _ => {}
                    },
                    _ => {}
                }
            }
            _ => {}
        }
    }
    names
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    None,
    Session,
    Global,
}

fn add(names: &mut Vec<String>, name: &[u8], scope: Scope) {
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    let name = name.trim_matches('`');
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let for_next = scope == Scope::None
        && ["tx_isolation", "tx_read_only", "transaction_isolation", "transaction_read_only"].contains(&name);
    if plain && !for_next && scope != Scope::Global {
        names.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Marks, classify};
    use super::*;

    #[test]
    fn what_sets_or_shows_trackers_is_marked() {
        for text in [
            "SET session_track_schema=0",
            "SET a=1, @@session.session_track_system_variables='x'",
            "SET STATEMENT session_track_gtids=OFF FOR SELECT 1",
            "SELECT @@session_track_system_variables",
            "SHOW VARIABLES",
            "SHOW SESSION VARIABLES LIKE 's%'",
            "SHOW VARIABLES LIKE 'Session\\_track\\_schema'",
            "SHOW VARIABLES WHERE Variable_name = 'x'",
        ] {
            assert!(classify(text.as_bytes()).marks.any(Marks::TRACKING), "{text}");
        }
        for text in [
            "SHOW VARIABLES LIKE 'sql\\_mode'",
            "SHOW GLOBAL VARIABLES",
            "SELECT @@sql_mode",
            "SET time_zone='x'",
        ] {
            assert!(!classify(text.as_bytes()).marks.any(Marks::TRACKING), "{text}");
        }
        let several = classify(b"SET session_track_schema=0; SELECT 1").marks;
        assert!(several.any(Marks::TRACKING) && several.any(Marks::UNKNOWN), "what it sets is not told");
    }

    #[test]
    fn what_a_set_names_is_found() {
        for (text, expected) in [
            ("SET sql_mode=CONCAT(@@sql_mode, ',x'), time_zone = '+00:00'", "sql_mode time_zone"),
            (
                "/* x */ SET SESSION `Wait_Timeout` = 1, @a = 2, @@session.autocommit=0",
                "wait_timeout autocommit",
            ),
            ("SET @@lc_time_names := 'de_DE', GLOBAL max_connections = 5, @@global.x = 1", "lc_time_names"),
            (
                "SET NAMES utf8mb4, sql_mode=''",
                "character_set_client character_set_connection character_set_results sql_mode",
            ),
            ("SET tx_isolation='SERIALIZABLE', SESSION tx_isolation='SERIALIZABLE'", "tx_isolation"),
            ("SET character_set_results = NULL", "character_set_results"),
            ("SET STATEMENT sql_mode='' FOR SELECT 1", ""),
            ("SELECT 1", ""),
            ("(SET x=1)", ""),
            ("", ""),
        ] {
            assert_eq!(settings(text.as_bytes(), Manner::default()).join(" "), expected, "{text}");
        }
    }
}
