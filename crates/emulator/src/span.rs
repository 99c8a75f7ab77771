//! A length of time as people write it in a workload: `"500ms"`, `"7s"`, `"1.5m"`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What is accepted, for messages.
pub const ALLOWED: &str = "a number with a unit: \"250ms\", \"2s\", \"1.5m\" or \"1h\"";

/// The longest span that is accepted: 24 hours.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A length of time, written with its unit. At most [`LONGEST`], to the microsecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    /// So many milliseconds.
    pub const fn millis(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }

    /// So many seconds.
    pub const fn secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

/// A text that is no span.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a length of time; allowed is {ALLOWED}, at most 24h")]
pub struct NotASpan {
    given: String,
}

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        parse(text).ok_or_else(|| NotASpan { given: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<Span> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "" if number == 0.0 => 1.0,
        _ => return None,
    };
    let micros = (number * unit * 1e6).round();
    (micros <= LONGEST.as_micros() as f64).then(|| Span(Duration::from_micros(micros as u64)))
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        match micros {
            0 => f.write_str("0s"),
            _ if micros.is_multiple_of(1_000_000) => write!(f, "{}s", micros / 1_000_000),
            _ if micros.is_multiple_of(1_000) => write!(f, "{}ms", micros / 1_000),
            _ => write!(f, "{micros}us"),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Span;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(ALLOWED)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
                text.parse().map_err(E::custom)
            }
        }
        from.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written() {
        let cases = [
            ("500ms", 500_000, "500ms"),
            ("7s", 7_000_000, "7s"),
            ("1.5m", 90_000_000, "90s"),
            ("1h", 3_600_000_000, "3600s"),
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("250us", 250, "250us"),
            (" 2 s ", 2_000_000, "2s"),
        ];
        for (text, micros, written) in cases {
            let span: Span = text.parse().expect(text);
            assert_eq!(span.0, Duration::from_micros(micros), "{text}");
            assert_eq!(span.to_string(), written);
            assert_eq!(written.parse::<Span>(), Ok(span), "what is written is read as the same");
        }
    }

    #[test]
    fn what_is_no_span_is_refused_with_what_is_allowed() {
        for text in ["", "7", "s", "-1s", "7 parsecs", "1.2.3s", "25h", "1e3s", "nan"] {
            let message = text.parse::<Span>().expect_err(text).to_string();
            assert!(message.contains("250ms"), "{message}");
        }
    }
}
