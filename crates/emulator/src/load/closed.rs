//! A closed load: each worker keeps its share of the browsers that there should be.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::crowd::{CrowdReport, Share, last_pages};
use crate::seed::Life;
use crate::session::{Crew, Room, browse};
use crate::target::Target;

/// Keeps as many browsers as `level` says until its sender is gone; then waits up to `patience` for the last pages.
pub(crate) async fn crowd<T: Target>(
    crew: Arc<Crew<T>>,
    room: Arc<Room<T::Link>>,
    share: Share,
    mut level: watch::Receiver<u32>,
    patience: Duration,
) -> CrowdReport {
    let mut crowd = Crowd::new(crew, room, share);
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

struct Crowd<T: Target> {
    crew: Arc<Crew<T>>,
    room: Arc<Room<T::Link>>,
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
    fn new(crew: Arc<Crew<T>>, room: Arc<Room<T::Link>>, share: Share) -> Self {
        Self {
            crew,
            room,
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
        let task = browse(self.crew.clone(), self.room.clone(), this, told.clone());
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
            Err(error) => self.report.early(browser, &error.to_string()),
            Ok(_) if !told.is_cancelled() => self.report.early(browser, "ended by itself"),
            Ok(_) => {}
        }
    }

    async fn finish(mut self, patience: Duration) -> CrowdReport {
        self.adjust(0);
        let hurry = self.crew.hurry.clone();
        let mut tasks = std::mem::take(&mut self.tasks);
        last_pages(&mut tasks, &hurry, patience, |ended| self.account(ended)).await;
        self.report
    }
}
