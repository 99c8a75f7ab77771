//! Strips over one axis of time: small panels one above the other, with the same left and right edge, so that the eye goes
//! straight down from an event to what it did. Phases and faults are bands behind all of them, named in the ribbon on top.

mod columns;
mod lines;
mod ribbon;
mod thin;

pub use columns::{Part, stacked};
pub use lines::{Axis, Keep, Series, draw_runs, lines};
pub use ribbon::causes;
pub use thin::{Thinned, thinned};

use crate::{
    folder::Folder,
    plot::{
        axis::{Panel, SMALL_SIZE, Scale, figure},
        canvas::{Canvas, HPos, Stroke, Type},
        marks::{Sample, draw_sample},
        palette::Colour,
        points::Points,
    },
    summary::Summary,
};
use ribbon::Ribbon;

/// Width of a stack in pixels.
const WIDTH: f64 = 1000.0;
/// Left edge of all panels.
const LEFT: f64 = 62.0;
/// Right edge of all panels.
const RIGHT: f64 = WIDTH - 16.0;
/// Left edge of words.
const EDGE: f64 = 12.0;
/// Height of a row of words above a panel.
const CAPTION: f64 = 18.0;
/// Room below a panel.
const GAP: f64 = 9.0;
/// Room above the ribbon: title and how to read the picture.
const TITLE: f64 = 58.0;
/// Room for the axis of time below the last panel.
const BELOW: f64 = 42.0;
/// Room for its figures above the first panel.
const ABOVE: f64 = 20.0;
/// Size of captions and legends in pixels.
const CAPTION_SIZE: f64 = 12.5;
/// Length of a legend's sample in pixels.
const SAMPLE: f64 = 20.0;

/// Points of a series: seconds since the start of the load, and values.
pub type Line = Vec<(f64, f64)>;
/// Draws what a strip shows into its panel, by the common scale of seconds.
type Draw<'a> = Box<dyn Fn(&mut Canvas, &Panel, &Scale) + 'a>;

/// One panel of a stack.
pub struct Strip<'a> {
    /// What it shows, with its unit.
    pub name: String,
    /// Height of its panel in pixels.
    pub height: f64,
    /// What is drawn how.
    pub legend: Vec<(Sample, String)>,
    /// The points that are drawn.
    pub series: Vec<(String, Line)>,
    /// How they are drawn.
    pub draw: Draw<'a>,
}

/// Words for some seconds, shown under a pointer.
pub struct Told {
    /// From this second.
    pub from: f64,
    /// To this one.
    pub to: f64,
    /// What happened in them.
    pub words: String,
}

/// A stack in the making.
pub struct Stack<'a> {
    /// What is seen.
    pub title: &'a str,
    /// How to read it.
    pub subtitle: String,
    /// Whether faults and other events are named on top; their bands and lines are there in any case.
    pub named: bool,
    /// The panels from above.
    pub strips: Vec<Strip<'a>>,
    /// What a pointer is told.
    pub told: Vec<Told>,
}

