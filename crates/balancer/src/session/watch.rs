//! While a node works on a statement, its session watches for whatever may end it early: the client leaves, somebody
//! kills it, its time is up.
//!
//! None of this costs a system call, and a short statement nothing else either: whether its client is still there is
//! looked at from the second beat on.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::alarm::{Alarm, Call};
use super::client::Client;
use super::kill::{self, Thread};
use super::lull::Deadline;
use super::worker::Worker;
use crate::accounts::known::Known;
use crate::pool::connect::Connection;

/// A client may say so much ahead of time; what more it says waits in the kernel.
const AHEAD: usize = 64 << 10;
/// A client is looked after when its statement has run for so many beats.
pub const LONG: u32 = 2;
/// A node that has been told to end a statement answers by then, or it is given up.
const LAST_ANSWER: Duration = Duration::from_secs(5);

/// Why a statement is ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// Somebody has killed the statement.
    Killed,
    /// Somebody has killed the session.
    SessionKilled,
    /// It has taken longer than `limits.statement_ms`.
    TimeUp,
}

/// What happened first.
#[derive(Debug)]
pub enum News {
    /// The node: `true`, bytes have come; `false`, it has closed.
    Node(io::Result<bool>),
    /// The client is gone.
    Left,
    /// The statement is to be ended.
    Interrupt(Interruption),
    /// It was to be ended, and the node does not answer.
    NoAnswer,
}

/// Watches over one statement.
pub struct Watch<'a> {
    alarm: &'a Alarm,
    worker: &'a Worker,
    account: &'a Arc<Known>,
    limit: Option<Deadline>,
    told: bool,
    client_ended: bool,
}

impl<'a> Watch<'a> {
    /// Begins. A client that has said more already wants it all done, even if it
    /// is gone by then: it is not watched.
    pub fn begin(
        alarm: &'a Alarm,
        worker: &'a Worker,
        account: &'a Arc<Known>,
        client: &Client,
        limit: Option<Duration>,
    ) -> Self {
        let limit = limit.map(|limit| Deadline::after(limit, &client.lull));
        Self { alarm, worker, account, limit, told: false, client_ended: client.ahead() > 0 }
    }

    /// Tells the node to end the statement; from now on it has a few seconds to answer. `false`: it cannot be told.
    pub async fn end_statement(&mut self, connection: &Connection, client: &Client) -> bool {
        if !std::mem::replace(&mut self.told, true) {
            self.limit = Some(Deadline::after(LAST_ANSWER, &client.lull));
            let thread = Thread::of(connection, self.account);
            return kill::at_node(self.worker, &thread, Call::EndStatement).await.is_ok();
        }
        true
    }

    /// Waits for bytes from the node, or for a reason to wait no longer.
    pub async fn news(&mut self, connection: &mut Connection, client: &mut Client) -> News {
        loop {
            let watching = !self.client_ended && client.ahead() < AHEAD;
            let lull = &client.lull;
            let news = {
                let mut from_node = pin!(connection.stream.read_more(&mut connection.buffer));
                let mut from_client = pin!(client.stream.read_ahead(&mut client.buffer));
                poll_fn(|context| {
                    if let Poll::Ready(read) = from_node.as_mut().poll(context) {
                        return Poll::Ready(Some(News::Node(read)));
                    }
                    if let Some(call) = self.alarm.rung(context) {
                        return Poll::Ready(Some(News::Interrupt(match call {
                            Call::EndStatement => Interruption::Killed,
                            Call::EndSession => Interruption::SessionKilled,
                        })));
                    }
                    if let Some(limit) = &mut self.limit
                        && limit.has_come(lull, context)
                    {
                        let news =
                            if self.told { News::NoAnswer } else { News::Interrupt(Interruption::TimeUp) };
                        return Poll::Ready(Some(news));
                    }
                    if watching
                        && lull.has_lasted(LONG, context)
                        && let Poll::Ready(read) = from_client.as_mut().poll(context)
                    {
                        self.client_ended = !matches!(read, Ok(true));
                        return Poll::Ready(None);
                    }
                    Poll::Pending
                })
                .await
            };
            match news {
                Some(news) => return news,
                None if self.client_ended && client.has_nothing_to_add() => return News::Left,
                None => {}
            }
        }
    }
}
