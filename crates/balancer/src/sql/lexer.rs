//! Tokens of a statement, without allocation.
//!
//! Only as much of the language as routing needs: where words, strings, variables and comments begin and end. It follows
//! the server's default `sql_mode`; sessions with `NO_BACKSLASH_ESCAPES` or an odd character set are not routed by it.

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A keyword, name or function, as written.
    Word(&'a [u8]),
    /// A name in backticks.
    Quoted,
    /// A string in single or double quotes.
    Text,
    /// A number.
    Number,
    /// `@name`, without the `@`.
    UserVariable(&'a [u8]),
    /// `@@name`, without the `@@`.
    SystemVariable(&'a [u8]),
    /// `:=`.
    Assign,
    /// Any other character.
    Mark(u8),
    /// The inside of a comment that begins with `tpcw:`.
    Hint(&'a [u8]),
    /// The beginning of a comment that some servers execute.
    VersionComment,
}

/// Walks over a text.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    /// Begins at the first byte.
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// How far it has come.
    pub fn at(&self) -> usize {
        self.at
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn take_while(&mut self, keep: impl Fn(u8) -> bool) -> &'a [u8] {
        let start = self.at;
        let length = self.text[start..].iter().position(|byte| !keep(*byte));
        self.at = length.map_or(self.text.len(), |length| start + length);
        &self.text[start..self.at]
    }

    fn skip_line(&mut self) {
        let rest = &self.text[self.at..];
        self.at += memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
    }

    /// A quoted text from its opening quote on; an unended one reaches to the end.
    fn skip_quoted(&mut self, quote: u8) -> &'a [u8] {
        self.at += 1;
        let start = self.at;
        loop {
            let rest = &self.text[self.at.min(self.text.len())..];
            let found = match quote {
                b'`' => memchr::memchr(quote, rest),
                _ => memchr::memchr2(quote, b'\\', rest),
            };
            let Some(found) = found else {
                self.at = self.text.len();
                return &self.text[start.min(self.at)..];
            };
            self.at += found;
            if self.text[self.at] == b'\\' || self.peek(1) == quote && self.peek(0) == quote {
                self.at += 2;
                continue;
            }
            let inside = &self.text[start..self.at];
            self.at += 1;
            return inside;
        }
    }

    /// A comment from `/*` on: what it means, if anything.
    fn comment(&mut self) -> Option<Token<'a>> {
        let marked = self.peek(2) == b'!' || self.peek(2) == b'M' && self.peek(3) == b'!';
        if marked {
            self.at += if self.peek(2) == b'!' { 3 } else { 4 };
            self.take_while(|byte| byte.is_ascii_digit());
            return Some(Token::VersionComment);
        }
        let start = self.at + 2;
        let rest = &self.text[start.min(self.text.len())..];
        let end = memchr::memmem::find(rest, b"*/").unwrap_or(rest.len());
        self.at = (start + end + 2).min(self.text.len());
        let inside = rest[..end].trim_ascii();
        inside.strip_prefix(b"tpcw:").map(Token::Hint)
    }

    fn variable(&mut self) -> Token<'a> {
        self.at += 1;
        let system = self.peek(0) == b'@';
        self.at += usize::from(system);
        let name = match self.peek(0) {
            quote @ (b'`' | b'\'' | b'"') => self.skip_quoted(quote),
            _ => self.take_while(|byte| is_word(byte) || byte == b'.'),
        };
        if system { Token::SystemVariable(name) } else { Token::UserVariable(name) }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let byte = *self.text.get(self.at)?;
            match (byte, self.peek(1)) {
                (b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C | 0, _) => self.at += 1,
                (b'#', _) => self.skip_line(),
                (b'-', b'-') if self.peek(2) <= b' ' => self.skip_line(),
                (b'/', b'*') => {
                    if let Some(token) = self.comment() {
                        return Some(token);
                    }
                }
                // The end of a version comment.
                (b'*', b'/') => self.at += 2,
                (b'0'..=b'9', _) => return Some(self.number()),
                (byte, _) if is_word(byte) => return Some(Token::Word(self.take_while(is_word))),
                (b'`', _) => {
                    self.skip_quoted(b'`');
                    return Some(Token::Quoted);
                }
                (quote @ (b'\'' | b'"'), _) => {
                    self.skip_quoted(quote);
                    return Some(Token::Text);
                }
                (b'@', _) => return Some(self.variable()),
                (b':', b'=') => {
                    self.at += 2;
                    return Some(Token::Assign);
                }
                (mark, _) => {
                    self.at += 1;
                    return Some(Token::Mark(mark));
                }
            }
        }
    }
}

impl<'a> Lexer<'a> {
    /// A number, or a name that begins with a digit.
    fn number(&mut self) -> Token<'a> {
        let word = self.take_while(is_word);
        let exponent = matches!(word, [b'0'..=b'9', ..]) && word.iter().all(u8::is_ascii_digit);
        if exponent || word.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'x' | b'X')) {
            return Token::Number;
        }
        Token::Word(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        Lexer::new(text.as_bytes())
            .map(|token| match token {
                Token::Word(word) => String::from_utf8_lossy(word).into_owned(),
                Token::Quoted => "`".into(),
                Token::Text => "'".into(),
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
            ("'it''s' \"a\\\"b\" `x``y`", "' ' `"),
            ("'a\\\\' b", "' b"),
            ("@a:=@`b c`+@@global.d @@`e`", "@a := @b c + @@global.d @@e"),
            ("/* tpcw: node=n2 */ select", "hint[ node=n2] select"),
            ("/*!40001 sql_no_cache */ x /*M!100100 y*/", "! sql_no_cache x ! y"),
            ("0x1f 1e5 12 3abz", "9 9 9 3abz"),
            ("t.c>=5;", "t . c > = 9 ;"),
            ("größe", "größe"),
            ("'open", "'"),
            ("'open\\", "'"),
            ("/* open", ""),
            ("/*", ""),
            ("@", "@"),
            ("@'x", "@x"),
        ] {
            assert_eq!(words(text), tokens, "{text}");
        }
    }

    #[test]
    fn any_bytes_come_to_an_end() {
        let alphabet = b"ab'\"`\\@:=/*!-# \n;(5\xff\0";
        let mut seed = 1u64;
        for _ in 0..50_000 {
            let text: Vec<u8> = (0..12)
                .map(|_| {
                    seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    alphabet[(seed >> 33) as usize % alphabet.len()]
                })
                .collect();
            assert!(Lexer::new(&text).count() <= text.len(), "{text:?}");
        }
    }
}
