//! The whole run in one picture: what browsers got, what went wrong, and what the cluster and the machine did meanwhile, all over
//! one axis of time.

mod cluster;
mod heat;
mod latency;
mod machine;
mod throughput;

use std::{collections::BTreeMap, fmt::Write};

use crate::{
    folder::Folder,
    plot::{
        axis::figure,
        palette::Colour,
        stack::{Part, Stack, Strip, Told, reading, stacked},
    },
    record::SecondRow,
    summary::Summary,
};

pub use machine::{Figure, part_lines, stroke_of_part};

pub(super) fn draw(folder: &Folder, run: &Summary) -> Option<(String, String)> {
    let strips: Vec<Strip<'_>> = [
        throughput::wips(folder, run),
        throughput::browsers(folder),
        latency::bands(folder),
        heat::outages(folder),
        errors(folder),
        cluster::states(folder),
        cluster::reads(folder),
        cluster::writes(folder),
        cluster::lag(folder),
        machine::processor(folder),
        machine::memory(folder),
        machine::network(folder),
    ]
    .into_iter()
    .flatten()
    .collect();
    let words = reading(
        folder,
        "Grey: not measured. Coloured bands: faults, from injection to healing, and scalings; numbers, or how often, as in the table of events",
    );
    Stack { title: "The run over time", words, named: true, strips, told: told(folder) }.draw(folder, run)
}

/// Failed tries a second by class; nothing when none failed.
fn errors(folder: &Folder) -> Option<Strip<'_>> {
    let mut classes: BTreeMap<&str, Vec<(u32, f64)>> = BTreeMap::new();
    for row in &folder.errors {
        classes.entry(&row.class).or_default().push((row.second, row.count as f64));
    }
    let parts = classes.into_iter().map(|(class, counts)| Part {
        name: class.replace('_', " "),
        colour: colour_of_class(class),
        counts,
    });
    stacked("Failed tries a second", 58.0, parts.collect(), folder.load_seconds(), folder.spread.width_s())
}

/// Each class of failures has its colour, whichever else came up.
fn colour_of_class(class: &str) -> Colour {
    match class {
        "refused" => Colour::Grey,
        "deadlock" => Colour::Purple,
        "lock_timeout" => Colour::Yellow,
        "read_only" => Colour::Sky,
        "connection_refused" => Colour::Green,
        "connection_lost" | "lost" => Colour::Orange,
        "timed_out" => Colour::Blue,
        _ => Colour::Red,
    }
}

/// What a pointer is told of each column.
fn told(folder: &Folder) -> Vec<Told> {
    let width = folder.spread.width_s();
    let columns = folder.seconds.chunk_by(|a, b| a.second / width == b.second / width);
    columns
        .map(|column| {
            let from = column[0].second / width * width;
            let to = (from + width).min(folder.load_seconds());
            Told { from: f64::from(from), to: f64::from(to), words: words(column, from, to) }
        })
        .collect()
}

fn words(column: &[SecondRow], from: u32, to: u32) -> String {
    let short = |value: f64| figure((value * 10.0).round() / 10.0);
    let ok: u64 = column.iter().map(|s| s.interactions).sum();
    let errors: u64 = column.iter().map(|s| s.errors).sum();
    let last = &column[column.len() - 1];
    let most = |of: fn(&SecondRow) -> f64| short(column.iter().map(of).fold(0.0, f64::max));
    let mut words = format!("{from} to {to} s, {}: ", last.phase);
    let _ = write!(
        words,
        "{} interactions/s, {} browsers",
        short(ok as f64 / column.len() as f64),
        last.sessions
    );
    if ok > 0 {
        let _ = write!(
            words,
            ", p50 {} p90 {} p99 {} slowest {} ms",
            most(|s| s.p50_ms),
            most(|s| s.p90_ms),
            most(|s| s.p99_ms),
            most(|s| s.max_ms)
        );
    }
    if errors > 0 {
        let _ = write!(words, ", {errors} tries failed");
    }
    words
}
