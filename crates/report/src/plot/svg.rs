//! What plotters' SVG lacks, added to its text: a title, dashes, halos, words under a pointer, and dots that take little room.
//!
//! plotters writes one element a line (a text on three) in the order of drawing. Each is taken from there; only attributes
//! are added or, where they say what holds anyway, left out.

use std::{borrow::Cow, fmt::Write, iter::Peekable, str::Lines};

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

/// How a path ends.
const PATH_END: &str = "\"/>\n";
/// How the hints begin: they are drawn, for else no pointer would find them, and not seen.
const HINTS: &str = "<g fill-opacity=\"0\">";

/// A rectangle of the drawing in steps: upper left corner, width and height.
pub type Place = ((i32, i32), (i32, i32));

/// Words under a pointer for some rectangles of the drawing.
pub struct Hint {
    /// Where they are told.
    pub places: Vec<Place>,
    /// The words.
    pub words: String,
}

impl Hint {
    /// What the hints are put in order by: those for many places hold small ones, and lie on top.
    fn extent(&self) -> i64 {
        match self.places.as_slice() {
            [(_, size)] => i64::from(size.0) * i64::from(size.1),
            _ => 0,
        }
    }
}

/// A finished drawing in the making, beside plotters' version of it.
pub struct Sheet<'a> {
    from: Peekable<Lines<'a>>,
    text: String,
    /// What the last element looks like if it is a line.
    line: Option<String>,
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
        Self { from, text, line: None }
    }

    /// Takes plotters' next element, with more attributes.
    pub fn next_with(&mut self, attributes: &str) {
        let element = self.element();
        let end = element.find("/>").or_else(|| element.find('>')).unwrap_or(element.len());
        let _ = writeln!(self.text, "{}{attributes}{}", &element[..end], &element[end..]);
    }

    /// Takes plotters' next line or polygon as a path in steps from point to point: half the size of their places.
    pub fn next_path(&mut self, points: &[(i32, i32)], attributes: &str) {
        let before = self.line.take();
        let element = self.element();
        let mut d = String::with_capacity(points.len() * 7);
        trace(&mut d, points);
        let (mut look, line) = (look(&element), element.starts_with("<polyline"));
        look.push_str(attributes);
        // Lines of one look that follow each other, parts of a series with gaps, become one where none shines through another.
        if line && !look.contains("opacity") && before.as_ref() == Some(&look) {
            let end = self.text.len() - PATH_END.len();
            self.text.insert_str(end, &d);
            self.line = Some(look);
            return;
        }
        let end = if line { "" } else { "z" };
        let _ = write!(self.text, "<path {look} d=\"{d}{end}{PATH_END}");
        self.line = line.then_some(look);
    }

    /// Takes plotters' next lines, all of one look, as one path; each is dashed by itself.
    pub fn next_lines(&mut self, lines: &[[(i32, i32); 2]], attributes: &str) {
        let mut d = String::with_capacity(lines.len() * 16);
        lines.iter().for_each(|ends| trace(&mut d, ends));
        let element = self.elements(lines.len());
        let _ = writeln!(self.text, "<path {}{attributes} d=\"{d}\"/>", look(&element));
    }

    /// Takes plotters' next circles, all of one look, as one path of strokes without length but with round ends: a tenth of
    /// the size.
    pub fn next_dots(&mut self, points: &[(i32, i32)]) {
        let circle = self.elements(points.len());
        let of = |name| attribute(&circle, name);
        let mut look = format!(
            "fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"",
            of("fill"),
            2 * of("r").parse::<u32>().unwrap_or(0)
        );
        if !of("fill-opacity").is_empty() {
            let _ = write!(look, " stroke-opacity=\"{}\"", of("fill-opacity"));
        }
        let mut d = String::with_capacity(points.len() * 10);
        let mut last = None;
        for (x, y) in points {
            match last.replace((x, y)) {
                Some((before, above)) => moved(&mut d, 'm', (x - before, y - above)),
                None => moved(&mut d, 'M', (*x, *y)),
            }
            d.push_str("h0");
        }
        let _ = writeln!(self.text, "<path {look} stroke-linecap=\"round\" d=\"{d}\"/>");
    }

    /// Takes plotters' next rectangles, all of one look, as one path: a fifth of the size.
    pub fn next_cells(&mut self, corners: &[[(i32, i32); 2]], crisp: bool) {
        let cell = self.elements(corners.len());
        let places = corners.iter().map(|[from, to]| (*from, (to.0 - from.0, to.1 - from.1)));
        let d = outlines(places);
        let crisp = if crisp { "shape-rendering=\"crispEdges\" " } else { "" };
        let _ = writeln!(self.text, "<path {crisp}{} d=\"{d}\"/>", look(&cell));
    }

    /// Ends the drawing with the hints on top, the largest below the others.
    pub fn finish(mut self, mut hints: Vec<Hint>) -> String {
        hints.sort_by_key(|hint| std::cmp::Reverse(hint.extent()));
        if !hints.is_empty() {
            let _ = writeln!(self.text, "{HINTS}");
            for Hint { places, words } in hints {
                let d = outlines(places.into_iter());
                let _ = writeln!(self.text, "<path d=\"{d}\"><title>{}</title></path>", escape(&words));
            }
            self.text.push_str("</g>\n");
        }
        self.text.push_str("</svg>\n");
        self.text
    }

    /// The first of plotters' next elements, the others passed over.
    fn elements(&mut self, count: usize) -> String {
        let first = self.element();
        // None of them is a text: each has its line.
        if count > 1 {
            self.from.nth(count - 2);
        }
        first
    }

    /// plotters' next element on one line.
    fn element(&mut self) -> String {
        self.line = None;
        let mut element = self.from.next().unwrap_or_default().to_owned();
        if element.starts_with("<text") {
            element.push_str(self.from.next().unwrap_or_default());
            element.push_str(self.from.next().unwrap_or_default());
        }
        let element = NEEDLESS.iter().fold(element, |element, needless| element.replace(needless, ""));
        // Opacity of the whole element would be drawn on a sheet of its own first. Each of ours has either a stroke or a filling.
        let opacity = if element.contains("fill=\"none\"") { " stroke-opacity=" } else { " fill-opacity=" };
        element.replace(" opacity=", opacity)
    }
}

