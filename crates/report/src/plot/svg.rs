//! What plotters' SVG lacks, added to its text: a title, dashes, halos, words under a pointer, and dots that take little room.
//!
//! plotters writes one element a line (a text on three) in the order of drawing. Each is taken from there; only attributes
//! are added or, where they say what holds anyway, left out.

use std::{fmt::Write, iter::Peekable, str::Lines};

use super::{canvas::steps, palette::FONT};

/// Attributes of plotters that say what holds without them, and its shift of base lines by half the height of an x: layout
/// places base lines itself, and programs differ in that height.
const NEEDLESS: [&str; 6] = [
    " opacity=\"1\"",
    " stroke=\"none\"",
    " dy=\"-0.5ex\"",
    " text-anchor=\"start\"",
    " stroke-width=\"1\"",
    " font-family=\"DejaVu Sans, Verdana, sans-serif\"",
];

/// Words under a pointer for a rectangle of the drawing, in steps.
pub struct Hint {
    /// Upper left corner.
    pub at: (i32, i32),
    /// Width and height.
    pub size: (i32, i32),
    /// The words.
    pub words: String,
}

/// A finished drawing in the making, beside plotters' version of it.
pub struct Sheet<'a> {
    from: Peekable<Lines<'a>>,
    text: String,
}

impl<'a> Sheet<'a> {
    /// Begins a drawing of what plotters has drawn.
    pub fn new(title: &str, (width, height): (f64, f64), drawn: &'a str) -> Self {
        let mut from = drawn.lines().peekable();
        from.next();
        let mut text = String::with_capacity(drawn.len());
        let _ = writeln!(
            text,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" \
             role=\"img\" aria-label=\"{}\" stroke-linejoin=\"round\" font-family=\"{FONT}\">",
            steps(width),
            steps(height),
            escape(title)
        );
        Self { from, text }
    }

    /// Takes plotters' next element, with more attributes.
    pub fn next_with(&mut self, attributes: &str) {
        let element = self.element();
        let end = element.find("/>").or_else(|| element.find('>')).unwrap_or(element.len());
        let _ = writeln!(self.text, "{}{attributes}{}", &element[..end], &element[end..]);
    }

    /// Takes plotters' next circles, all of one look, as one path of strokes without length but with round ends: a tenth of
    /// the size.
    pub fn next_dots(&mut self, count: usize) {
        let mut d = String::with_capacity(count * 12);
        let mut look = String::new();
        for _ in 0..count {
            let circle = self.element();
            let of = |name| attribute(&circle, name);
            let _ = write!(d, "M{} {}h0", of("cx"), of("cy"));
            if look.is_empty() {
                let (width, colour) = (2 * of("r").parse::<u32>().unwrap_or(0), of("fill"));
                look = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"");
                if !of("opacity").is_empty() {
                    let _ = write!(look, " opacity=\"{}\"", of("opacity"));
                }
            }
        }
        let _ = writeln!(self.text, "<path {look} stroke-linecap=\"round\" d=\"{d}\"/>");
    }

    /// Takes plotters' next rectangles, all of one look, as one path: a fifth of the size.
    pub fn next_cells(&mut self, count: usize) {
        let mut d = String::with_capacity(count * 24);
        let mut look = String::new();
        for _ in 0..count {
            let cell = self.element();
            let of = |name| attribute(&cell, name);
            let (width, height) = (of("width"), of("height"));
            let _ = write!(d, "M{} {}h{width}v{height}h-{width}z", of("x"), of("y"));
            if look.is_empty() {
                look = format!("shape-rendering=\"crispEdges\" fill=\"{}\"", of("fill"));
                if !of("opacity").is_empty() {
                    let _ = write!(look, " opacity=\"{}\"", of("opacity"));
                }
            }
        }
        let _ = writeln!(self.text, "<path {look} d=\"{d}\"/>");
    }

    /// Ends the drawing with the hints on top, the largest below the others.
    pub fn finish(mut self, mut hints: Vec<Hint>) -> String {
        hints.sort_by_key(|hint| std::cmp::Reverse(i64::from(hint.size.0) * i64::from(hint.size.1)));
        for Hint { at, size, words } in hints {
            let _ = writeln!(
                self.text,
                "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill-opacity=\"0\"><title>{}</title></rect>",
                at.0,
                at.1,
                size.0,
                size.1,
                escape(&words)
            );
        }
        self.text.push_str("</svg>\n");
        self.text
    }

    /// plotters' next element on one line.
    fn element(&mut self) -> String {
        let mut element = self.from.next().unwrap_or_default().to_owned();
        if element.starts_with("<text") {
            element.push_str(self.from.next().unwrap_or_default());
            element.push_str(self.from.next().unwrap_or_default());
        }
        NEEDLESS.iter().fold(element, |element, needless| element.replace(needless, ""))
    }
}

/// The value of an attribute; nothing where the element has none of that name.
fn attribute<'a>(element: &'a str, name: &str) -> &'a str {
    let mut parts = element.split('"');
    while let (Some(before), Some(value)) = (parts.next(), parts.next()) {
        if before.trim_end_matches('=').rsplit(' ').next() == Some(name) {
            return value;
        }
    }
    ""
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
