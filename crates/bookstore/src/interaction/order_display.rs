//! Order display: a customer's most recent order with everything that belongs to it (`docs/tpcw.md`, 1.12).

use mysql_async::Row;

use crate::columns::Columns;
use crate::page::{Order, OrderLine, Page};
use crate::statements::ORDER_LATEST;
use crate::store::{Store, StoreError};

pub(super) async fn serve<S: Store>(uname: &str, password: &str, store: &mut S) -> Result<Page, StoreError> {
    let rows = store.rows(&ORDER_LATEST, vec![uname.into(), uname.into()]).await?;
    let mut rows = rows.into_iter();
    let first = rows.next().ok_or_else(|| StoreError::refused(format!("there is no customer {uname:?}")))?;
    let mut columns = Columns::of(first, &ORDER_LATEST);
    if columns.maybe_text()?.as_deref() != Some(password) {
        return Err(StoreError::refused(format!("wrong password for {uname:?}")));
    }
    let customer = columns.number()?;
    let Some(mut order) = head(&mut columns)? else {
        return Ok(Page::OrderDisplay { customer, order: None });
    };
    order.lines.extend(line(&mut columns)?);
    for row in rows {
        order.lines.extend(line(&mut after_head(row))?);
    }
    Ok(Page::OrderDisplay { customer, order: Some(Box::new(order)) })
}

/// O_ID to the shipping address.
fn head(columns: &mut Columns) -> Result<Option<Order>, StoreError> {
    let Some(id) = columns.maybe_number()? else { return Ok(None) };
    Ok(Some(Order {
        id,
        token: columns.maybe_text()?,
        date: columns.text()?,
        sub_total: columns.cents()?,
        tax: columns.cents()?,
        total: columns.cents()?,
        ship_type: columns.text()?,
        ship_date: columns.text()?,
        status: columns.text()?,
        card_type: columns.text()?,
        bill_to: columns.address()?,
        ship_to: columns.address()?,
        lines: Vec::new(),
    }))
}

/// Columns before those of the line.
const HEAD: usize = 24;

fn after_head(row: Row) -> Columns {
    let mut columns = Columns::of(row, &ORDER_LATEST);
    columns.skip(HEAD);
    columns
}

fn line(columns: &mut Columns) -> Result<Option<OrderLine>, StoreError> {
    let Some(item) = columns.maybe_number()? else { return Ok(None) };
    Ok(Some(OrderLine {
        item,
        title: columns.text()?,
        publisher: columns.text()?,
        cost: columns.cents()?,
        quantity: columns.number()?,
        discount_percent: columns.cents()?.0,
        comments: columns.text()?,
    }))
}
