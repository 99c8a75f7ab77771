//! Cursors at the nodes. As long as one is open, the session stays on its connection.

use tokio::time::Instant;

use super::Work;
use crate::pool::lease::Lease;
use crate::session::Session;
use crate::session::relay::seen::Seen;
use crate::session::state::Tied;
use crate::sql::classify::Marks;
use crate::wire::capabilities::status;
use crate::wire::prepared;

impl Session {
    /// Whether the command is an execute that asks for a cursor, of a statement that may have one: a CALL has none, whatever
    /// it is asked for.
    pub(crate) fn asks_for_cursor(&self, work: Work) -> bool {
        let flags = self.client.payload().get(prepared::ID.end);
        matches!(work, Work::Execute(_))
            && flags.is_some_and(|flags| *flags != 0)
            && !self
                .text(work)
                .trim_ascii_start()
                .get(..4)
                .is_some_and(|word| word.eq_ignore_ascii_case(b"CALL"))
    }

    /// Takes in whether a cursor is open after an execute or a fetch.
    pub(super) fn note_cursor(&mut self, lease: &mut Lease, work: Work, seen: &Seen) {
        let (Work::Execute(id) | Work::Bulk(id) | Work::Fetch(id)) = work else { return };
        let told = seen.status.unwrap_or(0);
        let open = match work {
            Work::Fetch(_) => told & status::LAST_ROW_SENT == 0,
            _ => seen.error.is_none() && told & status::CURSOR_EXISTS != 0 && self.asks_for_cursor(work),
        };
        let Some(statement) = self.prepared.get_mut(id) else { return };
        if open == statement.cursor {
            return;
        }
        statement.cursor = open;
        if let Some(on_node) = lease.statements.get(&statement.text) {
            on_node.cursor = if open { id } else { 0 };
        }
        self.state.ties = match self.prepared.has_cursors() {
            true => self.state.ties.with(Marks::CURSORS),
            false => self.state.ties.without(Marks::CURSORS),
        };
    }

    /// Closes the cursor of a statement, if it has one open; the session leaves the connection if nothing else keeps it.
    pub(crate) async fn close_cursor(&mut self, id: u32) {
        let Some(statement) = self.prepared.get_mut(id).filter(|statement| statement.cursor) else { return };
        statement.cursor = false;
        let text = statement.text.clone();
        if !self.prepared.has_cursors() {
            self.state.ties = self.state.ties.without(Marks::CURSORS);
        }
        let Some(mut tied) = self.tied.take() else { return };
        let mut lease = tied.lend();
        if let Some(on_node) = lease.statements.remove(&text)
            && lease.close_statement(on_node).await.is_err()
        {
            // The next statement finds the connection broken, and says what is lost with it.
            self.tied = Some(Tied::new(lease));
            return;
        }
        if self.state.stays() || !self.state.autocommit() {
            self.tied = Some(Tied::new(lease));
        } else {
            lease.release(self.client.id, false, Instant::now());
        }
    }
}
