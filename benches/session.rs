//! What a session does for each statement besides classifying, routing and relaying: framing the command, comparing its
//! state with a connection's, writing prepared statements anew.

use std::hint::black_box;

use balancer::pool::image::Image;
use balancer::wire::codec::front;
use balancer::wire::packet::put_packet;
use balancer::wire::prepared;
use criterion::{Criterion, criterion_group, criterion_main};

fn image(zone: &str) -> Image {
    let mut image = Image { schema: Some(b"tpcw"[..].into()), ..Image::default() };
    for (name, value) in [
        ("character_set_client", "utf8mb4"),
        ("character_set_connection", "utf8mb4"),
        ("character_set_results", "utf8mb4"),
        ("sql_mode", "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION"),
        ("time_zone", zone),
    ] {
        image.set(name, value);
    }
    image
}

/// States that differ in pointer only, and in one variable.
fn images(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session/image");
    let (one, same, other) = (image("+01:00"), image("+01:00"), image("+02:00"));
    assert!(one == same && one.leads_to(&other));
    group.bench_function("compared, equal", |bencher| bencher.iter(|| black_box(&one) == black_box(&same)));
    group.bench_function("leads to another", |bencher| {
        bencher.iter(|| black_box(&one).leads_to(black_box(&other)));
    });
    group.bench_function("the SET between two", |bencher| {
        bencher.iter(|| black_box(&one).set_to(black_box(&other)));
    });
    group.finish();
}

/// Where a command ends.
fn commands(criterion: &mut Criterion) {
    let mut packet = Vec::new();
    put_packet(&mut packet, 0, b"\x03SELECT c FROM sbtest1 WHERE id=4711");
    criterion.bench_function("session/command", |bencher| {
        bencher.iter(|| front(black_box(&packet), Some(0), 64 << 20));
    });
}

/// The types of parameters in an execute: found, and put back where the client has left them out.
fn executes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session/execute");
    let types = [3, 0].repeat(8);
    let mut without = vec![0x17, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0];
    without.extend_from_slice(&[7, 0, 0, 0].repeat(8));
    let with = prepared::with_types(&without, false, 8, &types);
    assert_eq!(prepared::types(&with, false, 8), Ok(Some(&*types)));
    group.bench_function("types found", |bencher| {
        bencher.iter(|| prepared::types(black_box(&with), false, 8));
    });
    group.bench_function("types put back", |bencher| {
        bencher.iter(|| prepared::with_types(black_box(&without), false, 8, &types));
    });
    group.finish();
}

criterion_group! { name = benches; config = benches::settings(); targets = images, commands, executes }
criterion_main!(benches);
