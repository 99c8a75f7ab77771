use bookstore::interaction::Interaction;
use bookstore::page::{Page, Purchase};
use bookstore::request::{CartChange, Confirmation, Login, Request, prepare};
use bookstore::store::FailureClass;
use bookstore::visit::Customer;
use bookstore::{Input, Visit, serve};
use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;

use crate::server::{SCALE, TestShop};

/// A cart with these lines, straight into the tables.
async fn filled_cart(shop: &TestShop, lines: &[(u32, u32)]) -> u32 {
    let mut conn = shop.conn().await;
    conn.query_drop("INSERT INTO shopping_cart (sc_time) VALUES (NOW())").await.unwrap();
    let cart = conn.last_insert_id().unwrap() as u32;
    for (item, quantity) in lines {
        conn.query_drop(format!("INSERT INTO shopping_cart_line VALUES ({cart}, {item}, {quantity})"))
            .await
            .unwrap();
    }
    cart
}

/// What a visitor would send, with a token.
fn confirmation(shop: &TestShop, customer: u32, cart: u32, seed: u64) -> Confirmation {
    let visit = Visit {
        customer: Some(Customer { id: customer, name: Some(("Ada".into(), "Byron".into())) }),
        cart: Some(cart),
        token: format!("t{seed}"),
        ..Visit::default()
    };
    match prepare(Interaction::BuyConfirm, &shop.shop, &visit, &mut Input::new(seed)) {
        Request::BuyConfirm(form) => *form,
        request => panic!("{request:?}"),
    }
}

async fn buy(shop: &TestShop, form: Confirmation) -> Option<Purchase> {
    let token = form.token.clone();
    match shop.page(&Request::BuyConfirm(Box::new(form))).await {
        Page::BuyConfirm { token: shown, purchase } => {
            assert_eq!(shown, token);
            purchase
        }
        page => panic!("{page:?}"),
    }
}

#[tokio::test]
async fn a_purchase_is_written_whole_and_to_the_cent() {
    let shop = TestShop::open("purchase").await;
    shop.run("UPDATE item SET i_cost = 33.33 WHERE i_id = 3").await;
    shop.run("UPDATE item SET i_cost = 0.07 WHERE i_id = 4").await;
    for (seed, percent) in [(1, 0), (2, 17), (3, 50), (4, 33), (5, 1)] {
        let customer = 100 + percent;
        shop.run(&format!("UPDATE customer SET c_discount = {percent} / 100 WHERE c_id = {customer}")).await;
        let cart = filled_cart(&shop, &[(4, 3), (3, 2)]).await;
        let form = Confirmation { ship_to: None, ..confirmation(&shop, customer, cart, seed) };
        let purchase = buy(&shop, form.clone()).await.expect("the cart was not empty");
        assert_eq!(purchase.lines, [(3, 2), (4, 3)], "by item");
        // The server's own arithmetic on DECIMALs.
        let totals: (String, String, String, String, u32, u32, String) = shop
            .value(&format!(
                "SELECT CAST(ROUND((2 * 33.33 + 3 * 0.07) * (1 - c_discount), 2) AS CHAR), CAST(o_tax AS CHAR), \
                 CAST(o_total AS CHAR), CAST(o_sub_total AS CHAR), o_bill_addr_id = c_addr_id AND o_ship_addr_id = c_addr_id, \
                 o_tax = ROUND(o_sub_total * 0.0825, 2) AND o_total = o_sub_total + o_tax + 8, o_token \
                 FROM orders JOIN customer ON c_id = o_c_id WHERE o_id = {}",
                purchase.order
            ))
            .await;
        let shown = purchase.totals;
        let sub_total = shown.sub_total.to_string();
        assert_eq!(
            totals,
            (sub_total.clone(), shown.tax.to_string(), shown.total.to_string(), sub_total, 1, 1, form.token)
        );
        let lines: Vec<(u32, u32, u32, String, bool)> = shop
            .query(&format!(
                "SELECT ol_id, ol_i_id, ol_qty, CAST(ol_discount AS CHAR), CHAR_LENGTH(ol_comments) BETWEEN 20 AND 100 \
                 FROM order_line WHERE ol_o_id = {} ORDER BY ol_id",
                purchase.order
            ))
            .await;
        let discount = format!("0.{percent:02}");
        assert_eq!(lines, [(1, 3, 2, discount.clone(), true), (2, 4, 3, discount, true)]);
        let card: (String, String, String, String, bool) = shop
            .value(&format!(
                "SELECT cx_type, cx_num, cx_name, CAST(cx_xact_amt AS CHAR), \
                 DATEDIFF(cx_expiry, CURRENT_DATE) = {} AND cx_xact_date = o_date FROM cc_xacts JOIN orders ON o_id = cx_o_id \
                 WHERE cx_o_id = {}",
                form.card_expiry_days, purchase.order
            ))
            .await;
        let written = (form.card_type.to_owned(), form.card_number.clone(), "Ada Byron".to_owned());
        assert_eq!((card.0, card.1, card.2), written);
        assert_eq!((card.3, card.4), (shown.total.to_string(), true));
        let left: u32 =
            shop.value(&format!("SELECT COUNT(*) FROM shopping_cart_line WHERE scl_sc_id = {cart}")).await;
        assert_eq!(left, 0);
    }
    shop.check().await;
}

