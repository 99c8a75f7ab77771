//! The rest of a statement, token by token: what its words add to how it began.

use super::functions::{Call, function, on_primary, raise, system_variable};
use super::tokens::{Tokens, Upper};
use super::{Kind, Marks, One};
use crate::sql::lexer::Token;

/// Where names before parentheses are not functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// Nowhere but behind `INTO`, `TABLE`, `AS` and at the end of a parenthesis.
    Functions,
    /// Also behind `INSERT`, `REPLACE` and their modifiers.
    Target,
    /// Up to `SELECT`, as in `CREATE TABLE`.
    UntilSelect,
    /// Up to `SET`, as in `LOAD DATA`, where variables are targets too.
    UntilSet,
    /// Up to the statement itself, as in `WITH a (b) AS (…)`.
    UntilStatement,
}

/// Walks on to the end of the statement.
pub(super) fn finish(one: One, tokens: &mut Tokens<'_>) -> One {
    finish_with(one, tokens, Names::Functions)
}

/// The same, in a statement of a certain form.
pub(super) fn finish_with(one: One, tokens: &mut Tokens<'_>, names: Names) -> One {
    let target = names == Names::Target;
    let mut walk = Walk {
        one,
        reads: one.kind == Kind::Read && !target,
        names,
        depth: 0,
        previous: Token::Mark(b' '),
        callable: None,
        next: (!target).then_some(false),
    };
    while let Some(token) = tokens.next() {
        if token == Token::Mark(b';') {
            break;
        }
        walk.step(token, tokens);
        walk.previous = token;
    }
    walk.one
}

/// The words that [`Walk::word`] looks for.
const WORDS: [&[u8]; 25] = [
    b"UPDATE",
    b"SHARE",
    b"IN",
    b"INTO",
    b"AS",
    b"SQL_CALC_FOUND_ROWS",
    b"VALUE",
    b"FOR",
    b"NEXTVAL",
    b"CURRVAL",
    b"PERFORMANCE_SCHEMA",
    b"PROCESSLIST",
    b"SLOW_LOG",
    b"GENERAL_LOG",
    b"SELECT",
    b"VALUES",
    b"TABLE",
    b"SET",
    b"INSERT",
    b"DELETE",
    b"REPLACE",
    b"IGNORE",
    b"DELAYED",
    b"LOW_PRIORITY",
    b"HIGH_PRIORITY",
];

/// The lengths of those words, as bits, by the last five bits of their first letter.
const LENGTHS: [u32; 32] = {
    let mut lengths = [0; 32];
    let mut at = 0;
    while at < WORDS.len() {
        lengths[(WORDS[at][0] & 31) as usize] |= 1 << WORDS[at].len();
        at += 1;
    }
    lengths
};

/// Whether a word may be one that is looked for. Most are names, and told apart by their length and first letter.
fn may_matter(word: &[u8]) -> bool {
    word.len() < 32
        && word.first().is_some_and(|first| LENGTHS[usize::from(first & 31)] >> word.len() & 1 != 0)
}

struct Walk<'a> {
    one: One,
    reads: bool,
    names: Names,
    depth: i32,
    previous: Token<'a>,
    /// Whether the previous token may be the name of a function, and whether a schema's name stands before it.
    callable: Option<bool>,
    /// The same for a name that comes next.
    next: Option<bool>,
}

impl<'a> Walk<'a> {
    fn step(&mut self, token: Token<'a>, tokens: &mut Tokens<'a>) {
        let callable = self.next.replace(false);
        match token {
            Token::Word(word) => {
                self.callable = callable;
                if may_matter(word) {
                    self.word(&Upper::of(word), tokens);
                }
            }
            Token::Quoted(_) | Token::Text(_) => self.callable = callable,
            Token::Mark(b'.') => self.next = self.callable.map(|_| true),
            Token::Mark(b'(') => {
                self.call(tokens);
                self.begin_parenthesis();
            }
            Token::Mark(b')') => {
                self.depth -= 1;
                self.next = None;
            }
            Token::Assign if self.reads || matches!(self.previous, Token::UserVariable(_)) => {
                self.one = raise(self.one, Marks::VARIABLES, "sets a user variable");
            }
            Token::UserVariable(_) if self.names == Names::UntilSet || self.is_behind(b"INTO") => {
                self.one = raise(self.one, Marks::VARIABLES, "sets a user variable");
            }
            Token::SystemVariable(name) => self.one = system_variable(self.one, name),
            _ => {}
        }
    }

