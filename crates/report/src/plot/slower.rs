//! How many interactions were slower than a time: complementary distributions in two panels of seven, as the specification groups
//! them (clause 5.6.1, as told by the Wisconsin code's scripts).

use hdrhistogram::Histogram;

use crate::{
    folder::{Folder, ms},
    plot::{
        axis::{Panel, SMALL_SIZE, Scale, figure, log_ends},
        canvas::{Canvas, FontTransform, HPos, Stroke, Type},
        marks::{Sample, draw_sample},
        palette::Colour,
        points::Points,
        stack::Line,
    },
};

/// The two panels.
const PANELS: [[&str; 7]; 2] = [
    [
        "home",
        "product_detail",
        "search_request",
        "shopping_cart",
        "buy_request",
        "order_inquiry",
        "admin_request",
    ],
    [
        "new_products",
        "best_sellers",
        "search_results",
        "customer_registration",
        "buy_confirm",
        "order_display",
        "admin_confirm",
    ],
];
/// Seven colours; each line has a dash of its own besides.
const STROKES: [(Colour, Option<(u32, u32)>); 7] = [
    (Colour::Blue, None),
    (Colour::Orange, None),
    (Colour::Green, None),
    (Colour::Purple, None),
    (Colour::Sky, Some((7, 3))),
    (Colour::Red, Some((7, 3))),
    (Colour::Ink, Some((2, 3))),
];
/// Points on each line.
const POINTS: u32 = 101;
/// The least share on the axis, in per cent.
const LEAST_PCT: f64 = 0.1;
/// Size of the picture.
const SIZE: (f64, f64) = (1000.0, 470.0);

pub(super) fn draw(folder: &Folder) -> Option<(String, String)> {
    let known = &folder.latencies.by_interaction;
    let lines = PANELS.map(|names| names.map(|name| (name, known.get(name).map(line).unwrap_or_default())));
    let values: Vec<f64> = lines.iter().flatten().flat_map(|(_, line)| line.iter().map(|p| p.0)).collect();
    if values.is_empty() {
        return None;
    }
    let ends = log_ends(values.into_iter());
    let mut canvas = Canvas::sized("Slower than", SIZE);
    canvas.text(12.0, 24.0, "Slower than", Type::new(18.0, Colour::Ink).bold());
    let words = "Share of each interaction that took longer than a time, in % over ms, both logarithmic; the limits of the \
                 specification hold where a line crosses 10 %";
    canvas.text(12.0, 44.0, words, Type::new(12.5, Colour::Muted));
    for (number, seven) in lines.iter().enumerate() {
        let left = 62.0 + number as f64 * 492.0;
        let panel = Panel { left, top: 64.0, right: left + 430.0, bottom: 330.0 };
        one(&mut canvas, &panel, ends, seven);
    }
    let mut points = Points::new("ms", "slower_pct");
    for (name, line) in lines.into_iter().flatten() {
        points = points.series(name, line);
    }
    Some((canvas.finish(), points.finish()))
}

fn one(canvas: &mut Canvas, panel: &Panel, ends: (f64, f64), seven: &[(&str, Line)]) {
    let (x, y) = (Scale::log(ends.0, ends.1, panel.left, panel.right), panel.up_log((LEAST_PCT, 100.0)));
    panel.small_axis(canvas, &y);
    for tick in x.few_ticks(8) {
        let at = x.at(tick);
        canvas.line((at, panel.top), (at, panel.bottom), Stroke::new(Colour::Grid, 1.0));
        let style = Type::new(SMALL_SIZE, Colour::Muted).at(HPos::Center);
        canvas.text(at, panel.bottom + 16.0, &figure(tick), style);
    }
    canvas.line((panel.left, panel.bottom), (panel.right, panel.bottom), Stroke::new(Colour::Muted, 0.8));
    let ten = y.at(10.0);
    canvas.line((panel.left, ten), (panel.right, ten), Stroke::new(Colour::Red, 1.2).dashed(5, 3));
    let words = Type::new(SMALL_SIZE, Colour::Muted).at(HPos::Center);
    canvas.text(f64::midpoint(panel.left, panel.right), panel.bottom + 34.0, "latency, ms", words);
    let middle = f64::midpoint(panel.top, panel.bottom);
    canvas.text_turned(panel.left - 42.0, middle, "slower, %", words, FontTransform::Rotate270);
    for (number, ((name, line), (colour, dash))) in seven.iter().zip(STROKES).enumerate() {
        let stroke = Stroke { colour, width: 1.8, dash };
        let path: Line = line.iter().map(|p| (x.at(p.0), y.at(p.1))).collect();
        canvas.path(&path, stroke);
        let (across, down) = (number % 3, number / 3);
        let at = (panel.left + across as f64 * 148.0 - 6.0, panel.bottom + 62.0 + down as f64 * 20.0);
        draw_sample(canvas, Sample::Line(stroke), at, 20.0);
        let words = if line.is_empty() { format!("{name} (none)") } else { (*name).to_owned() };
        canvas.text(at.0 + 25.0, at.1 + 4.0, &words.replace('_', " "), Type::new(SMALL_SIZE, Colour::Ink));
    }
}

/// Latency against the share that was slower, from all of them down to one of a thousand or the last one.
fn line(histogram: &Histogram<u64>) -> Line {
    if histogram.is_empty() {
        return Line::new();
    }
    let end = (100.0 / histogram.len() as f64).clamp(LEAST_PCT, 100.0);
    let share = |step: u32| 100.0 * (end / 100.0).powf(f64::from(step) / f64::from(POINTS - 1));
    let at = |share: f64| ms(histogram.value_at_quantile(1.0 - share / 100.0));
    (0..POINTS).map(share).map(|share| (at(share), share)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::new_histogram;

    #[test]
    fn a_share_of_them_is_slower_than_its_quantile() {
        let mut histogram = new_histogram();
        (1..=2000).for_each(|ms| histogram.record(ms * 1000).expect("in range"));
        let line = line(&histogram);
        for (ms, slower_pct) in &line {
            assert!((ms - 20.0 * (100.0 - slower_pct)).abs() < 3.0, "{slower_pct} % are slower than {ms} ms");
        }
        assert!(line.is_sorted_by(|a, b| a.0 <= b.0 && a.1 >= b.1));
        assert_eq!(line.last().map(|p| (p.1 * 1000.0).round()), Some(100.0));
    }

    #[test]
    fn every_interaction_has_its_panel() {
        let all: std::collections::BTreeSet<&str> = PANELS.iter().flatten().copied().collect();
        assert_eq!(all.len(), 14);
    }
}