#[tokio::test]
async fn buying_an_empty_cart_is_a_page_and_no_order() {
    let shop = TestShop::open("empty").await;
    let cart = filled_cart(&shop, &[(3, 2)]).await;
    let form = confirmation(&shop, 5, cart, 1);
    let orders = "SELECT COUNT(*) FROM orders";
    let before: u64 = shop.value(orders).await;
    assert!(buy(&shop, form.clone()).await.is_some());
    assert_eq!(buy(&shop, form.clone()).await, None, "repeated after a lost answer");
    assert_eq!(buy(&shop, Confirmation { cart: None, ..form.clone() }).await, None);
    assert_eq!(buy(&shop, Confirmation { customer: None, ..form.clone() }).await, None);
    assert_eq!(shop.value::<u64>(orders).await, before + 1);
    // The emptied cart goes on.
    let request =
        Request::ShoppingCart { cart: Some(cart), change: CartChange::Add(8), stand_in: 9, promotion: 3 };
    assert!(matches!(shop.page(&request).await, Page::ShoppingCart { cart: same, .. } if same == cart));
    assert!(buy(&shop, form).await.is_some());
    shop.check().await;
}

#[tokio::test]
async fn stock_is_refilled_below_ten() {
    let shop = TestShop::open("stock").await;
    // (stock, quantity, left): at exactly 10 left nothing comes in.
    for (stock, quantity, left) in
        [(30, 1, 29), (20, 10, 10), (20, 11, 30), (10, 1, 30), (10, 100, -69), (-69, 1, -49)]
    {
        shop.run(&format!("UPDATE item SET i_stock = {stock} WHERE i_id = 6")).await;
        let cart = filled_cart(&shop, &[(6, quantity)]).await;
        buy(&shop, confirmation(&shop, 5, cart, 1)).await.expect("bought");
        assert_eq!(
            shop.value::<i32>("SELECT i_stock FROM item WHERE i_id = 6").await,
            left,
            "{stock} less {quantity}"
        );
    }
}

