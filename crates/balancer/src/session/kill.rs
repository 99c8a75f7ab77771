//! KILL, by the ids that clients were greeted with; and its second half, at the node.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::Session;
use super::alarm::{Call, NotReached};
use super::client::Gone;
use super::watch::Interruption;
use super::worker::Worker;
use crate::accounts::known::Known;
use crate::pool::Place;
use crate::pool::ask::AskError;
use crate::pool::connect::{Connection, Key, connect};
use crate::sql::lexer::{Lexer, Token};
use crate::wire::capabilities::Capabilities;

/// Making a connection to kill by, and killing, take no longer each.
const LIMIT: Duration = Duration::from_secs(2);
/// So many of a thread are under way at the same time; the others wait.
pub const ABREAST: usize = 4;

/// What a KILL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// The session with this id.
    Id(u64),
    /// The session itself.
    Own,
}

/// Reads `KILL [HARD | SOFT] [CONNECTION | QUERY] id`; `None`: another form of it.
fn parse(text: &[u8]) -> Option<(Target, Call)> {
    let mut lexer = Lexer::new(text);
    let mut call = Call::EndSession;
    let mut next = || {
        loop {
            let token = match lexer.next()? {
                Token::Hint(_) | Token::VersionComment => continue,
                Token::Word(word) => (Token::Word(word), word.to_ascii_uppercase()),
                Token::Number => (Token::Number, number_before(&text[..lexer.at()]).to_vec()),
                Token::Mark(mark) => (Token::Mark(mark), vec![mark]),
                token => (token, Vec::new()),
            };
            return Some(token);
        }
    };
    let mut token = next()?;
    if token.1 != b"KILL" {
        return None;
    }
    token = next()?;
    if matches!(&*token.1, b"HARD" | b"SOFT") {
        token = next()?;
    }
    match &*token.1 {
        b"QUERY" => {
            call = Call::EndStatement;
            token = next()?;
        }
        b"CONNECTION" => token = next()?,
        _ => {}
    }
    let target = match (token.0, &*token.1) {
        (Token::Number, digits) => Target::Id(std::str::from_utf8(digits).ok()?.parse().ok()?),
        (Token::Word(_), b"CONNECTION_ID") => {
            (next()?.1 == b"(" && next()?.1 == b")").then_some(Target::Own)?
        }
        _ => return None,
    };
    match next() {
        None => {}
        Some((Token::Mark(b';'), _)) if next().is_none() => {}
        Some(_) => return None,
    }
    Some((target, call))
}

/// The number that a text ends with, as it is written.
fn number_before(text: &[u8]) -> &[u8] {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b".+-".contains(byte);
    let start = text.iter().rposition(|byte| !part(byte)).map_or(0, |at| at + 1);
    &text[start..]
}

impl Session {
    /// KILL as a text.
    pub(super) async fn kill_text(&mut self) -> Result<(), Gone> {
        let own = self.client.id;
        match parse(&self.client.payload()[1..]) {
            Some((Target::Id(id), call)) => self.kill(id, call).await,
            Some((Target::Own, call)) => self.kill(u64::from(own), call).await,
            None => {
                let message = "KILL takes one thread id of the balancer's: other forms of it would concern threads of nodes, which are not the client's";
                self.client.error(1235, "42000", message).await
            }
        }
    }

    /// COM_PROCESS_KILL.
    pub(super) async fn kill_command(&mut self) -> Result<(), Gone> {
        match self.client.payload().get(1..5).and_then(|id| id.try_into().ok()) {
            Some(id) => self.kill(u64::from(u32::from_le_bytes(id)), Call::EndSession).await,
            None => self.client.error(1835, "HY000", "Malformed communication packet").await,
        }
    }

    async fn kill(&mut self, id: u64, call: Call) -> Result<(), Gone> {
        if id == u64::from(self.client.id) {
            return self.kill_own(call).await;
        }
        let account = &self.account.name;
        let all = **account == *self.worker.shared.config.operator.name;
        let reached = match u32::try_from(id) {
            Ok(id) => self.worker.shared.registry.ring(id, account, all, call),
            Err(_) => Err(NotReached::Unknown),
        };
        match reached {
            Ok(()) => self.client.ok(self.state.status).await,
            Err(NotReached::Unknown) => {
                self.client.error(1094, "HY000", &format!("Unknown thread id: {id}")).await
            }
            Err(NotReached::NotOwner) => {
                self.client.error(1095, "HY000", &format!("You are not owner of thread {id}")).await
            }
        }
    }

