//! What has to be said to a node before a statement: all of it in one write, and with the statement itself where that may
//! be run twice. A server reads commands one after the other, whenever they come.
//!
//! The effects are noted when they are written down. So a connection that refuses any of it is of no use any more.

use std::io;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::ask::{AskError, LIMIT, only_value, packets};
use super::connect::{Connection, tracking};
use super::image::Image;
use super::statements::Text;
use crate::wire::command::Command;
use crate::wire::packet::put_packet;
use crate::wire::reply::{Expect, Prepared};

/// Stands in an execute for the statement that was prepared last: MariaDB's.
pub const LAST_PREPARED: u32 = u32::MAX;

/// Commands that go ahead of a statement.
#[derive(Debug, Default)]
pub struct Prelude {
    packets: Vec<u8>,
    questions: Vec<Question>,
}

/// What an answer is good for.
#[derive(Debug)]
enum Question {
    /// It is not refused.
    Done,
    /// It gives the id of a statement.
    Prepare(Rc<Text>),
    /// It says whether the node has applied, within a limit, what it lacked.
    Wait(Duration),
}

impl Prelude {
    /// Whether nothing has to be said.
    pub fn is_empty(&self) -> bool {
        self.questions.is_empty()
    }

    /// How many commands.
    pub fn len(&self) -> usize {
        self.questions.len()
    }

    fn push(&mut self, command: Command, text: &[u8], question: Question) {
        let mut payload = Vec::with_capacity(text.len() + 1);
        payload.push(command as u8);
        payload.extend_from_slice(text);
        put_packet(&mut self.packets, 0, &payload);
        self.questions.push(question);
    }

    /// Runs a statement that returns nothing of interest.
    pub fn run(&mut self, text: &[u8]) {
        self.push(Command::Query, text, Question::Done);
    }

    /// Waits until the node, a MySQL server or not, has applied a position, at most so long. Both functions answer 0 when
    /// it has.
    pub fn wait_for(&mut self, position: &dyn std::fmt::Display, limit: Duration, mysql: bool) {
        let function = if mysql { "WAIT_FOR_EXECUTED_GTID_SET" } else { "MASTER_GTID_WAIT" };
        let text = format!("SELECT {function}('{position}',{})", limit.as_secs_f64());
        self.push(Command::Query, text.as_bytes(), Question::Wait(limit));
    }

    /// Prepares a text.
    pub fn prepare(&mut self, text: &Rc<Text>) {
        self.push(Command::Prepare, &text.sql, Question::Prepare(text.clone()));
    }
}

impl Connection {
    /// Whether more than one command may be under way to this node.
    pub fn takes_several(&self) -> bool {
        !self.greeting.is_mysql()
    }

    /// Whether a text would be read here, in the state that the session is in, as it was read first.
    pub fn can_prepare_as_it_is(&self, text: &Text) -> bool {
        self.image.to_prepare(&text.image).is_some_and(|image| image == *self.image)
    }

    /// Adds what brings the node's session into a state.
    pub fn lead_to(&mut self, image: &Rc<Image>, prelude: &mut Prelude) {
        if Rc::ptr_eq(&self.image, image) && !self.unsettled {
            return;
        }
        let mut from = self.image.clone();
        if !from.has_nothing_beyond(image) {
            self.unsettled = from.schema.is_some();
            self.meter.resets.fetch_add(1, Relaxed);
            prelude.push(Command::ResetConnection, b"", Question::Done);
            prelude.run(tracking(&self.greeting));
            self.statements.clear();
            from = Rc::new(Image { schema: from.schema.clone(), ..Image::default() });
        }
        for schema in self.way_into(image) {
            prelude.push(Command::InitDb, &schema, Question::Done);
        }
        self.unsettled = false;
        if let Some(set) = from.set_to(image) {
            prelude.run(set.as_bytes());
        }
        if let Some(set) = from.set_user_to(image) {
            prelude.run(&set);
        }
        self.image = image.clone();
    }

    /// Says it, and `statement` behind it in the same write.
    ///
    /// # Errors
    /// The stream's own.
    pub async fn say(&mut self, prelude: &mut Prelude, statement: &[u8]) -> io::Result<()> {
        prelude.packets.extend_from_slice(statement);
        self.stream.write_all(&prelude.packets).await
    }

    /// Takes in the answers to all that went ahead; what is left then is the answer to the statement.
    ///
    /// # Errors
    /// The connection broke, or it is of no use any more: the node refused something, or is [`AskError::Behind`].
    pub async fn hear(&mut self, prelude: Prelude) -> Result<(), AskError> {
        for question in prelude.questions {
            match question {
                Question::Done => drop(self.answer_within(Expect::Result, LIMIT).await?),
                Question::Prepare(text) => {
                    let answer = self.answer_within(Expect::Prepared, LIMIT).await?;
                    let prepared = Prepared::read(packets(&answer).next().unwrap_or_default())?;
                    self.remember(&text, prepared.id).await?;
                }
                Question::Wait(limit) => {
                    let answer = self.answer_within(Expect::Result, limit + Duration::from_secs(1)).await?;
                    let applied = only_value(&answer, self.deprecates_eof());
                    if applied.as_deref() != Some("0") {
                        return Err(AskError::Behind);
                    }
                }
            }
        }
        Ok(())
    }
}
