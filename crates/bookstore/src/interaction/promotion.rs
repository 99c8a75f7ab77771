//! The promotion block of six pages: thumbnails of the items related to one.

use crate::columns::Columns;
use crate::page::Thumbnail;
use crate::statements::PROMOTION;
use crate::store::{Store, StoreError};

pub(super) async fn promoted<S: Store>(item: u32, store: &mut S) -> Result<Vec<Thumbnail>, StoreError> {
    let rows = store.rows(&PROMOTION, vec![item.into()]).await?;
    rows.into_iter()
        .map(|row| {
            let mut columns = Columns::of(row, &PROMOTION);
            Ok(Thumbnail { item: columns.number()?, path: columns.text()? })
        })
        .collect()
}
