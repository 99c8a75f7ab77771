//! The rows' way into the server: connections take chunks from one list, each sends one chunk a statement.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::Instant;

use super::target::Target;
use super::{LoadError, Progress, Step, TableReport};
use crate::populate::Population;
use crate::schema::Table;

/// Bytes in one packet of LOAD DATA. Every server takes a megabyte; smaller ones cost more system calls.
const PACKET: usize = 256 << 10;

/// Bytes of ready-made rows held for a [`super::ceiling`], at most.
const READY_LIMIT: usize = 2 << 30;

/// One chunk of one table.
#[derive(Clone, Copy, Debug)]
struct Unit {
    table: Table,
    chunk: u32,
}

/// Where the chunks come from.
pub(super) struct Source {
    population: Population,
    units: Vec<Unit>,
    /// Chunks made beforehand, in the order of the units.
    ready: Option<Vec<(u64, Bytes)>>,
}

impl Source {
    /// Chunks made when they are needed.
    pub(super) fn generated(population: Population) -> Self {
        Self { population, units: units(&population), ready: None }
    }

    /// All chunks made now.
    pub(super) async fn ready(population: Population) -> Result<Self, LoadError> {
        let units = units(&population);
        let mut ready = Vec::with_capacity(units.len());
        let mut bytes = 0;
        for &unit in &units {
            let made = generate(population, unit).await?;
            bytes += made.1.len();
            if bytes > READY_LIMIT {
                return Err(LoadError::Scale(
                    "ready-made rows of this scale take more than 2 GiB".to_owned(),
                ));
            }
            ready.push(made);
        }
        Ok(Self { population, units, ready: Some(ready) })
    }

    /// Rows and bytes of a unit.
    async fn take(&self, index: usize) -> Result<(u64, Bytes), LoadError> {
        match &self.ready {
            Some(ready) => Ok(ready[index].clone()),
            None => generate(self.population, self.units[index]).await,
        }
    }
}

async fn generate(population: Population, unit: Unit) -> Result<(u64, Bytes), LoadError> {
    let make = move || {
        let mut out = Vec::with_capacity(4 << 20);
        let rows = population.write_chunk(unit.table, unit.chunk, &mut out);
        (rows, Bytes::from(out))
    };
    spawn_blocking(make).await.map_err(|error| LoadError::Internal(error.to_string()))
}

/// All chunks, the tables mixed evenly, so that connections mostly work on different tables and none is left alone with
/// the largest one at the end.
fn units(population: &Population) -> Vec<Unit> {
    let mut placed = Vec::new();
    for table in Table::POPULATED {
        let chunks = population.chunks(table);
        for chunk in 0..chunks {
            placed.push(((u64::from(chunk) << 32) / u64::from(chunks), Unit { table, chunk }));
        }
    }
    placed.sort_by_key(|&(place, _)| place);
    placed.into_iter().map(|(_, unit)| unit).collect()
}

