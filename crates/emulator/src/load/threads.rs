//! The threads that browsers live on: one runtime each, so that none waits for another's.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::{CrowdReport, Share, load};
use crate::alarm::Alarm;
use crate::recorder::tally::Tally;
use crate::session::{Crew, Room};
use crate::target::Target;

/// Starts one thread `browser-N` a tally. Each ends by itself after the sender of `level` is gone and `patience` is over.
///
/// # Errors
/// When the system refuses a thread or its timers; threads already started end with the sender.
pub(crate) fn start<T: Target>(
    crew: &Arc<Crew<T>>,
    tallies: &[Arc<Tally>],
    level: &watch::Receiver<u32>,
    patience: Duration,
) -> io::Result<Vec<oneshot::Receiver<CrowdReport>>> {
    let of = tallies.len() as u32;
    let mut reports = Vec::new();
    for (index, tally) in (0..of).zip(tallies) {
        let (crew, tally, level) = (crew.clone(), tally.clone(), level.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (done, report) = oneshot::channel();
        std::thread::Builder::new().name(format!("browser-{index}")).spawn(move || {
            crew.threads.enrol();
            let all = browse_here(crew, tally, Share { index, of }, level, patience);
            // Nobody listens any more when the run was dropped; the browsers have ended all the same.
            let _ = done.send(runtime.block_on(all));
        })?;
        reports.push(report);
    }
    Ok(reports)
}

/// The crowd with an alarm of its own, or the runtime's where the system has none to give.
async fn browse_here<T: Target>(
    crew: Arc<Crew<T>>,
    tally: Arc<Tally>,
    share: Share,
    level: watch::Receiver<u32>,
    patience: Duration,
) -> CrowdReport {
    let connections = crew.connections.map(|all| share.part(all));
    let room = |alarm| Arc::new(Room::new(tally, alarm, connections));
    match Alarm::own() {
        Ok((alarm, ringing)) => tokio::select! {
            report = load(crew, room(alarm), share, level, patience) => report,
            error = ringing => CrowdReport::broken(&format!("the timer of a thread failed: {error}")),
        },
        Err(error) => {
            tracing::warn!(%error, "no high-resolution timer: browsers wake about a millisecond late");
            load(crew, room(Alarm::Runtime), share, level, patience).await
        }
    }
}

/// The same as tasks of the calling runtime.
pub(crate) fn start_here<T: Target>(
    crew: &Arc<Crew<T>>,
    tallies: &[Arc<Tally>],
    level: &watch::Receiver<u32>,
    patience: Duration,
) -> Vec<oneshot::Receiver<CrowdReport>> {
    let of = tallies.len() as u32;
    let start = |(index, tally): (u32, &Arc<Tally>)| {
        let (done, report) = oneshot::channel();
        let share = Share { index, of };
        let connections = crew.connections.map(|all| share.part(all));
        let room = Arc::new(Room::new(tally.clone(), Alarm::Runtime, connections));
        let all = load(crew.clone(), room, share, level.clone(), patience);
        tokio::spawn(async move { done.send(all.await) });
        report
    };
    (0..of).zip(tallies).map(start).collect()
}
