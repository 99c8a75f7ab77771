//! Buy confirm: the purchase, one transaction (`docs/tpcw.md`, 1.10).
//!
//! Eight round trips: BEGIN; read customer, cart and prices under locks; order; lines; stock; card; empty the cart; COMMIT.
//! More than four lines take another insert or two, a new shipping address one or two statements more.
//!
//! *No lost update, no sale of a cart twice*: the first read locks the cart's lines, then their items. A second buy confirm
//! of the same cart waits there and then finds it empty. *No deadlock*: everybody locks customer, address, lines and items
//! in this order and items by rising id; admin confirm locks a single item and nothing else; shopping cart locks no item.
//! The lock on the lines covers the gap behind them (REPEATABLE READ), so a line inserted into the next cart just then
//! waits for this COMMIT; nobody waits the other way round. With 32 browsers that never think, one writing page in twenty
//! waited for that, 13 ms on average. Reading the lines without a lock instead would start a snapshot before the items are
//! locked, and `innodb_snapshot_isolation` (on by default from MariaDB 11.6) would refuse the update of any item that was
//! sold meanwhile; as it is, there is nothing to refuse.
//!
//! Payment: the gateway's answer is part of the request ([`Confirmation::authorisation`]), as no gateway is asked.

use mysql_async::Value;

use super::address::{find_or_insert, inserted_id};
use super::transaction::{keep, undo};
use crate::columns::Columns;
use crate::money::Cents;
use crate::page::{Page, Purchase, Totals};
use crate::request::Confirmation;
use crate::statements::{
    CARD_INSERT, CART_EMPTY, CHECKOUT, ORDER_INSERT, ORDER_LINES_1, ORDER_LINES_2, ORDER_LINES_3,
    ORDER_LINES_4, ORDER_LINES_8, STOCK_TAKE,
};
use crate::store::{Statement, Store, StoreError};

/// What [`CHECKOUT`] read and locked.
struct Checkout {
    discount_percent: i64,
    address: u32,
    country: u32,
    /// By item.
    lines: Vec<Line>,
}

struct Line {
    item: u32,
    quantity: u32,
    cost: Cents,
}

pub(super) async fn serve<S: Store>(form: &Confirmation, store: &mut S) -> Result<Page, StoreError> {
    let token = form.token.clone();
    let (Some(customer), Some(cart)) = (form.customer, form.cart) else {
        return Ok(Page::BuyConfirm { token, purchase: None });
    };
    store.begin().await?;
    match buy(customer, cart, form, store).await {
        Ok(Some(purchase)) => keep(store, Page::BuyConfirm { token, purchase: Some(purchase) }).await,
        Ok(None) => match store.rollback().await {
            Ok(()) => Ok(Page::BuyConfirm { token, purchase: None }),
            Err(error) => Err(undo(store, error).await),
        },
        Err(error) => Err(undo(store, error).await),
    }
}

/// Everything between BEGIN and COMMIT; `None` if the cart is empty.
async fn buy<S: Store>(
    customer: u32,
    cart: u32,
    form: &Confirmation,
    store: &mut S,
) -> Result<Option<Purchase>, StoreError> {
    let Some(checkout) = check_out(customer, cart, store).await? else { return Ok(None) };
    let totals =
        Totals::of(checkout.lines.iter().map(|line| (line.cost, line.quantity)), checkout.discount_percent);
    let (ship_address, ship_country) = match &form.ship_to {
        Some(address) => {
            let place = find_or_insert(address, store).await?;
            (place.address, place.country)
        }
        None => (checkout.address, checkout.country),
    };
    let values = order_values(customer, &checkout, &totals, ship_address, form);
    let order = inserted_id(store.write(&ORDER_INSERT, values).await?.last_insert_id)?;
    insert_lines(order, &checkout, &form.comments, store).await?;
    store.write(&STOCK_TAKE, vec![cart.into()]).await?;
    store.write(&CARD_INSERT, card_values(order, &totals, ship_country, form)).await?;
    store.write(&CART_EMPTY, vec![cart.into()]).await?;
    let lines = checkout.lines.iter().map(|line| (line.item, line.quantity)).collect();
    Ok(Some(Purchase { order, customer, totals, lines }))
}

