//! Processor, memory and network of each part.

use std::collections::BTreeSet;

use crate::{
    folder::Folder,
    plot::{
        canvas::Stroke,
        palette::Colour,
        stack::{Axis, Keep, Series, Strip, colour_of_node, lines},
    },
    record::{PART_BALANCER, PART_GENERATOR, PART_MACHINE, PART_PROCESS, ResourceRow},
};

/// A figure of a part in a second, where it is known.
pub type Figure = fn(&ResourceRow) -> Option<f64>;

pub(super) fn processor(folder: &Folder) -> Option<Strip<'_>> {
    // Its threads are told apart; the process would only be their sum.
    let threads = folder.resources.iter().any(|row| row.part == PART_GENERATOR);
    let shown = move |part: &str| !(threads && part == PART_PROCESS);
    strip(folder, "Processor, cores in use", 78.0, shown, |row| row.cpu_cores)
}

pub(super) fn memory(folder: &Folder) -> Option<Strip<'_>> {
    strip(folder, "Memory of each process, MiB", 58.0, |part| part != PART_MACHINE, |row| row.memory_mib)
}

/// In and out together; the machine's own holds all of them and the loopback besides.
pub(super) fn network(folder: &Folder) -> Option<Strip<'_>> {
    strip(
        folder,
        "Network, KiB a second in and out",
        52.0,
        |_| true,
        |row| Some((row.received_kib? + row.sent_kib?) as f64),
    )
}

fn strip<'a>(
    folder: &'a Folder,
    name: &str,
    height: f64,
    shown: impl Fn(&str) -> bool,
    figure: Figure,
) -> Option<Strip<'a>> {
    let series = part_lines(folder, shown, figure);
    lines(name, height, series, Axis::FromZero(0.0), (folder.spread.width_s(), Keep::Mean))
}

/// A line for each part.
pub fn part_lines(folder: &Folder, shown: impl Fn(&str) -> bool, figure: Figure) -> Vec<Series> {
    let parts: BTreeSet<&str> = folder.resources.iter().map(|row| row.part.as_str()).collect();
    let series = |part: &str| {
        let rows = folder.resources.iter().filter(|row| row.part == part);
        let values = rows.filter_map(|row| Some((row.second, figure(row)?))).collect();
        Series { name: part.to_owned(), stroke: stroke_of_part(folder, part), values }
    };
    parts.into_iter().filter(|part| shown(part)).map(series).collect()
}

/// How a part is drawn, the same in every picture: nodes in their colours, what is no node in greys of its own dashes.
pub fn stroke_of_part(folder: &Folder, part: &str) -> Stroke {
    match part {
        PART_MACHINE => Stroke::new(Colour::Ink, 1.4),
        PART_PROCESS => Stroke::new(Colour::Ink, 1.4).dashed(2, 2),
        PART_GENERATOR => Stroke::new(Colour::Muted, 1.4).dashed(2, 3),
        PART_BALANCER => Stroke::new(Colour::Muted, 1.6).dashed(8, 3),
        node => Stroke::new(colour_of_node(folder, node), 1.4),
    }
}
