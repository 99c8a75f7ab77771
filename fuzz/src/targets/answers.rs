//! What nodes answer: the walk over packets, and the packets that end a result.

use balancer::wire::reply::{ErrPacket, Expect, OkPacket, Prepared, Scanner, Step, changes, eof_status};
use balancer::wire::trackers::Trackers;

/// The first byte says which kind of answer is expected and in which pieces it arrives.
pub fn run(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else { return };
    let expect =
        [Expect::Result, Expect::Prepared, Expect::Definitions, Expect::Cursor][usize::from(first & 3)];
    let deprecate_eof = first & 4 != 0;
    let at_once = walk(bytes, bytes.len().max(1), expect, deprecate_eof);
    let in_pieces = walk(bytes, 1 + usize::from(first >> 3), expect, deprecate_eof);
    assert_eq!(at_once, in_pieces, "the walk depends on how the answer arrives");
    packets(bytes);
}

/// Where each step ended, and whether the walk ended with a refusal.
fn walk(bytes: &[u8], piece: usize, expect: Expect, deprecate_eof: bool) -> (Vec<(char, usize)>, bool) {
    let mut scanner = Scanner::new(expect, deprecate_eof);
    let mut steps = Vec::new();
    let mut end = 0;
    while end < bytes.len() {
        end = (end + piece).min(bytes.len());
        loop {
            let before = scanner.at;
            let Ok(step) = scanner.step(&bytes[..end]) else { return (steps, true) };
            assert!(before <= scanner.at && scanner.at <= end, "the walk goes on, within what has come");
            let (name, over) = match step {
                Step::More => break,
                Step::Ok(range) => {
                    assert!(range.end == scanner.at && range.start >= before.min(range.start));
                    scanner.next_result();
                    ('o', false)
                }
                Step::Eof(_) => {
                    scanner.next_result();
                    ('e', false)
                }
                Step::Err(_) => ('x', true),
                Step::Infile(_) => ('i', false),
                Step::Prepared(_) => ('p', false),
                Step::Ended => ('.', true),
            };
            steps.push((name, scanner.at));
            if over {
                return (steps, false);
            }
        }
    }
    (steps, false)
}

fn packets(bytes: &[u8]) {
    let _ =
        (ErrPacket::read(bytes).map(|error| error.is_read_only()), eof_status(bytes), Prepared::read(bytes));
    if let Ok(ok) = OkPacket::read(bytes) {
        assert!(changes(ok.changes).count() <= ok.changes.len());
        for tracks in [None, Some(&Trackers::Default), Some(&Trackers::All)] {
            let told = ok.for_client(0, tracks);
            let again = OkPacket::read(&told).expect("what is written can be read");
            assert_eq!((again.affected, again.warnings), (ok.affected, ok.warnings));
            assert_eq!((again.last_insert_id, again.info), (ok.last_insert_id, ok.info));
            assert!(tracks.is_some() || again.changes.is_empty());
        }
    }
}
