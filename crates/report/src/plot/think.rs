//! Think times against the negative exponential distribution that they should follow.

use crate::{
    folder::Folder,
    plot::{
        HEIGHT, WIDTH,
        axis::{Panel, figure, round_top},
        canvas::{Canvas, Stroke},
        marks::{Heading, Sample, heading},
        palette::Colour,
    },
};

/// The picture ends at so many mean think times; e⁻⁶ of the draws lie beyond.
const SHOWN_MEANS: f64 = 6.0;
/// Buckets that the picture aims at; finer ones in the file are drawn together.
const BUCKETS: f64 = 60.0;

/// A bucket in seconds.
struct Bucket {
    from: f64,
    to: f64,
    count: u64,
}

pub(super) fn draw(folder: &Folder) -> Option<String> {
    let fine = buckets(folder);
    let total: u64 = fine.iter().map(|b| b.count).sum();
    if total == 0 {
        return None;
    }
    let measured =
        fine.iter().map(|b| f64::midpoint(b.from, b.to) * b.count as f64).sum::<f64>() / total as f64;
    let asked = folder.manifest.think_mean_ms / 1000.0;
    let mean = if asked > 0.0 { asked } else { measured };
    if mean <= 0.0 {
        return None;
    }
    let curve = Stroke::new(Colour::Red, 2.5);
    let legend = [
        (Sample::Area(Colour::Blue, 0.75), "drawn by the browsers".to_owned()),
        (Sample::Line(curve), format!("negative exponential, mean {} s", short(mean))),
    ];
    let subtitle = format!(
        "{} think times, mean {} s; share of the draws in each second of think time",
        crate::plot::axis::thousands(total as f64),
        short(measured)
    );
    let words = Heading { title: "Think times", subtitle: &subtitle, legend: &legend };
    let mut canvas = Canvas::new(words.title);
    let top = heading(&mut canvas, &words) + 12.0;
    let panel = Panel { left: 96.0, top, right: WIDTH - 40.0, bottom: HEIGHT - 60.0 };
    let end = SHOWN_MEANS * mean;
    let shown = together(fine, end / BUCKETS);
    let density = |b: &Bucket| 100.0 * b.count as f64 / total as f64 / (b.to - b.from);
    let highest = shown.iter().filter(|b| b.from < end).map(density).fold(100.0 / mean, f64::max);
    let (x, y) = (panel.across(0.0, end), panel.up(0.0, round_top(highest)));
    panel.left_axis(&mut canvas, &y, "% of draws per second of think time");
    for bucket in shown.iter().filter(|b| b.from < end) {
        let (left, right, height) = (x.at(bucket.from), x.at(bucket.to), y.at(density(bucket)));
        let gap = if right - left > 4.0 { 1.0 } else { 0.0 };
        canvas.rect(left, height, right - left - gap, panel.bottom - height, Colour::Blue, 0.75);
    }
    let points: Vec<(f64, f64)> = (0..=200)
        .map(|n| end * f64::from(n) / 200.0)
        .map(|t| (x.at(t), y.at(100.0 / mean * (-t / mean).exp())))
        .collect();
    canvas.path(&points, curve);
    panel.lower_axis(&mut canvas, &x, "think time, s", 44.0);
    Some(canvas.finish())
}

fn buckets(folder: &Folder) -> Vec<Bucket> {
    let mut from = 0.0;
    let mut buckets = Vec::new();
    for row in &folder.thinks {
        let to = row.le_ms / 1000.0;
        if to > from && to.is_finite() {
            buckets.push(Bucket { from, to, count: row.count });
            from = to;
        }
    }
    buckets
}

/// Neighbours drawn as one, up to a width.
fn together(fine: Vec<Bucket>, width: f64) -> Vec<Bucket> {
    let mut shown: Vec<Bucket> = Vec::new();
    for bucket in fine {
        match shown.last_mut() {
            Some(last) if bucket.to - last.from <= width * 1.001 => {
                last.to = bucket.to;
                last.count += bucket.count;
            }
            _ => shown.push(bucket),
        }
    }
    shown
}

fn short(seconds: f64) -> String {
    figure((seconds * 1000.0).round() / 1000.0)
}
