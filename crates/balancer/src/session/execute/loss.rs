//! What the client is told when its statement cannot be answered: what is certain, what is not, and why.

use cluster::NodeId;

use super::attempts::Attempts;
use super::{Work, repeatable};
use crate::pool::lease::Lease;
use crate::route::Plan;
use crate::session::Session;
use crate::session::client::Gone;
use crate::session::kill::{self, Thread};
use crate::session::relay::seen::Seen;
use crate::session::state::State;
use crate::session::watch::Interruption;
use crate::sql::classify::{Kind, Marks};

/// What became of a statement, and of the transaction around it, when the connection under it broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Surely nothing of the transaction is kept: servers undo what has not been committed.
    RolledBack,
    /// That is just what the statement wanted.
    AsWanted,
    /// It changed nothing, but what the session kept on the connection is gone.
    Untied,
    /// Nobody knows.
    Unknown,
}

/// `sent`: the node may have received the statement.
fn outcome(plan: &Plan, work: Work, sent: bool, in_transaction: bool, autocommit: bool) -> Outcome {
    // Some statements commit what came before them: by their nature, or because a setting (autocommit) does.
    let commits = matches!(plan.kind, Kind::Commit | Kind::Begin { .. } | Kind::Session)
        || plan.marks.any(Marks::COMMITS.with(Marks::UNKNOWN).with(Marks::SEVERAL));
    let runs = !matches!(work, Work::Prepare(_) | Work::FieldList);
    let begins = !autocommit && plan.kind == Kind::Write;
    match (in_transaction, sent && runs) {
        (true, _) if runs && plan.kind == Kind::Rollback => Outcome::AsWanted,
        (true, true) if commits => Outcome::Unknown,
        (true, _) => Outcome::RolledBack,
        (false, true) if begins && !commits => Outcome::RolledBack,
        (false, true) if !repeatable(plan, work) => Outcome::Unknown,
        (false, _) => Outcome::Untied,
    }
}

impl Session {
    /// A statement after its transaction was lost; `true` when it may run.
    pub(super) async fn after_loss(&mut self, plan: &Plan) -> Result<bool, Gone> {
        let Some(node) = self.state.lost.clone() else { return Ok(true) };
        match plan.kind {
            Kind::Begin { .. } => {
                self.state.lost = None;
                return Ok(true);
            }
            Kind::Rollback => {
                self.state.lost = None;
                self.client.ok(self.state.status).await?;
            }
            kind => {
                if kind == Kind::Commit {
                    self.state.lost = None;
                }
                self.rolled_back(&node).await?;
            }
        }
        Ok(false)
    }

    /// The connection that the session was tied to is gone.
    pub(super) async fn lose(
        &mut self,
        plan: &Plan,
        work: Work,
        sent: bool,
        passed_on: bool,
        node: &NodeId,
    ) -> Result<(), Gone> {
        let State { ties, .. } = self.state;
        let in_transaction = self.state.in_transaction();
        let outcome = outcome(plan, work, sent, in_transaction, self.state.autocommit());
        self.state.untie();
        self.prepared.forget_cursors();
        match outcome {
            Outcome::AsWanted => self.client.ok(self.state.status).await,
            Outcome::RolledBack => {
                let ended = plan.kind == Kind::Commit || !in_transaction;
                self.state.lost = (!ended).then(|| node.clone());
                self.rolled_back(node).await
            }
            // Settings for a transaction that had not begun.
            Outcome::Untied if ties.is_empty() => self.rolled_back(node).await,
            Outcome::Untied => self.untied(node).await,
            Outcome::Unknown => match self.asked_for_commit(ties).await? {
                Some(true) => Ok(()),
                Some(false) if in_transaction => self.rolled_back(node).await,
                Some(false) => self.untied(node).await,
                None => self.unknown(plan, work, passed_on, node).await,
            },
        }
    }

    /// The statement changed nothing, but what the session kept on the connection is gone.
    async fn untied(&mut self, node: &NodeId) -> Result<(), Gone> {
        let message = format!(
            "Connection was killed: {node} is gone, and with it what this session kept there (variables, temporary tables, locks); the statement changed nothing"
        );
        self.client.error(1927, "70100", &message).await
    }

    /// The statement was sent on a connection that was not the session's own, and its answer is missing.
    pub(super) async fn cut_off(
        &mut self,
        plan: &Plan,
        work: Work,
        passed_on: bool,
        node: &NodeId,
    ) -> Result<(), Gone> {
        match outcome(plan, work, true, false, self.state.autocommit()) {
            Outcome::RolledBack => self.rolled_back(node).await,
            _ => self.unknown(plan, work, passed_on, node).await,
        }
    }

