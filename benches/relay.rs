//! The walk over an answer as the balancer passes it on: results of 1, 50 and 10,000 rows, and the packets that end one.
//! Bytes only: reading and writing sockets, which cost far more, are not in here.

use std::hint::black_box;

use balancer::wire::capabilities::{Capabilities, status};
use balancer::wire::packet::{HEADER, put_number, put_packet, put_text};
use balancer::wire::reply::{Change, Expect, OkPacket, Scanner, Step, changes};
use balancer::wire::resultset::ResultSet;
use bytes::{Buf, BytesMut};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const ROWS: [usize; 3] = [1, 50, 10_000];
/// One read takes about so much (`wire::codec`).
const PIECE: usize = 16 << 10;
/// So much is held back before it is passed on (`session::relay`).
const HELD: usize = 64 << 10;

/// A list page of the shop: id, title, author.
fn result(rows: usize) -> Vec<u8> {
    let row = |number: usize| {
        ["", "DOGULRIBA title of a book", "BABA first", "BAOGRIBA last name"]
            .into_iter()
            .enumerate()
            .map(|(column, text)| Some(if column == 0 { number.to_string() } else { text.to_owned() }))
            .collect()
    };
    let columns = vec!["i_id", "i_title", "a_fname", "a_lname"];
    let result = ResultSet { columns, rows: (0..rows).map(row).collect() };
    result.packets(1, Capabilities::DEPRECATE_EOF, status::AUTOCOMMIT)
}

/// Walks a whole answer that has arrived; its length.
fn walk(bytes: &[u8]) -> usize {
    let mut scanner = Scanner::new(Expect::Result, true);
    match scanner.step(bytes) {
        Ok(Step::Ok(_)) => scanner.at,
        other => panic!("the answer does not end as it should: {other:?}"),
    }
}

/// Walks an answer that arrives in pieces and leaves when much has been held back; what left.
fn walk_in_pieces(bytes: &[u8], buffer: &mut BytesMut) -> usize {
    let mut scanner = Scanner::new(Expect::Result, true);
    let mut passed_on = 0;
    let mut pieces = bytes.chunks(PIECE);
    loop {
        let step = scanner.step(buffer).expect("a whole answer");
        let ended = matches!(step, Step::Ok(_));
        if ended || scanner.at >= HELD {
            passed_on += scanner.at;
            buffer.advance(std::mem::take(&mut scanner.at));
        }
        if ended {
            return passed_on;
        }
        buffer.extend_from_slice(pieces.next().expect("the answer has an end"));
    }
}

fn results(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("relay/result");
    for rows in ROWS {
        let bytes = result(rows);
        let throughput = Throughput::ElementsAndBytes { elements: rows as u64, bytes: bytes.len() as u64 };
        group.throughput(throughput);
        assert_eq!(walk(&bytes), bytes.len());
        group.bench_function(BenchmarkId::new("at once", rows), |bencher| {
            bencher.iter(|| walk(black_box(&bytes)));
        });
        let mut buffer = BytesMut::with_capacity(2 * HELD);
        assert_eq!(walk_in_pieces(&bytes, &mut buffer), bytes.len());
        group.bench_function(BenchmarkId::new("in pieces", rows), |bencher| {
            bencher.iter(|| walk_in_pieces(black_box(&bytes), &mut buffer));
        });
    }
    group.finish();
}

/// The OK packet of a write that tells its GTID, as nodes send it to a connection that tracks session state.
fn write_ok() -> Vec<u8> {
    let mut variable = Vec::new();
    put_text(&mut variable, b"last_gtid");
    put_text(&mut variable, b"0-1-123456789");
    let mut told = vec![0];
    put_text(&mut told, &variable);
    let mut payload = vec![0];
    put_number(&mut payload, 1);
    put_number(&mut payload, 259_201);
    payload.extend_from_slice(&(status::AUTOCOMMIT | status::SESSION_STATE_CHANGED).to_le_bytes());
    payload.extend_from_slice(&[0, 0]);
    put_text(&mut payload, b"");
    put_text(&mut payload, &told);
    let mut packet = Vec::new();
    put_packet(&mut packet, 1, &payload);
    packet
}

/// The end of an answer: found, read, and made into what the client may see.
fn ends(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("relay/end");
    let bytes = write_ok();
    let read = OkPacket::read(&bytes[HEADER..]).expect("a packet");
    assert!(changes(read.changes).any(|change| change == Change::Variable(b"last_gtid", b"0-1-123456789")));
    group.bench_function("found", |bencher| bencher.iter(|| walk(black_box(&bytes))));
    group.bench_function("read", |bencher| {
        bencher.iter(|| {
            let packet = OkPacket::read(black_box(&bytes[HEADER..])).expect("a packet");
            changes(packet.changes).count()
        });
    });
    group.bench_function("made for the client", |bencher| {
        bencher.iter(|| black_box(&read).for_client(0, None));
    });
    group.finish();
}

criterion_group! { name = benches; config = benches::settings(); targets = results, ends }
criterion_main!(benches);
