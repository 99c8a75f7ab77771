//! Commits whose outcome can be found out: with `failover.outcomes = "ask"` a mark goes into each transaction before its
//! COMMIT is sent, and the primary is asked for it when the answer is lost. A write outside a transaction is made one:
//! BEGIN and mark, the write, whose answer is held back, and COMMIT. See [`crate::outcome`].

use std::time::Duration;

use tokio::time::Instant;

use super::flight::Flight;
use super::send::send_behind;
use super::{Fate, Hold, Work};
use crate::config::Outcomes;
use crate::outcome::{Marker, Told, ask};
use crate::pool::ask::{AskError, refusal};
use crate::pool::lease::Lease;
use crate::pool::prelude::Prelude;
use crate::route::Plan;
use crate::session::Session;
use crate::session::client::Gone;
use crate::session::kill::{self, Thread};
use crate::session::relay::one::{End, Order, relay};
use crate::session::relay::seen::Seen;
use crate::session::watch::Watch;
use crate::sql::classify::{Kind, Marks};
use crate::sql::lexer::{Lexer, Token};
use crate::wire::capabilities::status;
use crate::wire::reply::{ErrPacket, Expect, OkPacket};
use crate::wire::trackers::Trackers;

/// A COMMIT may wait for a follower for as long as it takes; a node that dies meanwhile breaks the connection.
const COMMIT: Duration = Duration::from_secs(86_400);
/// After a mark was refused (no table, no right), the session leaves none for so long.
const UNMARKED: Duration = Duration::from_secs(10);
/// A primary that gives no answer is asked again after so long.
const AGAIN: Duration = Duration::from_millis(50);
/// What a write must not be to be put into a transaction: it ends one by itself, leaves something behind or answers with rows.
const NOT_ALONE: [Marks; 6] =
    [Marks::COMMITS, Marks::TIES, Marks::SEVERAL, Marks::ROWS, Marks::TRACKING, Marks::NEXT_ONLY];

/// What a session knows of the commit under way.
#[derive(Debug, Default)]
pub struct Marking {
    /// Its COMMIT has been sent with this mark, and not been answered.
    sent: Option<Marker>,
    /// The answer that the client gets if it is kept; absent: a plain OK.
    held: Option<Vec<u8>>,
    /// No mark is left before then.
    refused_until: Option<Instant>,
}

/// What has become of a commit.
enum Found {
    Kept,
    Nothing,
}

impl Session {
    /// Whether a mark is to go with the statement.
    pub(super) fn is_to_be_marked(&self, work: Work, plan: &Plan) -> bool {
        matches!(plan.kind, Kind::Commit | Kind::Write)
            && self.worker.shared.config.failover.outcomes == Outcomes::Ask
            && (self.ends_transaction(work, plan) || self.is_write_alone(work, plan))
            && self.marking.refused_until.is_none_or(|until| Instant::now() >= until)
    }

    /// A COMMIT, of a transaction that has written; forms of it that do more are none.
    fn ends_transaction(&self, work: Work, plan: &Plan) -> bool {
        plan.kind == Kind::Commit
            && self.state.in_transaction()
            && self.state.wrote
            && !plan.marks.any(Marks::SEVERAL)
            && is_plain_commit(self.text(work))
    }

    /// A write that is a transaction by itself.
    fn is_write_alone(&self, work: Work, plan: &Plan) -> bool {
        plan.kind == Kind::Write
            && self.state.autocommit()
            && !self.state.in_transaction()
            && !self.state.next_only
            && !self.state.ties.any(Marks::LOCKS.with(Marks::UNKNOWN))
            && !NOT_ALONE.iter().any(|mark| plan.marks.any(*mark))
            && matches!(work, Work::Command | Work::Execute(_) | Work::Bulk(_))
            && changes_rows(self.text(work))
    }

    /// As `carry_out`, with a mark in the transaction that this ends or is.
    pub(super) async fn carry_out_marked(
        &mut self,
        lease: &mut Lease,
        work: Work,
        plan: &Plan,
        hold: Hold,
        seen: &mut Seen,
    ) -> Result<Fate, Gone> {
        let marker = self.worker.markers.next(lease.serial);
        (self.marking.sent, self.marking.held) = (None, None);
        let fate = if plan.kind == Kind::Commit {
            self.commit(lease, work, plan, hold, seen, marker).await?
        } else {
            self.write_alone(lease, work, plan, hold, seen, marker).await?
        };
        if !matches!(fate, Fate::Broken { sent: true }) || seen.interrupted.is_some() {
            // Nobody is to ask: it is known, or the node has been told to end it.
            (self.marking.sent, self.marking.held) = (None, None);
        }
        Ok(fate)
    }

