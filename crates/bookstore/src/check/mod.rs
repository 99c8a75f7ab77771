//! The conditions that the data must meet after any run (`docs/tpcw.md`, 6.3), each with a name and a count of offending
//! rows.
//!
//! All of them are read in one snapshot, so they may be asked for while a load is running. "New" means above the initial
//! count, which `tpcw_load` gives. Number 11, durability, needs to know what browsers were told: it is the ledger audit's.
//! Of number 9 the part about confirmed carts is left out, since a browser goes on with the cart that it has emptied.

mod customers;
mod items;
mod orders;
mod references;
mod rows;

use std::future::Future;
use std::time::Duration;

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Error, Row};
use tokio::time::timeout;

use crate::load::{Loaded, loaded};
use crate::scale::Scale;

/// One condition and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Its name, for scripts: `stock`.
    pub name: &'static str,
    /// What must hold, for people.
    pub what: &'static str,
    /// Rows, or things made of rows, for which it does not hold.
    pub offending: u64,
    /// One of them, empty when there is none.
    pub sample: String,
    /// Told but not held against the run: concurrent work may break it without any fault.
    pub informative: bool,
}

impl Condition {
    /// Whether the run fails on it.
    pub fn failed(&self) -> bool {
        self.offending > 0 && !self.informative
    }
}

/// Why the conditions could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// No `tpcw_load`, or one of a load that has not ended.
    #[error("the database holds no complete shop of this version; load it first")]
    NotLoaded,
    /// An answer did not come in time.
    #[error("no answer from the database within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The database or the connection failed.
    #[error("the data cannot be checked: {0}")]
    Database(#[from] Error),
}

/// How long one question may take; the largest reads every row of the shop once.
const LIMIT: Duration = Duration::from_secs(600);

/// Looks at every condition. The connection must not be used again after an error.
pub async fn conditions(conn: &mut Conn) -> Result<Vec<Condition>, CheckError> {
    let mut check = Check::begin(conn).await?;
    let found = vec![
        rows::initial_rows(&mut check).await?,
        references::references(&mut check).await?,
        orders::one_card_per_order(&mut check).await?,
        orders::order_lines_numbered(&mut check).await?,
        orders::totals(&mut check).await?,
        items::stock(&mut check).await?,
        customers::customer_names(&mut check).await?,
        customers::addresses_unique(&mut check).await?,
        orders::billing(&mut check).await?,
        customers::cart_quantities(&mut check).await?,
        orders::ship_dates(&mut check).await?,
        orders::order_dates(&mut check).await?,
        items::related_items(&mut check).await?,
    ];
    check.end().await?;
    Ok(found)
}

/// A check under way: one snapshot, and the counts that the population began with.
struct Check<'a> {
    conn: &'a mut Conn,
    scale: Scale,
}

impl<'a> Check<'a> {
    async fn begin(conn: &'a mut Conn) -> Result<Self, CheckError> {
        let Some(Loaded { scale, .. }) = limited(loaded(conn)).await? else {
            return Err(CheckError::NotLoaded);
        };
        limited(conn.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")).await?;
        limited(conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT")).await?;
        Ok(Self { conn, scale })
    }

    async fn end(self) -> Result<(), CheckError> {
        limited(self.conn.query_drop("COMMIT")).await
    }

    /// Asks for a count of offending rows and a sample. `offenders` is a query that yields one text a row.
    async fn count(&mut self, offenders: &str) -> Result<(u64, String), CheckError> {
        let sql = format!("SELECT COUNT(*), COALESCE(MIN(offender), '') FROM ({offenders}) AS offenders");
        self.first(&sql).await.map(|found| found.unwrap_or_default())
    }

    /// The sum over several such queries, with the first sample.
    async fn count_all(&mut self, queries: &[String]) -> Result<(u64, String), CheckError> {
        let mut sum = (0, String::new());
        for query in queries {
            let (offending, sample) = self.count(query).await?;
            sum.0 += offending;
            if sum.1.is_empty() {
                sum.1 = sample;
            }
        }
        Ok(sum)
    }

    async fn first<T: FromRow + Send + 'static>(&mut self, sql: &str) -> Result<Option<T>, CheckError> {
        limited(self.conn.query_first(sql)).await
    }

    /// Orders above this one are new.
    fn last_order(&self) -> u32 {
        self.scale.orders()
    }
}

async fn limited<T>(answer: impl Future<Output = Result<T, Error>>) -> Result<T, CheckError> {
    match timeout(LIMIT, answer).await {
        Ok(result) => result.map_err(CheckError::Database),
        Err(_) => Err(CheckError::TimedOut(LIMIT)),
    }
}

/// A condition from its count.
fn condition(name: &'static str, what: &'static str, (offending, sample): (u64, String)) -> Condition {
    Condition { name, what, offending, sample, informative: false }
}

/// The checksum of each table (`CHECKSUM TABLE … EXTENDED`), by name, for comparing nodes and loads. It covers the rows,
/// not their order. `tpcw_load` is left out: its state says when, not what.
pub async fn checksums(conn: &mut Conn) -> Result<Vec<(String, u64)>, CheckError> {
    use crate::schema::Table;
    let names: Vec<_> = Table::ALL.iter().map(|table| table.name()).collect();
    let sql = format!("CHECKSUM TABLE {} EXTENDED", names.join(", "));
    let rows: Vec<Row> = limited(conn.query(sql)).await?;
    let mut sums = Vec::with_capacity(rows.len());
    for (table, row) in Table::ALL.iter().zip(rows) {
        // NULL is the server's answer for a table that does not exist.
        let (_, sum): (String, Option<u64>) = mysql_async::from_row(row);
        sums.push((table.name().to_owned(), sum.ok_or(CheckError::NotLoaded)?));
    }
    Ok(sums)
}