/// Tells how far the load has come.
pub(super) struct Meter {
    tell: Box<dyn Fn(Progress) + Send + Sync>,
    rows_total: u64,
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Meter {
    pub(super) fn new(population: Population, tell: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        let rows_total = Table::POPULATED.iter().map(|&table| population.rows(table)).sum();
        Self { tell: Box::new(tell), rows_total, rows: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    pub(super) fn step(&self, step: Step) {
        let (rows, bytes) = (self.rows.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
        (self.tell)(Progress { step, rows, rows_total: self.rows_total, bytes });
    }

    fn add(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.step(Step::Rows);
    }
}

/// Rows, bytes and time of one statement.
type Done = (Table, u64, u64, Duration);

/// What the connections share.
struct Work {
    target: Target,
    source: Source,
    next: AtomicUsize,
    meter: Meter,
}

/// Loads all chunks. The first failure ends the other connections.
pub(super) async fn load(
    target: &Target,
    threads: usize,
    source: Source,
    meter: Meter,
) -> Result<(Vec<TableReport>, Meter), LoadError> {
    let work = Arc::new(Work { target: target.clone(), source, next: AtomicUsize::new(0), meter });
    let mut tasks = JoinSet::new();
    for _ in 0..threads.clamp(1, work.source.units.len()) {
        tasks.spawn(connection(Arc::clone(&work)));
    }
    let mut tables = Table::POPULATED.map(|table| TableReport { table, rows: 0, bytes: 0, seconds: 0.0 });
    while let Some(done) = tasks.join_next().await {
        for (table, rows, bytes, time) in done.map_err(|error| LoadError::Internal(error.to_string()))?? {
            let report = tables.iter_mut().find(|report| report.table == table).expect("a populated table");
            report.rows += rows;
            report.bytes += bytes;
            report.seconds += time.as_secs_f64();
        }
    }
    let work =
        Arc::into_inner(work).ok_or_else(|| LoadError::Internal("a connection is still open".to_owned()))?;
    Ok((tables.to_vec(), work.meter))
}

async fn connection(work: Arc<Work>) -> Result<Vec<Done>, LoadError> {
    let mut conn = work.target.connection().await?;
    let mut done = Vec::new();
    loop {
        let index = work.next.fetch_add(1, Ordering::Relaxed);
        let Some(&unit) = work.source.units.get(index) else { break };
        let (rows, bytes) = work.source.take(index).await?;
        let size = bytes.len() as u64;
        let begin = Instant::now();
        send(&work.target, &mut conn, unit.table, rows, bytes).await?;
        done.push((unit.table, rows, size, begin.elapsed()));
        work.meter.add(rows, size);
    }
    work.target.leave(conn).await;
    Ok(done)
}

/// One LOAD DATA statement. LOCAL turns bad rows into warnings, so the server's count is compared with ours.
async fn send(
    target: &Target,
    conn: &mut Conn,
    table: Table,
    sent: u64,
    data: Bytes,
) -> Result<(), LoadError> {
    let sql = format!(
        "LOAD DATA LOCAL INFILE 'rows' INTO TABLE {} CHARACTER SET utf8mb4
         FIELDS TERMINATED BY '\\t' ESCAPED BY '' LINES TERMINATED BY '\\n' ({})",
        table.name(),
        Population::columns(table)
    );
    let packets = (0..data.len())
        .step_by(PACKET)
        .map(move |start| Ok(data.slice(start..data.len().min(start + PACKET))));
    let packets: Vec<std::io::Result<Bytes>> = packets.collect();
    conn.set_infile_handler(async move { Ok(stream::iter(packets).boxed()) });
    target.limited(conn.query_drop(sql)).await?;
    let (taken, warnings) = (conn.affected_rows(), conn.get_warnings());
    if taken == sent && warnings == 0 {
        return Ok(());
    }
    let first: Option<(String, u16, String)> =
        target.limited(conn.query_first("SHOW WARNINGS LIMIT 1")).await?;
    let warning =
        first.map_or_else(|| "no warning given".to_owned(), |(_, code, text)| format!("{text} ({code})"));
    Err(LoadError::Rejected { table: table.name(), sent, taken, warning })
}

/// Runs statements that do not depend on each other on several connections.
pub(super) async fn statements(
    target: &Target,
    threads: usize,
    statements: Vec<&'static str>,
) -> Result<(), LoadError> {
    let next = Arc::new(AtomicUsize::new(0));
    let statements: Arc<[_]> = statements.into();
    let mut tasks = JoinSet::new();
    for _ in 0..threads.clamp(1, statements.len()) {
        let (target, next, statements) = (target.clone(), Arc::clone(&next), Arc::clone(&statements));
        tasks.spawn(async move {
            let mut conn = target.connection().await?;
            while let Some(statement) = statements.get(next.fetch_add(1, Ordering::Relaxed)) {
                target.run(&mut conn, statement).await?;
            }
            target.leave(conn).await;
            Ok::<_, LoadError>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|error| LoadError::Internal(error.to_string()))??;
    }
    Ok(())
}
