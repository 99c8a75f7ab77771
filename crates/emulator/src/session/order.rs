//! The ledger's entry of an attempt to buy.

use bookstore::store::{FailureClass, StoreError};
use bookstore::{Page, Request};
use tokio::time::Instant;

use super::Crew;
use crate::ledger::{Entry, Ledger, Outcome};

/// An attempt to buy whose outcome is not known yet. Every attempt carries a token of its own. When it is dropped unsettled,
/// because its browser was ended in mid-page, the order may or may not have been made.
pub(super) struct PendingOrder<'a> {
    ledger: &'a Ledger,
    start: Instant,
    /// `None` once it is entered.
    token: Option<String>,
    session: u32,
}

impl<'a> PendingOrder<'a> {
    /// Gives the request its token, if it is one to buy.
    pub(super) fn of<T>(request: &mut Request, crew: &'a Crew<T>, session: u32) -> Option<Self> {
        let Request::BuyConfirm(confirmation) = request else { return None };
        confirmation.token = crew.ledger.token(session);
        let token = Some(confirmation.token.clone());
        Some(Self { ledger: &crew.ledger, start: crew.start, token, session })
    }

    pub(super) fn settle(mut self, result: &Result<Page, StoreError>) {
        self.enter(match result {
            Ok(Page::BuyConfirm { purchase: Some(purchase), .. }) => {
                Outcome::Ok { order: purchase.order, total: purchase.totals.total }
            }
            Err(error) if error.class == FailureClass::UnknownCommit => Outcome::Unknown,
            // The cart was empty, or it failed before COMMIT was sent.
            Ok(_) | Err(_) => Outcome::Refused,
        });
    }

    fn enter(&mut self, outcome: Outcome) {
        if let Some(token) = self.token.take() {
            let at_ms = self.start.elapsed().as_millis() as u64;
            self.ledger.enter(&Entry { at_ms, token, session: self.session, outcome });
        }
    }
}

impl Drop for PendingOrder<'_> {
    fn drop(&mut self) {
        self.enter(Outcome::Unknown);
    }
}
