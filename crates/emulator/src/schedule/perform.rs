//! The schedule at work: asks the control for each event at its second, and mends at the end what it broke.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use report::record::EventKind;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::Event;
use crate::control::{Action, Control, ControlError, Done, NodeSelector};
use crate::recorder::events::EventLog;

/// How long a request may take. The next event waits for it, because it may mean the node that this one strikes.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long all mending at the end may take.
const MENDING: Duration = Duration::from_secs(15);
/// Who asked, for `events.csv`.
const CAUSE: &str = "schedule";

/// What the schedule has done so far.
#[derive(Debug)]
pub(crate) struct Performer {
    control: Arc<dyn Control>,
    log: Arc<EventLog>,
    last: Option<String>,
    broken: BTreeSet<String>,
}

impl Performer {
    pub(crate) fn new(control: Arc<dyn Control>, log: Arc<EventLog>) -> Self {
        Self { control, log, last: None, broken: BTreeSet::new() }
    }

    /// Performs the events in the order of their times until all are done or `over` is cancelled.
    pub(crate) async fn perform(&mut self, events: &[Event], start: Instant, over: &CancellationToken) {
        let mut events: Vec<&Event> = events.iter().collect();
        events.sort_by(|a, b| a.at.total_cmp(&b.at));
        for event in events {
            tokio::select! {
                biased;
                () = over.cancelled() => return,
                () = sleep_until(start + Duration::from_secs_f64(event.at)) => {}
            }
            let action = event.request().expect("the workload was checked");
            self.ask(action, CAUSE).await;
        }
    }

    /// Mends every node that the schedule broke and did not mend.
    pub(crate) async fn mend(&mut self) {
        let all = async {
            for node in self.broken.clone() {
                self.ask(Action::Heal { node: NodeSelector::Named(node) }, "end of run").await;
            }
        };
        if timeout(MENDING, all).await.is_err() {
            tracing::warn!("not every node could be mended within {MENDING:?}");
        }
    }

    /// A request is never given up half-way: a fault must not be forgotten.
    async fn ask(&mut self, action: Action, cause: &str) {
        let action = self.resolve(action);
        let asked = Instant::now();
        let answer = match timeout(PATIENCE, self.control.ask(action.clone())).await {
            Ok(answer) => answer,
            Err(_) => Err(ControlError(format!("no answer within {PATIENCE:?}"))),
        };
        match answer {
            Ok(done) => self.note(&action, done, asked, cause),
            Err(error) => {
                let detail = format!("{action:?}: {error}");
                self.log.tell(asked, EventKind::ActionFailed, "", cause, &detail);
            }
        }
    }

    fn note(&mut self, action: &Action, done: Done, asked: Instant, cause: &str) {
        match action {
            Action::Fault { .. } => {
                self.log.tell(asked, EventKind::FaultInjected, &done.node, cause, &done.detail);
                self.broken.insert(done.node.clone());
                self.last = Some(done.node);
            }
            Action::Heal { .. } => {
                self.log.tell(Instant::now(), EventKind::FaultHealed, &done.node, cause, &done.detail);
                self.broken.remove(&done.node);
            }
            // The cluster itself tells of scaling.
            Action::ScaleOut | Action::ScaleIn => {}
        }
    }

    /// `last` is this schedule's own knowledge.
    fn resolve(&self, action: Action) -> Action {
        let named = |node| match (node, &self.last) {
            (NodeSelector::Last, Some(last)) => NodeSelector::Named(last.clone()),
            (node, _) => node,
        };
        match action {
            Action::Fault { node, fault } => Action::Fault { node: named(node), fault },
            Action::Heal { node } => Action::Heal { node: named(node) },
            scaling => scaling,
        }
    }
}
