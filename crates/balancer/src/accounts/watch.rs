//! Reads the file of accounts and the nodes' tables again while the balancer runs.
//!
//! One loop: once a second it looks at the file's time stamp and size; the nodes are asked once a minute, and sooner (not
//! more than once a second) when a login failed. SIGHUP has both read at once, if a file is named; without one the signal
//! keeps its meaning. What cannot be read leaves the accounts as they are.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::{Accounts, Source, file, nodes};
use crate::config::Config;

/// Between two looks at the file, and at least between two questions to the nodes.
const LOOK: Duration = Duration::from_secs(1);
/// Between two questions to the nodes that nobody asked for.
const NODES: Duration = Duration::from_secs(60);

/// Runs until it is dropped.
pub async fn run(accounts: Arc<Accounts>, config: Arc<Config>) {
    let mut watch = Watch::new(accounts.clone(), config);
    watch.ask().await;
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut wanted = false;
    loop {
        let asks_nodes = watch.asks_nodes();
        let next = watch.asked_at + if wanted { LOOK } else { NODES };
        tokio::select! {
            _ = look.tick() => watch.look(false),
            () = hung_up(&mut watch.signal) => {
                watch.look(true);
                watch.ask().await;
            }
            () = accounts.asked.notified(), if !wanted => wanted = true,
            () = sleep_until(next), if asks_nodes => {
                wanted = false;
                watch.ask().await;
            }
        }
    }
}

async fn hung_up(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

struct Watch {
    accounts: Arc<Accounts>,
    config: Arc<Config>,
    signal: Option<Signal>,
    stamp: Option<(SystemTime, u64)>,
    asked_at: Instant,
}

impl Watch {
    fn new(accounts: Arc<Accounts>, config: Arc<Config>) -> Self {
        let file = config.auth.accounts_file.as_deref();
        let signal = file.and_then(|_| signal(SignalKind::hangup()).ok());
        // Whatever was read at the start is older than this, so that the first look reads again.
        Self { stamp: None, accounts, config, signal, asked_at: Instant::now() }
    }

    fn asks_nodes(&self) -> bool {
        self.config.auth.from_nodes
    }

    /// Reads the file if it has changed, or in any case.
    fn look(&mut self, anyway: bool) {
        let Some(path) = self.config.auth.accounts_file.as_deref() else { return };
        let stamp = stamp(path);
        if stamp == self.stamp && !anyway {
            return;
        }
        self.stamp = stamp;
        match file::read(path) {
            Ok(listed) => self.told(Source::File, self.accounts.replace(Source::File, listed)),
            Err(error) => tracing::warn!(%error, "accounts stay as they are"),
        }
    }

    /// Asks the nodes.
    async fn ask(&mut self) {
        if self.asks_nodes() {
            match nodes::read(&self.config).await {
                Ok(listed) => self.told(Source::Nodes, self.accounts.replace(Source::Nodes, listed)),
                Err(error) => {
                    tracing::warn!(%error, "the nodes' accounts cannot be read and stay as they are")
                }
            }
        }
        self.asked_at = Instant::now();
        self.accounts.read.send_modify(|round| *round += 1);
    }

    fn told(&self, source: Source, (fresh, gone): (usize, usize)) {
        if fresh + gone > 0 {
            tracing::info!(?source, fresh, gone, accounts = self.accounts.len(), "accounts have changed");
        }
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let data = std::fs::metadata(path).ok()?;
    Some((data.modified().ok()?, data.len()))
}
