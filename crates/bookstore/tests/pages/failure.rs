//! A page that fails at any of its statements leaves the visit and the data as they were.

use bookstore::interaction::Interaction;
use bookstore::plain::Plain;
use bookstore::request::{CartChange, Request, prepare};
use bookstore::store::{FailureClass, Statement, Store, StoreError, Written};
use bookstore::visit::Customer;
use bookstore::{Input, Visit, perform};
use mysql_async::{Row, Value};

use crate::server::TestShop;

/// Fails with `class` instead of doing its `left`th step from now.
struct Failing {
    inner: Plain,
    left: usize,
    class: FailureClass,
    rollbacks: usize,
}

impl Failing {
    fn step(&mut self) -> Result<(), StoreError> {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = usize::MAX;
                Err(StoreError { class: self.class, code: None, message: "made to fail".into() })
            }
        }
    }
}

impl Store for Failing {
    async fn rows(
        &mut self,
        statement: &'static Statement,
        params: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        self.step()?;
        self.inner.rows(statement, params).await
    }
    async fn write(
        &mut self,
        statement: &'static Statement,
        params: Vec<Value>,
    ) -> Result<Written, StoreError> {
        self.step()?;
        self.inner.write(statement, params).await
    }
    async fn begin(&mut self) -> Result<(), StoreError> {
        self.step()?;
        self.inner.begin().await
    }
    async fn commit(&mut self) -> Result<(), StoreError> {
        self.step()?;
        self.inner.commit().await
    }
    async fn rollback(&mut self) -> Result<(), StoreError> {
        self.rollbacks += 1;
        self.inner.rollback().await
    }
}

async fn written(shop: &TestShop) -> Vec<(String, u64)> {
    bookstore::check::checksums(&mut shop.conn().await).await.expect("checksums")
}

#[tokio::test]
async fn a_page_that_fails_changes_nothing_and_can_be_repeated() {
    let shop = TestShop::open("failure").await;
    let mut store = shop.store().await;
    let mut visit =
        Visit { customer: Some(Customer { id: 5, name: None }), token: "once".into(), ..Visit::default() };
    let cart = Request::ShoppingCart { cart: None, change: CartChange::Add(8), stand_in: 9, promotion: 3 };
    perform(&cart, &mut store, &mut visit).await.unwrap();
    let mut input = Input::new(3);
    let mut new_visitor = visit.clone();
    new_visitor.customer = None;
    let requests = [
        Request::ShoppingCart {
            cart: visit.cart,
            change: CartChange::Set(vec![(8, 0)]),
            stand_in: 9,
            promotion: 3,
        },
        prepare(Interaction::BuyRequest, &shop.shop, &visit, &mut input),
        prepare(Interaction::BuyRequest, &shop.shop, &new_visitor, &mut input),
        prepare(Interaction::BuyConfirm, &shop.shop, &visit, &mut input),
    ];
    for request in requests {
        let before = (visit.clone(), written(&shop).await);
        let mut steps = 0;
        loop {
            let class = [FailureClass::Deadlock, FailureClass::ConnectionLost][steps % 2];
            let mut failing = Failing { inner: shop.store().await, left: steps, class, rollbacks: 0 };
            let Err(error) = perform(&request, &mut failing, &mut visit).await else { break };
            assert_eq!(error.class, class, "{request:?}, step {steps}");
            // Nothing is rolled back before BEGIN, nor on a connection that is gone.
            let most = usize::from(class == FailureClass::Deadlock);
            assert!(failing.rollbacks <= most, "{request:?}, step {steps}");
            drop(failing);
            assert_eq!((visit.clone(), written(&shop).await), before, "{request:?}, step {steps}");
            steps += 1;
        }
        assert!((4..20).contains(&steps), "{request:?} took {steps} steps");
    }
    assert_eq!(shop.value::<u32>("SELECT COUNT(*) FROM orders WHERE o_token = 'once'").await, 1);
    shop.check().await;
}
