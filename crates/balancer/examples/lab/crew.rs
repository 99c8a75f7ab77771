//! Clients at work: point selects, each due at its time.

use std::time::Duration;

use hdrhistogram::Histogram;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::figures::histogram;
use super::{Error, ROWS};

/// So many log in at the same time.
const ABREAST: usize = 64;

/// What a crew has done.
pub struct Done {
    /// From when a statement was due to its answer, in µs.
    pub latency: Histogram<u64>,
    /// Statements a second.
    pub rate: f64,
    /// Statements that failed.
    pub failed: u64,
}

/// Logs in so many clients.
///
/// # Errors
/// One of them is not let in.
pub async fn connect(options: &OptsBuilder, count: usize) -> Result<Vec<Conn>, Error> {
    let turns = std::sync::Arc::new(Semaphore::new(ABREAST));
    let mut logins = JoinSet::new();
    for _ in 0..count {
        let (turns, options) = (turns.clone(), options.clone());
        logins.spawn(async move {
            let _turn = turns.acquire().await;
            Conn::new(options).await
        });
    }
    let mut clients = Vec::with_capacity(count);
    while let Some(login) = logins.join_next().await {
        clients.push(login??);
    }
    Ok(clients)
}

/// Lets clients read rows for a while, `rate` statements a second in all (0: as fast as they can); a client that is late
/// goes on at once, and its latency counts from when the statement was due.
///
/// # Errors
/// A task broke down.
pub async fn work(clients: &mut Vec<Conn>, rate: f64, seconds: f64) -> Result<Done, Error> {
    let count = clients.len().max(1);
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(seconds);
    let every = if rate > 0.0 { Duration::from_secs_f64(count as f64 / rate) } else { Duration::ZERO };
    let mut tasks = JoinSet::new();
    for (at, mut client) in std::mem::take(clients).into_iter().enumerate() {
        tasks.spawn(async move {
            let mut latency = histogram();
            let mut failed = 0;
            let mut due = began + every.mul_f64(at as f64 / count as f64);
            let mut row = at as u32;
            while due < until && Instant::now() < until {
                sleep_until(due).await;
                let since = if every.is_zero() { Instant::now() } else { due };
                row = (row.wrapping_mul(1_103_515_245).wrapping_add(12_345)) % ROWS;
                let sql = format!("SELECT c FROM point WHERE id = {}", row + 1);
                match client.query_first::<String, _>(sql).await {
                    Ok(Some(_)) => latency.saturating_record(since.elapsed().as_micros() as u64),
                    _ => failed += 1,
                }
                due = if every.is_zero() { Instant::now() } else { due + every };
            }
            (client, latency, failed)
        });
    }
    let mut done = Done { latency: histogram(), rate: 0.0, failed: 0 };
    while let Some(task) = tasks.join_next().await {
        let (client, latency, failed) = task?;
        clients.push(client);
        done.latency.add(&latency)?;
        done.failed += failed;
    }
    done.rate = done.latency.len() as f64 / began.elapsed().as_secs_f64();
    Ok(done)
}
