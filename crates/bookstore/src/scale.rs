//! Items and emulated browsers → row counts (`docs/tpcw.md`, 3.1).

use serde::{Deserialize, Serialize};

/// How large a shop is. All ids run from 1 without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scale {
    /// NUM_ITEMS. The specification allows 1,000 and its multiples by ten up to 10,000,000; other figures work.
    pub items: u32,
    /// NUM_EBS: emulated browsers that the data is sized for.
    pub browsers: u32,
}

impl Scale {
    /// The fewest items: one word for the titles and one for the authors' names, and five different related items.
    pub const MIN_ITEMS: u32 = 10;
    /// The most items, as in the specification.
    pub const MAX_ITEMS: u32 = 10_000_000;
    /// The most browsers: ids stay below half of what 32 bits hold, which leaves room for all that a run adds.
    pub const MAX_BROWSERS: u32 = 350_000;

    /// Whether a shop of this scale can be made; otherwise what is allowed.
    pub fn validate(self) -> Result<(), String> {
        if !(Self::MIN_ITEMS..=Self::MAX_ITEMS).contains(&self.items) {
            return Err(format!(
                "items is {}, allowed are {} to {}",
                self.items,
                Self::MIN_ITEMS,
                Self::MAX_ITEMS
            ));
        }
        if !(1..=Self::MAX_BROWSERS).contains(&self.browsers) {
            return Err(format!("browsers is {}, allowed are 1 to {}", self.browsers, Self::MAX_BROWSERS));
        }
        Ok(())
    }

    /// Rows of `customer`.
    pub fn customers(self) -> u32 {
        2880 * self.browsers
    }

    /// Rows of `address`.
    pub fn addresses(self) -> u32 {
        2 * self.customers()
    }

    /// Rows of `author`: a quarter of the items, at least one.
    pub fn authors(self) -> u32 {
        (self.items / 4).max(1)
    }

    /// Rows of `orders` and of `cc_xacts`.
    pub fn orders(self) -> u32 {
        self.customers() / 10 * 9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_follow_the_specification() {
        let scale = Scale { items: 10_000, browsers: 100 };
        assert_eq!(
            (scale.authors(), scale.customers(), scale.addresses(), scale.orders()),
            (2500, 288_000, 576_000, 259_200)
        );
    }

    #[test]
    fn impossible_scales_are_refused() {
        for (items, browsers, fits) in [
            (10, 1, true),
            (10_000_000, 350_000, true),
            (9, 1, false),
            (1000, 0, false),
            (1000, 350_001, false),
        ] {
            assert_eq!(Scale { items, browsers }.validate().is_ok(), fits, "{items} {browsers}");
        }
    }
}
