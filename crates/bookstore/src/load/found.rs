//! What a database holds, by its table `tpcw_load`.

use std::fmt;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::LoadError;
use super::target::Target;
use crate::scale::Scale;
use crate::schema::{LOAD_TABLE, SCHEMA_VERSION, Table};

/// A complete population.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its scale.
    pub scale: Scale,
    /// Its seed.
    pub seed: u64,
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} items for {} browsers from seed {}", self.scale.items, self.scale.browsers, self.seed)
    }
}

/// Which population the connection's database holds; `None` if none was loaded completely by this version.
///
/// # Errors
/// Those of the connection; it sets no limit of time.
pub async fn loaded(conn: &mut Conn) -> Result<Option<Loaded>, mysql_async::Error> {
    let there: Option<u8> = conn
        .query_first("SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'tpcw_load'")
        .await?;
    Ok(match there {
        Some(_) => row(conn).await?.filter(Row::is_complete).map(|row| row.loaded),
        None => None,
    })
}

pub(super) enum Found {
    /// None of the shop's tables.
    Nothing,
    /// A load that did not end, or one by another version of the schema that did not.
    Interrupted,
    /// A load that ended.
    Complete(Loaded),
    /// A table of one of our names without a note of a load.
    Foreign(String),
}

struct Row {
    version: u32,
    loaded: Loaded,
    state: String,
}

impl Row {
    fn is_complete(&self) -> bool {
        self.state == "complete" && self.version == SCHEMA_VERSION
    }
}

async fn row(conn: &mut Conn) -> Result<Option<Row>, mysql_async::Error> {
    let row: Option<(u32, u32, u32, u64, String)> = conn
        .query_first("SELECT schema_version, items, browsers, seed, state FROM tpcw_load WHERE id = 1")
        .await?;
    Ok(row.map(|(version, items, browsers, seed, state)| Row {
        version,
        loaded: Loaded { scale: Scale { items, browsers }, seed },
        state,
    }))
}

pub(super) async fn find(target: &Target, conn: &mut Conn) -> Result<Found, LoadError> {
    let names: Vec<_> = Table::ALL.iter().map(|table| format!("'{}'", table.name())).collect();
    let sql = format!(
        "SELECT table_name FROM information_schema.tables
         WHERE table_schema = DATABASE() AND table_name IN ('tpcw_load', {}) ORDER BY table_name",
        names.join(", ")
    );
    let tables: Vec<String> = target.limited(conn.query(sql)).await?;
    if !tables.iter().any(|name| name == "tpcw_load") {
        return Ok(tables.into_iter().next().map_or(Found::Nothing, Found::Foreign));
    }
    Ok(match target.limited(row(conn)).await? {
        Some(row) if row.is_complete() => Found::Complete(row.loaded),
        Some(row) if row.state == "complete" => {
            Found::Foreign(format!("tpcw_load of schema version {}", row.version))
        }
        _ => Found::Interrupted,
    })
}

/// Notes that a load has begun.
pub(super) async fn begin(target: &Target, conn: &mut Conn, asked: Loaded) -> Result<(), LoadError> {
    target.run(conn, LOAD_TABLE).await?;
    let Loaded { scale: Scale { items, browsers }, seed } = asked;
    let note = format!(
        "REPLACE INTO tpcw_load (id, schema_version, items, browsers, seed, state)
         VALUES (1, {SCHEMA_VERSION}, {items}, {browsers}, {seed}, 'loading')"
    );
    target.run(conn, &note).await
}

/// Notes that it has ended.
pub(super) async fn complete(target: &Target, conn: &mut Conn) -> Result<(), LoadError> {
    target.run(conn, "UPDATE tpcw_load SET state = 'complete' WHERE id = 1").await
}
