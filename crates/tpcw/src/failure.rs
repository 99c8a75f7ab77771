//! How a command ends when it does not end well, and with which exit code.

use std::fmt;

/// Why a command stopped. The code is part of the contract with scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A threshold or a data condition failed, or a regression was found.
    Verdict,
    /// The command line or a file is wrong.
    Usage,
    /// No server program, target out of reach, disk full.
    Surroundings,
    /// Generator overloaded, too few samples, comparison inconclusive.
    NoVerdict,
    /// Interrupted, after cleaning up.
    Interrupted,
    /// A bug of ours.
    Bug,
}

impl Kind {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Verdict => 1,
            Self::Usage => 2,
            Self::Surroundings => 3,
            Self::NoVerdict => 4,
            Self::Interrupted => 130,
            Self::Bug => 101,
        }
    }
}

/// The end of a command, with words for its user.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub kind: Kind,
    /// What is wrong and what is allowed; empty: everything has been said already.
    pub message: String,
}

impl Failure {
    /// The command line or a file is wrong.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Usage, message: message.to_string() }
    }

    /// The surroundings failed.
    pub fn surroundings(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Surroundings, message: message.to_string() }
    }

    /// The error with all its causes, for errors of the surroundings that come from below.
    pub fn from_below(error: impl std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(deeper) = cause {
            let text = deeper.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = deeper.source();
        }
        Self::surroundings(message)
    }
}

/// What every command returns.
pub type Outcome<T = ()> = Result<T, Failure>;
