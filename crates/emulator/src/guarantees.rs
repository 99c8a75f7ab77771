//! Session guarantees, measured on every page: a browser never sees something older than what it has seen or written.
//!
//! Held against each page are the browser's own orders and the newest it has seen (read your writes, monotonic reads), and
//! its cart, which nobody else changes. Orders are compared by their number, so two browsers that buy for the same customer
//! in the same moment may be mistaken for a step back; customers are many and moments short.

use std::collections::BTreeMap;

use bookstore::request::CartChange;
use bookstore::{Page, Request};
use tokio::time::{Duration, Instant};

/// Customers whose newest order a browser remembers.
const CUSTOMERS: usize = 64;

/// A page that showed something older than the browser knew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// What was shown and what was known.
    pub what: String,
    /// How long the browser had known it.
    pub known_for: Duration,
    /// Whether the browser has connected anew since it learned it; a balancer keeps its promises by connection.
    pub across_connections: bool,
}

/// Something known, since when, and on which connection it was learned.
#[derive(Clone, Copy, Debug)]
struct Known<T> {
    value: T,
    since: Instant,
    connection: u64,
}

/// A cart's number and its lines (item, quantity), by item.
type Cart = (u32, Vec<(u32, u32)>);

/// What a browser remembers of what it was told.
#[derive(Debug, Default)]
pub struct Memory {
    /// Newest order by customer.
    orders: BTreeMap<u32, Known<u32>>,
    /// The visit's cart.
    cart: Option<Known<Cart>>,
}

impl Memory {
    /// Forgets everything: another visitor begins.
    pub fn clear(&mut self) {
        self.orders.clear();
        self.cart = None;
    }

    /// A page that may have changed the cart failed: what the cart holds is not known any more.
    pub fn doubt_cart(&mut self) {
        self.cart = None;
    }

    /// Holds a page against what is known and learns from it. `connection` numbers the browser's connections.
    pub fn check(&mut self, request: &Request, page: &Page, connection: u64, now: Instant) -> Option<Stale> {
        match (request, page) {
            (_, Page::OrderDisplay { customer, order }) => {
                let shown = order.as_ref().map_or(0, |order| order.id);
                self.order_shown(*customer, shown, connection, now)
            }
            (_, Page::BuyConfirm { purchase, .. }) => {
                if let Some(purchase) = purchase {
                    self.learn_order(purchase.customer, purchase.order, connection, now);
                }
                let bought = purchase.as_ref().map_or(&[][..], |purchase| &purchase.lines);
                let stale = self.cart_shown(bought, None, connection, now);
                self.empty_cart(connection, now);
                stale
            }
            (Request::ShoppingCart { change, .. }, Page::ShoppingCart { cart, lines, refused, .. }) => {
                let lines: Vec<_> = lines.iter().map(|line| (line.item, line.quantity)).collect();
                let change = (!refused).then_some(change);
                self.cart_changed(*cart, &lines, change, connection, now)
            }
            (_, Page::BuyRequest { cart: Some(_), lines, .. }) => {
                let lines: Vec<_> = lines.iter().map(|line| (line.item, line.quantity)).collect();
                self.cart_shown(&lines, None, connection, now)
            }
            _ => None,
        }
    }

    fn order_shown(&mut self, customer: u32, shown: u32, connection: u64, now: Instant) -> Option<Stale> {
        match self.orders.get(&customer) {
            Some(known) if shown < known.value => Some(Stale {
                what: format!("customer {customer}: order {shown} shown, {} known", known.value),
                known_for: now - known.since,
                across_connections: known.connection != connection,
            }),
            _ => {
                self.learn_order(customer, shown, connection, now);
                None
            }
        }
    }

    fn learn_order(&mut self, customer: u32, order: u32, connection: u64, now: Instant) {
        if self.orders.len() >= CUSTOMERS && !self.orders.contains_key(&customer) {
            let oldest =
                self.orders.iter().min_by_key(|(_, known)| known.since).map(|(customer, _)| *customer);
            oldest.map(|customer| self.orders.remove(&customer));
        }
        let known = self.orders.entry(customer).or_insert(Known { value: order, since: now, connection });
        if known.value < order {
            *known = Known { value: order, since: now, connection };
        }
    }

    /// The cart after a change, held against what the change should have made of the known one.
    fn cart_changed(
        &mut self,
        cart: u32,
        shown: &[(u32, u32)],
        change: Option<&CartChange>,
        connection: u64,
        now: Instant,
    ) -> Option<Stale> {
        let same_cart = self.cart.as_ref().is_some_and(|known| known.value.0 == cart);
        let stale = if same_cart { self.cart_shown(shown, change, connection, now) } else { None };
        self.cart = Some(Known { value: (cart, sorted(shown)), since: now, connection });
        stale
    }

    fn cart_shown(
        &self,
        shown: &[(u32, u32)],
        change: Option<&CartChange>,
        connection: u64,
        now: Instant,
    ) -> Option<Stale> {
        let known = self.cart.as_ref()?;
        let expected = changed(&known.value.1, change);
        let shown = sorted(shown);
        // The shop puts one piece of some item into a cart that would be empty when it is shown.
        let stand_in = expected.is_empty() && matches!(shown[..], [(_, 1)]);
        (shown != expected && !stand_in).then(|| Stale {
            what: format!("cart {}: {shown:?} shown, {expected:?} known", known.value.0),
            known_for: now - known.since,
            across_connections: known.connection != connection,
        })
    }

