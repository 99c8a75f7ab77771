//! Text → [`Statement`]: by all its tokens, never by the first word alone. In doubt a statement is a write.

mod definition;
mod functions;
mod kinds;
mod literals;
mod names;
mod set;
mod settings;
#[cfg(test)]
mod tests;
mod tokens;
mod walk;

pub use self::literals::literals;
pub use self::settings::settings;
use self::tokens::Tokens;
use super::hint::Hint;
use super::lexer::{Manner, Token};

/// What a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Changes nothing: may go to a replica, may be tried again.
    Read,
    /// Sets up the session: is harmless anywhere, may be tried again.
    Session,
    /// May change something: runs on the primary, at most once.
    Write,
    /// Begins a transaction.
    Begin {
        /// It promises to change nothing, so that a replica will do.
        read_only: bool,
    },
    /// Ends a transaction, keeping its changes.
    Commit,
    /// Ends a transaction, undoing its changes.
    Rollback,
    /// `SHOW tpcw STATUS`: the balancer answers.
    Status,
    /// `SHOW tpcw SESSIONS`: the balancer answers.
    Sessions,
    /// `EXPLAIN ROUTE …`: the balancer answers; the statement begins at this byte.
    ExplainRoute(usize),
    /// `SHOW tpcw TOKEN`, `SET tpcw_…` and their like: the balancer answers.
    Own(Own),
    /// `KILL`: node connections are not the client's to kill.
    Kill,
}

/// Statements about the session's reads, which no server would understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// `SHOW tpcw TOKEN`: how far the session's reads have to see.
    Token,
    /// `SHOW tpcw ROUTE`: where the statement before went, and why.
    Route,
    /// `SET tpcw_… = …`.
    Set,
    /// `SELECT @@tpcw_…`.
    Select,
}

/// What else is known of a statement, as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(u32);

impl Marks {
    /// No mark.
    pub const NONE: Self = Self(0);
    /// Though a read, for the primary: it locks, or asks about what only the primary knows.
    pub const PRIMARY: Self = Self(1);
    /// Answers with rows and writes all the same: the node's answer does not tell its last id.
    pub const ROWS: Self = Self(1 << 16);
    /// Makes, changes or drops a schema.
    pub const SCHEMAS: Self = Self(1 << 17);
    /// Leaves user variables behind.
    pub const VARIABLES: Self = Self(1 << 1);
    /// Leaves temporary tables behind.
    pub const TEMPORARY: Self = Self(1 << 2);
    /// Leaves locks behind.
    pub const LOCKS: Self = Self(1 << 3);
    /// Leaves behind, or may leave, what cannot be told from its text.
    pub const UNKNOWN: Self = Self(1 << 4);
    /// Asks about the session's last statement: warnings, counts.
    pub const ASKS_LAST: Self = Self(1 << 5);
    /// Asks about the session's last write: LAST_INSERT_ID and its like.
    pub const ASKS_WRITE: Self = Self(1 << 6);
    /// May commit by itself what a transaction has done so far.
    pub const COMMITS: Self = Self(1 << 7);
    /// Holds for the next transaction only.
    pub const NEXT_ONLY: Self = Self(1 << 8);
    /// Changes a collation, which the server does not tell.
    pub const COLLATION: Self = Self(1 << 9);
    /// Counts rows for FOUND_ROWS().
    pub const COUNTS: Self = Self(1 << 10);
    /// Sets user variables to nothing but literals, which can be set again elsewhere: see [`literals()`].
    pub const LITERALS: Self = Self(1 << 14);
    /// Sets or shows what session changes are tracked, which the balancer needs for itself.
    pub const TRACKING: Self = Self(1 << 15);
    /// Asks for the id of the connection.
    pub const OWN_ID: Self = Self(1 << 11);
    /// A cursor is open: known by the answer, never by the text.
    pub const CURSORS: Self = Self(1 << 13);
    /// More than one statement.
    pub const SEVERAL: Self = Self(1 << 12);
    /// What ties a session to its connection.
    pub const TIES: Self = Self(Self::VARIABLES.0 | Self::TEMPORARY.0 | Self::LOCKS.0 | Self::UNKNOWN.0);

    /// Whether any of `other` is in here.
    pub fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// With `other`.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Without `other`.
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What is in `other` too.
    pub fn only(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A classified statement (or several in one text, taken together).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// What it is.
    pub kind: Kind,
    /// What else is known.
    pub marks: Marks,
    /// Why, for `EXPLAIN ROUTE`.
    pub reason: &'static str,
    /// What a comment asks for.
    pub hint: Hint<'a>,
}

/// Looks at a text that is read as servers do by default.
pub fn classify(text: &[u8]) -> Statement<'_> {
    classify_as(text, Manner::default())
}

/// Looks at a text that is read in this manner.
pub fn classify_as(text: &[u8], manner: Manner) -> Statement<'_> {
    let mut tokens = Tokens::new(text, manner);
    let mut whole = whole(&mut tokens);
    if tokens.version_comments > 0 {
        // Who runs it, a server or another one, decides whether the comment is part of it: it may be either.
        let mut skipping = Tokens::new(text, Manner { version_comments: false, ..manner });
        let without = self::whole(&mut skipping);
        // And of several, some may be and others not.
        let several = tokens.version_comments.max(skipping.version_comments) > 1;
        let unsure = if several { Marks::UNKNOWN } else { Marks::NONE };
        whole = One {
            kind: Kind::Write,
            marks: whole.marks.with(without.marks).with(Marks::COMMITS.with(unsure)),
            reason: "a comment that some servers execute",
        };
    }
    if tokens.lexer.is_ambiguous() && matches!(whole.kind, Kind::Read | Kind::Session) {
        whole.kind = Kind::Write;
        whole.reason = "some servers read it in another way";
    }
    Statement { kind: whole.kind, marks: whole.marks, reason: whole.reason, hint: tokens.hint }
}

fn whole(tokens: &mut Tokens<'_>) -> One {
    let mut whole: Option<One> = None;
    while let Some(first) = tokens.next() {
        if first == Token::Mark(b';') {
            continue;
        }
        let one = kinds::statement(first, tokens);
        whole = Some(match whole {
            None => one,
            Some(before) => together(before, one),
        });
    }
    whole.unwrap_or(One::new(Kind::Session, "nothing to run"))
}

#[derive(Clone, Copy)]
struct One {
    kind: Kind,
    marks: Marks,
    reason: &'static str,
}

impl One {
    fn new(kind: Kind, reason: &'static str) -> Self {
        Self { kind, marks: Marks::NONE, reason }
    }

    fn with(mut self, marks: Marks) -> Self {
        self.marks = self.marks.with(marks);
        self
    }
}

/// Several statements in one text are as much as the most that any of them is.
fn together(a: One, b: One) -> One {
    let mut marks = a.marks.with(b.marks).with(Marks::SEVERAL);
    if marks.any(Marks::LITERALS) {
        marks = marks.with(Marks::VARIABLES);
    }
    if marks.any(Marks::TRACKING) {
        marks = marks.with(Marks::UNKNOWN);
    }
    match (a.kind, b.kind) {
        (Kind::Read, Kind::Read) => One { kind: Kind::Read, marks, reason: b.reason },
        (Kind::Kill, _) | (_, Kind::Kill) => One { kind: Kind::Kill, marks, reason: "ends a connection" },
        _ => One {
            kind: Kind::Write,
            marks: marks.with(Marks::COMMITS),
            reason: "several statements in one text",
        },
    }
}