    /// The mark, and when it has been taken the client's COMMIT.
    async fn commit(
        &mut self,
        lease: &mut Lease,
        work: Work,
        plan: &Plan,
        hold: Hold,
        seen: &mut Seen,
        marker: Marker,
    ) -> Result<Fate, Gone> {
        if !lease.is_quiet() {
            return Ok(Fate::Broken { sent: false });
        }
        match lease.run(marker.statement().as_bytes()).await {
            Ok(()) => self.marking.sent = Some(marker),
            // The whole transaction has been undone.
            Err(AskError::Refused(error)) if matches!(code(&error), 1205 | 1213) => {
                return Ok(Fate::Refused(error));
            }
            Err(AskError::Refused(error)) => self.mark_refused(lease, &error),
            Err(_) => return Ok(Fate::Broken { sent: false }),
        }
        self.carry_out(lease, work, plan, hold, seen).await
    }

    /// BEGIN and the mark, the client's write, COMMIT. Until the last has been sent, nothing is kept.
    async fn write_alone(
        &mut self,
        lease: &mut Lease,
        work: Work,
        plan: &Plan,
        hold: Hold,
        seen: &mut Seen,
        marker: Marker,
    ) -> Result<Fate, Gone> {
        let tied = hold == Hold::Tied;
        if tied && !lease.is_quiet() {
            return Ok(Fate::Broken { sent: false });
        }
        let mut prelude = Prelude::default();
        let ready = match self.set_up(lease, work, plan, tied, &mut prelude).await {
            Ok(ready) => ready,
            Err(error) => return Ok(Fate::of(error)),
        };
        if !prelude.is_empty() {
            if let Err(error) = send_behind(lease, prelude, &[], false).await {
                return Ok(Fate::of(error));
            }
            self.is_set_up(lease, work, plan, hold);
        }
        let mut begin = Prelude::default();
        begin.run(b"BEGIN");
        begin.run(marker.statement().as_bytes());
        if let Err(error) = send_behind(lease, begin, &[], false).await {
            let not_begun = self.not_begun(lease, error, tied).await?;
            return match not_begun {
                Some(fate) => Ok(fate),
                None => self.carry_out(lease, work, plan, hold, seen).await,
            };
        }
        let flight = Flight::begin(lease.meter.clone());
        let bytes = ready.as_deref().unwrap_or(&self.client.buffer[..self.client.command]);
        if lease.stream.write_all(bytes).await.is_err() {
            return Ok(Fate::Broken { sent: false });
        }
        match self.hold_answer(lease, tied, seen).await? {
            End::Held(ok) => {
                self.marking.held = Some(ok);
                self.marking.sent = Some(marker);
                let fate = self.commit_alone(lease, tied, seen, flight, plan, work).await?;
                Ok(fate)
            }
            End::ReadOnly => Ok(self.undo(lease, tied).await?.unwrap_or(Fate::ReadOnly)),
            // The client has its answer: an error.
            End::Whole if seen.error.is_some() => {
                flight.landed(plan, work);
                Ok(self.undo(lease, tied).await?.unwrap_or(Fate::Answered(flight)))
            }
            // Rows, which were not to be expected: they have been passed on, so whatever follows must end well.
            End::Whole => match lease.ok_to(b"COMMIT", COMMIT).await {
                Ok(ok) => self.take_commit(&ok, lease, seen).map(|()| Fate::Answered(flight)),
                Err(_) => Err(Gone::Over),
            },
            // What was begun and not committed is undone.
            End::Broken(_) => Ok(Fate::Broken { sent: seen.passed_on }),
        }
    }

    /// BEGIN or the mark has failed, and nothing was done. `None`: the write can do without.
    async fn not_begun(
        &mut self,
        lease: &mut Lease,
        error: AskError,
        tied: bool,
    ) -> Result<Option<Fate>, Gone> {
        match error {
            AskError::Refused(error) if is_goodbye(&error) => Ok(Some(Fate::Broken { sent: false })),
            // BEGIN is not refused otherwise: nothing is under way any more.
            AskError::Refused(error) if is_read_only(&error) => {
                let fate = if tied { Fate::Refused(error) } else { Fate::ReadOnly };
                Ok(Some(self.undo(lease, tied).await?.unwrap_or(fate)))
            }
            AskError::Refused(error) => {
                self.mark_refused(lease, &error);
                self.undo(lease, tied).await
            }
            error => Ok(Some(Fate::of(error))),
        }
    }

