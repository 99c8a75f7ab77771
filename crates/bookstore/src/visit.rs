//! What a visitor carries from page to page.

use crate::digsyl::digsyl;
use crate::input::Input;
use crate::interaction::Interaction;
use crate::page::Page;
use crate::request::Request;
use crate::shop::Shop;

/// A customer as the visitor knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// C_ID.
    pub id: u32,
    /// First and last name, once a page has shown them.
    pub name: Option<(String, String)>,
}

impl Customer {
    /// C_UNAME of a customer: it follows from the id.
    pub fn uname(id: u32) -> String {
        digsyl(id, 0)
    }

    /// C_PASSWD of a customer: the user name in lower case.
    pub fn password(id: u32) -> String {
        digsyl(id, 0).to_lowercase()
    }
}

/// The memory of one visit (session), from its first home page to its end. Only a page that came back whole changes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visit {
    /// Who the visitor is, once known.
    pub customer: Option<Customer>,
    /// SC_ID, once there is a cart.
    pub cart: Option<u32>,
    /// The cart's lines as last shown: item and quantity, by item.
    pub cart_lines: Vec<(u32, u32)>,
    /// Items of the last list page that could be followed; its promotion's where the list was empty.
    pub links: Vec<u32>,
    /// The item last seen on a page of its own.
    pub item: Option<u32>,
    /// The page that the visitor is looking at.
    pub page: Option<Interaction>,
    /// What the next buy confirm writes to `orders.o_token`: at most 32 ASCII characters, unique in the run, given by
    /// the keeper of the ledger before that page is prepared. Empty: the column stays NULL.
    pub token: String,
}

impl Visit {
    /// A new visit: with chance 0.8 a returning customer, else somebody unknown (`docs/tpcw.md`, 4.2).
    pub fn new(shop: &Shop, input: &mut Input) -> Self {
        let customer = input.chance(80).then(|| Customer { id: any_customer(shop, input), name: None });
        Self { customer, ..Self::default() }
    }

    /// Takes in a page that came back whole.
    pub fn remember(&mut self, request: &Request, page: &Page) {
        self.page = Some(request.interaction());
        match page {
            Page::Home { customer: Some(name), .. } => {
                if let Some(customer) = &mut self.customer {
                    customer.name = Some((name.first.clone(), name.last.clone()));
                }
            }
            Page::NewProducts { books, promotion }
            | Page::BestSellers { books, promotion }
            | Page::SearchResults { books, promotion } => {
                self.links = books.iter().map(|book| book.item).collect();
                if self.links.is_empty() {
                    self.links = promotion.iter().map(|thumbnail| thumbnail.item).collect();
                }
            }
            Page::ProductDetail { detail } | Page::AdminRequest { detail } => self.item = Some(detail.item),
            Page::ShoppingCart { cart, lines, .. } => {
                self.cart = Some(*cart);
                self.cart_lines = lines.iter().map(|line| (line.item, line.quantity)).collect();
            }
            Page::BuyRequest { customer, .. } => {
                let name = Some((customer.name.first.clone(), customer.name.last.clone()));
                self.customer = Some(Customer { id: customer.id, name });
            }
            Page::BuyConfirm { .. } => {
                self.cart_lines.clear();
                self.token.clear();
            }
            _ => {}
        }
    }
}

/// A customer of the initial population by NURand: those who come back, come back often.
pub(crate) fn any_customer(shop: &Shop, input: &mut Input) -> u32 {
    input.nurand(shop.customer_a(), 1, shop.scale.customers().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Cents;
    use crate::page::{Book, Buyer, CartLine, Name, Thumbnail, Totals};
    use crate::request::{CartChange, Login};

    fn book(item: u32) -> Book {
        Book { item, title: String::new(), author: Name::default() }
    }

    fn list(books: Vec<Book>) -> (Request, Page) {
        let promotion = vec![Thumbnail { item: 77, path: String::new() }];
        (Request::NewProducts { subject: "ARTS", promotion: 1 }, Page::NewProducts { books, promotion })
    }

    #[test]
    fn links_are_the_lists_or_else_the_promotions() {
        let mut visit = Visit::default();
        for (books, links) in [(vec![book(3), book(4)], vec![3, 4]), (vec![], vec![77])] {
            let (request, page) = list(books);
            visit.remember(&request, &page);
            assert_eq!((&visit.links, visit.page), (&links, Some(Interaction::NewProducts)));
        }
        let request = Request::SearchRequest { promotion: 1 };
        visit.remember(&request, &Page::SearchRequest { promotion: Vec::new() });
        assert_eq!(visit.links, [77], "other pages leave the list alone");
    }

    #[test]
    fn the_cart_is_what_was_shown() {
        let mut visit = Visit::default();
        let line = CartLine {
            item: 5,
            quantity: 2,
            title: String::new(),
            cost: Cents(1),
            srp: Cents(1),
            backing: String::new(),
        };
        let request =
            Request::ShoppingCart { cart: None, change: CartChange::Show, stand_in: 1, promotion: 1 };
        let page = Page::ShoppingCart {
            cart: 9,
            lines: vec![line],
            sub_total: Cents(2),
            refused: false,
            promotion: vec![],
        };
        visit.remember(&request, &page);
        assert_eq!((visit.cart, visit.cart_lines.as_slice()), (Some(9), [(5, 2)].as_slice()));
    }

    #[test]
    fn a_registered_customer_is_known_from_then_on() {
        let mut visit = Visit::default();
        let name = Name { first: "Ada".into(), last: "Byron".into() };
        let customer = Buyer {
            id: 4,
            uname: "RE".into(),
            name,
            discount_percent: 0,
            registered: true,
            address: crate::page::Address::default(),
        };
        let login = Login::Returning { uname: "RE".into(), password: "re".into() };
        let page = Page::BuyRequest {
            customer: Box::new(customer),
            cart: None,
            lines: Vec::new(),
            totals: Totals::default(),
        };
        visit.remember(&Request::BuyRequest { cart: None, login }, &page);
        assert_eq!(visit.customer, Some(Customer { id: 4, name: Some(("Ada".into(), "Byron".into())) }));
    }

    #[test]
    fn passwords_follow_from_the_id() {
        assert_eq!((Customer::uname(1972), Customer::password(1972)), ("OGNGULAL".into(), "ogngulal".into()));
    }
}
