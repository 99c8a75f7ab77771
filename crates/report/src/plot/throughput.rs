//! Interactions a second over time: a dot a second, their moving mean, failed tries, and the browsers on a second axis.

use crate::{
    folder::Folder,
    plot::{
        axis::{figure, round_top},
        canvas::{Canvas, HPos, Stroke, Type},
        marks::{Heading, NAME_BELOW, Sample, TIME, event_lines, over_time},
        moving_mean,
        palette::Colour,
        runs, window_of,
    },
    record::round3,
    summary::Summary,
};

pub(super) fn draw(folder: &Folder, summary: &Summary) -> Option<String> {
    folder.seconds.first()?;
    let window = window_of(folder);
    let line = Stroke::new(Colour::Blue, 3.0);
    let browsers = Stroke::new(Colour::Muted, 1.8).dashed(7, 4);
    let legend = [
        (Sample::Dot(Colour::Sky), "each second".to_owned()),
        (Sample::Line(line), format!("mean of {window} s")),
        (Sample::Area(Colour::Red, 1.0), "failed tries".to_owned()),
        (Sample::Line(browsers), "browsers (right axis)".to_owned()),
    ];
    let subtitle = format!(
        "Interactions that ended well, a second; {} browsers at the peak, mix {}",
        summary.sessions, summary.mix
    );
    let words = Heading { title: "Throughput over time", subtitle: &subtitle, legend: &legend };
    let mut canvas = Canvas::new(words.title);
    let (panel, x) = over_time(&mut canvas, folder, &words, 84.0);
    let seconds = &folder.seconds;
    let greatest = seconds.iter().map(|s| s.wips.max(s.errors as f64)).fold(0.0, f64::max);
    let y = panel.up(0.0, round_top(greatest));
    panel.left_axis(&mut canvas, &y, "interactions per second");
    let sessions = seconds.iter().map(|s| s.sessions).max().unwrap_or(0);
    let right = panel.up(0.0, round_top(f64::from(sessions)));
    panel.right_axis(&mut canvas, &right, "browsers", Colour::Muted);
    panel.lower_axis(&mut canvas, &x, TIME, NAME_BELOW);
    event_lines(&mut canvas, folder, &[&panel], &x, None);

    let middle = |second: u32| x.at(f64::from(second) + 0.5);
    let width = (panel.width() / f64::from(folder.load_seconds()) * 0.7).clamp(1.0, 8.0);
    for s in seconds.iter().filter(|s| s.errors > 0) {
        let top = y.at(s.errors as f64);
        canvas.rect(middle(s.second) - width / 2.0, top, width, panel.bottom - top, Colour::Red, 1.0);
    }
    let steps: Vec<(f64, f64)> = seconds
        .iter()
        .flat_map(|s| {
            let height = right.at(f64::from(s.sessions));
            [(x.at(f64::from(s.second)), height), (x.at(f64::from(s.second) + 1.0), height)]
        })
        .collect();
    canvas.path(&steps, browsers);
    let dots: Vec<(f64, f64)> = seconds.iter().map(|s| (middle(s.second), y.at(s.wips))).collect();
    canvas.dots(&dots, 2.6, Colour::Sky, 0.85);
    let values: Vec<Option<f64>> = seconds.iter().map(|s| Some(s.wips)).collect();
    let means = moving_mean(&values, window);
    let points = seconds.iter().zip(means).map(|(s, mean)| Some((middle(s.second), y.at(mean?))));
    runs(points).iter().for_each(|run| canvas.path(run, line));
    mean_line(&mut canvas, folder, summary, (&panel, &x, &y));
    Some(canvas.finish())
}

/// The mean over the measurement interval, as a line from its beginning to its end.
fn mean_line(
    canvas: &mut Canvas,
    folder: &Folder,
    summary: &Summary,
    (panel, x, y): (&crate::plot::axis::Panel, &crate::plot::axis::Scale, &crate::plot::axis::Scale),
) {
    let (Some(first), Some(last)) = (folder.measured().next(), folder.measured().last()) else { return };
    let (from, to) = (x.at(f64::from(first.second)), x.at(f64::from(last.second) + 1.0));
    let height = y.at(summary.wips);
    canvas.line((from, height), (to, height), Stroke::new(Colour::Ink, 1.0).dashed(2, 3));
    let words = format!("mean of the measured time {}", figure(round3((summary.wips * 10.0).round() / 10.0)));
    let style = Type::new(13.0, Colour::Ink).at(HPos::Right).halo();
    canvas.text(to.min(panel.right) - 6.0, height - 6.0, &words, style);
}