/// The drawing without what only a pointer finds.
pub fn without_hints(svg: &str) -> Cow<'_, str> {
    match (svg.find(HINTS), svg.rfind("</svg>")) {
        (Some(from), Some(to)) if from < to => Cow::Owned(format!("{}{}", &svg[..from], &svg[to..])),
        _ => Cow::Borrowed(svg),
    }
}

/// What an element looks like, without where it is.
fn look(element: &str) -> String {
    let mut look = String::new();
    for name in ["fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width"] {
        let value = attribute(element, name);
        if !value.is_empty() {
            let _ = write!(look, "{}{name}=\"{value}\"", if look.is_empty() { "" } else { " " });
        }
    }
    look
}

/// A line through points: each by how far it lies from the one before.
fn trace(d: &mut String, points: &[(i32, i32)]) {
    let Some(((x, y), rest)) = points.split_first() else { return };
    moved(d, 'M', (*x, *y));
    let mut from = (*x, *y);
    let mut command = 'l';
    for to in rest {
        let step = (to.0 - from.0, to.1 - from.1);
        from = *to;
        match step {
            (0, 0) => {}
            (0, down) => {
                let _ = write!(d, "v{down}");
                command = 'l';
            }
            (right, 0) => {
                let _ = write!(d, "h{right}");
                command = 'l';
            }
            step => {
                moved(d, command, step);
                command = ' ';
            }
        }
    }
}

/// A command and two numbers; a sign parts numbers as well as a space does.
fn moved(d: &mut String, command: char, (x, y): (i32, i32)) {
    if command != ' ' || x >= 0 {
        d.push(command);
    }
    let _ = write!(d, "{x}{}{y}", if y < 0 { "" } else { " " });
}

/// Rectangles as one path.
fn outlines(places: impl Iterator<Item = Place>) -> String {
    let mut d = String::new();
    for ((x, y), (width, height)) in places {
        moved(&mut d, 'M', (x, y));
        let _ = write!(d, "h{width}v{height}h{}z", -width);
    }
    d
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
