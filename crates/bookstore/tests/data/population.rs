//! The population as bytes.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use bookstore::catalogue::{CARD_TYPES, SHIP_TYPES, SUBJECTS};
use bookstore::digsyl::digsyl;
use bookstore::populate::Population;
use bookstore::scale::Scale;
use bookstore::schema::Table;

const SMALL: Population = Population { scale: Scale { items: 1000, browsers: 1 }, seed: 42 };

fn chunk(population: &Population, table: Table, chunk: u32) -> Vec<u8> {
    let mut out = Vec::new();
    population.write_chunk(table, chunk, &mut out);
    out
}

fn whole(population: &Population, table: Table) -> Vec<u8> {
    (0..population.chunks(table)).flat_map(|number| chunk(population, table, number)).collect()
}

/// A table's rows as fields.
fn rows(table: Table) -> Vec<Vec<String>> {
    let text = String::from_utf8(whole(&SMALL, table)).expect("ASCII");
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn a_seed_gives_the_same_bytes_for_ever() {
    // A change here means other data under the same seed: raise SCHEMA_VERSION with it.
    let found: Vec<_> =
        Table::POPULATED.iter().map(|&table| (table.name(), hash(&whole(&SMALL, table)))).collect();
    assert_eq!(
        found,
        [
            ("country", 0x8d33_97fb_b8b0_ea6b),
            ("author", 0x73a0_ffde_5728_6e34),
            ("item", 0x2abb_7ac2_73e3_5e73),
            ("address", 0x7f72_1e55_3ba0_3fb5),
            ("customer", 0xe5fd_acbc_01d4_fd83),
            ("orders", 0xc319_99bf_a5cd_7b92),
            ("order_line", 0xc741_499f_cedc_6473),
            ("cc_xacts", 0x9e58_40df_e3ff_efe3),
        ]
    );
}

#[test]
fn chunks_do_not_depend_on_order_or_thread() {
    let population = Population { scale: Scale { items: 10_000, browsers: 20 }, seed: 3 };
    let forward: Vec<_> = all_chunks(&population)
        .into_iter()
        .map(|(table, number)| hash(&chunk(&population, table, number)))
        .collect();
    assert!(forward.len() > 20);
    let threads: Vec<_> = std::thread::scope(|scope| {
        let handles: Vec<_> = all_chunks(&population)
            .into_iter()
            .rev()
            .map(|(table, number)| scope.spawn(move || hash(&chunk(&population, table, number))))
            .collect();
        handles.into_iter().rev().map(|handle| handle.join().expect("no panic")).collect()
    });
    assert_eq!(forward, threads);
}

fn all_chunks(population: &Population) -> Vec<(Table, u32)> {
    Table::POPULATED
        .iter()
        .flat_map(|&table| (0..population.chunks(table)).map(move |number| (table, number)))
        .collect()
}

#[test]
fn another_seed_gives_other_rows_in_every_table_but_the_countries() {
    let other = Population { seed: SMALL.seed + 1, ..SMALL };
    for table in Table::POPULATED {
        assert_eq!(whole(&SMALL, table) == whole(&other, table), table == Table::Country, "{}", table.name());
    }
}

#[test]
fn ids_run_from_1_and_rows_are_as_many_as_announced() {
    for table in Table::POPULATED {
        let rows = rows(table);
        assert_eq!(rows.len() as u64, SMALL.rows(table), "{}", table.name());
        if table != Table::OrderLine {
            let ids: Vec<usize> = rows.iter().map(|row| row[0].parse().expect("an id")).collect();
            assert_eq!(ids, (1..=rows.len()).collect::<Vec<_>>(), "{}", table.name());
        }
    }
}

/// What a column may hold.
enum Column {
    /// A whole number; both ends must come up.
    Whole(RangeInclusive<u64>),
    /// A whole number in between; too many values for both ends to come up.
    Within(RangeInclusive<u64>),
    /// Hundredths with two decimals, the range in hundredths.
    Money(RangeInclusive<u64>),
    /// Text of the a-string alphabet; both lengths must come up.
    Text(RangeInclusive<usize>),
    /// Digits; both lengths must come up.
    Digits(RangeInclusive<usize>),
    /// A day.
    Day(&'static str, &'static str),
    /// A moment.
    Moment(&'static str, &'static str),
    /// One of a list; all must come up.
    Word(Vec<&'static str>),
    /// Looked at elsewhere.
    Any,
}
use Column::*;

fn columns(table: Table) -> Vec<Column> {
    match table {
        Table::Author => {
            vec![Any, Text(3..=20), Any, Text(1..=20), Day("1800-01-01", "1990-12-31"), Text(125..=500)]
        }
        Table::Item => vec![
            Any,
            Any,
            Within(1..=250),
            Day("1930-01-01", "2026-01-01"),
            Text(14..=60),
            Word(SUBJECTS.clone()),
            Text(100..=500),
            Within(1..=1000),
            Within(1..=1000),
            Within(1..=1000),
            Within(1..=1000),
            Within(1..=1000),
            Any,
            Any,
            Money(100..=999_999),
            Money(50..=999_999),
            Day("1930-01-02", "2026-01-31"),
            Whole(10..=30),
            Text(13..=13),
            Within(20..=9999),
            Word(vec!["HARDBACK", "PAPERBACK", "USED", "AUDIO", "LIMITED-EDITION"]),
            Any,
        ],
        Table::Address => {
            vec![Any, Text(15..=40), Text(15..=40), Text(4..=30), Text(2..=20), Text(5..=10), Whole(1..=92)]
        }
        Table::Customer => vec![
            Any,
            Any,
            Any,
            Text(8..=15),
            Text(8..=15),
            Within(1..=5760),
            Digits(9..=16),
            Any,
            Day("2024-01-02", "2025-12-31"),
            Day("2024-01-02", "2026-01-01"),
            Moment("2026-01-01 00:00:00", "2026-01-01 00:00:00"),
            Moment("2026-01-01 02:00:00", "2026-01-01 02:00:00"),
            Money(0..=50),
            Money(0..=0),
            Money(0..=99_999),
            Day("1880-01-01", "2026-01-01"),
            Text(100..=500),
        ],
        Table::Orders => vec![
            Any,
            Within(1..=2880),
            Moment("2025-11-02 00:00:00", "2025-12-31 00:00:00"),
            Money(1000..=999_999),
            Money(83..=82_500),
            Money(1483..=1_083_299),
            Word(SHIP_TYPES.to_vec()),
            Moment("2025-11-02 00:00:00", "2026-01-07 00:00:00"),
            Within(1..=5760),
            Within(1..=5760),
            Word(vec!["PROCESSING", "SHIPPED", "PENDING", "DENIED"]),
        ],
        Table::OrderLine => vec![
            Within(1..=2592),
            Whole(1..=5),
            Whole(1..=1000),
            Whole(1..=300),
            Money(0..=30),
            Text(20..=100),
        ],
        Table::CcXacts => vec![
            Any,
            Word(CARD_TYPES.to_vec()),
            Digits(16..=16),
            Text(14..=30),
            Day("2026-01-11", "2028-01-01"),
            Text(15..=15),
            Money(1483..=1_083_299),
            Moment("2025-11-02 00:00:00", "2026-01-07 00:00:00"),
            Whole(1..=92),
        ],
        _ => Vec::new(),
    }
}

#[test]
fn columns_keep_to_their_ranges() {
    for table in Table::POPULATED {
        let (rows, columns) = (rows(table), columns(table));
        let names: Vec<_> = Population::columns(table).split(", ").collect();
        for (place, column) in columns.iter().enumerate() {
            let values: Vec<&str> = rows.iter().map(|row| row[place].as_str()).collect();
            if let Err(wrong) = holds(column, &values) {
                panic!("{}: {wrong}", names[place]);
            }
        }
        assert!(columns.is_empty() || rows.iter().all(|row| row.len() == columns.len()), "{}", table.name());
        assert!(columns.is_empty() || names.len() == columns.len(), "{}", table.name());
    }
}

fn holds(column: &Column, values: &[&str]) -> Result<(), String> {
    match column {
        Whole(range) | Within(range) => {
            let numbers = values.iter().map(|value| value.parse().unwrap_or(u64::MAX));
            between(numbers, range, matches!(column, Whole(_)))
        }
        Money(range) => between(values.iter().map(|value| hundredths(value)), range, false),
        Text(lengths) => {
            let odd = values.iter().find(|value| {
                value.bytes().any(|byte| !(b' '..=b'~').contains(&byte) || b"\"'\\<>`".contains(&byte))
            });
            odd.map_or(Ok(()), |odd| Err(format!("{odd:?}")))?;
            between(values.iter().map(|value| value.len()), lengths, true)
        }
        Digits(lengths) => {
            let odd = values.iter().find(|value| !value.bytes().all(|byte| byte.is_ascii_digit()));
            odd.map_or(Ok(()), |odd| Err(format!("{odd:?}")))?;
            between(values.iter().map(|value| value.len()), lengths, true)
        }
        Day(first, last) => between(values.iter().copied(), &(*first..=*last), false)
            .and_then(|()| between(values.iter().map(|value| value.len()), &(10..=10), true)),
        Moment(first, last) => between(values.iter().copied(), &(*first..=*last), true),
        Word(list) => {
            let (found, all): (HashSet<_>, HashSet<_>) = (values.iter().collect(), list.iter().collect());
            if found == all { Ok(()) } else { Err(format!("{found:?}")) }
        }
        Any => Ok(()),
    }
}

fn between<T: PartialOrd + Copy + std::fmt::Debug>(
    values: impl Iterator<Item = T> + Clone,
    range: &RangeInclusive<T>,
    ends: bool,
) -> Result<(), String> {
    if let Some(wrong) = values.clone().find(|value| !range.contains(value)) {
        return Err(format!("{wrong:?} is not within {range:?}"));
    }
    let missing =
        [range.start(), range.end()].into_iter().find(|&end| !values.clone().any(|value| value == *end));
    match missing {
        Some(end) if ends => Err(format!("{end:?} never comes up")),
        _ => Ok(()),
    }
}

fn hundredths(text: &str) -> u64 {
    let (whole, rest) = text.split_once('.').expect("a point");
    assert_eq!(rest.len(), 2, "{text}");
    whole.parse::<u64>().expect("a number") * 100 + rest.parse::<u64>().expect("two digits")
}

#[test]
fn customers_log_in_with_the_spelling_of_their_number() {
    for row in rows(Table::Customer) {
        let name = digsyl(row[0].parse().expect("an id"), 0);
        assert_eq!((&row[1], &row[2]), (&name, &name.to_lowercase()));
        assert!(row[7].starts_with(&format!("{name}@")) && row[7].ends_with(".com"), "{}", row[7]);
        assert!(row[8] <= row[9], "logged in before being a customer");
    }
}

#[test]
fn every_search_word_finds_something() {
    let (authors, items) = (rows(Table::Author), rows(Table::Item));
    let mut by_author: HashMap<&str, usize> = HashMap::new();
    for item in &items {
        let author: usize = item[2].parse().expect("an author");
        *by_author.entry(&authors[author - 1][2][..14]).or_default() += 1;
    }
    let mut found = 0;
    for word in (1..=100).map(|number| digsyl(number, 7)) {
        found += by_author.get(word.as_str()).copied().unwrap_or_default();
        assert!(by_author.contains_key(word.as_str()), "no item of an author {word}");
    }
    assert_eq!(found, items.len());
    for word in (1..=200).map(|number| digsyl(number, 7)) {
        assert!(items.iter().any(|item| item[1].contains(&word)), "no title with {word}");
    }
    assert!(items.iter().all(|item| (14..=60).contains(&item[1].len())));
}

#[test]
fn items_are_consistent_in_themselves() {
    for row in rows(Table::Item) {
        let related: HashSet<_> = row[7..12].iter().collect();
        assert_eq!(related.len(), 5, "item {}", row[0]);
        let folder = row[0].parse::<u32>().expect("an id") % 100;
        assert_eq!(row[12], format!("img{folder}/thumb_{}.gif", row[0]));
        assert_eq!(row[13], format!("img{folder}/image_{}.gif", row[0]));
        let (list_price, cost) = (hundredths(&row[14]), hundredths(&row[15]));
        assert!(cost <= list_price && 2 * cost + 1 >= list_price, "{row:?}");
        assert!(row[3] < row[16], "available before it is published");
        assert!(row[21].split('x').all(|side| (1..=9999).contains(&hundredths(side))), "{}", row[21]);
    }
    let authors: HashSet<_> = rows(Table::Item).into_iter().map(|row| row[2].clone()).collect();
    assert_eq!(authors.len(), 250, "an author without an item");
}

#[test]
fn lines_and_cards_belong_to_their_orders() {
    let orders = rows(Table::Orders);
    let cards = rows(Table::CcXacts);
    let mut lines: HashMap<String, Vec<String>> = HashMap::new();
    for line in rows(Table::OrderLine) {
        lines.entry(line[0].clone()).or_default().push(line[1].clone());
    }
    for (order, card) in orders.iter().zip(&cards) {
        let numbers = &lines[&order[0]];
        let expected: Vec<_> = (1..=numbers.len()).map(|number| number.to_string()).collect();
        assert_eq!(*numbers, expected, "order {}", order[0]);
        let (sub_total, tax, total) = (hundredths(&order[3]), hundredths(&order[4]), hundredths(&order[5]));
        assert_eq!(tax, (sub_total * 825 + 5000) / 10_000);
        assert_eq!(total, sub_total + tax + 300 + 100 * numbers.len() as u64);
        assert_eq!((&card[6], &card[7]), (&order[5], &order[7]), "card of order {}", order[0]);
        assert!(order[2] <= order[7], "shipped before it was ordered");
    }
}
