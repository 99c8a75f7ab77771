//! Rows of `orders`, `order_line` and `cc_xacts`. A card's line repeats its order's total and day: both tables draw the
//! orders from one stream, the rest of the card comes from another.

use std::ops::RangeInclusive;

use super::address::COUNTRIES;
use super::random::Random;
use super::{Part, Population, text};
use crate::catalogue::{CARD_TYPES, SHIP_TYPES};
use crate::schema::Table;

pub(super) const COLUMNS: &str = "o_id, o_c_id, o_date, o_sub_total, o_tax, o_total, o_ship_type, o_ship_date, o_bill_addr_id, \
     o_ship_addr_id, o_status";
pub(super) const LINE_COLUMNS: &str = "ol_o_id, ol_id, ol_i_id, ol_qty, ol_discount, ol_comments";
pub(super) const CARD_COLUMNS: &str =
    "cx_o_id, cx_type, cx_num, cx_name, cx_expiry, cx_auth_id, cx_xact_amt, cx_xact_date, cx_co_id";

const STATES: [&str; 4] = ["PROCESSING", "SHIPPED", "PENDING", "DENIED"];

/// Names the streams from which an order's number of lines is drawn, beyond those of the tables.
const LINES_STREAM: u64 = 1000;

/// What an order's line and its card's have in common, money in hundredths.
struct Order {
    customer: u32,
    day: i64,
    sub_total: u64,
    tax: u64,
    total: u64,
    ship_day: i64,
}

impl Order {
    fn draw(random: &mut Random, population: Population, id: u32) -> Self {
        let customer = random.id(population.scale.customers());
        let day = text::TODAY - random.between(1, 60) as i64;
        let sub_total = random.between(1000, 999_999);
        let tax = (sub_total * 825 + 5000) / 10_000;
        let total = sub_total + tax + 300 + 100 * lines(population.seed, id);
        let ship_day = day + random.between(0, 7) as i64;
        Self { customer, day, sub_total, tax, total, ship_day }
    }
}

/// How many lines an order has, 1 to 5: known without drawing any other order, since two tables need it.
pub(super) fn lines(seed: u64, order: u32) -> u64 {
    Random::new(seed, LINES_STREAM, u64::from(order)).between(1, 5)
}

pub(super) fn write(part: &mut Part<'_>, ids: RangeInclusive<u32>) {
    let mut rest = Random::new(part.population.seed, LINES_STREAM + 1, u64::from(part.chunk));
    for id in ids {
        let order = Order::draw(&mut part.random, part.population, id);
        part.number(id);
        part.number(order.customer);
        part.midnight(order.day);
        part.hundredths(order.sub_total);
        part.hundredths(order.tax);
        part.hundredths(order.total);
        part.text(rest.pick(&SHIP_TYPES));
        part.tab();
        part.midnight(order.ship_day);
        part.number(rest.id(part.scale().addresses()));
        part.number(rest.id(part.scale().addresses()));
        part.text(rest.pick(&STATES));
        part.end();
    }
}

/// How many lines were written.
pub(super) fn write_lines(part: &mut Part<'_>, order: u32) -> u64 {
    let count = lines(part.population.seed, order);
    for line in 1..=count {
        part.number(order);
        part.number(line as u32);
        part.id(part.scale().items);
        part.between(1, 300);
        let discount = part.random.between(0, 30);
        part.hundredths(discount);
        part.random.a_string(part.out, 20, 100);
        part.end();
    }
    count
}

pub(super) fn write_cards(part: &mut Part<'_>, ids: RangeInclusive<u32>) {
    let mut orders = part.population.stream(Table::Orders, part.chunk);
    for id in ids {
        let order = Order::draw(&mut orders, part.population, id);
        part.number(id);
        part.pick(&CARD_TYPES);
        part.n_string(16, 16);
        part.a_string(14, 30);
        let expiry = text::day(&mut part.random, text::TODAY + 10, text::TODAY + 730);
        part.date(expiry);
        part.a_string(15, 15);
        part.hundredths(order.total);
        part.midnight(order.ship_day);
        let country = part.random.between(1, COUNTRIES);
        text::number(part.out, country);
        part.end();
    }
}
