//! After the answer: what it told is taken in, and the connection given back or kept.

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
use crate::session::relay::one::Seen;
use crate::session::state::Tied;
use crate::sql::classify::{Kind, Marks};

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
        let ran = !matches!(work, Work::Prepare(_) | Work::FieldList | Work::Fetch(_));
        self.note_cursor(&mut lease, work, &seen);
        let stays = self.state.take(plan, ran, &mut seen, &mut lease);
        let tended = match self.tend(&mut lease, work, plan, &seen).await {
            Ok(()) if ran && self.reads.level(plan) == Consistency::Monotonic => {
                self.note_read(&mut lease, plan, &seen, stays).await
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
            self.card.unpin();
            let remembers = plan.kind == Kind::Write
                || seen.warnings > 0
                || seen.error.is_some()
                || plan.marks.any(Marks::COUNTS);
            lease.release(self.client.id, remembers, Instant::now());
        }
        Ok(())
    }

    /// Notes on the session's card what pins it.
    fn note_pins(&self, lease: &Lease, work: Work) {
        let prepared = |id| self.prepared.get(id).map_or(&b""[..], |statement| &statement.text.sql);
        self.card.pin(self.state.pins(), lease.node, self.worker.roster.now(), || match work {
            Work::Execute(id) | Work::Bulk(id) => prepared(id),
            _ => self.client.payload().get(1..).unwrap_or_default(),
        });
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
            let text = self.worker.texts.intern(&self.state.image, &self.client.whole_payload()[1..]);
            self.keep_prepared(id, text.clone(), prepared.parameters);
            lease.remember(&text, prepared.id).await?;
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
        if seen.untracked {
            lease.track().await?;
        }
        if plan.marks.any(Marks::COLLATION) {
            self.learn_collation(lease).await?;
        }
        if seen.untold && seen.gtid.is_none() && plan.kind == Kind::Write && !self.state.in_transaction() {
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
        self.state.image = image.into();
        lease.image = self.state.image.clone();
        Ok(())
    }

    /// Results that end without an OK packet do not tell how far the session's writes have come.
    async fn learn_position(&mut self, lease: &mut Lease) -> Result<(), AskError> {
        if let Some(gtid) = lease.value(b"SELECT @@last_gtid", LIMIT).await?
            && let Ok(position) = gtid.parse()
        {
            self.state.last_write.merge(&position);
        }
        Ok(())
    }
}
