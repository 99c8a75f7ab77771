//! A page asked for, with every choice made: it may be sent again and again and means the same each time.
//!
//! [`prepare`] draws all of a visitor's choices, and those that the shop makes by chance (promotion, discount, day of
//! shipping), so that [`crate::perform`] has nothing left to draw. Where the sources disagree (`docs/tpcw.md`, 4.4):
//! search words are drawn from 1; product detail follows the list's links only; a change of quantities draws 0 to 10 for
//! each chosen line of several; order display does not make the customer known; the new price is uniform.

use crate::catalogue::{CARD_TYPES, COUNTRIES, SHIP_TYPES, SUBJECTS};
use crate::digsyl::digsyl;
use crate::input::Input;
use crate::interaction::Interaction;
use crate::money::Cents;
use crate::page::{Address, Name};
use crate::shop::Shop;
use crate::visit::{Customer, Visit, any_customer};

/// What to search for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// Beginning of an author's last name.
    Author(String),
    /// A word anywhere in a title.
    Title(String),
    /// A subject.
    Subject(&'static str),
}

/// What to do to the cart before it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CartChange {
    /// Nothing.
    Show,
    /// One more piece of an item.
    Add(u32),
    /// New quantities of items, 0 to take the line away. At most 100 pairs.
    Set(Vec<(u32, u32)>),
}

/// The form of a new customer, and what the shop gives them by chance.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "columns of CUSTOMER, named as there")]
pub struct NewCustomer {
    pub name: Name,
    pub address: Address,
    pub phone: String,
    pub email: String,
    /// Days between the birth date and the day of registration; from 1880 on.
    pub age_days: u32,
    pub data: String,
    /// C_DISCOUNT, 0 to 50.
    pub discount_percent: u32,
}

/// Who buys.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields of the form")]
pub enum Login {
    Returning { uname: String, password: String },
    New(Box<NewCustomer>),
}

/// The form of buy confirm, and what the shop adds by chance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// C_ID; `None` if the visitor is not known, who then gets the page of an empty cart.
    pub customer: Option<u32>,
    /// SC_ID; `None` as above.
    pub cart: Option<u32>,
    /// CX_TYPE.
    pub card_type: &'static str,
    /// CX_NUM, 16 digits.
    pub card_number: String,
    /// CX_NAME.
    pub card_name: String,
    /// Days from now to CX_EXPIRY, 1 to 730.
    pub card_expiry_days: u32,
    /// CX_AUTH_ID, 15 characters: the payment gateway's answer.
    pub authorisation: String,
    /// O_SHIP_TYPE.
    pub ship_type: &'static str,
    /// Days from O_DATE to O_SHIP_DATE, 1 to 7.
    pub ship_days: u32,
    /// Where to ship, if not to the customer's own address.
    pub ship_to: Option<Address>,
    /// 200 random characters; each order line's comment is a slice of them.
    pub comments: String,
    /// O_TOKEN.
    pub token: String,
}

/// One page with all its inputs. `promotion` is the item whose related items are promoted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "ids of customer, cart and item; the rest is told at its type")]
pub enum Request {
    Home {
        customer: Option<u32>,
        promotion: u32,
    },
    NewProducts {
        subject: &'static str,
        promotion: u32,
    },
    BestSellers {
        subject: &'static str,
        promotion: u32,
    },
    ProductDetail {
        item: u32,
    },
    SearchRequest {
        promotion: u32,
    },
    SearchResults {
        search: Search,
        promotion: u32,
    },
    /// `stand_in`: its I_RELATED1 is put into a cart that would otherwise be empty.
    ShoppingCart {
        cart: Option<u32>,
        change: CartChange,
        stand_in: u32,
        promotion: u32,
    },
    CustomerRegistration {
        customer: Option<u32>,
    },
    BuyRequest {
        cart: Option<u32>,
        login: Login,
    },
    BuyConfirm(Box<Confirmation>),
    OrderInquiry {
        customer: Option<u32>,
    },
    OrderDisplay {
        uname: String,
        password: String,
    },
    AdminRequest {
        item: u32,
    },
    /// `picture`: the item whose image and thumbnail are taken; `spare`: up to nine distinct items other than `item`,
    /// to fill up the related ones.
    AdminConfirm {
        item: u32,
        cost: Cents,
        picture: u32,
        spare: Vec<u32>,
    },
}

