//! Product detail: an item and its author (`docs/tpcw.md`, 1.4).

use super::item_detail::detail;
use crate::page::Page;
use crate::store::{Store, StoreError};

pub(super) async fn serve<S: Store>(item: u32, store: &mut S) -> Result<Page, StoreError> {
    Ok(Page::ProductDetail { detail: detail(item, store).await? })
}