    /// A session that kills itself ends the statement that says so, and perhaps all.
    async fn kill_own(&mut self, call: Call) -> Result<(), Gone> {
        if call == Call::EndStatement {
            return self.client.error(1317, "70100", INTERRUPTED).await;
        }
        self.client.error(1927, "70100", "Connection was killed").await?;
        Err(Gone::Over)
    }

    /// What a client is told whose statement was ended early and whose node did not answer any more.
    pub(super) async fn interrupted(&mut self, why: Interruption) -> Result<(), Gone> {
        match why {
            Interruption::Killed => self.client.error(1317, "70100", INTERRUPTED).await,
            Interruption::TimeUp => self.client.error(1969, "70100", TIME_UP).await,
            // Servers close without a word.
            Interruption::SessionKilled => Err(Gone::Over),
        }
    }
}

/// The server's words for 1317.
const INTERRUPTED: &str = "Query execution was interrupted";
/// The server's words for 1969.
pub const TIME_UP: &str = "Query execution was interrupted (max_statement_time exceeded)";

/// A thread of a node.
#[derive(Clone, Debug)]
pub struct Thread {
    node: usize,
    epoch: u64,
    id: u32,
    account: Arc<Known>,
}

impl Thread {
    /// The thread that serves an account's connection.
    pub fn of(connection: &Connection, account: &Arc<Known>) -> Self {
        Self {
            node: connection.node,
            epoch: connection.epoch,
            id: connection.greeting.id,
            account: account.clone(),
        }
    }
}

/// Ends what a node's thread is doing, or the thread, by a connection of its own: accounts may kill what is theirs.
pub async fn at_node(worker: &Worker, thread: &Thread, call: Call) -> Result<(), AskError> {
    let place = worker.shared.view.load().node(thread.node).map(Place::of);
    let Some(place) = place.filter(|place| place.epoch == thread.epoch) else { return Ok(()) };
    let _turn = worker.killers.acquire().await;
    let account = &thread.account;
    let key = Key { account: account.id, capabilities: Capabilities::default(), collation: 45 };
    let tls = worker.pools.to_node(&place);
    let made = connect(&place, account, key, 0, tls, LIMIT).await;
    let mut connection = made.map_err(|error| AskError::Broken(std::io::Error::other(error)))?;
    let what = if call == Call::EndStatement { "QUERY" } else { "CONNECTION" };
    let text = format!("KILL {what} {}", thread.id);
    let killed = tokio::time::timeout(LIMIT, connection.run(text.as_bytes())).await;
    match killed.unwrap_or_else(|_| Err(AskError::Broken(std::io::ErrorKind::TimedOut.into()))) {
        // It has ended by itself.
        Err(AskError::Refused(_)) | Ok(()) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The same beside whatever comes next: nobody waits for it.
pub fn at_node_later(worker: &Rc<Worker>, thread: Thread) {
    let worker = worker.clone();
    tokio::task::spawn_local(async move {
        if let Err(error) = at_node(&worker, &thread, Call::EndSession).await {
            tracing::debug!(thread = thread.id, %error, "a statement that nobody waits for goes on at its node");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_kill_is_read_or_refused() {
        use Call::{EndSession, EndStatement};
        for (text, expected) in [
            ("KILL 5", Some((Target::Id(5), EndSession))),
            ("kill query 5;", Some((Target::Id(5), EndStatement))),
            ("KILL HARD QUERY 1073741824", Some((Target::Id(1 << 30), EndStatement))),
            ("KILL SOFT CONNECTION 7", Some((Target::Id(7), EndSession))),
            ("/* a driver */ KILL /* x */ CONNECTION 7 -- end", Some((Target::Id(7), EndSession))),
            ("KILL CONNECTION_ID()", Some((Target::Own, EndSession))),
            ("KILL QUERY connection_id ( )", Some((Target::Own, EndStatement))),
            ("KILL QUERY ID 5", None),
            ("KILL USER shop", None),
            ("KILL", None),
            ("KILL QUERY", None),
            ("KILL -5", None),
            ("KILL 5e-1", None),
            ("KILL 0x5", None),
            ("KILL @a", None),
            ("KILL 5 + 1", None),
            ("KILL 5; SELECT 1", None),
            ("KILL 99999999999999999999999", None),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
    }
}
