//! What is known of a shop before anybody visits it.

use crate::scale::Scale;

/// Immutable facts about a populated shop, shared by all its visitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shop {
    /// How large the population was; browsers draw their choices from it, not from what has been added since.
    pub scale: Scale,
}

impl Shop {
    /// The shop of a population.
    pub fn new(scale: Scale) -> Self {
        Self { scale }
    }

    /// A of NURand for customers, by their number in the initial population (`docs/tpcw.md`, 4.2).
    pub fn customer_a(&self) -> u32 {
        match self.scale.customers() {
            0..=9_999 => 1_023,
            10_000..=39_999 => 4_095,
            40_000..=159_999 => 16_383,
            160_000..=639_999 => 65_535,
            640_000..=2_559_999 => 262_143,
            2_560_000..=10_239_999 => 1_048_575,
            10_240_000..=40_959_999 => 4_194_303,
            40_960_000..=163_839_999 => 16_777_215,
            _ => 67_108_863,
        }
    }

    /// A of NURand for search words, by the number of items (`docs/tpcw.md`, 4.2). Sizes between the specification's
    /// take the next larger one's.
    pub fn item_a(&self) -> u32 {
        match self.scale.items {
            0..=1_000 => 63,
            1_001..=10_000 => 511,
            10_001..=100_000 => 4_095,
            100_001..=1_000_000 => 32_767,
            _ => 524_287,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follows_the_size() {
        for (items, browsers, item_a, customer_a) in [
            (1_000, 1, 63, 1_023),
            (10_000, 10, 511, 4_095),
            (100_000, 100, 4_095, 65_535),
            (1_000_000, 1_000, 32_767, 1_048_575),
        ] {
            let shop = Shop::new(Scale { items, browsers });
            assert_eq!(
                (shop.item_a(), shop.customer_a()),
                (item_a, customer_a),
                "{items} items, {browsers} browsers"
            );
        }
    }
}
