//! What each part of the experiment uses, once a second: `resources.csv`.
//!
//! A task of its own beside the collector, so that a server that answers slowly never delays the rows that count.

mod heartbeat;
mod processes;
mod server;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use mysql_async::Opts;
use report::ReportError;
use report::record::{PART_BALANCER, PART_GENERATOR, PART_MACHINE, PART_PROCESS, ResourceRow, Table};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use self::heartbeat::Heartbeat;
use self::processes::{Used, machine, process, threads};
use self::server::{Counters, Server};
use crate::control::{Control, Part};

/// Writes the rows.
#[derive(Debug)]
pub(crate) struct Resources {
    control: Arc<dyn Control>,
    table: Table<ResourceRow>,
    start: Instant,
    started: SystemTime,
    before: BTreeMap<String, Used>,
    servers: BTreeMap<String, Server>,
    heartbeat: Heartbeat,
    /// Looked at where the control has nothing to show.
    target: Part,
}

impl Resources {
    /// Begins at `start`, which was `started` on the wall clock. Heartbeats go to `target`.
    pub(crate) fn create(
        folder: &Path,
        control: Arc<dyn Control>,
        target: &Opts,
        start: Instant,
        started: SystemTime,
    ) -> Result<Self, ReportError> {
        let table = Table::create(folder)?;
        let heartbeat = Heartbeat::new(target.clone());
        let target = Part { name: "target".to_owned(), process: None, server: target.clone(), primary: true };
        let (before, servers) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { control, table, start, started, before, servers, heartbeat, target })
    }

    /// Writes a second's rows at its end, until `done`.
    pub(crate) async fn run(mut self, done: CancellationToken) -> Result<(), ReportError> {
        let followed = self.control.parts().iter().any(|part| part.process.is_some());
        let heartbeat = self.heartbeat.clone();
        let beating =
            async move { if followed { heartbeat.beat().await } else { std::future::pending().await } };
        let writing = async {
            // What was used before the load began is not its own.
            let _ = self.rows(0).await;
            for second in 0_u32.. {
                let end = self.start + Duration::from_secs(u64::from(second) + 1);
                // A second that could not be looked at in time is left out; the next one's differences hold both.
                if end + Duration::from_secs(1) < Instant::now() {
                    continue;
                }
                sleep_until(end).await;
                let rows = self.rows(second).await;
                self.table.append_all(&rows)?;
            }
            Ok(())
        };
        tokio::select! {
            biased;
            () = done.cancelled() => Ok(()),
            written = writing => written,
            () = beating => Ok(()),
        }
    }

    async fn rows(&mut self, second: u32) -> Vec<ResourceRow> {
        let mut parts = self.control.parts();
        if parts.is_empty() {
            parts.push(self.target.clone());
        }
        let counters = self.counters(&parts).await;
        let primary = parts.iter().zip(&counters).find(|(part, _)| part.primary);
        let newest =
            primary.and_then(|(_, counters)| counters.as_ref()).map(|counters| counters.transactions);
        let clock_ms = self.clock_ms();
        let mut rows = vec![
            ResourceRow { clock_ms, ..self.row(second, PART_MACHINE, machine()) },
            self.row(second, PART_PROCESS, process(None)),
            self.row(second, PART_GENERATOR, threads("browser-")),
        ];
        let balancer = threads("balancer-");
        if balancer.cpu_ns.is_some_and(|used| used > 0) {
            rows.push(self.row(second, PART_BALANCER, balancer));
        }
        for (part, counters) in parts.iter().zip(counters) {
            let mut used = part.process.map(|pid| process(Some(pid))).unwrap_or_default();
            used.server = counters.clone();
            let mut row = self.row(second, &part.name, used);
            if let Some(counters) = counters.filter(|_| !part.primary && part.process.is_some()) {
                row.lag_transactions = newest.map(|newest| newest.saturating_sub(counters.transactions));
                row.lag_ms = counters.heartbeat.and_then(|seen| self.heartbeat.age_ms(seen));
            }
            rows.push(row);
        }
        rows
    }

    /// All servers at once; one that does not answer in time has no figures in this second.
    async fn counters(&mut self, parts: &[Part]) -> Vec<Option<Counters>> {
        self.servers.retain(|name, _| parts.iter().any(|part| part.name == *name));
        let mut asked: Vec<Server> = Vec::new();
        for part in parts {
            let known = self.servers.remove(&part.name);
            asked.push(known.unwrap_or_else(|| Server::new(part.server.clone())));
        }
        let read = join_all(asked.into_iter().map(|mut server| async move {
            let counters = server.read().await;
            (server, counters)
        }));
        let mut all = Vec::new();
        for (part, (server, counters)) in parts.iter().zip(read.await) {
            self.servers.insert(part.name.clone(), server);
            all.push(counters);
        }
        all
    }

    fn row(&mut self, second: u32, part: &str, now: Used) -> ResourceRow {
        let row = match self.before.get(part) {
            Some(before) => now.since(before),
            None => ResourceRow { memory_mib: now.memory_mib, ..ResourceRow::default() },
        };
        self.before.insert(part.to_owned(), now);
        ResourceRow { second, part: part.to_owned(), ..row }
    }

    fn clock_ms(&self) -> f64 {
        let steady = self.start.elapsed().as_secs_f64();
        let wall = match self.started.elapsed() {
            Ok(passed) => passed.as_secs_f64(),
            Err(backwards) => -backwards.duration().as_secs_f64(),
        };
        (wall - steady) * 1e3
    }
}
