//! What the database servers counted themselves, over the same axis of time as everything else.

use std::collections::BTreeSet;

use crate::{
    folder::Folder,
    plot::{
        axis::figure,
        stack::{Axis, Keep, Part, Stack, Strip, columns_words, lines, stacked},
        timeline::{Figure, part_lines, stroke_of_part},
    },
    record::ResourceRow,
    summary::Summary,
};

pub(super) fn draw(folder: &Folder, run: &Summary) -> Option<(String, String)> {
    let strips: Vec<Strip<'_>> = [
        counted(folder, "Statements a second", 72.0, |row| row.statements),
        counted(folder, "Row-lock waits that began, a second", 48.0, |row| row.row_lock_waits),
        counted(folder, "Deadlocks a second", 40.0, |row| row.deadlocks),
        buffer_pool(folder),
        disk(folder, "Written to disk, KiB a second", |row| row.written_kib.map(|kib| kib as f64)),
        disk(folder, "Read from disk, KiB a second", |row| row.read_kib.map(|kib| kib as f64)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let subtitle = format!("By the servers' own counters and the system's, by node{}", columns_words(folder));
    Stack { title: "The database servers", subtitle, named: false, strips, told: Vec::new() }
        .draw(folder, run)
}

/// Which parts are servers.
fn nodes(folder: &Folder) -> impl Fn(&str) -> bool {
    let told = folder.resources.iter().filter(|row| row.statements.is_some()).map(|row| row.part.as_str());
    let known: BTreeSet<&str> = folder.node_names().into_iter().chain(told).collect();
    move |part: &str| known.contains(part)
}

fn counted<'a>(
    folder: &'a Folder,
    name: &str,
    height: f64,
    count: fn(&ResourceRow) -> Option<u64>,
) -> Option<Strip<'a>> {
    let mut parts: Vec<Part> = Vec::new();
    for row in &folder.resources {
        let Some(count) = count(row) else { continue };
        let at = parts.iter().position(|part| part.name == row.part).unwrap_or_else(|| {
            let colour = stroke_of_part(folder, &row.part).colour;
            parts.push(Part { name: row.part.clone(), colour, counts: Vec::new() });
            parts.len() - 1
        });
        parts[at].counts.push((row.second, count as f64));
    }
    parts.sort_by(|a, b| a.name.cmp(&b.name));
    stacked(name, height, parts, folder.load_seconds(), folder.spread.width_s())
}

/// The axis begins where the least value is: all of them are near 100 %.
fn buffer_pool(folder: &Folder) -> Option<Strip<'_>> {
    let series = part_lines(folder, nodes(folder), |row| row.buffer_pool_hit_pct);
    let values = series.iter().flat_map(|s| s.values.iter().map(|v| v.1));
    let least = values.fold(100.0_f64, f64::min).clamp(0.0, 99.0);
    let low = (least / 5.0).floor() * 5.0;
    let name = format!("Buffer pool: pages found in memory, % (from {})", figure(low));
    lines(&name, 48.0, series, Axis::Between(low, 100.0), (folder.spread.width_s(), Keep::Mean))
}

fn disk<'a>(folder: &'a Folder, name: &str, figure: Figure) -> Option<Strip<'a>> {
    let series = part_lines(folder, nodes(folder), figure);
    let any = series.iter().any(|s| s.values.iter().any(|v| v.1 > 0.0));
    any.then(|| lines(name, 48.0, series, Axis::FromZero(0.0), (folder.spread.width_s(), Keep::Mean)))
        .flatten()
}
