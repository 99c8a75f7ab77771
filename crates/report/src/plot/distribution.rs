//! The latency of each interaction against the specification's limit for its 90th percentile.

use crate::{
    folder::Folder,
    plot::{
        HEIGHT, WIDTH,
        axis::{Panel, Scale, figure, log_ends, thousands},
        canvas::{Canvas, HPos, Stroke, Type},
        marks::{Heading, Sample, heading},
        palette::Colour,
    },
    record::InteractionRow,
};

pub(super) fn draw(folder: &Folder) -> Option<String> {
    let rows: Vec<&InteractionRow> = folder.interactions.iter().filter(|r| r.count > 0).collect();
    rows.first()?;
    let legend = [
        (Sample::Area(Colour::Blue, 0.85), "median to 90th percentile".to_owned()),
        (Sample::Line(Stroke::new(Colour::Blue, 2.0)), "to the 99th".to_owned()),
        (Sample::Dot(Colour::Grey), "slowest".to_owned()),
        (Sample::Line(Stroke::new(Colour::Red, 3.0)), "limit for the 90th".to_owned()),
    ];
    let words = Heading {
        title: "Latency by interaction against its limit",
        subtitle: "Time from due to done over the measurement interval, in ms on a log axis",
        legend: &legend,
    };
    let mut canvas = Canvas::new(words.title);
    let top = heading(&mut canvas, &words) + 26.0;
    let panel = Panel { left: 230.0, top, right: WIDTH - 190.0, bottom: HEIGHT - 60.0 };
    let ends = log_ends(rows.iter().flat_map(|r| [r.p50_ms, r.max_ms, r.limit_ms]));
    let x = Scale::log(ends.0, ends.1, panel.left, panel.right);
    for tick in x.ticks() {
        let at = x.at(tick);
        canvas.line((at, panel.top), (at, panel.bottom), Stroke::new(Colour::Grid, 1.0));
    }
    panel.lower_axis(&mut canvas, &x, "latency, ms", 44.0);
    let column = |canvas: &mut Canvas, x: f64, y: f64, words: &str, bold: bool| {
        let style = Type::new(14.0, Colour::Ink).at(HPos::Right);
        canvas.text(x, y, words, if bold { style.bold() } else { style });
    };
    column(&mut canvas, WIDTH - 112.0, panel.top - 8.0, "count", true);
    column(&mut canvas, WIDTH - 28.0, panel.top - 8.0, "p90, ms", true);
    let step = panel.height() / rows.len() as f64;
    for (number, row) in rows.iter().enumerate() {
        let middle = panel.top + (number as f64 + 0.5) * step;
        if number % 2 == 0 {
            let width = WIDTH - 56.0;
            canvas.rect(28.0, middle - step / 2.0, panel.left - 28.0, step, Colour::Band, 1.0);
            canvas.rect(
                panel.right,
                middle - step / 2.0,
                width + 28.0 - panel.right,
                step,
                Colour::Band,
                1.0,
            );
        }
        column(&mut canvas, panel.left - 12.0, middle + 5.0, &row.interaction.replace('_', " "), false);
        bar(&mut canvas, row, &x, middle, step.min(34.0));
        column(&mut canvas, WIDTH - 112.0, middle + 5.0, &thousands(row.count as f64), false);
        let p90 =
            figure(if row.p90_ms < 100.0 { (row.p90_ms * 10.0).round() / 10.0 } else { row.p90_ms.round() });
        column(&mut canvas, WIDTH - 28.0, middle + 5.0, &p90, !row.within_limit);
    }
    Some(canvas.finish())
}

fn bar(canvas: &mut Canvas, row: &InteractionRow, x: &Scale, middle: f64, step: f64) {
    let colour = if row.within_limit { Colour::Blue } else { Colour::Red };
    let height = step * 0.5;
    let (from, to) = (x.at(row.p50_ms.max(x.low())), x.at(row.p90_ms.max(x.low())));
    let end = x.at(row.p99_ms.max(x.low()));
    canvas.line((to, middle), (end, middle), Stroke::new(colour, 2.0));
    canvas.line((end, middle - height / 3.0), (end, middle + height / 3.0), Stroke::new(colour, 2.0));
    canvas.rect(from, middle - height / 2.0, (to - from).max(2.0), height, colour, 0.85);
    canvas.dots(&[(x.at(row.max_ms.max(x.low())), middle)], 2.6, Colour::Grey, 1.0);
    if row.limit_ms > 0.0 {
        let limit = x.at(row.limit_ms);
        canvas.line(
            (limit, middle - step * 0.4),
            (limit, middle + step * 0.4),
            Stroke::new(Colour::Red, 3.0),
        );
    }
    let words = format!(
        "{}: median {} ms, 90 % {} ms, 99 % {} ms, limit {} ms",
        row.interaction,
        figure(row.p50_ms),
        figure(row.p90_ms),
        figure(row.p99_ms),
        figure(row.limit_ms)
    );
    canvas.hint(from, middle - height / 2.0, end - from, height, &words);
}
