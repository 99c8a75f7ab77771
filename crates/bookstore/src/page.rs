//! What an interaction returns: the data of a page, no HTML. All of it came from the database in that interaction, so a
//! reader may hold it against what was seen before (orders, carts, customers).

use crate::money::Cents;

/// First and last name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// C_FNAME or A_FNAME.
    pub first: String,
    /// C_LNAME or A_LNAME.
    pub last: String,
}

/// A picture in the promotion block, a link to its item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnail {
    /// I_ID.
    pub item: u32,
    /// I_THUMBNAIL, a path.
    pub path: String,
}

/// A line of a list page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    /// I_ID.
    pub item: u32,
    /// I_TITLE.
    pub title: String,
    /// The author.
    pub author: Name,
}

/// An item with its author, on product detail and the admin pages. Dates are `YYYY-MM-DD`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "columns of ITEM, named as there")]
pub struct ItemDetail {
    pub item: u32,
    pub title: String,
    pub author: Name,
    pub pub_date: String,
    pub publisher: String,
    pub subject: String,
    pub description: String,
    pub thumbnail: String,
    pub image: String,
    pub srp: Cents,
    pub cost: Cents,
    pub available: String,
    pub isbn: String,
    pub pages: u32,
    pub backing: String,
    pub dimensions: String,
}

/// A line of a cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CartLine {
    /// I_ID.
    pub item: u32,
    /// SCL_QTY, at least 1.
    pub quantity: u32,
    /// I_TITLE.
    pub title: String,
    /// I_COST of one.
    pub cost: Cents,
    /// I_SRP of one.
    pub srp: Cents,
    /// I_BACKING.
    pub backing: String,
}

/// What an order costs (`docs/tpcw.md`, 1.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Costs times quantities less the customer's discount, rounded half up to the cent.
    pub sub_total: Cents,
    /// 8.25 per cent of the sub-total, rounded half up to the cent.
    pub tax: Cents,
    /// 3.00 and 1.00 for each piece.
    pub shipping: Cents,
    /// The three together.
    pub total: Cents,
}

impl Totals {
    /// Totals of (cost of one, quantity) pairs for a discount in per cent.
    pub fn of(lines: impl IntoIterator<Item = (Cents, u32)>, discount_percent: i64) -> Self {
        let (cost, pieces) = lines.into_iter().fold((Cents(0), 0_u32), |(cost, pieces), (each, quantity)| {
            (cost + each * quantity, pieces.saturating_add(quantity))
        });
        let sub_total = cost.less_percent(discount_percent);
        let tax = sub_total.tax();
        let shipping = Cents(300) + Cents(100) * pieces;
        Self { sub_total, tax, shipping, total: sub_total + tax + shipping }
    }
}

/// An address, its country by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "columns of ADDRESS, named as there")]
pub struct Address {
    pub street1: String,
    pub street2: String,
    pub city: String,
    pub state: String,
    pub zip: String,
    pub country: String,
}

/// The buyer on the buy request page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buyer {
    /// C_ID; a new customer's was given by this page.
    pub id: u32,
    /// C_UNAME.
    pub uname: String,
    /// First and last name.
    pub name: Name,
    /// C_DISCOUNT in per cent.
    pub discount_percent: i64,
    /// Whether this page registered the customer.
    pub registered: bool,
    /// Billing address.
    pub address: Address,
}

/// An order as order display shows it. Dates are `YYYY-MM-DD hh:mm:ss`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// O_ID.
    pub id: u32,
    /// O_TOKEN; `None` for orders of the population.
    pub token: Option<String>,
    /// O_DATE.
    pub date: String,
    /// O_SUB_TOTAL.
    pub sub_total: Cents,
    /// O_TAX.
    pub tax: Cents,
    /// O_TOTAL.
    pub total: Cents,
    /// O_SHIP_TYPE.
    pub ship_type: String,
    /// O_SHIP_DATE.
    pub ship_date: String,
    /// O_STATUS.
    pub status: String,
    /// CX_TYPE.
    pub card_type: String,
    /// Billing address.
    pub bill_to: Address,
    /// Shipping address.
    pub ship_to: Address,
    /// By OL_ID. An order and its lines are written together, so an empty list is a fault of the database.
    pub lines: Vec<OrderLine>,
}

/// A line of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderLine {
    /// I_ID.
    pub item: u32,
    /// I_TITLE.
    pub title: String,
    /// I_PUBLISHER.
    pub publisher: String,
    /// I_COST as of now, not of the day of the order.
    pub cost: Cents,
    /// OL_QTY.
    pub quantity: u32,
    /// OL_DISCOUNT in per cent.
    pub discount_percent: i64,
    /// OL_COMMENTS.
    pub comments: String,
}

/// An order that buy confirm has just made, after its COMMIT was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// O_ID.
    pub order: u32,
    /// O_C_ID.
    pub customer: u32,
    /// What was charged.
    pub totals: Totals,
    /// (I_ID, OL_QTY) by OL_ID.
    pub lines: Vec<(u32, u32)>,
}

/// A page that came back whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the types above, told there")]
pub enum Page {
    /// `customer` is `None` for a visitor who is not known.
    Home {
        customer: Option<Name>,
        promotion: Vec<Thumbnail>,
    },
    NewProducts {
        books: Vec<Book>,
        promotion: Vec<Thumbnail>,
    },
    BestSellers {
        books: Vec<Book>,
        promotion: Vec<Thumbnail>,
    },
    ProductDetail {
        detail: Box<ItemDetail>,
    },
    SearchRequest {
        promotion: Vec<Thumbnail>,
    },
    SearchResults {
        books: Vec<Book>,
        promotion: Vec<Thumbnail>,
    },
    /// `refused`: the request would have put more than 100 pieces into the cart, which was left as it was.
    ShoppingCart {
        cart: u32,
        lines: Vec<CartLine>,
        sub_total: Cents,
        refused: bool,
        promotion: Vec<Thumbnail>,
    },
    /// `uname` is `None` for a visitor who is not known.
    CustomerRegistration {
        uname: Option<String>,
    },
    BuyRequest {
        customer: Box<Buyer>,
        cart: Option<u32>,
        lines: Vec<CartLine>,
        totals: Totals,
    },
    /// `purchase` is `None` when the cart was empty: a buy confirm repeated after a lost answer, say. Then nothing was
    /// written. `token` is the request's.
    BuyConfirm {
        token: String,
        purchase: Option<Purchase>,
    },
    /// `uname` is `None` for a visitor who is not known.
    OrderInquiry {
        uname: Option<String>,
    },
    /// `order` is `None` for a customer who never ordered.
    OrderDisplay {
        customer: u32,
        order: Option<Box<Order>>,
    },
    AdminRequest {
        detail: Box<ItemDetail>,
    },
    /// `related` are the item's new I_RELATED1 to 5.
    AdminConfirm {
        detail: Box<ItemDetail>,
        related: [u32; 5],
    },
}
