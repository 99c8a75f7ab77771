//! A closed load: each worker keeps its share of the browsers that there should be.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::alarm::Alarm;
use crate::recorder::tally::Tally;
use crate::seed::Life;
use crate::session::{Crew, browse};
use crate::target::Target;

/// How long browsers may go on when the run is stopped from outside.
const HURRIED: Duration = Duration::from_secs(1);

/// Which browsers are a worker's: those whose number leaves `index` when divided by `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub index: u32,
    pub of: u32,
}

impl Share {
    fn below(self, level: u32) -> impl Iterator<Item = u32> {
        (self.index..level).step_by(self.of as usize)
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
        self.notes.extend(other.notes);
    }
}

/// Keeps as many browsers as `level` says until its sender is gone; then waits up to `patience` for the last pages.
pub(crate) async fn crowd<T: Target>(
    crew: Arc<Crew<T>>,
    tally: Arc<Tally>,
    alarm: Alarm,
    share: Share,
    mut level: watch::Receiver<u32>,
    patience: Duration,
) -> CrowdReport {
    let mut crowd = Crowd::new(crew, tally, alarm, share);
    crowd.adjust(*level.borrow_and_update());
    loop {
        tokio::select! {
            changed = level.changed() => match changed {
                Ok(()) => crowd.adjust(*level.borrow_and_update()),
                Err(_) => break,
            },
            Some(ended) = crowd.tasks.join_next_with_id() => crowd.account(ended),
        }
    }
    crowd.finish(patience).await
}

struct Crowd<T> {
    crew: Arc<Crew<T>>,
    tally: Arc<Tally>,
    alarm: Alarm,
    share: Share,
    tasks: JoinSet<()>,
    /// By task, its browser and the token that tells it to end.
    living: BTreeMap<Id, (u32, CancellationToken)>,
    /// By browser, the token of its newest life.
    newest: BTreeMap<u32, CancellationToken>,
    lives: BTreeMap<u32, u32>,
    report: CrowdReport,
}

impl<T: Target> Crowd<T> {
    fn new(crew: Arc<Crew<T>>, tally: Arc<Tally>, alarm: Alarm, share: Share) -> Self {
        Self {
            crew,
            tally,
            alarm,
            share,
            tasks: JoinSet::new(),
            living: BTreeMap::new(),
            newest: BTreeMap::new(),
            lives: BTreeMap::new(),
            report: CrowdReport::default(),
        }
    }

    /// Begins the browsers that are missing and tells those to end that are too many.
    fn adjust(&mut self, level: u32) {
        for (_, told) in self.newest.split_off(&level) {
            told.cancel();
        }
        for browser in self.share.below(level) {
            if !self.newest.contains_key(&browser) {
                self.begin(browser);
            }
        }
    }

    fn begin(&mut self, browser: u32) {
        let life = self.lives.entry(browser).or_default();
        let (this, told) = (Life { browser, life: *life }, CancellationToken::new());
        *life += 1;
        let task = browse(self.crew.clone(), self.tally.clone(), self.alarm.clone(), this, told.clone());
        let handle = self.tasks.spawn(task);
        self.living.insert(handle.id(), (browser, told.clone()));
        self.newest.insert(browser, told);
        self.report.started += 1;
    }

    fn account(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        let Some((browser, told)) = self.living.remove(&id) else { return };
        match ended {
            Err(error) if error.is_cancelled() => self.report.cut_off += 1,
            Err(error) => self.early(browser, &error.to_string()),
            Ok(_) if !told.is_cancelled() => self.early(browser, "ended by itself"),
            Ok(_) => {}
        }
    }

    fn early(&mut self, browser: u32, why: &str) {
        self.report.ended_early += 1;
        self.report.notes.push(format!("browser {browser}: {why}"));
    }

    async fn finish(mut self, patience: Duration) -> CrowdReport {
        self.adjust(0);
        let hurry = self.crew.hurry.clone();
        let all = async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                self.account(ended);
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
            self.tasks.abort_all();
            while let Some(ended) = self.tasks.join_next_with_id().await {
                self.account(ended);
            }
        }
        self.report
    }
}
