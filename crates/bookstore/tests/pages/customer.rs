use bookstore::interaction::Interaction;
use bookstore::page::Page;
use bookstore::request::{Login, Request, prepare};
use bookstore::visit::Customer;
use bookstore::{Input, Visit, perform};

use crate::server::{SCALE, TestShop};

fn returning(id: u32) -> Login {
    Login::Returning { uname: Customer::uname(id), password: Customer::password(id) }
}

#[tokio::test]
async fn a_returning_customer_logs_in() {
    let shop = TestShop::shared().await;
    shop.run("UPDATE customer SET c_login = '2001-01-01', c_expiration = '2001-01-01' WHERE c_id = 77").await;
    let request = Request::BuyRequest { cart: None, login: returning(77) };
    let Page::BuyRequest { customer, lines, totals, .. } = shop.page(&request).await else {
        panic!("a buy request")
    };
    assert_eq!((customer.id, customer.uname.as_str(), customer.registered), (77, "ULUL", false));
    assert!(lines.is_empty());
    assert_eq!(totals.total, bookstore::Cents(300), "shipping of nothing");
    let (fresh, hours): (bool, u32) = shop
        .value("SELECT c_login > NOW() - INTERVAL 1 HOUR, TIMESTAMPDIFF(HOUR, c_login, c_expiration) FROM customer \
            WHERE c_id = 77")
        .await;
    assert_eq!((fresh, hours), (true, 2));
    let country: String = shop
        .value("SELECT co_name FROM customer JOIN address ON addr_id = c_addr_id JOIN country ON co_id = addr_co_id \
            WHERE c_id = 77")
        .await;
    assert_eq!(customer.address.country, country);
}

#[tokio::test]
async fn a_wrong_password_changes_nothing() {
    let shop = TestShop::shared().await;
    shop.run("UPDATE customer SET c_login = '2001-01-01' WHERE c_id = 78").await;
    let uname = Customer::uname(78);
    for (uname, password) in
        [(uname.as_str(), "wrong"), (uname.as_str(), "ULIN"), ("NOBODY", "nobody"), ("", "")]
    {
        let login = Login::Returning { uname: uname.into(), password: password.into() };
        assert!(shop.serve(&Request::BuyRequest { cart: None, login }).await.is_err(), "{uname} {password}");
        let request = Request::OrderDisplay { uname: uname.into(), password: password.into() };
        assert!(shop.serve(&request).await.is_err(), "{uname} {password}");
    }
    let untouched: u32 = shop.value("SELECT COUNT(*) FROM customer WHERE c_login = '2001-01-01'").await;
    assert_eq!(untouched, 1);
}

#[tokio::test]
async fn a_new_customer_is_registered() {
    let shop = TestShop::open("register").await;
    let mut store = shop.store().await;
    let (mut visit, mut input) = (Visit::default(), Input::new(5));
    let request = prepare(Interaction::BuyRequest, &shop.shop, &visit, &mut input);
    let Request::BuyRequest { login: Login::New(form), .. } = &request else { panic!("{request:?}") };
    let Page::BuyRequest { customer, .. } = perform(&request, &mut store, &mut visit).await.unwrap() else {
        panic!("a buy request")
    };
    assert_eq!(customer.id, SCALE.customers() + 1);
    assert!(customer.registered);
    assert_eq!(visit.customer.as_ref().map(|c| c.id), Some(customer.id), "now the visitor is known");
    let row: (String, String, String, String, String, u32, u32) = shop
        .value(&format!(
            "SELECT c_uname, c_passwd, c_fname, CAST(c_discount AS CHAR), CAST(c_balance AS CHAR), \
             c_since = CURRENT_DATE AND c_birthdate >= '1880-01-01' AND c_expiration > c_login, c_addr_id \
             FROM customer WHERE c_id = {}",
            customer.id
        ))
        .await;
    let (uname, password) = (Customer::uname(customer.id), Customer::password(customer.id));
    let discount = format!("0.{:02}", form.discount_percent);
    let address = SCALE.addresses() + 1;
    assert_eq!(row, (uname, password, form.name.first.clone(), discount, "0.00".into(), 1, address));
    // Who gives the same address gets the same row.
    let Page::BuyRequest { customer: other, .. } = shop.page(&request).await else { panic!("a buy request") };
    assert_eq!(other.id, customer.id + 1);
    let shared: u32 = shop.value(&format!("SELECT COUNT(*) FROM customer WHERE c_addr_id = {address}")).await;
    assert_eq!(shared, 2);
    // And can log in.
    shop.page(&Request::BuyRequest { cart: None, login: returning(customer.id) }).await;
    shop.check().await;
}

#[tokio::test]
async fn forms_show_the_user_name() {
    let shop = TestShop::shared().await;
    for customer in [None, Some(10)] {
        let expected = customer.map(|_| "OGBA".to_owned());
        let page = shop.page(&Request::CustomerRegistration { customer }).await;
        assert_eq!(page, Page::CustomerRegistration { uname: expected.clone() });
        let page = shop.page(&Request::OrderInquiry { customer }).await;
        assert_eq!(page, Page::OrderInquiry { uname: expected });
    }
}

#[tokio::test]
async fn order_display_shows_the_latest_order() {
    let shop = TestShop::shared().await;
    let orders: Vec<(u32, u32)> =
        shop.query("SELECT o_c_id, COUNT(*) FROM orders GROUP BY o_c_id HAVING COUNT(*) > 2 LIMIT 20").await;
    assert!(!orders.is_empty());
    for (customer, _) in orders {
        let request = Request::OrderDisplay {
            uname: Customer::uname(customer),
            password: Customer::password(customer),
        };
        let Page::OrderDisplay { customer: shown, order: Some(order) } = shop.page(&request).await else {
            panic!("an order of {customer}")
        };
        assert_eq!(shown, customer);
        let of: Vec<(u32, String, String, String)> = shop
            .query(&format!(
                "SELECT o_id, CAST(o_date AS CHAR), CAST(o_total AS CHAR), cx_type FROM orders JOIN cc_xacts ON cx_o_id = o_id \
                 WHERE o_c_id = {customer}"
            ))
            .await;
        let latest = of.into_iter().max_by_key(|(id, date, ..)| (date.clone(), *id)).unwrap();
        assert_eq!((order.id, order.date, order.total.to_string(), order.card_type), latest);
        assert_eq!(order.token, None);
        let lines: Vec<(u32, u32, String)> = shop
            .query(&format!(
                "SELECT ol_i_id, ol_qty, ol_comments FROM order_line WHERE ol_o_id = {} ORDER BY ol_id",
                order.id
            ))
            .await;
        let shown: Vec<_> =
            order.lines.into_iter().map(|line| (line.item, line.quantity, line.comments)).collect();
        assert_eq!(shown, lines);
        let ship_to: String = shop
            .value(&format!(
                "SELECT addr_street1 FROM orders JOIN address ON addr_id = o_ship_addr_id WHERE o_id = {}",
                order.id
            ))
            .await;
        assert_eq!(order.ship_to.street1, ship_to);
    }
    let nobody: u32 = shop
        .value("SELECT MIN(c_id) FROM customer LEFT JOIN orders ON o_c_id = c_id WHERE o_id IS NULL")
        .await;
    let request =
        Request::OrderDisplay { uname: Customer::uname(nobody), password: Customer::password(nobody) };
    assert_eq!(shop.page(&request).await, Page::OrderDisplay { customer: nobody, order: None });
}
