//! Mean time of a read over time, with what each scaling did to it: the mean of the 10 s before it was asked for and of
//! the 10 s after it was done.

use crate::{
    folder::Folder,
    plot::{
        axis::{Panel, Scale, figure, round_top},
        canvas::{Canvas, Stroke, Type},
        marks::{Heading, NAME_BELOW, Sample, TIME, event_lines, over_time},
        moving_mean,
        palette::Colour,
        runs, window_of,
    },
    record::SecondRow,
    summary::{EventSummary, Summary},
};

/// How long the means beside a scaling are taken, in s.
const COMPARED_S: f64 = 10.0;
/// Size of the figures at the means, in pixels.
const FIGURE: f64 = 15.0;

pub(super) fn draw(folder: &Folder, summary: &Summary) -> Option<String> {
    let seconds = &folder.seconds;
    seconds.iter().find(|s| s.reads > 0)?;
    let window = window_of(folder);
    let line = Stroke::new(Colour::Blue, 3.0);
    let compared = Stroke::new(Colour::Ink, 3.0);
    let browsers = Stroke::new(Colour::Muted, 1.8).dashed(7, 4);
    let legend = [
        (Sample::Dot(Colour::Sky), "each second".to_owned()),
        (Sample::Line(line), format!("mean of {window} s")),
        (Sample::Line(compared), "mean of 10 s before and after a scaling".to_owned()),
        (Sample::Line(browsers), "browsers (right axis)".to_owned()),
    ];
    let words = Heading {
        title: "Read latency and scaling",
        subtitle: "Mean time of a statement that only reads, as the browsers see it",
        legend: &legend,
    };
    let mut canvas = Canvas::new(words.title);
    let (panel, x) = over_time(&mut canvas, folder, &words, 84.0);
    let all: Vec<Option<f64>> = seconds.iter().map(|s| (s.reads > 0).then_some(s.read_mean_ms)).collect();
    let top = top_of(&all);
    let y = panel.up(0.0, top);
    let values: Vec<Option<f64>> = all.iter().map(|value| value.filter(|v| *v <= top)).collect();
    panel.left_axis(&mut canvas, &y, "mean time of a read, ms");
    let most = seconds.iter().map(|s| s.sessions).max().unwrap_or(0);
    let right = panel.up(0.0, round_top(f64::from(most)));
    panel.right_axis(&mut canvas, &right, "browsers", Colour::Muted);
    panel.lower_axis(&mut canvas, &x, TIME, NAME_BELOW);
    event_lines(&mut canvas, folder, &[&panel], &x, None);

    let middle = |s: &SecondRow| x.at(f64::from(s.second) + 0.5);
    let steps: Vec<(f64, f64)> =
        seconds.iter().map(|s| (middle(s), right.at(f64::from(s.sessions)))).collect();
    canvas.path(&steps, browsers);
    let dots: Vec<(f64, f64)> =
        seconds.iter().zip(&values).filter_map(|(s, v)| Some((middle(s), y.at((*v)?)))).collect();
    canvas.dots(&dots, 2.6, Colour::Sky, 0.85);
    let means = moving_mean(&values, window);
    let points = seconds.iter().zip(means).map(|(s, mean)| Some((middle(s), y.at(mean?))));
    runs(points).iter().for_each(|run| canvas.path(run, line));
    let beyond = seconds.iter().filter(|s| s.reads > 0 && s.read_mean_ms > top);
    beyond.for_each(|s| above(&mut canvas, middle(s), panel.top, s.read_mean_ms));
    let means: Vec<Mean> =
        summary.events.iter().flat_map(|event| before_and_after(event, summary, (&x, &y))).collect();
    compare(&mut canvas, &panel, &means);
    Some(canvas.finish())
}

/// A second beyond the axis: an arrow with its value. Such seconds are no part of the moving mean, which they would hide.
fn above(canvas: &mut Canvas, x: f64, top: f64, value: f64) {
    let arrow = [(x - 5.0, top + 11.0), (x, top + 2.0), (x + 5.0, top + 11.0)];
    canvas.area(&arrow, Colour::Sky, 1.0);
    let style = Type::new(13.0, Colour::Ink).halo();
    canvas.text(x + 9.0, top + 14.0, &format!("{} ms", figure(value.round())), style);
}

/// The top of the axis: the greatest second, unless single seconds stand far above all others (they are shown as arrows).
fn top_of(values: &[Option<f64>]) -> f64 {
    let mut known: Vec<f64> = values.iter().flatten().copied().collect();
    known.sort_by(f64::total_cmp);
    let most = known.get(known.len() * 97 / 100).or(known.last()).copied().unwrap_or(1.0);
    let greatest = known.last().copied().unwrap_or(1.0);
    round_top(if greatest > 3.0 * most { 1.5 * most } else { greatest })
}

/// A mean over some seconds, as pixels.
struct Mean {
    from: f64,
    to: f64,
    height: f64,
    words: String,
}

fn before_and_after(event: &EventSummary, summary: &Summary, (x, y): (&Scale, &Scale)) -> Vec<Mean> {
    let asked = event.second - event.took_ms.unwrap_or(0.0) / 1000.0;
    let end = f64::from(summary.load_s);
    let mean = |from: f64, to: f64, value: Option<f64>| {
        let value = value?;
        let words = format!("{} ms", figure((value * 10.0).round() / 10.0));
        Some(Mean { from: x.at(from), to: x.at(to), height: y.at(value), words })
    };
    let before = mean((asked - COMPARED_S).max(0.0), asked, event.read_before_ms);
    let after = mean(event.second, (event.second + COMPARED_S).min(end), event.read_after_ms);
    before.into_iter().chain(after).collect()
}

/// A rectangle that a figure must not cover: its left, upper, right and lower edge.
type Taken = (f64, f64, f64, f64);

/// The means as lines, then their figures beside them. Where scalings follow each other closely there may be no room for a
/// figure: far from its line it would be taken for another's. The page's table has all of them.
fn compare(canvas: &mut Canvas, panel: &Panel, means: &[Mean]) {
    let mut taken: Vec<Taken> = Vec::new();
    for Mean { from, to, height, words } in means {
        canvas.line((*from, *height), (*to, *height), Stroke::new(Colour::Ink, 3.0));
        canvas.hint(*from, height - 3.0, to - from, 6.0, words);
        taken.push((*from, height - 2.0, *to, height + 2.0));
    }
    let style = Type::new(FIGURE, Colour::Ink).bold().halo();
    for mean in means {
        let width = style.width(&mean.words);
        let free = |place: &Taken| {
            taken.iter().all(|t| place.2 < t.0 || t.2 < place.0 || place.3 < t.1 || t.3 < place.1)
        };
        if let Some(place) = places(mean, width, panel).into_iter().find(free) {
            canvas.text(place.0, place.3 - 2.0, &mean.words, style);
            taken.push(place);
        }
    }
}

/// Where a figure may stand: above its line or below, in the middle or at an end.
fn places(mean: &Mean, width: f64, panel: &Panel) -> Vec<Taken> {
    let bases = [mean.height - 5.0, mean.height + FIGURE + 5.0];
    let lefts = [f64::midpoint(mean.from, mean.to) - width / 2.0, mean.from, mean.to - width];
    let place = |left: f64, base: f64| {
        let left = left.min(panel.right - width - 4.0).max(panel.left + 4.0);
        (left, base - FIGURE + 2.0, left + width, base)
    };
    let within = |place: &Taken| panel.top <= place.1 && place.3 <= panel.bottom;
    let all = bases.into_iter().flat_map(|base| lefts.map(|left| place(left, base)));
    all.filter(within).collect()
}
