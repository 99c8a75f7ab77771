//! Interactions a second, and the browsers that asked for them.

use crate::{
    folder::Folder,
    plot::{
        axis::{Panel, Scale, figure, round_top},
        canvas::{Canvas, HPos, Stroke, Type},
        marks::Sample,
        moving_mean,
        palette::Colour,
        stack::{Axis, Keep, Line, Series, Strip, draw_runs, lines, thinned},
        window_of,
    },
    summary::Summary,
};

/// The specification's mean think time in ms, for which alone its bounds on throughput hold.
const SPEC_THINK_MS: f64 = 7000.0;
/// Browsers for each interaction a second that the specification allows at most, and at least.
const BOUNDS: [f64; 2] = [7.0, 14.0];

/// Interactions that ended well: each second, the moving mean, the mean of the measured time, the specification's bounds.
pub(super) fn wips<'a>(folder: &'a Folder, run: &'a Summary) -> Option<Strip<'a>> {
    folder.seconds.first()?;
    let (width_s, window) = (folder.spread.width_s(), window_of(folder));
    let thin = thinned(folder.seconds.iter().map(|s| (s.second, s.wips)), width_s);
    let values: Vec<Option<f64>> = folder.seconds.iter().map(|s| Some(s.wips)).collect();
    let means: Vec<(u32, f64)> = folder
        .seconds
        .iter()
        .zip(moving_mean(&values, window))
        .filter_map(|(s, mean)| Some((s.second, mean?)))
        .collect();
    let smooth: Line = thinned(means, width_s).iter().map(|t| (t.second, t.mean)).collect();
    let bounds =
        if bounded(folder, run) { BOUNDS.map(|b| (b, bound(folder, b))).to_vec() } else { Vec::new() };
    let line = Stroke::new(Colour::Blue, 2.0);
    let mean = Stroke::new(Colour::Ink, 1.0).dashed(4, 3);
    let each = if width_s == 1 { "each second" } else { "least and greatest second" };
    let mut legend = vec![
        (
            if width_s == 1 { Sample::Dot(Colour::Sky) } else { Sample::Area(Colour::Sky, 0.6) },
            each.to_owned(),
        ),
        (Sample::Line(line), format!("mean of {window} s")),
        (Sample::Line(mean), format!("mean of the measured time, {}", short(run.wips))),
    ];
    let limit = Stroke::new(Colour::Red, 1.2).dashed(5, 3);
    if !bounds.is_empty() {
        legend.push((Sample::Line(limit), "browsers / 14 and / 7: the specification's bounds".to_owned()));
    }
    let mut series = vec![
        ("greatest".to_owned(), thin.iter().map(|t| (t.second, t.high)).collect::<Line>()),
        ("least".to_owned(), thin.iter().map(|t| (t.second, t.low)).collect()),
        ("moving mean".to_owned(), smooth.clone()),
    ];
    series.extend(bounds.iter().map(|(by, line)| (format!("browsers / {by}"), line.clone())));
    let draw = move |canvas: &mut Canvas, panel: &Panel, x: &Scale| {
        let limits = bounds.iter().flat_map(|(_, line)| line.iter().map(|p| p.1));
        let y = panel.up(0.0, round_top(thin.iter().map(|t| t.high).chain(limits).fold(0.0, f64::max)));
        panel.small_axis(canvas, &y);
        for (_, bound) in &bounds {
            draw_runs(canvas, bound.iter().map(|p| Some((x.at(p.0), y.at(p.1)))), limit);
        }
        if width_s == 1 {
            let dots: Line = thin.iter().map(|t| (x.at(t.second), y.at(t.mean))).collect();
            canvas.dots(&dots, 1.7, Colour::Sky, 0.9);
        } else {
            let half = f64::from(width_s) / 2.0;
            let bars: Vec<[(f64, f64); 2]> = thin
                .iter()
                .map(|t| [(x.at(t.second - half), y.at(t.high)), (x.at(t.second + half), y.at(t.low) + 1.0)])
                .collect();
            canvas.cells(&bars, Colour::Sky, 0.6);
        }
        draw_runs(canvas, smooth.iter().map(|p| Some((x.at(p.0), y.at(p.1)))), line);
        if let (Some(first), Some(last)) = (folder.measured().next(), folder.measured().last()) {
            let (from, to) = (x.at(f64::from(first.second)), x.at(f64::from(last.second) + 1.0));
            canvas.line((from, y.at(run.wips)), (to, y.at(run.wips)), mean);
        }
    };
    let name = "Interactions a second".to_owned();
    Some(Strip { name, height: 112.0, legend, series, draw: Box::new(draw) })
}

/// Browsers in the shop.
pub(super) fn browsers(folder: &Folder) -> Option<Strip<'_>> {
    let most = folder.seconds.iter().map(|s| s.sessions).max()?;
    let series = Series {
        name: "in the shop".to_owned(),
        stroke: Stroke::new(Colour::Muted, 1.8),
        values: folder.seconds.iter().map(|s| (s.second, f64::from(s.sessions))).collect(),
    };
    let mut strip = lines(
        "Browsers",
        34.0,
        vec![series],
        Axis::FromZero(1.0),
        (folder.spread.width_s(), Keep::Greatest),
    )?;
    let drawn = strip.draw;
    strip.legend.clear();
    strip.draw = Box::new(move |canvas, panel, x| {
        drawn(canvas, panel, x);
        let style = Type::new(11.5, Colour::Muted).at(HPos::Right).halo();
        canvas.text(
            panel.right - 4.0,
            panel.top - 4.0,
            &format!("at most {}", figure(f64::from(most))),
            style,
        );
    });
    Some(strip)
}

/// Whether the specification's bounds say something of this load.
fn bounded(folder: &Folder, run: &Summary) -> bool {
    run.rate.is_none() && (folder.manifest.think_mean_ms - SPEC_THINK_MS).abs() < 1.0
}

fn bound(folder: &Folder, browsers: f64) -> Line {
    let of = folder.seconds.iter().map(|s| (s.second, f64::from(s.sessions) / browsers));
    thinned(of, folder.spread.width_s()).iter().map(|t| (t.second, t.mean)).collect()
}

fn short(value: f64) -> String {
    figure((value * 10.0).round() / 10.0)
}
