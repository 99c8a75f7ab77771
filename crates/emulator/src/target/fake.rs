//! A shop without a database, for tests on a paused clock: answers take virtual time and fail as a script says.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bookstore::page::{Book, Buyer, CartLine, ItemDetail, Name, Order, Purchase, Thumbnail, Totals};
use bookstore::request::{CartChange, Login};
use bookstore::store::{FailureClass, StoreError};
use bookstore::{Cents, Interaction, Page, Request, Visit};
use tokio::time::{Instant, sleep};

use super::{Answered, Link, StatementKind, Target};

/// What the script is told of a try.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Try {
    /// Since the fake was made.
    pub at: Duration,
    /// All tries before this one, of all browsers.
    pub number: u32,
    pub page: Interaction,
}

/// What the script answers: how long it takes and how it ends.
pub(crate) type Answer = (Duration, Result<(), FailureClass>);

type Script = dyn Fn(Try) -> Answer + Send + Sync;

/// The shop.
#[derive(Clone)]
pub(crate) struct Fake {
    script: Arc<Script>,
    start: Instant,
    tries: Arc<AtomicU32>,
    links: Arc<AtomicU32>,
    orders: Arc<AtomicU32>,
    /// What was asked for, by connection; a page that failed is there once a try.
    pub asked: Arc<Mutex<Vec<(u32, Request)>>>,
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fake")
    }
}

impl Fake {
    pub(crate) fn new(script: impl Fn(Try) -> Answer + Send + Sync + 'static) -> Self {
        Self {
            script: Arc::new(script),
            start: Instant::now(),
            tries: Arc::default(),
            links: Arc::default(),
            orders: Arc::new(AtomicU32::new(1_000_000)),
            asked: Arc::default(),
        }
    }

    /// A shop that always answers after this time.
    pub(crate) fn steady(latency: Duration) -> Self {
        Self::new(move |_| (latency, Ok(())))
    }

    /// The pages asked for on each connection, in order, repetitions of the same request left out.
    pub(crate) fn walks(&self) -> Vec<Vec<Interaction>> {
        let asked = self.asked.lock().expect("free");
        let links = self.links.load(Ordering::Relaxed);
        let walk = |link| {
            let mut requests: Vec<Request> =
                asked.iter().filter(|(of, _)| *of == link).map(|(_, request)| blank(request)).collect();
            requests.dedup();
            requests.iter().map(Request::interaction).collect()
        };
        (0..links).map(walk).collect()
    }
}

/// The request without its token, which differs between tries.
fn blank(request: &Request) -> Request {
    let mut request = request.clone();
    if let Request::BuyConfirm(confirmation) = &mut request {
        confirmation.token.clear();
    }
    request
}

impl Target for Fake {
    type Link = FakeLink;

    async fn connect(&self) -> Result<FakeLink, StoreError> {
        let number = self.links.fetch_add(1, Ordering::Relaxed);
        Ok(FakeLink { shop: self.clone(), number, answered: Vec::new(), usable: true })
    }
}

/// A connection to it.
pub(crate) struct FakeLink {
    shop: Fake,
    number: u32,
    answered: Vec<Answered>,
    usable: bool,
}

impl Link for FakeLink {
    async fn ask(&mut self, request: &Request, visit: &mut Visit) -> Result<Page, StoreError> {
        assert!(self.usable, "a spoilt connection is never used again");
        let shop = &self.shop;
        shop.asked.lock().expect("free").push((self.number, request.clone()));
        let number = shop.tries.fetch_add(1, Ordering::Relaxed);
        let page = request.interaction();
        let (took, end) = (shop.script)(Try { at: shop.start.elapsed(), number, page });
        sleep(took).await;
        if let Err(class) = end {
            self.usable = class.connection_is_usable();
            return Err(StoreError { class, code: None, message: "as the script says".into() });
        }
        let order = shop.orders.fetch_add(1, Ordering::Relaxed);
        let shown = show(request, visit, order);
        visit.remember(request, &shown);
        self.answered.push(Answered { kind: StatementKind::Read, took });
        if matches!(page, Interaction::ShoppingCart | Interaction::BuyConfirm) {
            self.answered.push(Answered { kind: StatementKind::Durable, took });
        }
        Ok(shown)
    }