#[tokio::test]
async fn large_carts_and_other_addresses_are_bought_too() {
    let shop = TestShop::open("large").await;
    let mut elsewhere = 0;
    for lines in [5_u32, 7, 8, 9, 13, 100] {
        let cart = filled_cart(&shop, &(1..=lines).map(|n| (n * 7, 1)).collect::<Vec<_>>()).await;
        let mut form = Confirmation { ship_to: None, ..confirmation(&shop, 5, cart, lines.into()) };
        let mut input = Input::new(1);
        while form.ship_to.is_none() {
            let visit = Visit {
                customer: Some(Customer { id: 5, name: None }),
                cart: Some(cart),
                ..Visit::default()
            };
            if let Request::BuyConfirm(other) =
                prepare(Interaction::BuyConfirm, &shop.shop, &visit, &mut input)
            {
                form.ship_to = other.ship_to;
            }
        }
        let country = form.ship_to.clone().unwrap().country;
        let purchase = buy(&shop, form).await.expect("bought");
        assert_eq!(purchase.lines.len(), lines as usize);
        let (address, card_country): (u32, String) = shop
            .value(&format!(
                "SELECT o_ship_addr_id, co_name FROM orders JOIN cc_xacts ON cx_o_id = o_id JOIN country ON co_id = cx_co_id \
                 WHERE o_id = {}",
                purchase.order
            ))
            .await;
        assert_eq!(card_country, country);
        assert!(elsewhere == 0 || elsewhere == address, "the same new address is one row");
        elsewhere = address;
    }
    assert_eq!(elsewhere, SCALE.addresses() + 1);
    shop.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cart_is_bought_once_however_many_try() {
    let shop = TestShop::open("once").await;
    for round in 0..5 {
        let cart = filled_cart(&shop, &[(3, 2), (900, 1)]).await;
        let mut buyers = JoinSet::new();
        for buyer in 0..4 {
            let request = Request::BuyConfirm(Box::new(confirmation(&shop, 5, cart, round * 10 + buyer)));
            let mut store = shop.store().await;
            buyers.spawn(async move { serve(&request, &mut store).await });
        }
        let pages: Vec<_> = buyers.join_all().await.into_iter().map(|page| page.expect("a page")).collect();
        let bought =
            pages.iter().filter(|page| matches!(page, Page::BuyConfirm { purchase: Some(_), .. })).count();
        assert_eq!(bought, 1, "{pages:?}");
    }
    shop.check().await;
}

/// Purchases of the same few items, carts being filled, customers coming and prices being changed, all at once: nothing is lost and nobody
/// is chosen as a deadlock's victim.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_leaves_the_stock_exact() {
    let shop = TestShop::open("crowd").await;
    let mut crowd = JoinSet::new();
    for visitor in 0..8_u32 {
        let mut store = shop.store().await;
        if visitor % 2 == 0 {
            // The default from 11.6 on: a row that changed after the snapshot may not be written.
            let conn = store.conn().expect("a new connection");
            conn.query_drop("SET SESSION innodb_snapshot_isolation = ON")
                .await
                .expect("MariaDB 10.6.18 or later");
        }
        let carts = {
            let mut carts = Vec::new();
            for round in 0..10 {
                // Six items in all, entered in any order.
                let mut lines: Vec<_> =
                    (0..3).map(|n| (1 + (visitor + round + 2 * n) % 6, 1 + (visitor + n) % 9)).collect();
                lines.rotate_left((round % 3) as usize);
                carts.push(filled_cart(&shop, &lines).await);
            }
            carts
        };
        let requests: Vec<_> = carts
            .into_iter()
            .flat_map(|cart| {
                let form = confirmation(&shop, 1 + visitor % 3, cart, cart.into());
                let admin = Request::AdminConfirm {
                    item: 1 + cart % 6,
                    cost: bookstore::Cents(i64::from(1000 + cart)),
                    picture: 7,
                    spare: (100..109).collect(),
                };
                let add = CartChange::Add(1 + visitor % 6);
                let customer = 1 + visitor % 3;
                let login = Login::Returning {
                    uname: Customer::uname(customer),
                    password: Customer::password(customer),
                };
                let unknown = Visit { cart: Some(cart), ..Visit::default() };
                [
                    Request::ShoppingCart {
                        cart: None,
                        change: CartChange::Show,
                        stand_in: 1 + cart % 6,
                        promotion: 1,
                    },
                    Request::ShoppingCart { cart: Some(cart), change: add, stand_in: 1, promotion: 1 },
                    prepare(Interaction::BuyRequest, &shop.shop, &unknown, &mut Input::new(cart.into())),
                    Request::BuyRequest { cart: Some(cart), login },
                    Request::BuyConfirm(Box::new(form)),
                    admin,
                ]
            })
            .collect();
        crowd.spawn(async move {
            let mut sold = 0;
            for request in requests {
                match serve(&request, &mut store).await {
                    Ok(Page::BuyConfirm { purchase: Some(_), .. }) => sold += 1,
                    Ok(_) => {}
                    Err(error) => panic!("{request:?}: {error}"),
                }
            }
            sold
        });
    }
    let sold: u32 = crowd.join_all().await.into_iter().sum();
    assert_eq!(sold, 80);
    assert_eq!(
        shop.value::<u32>(&format!("SELECT COUNT(*) FROM orders WHERE o_id > {}", SCALE.orders())).await,
        80
    );
    shop.check().await;
}

#[tokio::test]
async fn values_that_do_not_fit_are_refused_and_leave_nothing() {
    let shop = TestShop::open("refused").await;
    let cart = filled_cart(&shop, &[(3, 2)]).await;
    let stock = "SELECT i_stock FROM item WHERE i_id = 3";
    let before: i32 = shop.value(stock).await;
    let good = confirmation(&shop, 5, cart, 1);
    let mut nowhere = good.clone();
    nowhere.ship_to = Some(bookstore::page::Address { country: "Atlantis".into(), ..Default::default() });
    for form in [
        Confirmation { card_name: "x".repeat(32), ..good.clone() },
        Confirmation { token: "x".repeat(33), ..good.clone() },
        nowhere,
    ] {
        let error = shop.serve(&Request::BuyConfirm(Box::new(form))).await.unwrap_err();
        assert_eq!(error.class, FailureClass::Refused, "{error}");
    }
    assert_eq!(shop.value::<i32>(stock).await, before);
    assert_eq!(buy(&shop, good).await.expect("still for sale").lines, [(3, 2)]);
    shop.check().await;
}
