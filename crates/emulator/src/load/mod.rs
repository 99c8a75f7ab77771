//! How load is made: closed (so many browsers, each asking when it has thought) or open (visitors arrive by themselves).

pub(crate) mod arrivals;
pub(crate) mod closed;
mod crowd;
pub(crate) mod open;
pub(crate) mod threads;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

pub use self::arrivals::{Arrivals, MOST_RATE, Spacing};
pub(crate) use self::crowd::{CrowdReport, Share};
use crate::session::{Crew, Room};
use crate::target::Target;

/// One worker's part of the load, until the sender of `level` is gone; then its last pages, for up to `patience`.
pub(crate) async fn load<T: Target>(
    crew: Arc<Crew<T>>,
    room: Arc<Room<T::Link>>,
    share: Share,
    level: watch::Receiver<u32>,
    patience: Duration,
) -> CrowdReport {
    let report = match crew.arrivals {
        Some(arrivals) => open::crowd(crew, room.clone(), share, arrivals, level, patience).await,
        None => closed::crowd(crew, room.clone(), share, level, patience).await,
    };
    if let Some(links) = &room.links {
        links.close().await;
    }
    report
}
