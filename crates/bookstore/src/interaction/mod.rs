//! The 14 web interactions (`docs/tpcw.md`, 1): their names here, each one's statements in a file of its own.
//!
//! *Read-only pages* are single autocommitted statements, no transaction: a balancer may then send each of them to any
//! replica, and two round trips are saved. The specification asks level 2 of them (no dirty reads, no non-repeatable reads).
//! InnoDB reads committed rows only, and no page reads a column of a row twice, so there is nothing to repeat. What has to
//! agree within a page (an order and its lines, a cart and its lines) comes from one statement, which is one snapshot.
//!
//! *Pages that write* run BEGIN to COMMIT on one connection, with COMMIT as their last step: a page that came back whole was
//! committed, and one that failed before its COMMIT changed nothing. Admin confirm is a single autocommitted UPDATE. Nothing
//! here draws random numbers or reads a clock: a [`Request`] may be repeated and means the same.

mod address;
mod admin_confirm;
mod admin_request;
mod best_sellers;
mod book_list;
mod buy_confirm;
mod buy_request;
mod cart_lines;
mod customer_registration;
mod home;
mod item_detail;
mod new_products;
mod order_display;
mod order_inquiry;
mod product_detail;
mod promotion;
mod search_request;
mod search_results;
mod shopping_cart;
mod transaction;
mod uname;

use std::fmt;

use crate::page::Page;
use crate::request::Request;
use crate::store::{Store, StoreError};
use crate::visit::Visit;

use serde::{Deserialize, Serialize};

/// A page that a browser asks for. The order is alphabetical, as in the transition tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants are the names of the specification's pages")]
pub enum Interaction {
    AdminConfirm,
    AdminRequest,
    BestSellers,
    BuyConfirm,
    BuyRequest,
    CustomerRegistration,
    Home,
    NewProducts,
    OrderDisplay,
    OrderInquiry,
    ProductDetail,
    SearchRequest,
    SearchResults,
    ShoppingCart,
}

impl Interaction {
    /// All of them, in the order of the transition tables.
    pub const ALL: [Self; 14] = [
        Self::AdminConfirm,
        Self::AdminRequest,
        Self::BestSellers,
        Self::BuyConfirm,
        Self::BuyRequest,
        Self::CustomerRegistration,
        Self::Home,
        Self::NewProducts,
        Self::OrderDisplay,
        Self::OrderInquiry,
        Self::ProductDetail,
        Self::SearchRequest,
        Self::SearchResults,
        Self::ShoppingCart,
    ];

    /// Its place in [`Interaction::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The name used in files: `best_sellers`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AdminConfirm => "admin_confirm",
            Self::AdminRequest => "admin_request",
            Self::BestSellers => "best_sellers",
            Self::BuyConfirm => "buy_confirm",
            Self::BuyRequest => "buy_request",
            Self::CustomerRegistration => "customer_registration",
            Self::Home => "home",
            Self::NewProducts => "new_products",
            Self::OrderDisplay => "order_display",
            Self::OrderInquiry => "order_inquiry",
            Self::ProductDetail => "product_detail",
            Self::SearchRequest => "search_request",
            Self::SearchResults => "search_results",
            Self::ShoppingCart => "shopping_cart",
        }
    }
}

impl fmt::Display for Interaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Runs a page and lets the visit remember it. A page that fails leaves the visit as it was, so the same request may be
/// sent again; after [`crate::store::FailureClass::UnknownCommit`] the caller has to decide whether that is right.
///
/// # Errors
/// The store's own, and `Refused` where the data are not what the page needs (unknown item, wrong password). A transaction
/// is rolled back wherever the connection still serves; the store must not be used again after an error whose class says so.
pub async fn perform<S: Store>(
    request: &Request,
    store: &mut S,
    visit: &mut Visit,
) -> Result<Page, StoreError> {
    let page = serve(request, store).await?;
    visit.remember(request, &page);
    Ok(page)
}

/// Runs a page for nobody in particular: what a web server would do.
///
/// # Errors
/// As [`perform`].
pub async fn serve<S: Store>(request: &Request, store: &mut S) -> Result<Page, StoreError> {
    match request {
        Request::Home { customer, promotion } => home::serve(*customer, *promotion, store).await,
        Request::NewProducts { subject, promotion } => new_products::serve(subject, *promotion, store).await,
        Request::BestSellers { subject, promotion } => best_sellers::serve(subject, *promotion, store).await,
        Request::ProductDetail { item } => product_detail::serve(*item, store).await,
        Request::SearchRequest { promotion } => search_request::serve(*promotion, store).await,
        Request::SearchResults { search, promotion } => {
            search_results::serve(search, *promotion, store).await
        }
        Request::ShoppingCart { cart, change, stand_in, promotion } => {
            shopping_cart::serve(*cart, change, *stand_in, *promotion, store).await
        }
        Request::CustomerRegistration { customer } => customer_registration::serve(*customer, store).await,
        Request::BuyRequest { cart, login } => buy_request::serve(*cart, login, store).await,
        Request::BuyConfirm(form) => buy_confirm::serve(form, store).await,
        Request::OrderInquiry { customer } => order_inquiry::serve(*customer, store).await,
        Request::OrderDisplay { uname, password } => order_display::serve(uname, password, store).await,
        Request::AdminRequest { item } => admin_request::serve(*item, store).await,
        Request::AdminConfirm { item, cost, picture, spare } => {
            admin_confirm::serve(*item, *cost, *picture, spare, store).await
        }
    }
}