    /// Waits for the answer; one that is nothing but an OK is not passed on.
    async fn hold_answer(&mut self, lease: &mut Lease, tied: bool, seen: &mut Seen) -> Result<End, Gone> {
        let order = Order { expect: Expect::Result, stop_at_read_only: !tied, hold: true, statement_id: 0 };
        let limit_ms = self.worker.shared.config.limits.statement_ms;
        let limit = (limit_ms > 0).then_some(Duration::from_millis(limit_ms));
        let mut watch = Watch::begin(&self.alarm, &self.worker, &self.account, &self.client, limit);
        let end = relay(lease, &mut self.client, order, seen, &mut watch).await;
        end.inspect_err(|_| kill::at_node_later(&self.worker, Thread::of(lease, &self.account)))
    }

    /// Commits, and answers the client with what was held back or with what went wrong.
    async fn commit_alone(
        &mut self,
        lease: &mut Lease,
        tied: bool,
        seen: &mut Seen,
        flight: Flight,
        plan: &Plan,
        work: Work,
    ) -> Result<Fate, Gone> {
        match lease.ok_to(b"COMMIT", COMMIT).await {
            Ok(ok) => {
                self.take_commit(&ok, lease, seen)?;
                flight.landed(plan, work);
                self.tell_kept().await?;
                Ok(Fate::Answered(flight))
            }
            // The node's own goodbye: as good as a broken connection.
            Err(AskError::Refused(error)) if is_goodbye(&error) => Ok(Fate::Broken { sent: true }),
            Err(AskError::Refused(error)) if is_read_only(&error) && !tied => {
                *seen = Seen::default();
                Ok(self.undo(lease, tied).await?.unwrap_or(Fate::ReadOnly))
            }
            Err(AskError::Refused(error)) => {
                seen.error = Some(code(&error));
                seen.status = None;
                self.client.send(&error).await?;
                Ok(self.undo(lease, tied).await?.unwrap_or(Fate::Answered(flight)))
            }
            Err(_) => Ok(Fate::Broken { sent: true }),
        }
    }

    /// Takes in what the node told with its OK to the COMMIT.
    fn take_commit(&self, ok: &[u8], lease: &Lease, seen: &mut Seen) -> Result<(), Gone> {
        seen.take(&OkPacket::read(ok)?, &lease.image);
        Ok(())
    }

    /// Ends the transaction on the connection; a fate if that cannot be done.
    async fn undo(&mut self, lease: &mut Lease, tied: bool) -> Result<Option<Fate>, Gone> {
        match lease.run(b"ROLLBACK").await {
            Ok(()) => Ok(None),
            // With it goes what the session kept there, and the client can be told in one way only.
            Err(_) if tied => Err(Gone::Over),
            Err(_) => Ok(Some(Fate::Told)),
        }
    }

    fn mark_refused(&mut self, lease: &Lease, error: &[u8]) {
        tracing::warn!(node = %lease.id, error = refusal(error), "no mark can be left in transactions");
        self.marking.refused_until = Some(Instant::now() + UNMARKED);
    }

    /// A connection broke under a statement: if nobody but the primary can tell what became of it, and the session kept nothing
    /// there, it is asked now. `None`: the client has been answered. Otherwise whether the statement may have been done.
    pub(super) async fn unless_answered(&mut self, sent: bool, tied: bool) -> Result<Option<bool>, Gone> {
        if !sent || tied || self.marking.sent.is_none() {
            return Ok(Some(sent));
        }
        match self.find_out().await {
            Some(Found::Kept) => self.tell_kept().await.map(|()| None),
            Some(Found::Nothing) => Ok(Some(false)),
            None => Ok(Some(true)),
        }
    }

    /// The same for what a session was tied to. `ties`: it kept more there than its transaction. `false`: nobody knows.
    pub(super) async fn asked_for_commit(&mut self, ties: Marks) -> Result<Option<bool>, Gone> {
        match self.find_out().await {
            Some(Found::Kept) => {
                self.tell_kept().await?;
                // What it kept there is gone, and no statement to come is to find out by itself.
                if ties.is_empty() { Ok(Some(true)) } else { Err(Gone::Over) }
            }
            Some(Found::Nothing) => Ok(Some(false)),
            None => Ok(None),
        }
    }

