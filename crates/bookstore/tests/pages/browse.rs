use std::collections::HashMap;

use bookstore::catalogue::SUBJECTS;
use bookstore::digsyl::digsyl;
use bookstore::page::{Book, Page};
use bookstore::request::{Request, Search};

use crate::server::{SCALE, TestShop};

/// All items as the lists show them, with what they are sorted by.
struct Item {
    book: Book,
    subject: String,
    pub_date: String,
}

async fn all_items(shop: &TestShop) -> Vec<Item> {
    let rows: Vec<(u32, String, String, String, String, String)> = shop
        .query("SELECT i_id, i_title, a_fname, a_lname, i_subject, CAST(i_pub_date AS CHAR) FROM item, author WHERE a_id = i_a_id")
        .await;
    assert_eq!(rows.len(), SCALE.items as usize);
    rows.into_iter()
        .map(|(item, title, first, last, subject, pub_date)| Item {
            book: Book { item, title, author: bookstore::page::Name { first, last } },
            subject,
            pub_date,
        })
        .collect()
}

async fn listed(shop: &TestShop, request: Request) -> Vec<Book> {
    match shop.page(&request).await {
        Page::NewProducts { books, .. }
        | Page::BestSellers { books, .. }
        | Page::SearchResults { books, .. } => books,
        page => panic!("{request:?}: {page:?}"),
    }
}

/// The keys must agree place by place, and the rows as sets where keys do not tie.
fn assert_sorted<K: Ord + std::fmt::Debug>(
    books: &[Book],
    expected: Vec<&Item>,
    key: impl Fn(&Item) -> K,
    what: &str,
) {
    let by_id: HashMap<u32, &Item> = expected.iter().map(|item| (item.book.item, *item)).collect();
    let mut keys: Vec<K> = expected.iter().map(|item| key(item)).collect();
    keys.sort();
    keys.truncate(50);
    let shown: Vec<K> = books
        .iter()
        .map(|book| {
            let item = by_id.get(&book.item).unwrap_or_else(|| panic!("{what}: {book:?} does not belong"));
            assert_eq!(*book, item.book, "{what}");
            key(item)
        })
        .collect();
    assert_eq!(shown, keys, "{what}");
}

#[tokio::test]
async fn home_greets_whom_it_knows() {
    let shop = TestShop::shared().await;
    let promotion: Vec<(u32, String)> = shop
        .query("SELECT i_id, i_thumbnail FROM item WHERE i_id IN \
            (SELECT i_related1 FROM item WHERE i_id = 7 UNION SELECT i_related2 FROM item WHERE i_id = 7 \
             UNION SELECT i_related3 FROM item WHERE i_id = 7 UNION SELECT i_related4 FROM item WHERE i_id = 7 \
             UNION SELECT i_related5 FROM item WHERE i_id = 7) ORDER BY i_id")
        .await;
    assert_eq!(promotion.len(), 5);
    let (first, last): (String, String) =
        shop.value("SELECT c_fname, c_lname FROM customer WHERE c_id = 5").await;
    for (customer, name) in [(Some(5), Some((first, last))), (None, None)] {
        let Page::Home { customer, promotion: shown } =
            shop.page(&Request::Home { customer, promotion: 7 }).await
        else {
            panic!("home is home")
        };
        assert_eq!(customer.map(|name| (name.first, name.last)), name);
        let mut shown: Vec<_> = shown.into_iter().map(|thumbnail| (thumbnail.item, thumbnail.path)).collect();
        shown.sort();
        assert_eq!(shown, promotion);
    }
    assert!(shop.serve(&Request::Home { customer: Some(999_999), promotion: 7 }).await.is_err());
}

#[tokio::test]
async fn lists_are_what_the_tables_say() {
    let shop = TestShop::open("lists").await;
    // Makes one subject longer than a page.
    shop.run("UPDATE item SET i_subject = 'ARTS' WHERE i_id % 7 = 0").await;
    let items = all_items(&shop).await;
    for subject in SUBJECTS.iter() {
        let of_subject = || items.iter().filter(|item| item.subject == *subject).collect::<Vec<_>>();
        let books = listed(&shop, Request::NewProducts { subject, promotion: 1 }).await;
        let newest = |item: &Item| (std::cmp::Reverse(item.pub_date.clone()), item.book.title.clone());
        assert_sorted(&books, of_subject(), newest, subject);
        let books =
            listed(&shop, Request::SearchResults { search: Search::Subject(subject), promotion: 1 }).await;
        assert_sorted(&books, of_subject(), |item| item.book.title.clone(), subject);
        assert!(!books.is_empty() && (books.len() == 50 || *subject != "ARTS"), "{subject}: {}", books.len());
    }
}

