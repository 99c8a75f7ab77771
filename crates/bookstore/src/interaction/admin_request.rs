//! Admin request: the item to be changed (`docs/tpcw.md`, 1.13).

use super::item_detail::detail;
use crate::page::Page;
use crate::store::{Store, StoreError};

pub(super) async fn serve<S: Store>(item: u32, store: &mut S) -> Result<Page, StoreError> {
    Ok(Page::AdminRequest { detail: detail(item, store).await? })
}
