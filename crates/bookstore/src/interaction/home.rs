//! Home: a greeting and the promotion block (`docs/tpcw.md`, 1.1).

use super::promotion::promoted;
use crate::columns::Columns;
use crate::page::{Name, Page};
use crate::statements::CUSTOMER_NAME;
use crate::store::{Store, StoreError};

/// Reads the name each time, not only on a session's first page.
pub(super) async fn serve<S: Store>(
    customer: Option<u32>,
    promotion: u32,
    store: &mut S,
) -> Result<Page, StoreError> {
    let customer = match customer {
        Some(customer) => Some(name(customer, store).await?),
        None => None,
    };
    Ok(Page::Home { customer, promotion: promoted(promotion, store).await? })
}

async fn name<S: Store>(customer: u32, store: &mut S) -> Result<Name, StoreError> {
    let rows = store.rows(&CUSTOMER_NAME, vec![customer.into()]).await?;
    let row = rows.into_iter().next();
    let row = row.ok_or_else(|| StoreError::refused(format!("there is no customer {customer}")))?;
    Columns::of(row, &CUSTOMER_NAME).name()
}
