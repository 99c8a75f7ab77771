//! Percentiles of the latency over time on a log axis, as lines with the room between them filled.

use crate::{
    folder::Folder,
    plot::{
        axis::log_ends,
        canvas::{Canvas, Stroke},
        marks::{Heading, NAME_BELOW, Sample, TIME, event_lines, over_time},
        palette::Colour,
        runs,
    },
    record::SecondRow,
};

pub(super) fn draw(folder: &Folder) -> Option<String> {
    let seconds = &folder.seconds;
    let answered: Vec<&SecondRow> = seconds.iter().filter(|s| s.interactions > 0).collect();
    answered.first()?;
    let median = Stroke::new(Colour::Blue, 3.0);
    let (p90, p99) = (Stroke::new(Colour::Sky, 2.0), Stroke::new(Colour::Orange, 2.0));
    let legend = [
        (Sample::Line(median), "median".to_owned()),
        (Sample::Line(p90), "90 % are faster".to_owned()),
        (Sample::Line(p99), "99 % are faster".to_owned()),
        (Sample::Dot(Colour::Grey), "the slowest".to_owned()),
    ];
    let words = Heading {
        title: "Latency over time",
        subtitle: "Time from when an interaction was due until it was done, in ms on a log axis; each second by itself, \
                   a gap where nothing ended",
        legend: &legend,
    };
    let mut canvas = Canvas::new(words.title);
    let (panel, x) = over_time(&mut canvas, folder, &words, 40.0);
    let ends = log_ends(answered.iter().flat_map(|s| [s.p50_ms, s.max_ms]));
    let y = panel.up_log(ends);
    panel.left_axis(&mut canvas, &y, "latency, ms");
    panel.lower_axis(&mut canvas, &x, TIME, NAME_BELOW);
    event_lines(&mut canvas, folder, &[&panel], &x, None);

    let point = |s: &SecondRow, value: f64| (x.at(f64::from(s.second) + 0.5), y.at(value.max(ends.0)));
    let line = |figure: fn(&SecondRow) -> f64| {
        runs(seconds.iter().map(|s| (s.interactions > 0).then(|| point(s, figure(s)))))
    };
    let (lower, middle, upper) = (line(|s| s.p50_ms), line(|s| s.p90_ms), line(|s| s.p99_ms));
    fill_between(&mut canvas, &middle, &upper, Colour::Orange, 0.16);
    fill_between(&mut canvas, &lower, &middle, Colour::Sky, 0.28);
    let slowest: Vec<(f64, f64)> = answered.iter().map(|s| point(s, s.max_ms)).collect();
    canvas.dots(&slowest, 2.0, Colour::Grey, 0.7);
    for (lines, stroke) in [(&upper, p99), (&middle, p90), (&lower, median)] {
        for run in lines {
            canvas.path(run, stroke);
            if let [only] = run.as_slice() {
                canvas.dots(&[*only], 2.0, stroke.colour, 1.0);
            }
        }
    }
    Some(canvas.finish())
}

fn fill_between(
    canvas: &mut Canvas,
    lower: &[Vec<(f64, f64)>],
    upper: &[Vec<(f64, f64)>],
    fill: Colour,
    opacity: f64,
) {
    for (low, high) in lower.iter().zip(upper) {
        let outline: Vec<(f64, f64)> = high.iter().chain(low.iter().rev()).copied().collect();
        canvas.area(&outline, fill, opacity);
    }
}
