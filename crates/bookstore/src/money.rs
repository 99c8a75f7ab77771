//! Money as whole cents. The columns are DECIMAL; no floating point touches an amount on its way. Amounts beyond 64 bits,
//! which no sound shop holds, stop at the largest.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Mul};

use serde::{Deserialize, Serialize};

/// An amount in US cents. Also used for the discount column, a DECIMAL(5,2) fraction: 0.25 is 25.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cents(pub i64);

impl Cents {
    /// Reads the server's text of a DECIMAL with at most two decimals: `-12.5`, `3`, `0.07`. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let only_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || fraction.len() > 2 || !only_digits(whole) || !only_digits(fraction) {
            return None;
        }
        let whole: i64 = whole.parse().ok()?;
        let hundredths: i64 = format!("{fraction:0<2}").parse().ok()?;
        let cents = whole.checked_mul(100)?.checked_add(hundredths)?;
        Some(Self(if negative { -cents } else { cents }))
    }

    /// What is left after a discount of `percent`, rounded half up to the cent, as the server rounds a DECIMAL.
    pub fn less_percent(self, percent: i64) -> Self {
        Self(share(self.0, 100_i64.saturating_sub(percent), 100))
    }

    /// The sales tax on it: 8.25 per cent, rounded half up to the cent.
    pub fn tax(self) -> Self {
        Self(share(self.0, 825, 10_000))
    }
}

/// `value * part / whole`, rounded half away from zero.
fn share(value: i64, part: i64, whole: i64) -> i64 {
    let (product, whole) = (i128::from(value) * i128::from(part), i128::from(whole));
    let rounded = (product + product.signum() * (whole / 2)) / whole;
    i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

impl Add for Cents {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Mul<u32> for Cents {
    type Output = Self;
    fn mul(self, times: u32) -> Self {
        Self(self.0.saturating_mul(i64::from(times)))
    }
}

impl Sum for Cents {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self(0), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_decimals_and_nothing_else() {
        for (text, cents) in [("0", 0), ("3", 300), ("12.5", 1250), ("-0.07", -7), ("9999.99", 999_999)] {
            assert_eq!(Cents::parse(text), Some(Cents(cents)), "{text}");
        }
        for text in ["", "-", ".5", "1.234", "1e3", "1,00", " 1", "+1", "--1", "1.-2", "99999999999999999999"]
        {
            assert_eq!(Cents::parse(text), None, "{text}");
        }
    }

    #[test]
    fn rounds_half_up() {
        assert_eq!(Cents(101).less_percent(50), Cents(51));
        assert_eq!(Cents(200).tax(), Cents(17), "16.5 cents");
        assert_eq!(Cents(199).tax(), Cents(16), "16.4175 cents");
        assert_eq!(Cents(1000).less_percent(0), Cents(1000));
        assert_eq!(Cents(-101).less_percent(50), Cents(-51), "as the server does");
    }

    #[test]
    fn amounts_stop_at_the_largest() {
        let most = Cents(i64::MAX);
        assert_eq!((most + most, most * 2, most.less_percent(-100)), (most, most, most));
        assert_eq!(most.less_percent(i64::MIN), most);
        assert!(most.tax() < most);
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(cents in -1_000_000_000_000_i64..1_000_000_000_000) {
            prop_assert_eq!(Cents::parse(&Cents(cents).to_string()), Some(Cents(cents)));
        }
    }
}
