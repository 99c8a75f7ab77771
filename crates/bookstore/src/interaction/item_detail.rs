//! One item with its author, for product detail and the admin pages.

use crate::columns::Columns;
use crate::page::ItemDetail;
use crate::statements::ITEM_DETAIL;
use crate::store::{Store, StoreError};

pub(super) async fn detail<S: Store>(item: u32, store: &mut S) -> Result<Box<ItemDetail>, StoreError> {
    let rows = store.rows(&ITEM_DETAIL, vec![item.into()]).await?;
    let row =
        rows.into_iter().next().ok_or_else(|| StoreError::refused(format!("there is no item {item}")))?;
    let mut columns = Columns::of(row, &ITEM_DETAIL);
    Ok(Box::new(ItemDetail {
        item: columns.number()?,
        title: columns.text()?,
        author: columns.name()?,
        pub_date: columns.text()?,
        publisher: columns.text()?,
        subject: columns.text()?,
        description: columns.text()?,
        thumbnail: columns.text()?,
        image: columns.text()?,
        srp: columns.cents()?,
        cost: columns.cents()?,
        available: columns.text()?,
        isbn: columns.text()?,
        pages: columns.number()?,
        backing: columns.text()?,
        dimensions: columns.text()?,
    }))
}
