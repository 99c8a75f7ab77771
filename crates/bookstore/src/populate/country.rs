//! The 92 countries (`docs/tpcw.md`, 3.5), from `data/countries.csv`.

use super::Part;

pub(super) const COLUMNS: &str = "co_id, co_name, co_exchange, co_currency";

/// The countries' lines, without the heading. No field has a comma or a quote in it.
pub(super) fn all() -> Vec<&'static str> {
    include_str!("../../data/countries.csv").lines().skip(1).filter(|line| !line.is_empty()).collect()
}

pub(super) fn write(part: &mut Part<'_>) {
    for line in all() {
        part.out.extend(line.bytes().map(|byte| if byte == b',' { b'\t' } else { byte }));
        part.end();
    }
}