impl Request {
    /// The page it asks for.
    pub fn interaction(&self) -> Interaction {
        match self {
            Self::Home { .. } => Interaction::Home,
            Self::NewProducts { .. } => Interaction::NewProducts,
            Self::BestSellers { .. } => Interaction::BestSellers,
            Self::ProductDetail { .. } => Interaction::ProductDetail,
            Self::SearchRequest { .. } => Interaction::SearchRequest,
            Self::SearchResults { .. } => Interaction::SearchResults,
            Self::ShoppingCart { .. } => Interaction::ShoppingCart,
            Self::CustomerRegistration { .. } => Interaction::CustomerRegistration,
            Self::BuyRequest { .. } => Interaction::BuyRequest,
            Self::BuyConfirm(_) => Interaction::BuyConfirm,
            Self::OrderInquiry { .. } => Interaction::OrderInquiry,
            Self::OrderDisplay { .. } => Interaction::OrderDisplay,
            Self::AdminRequest { .. } => Interaction::AdminRequest,
            Self::AdminConfirm { .. } => Interaction::AdminConfirm,
        }
    }
}

/// Draws every choice of a page. A visitor who lacks what a page needs (an item to look at) takes any item.
pub fn prepare(interaction: Interaction, shop: &Shop, visit: &Visit, input: &mut Input) -> Request {
    let customer = visit.customer.as_ref().map(|customer| customer.id);
    let cart = visit.cart;
    match interaction {
        Interaction::Home => Request::Home { customer, promotion: any_item(shop, input) },
        Interaction::NewProducts => {
            Request::NewProducts { subject: any_subject(input), promotion: any_item(shop, input) }
        }
        Interaction::BestSellers => {
            Request::BestSellers { subject: any_subject(input), promotion: any_item(shop, input) }
        }
        Interaction::ProductDetail => Request::ProductDetail {
            item: input.one_of(&visit.links).unwrap_or_else(|| any_item(shop, input)),
        },
        Interaction::SearchRequest => Request::SearchRequest { promotion: any_item(shop, input) },
        Interaction::SearchResults => {
            Request::SearchResults { search: any_search(shop, input), promotion: any_item(shop, input) }
        }
        Interaction::ShoppingCart => Request::ShoppingCart {
            cart,
            change: cart_change(visit, input),
            stand_in: any_item(shop, input),
            promotion: any_item(shop, input),
        },
        Interaction::CustomerRegistration => Request::CustomerRegistration { customer },
        Interaction::BuyRequest => Request::BuyRequest { cart, login: login(customer, input) },
        Interaction::BuyConfirm => Request::BuyConfirm(Box::new(confirmation(visit, input))),
        Interaction::OrderInquiry => Request::OrderInquiry { customer },
        Interaction::OrderDisplay => {
            let id = customer.unwrap_or_else(|| any_customer(shop, input));
            Request::OrderDisplay { uname: Customer::uname(id), password: Customer::password(id) }
        }
        Interaction::AdminRequest => Request::AdminRequest { item: seen_item(shop, visit, input) },
        Interaction::AdminConfirm => {
            let item = seen_item(shop, visit, input);
            Request::AdminConfirm {
                item,
                cost: Cents(i64::from(100 * input.uniform(1, 9_999) + input.uniform(0, 99))),
                picture: any_item(shop, input),
                spare: spare_items(item, shop, input),
            }
        }
    }
}

fn any_item(shop: &Shop, input: &mut Input) -> u32 {
    input.uniform(1, shop.scale.items.max(1))
}

fn seen_item(shop: &Shop, visit: &Visit, input: &mut Input) -> u32 {
    visit.item.unwrap_or_else(|| any_item(shop, input))
}

fn any_subject(input: &mut Input) -> &'static str {
    input.one_of(&SUBJECTS).expect("there are 24 subjects")
}

/// The words are the k of the population (`docs/tpcw.md`, 3.4): items / 10 of authors, items / 5 of titles.
fn any_search(shop: &Shop, input: &mut Input) -> Search {
    let mut word = |share: u32| digsyl(input.nurand(shop.item_a(), 1, (shop.scale.items / share).max(1)), 7);
    let (author, title) = (word(10), word(5));
    match input.uniform(1, 3) {
        1 => Search::Author(author),
        2 => Search::Title(title),
        _ => Search::Subject(any_subject(input)),
    }
}

