use bookstore::page::Page;
use bookstore::request::{CartChange, Request};

use crate::server::TestShop;

/// Asks for the cart page and returns its number, its lines, and whether the change was refused. Prices and sub-total are
/// held against the tables on the way.
async fn cart(shop: &TestShop, cart: Option<u32>, change: CartChange) -> (u32, Vec<(u32, u32)>, bool) {
    let request = Request::ShoppingCart { cart, change, stand_in: 9, promotion: 3 };
    let Page::ShoppingCart { cart, lines, sub_total, refused, promotion } = shop.page(&request).await else {
        panic!("a cart page")
    };
    assert_eq!(promotion.len(), 5);
    let stored: Vec<(u32, u32)> = shop
        .query(&format!(
            "SELECT scl_i_id, scl_qty FROM shopping_cart_line WHERE scl_sc_id = {cart} ORDER BY scl_i_id"
        ))
        .await;
    let shown: Vec<_> = lines.iter().map(|line| (line.item, line.quantity)).collect();
    assert_eq!(shown, stored);
    let sum: String = shop
        .value(&format!(
            "SELECT CAST(SUM(scl_qty * i_cost) AS CHAR) FROM shopping_cart_line JOIN item ON i_id = scl_i_id \
            WHERE scl_sc_id = {cart}"
        ))
        .await;
    assert_eq!(sub_total.to_string(), sum);
    (cart, shown, refused)
}

#[tokio::test]
async fn rules_of_the_cart() {
    let shop = TestShop::shared().await;
    let stand_in: u32 = shop.value("SELECT i_related1 FROM item WHERE i_id = 9").await;
    let (id, lines, _) = cart(&shop, None, CartChange::Add(50)).await;
    assert_eq!(lines, [(50, 1)], "a new cart holds what was added, no stand-in");
    let id = Some(id);
    for (change, expected, what) in [
        (CartChange::Add(50), vec![(50, 2)], "the same item again"),
        (CartChange::Add(20), vec![(20, 1), (50, 2)], "another item"),
        (CartChange::Show, vec![(20, 1), (50, 2)], "nothing"),
        (CartChange::Set(vec![]), vec![(20, 1), (50, 2)], "no pairs"),
        (CartChange::Set(vec![(50, 7), (20, 3)]), vec![(20, 3), (50, 7)], "new quantities"),
        (CartChange::Set(vec![(20, 0)]), vec![(50, 7)], "0 takes a line away"),
        (CartChange::Set(vec![(77, 5)]), vec![(50, 7)], "an item that is not there"),
        (CartChange::Set(vec![(77, 0)]), vec![(50, 7)], "nor taken away"),
        (CartChange::Set(vec![(50, 0)]), vec![(stand_in, 1)], "the stand-in of an emptied cart"),
    ] {
        let (same, lines, refused) = cart(&shop, id, change).await;
        assert_eq!((Some(same), lines, refused), (id, expected, false), "{what}");
    }
    let (other, lines, _) = cart(&shop, None, CartChange::Show).await;
    assert_ne!(Some(other), id);
    assert_eq!(lines, [(stand_in, 1)], "the stand-in of a new cart");
    shop.check().await;
}

#[tokio::test]
async fn a_cart_holds_a_hundred_pieces_at_most() {
    let shop = TestShop::shared().await;
    let (id, ..) = cart(&shop, None, CartChange::Add(1)).await;
    let id = Some(id);
    cart(&shop, id, CartChange::Add(2)).await;
    let (_, lines, refused) = cart(&shop, id, CartChange::Set(vec![(1, 99)])).await;
    assert_eq!((lines, refused), (vec![(1, 99), (2, 1)], false), "100 are allowed");
    for change in [CartChange::Add(1), CartChange::Add(3), CartChange::Set(vec![(2, 2)])] {
        let (_, lines, refused) = cart(&shop, id, change.clone()).await;
        assert_eq!((lines, refused), (vec![(1, 99), (2, 1)], true), "{change:?}");
    }
    let (_, lines, refused) = cart(&shop, id, CartChange::Set(vec![(1, 98), (2, 2)])).await;
    assert_eq!((lines, refused), (vec![(1, 98), (2, 2)], false), "the sum counts, after the whole change");
    let pairs = (1..=101).map(|item| (item, 1)).collect();
    let request =
        Request::ShoppingCart { cart: id, change: CartChange::Set(pairs), stand_in: 9, promotion: 3 };
    assert!(shop.serve(&request).await.is_err(), "more than 100 pairs");
}

#[tokio::test]
async fn a_cart_that_is_gone_is_replaced() {
    let shop = TestShop::shared().await;
    let (id, lines, _) = cart(&shop, Some(4_000_000), CartChange::Add(50)).await;
    assert_eq!(lines, [(50, 1)]);
    assert_ne!(id, 4_000_000);
    let (other, lines, _) = cart(&shop, Some(4_000_000), CartChange::Set(vec![(50, 3)])).await;
    assert_eq!(lines.len(), 1);
    assert!(other > id);
    let orphans: u64 = shop.value("SELECT COUNT(*) FROM shopping_cart_line WHERE scl_sc_id = 4000000").await;
    assert_eq!(orphans, 0);
}

/// Adding to one cart from several connections at once loses nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_one_cart_follow_each_other() {
    let shop = TestShop::shared().await;
    let (id, ..) = cart(&shop, None, CartChange::Add(50)).await;
    let mut visitors = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let mut store = shop.store().await;
        visitors.spawn(async move {
            let request = Request::ShoppingCart {
                cart: Some(id),
                change: CartChange::Add(50),
                stand_in: 9,
                promotion: 3,
            };
            for _ in 0..10 {
                bookstore::serve(&request, &mut store).await.expect("an added piece");
            }
        });
    }
    visitors.join_all().await;
    let (_, lines, _) = cart(&shop, Some(id), CartChange::Show).await;
    assert_eq!(lines, [(50, 41)]);
}
