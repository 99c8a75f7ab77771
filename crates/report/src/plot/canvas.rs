//! A drawing: what is drawn where and how. plotters turns it into SVG.
//!
//! Callers count in pixels with fractions; plotters counts in whole steps, so the drawing is handed over with [`STEPS`] to a
//! pixel: fine enough for lines that move by less than a pixel, and shorter in the file than decimals. The same calls give
//! the same bytes.

pub use plotters::style::{FontTransform, text_anchor::HPos};
use plotters::{
    coord::Shift,
    prelude::{
        Circle, Color, DrawResult, DrawingArea, FontDesc, FontFamily, FontStyle, IntoDrawingArea,
        PathElement, Polygon, RGBAColor, Rectangle, SVGBackend, ShapeStyle, Text, TextStyle,
    },
    style::text_anchor::{Pos, VPos},
};

use super::{
    HEIGHT, WIDTH,
    palette::{Colour, FONT},
    svg::{Hint, Sheet},
};

/// Steps of plotters' whole numbers in a pixel.
pub const STEPS: f64 = 10.0;
/// plotters writes sizes of type smaller by this factor than it is told.
const TYPE_FACTOR: f64 = 1.24;
/// How much wider bold letters are.
const BOLD_WIDER: f64 = 1.13;
/// Width of a halo in pixels, half of it on either side of a letter's edge.
const HALO: f64 = 4.0;

/// A place in steps.
type Point = (i32, i32);
/// What plotters draws on.
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// How a line is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Stroke {
    /// Colour.
    pub colour: Colour,
    /// Width in pixels.
    pub width: f64,
    /// Lengths of dash and gap in pixels; `None` for a whole line.
    pub dash: Option<(u32, u32)>,
}

impl Stroke {
    /// A whole line.
    pub fn new(colour: Colour, width: f64) -> Self {
        Self { colour, width, dash: None }
    }

    /// The same line in dashes.
    pub fn dashed(self, dash: u32, gap: u32) -> Self {
        Self { dash: Some((dash, gap)), ..self }
    }

    fn style(self, opacity: f64) -> ShapeStyle {
        let stroke_width = steps(self.width).unsigned_abs();
        ShapeStyle { color: self.colour.value().mix(opacity), filled: false, stroke_width }
    }

    /// What plotters cannot say of it.
    fn dashes(self) -> String {
        let Some((dash, gap)) = self.dash else { return String::new() };
        let [dash, gap] = [dash, gap].map(|length| steps(f64::from(length)));
        format!(" stroke-dasharray=\"{dash} {gap}\"")
    }
}

/// How a text is drawn.
#[derive(Clone, Copy)]
pub struct Type {
    /// Size in pixels.
    pub size: f64,
    /// Colour.
    pub colour: Colour,
    /// Which end lies at the point.
    pub anchor: HPos,
    /// Bold or not.
    pub bold: bool,
    /// Whether a halo in the background's colour keeps it legible over lines.
    pub halo: bool,
}

impl Type {
    /// Plain text that begins at its point.
    pub fn new(size: f64, colour: Colour) -> Self {
        Self { size, colour, anchor: HPos::Left, bold: false, halo: false }
    }

    /// Another anchor.
    pub fn at(self, anchor: HPos) -> Self {
        Self { anchor, ..self }
    }

    /// In bold.
    pub fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    /// With a halo.
    pub fn halo(self) -> Self {
        Self { halo: true, ..self }
    }

    /// Width of a text in pixels, near enough for layout: the advances of DejaVu Sans in classes.
    pub fn width(self, text: &str) -> f64 {
        let advance = |c: char| match c {
            'i' | 'j' | 'l' | '\'' => 0.28,
            ' ' | '.' | ',' | ':' | ';' | '|' | 'I' | '·' => 0.33,
            'f' | 't' | 'r' | '(' | ')' | '-' | '/' => 0.40,
            'm' | 'M' | 'w' | 'W' | '%' | '→' => 0.90,
            'A'..='Z' | '0'..='9' => 0.66,
            _ => 0.61,
        };
        let weight = if self.bold { BOLD_WIDER } else { 1.0 };
        text.chars().map(advance).sum::<f64>() * self.size * weight
    }

