//! Rows of `author`.

use super::{Part, text};

pub(super) const COLUMNS: &str = "a_id, a_fname, a_lname, a_mname, a_dob, a_bio";

pub(super) fn write(part: &mut Part<'_>, id: u32) {
    part.number(id);
    part.a_string(3, 20);
    let words = (part.scale().items / 10).max(1);
    let word = if id <= words { id } else { part.random.id(words) };
    text::last_name(part.out, &mut part.random, word);
    part.tab();
    part.a_string(1, 20);
    let born = text::day(&mut part.random, text::DAY_1800, text::DAY_1990_END);
    part.date(born);
    part.random.a_string(part.out, 125, 500);
    part.end();
}
