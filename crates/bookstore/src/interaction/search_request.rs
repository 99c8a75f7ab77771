//! Search request: a form and the promotion block (`docs/tpcw.md`, 1.5).

use super::promotion::promoted;
use crate::page::Page;
use crate::store::{Store, StoreError};

pub(super) async fn serve<S: Store>(promotion: u32, store: &mut S) -> Result<Page, StoreError> {
    Ok(Page::SearchRequest { promotion: promoted(promotion, store).await? })
}
