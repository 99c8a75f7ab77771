//! Admin confirm: new cost, pictures and related items of an item (`docs/tpcw.md`, 1.14).
//!
//! The related items may be found at the lowest isolation level, so they are read first, outside any transaction, on
//! whatever node. What is left to write is one row by one UPDATE, a transaction by itself: it waits for a buy confirm that
//! holds the item, and nobody can deadlock with it. Repeating it changes nothing more.
//!
//! Buyers are those of the 10,000 newest orders; what they bought is counted over all their orders.

use super::item_detail::detail;
use crate::columns::Columns;
use crate::money::Cents;
use crate::page::Page;
use crate::statements::{ITEM_UPDATE, RELATED};
use crate::store::{Store, StoreError};

pub(super) async fn serve<S: Store>(
    item: u32,
    cost: Cents,
    picture: u32,
    spare: &[u32],
    store: &mut S,
) -> Result<Page, StoreError> {
    let related = filled_up(bought_with(item, store).await?, spare, item);
    let mut values = vec![
        cost.to_string().into(),
        format!("img{}/image_{picture}.gif", picture % 100).into(),
        format!("img{}/thumb_{picture}.gif", picture % 100).into(),
    ];
    values.extend(related.map(mysql_async::Value::from));
    values.push(item.into());
    store.write(&ITEM_UPDATE, values).await?;
    Ok(Page::AdminConfirm { detail: detail(item, store).await?, related })
}

async fn bought_with<S: Store>(item: u32, store: &mut S) -> Result<Vec<u32>, StoreError> {
    let rows = store.rows(&RELATED, vec![item.into(), item.into()]).await?;
    rows.into_iter().map(|row| Columns::of(row, &RELATED).number()).collect()
}

/// Five distinct items: those found, then spare ones. A shop with too few items for that repeats the item itself.
fn filled_up(mut found: Vec<u32>, spare: &[u32], item: u32) -> [u32; 5] {
    for spare in spare {
        if found.len() < 5 && !found.contains(spare) {
            found.push(*spare);
        }
    }
    std::array::from_fn(|place| found.get(place).copied().unwrap_or(item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn related_items_are_filled_up_without_repetition() {
        let spare = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert_eq!(filled_up(vec![], &spare, 77), [1, 2, 3, 4, 5]);
        assert_eq!(filled_up(vec![4, 3, 2, 1], &spare, 77), [4, 3, 2, 1, 5]);
        assert_eq!(filled_up(vec![11, 12, 13, 14, 15], &spare, 77), [11, 12, 13, 14, 15]);
        assert_eq!(filled_up(vec![1], &[], 77), [1, 77, 77, 77, 77]);
    }
}
