//! The list of the three list pages: at most 50 items with their authors.

use crate::columns::Columns;
use crate::page::Book;
use crate::store::{Statement, Store, StoreError};

pub(super) async fn books<S: Store>(
    statement: &'static Statement,
    key: &str,
    store: &mut S,
) -> Result<Vec<Book>, StoreError> {
    let rows = store.rows(statement, vec![key.into()]).await?;
    rows.into_iter()
        .map(|row| {
            let mut columns = Columns::of(row, statement);
            Ok(Book { item: columns.number()?, title: columns.text()?, author: columns.name()? })
        })
        .collect()
}
