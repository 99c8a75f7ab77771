use std::collections::HashMap;

use bookstore::Cents;
use bookstore::page::Page;
use bookstore::request::Request;

use crate::server::TestShop;

fn confirm(item: u32) -> Request {
    Request::AdminConfirm { item, cost: Cents(123_456), picture: 345, spare: (901..=909).collect() }
}

#[tokio::test]
async fn an_item_is_changed_and_heads_its_list() {
    let shop = TestShop::open("admin").await;
    let Page::AdminRequest { detail: before } = shop.page(&Request::AdminRequest { item: 42 }).await else {
        panic!("an admin page")
    };
    let Page::AdminConfirm { detail, related } = shop.page(&confirm(42)).await else {
        panic!("an admin page")
    };
    let today: String = shop.value("SELECT CAST(CURRENT_DATE AS CHAR)").await;
    assert_eq!((detail.cost, detail.pub_date.as_str()), (Cents(123_456), today.as_str()));
    assert_eq!(
        (detail.image.as_str(), detail.thumbnail.as_str()),
        ("img45/image_345.gif", "img45/thumb_345.gif")
    );
    assert_eq!((&detail.title, detail.srp), (&before.title, before.srp), "the rest stays");
    let stored: (u32, u32, u32, u32, u32) = shop
        .value("SELECT i_related1, i_related2, i_related3, i_related4, i_related5 FROM item WHERE i_id = 42")
        .await;
    assert_eq!(related, [stored.0, stored.1, stored.2, stored.3, stored.4]);
    let subject = bookstore::catalogue::SUBJECTS.iter().find(|subject| **subject == detail.subject).unwrap();
    let Page::NewProducts { books, .. } = shop.page(&Request::NewProducts { subject, promotion: 42 }).await
    else {
        panic!("a list")
    };
    assert_eq!(books[0].item, 42);
    shop.page(&confirm(42)).await;
    assert!(shop.serve(&confirm(99_999)).await.is_err(), "an item that does not exist");
    shop.check().await;
}

#[tokio::test]
async fn related_items_are_what_its_buyers_bought_most() {
    let shop = TestShop::open("related").await;
    let lines: Vec<(u32, u32, u32, u32)> = shop
        .query("SELECT o_id, o_c_id, ol_i_id, ol_qty FROM orders JOIN order_line ON ol_o_id = o_id")
        .await;
    for item in [1, 500, 777] {
        let buyers: Vec<u32> = lines.iter().filter(|line| line.2 == item).map(|line| line.1).collect();
        assert!(!buyers.is_empty());
        let mut bought: HashMap<u32, u32> = HashMap::new();
        for (_, _, other, quantity) in lines.iter().filter(|line| buyers.contains(&line.1) && line.2 != item)
        {
            *bought.entry(*other).or_default() += quantity;
        }
        let mut most: Vec<_> = bought.into_iter().map(|(item, sum)| (std::cmp::Reverse(sum), item)).collect();
        most.sort();
        let Page::AdminConfirm { related, .. } = shop.page(&confirm(item)).await else {
            panic!("an admin page")
        };
        assert_eq!(
            related.to_vec(),
            most.iter().take(5).map(|(_, item)| *item).collect::<Vec<_>>(),
            "item {item}"
        );
    }
    // Nobody ever bought it: spare items fill all places.
    shop.run("UPDATE order_line SET ol_i_id = 11 WHERE ol_i_id = 10").await;
    let Page::AdminConfirm { related, .. } = shop.page(&confirm(10)).await else { panic!("an admin page") };
    assert_eq!(related, [901, 902, 903, 904, 905]);
}