impl Stack<'_> {
    /// The drawing and its points; nothing where there is nothing to show.
    pub fn draw(&self, folder: &Folder, run: &Summary) -> Option<(String, String)> {
        if self.strips.is_empty() || folder.load_seconds() == 0 {
            return None;
        }
        let x = Scale::linear(0.0, f64::from(folder.load_seconds()), LEFT, RIGHT);
        let ribbon = Ribbon::of(folder, run, &x, self.named);
        let tops = self.tops(TITLE + ribbon.height() + ABOVE);
        let bottom = tops.last().copied().unwrap_or_default() - GAP;
        let mut canvas = Canvas::sized(self.title, (WIDTH, bottom + BELOW));
        canvas.text(EDGE, 24.0, self.title, Type::new(18.0, Colour::Ink).bold());
        canvas.text(EDGE, 44.0, &self.subtitle, Type::new(CAPTION_SIZE, Colour::Muted));
        let whole = Panel { left: LEFT, top: TITLE + ribbon.height() + ABOVE, right: RIGHT, bottom };
        ribbon.bands(&mut canvas, &whole);
        figures(&mut canvas, &x, whole.top - 6.0);
        for (strip, top) in self.strips.iter().zip(&tops) {
            strip.draw_at(&mut canvas, *top, &x);
        }
        ribbon.lines(&mut canvas, &whole);
        ribbon.draw(&mut canvas, TITLE);
        figures(&mut canvas, &x, bottom + 16.0);
        let style = Type::new(CAPTION_SIZE, Colour::Muted).at(HPos::Center);
        canvas.text(f64::midpoint(LEFT, RIGHT), bottom + 34.0, super::marks::TIME, style);
        for Told { from, to, words } in &self.told {
            let (from, to) = (x.at(*from), x.at(*to));
            canvas.hint(from, whole.top, to - from, whole.height(), words);
        }
        Some((canvas.finish(), self.points()))
    }

    /// Where each strip begins, and where one more would.
    fn tops(&self, first: f64) -> Vec<f64> {
        let mut tops = vec![first];
        for strip in &self.strips {
            tops.push(tops[tops.len() - 1] + strip.words_height() + strip.height + GAP);
        }
        tops
    }

    fn points(&self) -> String {
        let mut points = Points::new("second", "value");
        for strip in &self.strips {
            for (name, line) in &strip.series {
                points = points.series(&format!("{}: {name}", strip.name), line.iter().copied());
            }
        }
        points.finish()
    }
}

impl Strip<'_> {
    /// The samples of the legend, each with its row and place: they go on where the name ends, and in rows below.
    fn samples(&self) -> Vec<(usize, f64)> {
        let style = Type::new(CAPTION_SIZE, Colour::Ink);
        let begin = EDGE + style.bold().width(&self.name) + 22.0;
        let (mut row, mut x) = (0, begin);
        let mut places = Vec::new();
        for (_, words) in &self.legend {
            let width = SAMPLE + 6.0 + style.width(words);
            if x + width > RIGHT && x > LEFT {
                (row, x) = (row + 1, LEFT);
            }
            places.push((row, x));
            x += width + 16.0;
        }
        places
    }

    fn words_height(&self) -> f64 {
        let rows = self.samples().last().map_or(1, |(row, _)| row + 1);
        rows as f64 * CAPTION + 3.0
    }

    fn draw_at(&self, canvas: &mut Canvas, top: f64, x: &Scale) {
        let style = Type::new(CAPTION_SIZE, Colour::Ink).halo();
        let base = top + CAPTION - 5.0;
        canvas.text(EDGE, base, &self.name, style.bold());
        for ((sample, words), (row, left)) in self.legend.iter().zip(self.samples()) {
            let base = base + row as f64 * CAPTION;
            draw_sample(canvas, *sample, (left, base - 4.5), SAMPLE);
            canvas.text(left + SAMPLE + 6.0, base, words, style);
        }
        let top = top + self.words_height();
        let panel = Panel { left: LEFT, top, right: RIGHT, bottom: top + self.height };
        (self.draw)(canvas, &panel, x);
        canvas.line((LEFT, panel.bottom), (RIGHT, panel.bottom), Stroke::new(Colour::Muted, 0.8));
    }
}

/// Figures of the axis of time.
fn figures(canvas: &mut Canvas, x: &Scale, base: f64) {
    for tick in x.ticks() {
        let style = Type::new(SMALL_SIZE, Colour::Muted).at(HPos::Center);
        canvas.text(x.at(tick), base, &figure(tick), style);
    }
}

/// The subtitle's part about long runs, where a column stands for several seconds.
pub fn columns_words(folder: &Folder) -> String {
    match folder.spread.width_s() {
        1 => String::new(),
        width => {
            format!("; each column stands for {width} s: means, with the greatest and the least behind them")
        }
    }
}

/// The colour of a node, the same in every picture.
pub fn colour_of_node(folder: &Folder, node: &str) -> Colour {
    let at = folder.node_names().iter().position(|name| *name == node).unwrap_or(0);
    super::palette::SERIES[at % super::palette::SERIES.len()]
}
