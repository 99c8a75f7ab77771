//! Buy request: a returning customer logs in or a new one is registered, and the cart is shown with the totals
//! (`docs/tpcw.md`, 1.9). One transaction, COMMIT last.
//!
//! The totals are shown, not kept: buy confirm works them out again under its locks.

use super::address::{find_or_insert, inserted_id};
use super::cart_lines::lines;
use super::transaction::{keep, undo};
use crate::columns::Columns;
use crate::money::Cents;
use crate::page::{Buyer, Page, Totals};
use crate::request::{Login, NewCustomer};
use crate::statements::{CUSTOMER_INSERT, CUSTOMER_INSERT_UNAME, LOGIN, LOGIN_STAMP};
use crate::store::{Store, StoreError};
use crate::visit::Customer;

pub(super) async fn serve<S: Store>(
    cart: Option<u32>,
    login: &Login,
    store: &mut S,
) -> Result<Page, StoreError> {
    store.begin().await?;
    match request(cart, login, store).await {
        Ok(page) => keep(store, page).await,
        Err(error) => Err(undo(store, error).await),
    }
}

async fn request<S: Store>(cart: Option<u32>, login: &Login, store: &mut S) -> Result<Page, StoreError> {
    let customer = match login {
        Login::Returning { uname, password } => log_in(uname, password, store).await?,
        Login::New(form) => register(form, store).await?,
    };
    let lines = match cart {
        Some(cart) => lines(cart, store).await?.unwrap_or_default(),
        None => Vec::new(),
    };
    let totals = Totals::of(lines.iter().map(|line| (line.cost, line.quantity)), customer.discount_percent);
    Ok(Page::BuyRequest { customer: Box::new(customer), cart, lines, totals })
}

/// With a wrong password nothing is noted. Whether it was right is seen from the row, since a server does not count a row
/// that was stamped twice within a second.
async fn log_in<S: Store>(uname: &str, password: &str, store: &mut S) -> Result<Buyer, StoreError> {
    store.write(&LOGIN_STAMP, vec![uname.into(), password.into()]).await?;
    let rows = store.rows(&LOGIN, vec![uname.into()]).await?;
    let row = rows.into_iter().next();
    let row = row.ok_or_else(|| StoreError::refused(format!("there is no customer {uname:?}")))?;
    let mut columns = Columns::of(row, &LOGIN);
    if columns.maybe_text()?.as_deref() != Some(password) {
        return Err(StoreError::refused(format!("wrong password for {uname:?}")));
    }
    Ok(Buyer {
        id: columns.number()?,
        uname: columns.text()?,
        name: columns.name()?,
        discount_percent: columns.cents()?.0,
        registered: false,
        address: columns.address()?,
    })
}

async fn register<S: Store>(form: &NewCustomer, store: &mut S) -> Result<Buyer, StoreError> {
    let place = find_or_insert(&form.address, store).await?;
    let discount = Cents(form.discount_percent.into());
    let values = vec![
        form.name.first.as_str().into(),
        form.name.last.as_str().into(),
        place.address.into(),
        form.phone.as_str().into(),
        form.email.as_str().into(),
        discount.to_string().into(),
        form.age_days.into(),
        form.data.as_str().into(),
    ];
    let id = inserted_id(store.write(&CUSTOMER_INSERT, values).await?.last_insert_id)?;
    let (uname, password) = (Customer::uname(id), Customer::password(id));
    store.write(&CUSTOMER_INSERT_UNAME, vec![uname.as_str().into(), password.into(), id.into()]).await?;
    Ok(Buyer {
        id,
        uname,
        name: form.name.clone(),
        discount_percent: discount.0,
        registered: true,
        address: form.address.clone(),
    })
}
