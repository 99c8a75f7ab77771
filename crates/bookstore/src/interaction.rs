//! The 14 web interactions (`docs/tpcw.md`, 1).

use std::fmt;

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
