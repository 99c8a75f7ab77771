//! Order inquiry: a form, with the user name of a visitor who is known (`docs/tpcw.md`, 1.11).

use super::uname::uname;
use crate::page::Page;
use crate::store::{Store, StoreError};

pub(super) async fn serve<S: Store>(customer: Option<u32>, store: &mut S) -> Result<Page, StoreError> {
    Ok(Page::OrderInquiry { uname: uname(customer, store).await? })
}
