//! Moves the number of browsers through the phases.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use report::record::EventKind;
use report::statistics::steady::METHOD;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::recorder::events::EventLog;
use crate::schedule::Plan;
use crate::session::Crew;
use crate::workload::Workload;

/// How often the number of browsers is looked at.
const BEAT: Duration = Duration::from_millis(100);

/// How long browsers stay after the load's last second, so that its row still shows them. What ends meanwhile is not counted.
const LINGER: Duration = Duration::from_millis(20);

pub(super) struct Conductor<T> {
    pub crew: Arc<Crew<T>>,
    pub workload: Workload,
    pub plan: Plan,
    pub events: Arc<EventLog>,
    /// Dropped at the end, which tells the workers to end.
    pub level: watch::Sender<u32>,
    pub stop: CancellationToken,
}

impl<T> Conductor<T> {
    /// Conducts the load to its end, which it sets; true when it was stopped before.
    pub(super) async fn conduct(self, ended: &OnceLock<Duration>) -> bool {
        let phases = async {
            for number in 0..self.plan.spans().count() {
                self.until(|plan| plan.spans().nth(number).map_or(0, |(start, ..)| start), Duration::ZERO)
                    .await;
                self.tell(number);
            }
            std::future::pending::<()>().await;
        };
        let interrupted = tokio::select! {
            biased;
            () = self.stop.cancelled() => true,
            () = self.until(Plan::seconds, LINGER) => false,
            () = self.enough() => false,
            () = self.levels() => false,
            () = phases => false,
        };
        if interrupted {
            self.crew.hurry.cancel();
        }
        let now = self.crew.start.elapsed();
        // A load that runs to its end fills its last second; waking up a little later changes nothing about that.
        let _ = ended.set(if interrupted { now } else { Duration::from_secs(now.as_secs()) });
        interrupted
    }

    /// Writes that a phase has begun, and how a warm-up of open length before it ended.
    fn tell(&self, number: usize) {
        let mut spans = self.plan.spans().skip(number.saturating_sub(1));
        let before = if number > 0 { spans.next() } else { None };
        let Some((start, end, phase)) = spans.next() else { return };
        let mut detail = format!(
            "{}, {}{} s, to {}",
            phase.kind.name(),
            if phase.until.is_some() { "up to " } else { "" },
            end - start,
            self.workload.level_words(self.plan.level_of(phase))
        );
        if let Some((begun, ended, _)) = before.filter(|(.., before)| before.until.is_some()) {
            let steady = if self.plan.was_cut().is_some() { "steady" } else { "not steady" };
            detail.push_str(&format!("; the warm-up ended after {} s, {steady} ({METHOD})", ended - begun));
        }
        self.events.tell(Instant::now(), EventKind::Phase, "", &phase.name, &detail);
    }

    /// Returns so long after a second of the plan, which may come nearer while it is waited for.
    async fn until(&self, second: impl Fn(&Plan) -> u32, and: Duration) {
        let mut moves = self.plan.follow();
        loop {
            moves.mark_unchanged();
            let due = self.at(Duration::from_secs(second(&self.plan).into()) + and);
            tokio::select! {
                biased;
                Ok(()) = moves.changed() => {}
                () = sleep_until(due) => return,
            }
        }
    }

    fn at(&self, offset: Duration) -> Instant {
        self.crew.start + offset
    }

    /// The end of the second in which enough pages had been served.
    async fn enough(&self) {
        self.crew.enough.cancelled().await;
        let second = self.crew.start.elapsed().as_secs() + 1;
        sleep_until(self.at(Duration::from_secs(second) + LINGER)).await;
    }

    async fn levels(&self) {
        for at in (0_u32..)
            .map(|beat| BEAT * beat)
            .take_while(|at| *at < Duration::from_secs(self.plan.seconds().into()))
        {
            sleep_until(self.at(at)).await;
            let level = self.plan.sessions_at(at);
            self.level.send_if_modified(|now| std::mem::replace(now, level) != level);
        }
        std::future::pending::<()>().await;
    }
}
