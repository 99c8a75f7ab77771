//! Values of a row, taken from left to right. A value that is not what a page expects is the database's fault and becomes
//! an error, never a panic.

use mysql_async::{Row, Value};

use crate::money::Cents;
use crate::page::{Address, Name};
use crate::store::{Statement, StoreError};

/// What is left of a row.
pub(crate) struct Columns {
    values: std::vec::IntoIter<Option<Value>>,
    statement: &'static Statement,
}

impl Columns {
    /// A row that `statement` returned.
    pub(crate) fn of(row: Row, statement: &'static Statement) -> Self {
        Self { values: row.unwrap_raw().into_iter(), statement }
    }

    pub(crate) fn number(&mut self) -> Result<u32, StoreError> {
        self.maybe_number()?.ok_or_else(|| self.wrong("a number, not NULL"))
    }

    pub(crate) fn maybe_number(&mut self) -> Result<Option<u32>, StoreError> {
        let number = match self.next()? {
            Value::NULL => return Ok(None),
            Value::Int(number) => u32::try_from(number).ok(),
            Value::UInt(number) => u32::try_from(number).ok(),
            Value::Bytes(text) => str::from_utf8(&text).ok().and_then(|text| text.parse().ok()),
            _ => None,
        };
        number.map(Some).ok_or_else(|| self.wrong("a number from 0 to 4294967295"))
    }

    pub(crate) fn text(&mut self) -> Result<String, StoreError> {
        self.maybe_text()?.ok_or_else(|| self.wrong("a text, not NULL"))
    }

    pub(crate) fn maybe_text(&mut self) -> Result<Option<String>, StoreError> {
        match self.next()? {
            Value::NULL => Ok(None),
            Value::Bytes(text) => {
                String::from_utf8(text).map(Some).map_err(|_| self.wrong("a text in UTF-8"))
            }
            _ => Err(self.wrong("a text")),
        }
    }

    /// A DECIMAL with two decimals.
    pub(crate) fn cents(&mut self) -> Result<Cents, StoreError> {
        let text = self.text()?;
        Cents::parse(&text).ok_or_else(|| self.wrong("an amount with two decimals"))
    }

    pub(crate) fn name(&mut self) -> Result<Name, StoreError> {
        Ok(Name { first: self.text()?, last: self.text()? })
    }

    /// street1, street2, city, state, zip, name of the country.
    pub(crate) fn address(&mut self) -> Result<Address, StoreError> {
        Ok(Address {
            street1: self.text()?,
            street2: self.text()?,
            city: self.text()?,
            state: self.text()?,
            zip: self.text()?,
            country: self.text()?,
        })
    }

    /// Leaves out columns.
    pub(crate) fn skip(&mut self, columns: usize) {
        self.values.by_ref().take(columns).for_each(drop);
    }

    fn next(&mut self) -> Result<Value, StoreError> {
        self.values.next().flatten().ok_or_else(|| self.wrong("one more column"))
    }

    fn wrong(&self, expected: &str) -> StoreError {
        StoreError::refused(format!("answer to {}: expected {expected}", self.statement.name))
    }
}