    /// The statement was to be ended early, and the node's answer to that is not waited for.
    pub(super) async fn cut_short(
        &mut self,
        lease: Lease,
        work: Work,
        plan: &Plan,
        was_tied: bool,
        seen: &Seen,
    ) -> Result<(), Gone> {
        let why = seen.interrupted.expect("it was");
        let node = lease.id.clone();
        kill::at_node_later(&self.worker, Thread::of(&lease, &self.account));
        drop(lease);
        match why {
            Interruption::SessionKilled => self.interrupted(why).await,
            _ if was_tied => self.lose(plan, work, true, seen.passed_on, &node).await,
            _ if repeatable(plan, work) => self.interrupted(why).await,
            _ => self.cut_off(plan, work, seen.passed_on, &node).await,
        }
    }

    /// A transaction is lost, and surely nothing of it is kept.
    async fn rolled_back(&mut self, node: &NodeId) -> Result<(), Gone> {
        let message = format!(
            "Connection was killed: {node} is gone, the transaction was rolled back and nothing of it was kept; end it with ROLLBACK and start it again"
        );
        self.client.error(1927, "40001", &message).await
    }

    /// The statement was sent, and nobody knows what became of it.
    async fn unknown(&mut self, plan: &Plan, work: Work, passed_on: bool, node: &NodeId) -> Result<(), Gone> {
        let message = if passed_on || repeatable(plan, work) {
            format!("Lost connection to server during query: {node} is gone in the middle of its answer")
        } else {
            format!(
                "Lost connection to server during query: {node} was gone before it answered; outcome unknown, the statement is not sent again"
            )
        };
        self.client.error(2013, "HY000", &message).await
    }

    /// The primary takes no writes, and no other has taken over in time.
    pub(super) async fn still_read_only(&mut self) -> Result<(), Gone> {
        let message = "The node that took the writes takes none any more (--read-only), and no other has taken over in time; nothing was done";
        self.client.error(1290, "HY000", message).await
    }

    /// Nobody took the statement in time.
    pub(super) async fn nobody(&mut self, plan: &Plan, attempts: Attempts) -> Result<(), Gone> {
        if self.alarm.is_rung() {
            return self.interrupted(Interruption::Killed).await;
        }
        let held = self.worker.shared.config.failover.hold_ms;
        let why = attempts.last_error.map(|error| format!("; {error}")).unwrap_or_default();
        if plan.kind == Kind::Read && !plan.marks.any(Marks::PRIMARY) {
            let message = format!("Too many connections: no node could answer within {held} ms{why}");
            return self.client.error(1040, "08004", &message).await;
        }
        let message = format!(
            "No node takes writes (--read-only), and none has taken over within {held} ms; nothing was done{why}"
        );
        self.client.error(1290, "HY000", &message).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::classify::classify;

    #[test]
    fn what_is_certain_is_told_and_nothing_else() {
        use Outcome::{AsWanted, RolledBack, Unknown, Untied};
        // In a transaction: not sent, sent; outside of one: not sent, sent; sent with autocommit off.
        for (text, expected) in [
            ("SELECT 1", [RolledBack, RolledBack, Untied, Untied, Untied]),
            ("SELECT 1 FOR UPDATE", [RolledBack, RolledBack, Untied, Untied, Untied]),
            ("UPDATE t SET a = 1", [RolledBack, RolledBack, Untied, Unknown, RolledBack]),
            ("SAVEPOINT a", [RolledBack, RolledBack, Untied, Unknown, RolledBack]),
            ("COMMIT", [RolledBack, Unknown, Untied, Untied, Untied]),
            ("ROLLBACK", [AsWanted, AsWanted, Untied, Untied, Untied]),
            ("BEGIN", [RolledBack, Unknown, Untied, Untied, Untied]),
            ("SET autocommit = 1", [RolledBack, Unknown, Untied, Untied, Untied]),
            ("CREATE TABLE a (b INT)", [RolledBack, Unknown, Untied, Unknown, Unknown]),
            ("CALL p()", [RolledBack, Unknown, Untied, Unknown, Unknown]),
            ("SELECT 1; DELETE FROM t", [RolledBack, Unknown, Untied, Unknown, Unknown]),
        ] {
            let statement = classify(text.as_bytes());
            let plan = Plan::plain(statement.kind, statement.marks, statement.reason);
            let tell = |sent, inside, autocommit| outcome(&plan, Work::Command, sent, inside, autocommit);
            let told = [
                tell(false, true, true),
                tell(true, true, true),
                tell(false, false, true),
                tell(true, false, true),
                tell(true, false, false),
            ];
            assert_eq!(told, expected, "{text}");
            // Preparing runs nothing.
            let prepared = outcome(&plan, Work::Prepare(1), true, true, true);
            assert_eq!(prepared, RolledBack, "{text}");
        }
    }
}
