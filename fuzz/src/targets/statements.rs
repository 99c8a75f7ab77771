//! Texts of any kind.

use balancer::sql::classify::{Kind, classify, classify_as};
use balancer::sql::hint::Hint;
use balancer::sql::lexer::{Lexer, Manner};

/// The bytes as a statement and as a hint.
pub fn run(data: &[u8]) {
    for bits in 0..8 {
        let manner = Manner {
            backslashes: bits & 1 != 0,
            ansi_quotes: bits & 2 != 0,
            version_comments: bits & 4 != 0,
        };
        assert!(Lexer::reading(data, manner).count() <= data.len());
        classify_as(data, manner);
    }
    let _ = Hint::read(data);
    let told = classify(data);
    if let Kind::ExplainRoute(at) = told.kind {
        assert!(at <= data.len());
    }
    let large = data.to_ascii_uppercase();
    let small = data.to_ascii_lowercase();
    let (large, small) = (classify(&large), classify(&small));
    // The letter of `/*M!` alone is told apart by its size.
    if !data.windows(4).any(|four| four.eq_ignore_ascii_case(b"/*m!")) {
        assert_eq!((large.kind, large.marks), (small.kind, small.marks), "letters' sizes mean nothing");
    }
    let behind = [b"/* x */ ", data].concat();
    if !matches!(told.kind, Kind::ExplainRoute(_)) {
        let behind = classify(&behind);
        assert_eq!((behind.kind, behind.marks), (told.kind, told.marks), "a comment before it means nothing");
    }
}