fn cart_change(visit: &Visit, input: &mut Input) -> CartChange {
    match (visit.page, visit.item) {
        (Some(Interaction::ProductDetail), Some(item)) => CartChange::Add(item),
        (Some(Interaction::ShoppingCart), _) => CartChange::Set(new_quantities(&visit.cart_lines, input)),
        _ => CartChange::Show,
    }
}

fn new_quantities(lines: &[(u32, u32)], input: &mut Input) -> Vec<(u32, u32)> {
    match lines {
        [] => Vec::new(),
        [(item, _)] => vec![(*item, input.uniform(1, 10))],
        several => {
            let count = input.uniform(1, several.len() as u32) as usize;
            let chosen = input.some_of(several.len(), count);
            chosen.into_iter().map(|place| (several[place].0, input.uniform(0, 10))).collect()
        }
    }
}

fn login(customer: Option<u32>, input: &mut Input) -> Login {
    match customer {
        Some(id) => Login::Returning { uname: Customer::uname(id), password: Customer::password(id) },
        None => Login::New(Box::new(new_customer(input))),
    }
}

fn new_customer(input: &mut Input) -> NewCustomer {
    NewCustomer {
        name: Name { first: input.a_string(8, 15), last: input.a_string(8, 15) },
        address: any_address(input),
        phone: input.n_string(9, 16),
        email: format!("{}@{}.com", input.a_string(8, 15), input.a_string(2, 9)),
        age_days: input.uniform(0, MAX_AGE_DAYS),
        data: input.a_string(100, 500),
        discount_percent: input.uniform(0, 50),
    }
}

/// From 1 January 1880 to the first day on which this program can have run: a birth date is never before 1880.
const MAX_AGE_DAYS: u32 = 53_000;

fn any_address(input: &mut Input) -> Address {
    Address {
        street1: input.a_string(15, 40),
        street2: input.a_string(15, 40),
        city: input.a_string(4, 30),
        state: input.a_string(2, 20),
        zip: input.a_string(5, 10),
        country: input.one_of(&COUNTRIES).expect("there are 92 countries").to_owned(),
    }
}

fn confirmation(visit: &Visit, input: &mut Input) -> Confirmation {
    let name = visit.customer.as_ref().and_then(|customer| customer.name.clone()).unwrap_or_default();
    Confirmation {
        customer: visit.customer.as_ref().map(|customer| customer.id),
        cart: visit.cart,
        card_type: input.one_of(&CARD_TYPES).expect("there are 5"),
        card_number: input.n_string(16, 16),
        // CX_NAME holds 31 characters: two names of 15 and a space.
        card_name: format!("{} {}", name.0, name.1).chars().take(31).collect(),
        card_expiry_days: input.uniform(1, 730),
        authorisation: input.a_string(15, 15),
        ship_type: input.one_of(&SHIP_TYPES).expect("there are 6"),
        ship_days: input.uniform(1, 7),
        ship_to: input.chance(5).then(|| any_address(input)),
        comments: input.a_string(200, 200),
        token: visit.token.clone(),
    }
}

