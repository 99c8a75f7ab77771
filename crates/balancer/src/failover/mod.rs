//! Decides when nodes must be taken out, replaced or brought back. It acts on nothing: it posts requests.
//!
//! The loop runs whenever the board of health or the view has changed, and every [`TICK`] besides. It looks at how
//! things are and not at what has changed, so a request that was dropped (full inbox, action failed) is simply posted
//! again; the executor merges duplicates and paces tries.

pub mod diagnose;
pub mod observe;
pub mod plan;
pub mod reign;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::executor::Order;
use crate::health::{Board, durability};
use crate::view::ViewCell;

/// The longest pause between two looks.
pub const TICK: Duration = Duration::from_millis(250);

/// What is done about a primary that is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It is replaced.
    Replace,
    /// It is taken out, and an operator has to name the next one.
    Wait,
    /// It is taken out, and whichever node others open is the next one.
    Observe,
}

/// Watches health and view until it is cancelled.
pub async fn run(board: Arc<Board>, view: Arc<ViewCell>, inbox: mpsc::Sender<Order>, remedy: Remedy) {
    let (mut learned, mut published) = (board.watch(), view.watch());
    let (mut generation, mut since) = (0, Instant::now());
    let mut warned = None;
    loop {
        learned.mark_unchanged();
        published.mark_unchanged();
        let now = view.load_full();
        if now.generation != generation {
            (generation, since) = (now.generation, Instant::now());
        }
        let sights = board.sights();
        let warning = durability::warning(&now, &sights);
        if let Some(text) = warning.as_ref().filter(|_| warning != warned) {
            tracing::warn!("{text}");
        }
        warned = warning;
        let diagnoses = match remedy {
            Remedy::Observe => observe::observe(&now, &sights, since),
            remedy => diagnose::diagnose(&now, &sights, since, remedy == Remedy::Replace),
        };
        for diagnosis in diagnoses {
            // A full inbox loses nothing: the next look finds the same again.
            let _ = inbox.try_send(Order::Request(diagnosis.request()));
        }
        let changed = async {
            tokio::select! {
                biased;
                _ = learned.changed() => {}
                _ = published.changed() => {}
            }
        };
        let _ = timeout(TICK, changed).await;
    }
}
