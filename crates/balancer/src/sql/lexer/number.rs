//! Numbers, and where they end: `1e5into` is a number and a word, `15into` is a name.

use super::{Lexer, Token, is_word};

impl<'a> Lexer<'a> {
    /// A number, or a name that begins with a digit.
    pub(super) fn number(&mut self) -> Token<'a> {
        let start = self.at;
        self.take_digits();
        if self.peek(0) == b'.' {
            self.at += 1;
            self.take_digits();
            self.take_exponent();
            return Token::Number;
        }
        if self.take_exponent() {
            return Token::Number;
        }
        self.take_while(is_word);
        let word = &self.text[start..self.at];
        if is_number(word) { Token::Number } else { Token::Word(word) }
    }

    /// From a point with digits behind it. After the name of a table these are the beginning of a name.
    pub(super) fn fraction(&mut self) -> Token<'a> {
        self.at += 1;
        self.take_digits();
        self.take_exponent();
        self.ambiguous |= is_word(self.peek(0));
        Token::Number
    }

    fn take_digits(&mut self) {
        self.take_while(|byte| byte.is_ascii_digit());
    }

    /// `e5`, `E+5`; anything else stays.
    fn take_exponent(&mut self) -> bool {
        if !matches!(self.peek(0), b'e' | b'E') {
            return false;
        }
        let signed = usize::from(matches!(self.peek(1), b'+' | b'-'));
        if !self.peek(1 + signed).is_ascii_digit() {
            return false;
        }
        self.at += 1 + signed;
        self.take_digits();
        true
    }
}

/// Digits, or `0x` and `0b` with theirs.
fn is_number(word: &[u8]) -> bool {
    match word {
        [b'0', b'x' | b'X', digits @ ..] if !digits.is_empty() => digits.iter().all(u8::is_ascii_hexdigit),
        [b'0', b'b' | b'B', digits @ ..] if !digits.is_empty() => {
            digits.iter().all(|digit| matches!(digit, b'0' | b'1'))
        }
        digits => digits.iter().all(u8::is_ascii_digit),
    }
}