#[tokio::test]
async fn searches_find_what_browsers_search_for() {
    let shop = TestShop::shared().await;
    let items = all_items(&shop).await;
    for word in [1, 2, 17, 50, 99, 100] {
        let word = digsyl(word, 7);
        let found = items.iter().filter(|item| item.book.author.last.starts_with(&word)).collect::<Vec<_>>();
        assert!(!found.is_empty(), "author {word}");
        let books =
            listed(&shop, Request::SearchResults { search: Search::Author(word.clone()), promotion: 1 })
                .await;
        assert_sorted(&books, found, |item| item.book.title.clone(), &word);

        let found = items.iter().filter(|item| item.book.title.contains(&word)).collect::<Vec<_>>();
        assert!(!found.is_empty(), "title {word}");
        let books =
            listed(&shop, Request::SearchResults { search: Search::Title(word.clone()), promotion: 1 }).await;
        assert_sorted(&books, found, |item| item.book.title.clone(), &word);
    }
    for nothing in ["%", "_", "\\", "no such word", "' OR 1=1 -- "] {
        for search in [Search::Author(nothing.into()), Search::Title(nothing.into())] {
            let found: Vec<_> = match &search {
                Search::Author(text) => {
                    items.iter().filter(|i| i.book.author.last.starts_with(text.as_str())).collect()
                }
                Search::Title(text) => {
                    items.iter().filter(|i| i.book.title.contains(text.as_str())).collect()
                }
                Search::Subject(_) => Vec::new(),
            };
            let books = listed(&shop, Request::SearchResults { search, promotion: 1 }).await;
            assert_sorted(&books, found, |item| item.book.title.clone(), nothing);
        }
    }
}

#[tokio::test]
async fn best_sellers_count_the_newest_orders_only() {
    let shop = TestShop::with_many_orders("best_sellers").await;
    let subjects: HashMap<u32, String> =
        all_items(&shop).await.into_iter().map(|i| (i.book.item, i.subject)).collect();
    // One item sells more than all others, but in the order just too old to count.
    let latest: u32 = shop.value("SELECT MAX(o_id) FROM orders").await;
    assert!(latest > 3333);
    let popular: u32 = shop.value("SELECT MIN(i_id) FROM item WHERE i_subject = 'ARTS'").await;
    shop.run(&format!(
        "UPDATE order_line SET ol_i_id = {popular}, ol_qty = 30000 WHERE ol_o_id = {}",
        latest - 3333
    ))
    .await;
    let lines: Vec<(u32, u32, u32)> = shop.query("SELECT ol_o_id, ol_i_id, ol_qty FROM order_line").await;
    let mut sold: HashMap<u32, u32> = HashMap::new();
    for (_, item, quantity) in lines.iter().filter(|(order, ..)| *order > latest - 3333) {
        *sold.entry(*item).or_default() += quantity;
    }
    for subject in ["ARTS", "TRAVEL"] {
        let mut best: Vec<(std::cmp::Reverse<u32>, u32)> = sold
            .iter()
            .filter(|(item, _)| subjects[item] == subject)
            .map(|(item, sold)| (std::cmp::Reverse(*sold), *item))
            .collect();
        best.sort();
        best.truncate(50);
        let books = listed(&shop, Request::BestSellers { subject, promotion: 1 }).await;
        let shown: Vec<u32> = books.iter().map(|book| book.item).collect();
        assert_eq!(shown, best.iter().map(|(_, item)| *item).collect::<Vec<_>>(), "{subject}");
    }
}

/// A shop with fewer orders than are counted must not fail on unsigned arithmetic.
#[tokio::test]
async fn best_sellers_of_a_young_shop_count_all_orders() {
    let shop = TestShop::open("young").await;
    shop.run("DELETE FROM orders WHERE o_id > 20").await;
    shop.run("DELETE FROM order_line WHERE ol_o_id > 20").await;
    let items: u64 = shop
        .value("SELECT COUNT(DISTINCT ol_i_id) FROM order_line JOIN item ON i_id = ol_i_id WHERE i_subject = 'ARTS'")
        .await;
    assert_eq!(
        listed(&shop, Request::BestSellers { subject: "ARTS", promotion: 1 }).await.len() as u64,
        items
    );
    let page = shop
        .page(&Request::AdminConfirm {
            item: 1,
            cost: bookstore::Cents(1),
            picture: 1,
            spare: (2..=10).collect(),
        })
        .await;
    assert!(matches!(page, Page::AdminConfirm { .. }));
}

#[tokio::test]
async fn product_detail_shows_the_item() {
    let shop = TestShop::shared().await;
    let Page::ProductDetail { detail } = shop.page(&Request::ProductDetail { item: 42 }).await else {
        panic!("a detail page")
    };
    let row: (u32, String, String, String, u32, String, String) = shop
        .value(
            "SELECT i_id, i_title, CAST(i_srp AS CHAR), CAST(i_cost AS CHAR), i_page, i_dimensions, a_lname \
            FROM item JOIN author ON a_id = i_a_id WHERE i_id = 42",
        )
        .await;
    let shown = (
        detail.item,
        detail.title,
        detail.srp.to_string(),
        detail.cost.to_string(),
        detail.pages,
        detail.dimensions,
        detail.author.last,
    );
    assert_eq!(shown, row);
    assert_eq!(detail.pub_date.len(), 10, "{}", detail.pub_date);
    let error = shop.serve(&Request::ProductDetail { item: 1_000_000 }).await.unwrap_err();
    assert_eq!(error.class, bookstore::store::FailureClass::Refused, "{error}");
}
