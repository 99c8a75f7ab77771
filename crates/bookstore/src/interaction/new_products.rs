//! New products: the 50 newest items of a subject (`docs/tpcw.md`, 1.2).

use super::book_list::books;
use super::promotion::promoted;
use crate::page::Page;
use crate::statements::NEW_PRODUCTS;
use crate::store::{Store, StoreError};

pub(super) async fn serve<S: Store>(
    subject: &str,
    promotion: u32,
    store: &mut S,
) -> Result<Page, StoreError> {
    let books = books(&NEW_PRODUCTS, subject, store).await?;
    Ok(Page::NewProducts { books, promotion: promoted(promotion, store).await? })
}
