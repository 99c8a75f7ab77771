//! Rows of `item`.

use super::{Part, text};
use crate::catalogue::SUBJECTS;

pub(super) const COLUMNS: &str = "i_id, i_title, i_a_id, i_pub_date, i_publisher, i_subject, i_desc, i_related1, i_related2, \
     i_related3, i_related4, i_related5, i_thumbnail, i_image, i_srp, i_cost, i_avail, i_stock, i_isbn, i_page, i_backing, \
     i_dimensions";

const BACKINGS: [&str; 5] = ["HARDBACK", "PAPERBACK", "USED", "AUDIO", "LIMITED-EDITION"];

pub(super) fn write(part: &mut Part<'_>, id: u32) {
    part.number(id);
    title(part, id);
    let authors = part.scale().authors();
    let author = if id <= authors { id } else { part.random.id(authors) };
    part.number(author);
    let published = text::day(&mut part.random, text::DAY_1930, text::TODAY);
    part.date(published);
    part.a_string(14, 60);
    part.pick(&SUBJECTS);
    part.a_string(100, 500);
    related(part);
    image(part, id, "thumb");
    image(part, id, "image");
    price(part);
    let available = text::day(&mut part.random, published + 1, published + 30);
    part.date(available);
    part.between(10, 30);
    part.a_string(13, 13);
    part.between(20, 9999);
    part.pick(&BACKINGS);
    dimensions(part);
    part.end();
}

fn title(part: &mut Part<'_>, id: u32) {
    let words = (part.scale().items / 5).max(1);
    let word = if id <= words { id } else { part.random.id(words) };
    text::title(part.out, &mut part.random, word);
    part.tab();
}

/// Five different items. [`Scale::validate`](crate::scale::Scale::validate) sees to it that there are as many.
fn related(part: &mut Part<'_>) {
    let items = part.scale().items;
    let mut chosen = [0; 5];
    for place in 0..chosen.len() {
        chosen[place] = loop {
            let item = part.random.id(items);
            if !chosen[..place].contains(&item) {
                break item;
            }
        };
    }
    chosen.into_iter().for_each(|item| part.number(item));
}

fn image(part: &mut Part<'_>, id: u32, kind: &str) {
    part.text("img");
    text::number(part.out, u64::from(id % 100));
    part.text("/");
    part.text(kind);
    part.text("_");
    text::number(part.out, u64::from(id));
    part.text(".gif");
    part.tab();
}

fn price(part: &mut Part<'_>) {
    let list_price = part.random.between(100, 999_999);
    let discount = part.random.between(0, 50);
    part.hundredths(list_price);
    part.hundredths((list_price * (100 - discount) + 50) / 100);
}

fn dimensions(part: &mut Part<'_>) {
    for side in 0..3 {
        if side > 0 {
            part.text("x");
        }
        let length = part.random.between(1, 9999);
        text::hundredths(part.out, length);
    }
}
