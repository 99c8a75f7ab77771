//! An address that is found or inserted (`docs/tpcw.md`, 1.9), within the caller's transaction. The look-up takes no lock:
//! two that insert the same new address at the same moment both succeed, which `check` reports and does not fail.

use mysql_async::Value;

use crate::columns::Columns;
use crate::page::Address;
use crate::statements::{ADDRESS_FIND, ADDRESS_INSERT};
use crate::store::{Store, StoreError};

/// ADDR_ID and CO_ID.
pub(super) struct Place {
    pub(super) address: u32,
    pub(super) country: u32,
}

pub(super) async fn find_or_insert<S: Store>(address: &Address, store: &mut S) -> Result<Place, StoreError> {
    let rows = store.rows(&ADDRESS_FIND, six(address, address.country.as_str().into())).await?;
    let row = rows.into_iter().next();
    let row = row.ok_or_else(|| StoreError::refused(format!("there is no country {:?}", address.country)))?;
    let mut columns = Columns::of(row, &ADDRESS_FIND);
    let country = columns.number()?;
    let address = match columns.maybe_number()? {
        Some(found) => found,
        None => {
            inserted_id(store.write(&ADDRESS_INSERT, six(address, country.into())).await?.last_insert_id)?
        }
    };
    Ok(Place { address, country })
}

fn six(address: &Address, country: Value) -> Vec<Value> {
    let Address { street1, street2, city, state, zip, country: _ } = address;
    let mut values: Vec<Value> = [street1, street2, city, state, zip].map(Value::from).into();
    values.push(country);
    values
}

/// An AUTO_INCREMENT id that the server gave.
pub(super) fn inserted_id(id: u64) -> Result<u32, StoreError> {
    match u32::try_from(id) {
        Ok(id) if id > 0 => Ok(id),
        _ => Err(StoreError::refused(format!("the server gave {id} as the id of a new row"))),
    }
}
