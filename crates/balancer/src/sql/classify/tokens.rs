//! Tokens as classifying wants them: words in upper case, hints and version comments out of the way.

use crate::sql::hint::Hint;
use crate::sql::lexer::{Lexer, Manner, Token};

/// Tokens without hints and version comments, which are remembered.
pub(super) struct Tokens<'a> {
    pub lexer: Lexer<'a>,
    pub hint: Hint<'a>,
    pub version_comments: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a [u8], manner: Manner) -> Self {
        Self { lexer: Lexer::reading(text, manner), hint: Hint::default(), version_comments: 0 }
    }

    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        loop {
            match self.lexer.next()? {
                Token::Hint(text) => self.hint = Hint::read(text),
                Token::VersionComment => self.version_comments += 1,
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

    /// Reads this word if it is the next token.
    pub(super) fn take(&mut self, word: &[u8]) -> bool {
        let here = self.peek_word().get() == word;
        if here {
            self.next();
        }
        here
    }

    pub(super) fn peek_word(&mut self) -> Upper {
        match self.peek() {
            Some(Token::Word(word)) => Upper::of(word),
            _ => Upper::of(b""),
        }
    }
}

/// Longer than any keyword and any function that is known.
const LONGEST: usize = 32;

/// A word in upper case; empty if it is longer than any that means something.
pub(super) struct Upper {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Upper {
    pub(super) fn of(word: &[u8]) -> Self {
        let mut bytes = [0; LONGEST];
        let length = if word.len() <= LONGEST { word.len() } else { 0 };
        bytes[..length].copy_from_slice(&word[..length]);
        bytes.make_ascii_uppercase();
        Self { bytes, length }
    }

    pub(super) fn get(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}
