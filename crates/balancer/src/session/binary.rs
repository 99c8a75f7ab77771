//! Commands about prepared statements.

use std::rc::Rc;

use super::Session;
use super::client::Gone;
use super::execute::Work;
use super::prepared::{self, Refused, Statement};
use crate::pool::statements::Text;
use crate::route::{Plan, Route};
use crate::sql::classify::{Kind, Marks};
use crate::wire::packet::Malformed;
use crate::wire::prepared as packet;

/// The id by which clients of MariaDB name the statement that they prepared last.
const LAST: u32 = u32::MAX;
/// The server's words for long data beyond `max_long_data_size`.
const TOO_LONG: &str = "Parameter of prepared statement which is set through mysql_send_long_data() is longer than 'max_long_data_size' bytes";

impl Session {
    /// COM_STMT_PREPARE.
    pub(super) async fn prepare(&mut self) -> Result<(), Gone> {
        let plan = self.plan_of_command();
        if plan.token && !self.take_hinted_token().await? {
            return Ok(());
        }
        if matches!(
            plan.kind,
            Kind::Status | Kind::Sessions | Kind::ExplainRoute(_) | Kind::Own(_) | Kind::Kill
        ) {
            let message = "This command is not supported in the prepared statement protocol yet";
            return self.client.error(1295, "HY000", message).await;
        }
        if self.prepared.len() >= prepared::LIMIT {
            let message = "Can't create more than max_prepared_stmt_count statements (current value: 16382)";
            return self.client.error(1461, "42000", message).await;
        }
        if self.prepared.make_room(self.client.command).is_err() {
            return self.client.out_of_memory().await;
        }
        // Preparing changes nothing, whatever the statement will do.
        let marks = if plan.kind == Kind::Read { plan.marks.only(Marks::PRIMARY) } else { Marks::PRIMARY };
        let preparing = Plan { kind: Kind::Read, marks, ..plan };
        let id = self.prepared.next_id();
        self.perform(Work::Prepare(id), preparing).await
    }

    /// Keeps a statement that a node has just prepared.
    pub(super) fn keep_prepared(&mut self, id: u32, text: Rc<Text>, parameters: u16) {
        let plan = self.plan(&text.sql);
        self.prepared.put(id, Statement::new(text, plan, parameters));
    }

    /// The id in the command under way, with the one that stands for the last statement replaced.
    fn statement_id(&self) -> Result<u32, Malformed> {
        Ok(match packet::id(self.client.payload())? {
            LAST if self.prepared.get(self.prepared.last()).is_some() => self.prepared.last(),
            id => id,
        })
    }

    async fn unknown_statement(&mut self, id: u32, given_to: &str) -> Result<(), Gone> {
        let message = format!("Unknown prepared statement handler ({id}) given to {given_to}");
        self.client.error(1243, "HY000", &message).await
    }

    async fn malformed(&mut self) -> Result<(), Gone> {
        self.client.error(1835, "HY000", "Malformed communication packet").await
    }

    /// COM_STMT_EXECUTE, or MariaDB's for many rows; `routed`: it has been decided just now where it goes.
    pub(super) async fn execute(&mut self, bulk: bool, routed: Option<Route>) -> Result<(), Gone> {
        let Ok(id) = self.statement_id() else { return self.malformed().await };
        let payload = self.client.payload();
        let short = payload.len() < if bulk { packet::BULK_HEAD } else { packet::HEAD };
        if short {
            return self.malformed().await;
        }
        let given_to = if bulk { "mysqld_stmt_bulk_execute" } else { "mysqld_stmt_execute" };
        let Some(statement) = self.prepared.get_mut(id) else {
            return self.unknown_statement(id, given_to).await;
        };
        match packet::types(payload, bulk, statement.parameters) {
            Ok(Some(types)) if types != statement.types => {
                statement.types = types.to_vec();
                statement.bound = self.worker.next_bound();
            }
            Ok(_) => {}
            Err(_) => {
                let message = format!("Incorrect arguments to {given_to}");
                return self.client.error(1210, "HY000", &message).await;
            }
        }
        let mut plan = statement.plan;
        if let Some(refused) = statement.long_data.refused {
            self.prepared.forget_long_data(id);
            return match refused {
                Refused::TooLong => self.client.error(1105, "HY000", TOO_LONG).await,
                Refused::NoMemory => self.client.out_of_memory().await,
            };
        }
        let work = if bulk { Work::Bulk(id) } else { Work::Execute(id) };
        if self.asks_for_cursor(work) {
            // The session stays where its cursor is, and may write before it has read all.
            plan.marks = plan.marks.with(Marks::PRIMARY);
            plan.reason = "opens a cursor";
        }
        self.perform_routed(work, plan, routed).await?;
        self.prepared.forget_long_data(id);
        Ok(())
    }

    /// COM_STMT_FETCH: rows from the cursor that the last execute has opened.
    pub(super) async fn fetch(&mut self) -> Result<(), Gone> {
        let Ok(id) = self.statement_id() else { return self.malformed().await };
        let Some(statement) = self.prepared.get(id) else {
            return self.unknown_statement(id, "mysqld_stmt_fetch").await;
        };
        if !statement.cursor || self.tied.is_none() {
            let message = format!("The statement ({id}) has no open cursor");
            return self.client.error(1421, "HY000", &message).await;
        }
        if self.client.payload().len() < packet::FETCH {
            return self.malformed().await;
        }
        self.perform(Work::Fetch(id), Plan::plain(Kind::Read, Marks::NONE, "rows of a cursor")).await
    }

    /// COM_STMT_SEND_LONG_DATA: kept until the statement is executed; has no answer, so that what is wrong is told then.
    pub(super) fn keep_long_data(&mut self) {
        let Ok(id) = self.statement_id() else { return };
        let limit = self.worker.shared.config.limits.packet_bytes;
        self.prepared.keep_long_data(id, &self.client.buffer[..self.client.command], limit);
    }

    /// COM_STMT_RESET: forgets long data, closes the cursor.
    pub(super) async fn reset_statement(&mut self) -> Result<(), Gone> {
        let Ok(id) = self.statement_id() else { return self.malformed().await };
        if self.prepared.get(id).is_none() {
            return self.unknown_statement(id, "mysqld_stmt_reset").await;
        }
        self.prepared.forget_long_data(id);
        self.close_cursor(id).await;
        self.client.ok(self.state.status).await
    }

    /// COM_STMT_CLOSE, which has no answer. On the nodes it stays prepared for others as long as there is room.
    pub(super) async fn close_statement(&mut self) {
        if let Ok(id) = self.statement_id() {
            self.close_cursor(id).await;
            self.prepared.close(id);
        }
    }
}