    /// Whether the previous token is this word.
    fn is_behind(&self, word: &[u8]) -> bool {
        matches!(self.previous, Token::Word(before) if before.eq_ignore_ascii_case(word))
    }

    fn begin_parenthesis(&mut self) {
        if self.names == Names::UntilStatement && self.depth == 0 && self.previous == Token::Mark(b')') {
            self.names = Names::Functions;
        }
        self.depth += 1;
    }

    /// A parenthesis opens: is it a call?
    fn call(&mut self, tokens: &mut Tokens<'_>) {
        let (name, quoted) = match self.previous {
            Token::Word(name) => (name, false),
            Token::Quoted(name) | Token::Text(name) => (name, true),
            _ => return,
        };
        let Some(qualified) = self.callable else { return };
        let silent = match self.names {
            Names::Functions | Names::Target => false,
            Names::UntilSelect | Names::UntilSet => true,
            Names::UntilStatement => self.depth == 0,
        };
        if silent {
            return;
        }
        let call = match (qualified, quoted) {
            (true, _) => Call::Qualified,
            (_, true) => Call::Quoted,
            (_, false) if tokens.lexer.is_glued() => Call::Plain,
            (_, false) => Call::Apart,
        };
        let bare = || tokens.peek() == Some(Token::Mark(b')'));
        self.one = function(self.one, &Upper::of(name), call, bare);
    }

    fn word(&mut self, word: &Upper, tokens: &mut Tokens<'_>) {
        match word.get() {
            b"UPDATE" | b"SHARE" if self.reads && self.is_behind(b"FOR") => {
                self.one = on_primary(self.one, Marks::NONE, "locks rows");
            }
            b"IN" if self.reads && self.is_behind(b"LOCK") => {
                self.one = on_primary(self.one, Marks::NONE, "locks rows");
            }
            b"INTO" => {
                self.next = None;
                if self.reads {
                    self.one = raise(self.one, Marks::NONE, "writes a file or a variable");
                }
            }
            b"AS" => self.next = None,
            b"SQL_CALC_FOUND_ROWS" => self.one = self.one.with(Marks::COUNTS),
            b"VALUE" if self.is_behind(b"PREVIOUS") => self.one = self.one.with(Marks::ASKS_WRITE),
            b"FOR" if self.is_behind(b"VALUE") => self.one = raise(self.one, Marks::NONE, "uses a sequence"),
            b"NEXTVAL" | b"CURRVAL" if self.previous == Token::Mark(b'.') => {
                self.one = raise(self.one, Marks::ASKS_WRITE, "uses a sequence");
            }
            b"PERFORMANCE_SCHEMA" | b"PROCESSLIST" | b"SLOW_LOG" | b"GENERAL_LOG" if self.reads => {
                self.one = on_primary(self.one, Marks::NONE, "asks about one server");
            }
            b"SELECT" if self.names == Names::UntilSelect => self.names = Names::Functions,
            b"SELECT" | b"VALUES" => self.statement_begins(true),
            b"TABLE" => {
                self.next = None;
                self.statement_begins(true);
            }
            b"SET" if self.names == Names::UntilSet => self.names = Names::Functions,
            b"INSERT" | b"UPDATE" | b"DELETE" | b"REPLACE" if self.reads => {
                // With a parenthesis behind it, it is a function.
                if self.is_behind_parenthesis() && tokens.peek() != Some(Token::Mark(b'(')) {
                    self.one = raise(self.one, Marks::NONE, "writes, perhaps");
                }
                self.statement_begins(false);
            }
            b"INSERT" | b"REPLACE" | b"IGNORE" | b"DELAYED" | b"LOW_PRIORITY" | b"HIGH_PRIORITY"
                if self.names == Names::Target =>
            {
                self.next = None;
            }
            _ => {}
        }
    }

    fn is_behind_parenthesis(&self) -> bool {
        self.previous == Token::Mark(b'(')
    }

    /// Behind `WITH`, the statement itself begins.
    fn statement_begins(&mut self, reads: bool) {
        if self.names != Names::UntilStatement || self.depth > 0 {
            return;
        }
        self.names = if reads { Names::Functions } else { Names::Target };
        if !reads {
            self.one = raise(self.one, Marks::NONE, "writes");
            self.reads = false;
        }
    }
}