async fn check_out<S: Store>(
    customer: u32,
    cart: u32,
    store: &mut S,
) -> Result<Option<Checkout>, StoreError> {
    let rows = store.rows(&CHECKOUT, vec![customer.into(), cart.into()]).await?;
    let mut checkout: Option<Checkout> = None;
    for row in rows {
        let mut columns = Columns::of(row, &CHECKOUT);
        let (discount_percent, address, country) = (columns.cents()?.0, columns.number()?, columns.number()?);
        let line = Line { item: columns.number()?, quantity: columns.number()?, cost: columns.cents()? };
        let checkout =
            checkout.get_or_insert(Checkout { discount_percent, address, country, lines: Vec::new() });
        checkout.lines.push(line);
    }
    Ok(checkout)
}

fn order_values(
    customer: u32,
    checkout: &Checkout,
    totals: &Totals,
    ship_address: u32,
    form: &Confirmation,
) -> Vec<Value> {
    let token = if form.token.is_empty() { Value::NULL } else { form.token.as_str().into() };
    vec![
        customer.into(),
        totals.sub_total.to_string().into(),
        totals.tax.to_string().into(),
        totals.total.to_string().into(),
        form.ship_type.into(),
        form.ship_days.into(),
        checkout.address.into(),
        ship_address.into(),
        token,
    ]
}

fn card_values(order: u32, totals: &Totals, country: u32, form: &Confirmation) -> Vec<Value> {
    vec![
        order.into(),
        form.card_type.into(),
        form.card_number.as_str().into(),
        form.card_name.as_str().into(),
        form.card_expiry_days.into(),
        form.authorisation.as_str().into(),
        totals.total.to_string().into(),
        country.into(),
    ]
}

/// As few statements as five sizes allow: one for up to four lines, two for up to eight.
async fn insert_lines<S: Store>(
    order: u32,
    checkout: &Checkout,
    comments: &str,
    store: &mut S,
) -> Result<(), StoreError> {
    let discount = Cents(checkout.discount_percent).to_string();
    let mut number = 0;
    let mut rest = checkout.lines.as_slice();
    while !rest.is_empty() {
        let (statement, size) = batch(rest.len());
        let (now, later) = rest.split_at(size);
        let mut values: Vec<Value> = Vec::with_capacity(6 * size);
        for line in now {
            number += 1;
            let comment = comment(comments, number).into();
            values.extend([
                order.into(),
                number.into(),
                line.item.into(),
                line.quantity.into(),
                discount.as_str().into(),
            ]);
            values.push(comment);
        }
        store.write(statement, values).await?;
        rest = later;
    }
    Ok(())
}

/// The largest statement that `lines` fill.
fn batch(lines: usize) -> (&'static Statement, usize) {
    match lines {
        0 | 1 => (&ORDER_LINES_1, 1),
        2 => (&ORDER_LINES_2, 2),
        3 => (&ORDER_LINES_3, 3),
        4..=7 => (&ORDER_LINES_4, 4),
        _ => (&ORDER_LINES_8, 8),
    }
}

/// A slice of 20 to 100 of the request's random characters, another one for each line.
fn comment(comments: &str, number: u32) -> &str {
    let number = number as usize;
    let start = (number * 37 % 100).min(comments.len());
    let end = (start + 20 + number * 61 % 81).min(comments.len());
    comments.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_20_to_100_characters() {
        let text = "x".repeat(200);
        let lengths: Vec<_> = (1..=100).map(|number| comment(&text, number).len()).collect();
        assert_eq!((lengths.iter().min(), lengths.iter().max()), (Some(&20), Some(&100)));
        assert_eq!(comment("short", 3), "");
    }

    #[test]
    fn batches_cover_every_count() {
        for lines in 1..=100_usize {
            let (mut rest, mut statements) = (lines, 0);
            while rest > 0 {
                let (statement, size) = batch(rest);
                assert_eq!(statement.sql.matches('?').count(), 6 * size);
                rest = rest.checked_sub(size).expect("never more than there are");
                statements += 1;
            }
            assert!(statements <= lines / 8 + 2, "{lines}");
        }
    }
}
