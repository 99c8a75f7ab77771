//! The loop that probes one node: every `interval_ms`, and at once when there is a reason to doubt.
//!
//! A node at its limit answers hundreds of statements a second and lets a probe wait in the same line. To hold it for dead would move its
//! load to those who are left, which are at their limit too: so a probe that is not answered in time is waited for as long as sessions
//! get answers from the node, and is silence only when they get none either.

use std::pin::pin;
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
/// A probe that is waited for beyond its time because sessions get answers is silence after so many times its time: a node that cannot
/// answer it three times in a row for so long is sick, whatever else it answers.
const PATIENCE: u32 = 10;

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
            let answer =
                ask(self.nodes.probe(&self.id), self.timeout, || self.board.served(self.index)).await;
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

/// The answer to a probe within `limit`, or later if `served`, the statements that the node has answered to sessions, has risen in
/// the last half of it and goes on to rise in each half to come. A node that fails is silent within `limit` all the same.
async fn ask(probe: impl Future<Output = Answer>, limit: Duration, served: impl Fn() -> u64) -> Answer {
    let mut probe = pin!(probe);
    let half = limit / 2;
    if let Ok(answer) = timeout(half, &mut probe).await {
        return answer;
    }
    for _ in 0..2 * PATIENCE {
        let before = served();
        match timeout(half, &mut probe).await {
            Ok(answer) => return answer,
            Err(_) if served() == before => return Answer::Silent,
            Err(_) => {}
        }
    }
    Answer::Silent
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(400);

    /// What comes of a probe that is answered after so many ms, on a node that answers sessions every 50 ms up to another moment; and when.
    async fn asked(probe_ms: u64, sessions_ms: u64) -> (Answer, u64) {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let probe = async {
            tokio::time::sleep_until(at(probe_ms)).await;
            Answer::Denied(String::new())
        };
        let served = || (begin.elapsed().as_millis() as u64).min(sessions_ms) / 50;
        let answer = ask(probe, LIMIT, served).await;
        (answer, begin.elapsed().as_millis() as u64)
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_answers_sessions_is_not_silent() {
        let never = 1_000_000;
        assert!(matches!(asked(100, 0).await, (Answer::Denied(_), 100)));
        assert!(matches!(asked(399, 0).await, (Answer::Denied(_), 399)));
        assert!(matches!(asked(never, 0).await, (Answer::Silent, 400)));
        // It fell silent early in the probe's time: no later than one that had nothing to do.
        assert!(matches!(asked(never, 190).await, (Answer::Silent, 400)));
        assert!(matches!(asked(never, 390).await, (Answer::Silent, 600)));
        assert!(matches!(asked(900, never).await, (Answer::Denied(_), 900)));
        assert!(matches!(asked(900, 500).await, (Answer::Silent, 800)));
        assert!(matches!(asked(never, never).await, (Answer::Silent, 4_200)));
    }
}