    fn style(self, turn: &FontTransform) -> TextStyle<'static> {
        let weight = if self.bold { FontStyle::Bold } else { FontStyle::Normal };
        let size = f64::from(steps(self.size)) * TYPE_FACTOR;
        let font = FontDesc::new(FontFamily::Name(FONT), size, weight).transform(turn.clone());
        TextStyle {
            font,
            color: self.colour.value().to_backend_color(),
            pos: Pos::new(self.anchor, VPos::Bottom),
        }
    }
}

/// Something drawn.
enum Shape {
    Rect { corners: [Point; 2], fill: RGBAColor },
    Path { points: Vec<Point>, stroke: Stroke },
    Area { points: Vec<Point>, fill: RGBAColor },
    Dots { points: Vec<Point>, radius: u32, fill: RGBAColor },
    Text { at: Point, words: String, style: Type, turn: FontTransform },
    Cells { corners: Vec<[Point; 2]>, fill: RGBAColor, crisp: bool },
    Lines { ends: Vec<[Point; 2]>, stroke: Stroke, opacity: f64 },
}

/// A drawing in the making.
pub struct Canvas {
    title: String,
    size: (f64, f64),
    shapes: Vec<Shape>,
    hints: Vec<Hint>,
}

impl Canvas {
    /// An empty slide with a title for readers that do not see it.
    pub fn new(title: &str) -> Self {
        Self::sized(title, (WIDTH, HEIGHT))
    }

    /// An empty drawing of another width and height, in pixels.
    pub fn sized(title: &str, size: (f64, f64)) -> Self {
        let mut canvas = Self { title: title.to_owned(), size, shapes: Vec::new(), hints: Vec::new() };
        canvas.rect(0.0, 0.0, size.0, size.1, Colour::Background, 1.0);
        canvas
    }

    /// The drawing as SVG.
    pub fn finish(self) -> String {
        let mut drawn = String::with_capacity(64 * 1024);
        self.draw(&mut drawn).expect("plotters writes to a string, which takes all");
        let mut sheet = Sheet::new(&self.title, self.size, &drawn);
        for shape in &self.shapes {
            shape.hand_over(&mut sheet);
        }
        sheet.finish(self.hints)
    }

