//! Scales, ticks and axes.

use std::ops::Range;

use plotters::{
    coord::{ranged1d::Ranged, types::RangedCoordf64},
    prelude::{IntoLogRange, LogCoord},
};

use super::{
    canvas::{Canvas, FontTransform, HPos, STEPS, Stroke, Type, steps},
    palette::Colour,
};

/// Size of the figures on axes, in pixels.
const TICK_SIZE: f64 = 14.0;
/// Size of the names of axes, in pixels.
const NAME_SIZE: f64 = 14.0;
/// Size of the figures on the axes of small panels, in pixels.
pub const SMALL_SIZE: f64 = 11.5;
/// Room that a figure needs on such an axis, in pixels.
const SMALL_STEP: f64 = 17.0;
/// Figures on an even axis at most.
const TICKS: usize = 10;
/// Round parts of a decade.
const ROUND: [f64; 3] = [1.0, 2.0, 5.0];
/// Values in files may be anything; an axis ends here.
const GREATEST: f64 = 1e15;

/// A part of the drawing in which data is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Panel {
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Lower edge.
    pub bottom: f64,
}

/// Values → pixels, by plotters' coordinates.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    log: bool,
}

impl Scale {
    /// Even steps from `low` at pixel `from` to `high` at pixel `to`.
    pub fn linear(low: f64, high: f64, from: f64, to: f64) -> Self {
        Self { low, high: if high > low { high } else { low + 1.0 }, from, to, log: false }
    }

    /// Even factors; both ends above 0.
    pub fn log(low: f64, high: f64, from: f64, to: f64) -> Self {
        Self { low, high: if high > low { high } else { low * 10.0 }, from, to, log: true }
    }

    /// The pixel of a value; values beyond the ends stay at them.
    pub fn at(&self, value: f64) -> f64 {
        let (value, range) = (value.clamp(self.low, self.high), self.low..self.high);
        let ends = (steps(self.from), steps(self.to));
        let at = if self.log {
            LogCoord::from(range.log_scale()).map(&value, ends)
        } else {
            RangedCoordf64::from(range).map(&value, ends)
        };
        f64::from(at) / STEPS
    }

    /// The least value shown.
    pub fn low(&self) -> f64 {
        self.low
    }

    /// Values with a figure where an axis is short: at most so many, round ones first.
    pub fn few_ticks(&self, most: usize) -> Vec<f64> {
        if !self.log {
            return RangedCoordf64::from(self.low..self.high).key_points(most.max(3));
        }
        let all = self.decade_ticks(&ROUND);
        let decades = self.decade_ticks(&[1.0]);
        let stride = decades.len().div_ceil(most.max(1)).max(1);
        if all.len() <= most || decades.is_empty() {
            all
        } else {
            decades.into_iter().step_by(stride).collect()
        }
    }

    /// Values with a figure.
    pub fn ticks(&self) -> Vec<f64> {
        if self.log { self.log_ticks() } else { even_ticks(self.low..self.high) }
    }

    /// 1, 2 and 5 of each decade, or the decades alone when there are many; plotters offers decades or all nine parts of them.
    fn log_ticks(&self) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        self.decade_ticks(if decades > 3.5 { &[1.0] } else { &ROUND })
    }

    /// These parts of each decade.
    fn decade_ticks(&self, factors: &[f64]) -> Vec<f64> {
        let first = exponent(self.low);
        (first..first + 12)
            .flat_map(|exponent| factors.iter().map(move |f| f * 10f64.powi(exponent)))
            .filter(|v| *v >= self.low * 0.999 && *v <= self.high * 1.001)
            .collect()
    }
}

/// As many round values as an axis has room for.
fn even_ticks(range: Range<f64>) -> Vec<f64> {
    RangedCoordf64::from(range).key_points(TICKS)
}

/// The decade of a value above 0.
#[expect(clippy::cast_possible_truncation, reason = "a double has some 600 decades")]
fn exponent(value: f64) -> i32 {
    value.log10().floor() as i32
}

/// A round value at or above the greatest of the data, with a little air.
pub fn round_top(greatest: f64) -> f64 {
    let known = if greatest.is_nan() { 0.0 } else { greatest };
    let wanted = known.clamp(1e-3, GREATEST) * 1.05;
    match even_ticks(0.0..wanted).as_slice() {
        [zero, first, ..] => (wanted / (first - zero)).ceil() * (first - zero),
        _ => wanted,
    }
}

/// Ends of a log scale that hold all positive values, each a round part of a decade.
pub fn log_ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.filter(|v| *v > 0.0).fold((f64::MAX, 0.0f64), |(l, h), v| (l.min(v), h.max(v)));
    if high <= 0.0 {
        return (1.0, 1000.0);
    }
    let (low, wanted) = (low.clamp(1.0 / GREATEST, GREATEST), high.min(GREATEST) * 1.05);
    let of_decade = |value: f64| [1.0, 1.5, 2.0, 3.0, 5.0, 7.0].map(|f| f * 10f64.powi(exponent(value)));
    let down = of_decade(low).into_iter().rev().find(|v| *v <= low * 1.001).unwrap_or(low);
    let top =
        of_decade(wanted).into_iter().find(|v| *v >= wanted).unwrap_or(10f64.powi(exponent(wanted) + 1));
    (down.min(top / 10.0), top)
}

