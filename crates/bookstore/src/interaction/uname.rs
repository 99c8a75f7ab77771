//! The user name that two forms show to a known customer. The sources disagree on whether the page reads it
//! (`docs/tpcw.md`, 1.8 and 1.11); it does here.

use crate::columns::Columns;
use crate::statements::CUSTOMER_UNAME;
use crate::store::{Store, StoreError};

pub(super) async fn uname<S: Store>(
    customer: Option<u32>,
    store: &mut S,
) -> Result<Option<String>, StoreError> {
    let Some(customer) = customer else { return Ok(None) };
    let rows = store.rows(&CUSTOMER_UNAME, vec![customer.into()]).await?;
    let row = rows.into_iter().next();
    let row = row.ok_or_else(|| StoreError::refused(format!("there is no customer {customer}")))?;
    Columns::of(row, &CUSTOMER_UNAME).text().map(Some)
}
