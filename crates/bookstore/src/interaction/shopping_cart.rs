//! Shopping cart: add, change or show (`docs/tpcw.md`, 1.7), in one transaction with COMMIT as its last step.
//!
//! Whoever changes a cart touches its row of SHOPPING_CART first, so two changes of one cart follow each other. No row of
//! ITEM is locked (the stand-in is looked up by a plain read), so this page never deadlocks with buy confirm.
//!
//! The limit of 100 pieces is tested after the change: a change that would break it is rolled back and the page says so.
//! That saves the normal case a query.

use super::address::inserted_id;
use super::cart_lines::lines;
use super::promotion::promoted;
use super::transaction::{keep, undo};
use crate::columns::Columns;
use crate::money::Cents;
use crate::page::{CartLine, Page};
use crate::request::CartChange;
use crate::statements::{CART_ADD, CART_CREATE, CART_DROP, CART_SET, CART_TOUCH, FIRST_RELATED};
use crate::store::{Store, StoreError};

/// Most pieces in a cart, and most pairs in a request.
const LIMIT: usize = 100;

/// What became of a cart within the transaction.
enum Changed {
    To {
        cart: u32,
        lines: Vec<CartLine>,
    },
    /// More than [`LIMIT`] pieces.
    TooMuch {
        cart: u32,
    },
    /// The visitor's cart does not exist.
    Missing,
}

pub(super) async fn serve<S: Store>(
    cart: Option<u32>,
    change: &CartChange,
    stand_in: u32,
    promotion: u32,
    store: &mut S,
) -> Result<Page, StoreError> {
    let promotion = promoted(promotion, store).await?;
    let (cart, lines, refused) = match attempt(cart, change, stand_in, store).await? {
        Changed::To { cart, lines } => (cart, lines, false),
        Changed::TooMuch { cart } => (cart, lines(cart, store).await?.unwrap_or_default(), true),
        Changed::Missing => fresh(change, stand_in, store).await?,
    };
    let sub_total = lines.iter().map(|line| line.cost * line.quantity).sum::<Cents>();
    Ok(Page::ShoppingCart { cart, lines, sub_total, refused, promotion })
}

/// A visitor whose cart is gone gets a new one, as one who never had any. The page shows its number.
async fn fresh<S: Store>(
    change: &CartChange,
    stand_in: u32,
    store: &mut S,
) -> Result<(u32, Vec<CartLine>, bool), StoreError> {
    let change = match change {
        CartChange::Set(_) => &CartChange::Show,
        change => change,
    };
    match attempt(None, change, stand_in, store).await? {
        Changed::To { cart, lines } => Ok((cart, lines, false)),
        Changed::TooMuch { .. } | Changed::Missing => {
            Err(StoreError::refused("a new cart is missing or too full"))
        }
    }
}

/// The transaction, from BEGIN to COMMIT or ROLLBACK.
async fn attempt<S: Store>(
    cart: Option<u32>,
    change: &CartChange,
    stand_in: u32,
    store: &mut S,
) -> Result<Changed, StoreError> {
    store.begin().await?;
    match apply(cart, change, stand_in, store).await {
        Ok(changed @ Changed::To { .. }) => keep(store, changed).await,
        Ok(changed) => match store.rollback().await {
            Ok(()) => Ok(changed),
            Err(error) => Err(undo(store, error).await),
        },
        Err(error) => Err(undo(store, error).await),
    }
}

async fn apply<S: Store>(
    cart: Option<u32>,
    change: &CartChange,
    stand_in: u32,
    store: &mut S,
) -> Result<Changed, StoreError> {
    let id = match cart {
        Some(id) => {
            store.write(&CART_TOUCH, vec![id.into()]).await?;
            id
        }
        None => inserted_id(store.write(&CART_CREATE, Vec::new()).await?.last_insert_id)?,
    };
    match change {
        CartChange::Show => {}
        CartChange::Add(item) => add(id, *item, store).await?,
        CartChange::Set(quantities) => set(id, quantities, store).await?,
    }
    // A cart just made and not added to is known to be empty.
    let known_empty = cart.is_none() && !matches!(change, CartChange::Add(_));
    let mut now = if known_empty { Some(Vec::new()) } else { lines(id, store).await? };
    if now.as_ref().is_some_and(Vec::is_empty) {
        add(id, first_related(stand_in, store).await?, store).await?;
        now = lines(id, store).await?;
    }
    Ok(match now {
        None => Changed::Missing,
        Some(lines) if lines.iter().map(|line| line.quantity as usize).sum::<usize>() > LIMIT => {
            Changed::TooMuch { cart: id }
        }
        Some(lines) => Changed::To { cart: id, lines },
    })
}

async fn add<S: Store>(cart: u32, item: u32, store: &mut S) -> Result<(), StoreError> {
    store.write(&CART_ADD, vec![cart.into(), item.into()]).await.map(|_| ())
}

async fn set<S: Store>(cart: u32, quantities: &[(u32, u32)], store: &mut S) -> Result<(), StoreError> {
    if quantities.len() > LIMIT {
        return Err(StoreError::refused(format!(
            "{} changes of a cart, {LIMIT} are allowed",
            quantities.len()
        )));
    }
    for (item, quantity) in quantities {
        match quantity {
            0 => store.write(&CART_DROP, vec![cart.into(), (*item).into()]).await?,
            _ => store.write(&CART_SET, vec![(*quantity).into(), cart.into(), (*item).into()]).await?,
        };
    }
    Ok(())
}

async fn first_related<S: Store>(item: u32, store: &mut S) -> Result<u32, StoreError> {
    let rows = store.rows(&FIRST_RELATED, vec![item.into()]).await?;
    let row =
        rows.into_iter().next().ok_or_else(|| StoreError::refused(format!("there is no item {item}")))?;
    Columns::of(row, &FIRST_RELATED).number()
}
