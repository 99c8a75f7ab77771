//! Rows of `customer`.

use super::{Part, text};

pub(super) const COLUMNS: &str = "c_id, c_uname, c_passwd, c_fname, c_lname, c_addr_id, c_phone, c_email, c_since, c_last_login, \
     c_login, c_expiration, c_discount, c_balance, c_ytd_pmt, c_birthdate, c_data";

pub(super) fn write(part: &mut Part<'_>, id: u32) {
    part.number(id);
    text::spell(part.out, id, 0);
    part.tab();
    let name = part.out.len();
    text::spell(part.out, id, 0);
    part.out[name..].make_ascii_lowercase();
    part.tab();
    part.a_string(8, 15);
    part.a_string(8, 15);
    part.id(part.scale().addresses());
    part.n_string(9, 16);
    text::spell(part.out, id, 0);
    part.text("@");
    part.random.a_string(part.out, 2, 9);
    part.text(".com\t");
    days(part);
    part.text("2026-01-01 00:00:00\t2026-01-01 02:00:00\t");
    let discount = part.random.between(0, 50);
    part.hundredths(discount);
    part.text("0.00\t");
    let paid = part.random.between(0, 99_999);
    part.hundredths(paid);
    let born = text::day(&mut part.random, text::DAY_1880, text::TODAY);
    part.date(born);
    part.random.a_string(part.out, 100, 500);
    part.end();
}

/// Customer since, last login.
fn days(part: &mut Part<'_>) {
    let since = text::TODAY - part.random.between(1, 730) as i64;
    let last_login = text::TODAY.min(since + part.random.between(0, 60) as i64);
    part.date(since);
    part.date(last_login);
}
