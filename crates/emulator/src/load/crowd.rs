//! What both kinds of load have: a worker's share of them, how they end, and what became of the browsers.

use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long browsers may go on when the run is stopped from outside.
const HURRIED: Duration = Duration::from_secs(1);
/// Notes kept of browsers that ended early; more would say the same.
const MOST_NOTES: usize = 100;

/// Which browsers are a worker's: those whose number leaves `index` when divided by `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub index: u32,
    pub of: u32,
}

impl Share {
    /// The worker's browsers below a number.
    pub(super) fn below(self, level: u32) -> impl Iterator<Item = u32> {
        (self.index..level).step_by(self.of as usize)
    }

    /// The worker's part of a number of things that are dealt out one by one.
    pub(crate) fn part(self, count: u32) -> u32 {
        count / self.of + u32::from(self.index < count % self.of)
    }
}

/// What became of a worker's browsers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CrowdReport {
    /// Lives begun.
    pub started: u64,
    /// Ended before they were told to.
    pub ended_early: u64,
    /// Told to end and still in a page when the patience was over.
    pub cut_off: u64,
    /// Visitors of an open load who found as many others as there may be, and left.
    pub turned_away: u64,
    /// Why browsers ended early, for people.
    pub notes: Vec<String>,
}

impl CrowdReport {
    /// Of a worker that broke down with all its browsers.
    pub(crate) fn broken(why: &str) -> Self {
        Self { ended_early: 1, notes: vec![why.to_owned()], ..Self::default() }
    }

    /// Adds another worker's.
    pub(crate) fn merge(&mut self, other: Self) {
        self.started += other.started;
        self.ended_early += other.ended_early;
        self.cut_off += other.cut_off;
        self.turned_away += other.turned_away;
        self.notes.extend(other.notes);
    }

    /// Counts a browser that ended before it was told to.
    pub(super) fn early(&mut self, browser: impl std::fmt::Display, why: &str) {
        self.ended_early += 1;
        if self.notes.len() < MOST_NOTES {
            self.notes.push(format!("browser {browser}: {why}"));
        }
    }
}

/// Waits for the last pages, up to `patience` or a second after `hurry`, and ends what is left then.
pub(super) async fn last_pages<O: 'static>(
    tasks: &mut JoinSet<O>,
    hurry: &CancellationToken,
    patience: Duration,
    mut account: impl FnMut(Result<(Id, O), JoinError>),
) {
    let all = async {
        while let Some(ended) = tasks.join_next_with_id().await {
            account(ended);
        }
    };
    let hurried = async {
        hurry.cancelled().await;
        sleep(HURRIED).await;
    };
    let ended = tokio::select! {
        ended = timeout(patience, all) => ended.is_ok(),
        () = hurried => false,
    };
    if !ended {
        tasks.abort_all();
        while let Some(ended) = tasks.join_next_with_id().await {
            account(ended);
        }
    }
}