    fn draw<'a>(&self, into: &'a mut String) -> DrawResult<(), SVGBackend<'a>> {
        let size = (steps(self.size.0).unsigned_abs(), steps(self.size.1).unsigned_abs());
        let area = SVGBackend::with_string(into, size).into_drawing_area();
        self.shapes.iter().try_for_each(|shape| shape.draw(&area))?;
        area.present()
    }

    /// A filled rectangle; nothing where it has no extent.
    pub fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: Colour, opacity: f64) {
        if width > 0.0 && height > 0.0 {
            let corners = [point((x, y)), point((x + width, y + height))];
            self.shapes.push(Shape::Rect { corners, fill: fill.value().mix(opacity) });
        }
    }

    /// A straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        self.path(&[from, to], stroke);
    }

    /// A line through points.
    pub fn path(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        if points.len() > 1 {
            self.shapes.push(Shape::Path { points: points_of(points), stroke });
        }
    }

    /// A filled polygon.
    pub fn area(&mut self, points: &[(f64, f64)], fill: Colour, opacity: f64) {
        if points.len() > 2 {
            self.shapes.push(Shape::Area { points: points_of(points), fill: fill.value().mix(opacity) });
        }
    }

    /// Dots of one kind.
    pub fn dots(&mut self, points: &[(f64, f64)], radius: f64, fill: Colour, opacity: f64) {
        if !points.is_empty() {
            let points = points.iter().copied().map(point).collect();
            let radius = steps(radius).unsigned_abs();
            self.shapes.push(Shape::Dots { points, radius, fill: fill.value().mix(opacity) });
        }
    }

    /// Many filled rectangles of one kind, each by its upper left and lower right corner.
    pub fn cells(&mut self, corners: &[[(f64, f64); 2]], fill: Colour, opacity: f64) {
        if !corners.is_empty() {
            let corners = corners.iter().map(|ends| ends.map(point)).collect();
            self.shapes.push(Shape::Cells { corners, fill: fill.value().mix(opacity), crisp: true });
        }
    }

    /// The same for rectangles that may be narrower than a pixel: they are seen faintly then, and not lost between pixels.
    pub fn slivers(&mut self, corners: &[[(f64, f64); 2]], fill: Colour, opacity: f64) {
        if !corners.is_empty() {
            let corners = corners.iter().map(|ends| ends.map(point)).collect();
            self.shapes.push(Shape::Cells { corners, fill: fill.value().mix(opacity), crisp: false });
        }
    }

    /// Many straight lines of one kind.
    pub fn lines(&mut self, ends: &[[(f64, f64); 2]], stroke: Stroke, opacity: f64) {
        if !ends.is_empty() {
            let ends = ends.iter().map(|ends| ends.map(point)).collect();
            self.shapes.push(Shape::Lines { ends, stroke, opacity });
        }
    }

    /// A text whose base line begins, lies or ends at a point.
    pub fn text(&mut self, x: f64, y: f64, text: &str, style: Type) {
        self.text_turned(x, y, text, style, FontTransform::None);
    }

    /// The same, turned about its point.
    pub fn text_turned(&mut self, x: f64, y: f64, text: &str, style: Type, turn: FontTransform) {
        let words = legible(text);
        self.shapes.push(Shape::Text { at: point((x, y)), words, style, turn });
    }

    /// An invisible rectangle that shows words under a pointer.
    pub fn hint(&mut self, x: f64, y: f64, width: f64, height: f64, words: &str) {
        self.hint_cells(&[[(x, y), (x + width, y + height)]], words);
    }

    /// Many invisible rectangles with the same words, each by its upper left and lower right corner; they lie above others.
    pub fn hint_cells(&mut self, corners: &[[(f64, f64); 2]], words: &str) {
        let place = |[from, to]: &[(f64, f64); 2]| (point(*from), point((to.0 - from.0, to.1 - from.1)));
        self.hints.push(Hint { places: corners.iter().map(place).collect(), words: legible(words) });
    }
}

impl Shape {
    fn draw<'a>(&self, area: &Area<'a>) -> DrawResult<(), SVGBackend<'a>> {
        match self {
            Self::Rect { corners, fill } => area.draw(&Rectangle::new(*corners, fill.filled())),
            Self::Path { points, stroke } => {
                area.draw(&PathElement::new(points.as_slice(), stroke.style(1.0)))
            }
            Self::Area { points, fill } => area.draw(&Polygon::new(points.as_slice(), fill.filled())),
            Self::Dots { points, radius, fill } => {
                points.iter().try_for_each(|at| area.draw(&Circle::new(*at, *radius, fill.filled())))
            }
            Self::Cells { corners, fill, .. } => {
                corners.iter().try_for_each(|ends| area.draw(&Rectangle::new(*ends, fill.filled())))
            }
            Self::Lines { ends, stroke, opacity } => ends
                .iter()
                .try_for_each(|ends| area.draw(&PathElement::new(ends.as_slice(), stroke.style(*opacity)))),
            Self::Text { at, words, style, turn } => {
                area.draw(&Text::new(words.as_str(), *at, style.style(turn)))
            }
        }
    }

    /// Puts the elements that plotters made of the shape on the sheet, with what plotters cannot say.
    fn hand_over(&self, sheet: &mut Sheet<'_>) {
        match self {
            Self::Path { points, stroke } => sheet.next_path(points, &stroke.dashes()),
            Self::Area { points, .. } => sheet.next_path(points, ""),
            Self::Lines { ends, stroke, .. } => sheet.next_lines(ends, &stroke.dashes()),
            Self::Text { style: Type { halo: true, .. }, .. } => {
                let (colour, width) = (Colour::Background.hex(), steps(HALO));
                sheet.next_with(&format!(
                    " stroke=\"{colour}\" stroke-width=\"{width}\" paint-order=\"stroke\""
                ));
            }
            Self::Dots { points, .. } => sheet.next_dots(points),
            Self::Cells { corners, crisp, .. } => sheet.next_cells(corners, *crisp),
            _ => sheet.next_with(""),
        }
    }
}