    fn usable(&self) -> bool {
        self.usable
    }

    fn answered(&mut self) -> &mut Vec<Answered> {
        &mut self.answered
    }

    async fn close(self) {}
}

fn show(request: &Request, visit: &Visit, order: u32) -> Page {
    let promotion = || vec![Thumbnail { item: 3, path: String::new() }];
    let books = || vec![Book { item: 4, title: String::new(), author: Name::default() }];
    match request {
        Request::Home { .. } => Page::Home { customer: None, promotion: promotion() },
        Request::NewProducts { .. } => Page::NewProducts { books: books(), promotion: promotion() },
        Request::BestSellers { .. } => Page::BestSellers { books: books(), promotion: promotion() },
        Request::SearchRequest { .. } => Page::SearchRequest { promotion: promotion() },
        Request::SearchResults { .. } => Page::SearchResults { books: books(), promotion: promotion() },
        Request::ProductDetail { item } => Page::ProductDetail { detail: detail(*item) },
        Request::AdminRequest { item } => Page::AdminRequest { detail: detail(*item) },
        Request::AdminConfirm { item, .. } => Page::AdminConfirm { detail: detail(*item), related: [1; 5] },
        Request::CustomerRegistration { .. } => Page::CustomerRegistration { uname: None },
        Request::OrderInquiry { .. } => Page::OrderInquiry { uname: None },
        Request::ShoppingCart { change, .. } => cart(visit, change),
        Request::BuyRequest { login, .. } => buy_request(visit, login),
        Request::BuyConfirm(form) => {
            let lines = visit.cart_lines.clone();
            let customer = form.customer.unwrap_or(1);
            let purchase = Purchase { order, customer, totals: Totals::default(), lines };
            Page::BuyConfirm { token: form.token.clone(), purchase: Some(purchase) }
        }
        Request::OrderDisplay { .. } => Page::OrderDisplay { customer: order, order: None::<Box<Order>> },
    }
}

fn cart(visit: &Visit, change: &CartChange) -> Page {
    let mut lines: std::collections::BTreeMap<u32, u32> = visit.cart_lines.iter().copied().collect();
    match change {
        CartChange::Show => {}
        CartChange::Add(item) => *lines.entry(*item).or_default() += 1,
        CartChange::Set(pairs) => lines.extend(pairs.iter().copied()),
    }
    lines.retain(|_, quantity| *quantity > 0);
    if lines.is_empty() {
        lines.insert(9, 1);
    }
    let lines = lines.into_iter().map(line).collect();
    Page::ShoppingCart { cart: 1, lines, sub_total: Cents(0), refused: false, promotion: Vec::new() }
}

fn line((item, quantity): (u32, u32)) -> CartLine {
    let (title, backing) = Default::default();
    CartLine { item, quantity, title, cost: Cents(0), srp: Cents(0), backing }
}

fn buy_request(visit: &Visit, login: &Login) -> Page {
    let customer = Box::new(Buyer {
        id: visit.customer.as_ref().map_or(77, |customer| customer.id),
        uname: String::new(),
        name: Name::default(),
        discount_percent: 0,
        registered: matches!(login, Login::New(_)),
        address: Default::default(),
    });
    let lines = visit.cart_lines.iter().copied().map(line).collect();
    Page::BuyRequest { customer, cart: visit.cart, lines, totals: Totals::default() }
}

fn detail(item: u32) -> Box<ItemDetail> {
    Box::new(ItemDetail {
        item,
        title: String::new(),
        author: Name::default(),
        pub_date: String::new(),
        publisher: String::new(),
        subject: String::new(),
        description: String::new(),
        thumbnail: String::new(),
        image: String::new(),
        srp: Cents(0),
        cost: Cents(0),
        available: String::new(),
        isbn: String::new(),
        pages: 0,
        backing: String::new(),
        dimensions: String::new(),
    })
}