    /// Answers with the OK that was held back.
    async fn tell_kept(&mut self) -> Result<(), Gone> {
        let Some(held) = self.marking.held.take() else { return self.client.ok(self.state.status).await };
        let ok = OkPacket::read(&held)?;
        if ok.last_insert_id != 0 {
            self.state.insert_id = ok.last_insert_id;
        }
        let alone = OkPacket { status: ok.status & !status::IN_TRANSACTION, ..ok };
        self.client.send(&alone.for_client(held[0], Some(&Trackers::All))).await
    }

    /// Asks the primary, whoever that is or will be, for as long as statements wait for one.
    async fn find_out(&mut self) -> Option<Found> {
        let marker = self.marking.sent.take()?;
        let (worker, shared) = (self.worker.clone(), self.worker.shared.clone());
        let end = Instant::now() + Duration::from_millis(shared.config.failover.hold_ms);
        while Instant::now() < end && !self.alarm.is_rung() {
            let (generation, primary) = {
                let view = shared.view.load();
                (view.generation, view.primary().map(|node| (node.id.clone(), node.epoch)))
            };
            if let Some((id, epoch)) = primary {
                let turn = worker.killers.acquire().await;
                let told = ask(&shared.config, &id, &marker).await;
                drop(turn);
                let still = |node: &crate::view::NodeView| node.id == id && node.epoch == epoch;
                match told {
                    Ok(Some(told)) if shared.view.load().primary().is_some_and(still) => {
                        return Some(self.take_told(told));
                    }
                    Ok(_) => {}
                    Err(error) => tracing::debug!(%error, "it is not known yet what became of a commit"),
                }
            }
            shared.view.wait_for(AGAIN, |view| view.generation != generation).await;
        }
        None
    }

    fn take_told(&mut self, told: Told) -> Found {
        tracing::info!(
            client = self.client.id,
            kept = told.kept,
            "the answer to a commit was lost, and asked for"
        );
        if !told.kept {
            return Found::Nothing;
        }
        self.state.last_write.merge(&told.position);
        Found::Kept
    }
}

fn code(error: &[u8]) -> u16 {
    ErrPacket::read(error).map_or(0, |error| error.code)
}

fn is_goodbye(error: &[u8]) -> bool {
    matches!(code(error), 1053 | 1927)
}

fn is_read_only(error: &[u8]) -> bool {
    ErrPacket::read(error).is_ok_and(|error| error.is_read_only())
}

/// Whether a text is `COMMIT` or `COMMIT WORK` and nothing more.
fn is_plain_commit(text: &[u8]) -> bool {
    let mut tokens = tokens(text).filter(|token| *token != Token::Mark(b';'));
    let is = |token: Option<Token<'_>>, word: &[u8]| matches!(token, Some(Token::Word(is)) if is.eq_ignore_ascii_case(word));
    is(tokens.next(), b"COMMIT") && tokens.all(|token| is(Some(token), b"WORK"))
}

/// Whether a text is a statement that changes rows of tables and does nothing else.
fn changes_rows(text: &[u8]) -> bool {
    let verbs: [&[u8]; 4] = [b"INSERT", b"UPDATE", b"DELETE", b"REPLACE"];
    match tokens(text).next() {
        Some(Token::Word(word)) => verbs.iter().any(|verb| word.eq_ignore_ascii_case(verb)),
        _ => false,
    }
}

fn tokens(text: &[u8]) -> impl Iterator<Item = Token<'_>> {
    let mut lexer = Lexer::new(text);
    std::iter::from_fn(move || lexer.next()).filter(|token| !matches!(token, Token::Hint(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_commit_that_does_nothing_else_is_one() {
        for (text, plain) in [
            ("COMMIT", true),
            ("commit work;", true),
            ("/* a driver */ Commit -- end", true),
            ("COMMIT AND CHAIN", false),
            ("COMMIT WORK RELEASE", false),
            ("START TRANSACTION", false),
        ] {
            assert_eq!(is_plain_commit(text.as_bytes()), plain, "{text}");
        }
    }

    #[test]
    fn only_what_changes_rows_is_put_into_a_transaction() {
        for (text, changes) in [
            ("insert into t values (1)", true),
            ("/* tpcw: node=n1 */ UPDATE t SET a = 1", true),
            ("REPLACE t VALUES (1)", true),
            ("DELETE FROM t", true),
            ("CREATE TABLE t (a INT)", false),
            ("LOAD DATA INFILE 'x' INTO TABLE t", false),
            ("SAVEPOINT a", false),
            ("", false),
        ] {
            assert_eq!(changes_rows(text.as_bytes()), changes, "{text}");
        }
    }
}