/// Nine are enough: at most four of them can be related already when five are wanted.
fn spare_items(item: u32, shop: &Shop, input: &mut Input) -> Vec<u32> {
    let mut spare = Vec::with_capacity(9);
    let wanted = shop.scale.items.saturating_sub(1).min(9) as usize;
    while spare.len() < wanted {
        let candidate = any_item(shop, input);
        if candidate != item && !spare.contains(&candidate) {
            spare.push(candidate);
        }
    }
    spare
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scale::Scale;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn shop(items: u32) -> Shop {
        Shop::new(Scale { items, browsers: 1 })
    }

    fn visit(lines: &[(u32, u32)]) -> Visit {
        Visit {
            customer: Some(Customer { id: 7, name: Some(("A".repeat(15), "B".repeat(15))) }),
            cart: Some(3),
            cart_lines: lines.to_vec(),
            links: vec![5, 6],
            item: Some(9),
            page: None,
            token: "token".into(),
        }
    }

    proptest! {
        /// Whatever the visitor knows or lacks, a request is within the population, and the same seed gives it again.
        #[test]
        fn requests_are_within_the_population(seed: u64, items in 10_u32..2_000, known: bool, lines in 0_u32..30) {
            let shop = shop(items);
            let lines: Vec<_> = (1..=lines).map(|item| (item, 1)).collect();
            let visit = if known { visit(&lines) } else { Visit::default() };
            for interaction in Interaction::ALL {
                let request = prepare(interaction, &shop, &visit, &mut Input::new(seed));
                prop_assert_eq!(&request, &prepare(interaction, &shop, &visit, &mut Input::new(seed)));
                prop_assert_eq!(request.interaction(), interaction);
                match request {
                    Request::Home { promotion, .. } | Request::SearchRequest { promotion } => {
                        prop_assert!((1..=items).contains(&promotion));
                    }
                    Request::ProductDetail { item } => prop_assert!(!known || visit.links.contains(&item)),
                    Request::AdminConfirm { item, cost, picture, spare } => {
                        prop_assert!((100..=999_999).contains(&cost.0) && (1..=items).contains(&picture));
                        prop_assert_eq!(spare.iter().collect::<HashSet<_>>().len(), 9.min(items as usize - 1));
                        prop_assert!(!spare.contains(&item));
                    }
                    Request::BuyConfirm(form) => {
                        prop_assert!(form.card_name.chars().count() <= 31);
                        prop_assert!((1..=730).contains(&form.card_expiry_days) && (1..=7).contains(&form.ship_days));
                        prop_assert_eq!(form.comments.len(), 200);
                    }
                    _ => {}
                }
            }
        }

        #[test]
        fn new_quantities_name_lines_of_the_cart_once(seed: u64, lines in 0_u32..40) {
            let lines: Vec<_> = (1..=lines).map(|item| (item * 3, 1)).collect();
            let changes = new_quantities(&lines, &mut Input::new(seed));
            let named: HashSet<_> = changes.iter().map(|(item, _)| *item).collect();
            prop_assert_eq!(named.len(), changes.len());
            prop_assert!(changes.iter().all(|(item, quantity)| *quantity <= 10 && lines.contains(&(*item, 1))));
            prop_assert_eq!(changes.is_empty(), lines.is_empty());
            prop_assert!(lines.len() != 1 || changes[0].1 > 0, "a single line is never taken away");
        }
    }

    #[test]
    fn the_cart_changes_by_where_the_visitor_comes_from() {
        let mut input = Input::new(1);
        for (page, expected) in [
            (Interaction::ProductDetail, "Add(9)"),
            (Interaction::Home, "Show"),
            (Interaction::SearchResults, "Show"),
            (Interaction::BuyRequest, "Show"),
        ] {
            let visit = Visit { page: Some(page), ..visit(&[(1, 1)]) };
            assert_eq!(format!("{:?}", cart_change(&visit, &mut input)), expected, "from {page}");
        }
        let visit = Visit { page: Some(Interaction::ShoppingCart), ..visit(&[(1, 1)]) };
        assert!(matches!(cart_change(&visit, &mut input), CartChange::Set(pairs) if pairs.len() == 1));
    }

    #[test]
    fn search_words_are_words_of_the_population() {
        let (shop, mut input) = (shop(1000), Input::new(4));
        let words = |of: u32| (1..=of).map(|k| digsyl(k, 7)).collect::<HashSet<_>>();
        let (authors, titles) = (words(100), words(200));
        let mut kinds = [0_u32; 3];
        for _ in 0..3_000 {
            match any_search(&shop, &mut input) {
                Search::Author(word) => {
                    kinds[0] += 1;
                    assert!(authors.contains(&word), "{word}");
                }
                Search::Title(word) => {
                    kinds[1] += 1;
                    assert!(titles.contains(&word), "{word}");
                }
                Search::Subject(subject) => {
                    kinds[2] += 1;
                    assert!(SUBJECTS.contains(&subject));
                }
            }
        }
        assert!(kinds.iter().all(|count| (900..=1100).contains(count)), "{kinds:?}");
    }

    #[test]
    fn four_of_five_visitors_are_known_and_one_confirm_of_twenty_ships_elsewhere() {
        let (shop, mut input) = (shop(1000), Input::new(8));
        let known = (0..10_000).filter(|_| Visit::new(&shop, &mut input).customer.is_some()).count();
        assert!((7_850..=8_150).contains(&known), "{known}");
        let elsewhere =
            (0..10_000).filter(|_| confirmation(&visit(&[]), &mut input).ship_to.is_some()).count();
        assert!((420..=580).contains(&elsewhere), "{elsewhere}");
    }
}
