//! A statement's text → what it is: the shop's own, and texts made to be hard.

use std::hint::black_box;

use balancer::sql::classify::{Kind, classify};
use balancer::sql::lexer::Lexer;
use bookstore::statements::{ALL, BEST_SELLERS, CUSTOMER_NAME, ORDER_LATEST, ORDER_LINES_8};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// All statements of the shop, one after the other, and some of them alone.
fn shop(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("classify/shop");
    let bytes: usize = ALL.iter().map(|statement| statement.sql.len()).sum();
    group.throughput(Throughput::ElementsAndBytes { elements: ALL.len() as u64, bytes: bytes as u64 });
    group.bench_function("all", |bencher| {
        bencher.iter(|| {
            for statement in ALL {
                black_box(classify(black_box(statement.sql.as_bytes())));
            }
        });
    });
    for statement in [&CUSTOMER_NAME, &BEST_SELLERS, &ORDER_LATEST, &ORDER_LINES_8] {
        group.throughput(Throughput::Bytes(statement.sql.len() as u64));
        group.bench_function(statement.name, |bencher| {
            bencher.iter(|| classify(black_box(statement.sql.as_bytes())));
        });
    }
    group.finish();
}

/// The tokens alone, as a floor for what classifying may cost.
fn tokens(criterion: &mut Criterion) {
    let text = ORDER_LATEST.sql.as_bytes();
    let mut group = criterion.benchmark_group("classify/tokens");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function(ORDER_LATEST.name, |bencher| {
        bencher.iter(|| {
            let mut lexer = Lexer::new(black_box(text));
            let mut count = 0;
            while lexer.next().is_some() {
                count += 1;
            }
            count
        });
    });
    group.finish();
}

/// Texts of 64 KiB and more. Whatever their length, the bytes a second must stay what they are: the walk is linear.
fn hard(criterion: &mut Criterion) {
    const LONG: usize = 64 << 10;
    let repeated = |part: &str, length: usize| part.repeat(length.div_ceil(part.len()));
    let one_string = format!("SELECT '{}'", repeated("it''s \\' for update ", LONG));
    let one_comment = format!("/* {} */ SELECT 1", repeated("DELETE FROM t; ", LONG));
    let comments = format!("SELECT {} 1", repeated("/* x */ for -- y\n", LONG));
    let open = format!("SELECT {}", repeated("'x', \"", LONG));
    let parentheses = format!("{}SELECT 1{}", "(".repeat(LONG / 2), ")".repeat(LONG / 2));
    let calls = format!("SELECT {} 1", repeated("coalesce (a, ", LONG));
    let statements = repeated("SELECT 1;", LONG);
    let insert = |length| format!("INSERT INTO t VALUES {} (1)", repeated("(1, 'abc', 2.5, NULL), ", length));
    let cases = [
        ("one string", one_string, Kind::Read),
        ("one comment", one_comment, Kind::Read),
        ("many comments", comments, Kind::Read),
        ("a string that does not end", open, Kind::Read),
        ("parentheses", parentheses, Kind::Read),
        ("calls", calls, Kind::Read),
        ("many statements", statements, Kind::Read),
        ("rows 64 KiB", insert(LONG), Kind::Write),
        ("rows 1 MiB", insert(1 << 20), Kind::Write),
        ("hint at the end", "SELECT a FROM t WHERE b = 1 /* tpcw: role=primary */".to_owned(), Kind::Read),
    ];
    let mut group = criterion.benchmark_group("classify/hard");
    for (name, text, kind) in cases {
        assert_eq!(classify(text.as_bytes()).kind, kind, "{name}");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| classify(black_box(text.as_bytes()))));
    }
    group.finish();
}

criterion_group! { name = benches; config = benches::settings(); targets = shop, tokens, hard }
criterion_main!(benches);
