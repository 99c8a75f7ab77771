//! The latency at every percentile, from when a page was due and from when it was asked for: the gap between the two is what tools that
//! count from sending do not see.

use hdrhistogram::Histogram;

use crate::{
    folder::{Folder, ms},
    plot::{
        HEIGHT, WIDTH,
        axis::{Panel, Scale, log_ends},
        canvas::{Canvas, HPos, Stroke, Type},
        marks::{Heading, Sample, heading},
        palette::Colour,
        points::Points,
    },
};

/// Points on each line.
const POINTS: u32 = 200;
/// Where the axis is named, as 1 / (1 − percentile).
const NAMED: [(f64, &str); 6] =
    [(1.0, "0"), (10.0, "90 %"), (100.0, "99 %"), (1e3, "99.9 %"), (1e4, "99.99 %"), (1e5, "99.999 %")];

pub(super) fn draw(folder: &Folder) -> Option<String> {
    let (due, service) = series(folder)?;
    let line = Stroke::new(Colour::Blue, 3.0);
    let other = Stroke::new(Colour::Orange, 2.5).dashed(7, 4);
    let mut legend = vec![(Sample::Line(line), "from when it was due".to_owned())];
    if !service.is_empty() {
        legend.push((Sample::Line(other), "from when it was asked for, the last try alone".to_owned()));
    }
    let words = Heading {
        title: "Latency by percentile",
        subtitle: "Share of the interactions that were faster, over the measurement interval; both axes logarithmic",
        legend: &legend,
    };
    let mut canvas = Canvas::new(words.title);
    let top = heading(&mut canvas, &words) + 12.0;
    let panel = Panel { left: 96.0, top, right: WIDTH - 40.0, bottom: HEIGHT - 60.0 };
    let ends = log_ends(due.iter().chain(&service).map(|point| point.1));
    let y = panel.up_log(ends);
    let end = due.last().map_or(10.0, |point| point.0).max(10.0);
    let x = Scale::log(1.0, end, panel.left, panel.right);
    panel.left_axis(&mut canvas, &y, "latency, ms");
    for (at, name) in NAMED.into_iter().filter(|(at, _)| *at <= end) {
        let place = x.at(at);
        canvas.line((place, panel.top), (place, panel.bottom), Stroke::new(Colour::Grid, 1.0));
        let style = Type::new(14.0, Colour::Ink).at(HPos::Center);
        canvas.text(place, panel.bottom + 20.0, name, style);
    }
    panel.lower_line(&mut canvas);
    let middle = Type::new(14.0, Colour::Muted).at(HPos::Center);
    canvas.text(f64::midpoint(panel.left, panel.right), panel.bottom + 44.0, "faster than this", middle);
    for (points, stroke) in [(&service, other), (&due, line)] {
        let path: Vec<(f64, f64)> =
            points.iter().map(|(at, value)| (x.at(*at), y.at(value.max(ends.0)))).collect();
        canvas.path(&path, stroke);
    }
    Some(canvas.finish())
}

/// x is 1 / (1 − percentile).
pub(super) fn points(folder: &Folder) -> String {
    let (due, service) = series(folder).unwrap_or_default();
    Points::new("one_in", "ms").series("due", due).series("service", service).finish()
}

type Line = Vec<(f64, f64)>;

fn series(folder: &Folder) -> Option<(Line, Line)> {
    let (due, service) = (&folder.latencies.all, &folder.latencies.service);
    (due.len() > 1).then(|| (line(due), line(service)))
}

/// The line as far as single values reach.
fn line(histogram: &Histogram<u64>) -> Line {
    if histogram.is_empty() {
        return Line::new();
    }
    let end = (histogram.len() as f64).log10();
    let at = |step: u32| 10_f64.powf(end * f64::from(step) / f64::from(POINTS));
    (0..=POINTS).map(at).map(|one_in| (one_in, ms(histogram.value_at_quantile(1.0 - 1.0 / one_in)))).collect()
}
