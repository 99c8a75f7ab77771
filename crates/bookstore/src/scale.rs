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