    fn empty_cart(&mut self, connection: u64, now: Instant) {
        if let Some(known) = &mut self.cart {
            *known = Known { value: (known.value.0, Vec::new()), since: now, connection };
        }
    }
}

fn sorted(lines: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut lines = lines.to_vec();
    lines.sort_unstable();
    lines
}

fn changed(lines: &[(u32, u32)], change: Option<&CartChange>) -> Vec<(u32, u32)> {
    let mut after: BTreeMap<u32, u32> = lines.iter().copied().collect();
    match change {
        Some(CartChange::Add(item)) => *after.entry(*item).or_default() += 1,
        Some(CartChange::Set(pairs)) => {
            for (item, quantity) in pairs {
                after.insert(*item, *quantity);
            }
        }
        Some(CartChange::Show) | None => {}
    }
    after.into_iter().filter(|(_, quantity)| *quantity > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use bookstore::Cents;
    use bookstore::page::{CartLine, Purchase, Totals};

    fn cart(lines: &[(u32, u32)]) -> Page {
        let line = |&(item, quantity): &(u32, u32)| CartLine {
            item,
            quantity,
            title: String::new(),
            cost: Cents(0),
            srp: Cents(0),
            backing: String::new(),
        };
        Page::ShoppingCart {
            cart: 5,
            lines: lines.iter().map(line).collect(),
            sub_total: Cents(0),
            refused: false,
            promotion: Vec::new(),
        }
    }

    fn ask(change: CartChange) -> Request {
        Request::ShoppingCart { cart: Some(5), change, stand_in: 1, promotion: 1 }
    }

    fn order_display(order: Option<u32>) -> (Request, Page) {
        let request = Request::OrderDisplay { uname: String::new(), password: String::new() };
        let order = order.map(|id| {
            Box::new(bookstore::page::Order {
                id,
                token: None,
                date: String::new(),
                sub_total: Cents(0),
                tax: Cents(0),
                total: Cents(0),
                ship_type: String::new(),
                ship_date: String::new(),
                status: String::new(),
                card_type: String::new(),
                bill_to: Default::default(),
                ship_to: Default::default(),
                lines: Vec::new(),
            })
        });
        (request, Page::OrderDisplay { customer: 9, order })
    }

    fn bought(order: u32, lines: &[(u32, u32)]) -> Page {
        let purchase = Purchase { order, customer: 9, totals: Totals::default(), lines: lines.to_vec() };
        Page::BuyConfirm { token: String::new(), purchase: Some(purchase) }
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_once_known_is_never_unseen() {
        let mut memory = Memory::default();
        let any = Request::CustomerRegistration { customer: None };
        let (request, none) = order_display(None);
        assert_eq!(memory.check(&request, &none, 1, Instant::now()), None);
        assert_eq!(memory.check(&any, &bought(70, &[]), 1, Instant::now()), None);
        tokio::time::advance(Duration::from_millis(40)).await;
        for (shown, stale) in
            [(None, true), (Some(69), true), (Some(70), false), (Some(75), false), (Some(74), true)]
        {
            let (request, page) = order_display(shown);
            let found = memory.check(&request, &page, 1, Instant::now());
            assert_eq!(found.is_some(), stale, "{shown:?}: {found:?}");
        }
        let (request, page) = order_display(Some(1));
        let found = memory.check(&request, &page, 2, Instant::now()).expect("stale");
        assert!(found.across_connections, "learned on connection 1, shown on 2");
        let mut fresh = Memory::default();
        fresh.check(&any, &bought(70, &[]), 1, Instant::now());
        tokio::time::advance(Duration::from_millis(40)).await;
        let (request, page) = order_display(Some(69));
        let found = fresh.check(&request, &page, 1, Instant::now()).expect("stale");
        assert_eq!((found.known_for, found.across_connections), (Duration::from_millis(40), false));
    }

    #[tokio::test(start_paused = true)]
    async fn the_cart_is_what_this_browser_made_of_it() {
        type Step = (CartChange, &'static [(u32, u32)], bool);
        let steps: [Step; 8] = [
            (CartChange::Show, &[(7, 1)], false),
            (CartChange::Add(8), &[(8, 1), (7, 1)], false),
            (CartChange::Add(8), &[(7, 1), (8, 1)], true),
            (CartChange::Set(vec![(7, 4), (8, 0)]), &[(7, 4)], false),
            (CartChange::Show, &[(7, 1), (8, 1)], true),
            (CartChange::Set(vec![(7, 0), (8, 0)]), &[(3, 1)], false),
            (CartChange::Set(vec![(3, 0)]), &[(3, 2)], true),
            (CartChange::Show, &[(3, 2)], false),
        ];
        let mut memory = Memory::default();
        for (number, (change, shown, stale)) in steps.into_iter().enumerate() {
            let found = memory.check(&ask(change), &cart(shown), 1, Instant::now());
            assert_eq!(found.is_some(), stale, "step {number}: {found:?}");
        }
        memory.doubt_cart();
        assert_eq!(memory.check(&ask(CartChange::Show), &cart(&[(1, 9)]), 1, Instant::now()), None);
        let any = Request::CustomerRegistration { customer: None };
        assert_eq!(memory.check(&any, &bought(70, &[(1, 9)]), 1, Instant::now()), None);
        let after = memory.check(&ask(CartChange::Show), &cart(&[(1, 9)]), 1, Instant::now());
        assert!(after.is_some(), "a cart that was bought is empty");
    }
}