/// Pixels as steps.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a drawing has some thousands of steps; the cast saturates"
)]
pub fn steps(pixels: f64) -> i32 {
    (pixels * STEPS).round() as i32
}

fn point((x, y): (f64, f64)) -> Point {
    (steps(x), steps(y))
}

/// Points as places, without those that a straight line through the others passes anyway.
fn points_of(points: &[(f64, f64)]) -> Vec<Point> {
    let mut places: Vec<Point> = Vec::with_capacity(points.len());
    for place in points.iter().copied().map(point) {
        if let [.., before, last] = places.as_slice()
            && on_the_way(*before, *last, place)
        {
            places.pop();
        }
        places.push(place);
    }
    places
}

/// Whether a straight line from one place to another passes a third, on its way and not beyond.
fn on_the_way(from: Point, over: Point, to: Point) -> bool {
    let [first, second] = [(from, over), (over, to)]
        .map(|(a, b)| (i64::from(b.0) - i64::from(a.0), i64::from(b.1) - i64::from(a.1)));
    first.0 * second.1 == first.1 * second.0 && first.0 * second.0 + first.1 * second.1 >= 0
}

/// Characters that XML forbids are replaced; markup is escaped where it is written.
fn legible(text: &str) -> String {
    let forbidden = |c: char| c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c);
    text.chars().map(|c| if forbidden(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_its_corners_and_its_turns_alone() {
        let points = [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (2.0, 3.0), (2.0, 1.0), (1.0, 0.0)];
        assert_eq!(points_of(&points), [(0, 0), (20, 0), (20, 30), (20, 10), (10, 0)]);
        let mut canvas = Canvas::new("a line");
        canvas.path(&points, Stroke::new(Colour::Ink, 1.0));
        let svg = canvas.finish();
        assert!(svg.contains("d=\"M0 0h20v30v-20l-10-10\"/>"), "{svg}");
    }

    #[test]
    fn parts_of_a_series_are_one_path_and_keep_their_gap() {
        let mut canvas = Canvas::new("a series");
        let blue = Stroke::new(Colour::Blue, 2.0);
        canvas.path(&[(0.0, 1.0), (1.0, 2.0)], blue);
        canvas.path(&[(5.0, 2.0), (6.0, 1.0)], blue);
        canvas.path(&[(7.0, 2.0), (8.0, 1.0)], blue.dashed(2, 2));
        let svg = canvas.finish();
        assert!(svg.contains("d=\"M0 10l10 10M50 20l10-10\"/>"), "{svg}");
        assert_eq!(svg.matches("<path").count(), 2, "{svg}");
    }

    #[test]
    fn what_shines_through_needs_no_sheet_of_its_own() {
        let mut canvas = Canvas::new("bands");
        canvas.rect(0.0, 0.0, 5.0, 5.0, Colour::Red, 0.1);
        canvas.lines(&[[(0.0, 0.0), (0.0, 9.0)]], Stroke::new(Colour::Red, 1.0), 0.5);
        canvas.dots(&[(1.0, 1.0), (3.0, 0.5)], 1.0, Colour::Red, 0.5);
        let svg = canvas.finish();
        assert!(!svg.contains(" opacity=") && svg.contains(" fill-opacity=\"0.1\""), "{svg}");
        assert_eq!(svg.matches(" stroke-opacity=\"0.5\"").count(), 2, "{svg}");
        assert!(svg.contains("d=\"M10 10h0m20-5h0\"/>"), "{svg}");
    }
}
