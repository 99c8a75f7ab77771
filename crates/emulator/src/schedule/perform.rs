//! The schedule at work: asks the control for each event at its second, and mends at the end what it broke.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use report::record::EventKind;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{Event, Plan};
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

    /// Performs the events, which come by their time, and heals what is to be healed after a while, until all is done or
    /// `over` is cancelled. Where the plan moves, so does what is after the move.
    pub(crate) async fn perform(
        &mut self,
        events: &[Event],
        plan: &Plan,
        start: Instant,
        over: &CancellationToken,
    ) {
        let mut moves = plan.follow();
        let mut events = events.iter().peekable();
        // What is to be healed, and when.
        let mut healing: Vec<(f64, String)> = Vec::new();
        loop {
            healing.sort_by(|a, b| a.0.total_cmp(&b.0));
            let first = healing.first().map(|(at, _)| *at);
            moves.mark_unchanged();
            let next = events.peek().map(|event| plan.moved(event.at));
            let heals = first.is_some_and(|at| next.is_none_or(|next| at <= next));
            let Some(at) = (if heals { first } else { next }) else { return };
            tokio::select! {
                biased;
                () = over.cancelled() => return,
                Ok(()) = moves.changed() => continue,
                () = sleep_until(start + Duration::from_secs_f64(at)) => {}
            }
            if heals {
                let (_, node) = healing.remove(0);
                self.ask(Action::Heal { node: NodeSelector::Named(node) }, CAUSE).await;
                continue;
            }
            let Some(event) = events.next() else { return };
            let action = event.request().expect("the workload was checked");
            let struck = self.ask(action, CAUSE).await;
            healing.extend(event.heal_after.zip(struck).map(|(after, node)| (at + after, node)));
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

    /// A request is never given up half-way: a fault must not be forgotten. Returns the node that was struck or healed.
    async fn ask(&mut self, action: Action, cause: &str) -> Option<String> {
        let action = self.resolve(action);
        let asked = Instant::now();
        let answer = match timeout(PATIENCE, self.control.ask(action.clone())).await {
            Ok(answer) => answer,
            Err(_) => Err(ControlError(format!("no answer within {PATIENCE:?}"))),
        };
        match answer {
            Ok(done) => {
                let node = done.node.clone();
                self.note(&action, done, asked, cause);
                Some(node)
            }
            Err(error) => {
                let detail = format!("{action:?}: {error}");
                self.log.tell(asked, EventKind::ActionFailed, "", cause, &detail);
                None
            }
        }
    }

    fn note(&mut self, action: &Action, done: Done, asked: Instant, cause: &str) {
        match action {
            Action::Fault { fault, .. } => {
                let detail = format!("{}: {}", fault.name(), done.detail);
                self.log.tell(asked, EventKind::FaultInjected, &done.node, cause, &detail);
                self.broken.insert(done.node.clone());
                self.last = Some(done.node);
            }
            Action::Heal { .. } => {
                self.log.tell(Instant::now(), EventKind::FaultHealed, &done.node, cause, &done.detail);
                self.broken.remove(&done.node);
            }
            Action::Strategy { name } => self.log.tell(asked, EventKind::StrategySet, "", cause, name),
            // The cluster itself tells of scaling and of a new primary.
            Action::ScaleOut | Action::ScaleIn | Action::Promote { .. } => {}
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
            Action::Promote { node } => Action::Promote { node: named(node) },
            of_no_node => of_no_node,
        }
    }
}
