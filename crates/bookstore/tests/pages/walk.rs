use bookstore::interaction::Interaction;
use bookstore::request::prepare;
use bookstore::{Input, Mix, Visit, perform};

use crate::server::TestShop;

/// Sessions of each mix, one after the other on one connection: every page comes back, the same seed asks for the same
/// pages, and the data keeps all conditions.
#[tokio::test]
async fn sessions_of_every_mix_come_through() {
    let shop = TestShop::open("walk").await;
    let mut store = shop.store().await;
    let mut seen = [0_u32; 14];
    for (seed, mix) in Mix::ALL.into_iter().enumerate() {
        let (mut draws, mut input) = (Input::new(seed as u64), Input::new(1000 + seed as u64));
        let mut visit = Visit::new(&shop.shop, &mut input);
        let mut page = Interaction::Home;
        for step in 0..400 {
            visit.token = format!("{seed}-{step}");
            let request = prepare(page, &shop.shop, &visit, &mut input);
            assert_eq!(request.interaction(), page);
            perform(&request, &mut store, &mut visit)
                .await
                .unwrap_or_else(|error| panic!("{mix:?}, page {step}, {request:?}: {error}"));
            assert_eq!(visit.page, Some(page));
            seen[page.index()] += 1;
            page = mix.transitions().next(page, draws.uniform(1, 9999) as u16);
        }
    }
    for often in [Interaction::BuyConfirm, Interaction::OrderDisplay, Interaction::CustomerRegistration] {
        assert!(seen[often.index()] > 0, "{often} was never reached");
    }
    shop.check().await;
}
