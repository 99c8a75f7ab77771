//! An open load: visitors arrive when their time has come, whether or not those before them have been served.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::arrivals::{Arrivals, Process};
use super::crowd::{CrowdReport, Share, last_pages};
use crate::seed::{Life, Purpose, stream};
use crate::session::{Crew, Room, visit};
use crate::target::Target;

/// Lets visitors arrive at this share of the rate (`level`, in millionths) until its sender is gone; then waits up to
/// `patience` for the last pages.
pub(crate) async fn crowd<T: Target>(
    crew: Arc<Crew<T>>,
    room: Arc<Room<T::Link>>,
    share: Share,
    arrivals: Arrivals,
    mut level: watch::Receiver<u32>,
    patience: Duration,
) -> CrowdReport {
    let who = Life { browser: share.index, life: u32::MAX };
    let random = stream(crew.seed, who, Purpose::Arrival);
    let peak = crew.visitors / f64::from(share.of);
    let turn = f64::from(share.index + 1) / f64::from(share.of);
    let mut process = Process::new(arrivals.spacing, random, peak, crew.start, turn);
    process.set(*level.borrow_and_update(), crew.start);
    let mut crowd = Crowd::new(crew, room, share);
    loop {
        let next = process.next();
        let room = crowd.room.clone();
        tokio::select! {
            changed = level.changed() => match changed {
                Ok(()) => process.set(*level.borrow_and_update(), Instant::now()),
                Err(_) => break,
            },
            Some(ended) = crowd.tasks.join_next_with_id() => crowd.account(ended),
            () = arrival(&room, next) => {
                let now = Instant::now();
                // Whoever should have been here by now comes at once, each due when it was.
                while let Some(at) = process.next().filter(|at| *at <= now) {
                    process.arrive(at);
                    crowd.admit(at);
                }
            }
        }
    }
    crowd.told.cancel();
    let hurry = crowd.crew.hurry.clone();
    let mut tasks = std::mem::take(&mut crowd.tasks);
    last_pages(&mut tasks, &hurry, patience, |ended| crowd.account(ended)).await;
    crowd.report
}

async fn arrival<L>(room: &Room<L>, next: Option<Instant>) {
    match next {
        Some(at) => room.alarm.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

struct Crowd<T: Target> {
    crew: Arc<Crew<T>>,
    room: Arc<Room<T::Link>>,
    share: Share,
    /// Each gives back its number when it leaves.
    tasks: JoinSet<()>,
    /// Visitors so far.
    count: u32,
    told: CancellationToken,
    report: CrowdReport,
}

impl<T: Target> Crowd<T> {
    fn new(crew: Arc<Crew<T>>, room: Arc<Room<T::Link>>, share: Share) -> Self {
        let (tasks, told) = (JoinSet::new(), CancellationToken::new());
        Self { crew, room, share, tasks, count: 0, told, report: CrowdReport::default() }
    }

    /// A visitor that was due to arrive `at` this moment.
    fn admit(&mut self, at: Instant) {
        if self.tasks.len() >= self.share.part(self.crew.most) as usize {
            self.report.turned_away += 1;
            self.crew.turned_away.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let browser = self.count.wrapping_mul(self.share.of).wrapping_add(self.share.index);
        self.count = self.count.wrapping_add(1);
        self.report.started += 1;
        let life = Life { browser, life: 0 };
        self.tasks.spawn(visit(self.crew.clone(), self.room.clone(), life, self.told.clone(), at));
    }

    fn account(&mut self, ended: Result<(Id, ()), JoinError>) {
        match ended {
            Err(error) if error.is_cancelled() => self.report.cut_off += 1,
            Err(error) => self.report.early(error.id(), &error.to_string()),
            Ok(_) => {}
        }
    }
}
