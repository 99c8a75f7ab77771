//! Small questions of the balancer's own on a node connection: settings, preparations, waits. One at a time, with a limit.

use std::io;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::{Buf, BytesMut};

use super::connect::{Connection, tracking};
use super::image::Image;
use super::statements::Text;
use crate::wire::capabilities::Capabilities;
use crate::wire::command::Command;
use crate::wire::packet::{HEADER, Reader, header, put_packet};
use crate::wire::reply::{ErrPacket, Expect, Prepared, Scanner, Step};

/// A question that is not answered by then has failed.
const LIMIT: Duration = Duration::from_secs(10);
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
        let answered = tokio::time::timeout(limit, self.answer(expect)).await;
        answered.unwrap_or_else(|_| Err(AskError::Broken(io::ErrorKind::TimedOut.into())))
    }

    async fn answer(&mut self, expect: Expect) -> Result<BytesMut, AskError> {
        let deprecate = self.key.capabilities.has(Capabilities::DEPRECATE_EOF);
        let mut scanner = Scanner::new(expect, deprecate);
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

    /// Runs a statement that returns one row of one column; `None` for NULL or no row.
    pub async fn value(&mut self, text: &[u8], limit: Duration) -> Result<Option<String>, AskError> {
        let answer = self.ask(Command::Query, text, Expect::Result, limit).await?;
        let deprecate = self.key.capabilities.has(Capabilities::DEPRECATE_EOF);
        // Count, one definition, perhaps EOF; then the row.
        let row = packets(&answer).nth(if deprecate { 2 } else { 3 });
        Ok(row.filter(|row| !matches!(row.first(), None | Some(0xFB | 0xFE))).and_then(|row| {
            let text = Reader::new(row).text().ok()?;
            Some(String::from_utf8_lossy(text).into_owned())
        }))
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
            Some(image) if image.variables.iter().all(|(name, _)| self.image.get(name).is_some()) => {
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

    /// Brings the node's session into a state.
    pub async fn enter(&mut self, image: &Rc<Image>) -> Result<(), AskError> {
        if Rc::ptr_eq(&self.image, image) {
            return Ok(());
        }
        if self.image == *image {
            self.image = image.clone();
            return Ok(());
        }
        if !self.image.variables.iter().all(|(name, _)| image.get(name).is_some()) {
            self.reset().await?;
        }
        if self.image.schema != image.schema
            && let Some(schema) = &image.schema
        {
            self.ask(Command::InitDb, schema, Expect::Result, LIMIT).await?;
            let mut reached = Image::clone(&self.image);
            reached.schema = Some(schema.clone());
            self.image = Rc::new(reached);
        }
        if let Some(set) = self.image.set_to(image) {
            self.run(set.as_bytes()).await?;
        }
        self.image = image.clone();
        Ok(())
    }

    /// Undoes what a session has left on the node: transaction, variables, temporary tables, locks, what was prepared. The
    /// schema stays.
    pub async fn reset(&mut self) -> Result<(), AskError> {
        self.meter.resets.fetch_add(1, Relaxed);
        self.ask(Command::ResetConnection, b"", Expect::Result, LIMIT).await?;
        self.statements.clear();
        self.image = Rc::new(Image { schema: self.image.schema.clone(), ..Image::default() });
        self.run(tracking(&self.greeting)).await
    }

    /// Asks for the change tracking again that a client has switched to something else.
    pub async fn track(&mut self) -> Result<(), AskError> {
        self.run(tracking(&self.greeting)).await
    }
}

/// Code, state and message of a refusal, for the log.
pub fn refusal(payload: &[u8]) -> String {
    match ErrPacket::read(payload) {
        Ok(error) => format!("{} ({})", String::from_utf8_lossy(error.message), error.code),
        Err(error) => error.to_string(),
    }
}

fn packets(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, _) = header(bytes)?;
        let payload = bytes.get(HEADER..HEADER + length)?;
        bytes = &bytes[HEADER + length..];
        Some(payload)
    })
}
