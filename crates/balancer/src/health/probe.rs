//! The loop that probes one node: every `interval_ms`, and at once when there is a reason to doubt.

use std::sync::Arc;
use std::time::Duration;

use cluster::NodeId;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Board;
use crate::config::Health;
use crate::nodes::{Answer, Nodes};
use crate::telemetry::Sighting;

/// However many doubts are raised, probes of a node begin at least this far apart.
const SHORTEST: Duration = Duration::from_millis(5);

/// Starts one probing task a node, and one that turns sessions' sightings into early probes.
pub fn start(
    ids: &[NodeId],
    nodes: &Arc<dyn Nodes>,
    board: &Arc<Board>,
    settings: &Health,
    sightings: mpsc::Receiver<(NodeId, Sighting)>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    let doubts: Vec<_> = ids.iter().map(|id| (id.clone(), Arc::new(Notify::new()))).collect();
    for (index, (id, doubt)) in doubts.iter().enumerate() {
        let prober = Prober {
            index,
            id: id.clone(),
            nodes: nodes.clone(),
            board: board.clone(),
            interval: Duration::from_millis(settings.interval_ms),
            timeout: Duration::from_millis(settings.timeout_ms),
            doubt: doubt.clone(),
        };
        tasks.spawn(stop.clone().run_until_cancelled_owned(prober.run()));
    }
    tasks.spawn(stop.clone().run_until_cancelled_owned(pass_on(sightings, doubts)));
}

/// A session that saw a node break or fall silent brings the node's next probe forward.
async fn pass_on(mut sightings: mpsc::Receiver<(NodeId, Sighting)>, doubts: Vec<(NodeId, Arc<Notify>)>) {
    while let Some((seen, _)) = sightings.recv().await {
        if let Some((_, doubt)) = doubts.iter().find(|(id, _)| *id == seen) {
            doubt.notify_one();
        }
    }
}

struct Prober {
    index: usize,
    id: NodeId,
    nodes: Arc<dyn Nodes>,
    board: Arc<Board>,
    interval: Duration,
    timeout: Duration,
    doubt: Arc<Notify>,
}

impl Prober {
    async fn run(self) {
        // A connection that broke counts as the first evidence, so the probe after it is the confirming one.
        let mut broke = false;
        loop {
            let began = Instant::now();
            if broke {
                self.board.take(self.index, began, Answer::Broken("a kept connection was closed".into()));
            }
            let answer = timeout(self.timeout, self.nodes.probe(&self.id)).await.unwrap_or(Answer::Silent);
            let answered = matches!(answer, Answer::Facts(..));
            if self.board.take(self.index, began, answer) {
                broke = false;
                continue;
            }
            broke = self.rest(began, answered).await;
        }
    }

    /// Waits for the next probe's moment; true when it is early because a connection broke.
    async fn rest(&self, began: Instant, answered: bool) -> bool {
        let broke = tokio::select! {
            biased;
            () = self.doubt.notified() => false,
            () = self.nodes.broken(&self.id), if answered => true,
            () = tokio::time::sleep_until(began + self.interval) => return false,
        };
        tokio::time::sleep_until(began + SHORTEST).await;
        broke
    }
}
