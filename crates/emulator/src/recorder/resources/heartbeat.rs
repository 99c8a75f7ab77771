//! A row that is written twice a second through the target, by which the lag of each node is read in ms: as old as the oldest
//! heartbeat that it has not applied.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::time::{Instant, sleep, timeout};

use crate::target::sql::over_tcp;

/// Between two heartbeats.
const BEAT: Duration = Duration::from_millis(500);
/// How long one may take; a failover is waited for no longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Heartbeats remembered: ten minutes of them, the greatest lag that is told apart.
const REMEMBERED: usize = 1200;

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS tpcw_heartbeat (id TINYINT PRIMARY KEY, beat BIGINT UNSIGNED NOT NULL)";
/// Reads the newest one that a node has applied.
pub(super) const READ: &str = "SELECT beat FROM tpcw_heartbeat WHERE id = 1";

/// Writes heartbeats, and knows when each was sent.
#[derive(Clone, Debug)]
pub(super) struct Heartbeat {
    opts: Opts,
    /// Number and time of those that were acknowledged, oldest first.
    sent: Arc<Mutex<VecDeque<(u64, Instant)>>>,
}

impl Heartbeat {
    pub(super) fn new(opts: Opts) -> Self {
        Self { opts: over_tcp(&opts), sent: Arc::default() }
    }

    /// Beats for ever; where it cannot, lags stay unknown.
    pub(super) async fn beat(self) {
        let mut conn = None;
        for number in 1_u64.. {
            let sent = Instant::now();
            let kept = conn.take();
            match timeout(PATIENCE, self.write(kept, number)).await {
                Ok(Ok(again)) => {
                    conn = Some(again);
                    self.note(number, sent);
                }
                Ok(Err(error)) => tracing::debug!(%error, "a heartbeat could not be written"),
                Err(_) => tracing::debug!("a heartbeat was not answered within {PATIENCE:?}"),
            }
            sleep(BEAT).await;
        }
    }

    async fn write(&self, kept: Option<Conn>, number: u64) -> Result<Conn, mysql_async::Error> {
        let mut conn = match kept {
            Some(conn) => conn,
            None => {
                let mut conn = Conn::new(self.opts.clone()).await?;
                conn.query_drop(TABLE).await?;
                conn
            }
        };
        conn.query_drop(format!("REPLACE INTO tpcw_heartbeat VALUES (1, {number})")).await?;
        Ok(conn)
    }

    fn note(&self, number: u64, sent: Instant) {
        let mut all = self.sent.lock().expect("no panic while it is held");
        if all.len() == REMEMBERED {
            all.pop_front();
        }
        all.push_back((number, sent));
    }

    /// How old the oldest acknowledged heartbeat is that comes after the one seen, in ms; 0 when there is none.
    pub(super) fn age_ms(&self, seen: u64) -> Option<f64> {
        let all = self.sent.lock().expect("no panic while it is held");
        let newest = all.back()?.0;
        if seen >= newest {
            return Some(0.0);
        }
        let missing = all.iter().find(|(number, _)| *number > seen)?;
        Some(missing.1.elapsed().as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lag_is_the_age_of_the_oldest_heartbeat_that_is_missing() {
        let heart = Heartbeat::new(Opts::default());
        assert_eq!(heart.age_ms(0), None, "before the first");
        for number in 1..=4 {
            heart.note(number, Instant::now());
            sleep(BEAT).await;
        }
        for (seen, expected) in [(4, 0.0), (9, 0.0), (3, 500.0), (1, 1_500.0)] {
            let age = heart.age_ms(seen).expect("known");
            assert!((age - expected).abs() < 10.0, "{seen}: {age} ms");
        }
        for number in 5..3_000 {
            heart.note(number, Instant::now());
        }
        assert_eq!(heart.sent.lock().expect("free").len(), REMEMBERED);
    }
}
