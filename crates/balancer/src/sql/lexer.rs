//! Tokens of a statement, without allocation.
//!
//! Only as much of the language as routing needs: where words, strings, numbers, variables and comments begin and end,
//! as the servers' own lexers see it (`sql_lex.cc` of MariaDB 10.11). Two settings of a session change that, see
//! [`Manner`]; a session in a character set that hides quotes inside characters is not routed by it at all.

mod number;
#[cfg(test)]
mod tests;

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A keyword, name or function, as written.
    Word(&'a [u8]),
    /// A name in backticks (or in double quotes, if these quote names), without them.
    Quoted(&'a [u8]),
    /// A string in single or double quotes, without them.
    Text(&'a [u8]),
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

/// How a session's texts are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// A backslash in a string escapes what follows; off with `sql_mode=NO_BACKSLASH_ESCAPES`.
    pub backslashes: bool,
    /// Double quotes stand around names; on with `sql_mode=ANSI_QUOTES`.
    pub ansi_quotes: bool,
    /// Comments of the form `/*!50000 … */` are read as if there were no comment signs around them; otherwise they are
    /// skipped, as by a server of another version.
    pub version_comments: bool,
}

impl Default for Manner {
    /// As servers do by default.
    fn default() -> Self {
        Self { backslashes: true, ansi_quotes: false, version_comments: true }
    }
}

/// Walks over a text.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    manner: Manner,
    in_version_comment: bool,
    ambiguous: bool,
}

impl<'a> Lexer<'a> {
    /// Begins at the first byte of a text that is read as servers do by default.
    pub fn new(text: &'a [u8]) -> Self {
        Self::reading(text, Manner::default())
    }

    /// Begins at the first byte.
    pub fn reading(text: &'a [u8], manner: Manner) -> Self {
        Self { text, at: 0, manner, in_version_comment: false, ambiguous: false }
    }

    /// The whole text.
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// How far it has come.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Whether some server may see other tokens in what has been read than were told: a setting that the session does not
    /// tell decides.
    pub fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// Whether the last token is a single character that follows a name without a gap.
    pub fn is_glued(&self) -> bool {
        self.at >= 2 && self.text.get(self.at - 2).is_some_and(|byte| is_word(*byte))
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
    fn quoted(&mut self, quote: u8) -> &'a [u8] {
        let names = quote == b'`' || quote == b'"' && self.manner.ansi_quotes;
        let escapes = self.manner.backslashes && !names;
        self.at += 1;
        let start = self.at;
        loop {
            let rest = &self.text[self.at.min(self.text.len())..];
            let found =
                if escapes { memchr::memchr2(quote, b'\\', rest) } else { memchr::memchr(quote, rest) };
            let Some(found) = found else {
                self.at = self.text.len();
                return &self.text[start.min(self.at)..];
            };
            self.at += found;
            let escaped = self.text[self.at] == b'\\' && escapes;
            if escaped || self.peek(1) == quote {
                // Where double quotes stand around names, the text would end here.
                self.ambiguous |= escaped && quote == b'"' && self.peek(1) == b'"';
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
        let start = self.at + 2;
        if marked {
            let rest = &self.text[start..];
            self.at += if self.peek(2) == b'!' { 3 } else { 4 };
            if self.manner.version_comments {
                self.in_version_comment = true;
                self.take_version();
            } else {
                self.at = start + end_of_skipped(rest);
            }
            return Some(Token::VersionComment);
        }
        let rest = &self.text[start.min(self.text.len())..];
        let end = memchr::memmem::find(rest, b"*/").unwrap_or(rest.len());
        self.at = (start + end + 2).min(self.text.len());
        let inside = rest[..end].trim_ascii();
        inside.strip_prefix(b"tpcw:").map(Token::Hint)
    }

    /// Five or six digits; fewer are part of the text.
    fn take_version(&mut self) {
        let digits = self.text[self.at..].iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
        if digits >= 5 {
            self.at += digits;
        }
    }

    fn variable(&mut self) -> Token<'a> {
        self.at += 1;
        let system = self.peek(0) == b'@';
        self.at += usize::from(system);
        let name = match self.peek(0) {
            quote @ (b'`' | b'\'' | b'"') => self.quoted(quote),
            _ => self.take_while(|byte| is_word(byte) || byte == b'.'),
        };
        if system { Token::SystemVariable(name) } else { Token::UserVariable(name) }
    }

    fn string(&mut self, quote: u8) -> Token<'a> {
        let inside = self.quoted(quote);
        if quote == b'`' || quote == b'"' && self.manner.ansi_quotes {
            return Token::Quoted(inside);
        }
        Token::Text(inside)
    }
}

/// The length of a version comment that is skipped, `*/` included; one comment may stand in it.
fn end_of_skipped(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(b'*', b'/', rest)) {
        at += found;
        match (text[at], text.get(at + 1)) {
            (b'*', Some(b'/')) => return at + 2,
            (b'/', Some(b'*')) => {
                let inner = &text[at + 2..];
                at += 2 + memchr::memmem::find(inner, b"*/").map_or(inner.len(), |end| end + 2);
            }
            _ => at += 1,
        }
    }
    text.len()
}

/// Whether a text in a character set whose characters may end in a byte below 0x80 (big5, gbk, sjis and their like) may
/// be read wrongly here: a sign that matters may be the half of a character.
pub fn may_halve_characters(text: &[u8]) -> bool {
    let sign = |byte: u8| (0x40..0x7F).contains(&byte) && !byte.is_ascii_alphanumeric();
    text.windows(2).any(|pair| pair[0] >= 0x80 && sign(pair[1]))
}

fn is_word(byte: u8) -> bool {
    matches!(CLASSES[usize::from(byte)], Class::Letter | Class::Digit)
}

/// What a byte may begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Letter,
    Digit,
    Other,
}

/// By byte.
const CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C | 0 => Class::Space,
            b'0'..=b'9' => Class::Digit,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x80..=0xFF => Class::Letter,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
};

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let byte = *self.text.get(self.at)?;
            match CLASSES[usize::from(byte)] {
                Class::Space => {
                    self.at += 1;
                    continue;
                }
                Class::Letter => return Some(Token::Word(self.take_while(is_word))),
                Class::Digit => return Some(self.number()),
                Class::Other => {}
            }
            match (byte, self.peek(1)) {
                (b'#', _) => self.skip_line(),
                (b'-', b'-') if self.peek(2) <= b' ' || self.peek(2) == 0x7F => self.skip_line(),
                (b'/', b'*') => {
                    if let Some(token) = self.comment() {
                        return Some(token);
                    }
                }
                (b'*', b'/') if self.in_version_comment => {
                    self.in_version_comment = false;
                    self.at += 2;
                }
                (b'.', b'0'..=b'9') => return Some(self.fraction()),
                (quote @ (b'`' | b'\'' | b'"'), _) => return Some(self.string(quote)),
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
