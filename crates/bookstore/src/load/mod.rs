//! Puts schema and population into a database: parallel LOAD DATA LOCAL INFILE fed from memory, no temporary files.
//!
//! The order of things: the lock (one load at a time), the row of `tpcw_load` with the state `loading`, tables, rows,
//! keys, statistics, the copy of the stock, the state `complete`. Whatever interrupts it leaves `loading` behind; the next
//! load finds that, drops the tables and begins again. A complete load of the same scale and seed is recognised and
//! nothing is done; another one, or tables that are not ours, are only replaced when asked.
//!
//! Each LOAD DATA statement carries one chunk of two to four megabytes and is a transaction of its own, so a replica is
//! never asked for a transaction that takes it longer than a fraction of a second, and a semi-synchronous primary waits
//! once a chunk.

mod error;
mod found;
mod report;
mod rows;
mod target;

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::time::Instant;

pub use error::LoadError;
pub use found::{Loaded, loaded};
pub use report::{LoadReport, Outcome, Progress, Step, TableReport};

use crate::populate::Population;
use crate::scale::Scale;
use crate::schema::{self, Table};
use found::Found;
use rows::{Meter, Source};
use target::Target;

/// What to load, and how.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// How many rows.
    pub scale: Scale,
    /// What the population derives from.
    pub seed: u64,
    /// Connections that load at the same time. Generation is a tenth of the work or less, so this is about the server's
    /// cores: one more than it has hides the commits, further ones bring nothing.
    pub threads: usize,
    /// Whether tables that hold something else are dropped.
    pub replace: bool,
    /// When the secondary keys are made.
    pub keys: Keys,
    /// How long making one connection may take.
    pub connect_limit: Duration,
    /// How long one statement may take. Adding a key to a large table is the longest.
    pub statement_limit: Duration,
}

/// When the secondary keys are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// With the tables: every row is entered into them one by one.
    BeforeRows,
    /// From the complete rows, by sorting.
    AfterRows,
}

impl LoadOptions {
    /// The usual way to load `scale` from `seed`: three connections, keys after the rows, nothing replaced.
    pub fn new(scale: Scale, seed: u64) -> Self {
        Self {
            scale,
            seed,
            threads: 3,
            replace: false,
            keys: Keys::AfterRows,
            connect_limit: Duration::from_secs(10),
            statement_limit: Duration::from_secs(600),
        }
    }

    fn population(&self) -> Population {
        Population { scale: self.scale, seed: self.seed }
    }
}

/// Loads the shop into the database that `opts` names (`tpcw` if none), which is made if it is missing.
///
/// `progress` is called from the connections' tasks after every chunk and must not block. Dropping the future stops
/// the load; what it leaves is found by the next one.
pub async fn load(
    opts: Opts,
    options: LoadOptions,
    progress: impl Fn(Progress) + Send + Sync + 'static,
) -> Result<LoadReport, LoadError> {
    options.scale.validate().map_err(LoadError::Scale)?;
    let source = Source::generated(options.population());
    run(Target::new(opts, &options), options, source, progress).await
}

/// What the server itself can take: replaces any shop that is there by the same rows through the same statements, all of them
/// generated into memory before the first is sent. The share of [`LoadReport::rows_per_second`] of [`load`] in this
/// one's is what generation costs.
///
/// # Errors
/// Those of [`load`], and [`LoadError::Scale`] when the rows take more than 2 GiB.
pub async fn ceiling(
    opts: Opts,
    options: LoadOptions,
    progress: impl Fn(Progress) + Send + Sync + 'static,
) -> Result<LoadReport, LoadError> {
    options.scale.validate().map_err(LoadError::Scale)?;
    let source = Source::ready(options.population()).await?;
    run(Target::new(opts, &options).always_anew(), options, source, progress).await
}

