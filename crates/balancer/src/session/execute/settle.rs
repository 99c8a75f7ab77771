//! After the answer: what it told is taken in, and the connection given back or kept.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;

use super::Work;
use crate::config::Consistency;
use crate::pool::ask::AskError;
use crate::pool::image::Image;
use crate::pool::lease::Lease;
use crate::route::Plan;
use crate::session::Session;
use crate::session::client::Gone;
use crate::session::relay::seen::Seen;
use crate::session::state::{PARSE_ERROR, Tied};
use crate::sql::classify::{Kind, Marks, literals};

/// A question about what the statement has changed is answered by then.
const LIMIT: Duration = Duration::from_secs(5);

impl Session {
    /// Takes in a finished statement and gives the connection back, or keeps it.
    pub(super) async fn settle(
        &mut self,
        mut lease: Lease,
        work: Work,
        plan: &Plan,
        mut seen: Seen,
    ) -> Result<(), Gone> {
        let stays = self.take_in(&mut lease, work, plan, &mut seen);
        self.tend_and_put_away(lease, work, plan, &seen, stays).await
    }

    /// Takes in what was told; tells whether the session stays on the connection.
    pub(super) fn take_in(&mut self, lease: &mut Lease, work: Work, plan: &Plan, seen: &mut Seen) -> bool {
        let ran = work.runs();
        self.note_cursor(lease, work, seen);
        if plan.marks.any(Marks::LITERALS) && ran {
            self.carry_variables(work, plan, seen);
        }
        if plan.marks.any(Marks::SCHEMAS) && ran && seen.error.is_none() {
            let view = self.worker.shared.view.load();
            for node in &view.nodes {
                node.meter.schemas.fetch_add(1, Relaxed);
            }
        }
        self.state.take(plan, ran, seen, lease)
    }

    /// Whether [`Session::tend_and_put_away`] would have anything to tend after a statement that ended well.
    pub(super) fn is_tended(&self, plan: &Plan, seen: &Seen) -> bool {
        let untold = seen.untold && plan.kind == Kind::Write;
        !(seen.untracked
            || untold
            || plan.marks.any(Marks::TRACKING.with(Marks::COLLATION))
            || self.reads.level(plan) == Consistency::Monotonic)
    }

    /// Asks what remains to be asked, and gives the connection back or keeps it.
    pub(super) async fn tend_and_put_away(
        &mut self,
        mut lease: Lease,
        work: Work,
        plan: &Plan,
        seen: &Seen,
        stays: bool,
    ) -> Result<(), Gone> {
        let tended = match self.tend(&mut lease, work, plan, seen).await {
            Ok(()) if work.runs() && self.reads.level(plan) == Consistency::Monotonic => {
                self.note_read(&mut lease, plan, seen, stays).await
            }
            tended => tended,
        };
        if tended.is_err() {
            // The statement is done and answered; only the connection is of no use any more.
            if stays {
                self.state.lost = self.state.in_transaction().then(|| lease.id.clone());
                self.state.untie();
                self.prepared.forget_cursors();
            }
            return Ok(());
        }
        if stays {
            self.note_pins(&lease, work);
            self.tied = Some(Tied::new(lease));
        } else {
            self.give_back(lease, plan, seen, Instant::now());
        }
        Ok(())
    }

    /// Gives back a connection that the session does not stay on.
    pub(super) fn give_back(&self, lease: Lease, plan: &Plan, seen: &Seen, now: Instant) {
        self.card.unpin();
        let remembers = plan.kind == Kind::Write
            || seen.warnings > 0
            || seen.error.is_some()
            || plan.marks.any(Marks::COUNTS);
        lease.release(self.client.id, remembers, now);
    }

    /// Takes user variables that have been set to literals into the session's image; those that cannot be carried tie it
    /// to the connection.
    fn carry_variables(&mut self, work: Work, plan: &Plan, seen: &mut Seen) {
        if seen.error == Some(PARSE_ERROR) {
            return;
        }
        let mut image = Image::clone(seen.image.as_ref().unwrap_or(&self.state.image));
        let sure = seen.error.is_none() && plan.kind == Kind::Session && !plan.marks.any(Marks::TIES);
        let carried = sure
            && literals(self.text(work), self.state.manner)
                .all(|(name, literal)| image.set_user(name, literal));
        if carried {
            seen.image = Some(image);
        } else {
            // After an error nobody knows which of them were set.
            self.state.ties = self.state.ties.with(Marks::VARIABLES);
        }
    }

    /// The text of the statement under way.
    pub(super) fn text(&self, work: Work) -> &[u8] {
        match work {
            Work::Execute(id) | Work::Bulk(id) => {
                self.prepared.get(id).map_or(&b""[..], |statement| &statement.text.sql)
            }
            _ => self.client.payload().get(1..).unwrap_or_default(),
        }
    }

    /// Notes on the session's card what pins it.
    pub(super) fn note_pins(&self, lease: &Lease, work: Work) {
        self.card.pin(self.state.pins(), lease.node, self.worker.roster.now(), || self.text(work));
    }

    /// What remains to be asked or noted on the connection after some statements.
    async fn tend(
        &mut self,
        lease: &mut Lease,
        work: Work,
        plan: &Plan,
        seen: &Seen,
    ) -> Result<(), AskError> {
        if let (Work::Prepare(id), Some(prepared)) = (work, seen.prepared) {
            let text =
                self.worker.texts.intern(&self.state.image.without_user(), &self.client.whole_payload()[1..]);
            self.keep_prepared(id, text.clone(), prepared.parameters);
            lease.remember(&text, prepared.id).await?;
        }
        if plan.marks.any(Marks::TRACKING) || seen.untracked {
            self.track_again(lease, work, plan).await?;
        }
        if let (Work::Execute(id) | Work::Bulk(id), Some(_)) = (work, seen.error)
            && let Some(statement) = self.prepared.get(id).filter(|statement| !statement.long_data.is_empty())
            && let Some(on_node) = lease.statements.remove(&statement.text)
        {
            // What was wrong with the long data would stay with the statement, whoever executes it next.
            return lease.close_statement(on_node).await;
        }
        if seen.error.is_some() {
            return Ok(());
        }
        if plan.marks.any(Marks::COLLATION) {
            self.learn_collation(lease).await?;
        }
        let untold = (seen.untold || plan.marks.any(Marks::TRACKING)) && seen.gtid.is_none();
        if untold && plan.kind == Kind::Write && !self.state.in_transaction() {
            self.learn_position(lease).await?;
        }
        Ok(())
    }

    /// The server does not tell when the collation changes.
    async fn learn_collation(&mut self, lease: &mut Lease) -> Result<(), AskError> {
        let Some(collation) = lease.value(b"SELECT @@collation_connection", LIMIT).await? else {
            return Ok(());
        };
        let mut image = Image::clone(&self.state.image);
        image.set("collation_connection", &collation);
        self.state.adopt(image, lease);
        Ok(())
    }

    /// Results that end without an OK packet do not tell how far the session's writes have come.
    pub(super) async fn learn_position(&mut self, lease: &mut Lease) -> Result<(), AskError> {
        if let Some(position) = lease.written(LIMIT).await? {
            lease.meter.told(&position);
            self.state.last_write.require(&position);
        }
        Ok(())
    }
}
