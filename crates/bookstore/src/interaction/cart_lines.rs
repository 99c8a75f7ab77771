//! The lines of a cart, as shopping cart and buy request show them.

use crate::columns::Columns;
use crate::page::CartLine;
use crate::statements::CART_LINES;
use crate::store::{Store, StoreError};

/// By item; `None` if there is no such cart.
pub(super) async fn lines<S: Store>(cart: u32, store: &mut S) -> Result<Option<Vec<CartLine>>, StoreError> {
    let rows = store.rows(&CART_LINES, vec![cart.into()]).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let mut columns = Columns::of(row, &CART_LINES);
        if let Some(item) = columns.maybe_number()? {
            lines.push(CartLine {
                item,
                quantity: columns.number()?,
                title: columns.text()?,
                cost: columns.cents()?,
                srp: columns.cents()?,
                backing: columns.text()?,
            });
        }
    }
    Ok(Some(lines))
}
