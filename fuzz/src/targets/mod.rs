//! What is fed. A target panics when something that must hold does not.

pub mod answers;
pub mod commands;
pub mod disguises;
pub mod handshakes;
pub mod settings;
pub mod statements;

use crate::corpus;

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Takes one input.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub corpus: fn() -> Vec<Vec<u8>>,
    /// What is worth to be put in.
    pub words: &'static [&'static [u8]],
    /// Its share of a run's inputs.
    pub share: u64,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "answers", run: answers::run, corpus: corpus::answers, words: &[], share: 12 },
    Target { name: "commands", run: commands::run, corpus: corpus::commands, words: &[], share: 8 },
    Target { name: "handshakes", run: handshakes::run, corpus: corpus::handshakes, words: &[], share: 8 },
    Target {
        name: "statements",
        run: statements::run,
        corpus: corpus::statements,
        words: corpus::WORDS,
        share: 12,
    },
    Target { name: "disguises", run: disguises::run, corpus: corpus::entropy, words: &[], share: 12 },
    Target { name: "settings", run: settings::run, corpus: corpus::settings, words: &[], share: 4 },
];
