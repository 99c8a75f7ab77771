//! The points of each picture as a table: `series,x,y`, what is drawn and nothing else. Events have theirs in `events.csv`.

use std::{collections::BTreeSet, fmt::Write};

use super::{moving_mean, window_of};
use crate::{
    folder::Folder,
    record::{SecondRow, round3},
};

/// Points in the order in which they are drawn.
#[derive(Debug)]
pub(super) struct Points(String);

impl Points {
    /// A table with the names of its axes.
    pub(super) fn new(x: &str, y: &str) -> Self {
        Self(format!("series,{x},{y}\n"))
    }

    /// One series. Names come from nodes and interactions, which hold no commas; one that did would be quoted.
    pub(super) fn series(mut self, name: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let name = if name.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", name.replace('"', "\"\""))
        } else {
            name.to_owned()
        };
        for (x, y) in points {
            let _ = writeln!(self.0, "{name},{},{}", round3(x), round3(y));
        }
        self
    }

    /// The table as text.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

fn over_time(seconds: &[SecondRow], figure: impl Fn(&SecondRow) -> Option<f64>) -> Vec<(f64, f64)> {
    seconds.iter().filter_map(|s| Some((f64::from(s.second), figure(s)?))).collect()
}

fn with_mean(folder: &Folder, points: Points, figure: impl Fn(&SecondRow) -> Option<f64>) -> Points {
    let values: Vec<Option<f64>> = folder.seconds.iter().map(&figure).collect();
    let means = moving_mean(&values, window_of(folder));
    let means: Vec<(f64, f64)> =
        folder.seconds.iter().zip(means).filter_map(|(s, mean)| Some((f64::from(s.second), mean?))).collect();
    points.series("each second", over_time(&folder.seconds, figure)).series("moving mean", means)
}

pub(super) fn throughput(folder: &Folder) -> String {
    let seconds = &folder.seconds;
    with_mean(folder, Points::new("second", "per_second"), |s| Some(s.wips))
        .series("failed tries", over_time(seconds, |s| Some(s.errors as f64)))
        .series("browsers", over_time(seconds, |s| Some(f64::from(s.sessions))))
        .finish()
}

pub(super) fn latency(folder: &Folder) -> String {
    let answered = |figure: fn(&SecondRow) -> f64| {
        over_time(&folder.seconds, move |s| (s.interactions > 0).then(|| figure(s)))
    };
    Points::new("second", "ms")
        .series("p50", answered(|s| s.p50_ms))
        .series("p90", answered(|s| s.p90_ms))
        .series("p99", answered(|s| s.p99_ms))
        .series("max", answered(|s| s.max_ms))
        .finish()
}

pub(super) fn reads(folder: &Folder) -> String {
    with_mean(folder, Points::new("second", "ms"), |s| (s.reads > 0).then_some(s.read_mean_ms))
        .series("browsers", over_time(&folder.seconds, |s| Some(f64::from(s.sessions))))
        .finish()
}

pub(super) fn serving(folder: &Folder) -> String {
    let told: BTreeSet<u32> = folder.nodes.iter().map(|row| row.second).collect();
    let known = |s: &SecondRow| told.contains(&s.second);
    let counts = over_time(&folder.seconds, |s| known(s).then(|| f64::from(s.serving_nodes)));
    Points::new("second", "nodes").series("in service", counts).finish()
}

pub(super) fn nodes(folder: &Folder) -> String {
    let mut points = Points::new("second", "per_second");
    for name in folder.node_names() {
        let of = |figure: fn(&crate::record::NodeRow) -> u64| {
            let rows = folder.nodes.iter().filter(move |row| row.node == name);
            rows.map(move |row| (f64::from(row.second), figure(row) as f64))
        };
        points = points.series(&format!("{name} reads"), of(|row| row.reads));
        points = points.series(&format!("{name} writes"), of(|row| row.writes));
    }
    points.finish()
}

/// Here x is the share of the interactions, in per cent, that are no slower.
pub(super) fn distribution(folder: &Folder) -> String {
    let mut points = Points::new("percentile", "ms");
    for row in folder.interactions.iter().filter(|row| row.count > 0) {
        let figures = [(50.0, row.p50_ms), (90.0, row.p90_ms), (99.0, row.p99_ms), (100.0, row.max_ms)];
        points = points.series(&row.interaction, figures);
        points = points.series(&format!("{} limit", row.interaction), [(90.0, row.limit_ms)]);
    }
    points.finish()
}

pub(super) fn think_times(folder: &Folder) -> String {
    let drawn = folder.thinks.iter().map(|row| (row.le_ms / 1000.0, row.count as f64));
    Points::new("up_to_s", "count").series("drawn", drawn).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_series_has_its_points_and_names_are_quoted_where_they_must_be() {
        let text = Points::new("second", "ms").series("a,\"b\"", [(1.0, 2.0 / 3.0)]).series("c", []).finish();
        assert_eq!(text, "series,second,ms\n\"a,\"\"b\"\"\",1,0.667\n");
    }
}
