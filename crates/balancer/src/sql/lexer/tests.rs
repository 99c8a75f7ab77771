//! What texts fall into.

use super::*;

fn told(lexer: Lexer<'_>) -> String {
    lexer
        .map(|token| match token {
            Token::Word(word) => String::from_utf8_lossy(word).into_owned(),
            Token::Quoted(_) => "`".into(),
            Token::Text(_) => "'".into(),
            Token::Number => "9".into(),
            Token::UserVariable(name) => format!("@{}", String::from_utf8_lossy(name)),
            Token::SystemVariable(name) => format!("@@{}", String::from_utf8_lossy(name)),
            Token::Assign => ":=".into(),
            Token::Mark(mark) => char::from(mark).to_string(),
            Token::Hint(hint) => format!("hint[{}]", String::from_utf8_lossy(hint)),
            Token::VersionComment => "!".into(),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn texts_fall_into_tokens() {
    for (text, tokens) in [
        ("select 1", "select 9"),
        ("a/*x*/b -- c\nd#e\nf --g", "a b d f - - g"),
        ("a --\x7fb\nc", "a c"),
        ("'it''s' \"a\\\"b\" `x``y`", "' ' `"),
        ("'a\\\\' b", "' b"),
        ("@a:=@`b c`+@@global.d @@`e`", "@a := @b c + @@global.d @@e"),
        ("/* tpcw: node=n2 */ select", "hint[ node=n2] select"),
        ("/*!40001 sql_no_cache */ x /*M!100100 y*/", "! sql_no_cache x ! y"),
        ("/*!1234 x*/", "! 9 x"),
        ("/*!1000000x*/", "! 0x"),
        ("/*! a /* ' */ b */ c", "! a b c"),
        ("2*/*'*/3*/'x'", "9 * 9 * / '"),
        ("0x1f 1e5 12 3abz 0b01 0b2 0x1g", "9 9 9 3abz 9 0b2 0x1g"),
        ("1e5into 1.5into 1e+5into 1.e5x 1.into", "9 into 9 into 9 into 9 x 9 into"),
        ("15into 1eb .5into", "15into 1eb 9 into"),
        ("t.c>=5;", "t . c > = 9 ;"),
        ("größe", "größe"),
        ("'open", "'"),
        ("'open\\", "'"),
        ("/* open", ""),
        ("/*! open", "! open"),
        ("/*", ""),
        ("/*!", "!"),
        ("@", "@"),
        ("@'x", "@x"),
    ] {
        assert_eq!(told(Lexer::new(text.as_bytes())), tokens, "{text}");
    }
}

#[test]
fn settings_of_the_session_change_where_texts_end() {
    let default = Manner::default();
    let plain = Manner { backslashes: false, ..default };
    let ansi = Manner { ansi_quotes: true, ..default };
    let skipping = Manner { version_comments: false, ..default };
    for (text, manner, tokens) in [
        (r"'a\' b 'c'", default, "' c '"),
        (r"'a\' b 'c'", plain, "' b '"),
        (r#""a\" b "c""#, default, "' c '"),
        (r#""a\" b "c""#, plain, "' b '"),
        (r#""a\" b "c""#, ansi, "` b `"),
        ("a /*!50000 b */ c", skipping, "a ! c"),
        ("a /*!50000 ' */ c", skipping, "a ! c"),
        ("a /*!50000 /* x */ b */ c", skipping, "a ! c"),
        ("a /*! open /* x", skipping, "a !"),
    ] {
        assert_eq!(told(Lexer::reading(text.as_bytes(), manner)), tokens, "{text} {manner:?}");
    }
}

#[test]
fn what_depends_on_unknown_settings_is_ambiguous() {
    for (text, ambiguous) in [
        (r#"select "{\"a\": 1}""#, true),
        (r#"select "a\\""#, false),
        (r"select 'a\'b'", false),
        ("select t.5into", true),
        ("select 0.5, .5 , t.5", false),
    ] {
        let mut lexer = Lexer::new(text.as_bytes());
        while lexer.next().is_some() {}
        assert_eq!(lexer.is_ambiguous(), ambiguous, "{text}");
    }
}

#[test]
fn any_bytes_come_to_an_end() {
    let alphabet = b"ab'\"`\\@:=/*!-# \n;(5.e+M\xff\0";
    let mut seed = 1u64;
    for _ in 0..50_000 {
        let text: Vec<u8> = (0..12)
            .map(|_| {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                alphabet[(seed >> 33) as usize % alphabet.len()]
            })
            .collect();
        for manner in 0..8 {
            let manner = Manner {
                backslashes: manner & 1 != 0,
                ansi_quotes: manner & 2 != 0,
                version_comments: manner & 4 != 0,
            };
            assert!(Lexer::reading(&text, manner).count() <= text.len(), "{text:?}");
        }
    }
}

#[test]
fn halves_of_characters_are_suspected() {
    assert!(may_halve_characters(b"select '\xb5\\', 1"));
    assert!(!may_halve_characters(b"select '\xb5\xa1', 'a\\'"));
}
