//! The classifier beside a full SQL parser: whatever that takes for a write, for a locking read or for a call of a
//! function of somebody's own, is no read for any node. `cargo test -p fuzz --features parser --test parser`; more with
//! `TPCW_STATEMENTS`.

#![cfg(feature = "parser")]

use std::ops::ControlFlow;

use balancer::sql::classify::{Kind, Marks, classify};
use fuzz::corpus;
use fuzz::mutate::{Random, mutate};
use sqlparser::ast::{Expr, SetExpr, Statement, visit_expressions};
use sqlparser::dialect::MySqlDialect;
use sqlparser::parser::Parser;

const SEED: u64 = 11;

/// Why the parser would send it to the primary.
fn is_for_the_primary(statement: &Statement) -> Option<&'static str> {
    let written = statement.to_string();
    let verb = written.split([' ', '(']).next().unwrap_or_default();
    let writes =
        ["INSERT", "REPLACE", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "TRUNCATE", "CALL", "LOCK"];
    if writes.contains(&verb) {
        return Some("it writes");
    }
    if let Statement::Query(query) = statement {
        if !query.locks.is_empty() {
            return Some("it locks");
        }
        if matches!(&*query.body, SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_)) {
            return Some("it writes behind WITH");
        }
    }
    let called = visit_expressions(statement, |expression| match expression {
        Expr::Function(function) => {
            let name = function.name.to_string().replace('`', "").to_lowercase();
            let effects = ["f", "w", "get_lock", "nextval", "setval", "release_lock"];
            if effects.contains(&&*name) || name.contains('.') {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }
        _ => ControlFlow::Continue(()),
    });
    called.is_break().then_some("it calls a function with effects")
}

#[test]
fn the_parser_finds_no_write_among_the_reads() {
    let many = std::env::var("TPCW_STATEMENTS").map_or(30_000, |many| many.parse().unwrap());
    let seeds = corpus::statements();
    let (mut parsed, mut input) = (0u64, Vec::new());
    for number in 0..many {
        let mut random = Random::of(SEED, 0, number);
        let text = if number % 2 == 0 {
            mutate(&seeds, corpus::WORDS, &mut random, &mut input);
            String::from_utf8_lossy(&input).into_owned()
        } else {
            let entropy: Vec<u8> = (0..64).map(|_| random.next() as u8).collect();
            fuzz::grammar::statement(&entropy).text
        };
        let Ok(statements) = Parser::parse_sql(&MySqlDialect {}, &text) else { continue };
        parsed += 1;
        let told = classify(text.as_bytes());
        let anywhere = told.kind == Kind::Read && !told.marks.any(Marks::PRIMARY);
        if let Some(why) = statements.iter().find_map(is_for_the_primary) {
            assert!(!anywhere, "seed {SEED}, input {number}: `{text}`: {why}, says the parser");
        }
    }
    assert!(parsed > many / 50, "{parsed} of {many} were understood");
}
