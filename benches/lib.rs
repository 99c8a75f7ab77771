//! What all benches have in common: how long they measure.
//!
//! `cargo bench -p benches` measures what runs for every statement, page or row, in pure functions: no server, no socket, no
//! file. Each bench is a file beside this one:
//!
//! - `classify`: a statement's text → what it is;
//! - `route`: a statement and a view → a node;
//! - `relay`: the walk over an answer's bytes;
//! - `recorder`: a page into the figures, a second out of them, a statement onto a node's meter;
//! - `populate`: the rows of each table.
//!
//! Figures are of one thread and depend on the machine; compare them only with those of the same machine, otherwise idle.

use std::time::Duration;

use criterion::Criterion;

/// Short measurements, so that all benches together take less than two minutes. Longer ones are asked for on the command
/// line: `cargo bench -p benches -- --measurement-time 5 --sample-size 100`.
pub fn settings() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(150))
        .measurement_time(Duration::from_millis(500))
        .sample_size(20)
        .nresamples(2_000)
        .without_plots()
}
