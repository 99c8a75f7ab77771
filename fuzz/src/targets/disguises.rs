//! Statements that can be told for what they are because they were made so: see [`crate::grammar`].

use balancer::sql::classify::{Kind, Marks, classify};

use crate::grammar::{Effect, statement};

/// The bytes decide what is made.
pub fn run(data: &[u8]) {
    let made = statement(data);
    let told = classify(made.text.as_bytes());
    let may_go_anywhere = told.kind == Kind::Read && !told.marks.any(Marks::PRIMARY);
    for effect in &made.effects {
        let seen = match effect {
            Effect::Locks => !may_go_anywhere,
            Effect::Writes => told.kind == Kind::Write,
            Effect::Ties => told.kind == Kind::Write && told.marks.any(Marks::TIES),
        };
        assert!(seen, "{effect:?} is not seen in `{}`: {told:?}", made.text);
    }
}
