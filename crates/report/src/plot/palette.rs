//! Colours that the colour-blind tell apart (Okabe and Ito, 2008), and greys.

use plotters::style::RGBColor;

/// Fonts of the drawings; the first is the one that PNG files are drawn with.
pub const FONT: &str = "DejaVu Sans, Verdana, sans-serif";

/// A colour by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Colour {
    /// Behind everything.
    Background,
    /// Text and axes.
    Ink,
    /// Text of less weight.
    Muted,
    /// Lines that guide the eye.
    Grid,
    /// Bands of phases.
    Band,
    /// Blue.
    Blue,
    /// Light blue.
    Sky,
    /// Orange.
    Orange,
    /// Green.
    Green,
    /// Vermillion: what went wrong.
    Red,
    /// Purple.
    Purple,
    /// Yellow.
    Yellow,
    /// Grey as a series.
    Grey,
}

/// The order in which nodes and other series take colours.
pub const SERIES: [Colour; 8] = [
    Colour::Blue,
    Colour::Orange,
    Colour::Green,
    Colour::Purple,
    Colour::Sky,
    Colour::Yellow,
    Colour::Red,
    Colour::Grey,
];

impl Colour {
    /// All of them.
    const ALL: [Self; 13] = [
        Self::Background,
        Self::Ink,
        Self::Muted,
        Self::Grid,
        Self::Band,
        Self::Blue,
        Self::Sky,
        Self::Orange,
        Self::Green,
        Self::Red,
        Self::Purple,
        Self::Yellow,
        Self::Grey,
    ];

    /// The value in files; each colour has its own.
    pub(super) const fn value(self) -> RGBColor {
        match self {
            Self::Background => RGBColor(255, 255, 255),
            Self::Ink => RGBColor(0x1c, 0x24, 0x30),
            Self::Muted => RGBColor(0x5b, 0x66, 0x75),
            Self::Grid => RGBColor(0xdf, 0xe3, 0xe8),
            Self::Band => RGBColor(0xee, 0xf1, 0xf5),
            Self::Blue => RGBColor(0, 114, 178),
            Self::Sky => RGBColor(86, 180, 233),
            Self::Orange => RGBColor(230, 159, 0),
            Self::Green => RGBColor(0, 158, 115),
            Self::Red => RGBColor(213, 94, 0),
            Self::Purple => RGBColor(0xb0, 0x57, 0x8d),
            Self::Yellow => RGBColor(0xd6, 0xc6, 0x23),
            Self::Grey => RGBColor(0x8a, 0x94, 0xa3),
        }
    }

    /// The value on a dark page, where it needs another one.
    const fn dark(self) -> Option<&'static str> {
        match self {
            Self::Background => Some("#12161c"),
            Self::Ink => Some("#e6eaf0"),
            Self::Muted => Some("#9aa5b4"),
            Self::Grid => Some("#2c343f"),
            Self::Band => Some("#1a2028"),
            Self::Blue => Some("#3d9be0"),
            Self::Green => Some("#2bb98d"),
            Self::Red => Some("#f07a2a"),
            Self::Purple => Some("#c77fae"),
            Self::Sky | Self::Orange | Self::Yellow | Self::Grey => None,
        }
    }

    /// The name of its variable on a page.
    fn variable(self) -> String {
        format!("--{self:?}").to_lowercase()
    }

    /// The value as plotters writes it.
    pub(super) fn hex(self) -> String {
        let RGBColor(red, green, blue) = self.value();
        format!("#{red:02X}{green:02X}{blue:02X}")
    }
}

/// Style rules for drawings within a page, light and dark. The files carry literal colours, so that they stand alone; the rules
/// find shapes by those values and put the page's variables in their place, as rules of style win over attributes.
pub fn page_rules() -> String {
    let all = Colour::ALL;
    let light: String = all.iter().map(|c| format!("{}:{};", c.variable(), c.hex())).collect();
    let dark: String = all.iter().filter_map(|c| Some(format!("{}:{};", c.variable(), c.dark()?))).collect();
    let rule = |colour: &Colour| {
        let (hex, variable) = (colour.hex(), colour.variable());
        format!(
            "svg [fill=\"{hex}\"]{{fill:var({variable})}}svg [stroke=\"{hex}\"]{{stroke:var({variable})}}\n"
        )
    };
    let rules: String = all.iter().map(rule).collect();
    format!(":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{rules}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_value_tells_its_colour() {
        let values: BTreeSet<String> = Colour::ALL.into_iter().map(Colour::hex).collect();
        assert_eq!(values.len(), Colour::ALL.len());
        assert_eq!(Colour::Blue.hex(), "#0072B2");
        assert_eq!(Colour::Blue.variable(), "--blue");
    }
}
