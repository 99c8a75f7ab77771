//! Rows of `address`.

use super::{Part, text};

pub(super) const COLUMNS: &str =
    "addr_id, addr_street1, addr_street2, addr_city, addr_state, addr_zip, addr_co_id";

/// Rows of `country`.
pub(super) const COUNTRIES: u64 = 92;

pub(super) fn write(part: &mut Part<'_>, id: u32) {
    part.number(id);
    part.a_string(15, 40);
    part.a_string(15, 40);
    part.a_string(4, 30);
    part.a_string(2, 20);
    part.a_string(5, 10);
    let country = part.random.between(1, COUNTRIES);
    text::number(part.out, country);
    part.end();
}
