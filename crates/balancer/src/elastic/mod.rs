//! Keeps as many nodes in service as the load needs. The loop looks every `interval_ms` and posts at most one request.

pub mod controller;
pub mod rules;
pub mod window;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use self::controller::{Decision, Situation, decide};
use self::window::{Reads, Window};
use crate::config::Elastic;
use crate::executor::{Order, Progress};
use crate::health::Board;
use crate::request::{Action, Request};
use crate::view::{ClusterView, NodeState, NodeView, ViewCell};

/// What the controller last thought, for people.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Thought {
    /// What it decided and why.
    pub decision: String,
    /// The mean latency of reads in its window, in milliseconds.
    pub read_mean_ms: Option<f64>,
    /// Reads in the window.
    pub reads: u64,
    /// A node is wanted, and no candidate stands by.
    #[serde(skip)]
    pub wants_candidate: bool,
}

/// What the loop works with.
pub struct Watcher {
    /// Which nodes serve.
    pub view: Arc<ViewCell>,
    /// Which are alive.
    pub board: Arc<Board>,
    /// The executor's inbox.
    pub inbox: mpsc::Sender<Order>,
    /// What the executor is about.
    pub progress: watch::Receiver<Progress>,
    /// The settings, which may change.
    pub settings: watch::Receiver<Elastic>,
    /// Where it says what it thinks.
    pub thought: watch::Sender<Thought>,
}

/// Looks until it is cancelled.
pub async fn run(watcher: Watcher) {
    let mut window = Window::new(length(&watcher.settings.borrow()), Instant::now());
    let mut scaled_at = None;
    loop {
        let settings = watcher.settings.borrow().clone();
        window.set_length(length(&settings));
        let progress = watcher.progress.borrow().clone();
        let now = Instant::now();
        if progress.scaled_at != scaled_at {
            scaled_at = progress.scaled_at;
            window.clear(now);
        }
        watcher.look(&mut window, &progress, &settings, now);
        sleep(Duration::from_millis(settings.interval_ms)).await;
    }
}

fn length(settings: &Elastic) -> Duration {
    Duration::from_millis(settings.window_ms)
}

impl Watcher {
    fn look(&self, window: &mut Window, progress: &Progress, settings: &Elastic, now: Instant) {
        let view = self.view.load();
        let serving = || view.nodes.iter().filter(|node| node.state == NodeState::Serving);
        window.look(now, serving().map(|node| (node.id.clone(), reads(node))));
        let situation = Situation {
            now,
            serving: view.serving(),
            coming: progress.coming,
            leaving: progress.leaving,
            standby: self.standby(&view),
            promoting: progress.promoting || view.primary().is_none(),
            in_flight: serving().map(|node| u64::from(node.meter.in_flight.load(Relaxed))).sum(),
            average: window.average(now),
            scaled_at: progress.scaled_at,
        };
        let decision = decide(&situation, settings);
        self.thought.send_replace(Thought {
            decision: format!("{decision:?}"),
            read_mean_ms: situation.average.mean_ms,
            reads: situation.average.reads,
            wants_candidate: settings.automatic && matches!(decision, Decision::Lack { .. }),
        });
        if settings.automatic {
            self.post(decision);
        }
    }

    fn standby(&self, view: &ClusterView) -> usize {
        let stands_by = |node: &&NodeView| node.state == NodeState::Standby && self.board.alive(&node.id);
        view.nodes.iter().filter(stands_by).count()
    }

    fn post(&self, decision: Decision) {
        let request = match decision {
            Decision::Out { cause, urgent } => {
                Request { urgent, ..Request::new(Action::ScaleOut(None), format!("controller: {cause}")) }
            }
            Decision::In { cause } => Request::new(Action::ScaleIn(None), format!("controller: {cause}")),
            Decision::Lack { .. } | Decision::Hold { .. } => return,
        };
        // A full inbox loses nothing: the next look finds the same again.
        let _ = self.inbox.try_send(Order::Request(request));
    }
}

fn reads(node: &NodeView) -> Reads {
    let latency = node.meter.read_latency.snapshot();
    Reads { count: latency.count(), sum_us: latency.sum_us() }
}