async fn run(
    target: Target,
    options: LoadOptions,
    source: Source,
    progress: impl Fn(Progress) + Send + Sync + 'static,
) -> Result<LoadReport, LoadError> {
    let mut conn = target.first_connection().await?;
    target.lock(&mut conn).await?;
    let result = run_locked(&target, &mut conn, &options, source, progress).await;
    target.leave(conn).await;
    result
}

async fn run_locked(
    target: &Target,
    conn: &mut Conn,
    options: &LoadOptions,
    source: Source,
    progress: impl Fn(Progress) + Send + Sync + 'static,
) -> Result<LoadReport, LoadError> {
    let begin = Instant::now();
    let Some(outcome) = decide(target, conn, options).await? else {
        return Ok(LoadReport::nothing(begin.elapsed().as_secs_f64()));
    };
    let meter = Meter::new(options.population(), progress);
    meter.step(Step::Tables);
    make_tables(target, conn, options).await?;
    meter.step(Step::Rows);
    let rows_begin = Instant::now();
    let (tables, meter) = rows::load(target, options.threads, source, meter).await?;
    let rows_seconds = rows_begin.elapsed().as_secs_f64();
    meter.step(Step::Keys);
    let keys_begin = Instant::now();
    if options.keys == Keys::AfterRows {
        rows::statements(target, options.threads, schema::indexes()).await?;
    }
    finish(target, conn, options).await?;
    meter.step(Step::Done);
    Ok(LoadReport {
        outcome,
        rows: tables.iter().map(|table| table.rows).sum(),
        bytes: tables.iter().map(|table| table.bytes).sum(),
        tables,
        rows_seconds,
        keys_seconds: keys_begin.elapsed().as_secs_f64(),
        seconds: begin.elapsed().as_secs_f64(),
    })
}

/// What has to be done, given what is there; `None` when that is nothing.
async fn decide(
    target: &Target,
    conn: &mut Conn,
    options: &LoadOptions,
) -> Result<Option<Outcome>, LoadError> {
    let asked = Loaded { scale: options.scale, seed: options.seed };
    Ok(Some(match found::find(target, conn).await? {
        Found::Nothing => Outcome::Loaded,
        Found::Interrupted => Outcome::Restarted,
        Found::Complete(there) if there == asked && !target.anew => return Ok(None),
        Found::Complete(_) if options.replace || target.anew => Outcome::Replaced,
        Found::Foreign(_) if options.replace => Outcome::Replaced,
        Found::Complete(there) => return Err(LoadError::Different { there, asked }),
        Found::Foreign(table) => return Err(LoadError::Foreign { table }),
    }))
}

/// From here until [`finish`] the load counts as interrupted.
async fn make_tables(target: &Target, conn: &mut Conn, options: &LoadOptions) -> Result<(), LoadError> {
    found::begin(target, conn, Loaded { scale: options.scale, seed: options.seed }).await?;
    let names: Vec<_> = Table::ALL.iter().map(|table| table.name()).collect();
    target.run(conn, &format!("DROP TABLE IF EXISTS {}", names.join(", "))).await?;
    for statement in schema::tables() {
        target.run(conn, statement).await?;
    }
    if options.keys == Keys::BeforeRows {
        for statement in schema::indexes() {
            target.run(conn, statement).await?;
        }
    }
    Ok(())
}

async fn finish(target: &Target, conn: &mut Conn, options: &LoadOptions) -> Result<(), LoadError> {
    /// Items copied in one transaction.
    const ITEMS: u32 = 100_000;
    for first in (1..=options.scale.items).step_by(ITEMS as usize) {
        let last = first.saturating_add(ITEMS - 1);
        let copy = format!(
            "INSERT INTO tpcw_stock (i_id, i_stock) SELECT i_id, i_stock FROM item WHERE i_id BETWEEN {first} AND {last}"
        );
        target.run(conn, &copy).await?;
    }
    let names: Vec<_> = Table::ALL.iter().map(|table| table.name()).collect();
    let analyze = format!("ANALYZE TABLE {}", names.join(", "));
    target.limited(conn.query_drop(analyze)).await?;
    found::complete(target, conn).await
}
