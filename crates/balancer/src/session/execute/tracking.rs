//! Statements that set or show the trackers of changes: they run under the client's own, and the node's connection has the
//! balancer's again before anybody else uses it.

use super::Work;
use crate::pool::ask::AskError;
use crate::pool::image::{Image, is_carried};
use crate::pool::lease::Lease;
use crate::route::Plan;
use crate::session::Session;
use crate::session::state::Tied;
use crate::sql::classify::{Kind, Marks, settings};

impl Session {
    /// Behind such a statement: keeps what the client has asked for, and learns what was not told meanwhile.
    pub(super) async fn track_again(
        &mut self,
        lease: &mut Lease,
        work: Work,
        plan: &Plan,
    ) -> Result<(), AskError> {
        if plan.kind == Kind::Read && !lease.is_tracked() {
            return lease.track(&[]).await.map(drop);
        }
        self.client.trackers = lease.trackers().await?;
        let mut names = match plan.marks.any(Marks::SEVERAL) {
            true => Vec::new(),
            false => settings(self.text(work), self.state.manner),
        };
        names.retain(|name| is_carried(name));
        let told = match lease.track(&names).await {
            Err(AskError::Refused(_)) if !names.is_empty() => {
                // What became of them cannot be told, so they stay where they are.
                self.state.ties = self.state.ties.with(Marks::UNKNOWN);
                lease.track(&[]).await?
            }
            told => told?,
        };
        let mut image = Image::clone(&self.state.image);
        for (name, value) in told.iter().filter(|(name, _)| is_carried(name)) {
            image.set(name, value);
        }
        self.state.adopt(image, lease);
        Ok(())
    }

    /// Before all state is forgotten: procedures and the like may have switched off that their writes were told.
    pub(in crate::session) async fn learn_last_position(&mut self) {
        if self.state.ties.any(Marks::UNKNOWN)
            && let Some(mut lease) = self.tied.take().and_then(Tied::into_lease)
            && self.learn_position(&mut lease).await.is_ok()
        {
            self.tied = Some(Tied::new(lease));
        }
    }
}
