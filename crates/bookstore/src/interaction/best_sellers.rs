//! Best sellers: the 50 items of a subject that sold most in the 3,333 newest orders (`docs/tpcw.md`, 1.3). "Newest" is by
//! O_ID, as everybody measures it. Computed each time: the specification would allow a list 30 s old.

use super::book_list::books;
use super::promotion::promoted;
use crate::page::Page;
use crate::statements::BEST_SELLERS;
use crate::store::{Store, StoreError};

pub(super) async fn serve<S: Store>(
    subject: &str,
    promotion: u32,
    store: &mut S,
) -> Result<Page, StoreError> {
    let books = books(&BEST_SELLERS, subject, store).await?;
    Ok(Page::BestSellers { books, promotion: promoted(promotion, store).await? })
}
