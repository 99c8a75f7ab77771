//! Search results: up to 50 items by title (`docs/tpcw.md`, 1.6). An author is searched by the beginning of the last name,
//! a title by a word anywhere in it: that is where the population puts the words that browsers search for.

use super::book_list::books;
use super::promotion::promoted;
use crate::page::Page;
use crate::request::Search;
use crate::statements::{SEARCH_AUTHOR, SEARCH_SUBJECT, SEARCH_TITLE};
use crate::store::{Store, StoreError};

pub(super) async fn serve<S: Store>(
    search: &Search,
    promotion: u32,
    store: &mut S,
) -> Result<Page, StoreError> {
    let books = match search {
        Search::Author(start) => books(&SEARCH_AUTHOR, &literal(start), store).await?,
        Search::Title(word) => books(&SEARCH_TITLE, &literal(word), store).await?,
        Search::Subject(subject) => books(&SEARCH_SUBJECT, subject, store).await?,
    };
    Ok(Page::SearchResults { books, promotion: promoted(promotion, store).await? })
}

/// The text with the wildcards of LIKE escaped.
fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            literal.push('\\');
        }
        literal.push(character);
    }
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_searched_for_as_themselves() {
        assert_eq!(literal(r"50%_a\b"), r"50\%\_a\\b");
        assert_eq!(literal("OGNGULAL"), "OGNGULAL");
    }
}
