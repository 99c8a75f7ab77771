//! The jobs that run: begun, listened to, and undone when they fail or are cancelled.

use std::future::Future;
use std::time::Duration;

use cluster::NodeId;
use tokio::time::Instant;

use super::Executor;
use super::job::{Kind, News, Report, Running, Tools};
use super::planted::Bug;
use super::topology::Home;
use crate::event::EventKind;
use crate::request::Request;
use crate::view::NodeState;

/// After a promotion that failed the next one is not begun for so long.
const PAUSE: Duration = Duration::from_millis(500);

impl Executor {
    pub(super) fn start<F, Fut>(&mut self, kind: Kind, node: Option<NodeId>, request: Request, work: F)
    where
        F: FnOnce(Tools) -> Fut + Send + 'static,
        Fut: Future<Output = News> + Send,
    {
        self.last_job += 1;
        let stop = self.parts.stop.child_token();
        let tools = Tools {
            job: self.last_job,
            nodes: self.parts.nodes.clone(),
            board: self.parts.board.clone(),
            reports: self.reports.0.clone(),
            planted: self.parts.planted,
        };
        self.running.push(Running {
            id: self.last_job,
            kind,
            node,
            request,
            opened: false,
            stop: stop.clone(),
        });
        self.parts.tasks.spawn(stop.run_until_cancelled_owned(async move {
            let news = work(tools.clone()).await;
            tools.tell(news).await;
        }));
    }

    pub(super) fn take_report(&mut self, Report { job: id, news }: Report) {
        let Some(at) = self.running.iter().position(|job| job.id == id) else { return };
        if let News::Opened(opening) = &news {
            let mut job = self.running.remove(at);
            job.opened = true;
            self.opened(&job, opening);
            return self.running.push(job);
        }
        if let News::Belongs(id) = &news {
            if let Some(member) = self.parts.topology.get_mut(id) {
                (member.sound, member.refused) = (true, None);
            }
            return;
        }
        let job = self.running.remove(at);
        let wedge = self.parts.planted.has(Bug::WedgedQueue)
            && matches!((job.kind, &news), (Kind::ScaleIn | Kind::ScaleOut, News::Failed(_)));
        self.finish(&job, news);
        if wedge {
            self.running.push(job);
        }
    }

    pub(super) fn finish(&mut self, job: &Running, news: News) {
        let took = format!("in {} ms", job.request.at.elapsed().as_millis());
        let cause = job.request.cause.as_str();
        match news {
            News::Opened(_) | News::Belongs(_) => {}
            News::Promoted { strays } => self.promoted(&strays),
            News::Ready(id) if job.kind == Kind::Approach => self.hand_over(job.request.clone(), id),
            News::Ready(id) => {
                self.scaled_at = Some(Instant::now());
                self.parts.events.tell(EventKind::ScaleOutDone, Some(&id), cause, took);
                self.admit(&id, Home::Serving);
            }
            News::Drained(id) => self.drained(job, &id, took),
            News::CaughtUp(id) => {
                self.parts.topology.settle(&id);
                let place = self.parts.topology.state(&id).map_or("", NodeState::as_str);
                self.parts.events.tell(EventKind::Rejoined, Some(&id), cause, format!("{place} {took}"));
                self.publish();
            }
            News::Refused { node, reason } => self.refuse(&node, &reason),
            News::Failed(reason) => self.undo(job, &reason),
            News::Stranded { to, reason } => self.strand(job, &to, &reason),
        }
    }

    /// Puts back what a job that did not finish had begun.
    pub(super) fn undo(&mut self, job: &Running, reason: &str) {
        if job.opened {
            return; // Whoever was not pointed at the new primary yet is found astray, or by the next election.
        }
        let now = Instant::now();
        match (job.kind, &job.node) {
            (Kind::Promote, _) => self.promote_not_before = Some(now + PAUSE),
            (Kind::Switchover, _) => {
                if let Some(holder) = self.parts.topology.holder().map(|holder| holder.node.id.clone()) {
                    // Opened again by the job; if that failed too, the watchers see a primary that is read-only.
                    self.parts.topology.set_state(&holder, NodeState::Serving);
                }
            }
            (Kind::ScaleIn | Kind::Drain, Some(id)) => {
                if self.parts.topology.state(id) == Some(NodeState::Draining) {
                    self.parts.topology.set_state(id, NodeState::Serving);
                }
                self.scaled_at = Some(now);
            }
            (Kind::ScaleOut, _) => self.scaled_at = Some(now),
            (Kind::Rejoin, Some(id)) => {
                if let Some(member) = self.parts.topology.get_mut(id) {
                    member.failed(now);
                }
            }
            _ => {}
        }
        self.publish();
        self.fail(&job.request, job.node.as_ref(), reason);
    }

    pub(super) fn cancel(&mut self, which: impl Fn(&Running) -> bool, reason: &str) {
        let (cancelled, kept) = std::mem::take(&mut self.running).into_iter().partition(which);
        self.running = kept;
        let cancelled: Vec<Running> = cancelled;
        for job in cancelled {
            job.stop.cancel();
            self.undo(&job, reason);
        }
    }

    pub(super) fn fail(&self, request: &Request, node: Option<&NodeId>, reason: impl std::fmt::Display) {
        let action = format!("{:?}", request.action);
        self.parts.events.tell(
            EventKind::ActionFailed,
            node,
            request.cause.as_str(),
            format!("{action}: {reason}"),
        );
    }
}
