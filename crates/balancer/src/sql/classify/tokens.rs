//! Tokens as classifying wants them: words in upper case, hints and version comments out of the way.

use crate::sql::hint::Hint;
use crate::sql::lexer::{Lexer, Token};

/// Tokens without hints and version comments, which are remembered.
pub(super) struct Tokens<'a> {
    pub lexer: Lexer<'a>,
    pub hint: Hint<'a>,
    pub version_comment: bool,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self::on(Lexer::new(text))
    }

    fn on(lexer: Lexer<'a>) -> Self {
        Self { lexer, hint: Hint::default(), version_comment: false }
    }

    /// A second walk from here on, which leaves this one where it is.
    pub(super) fn ahead(&self) -> Self {
        Self::on(self.lexer.clone())
    }

    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        loop {
            match self.lexer.next()? {
                Token::Hint(text) => self.hint = Hint::read(text),
                Token::VersionComment => self.version_comment = true,
                token => return Some(token),
            }
        }
    }

    /// The next token, as an upper-case word if it is one.
    pub(super) fn word(&mut self) -> Upper {
        match self.next() {
            Some(Token::Word(word)) => Upper::of(word),
            _ => Upper::of(b""),
        }
    }

    /// The next token, left in place.
    pub(super) fn peek(&mut self) -> Option<Token<'a>> {
        let before = self.lexer.clone();
        let token = self.next();
        self.lexer = before;
        token
    }

    pub(super) fn peek_word(&mut self) -> Upper {
        match self.peek() {
            Some(Token::Word(word)) => Upper::of(word),
            _ => Upper::of(b""),
        }
    }
}

/// A word in upper case; longer ones than any keyword are cut.
pub(super) struct Upper {
    bytes: [u8; 24],
    length: usize,
}

impl Upper {
    pub(super) fn of(word: &[u8]) -> Self {
        let mut bytes = [0; 24];
        let length = word.len().min(24);
        bytes[..length].copy_from_slice(&word[..length]);
        bytes.make_ascii_uppercase();
        Self { bytes, length }
    }

    pub(super) fn get(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}
