//! Percentiles of the latency over time.

use crate::{
    folder::Folder,
    plot::{
        axis::{Panel, Scale, log_ends},
        canvas::{Canvas, Stroke},
        marks::Sample,
        palette::Colour,
        runs,
        stack::{Line, Strip, draw_runs},
    },
    record::SecondRow,
};

/// The percentiles of a column.
#[derive(Clone, Copy)]
struct Percentiles {
    second: f64,
    /// Median, 90th, 99th and the slowest, in ms; nothing where nothing ended.
    ms: Option<[f64; 4]>,
}

/// Lines of median, 90th and 99th percentile with the room between them filled, and a dot for the slowest.
pub(super) fn bands(folder: &Folder) -> Option<Strip<'_>> {
    let columns = percentiles(folder);
    columns.iter().find(|column| column.ms.is_some())?;
    let strokes =
        [Stroke::new(Colour::Blue, 2.0), Stroke::new(Colour::Sky, 1.4), Stroke::new(Colour::Orange, 1.4)];
    let names = ["median", "90 % are faster", "99 % are faster"];
    let mut legend: Vec<(Sample, String)> =
        strokes.iter().zip(names).map(|(stroke, name)| (Sample::Line(*stroke), name.to_owned())).collect();
    legend.push((Sample::Dot(Colour::Grey), "the slowest".to_owned()));
    let line =
        |which: usize| -> Line { columns.iter().filter_map(|c| Some((c.second, c.ms?[which]))).collect() };
    let series = ["p50", "p90", "p99", "max"].into_iter().enumerate();
    let series = series.map(|(which, name)| (name.to_owned(), line(which))).collect();
    let draw = move |canvas: &mut Canvas, panel: &Panel, x: &Scale| {
        let ends = log_ends(columns.iter().filter_map(|c| c.ms).flat_map(|ms| [ms[0], ms[3]]));
        let y = panel.up_log(ends);
        panel.small_axis(canvas, &y);
        let places = |which: usize| {
            columns.iter().map(move |c| Some((x.at(c.second), y.at(c.ms?[which].max(ends.0)))))
        };
        for (low, fill, opacity) in [(1, Colour::Orange, 0.18), (0, Colour::Sky, 0.3)] {
            for (below, above) in runs(places(low)).iter().zip(runs(places(low + 1))) {
                let outline: Line = above.iter().chain(below.iter().rev()).copied().collect();
                canvas.area(&outline, fill, opacity);
            }
        }
        let slowest: Line = places(3).flatten().collect();
        canvas.dots(&slowest, 1.5, Colour::Grey, 0.9);
        for which in [2, 1, 0] {
            draw_runs(canvas, places(which), strokes[which]);
        }
    };
    let name = "Latency, ms".to_owned();
    Some(Strip { name, height: 118.0, legend, series, draw: Box::new(draw) })
}

/// As the seconds tell them where a column is one; from the columns' own histograms else.
fn percentiles(folder: &Folder) -> Vec<Percentiles> {
    let spread = &folder.spread;
    let exact = |s: &SecondRow| Percentiles {
        second: f64::from(s.second) + 0.5,
        ms: (s.interactions > 0).then_some([s.p50_ms, s.p90_ms, s.p99_ms, s.max_ms]),
    };
    if spread.width_s() == 1 || spread.all.iter().all(|column| column.total() == 0) {
        return folder.seconds.iter().map(exact).collect();
    }
    let columns = spread.all.iter().enumerate();
    columns
        .map(|(at, column)| {
            let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|q| column.quantile_ms(q));
            let ms = (|| Some([p50?, p90?, p99?, column.max_ms()?]))();
            Percentiles { second: spread.middle(at), ms }
        })
        .collect()
}
