//! Which page comes next: the three session transition tables, and what the long run should look like.

mod table;

use std::sync::LazyLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::interaction::Interaction;
pub use table::{TableError, Transitions};

/// The specification's three mixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mix {
    /// 95 per cent browsing pages; its rate is WIPSb.
    Browsing,
    /// 80 per cent; its rate is WIPS.
    Shopping,
    /// 50 per cent; its rate is WIPSo.
    Ordering,
}

static TABLES: LazyLock<[Transitions; 3]> = LazyLock::new(|| {
    [
        include_str!("../../data/transitions-browsing.csv"),
        include_str!("../../data/transitions-shopping.csv"),
        include_str!("../../data/transitions-ordering.csv"),
    ]
    .map(|text| Transitions::parse(text).expect("the crate's own transition tables are sound"))
});

/// Per mix, per cent by interaction.
static SHARES: LazyLock<[[f64; 14]; 3]> = LazyLock::new(|| {
    let text = include_str!("../../data/mix.csv");
    [2, 3, 4].map(|column| table::by_interaction(text, column).expect("the crate's own mix table is sound"))
});

/// Seconds by interaction.
static LIMITS: LazyLock<[f64; 14]> = LazyLock::new(|| {
    table::by_interaction(include_str!("../../data/wirt.csv"), 1)
        .expect("the crate's own table of limits is sound")
});

impl Mix {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Browsing, Self::Shopping, Self::Ordering];

    /// The name used in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Browsing => "browsing",
            Self::Shopping => "shopping",
            Self::Ordering => "ordering",
        }
    }

    /// Its session transition table.
    pub fn transitions(self) -> &'static Transitions {
        &TABLES[self as usize]
    }

    /// The share of an interaction in the long run, in per cent.
    pub fn required_share(self, interaction: Interaction) -> f64 {
        SHARES[self as usize][interaction.index()]
    }
}

/// Nine of ten interactions of a kind must be faster than this (`docs/tpcw.md`, 5).
pub fn wirt_limit(interaction: Interaction) -> Duration {
    Duration::from_secs_f64(LIMITS[interaction.index()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_lead_to_the_required_shares() {
        for mix in Mix::ALL {
            let shares = mix.transitions().long_run_shares();
            for interaction in Interaction::ALL {
                let (share, required) =
                    (100.0 * shares[interaction.index()], mix.required_share(interaction));
                assert!(
                    (share - required).abs() < 0.25,
                    "{mix:?} {interaction}: {share:.3} instead of {required}"
                );
            }
        }
    }

    #[test]
    fn required_shares_add_up() {
        for mix in Mix::ALL {
            let sum: f64 = Interaction::ALL.iter().map(|i| mix.required_share(*i)).sum();
            assert!((sum - 100.0).abs() < 0.011, "{mix:?}: {sum}");
        }
    }

    #[test]
    fn limits_are_the_specifications() {
        let seconds = |interaction| wirt_limit(interaction).as_secs();
        assert_eq!(seconds(Interaction::AdminConfirm), 20);
        assert_eq!(seconds(Interaction::SearchResults), 10);
        assert_eq!(seconds(Interaction::BuyConfirm), 5);
        assert_eq!(seconds(Interaction::Home), 3);
        assert_eq!(Interaction::ALL.into_iter().map(seconds).sum::<u64>(), 72);
    }

    #[test]
    fn the_same_45_cells_are_filled_in_each() {
        let cells = |mix: Mix| {
            let mut cells = Vec::new();
            for from in Interaction::ALL {
                let mut reached: Vec<_> = (1..=9999).map(|draw| mix.transitions().next(from, draw)).collect();
                reached.dedup();
                cells.extend(reached.into_iter().map(|to| (from, to)));
            }
            cells
        };
        let shopping = cells(Mix::Shopping);
        assert_eq!(shopping.len(), 45);
        assert_eq!(cells(Mix::Browsing), shopping);
        assert_eq!(cells(Mix::Ordering), shopping);
        assert!(!shopping.contains(&(Interaction::Home, Interaction::BuyConfirm)));
    }
}
