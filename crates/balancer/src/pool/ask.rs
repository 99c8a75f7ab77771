//! Small questions of the balancer's own on a node connection: settings, preparations, waits. One at a time, with a limit.

use std::io;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use cluster::replication::gtid::GtidPosition;

use super::connect::{Connection, SET_TO_CONNECTION, tracking};
use super::image::Image;
use super::statements::Text;
use crate::wire::capabilities::Capabilities;
use crate::wire::command::Command;
use crate::wire::packet::{HEADER, Reader, header, put_packet};
use crate::wire::reply::{Change, ErrPacket, Expect, OkPacket, Prepared, Scanner, Step, changes};
use crate::wire::trackers::Trackers;

/// A question that is not answered by then has failed.
pub(super) const LIMIT: Duration = Duration::from_secs(10);
/// No answer to a question is longer.
const MAX: usize = 4 << 20;

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The connection is of no use any more.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// The node said no: its error packet.
    #[error("the node refused")]
    Refused(Vec<u8>),
    /// The node has not applied in time what was waited for; the answer to the statement behind that is on its way.
    #[error("the node is behind")]
    Behind,
}

impl From<crate::wire::packet::Malformed> for AskError {
    fn from(error: crate::wire::packet::Malformed) -> Self {
        Self::Broken(io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

impl Connection {
    /// Sends a command and takes in its whole answer: the bytes, which begin and end with a packet.
    async fn ask(
        &mut self,
        command: Command,
        text: &[u8],
        expect: Expect,
        limit: Duration,
    ) -> Result<BytesMut, AskError> {
        let mut packet = Vec::with_capacity(text.len() + 8);
        let mut payload = Vec::with_capacity(text.len() + 1);
        payload.push(command as u8);
        payload.extend_from_slice(text);
        put_packet(&mut packet, 0, &payload);
        self.stream.write_all(&packet).await?;
        self.answer_within(expect, limit).await
    }

    /// Takes in the next answer.
    pub(super) async fn answer_within(
        &mut self,
        expect: Expect,
        limit: Duration,
    ) -> Result<BytesMut, AskError> {
        let answered = tokio::time::timeout(limit, self.answer(expect)).await;
        answered.unwrap_or_else(|_| Err(AskError::Broken(io::ErrorKind::TimedOut.into())))
    }

    pub(super) fn deprecates_eof(&self) -> bool {
        self.key.capabilities.has(Capabilities::DEPRECATE_EOF)
    }

    async fn answer(&mut self, expect: Expect) -> Result<BytesMut, AskError> {
        let mut scanner = Scanner::new(expect, self.deprecates_eof());
        loop {
            match scanner.step(&self.buffer)? {
                Step::More if self.buffer.len() > MAX => {
                    return Err(AskError::Broken(io::ErrorKind::InvalidData.into()));
                }
                Step::More => {
                    if !self.stream.read_more(&mut self.buffer).await? {
                        return Err(AskError::Broken(io::ErrorKind::UnexpectedEof.into()));
                    }
                }
                Step::Prepared(_) => {}
                Step::Ok(_) | Step::Eof(_) | Step::Ended => return Ok(self.buffer.split_to(scanner.at)),
                Step::Err(range) => {
                    let refused = AskError::Refused(self.buffer[range.start + HEADER..range.end].to_vec());
                    self.buffer.advance(scanner.at);
                    return Err(refused);
                }
                Step::Infile(_) => return Err(AskError::Broken(io::ErrorKind::InvalidData.into())),
            }
        }
    }

    /// Runs a statement without looking at what it returns.
    pub async fn run(&mut self, text: &[u8]) -> Result<(), AskError> {
        self.ask(Command::Query, text, Expect::Result, LIMIT).await.map(drop)
    }

    /// Runs a statement that returns no rows, and gives its OK packet.
    pub async fn ok_to(&mut self, text: &[u8], limit: Duration) -> Result<Vec<u8>, AskError> {
        let answer = self.ask(Command::Query, text, Expect::Result, limit).await?;
        Ok(packets(&answer).next().unwrap_or_default().to_vec())
    }

    /// Runs a statement that returns one row of one column; `None` for NULL or no row.
    pub async fn value(&mut self, text: &[u8], limit: Duration) -> Result<Option<String>, AskError> {
        let answer = self.ask(Command::Query, text, Expect::Result, limit).await?;
        Ok(only_value(&answer, self.deprecates_eof()))
    }

    /// Allows several statements in one text, or one only: it becomes a connection of that kind.
    pub async fn set_multi_statements(&mut self, on: bool) -> Result<(), AskError> {
        // Answered with an end of definitions, without any.
        self.ask(Command::SetOption, &[u8::from(!on), 0], Expect::Definitions, LIMIT).await?;
        self.key.capabilities = self.key.capabilities.with(Capabilities::MULTI_STATEMENTS, on);
        Ok(())
    }

    /// Prepares a text for this connection, in the state that the text belongs to, and remembers it. `keeps`: the
    /// session on it has more state than its image, so that nothing may be unset, only changed.
    pub async fn prepare(&mut self, text: &Rc<Text>, keeps: bool) -> Result<u32, AskError> {
        match self.image.to_prepare(&text.image) {
            Some(image) if image == *self.image => {}
            Some(image) if image.has_nothing_beyond(&self.image) => {
                self.enter(&image.into()).await?;
            }
            _ if keeps => {}
            _ => self.enter(&text.image).await?,
        }
        let answer = self.ask(Command::Prepare, &text.sql, Expect::Prepared, LIMIT).await?;
        let first = packets(&answer).next().unwrap_or_default();
        let prepared = Prepared::read(first)?;
        self.remember(text, prepared.id).await?;
        Ok(prepared.id)
    }

    /// Closes a statement on the node; nothing is answered to that.
    pub async fn close_statement(&mut self, id: u32) -> Result<(), AskError> {
        let mut packet = Vec::new();
        let mut payload = vec![Command::CloseStatement as u8];
        payload.extend_from_slice(&id.to_le_bytes());
        put_packet(&mut packet, 0, &payload);
        Ok(self.stream.write_all(&packet).await?)
    }

    /// Notes a prepared statement, and closes the one that it pushes out.
    pub async fn remember(&mut self, text: &Rc<Text>, id: u32) -> Result<(), AskError> {
        match self.statements.put(text, id) {
            Some(closed) => self.close_statement(closed).await,
            None => Ok(()),
        }
    }

    /// Has the schema entered again if schemas have been changed since: the node's session would go on with the character
    /// set that it had, which `LOAD DATA` goes by. For a session that is about to use the connection, not one that keeps it.
    pub fn refresh_schema(&mut self) {
        let now = self.meter.schemas.load(Relaxed);
        if self.schemas != now {
            self.schemas = now;
            self.unsettled = self.image.schema.is_some();
        }
    }

    /// What is to be entered so that the node's session is in a schema and knows it: to enter the one that it is in does
    /// nothing (MariaDB), so it goes by way of another one that is always there.
    pub(super) fn way_into(&self, image: &Image) -> impl Iterator<Item = Box<[u8]>> + use<> {
        let detour = self.unsettled && self.image.schema == image.schema;
        let enters = detour || self.image.schema != image.schema;
        let schema = image.schema.clone().filter(|_| enters);
        let detour = schema.is_some() && detour;
        detour.then(|| b"information_schema"[..].into()).into_iter().chain(schema)
    }

    /// Brings the node's session into a state.
    pub async fn enter(&mut self, image: &Rc<Image>) -> Result<(), AskError> {
        if Rc::ptr_eq(&self.image, image) && !self.unsettled {
            return Ok(());
        }
        if self.image == *image && !self.unsettled {
            self.image = image.clone();
            return Ok(());
        }
        if !self.image.has_nothing_beyond(image) {
            self.reset().await?;
        }
        for schema in self.way_into(image) {
            self.ask(Command::InitDb, &schema, Expect::Result, LIMIT).await?;
            self.image = Rc::new(Image { schema: Some(schema), ..Image::clone(&self.image) });
        }
        self.unsettled = false;
        if let Some(set) = self.image.set_to(image) {
            self.run(set.as_bytes()).await?;
        }
        if let Some(set) = self.image.set_user_to(image) {
            self.run(&set).await?;
        }
        self.image = image.clone();
        Ok(())
    }

    /// Undoes what a session has left on the node: transaction, variables, temporary tables, locks, what was prepared. The
    /// schema stays, but its character set becomes the server's (MariaDB 10.11), so that it has to be entered again.
    pub async fn reset(&mut self) -> Result<(), AskError> {
        self.meter.resets.fetch_add(1, Relaxed);
        self.ask(Command::ResetConnection, b"", Expect::Result, LIMIT).await?;
        self.statements.clear();
        self.image = Rc::new(Image { schema: self.image.schema.clone(), ..Image::default() });
        self.unsettled = self.image.schema.is_some();
        for set in self.after_reset() {
            match self.run(&set).await {
                // As when the connection was made: one that the node does not know is left at its default.
                Err(AskError::Refused(_)) if self.key.collation > u8::MAX.into() => {}
                done => done?,
            }
        }
        self.run(tracking(&self.greeting)).await?;
        self.tracked = true;
        Ok(())
    }

    /// What a reset connection must be told to be as it was after the login. MySQL brings the character set to the server's
    /// default ("mysql_reset_connection()" in its C API guide), MariaDB to that of the login.
    fn after_reset(&self) -> Vec<Vec<u8>> {
        if !self.greeting.is_mysql() {
            return Vec::new();
        }
        let collation = format!("SET collation_connection={}", self.key.collation);
        vec![collation.into_bytes(), SET_TO_CONNECTION.to_vec()]
    }

    /// How far the node's data have come: all of it, so also what the session has just written there.
    pub async fn position(&mut self, limit: Duration) -> Result<Option<GtidPosition>, AskError> {
        let text: &[u8] = if self.greeting.is_mysql() {
            b"SELECT @@GLOBAL.gtid_executed"
        } else {
            b"SELECT @@global.gtid_current_pos"
        };
        let position = self.value(text, limit).await?;
        Ok(position.and_then(|text| text.parse().ok()))
    }

    /// How far the session's own writes have come, as far as the node can tell them from others'.
    pub async fn written(&mut self, limit: Duration) -> Result<Option<GtidPosition>, AskError> {
        if self.greeting.is_mysql() {
            return self.position(limit).await;
        }
        let position = self.value(b"SELECT @@last_gtid", limit).await?;
        Ok(position.and_then(|text| text.parse().ok()))
    }

    /// Has it tell changes as a client has asked for, for one statement.
    pub async fn track_for(&mut self, trackers: &Trackers) -> Result<(), AskError> {
        self.tracked = false;
        self.run(trackers.set(self.greeting.is_mysql()).as_bytes()).await
    }

    /// What the node's session is asked to tell.
    pub async fn trackers(&mut self) -> Result<Trackers, AskError> {
        let answer = self.value(Trackers::question(self.greeting.is_mysql()), LIMIT).await?;
        Ok(answer.as_deref().map_or(Trackers::Default, Trackers::read))
    }

    /// Has it tell every change again. Returns the values of these variables, which may have changed without being told:
    /// each is set to what it is, and what is set is told.
    pub async fn track(&mut self, names: &[String]) -> Result<Vec<(String, String)>, AskError> {
        let mut text = tracking(&self.greeting).to_vec();
        for name in names {
            text.extend_from_slice(format!(", SESSION {name}=@@SESSION.{name}").as_bytes());
        }
        let answer = self.ask(Command::Query, &text, Expect::Result, LIMIT).await?;
        self.tracked = true;
        let ok = OkPacket::read(packets(&answer).next().unwrap_or_default())?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let told = changes(ok.changes).filter_map(|change| match change {
            Change::Variable(name, value) => Some((text(name), text(value))),
            Change::Schema(_) | Change::Gtids(_) => None,
        });
        Ok(told.collect())
    }
}

/// Code, state and message of a refusal, for the log.
pub fn refusal(payload: &[u8]) -> String {
    match ErrPacket::read(payload) {
        Ok(error) => format!("{} ({})", String::from_utf8_lossy(error.message), error.code),
        Err(error) => error.to_string(),
    }
}

/// The value in a result of one column; `None` for NULL or no row.
pub(super) fn only_value(answer: &[u8], deprecates_eof: bool) -> Option<String> {
    // Count, one definition, perhaps EOF; then the row.
    let row = packets(answer).nth(if deprecates_eof { 2 } else { 3 })?;
    if matches!(row.first(), None | Some(0xFB | 0xFE)) {
        return None;
    }
    let text = Reader::new(row).text().ok()?;
    Some(String::from_utf8_lossy(text).into_owned())
}

pub(super) fn packets(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, _) = header(bytes)?;
        let payload = bytes.get(HEADER..HEADER + length)?;
        bytes = &bytes[HEADER + length..];
        Some(payload)
    })
}