impl Panel {
    /// Width in pixels.
    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    /// Height in pixels.
    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }

    /// An even scale from the bottom up.
    pub fn up(&self, low: f64, high: f64) -> Scale {
        Scale::linear(low, high, self.bottom, self.top)
    }

    /// A log scale from the bottom up.
    pub fn up_log(&self, ends: (f64, f64)) -> Scale {
        Scale::log(ends.0, ends.1, self.bottom, self.top)
    }

    /// An even scale from left to right.
    pub fn across(&self, low: f64, high: f64) -> Scale {
        Scale::linear(low, high, self.left, self.right)
    }

    /// Lines across at the ticks of the left axis, with figures and the axis' name.
    pub fn left_axis(&self, canvas: &mut Canvas, scale: &Scale, name: &str) {
        for tick in scale.ticks() {
            let y = scale.at(tick);
            canvas.line((self.left, y), (self.right, y), Stroke::new(Colour::Grid, 1.0));
            let style = Type::new(TICK_SIZE, Colour::Ink).at(HPos::Right);
            canvas.text(self.left - 8.0, y + 5.0, &figure(tick), style);
        }
        let style = Type::new(NAME_SIZE, Colour::Muted).at(HPos::Center);
        let x = self.left - 64.0;
        canvas.text_turned(x, (self.top + self.bottom) / 2.0, name, style, FontTransform::Rotate270);
    }

    /// Lines across with small figures, as many as the height has room for, and no name: that stands above the panel.
    pub fn small_axis(&self, canvas: &mut Canvas, scale: &Scale) {
        for tick in scale.few_ticks((self.height() / SMALL_STEP) as usize) {
            let y = scale.at(tick);
            canvas.line((self.left, y), (self.right, y), Stroke::new(Colour::Grid, 1.0));
            let style = Type::new(SMALL_SIZE, Colour::Muted).at(HPos::Right);
            canvas.text(self.left - 6.0, y + 4.0, &short(tick), style);
        }
    }

    /// Figures and name of an axis on the right.
    pub fn right_axis(&self, canvas: &mut Canvas, scale: &Scale, name: &str, colour: Colour) {
        for tick in scale.ticks() {
            let y = scale.at(tick);
            canvas.line((self.right, y), (self.right + 5.0, y), Stroke::new(colour, 1.0));
            canvas.text(self.right + 9.0, y + 5.0, &figure(tick), Type::new(TICK_SIZE, colour));
        }
        let style = Type::new(NAME_SIZE, colour).at(HPos::Center);
        canvas.text_turned(
            self.right + 56.0,
            (self.top + self.bottom) / 2.0,
            name,
            style,
            FontTransform::Rotate90,
        );
    }

    /// Only the line of the lower axis.
    pub fn lower_line(&self, canvas: &mut Canvas) {
        canvas.line((self.left, self.bottom), (self.right, self.bottom), Stroke::new(Colour::Ink, 1.2));
    }

    /// The lower axis: a line, ticks, figures, and a name so far below.
    pub fn lower_axis(&self, canvas: &mut Canvas, scale: &Scale, name: &str, below: f64) {
        let stroke = Stroke::new(Colour::Ink, 1.2);
        canvas.line((self.left, self.bottom), (self.right, self.bottom), stroke);
        for tick in scale.ticks() {
            let x = scale.at(tick);
            canvas.line((x, self.bottom), (x, self.bottom + 5.0), stroke);
            let style = Type::new(TICK_SIZE, Colour::Ink).at(HPos::Center);
            canvas.text(x, self.bottom + 21.0, &figure(tick), style);
        }
        if !name.is_empty() {
            let style = Type::new(NAME_SIZE, Colour::Muted).at(HPos::Center);
            canvas.text((self.left + self.right) / 2.0, self.bottom + below, name, style);
        }
    }
}

/// A figure: no more decimals than it needs, thousands parted. What is no number is a dash.
pub fn figure(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if value.abs() < 1000.0 {
        return ((value * 1000.0).round() / 1000.0).to_string();
    }
    thousands(value.round())
}

/// A figure with room for six digits: millions are counted.
fn short(value: f64) -> String {
    if value.abs() < 1e6 { figure(value) } else { format!("{}\u{a0}M", figure(value / 1e6)) }
}

/// A whole number with its thousands parted by narrow gaps: `12 500`.
pub fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut parted = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            parted.push('\u{a0}');
        }
        parted.push(digit);
    }
    if value < 0.0 { format!("-{parted}") } else { parted }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_beside_a_small_panel_keep_within_its_margin() {
        let told = [0.5, 1_000.0, 500_000.0, 1e6, -2.5e6, 2e9].map(short);
        let expected = ["0.5", "1\u{a0}000", "500\u{a0}000", "1\u{a0}M", "-2.5\u{a0}M", "2\u{a0}000\u{a0}M"];
        assert_eq!(told, expected);
    }
}
