//! Making a connection to a node: greeting, login, session tracking.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use cluster::NodeId;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::image::Image;
use super::prove::Prover;
use super::statements::Statements;
use super::{Counted, Place};
use crate::accounts::known::{AccountId, Known};
use crate::telemetry::Meter;
use crate::tls::ToNode;
use crate::wire::auth::Plugin;
use crate::wire::capabilities::Capabilities;
use crate::wire::codec::{Front, front};
use crate::wire::handshake::{Attributes, Greeting, Response, tls_request};
use crate::wire::packet::{HEADER, Malformed, put_packet};
use crate::wire::reply::ErrPacket;
use crate::wire::transport::Transport;

/// Every change of the session is told, among it `last_gtid`. Transaction info is not asked for: the status flags say
/// whether a transaction is open, and the info would come with every statement.
pub const TRACK: &[u8] = b"SET session_track_system_variables='*', session_track_schema=ON";
/// As [`TRACK`], for MySQL, which tells of transactions by their GTIDs and not by a variable.
pub const TRACK_MYSQL: &[u8] =
    b"SET session_track_system_variables='*', session_track_schema=ON, session_track_gtids=OWN_GTID";

/// What SET NAMES does, after the collation has been set by its number.
pub(super) const SET_TO_CONNECTION: &[u8] =
    b"SET character_set_client=@@character_set_connection, character_set_results=@@character_set_connection";

/// The statement that switches tracking on at the server that greeted like this.
pub fn tracking(greeting: &Greeting) -> &'static [u8] {
    if greeting.is_mysql() { TRACK_MYSQL } else { TRACK }
}

/// What connections of one kind have in common: they can stand for one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The account.
    pub account: AccountId,
    /// What the client asked for, as far as it matters on the node's side.
    pub capabilities: Capabilities,
    /// The client's character set and collation at login.
    pub collation: u16,
}

/// Why a connection could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Refused, reset, closed, or too slow.
    #[error("{node} cannot be reached: {error}")]
    Unreachable {
        /// The node.
        node: NodeId,
        /// What happened.
        error: io::Error,
    },
    /// It answered, with an error of its own.
    #[error("{node} refused the login: {message} ({code})")]
    Refused {
        /// The node.
        node: NodeId,
        /// The server's code.
        code: u16,
        /// Five characters.
        state: String,
        /// For people.
        message: String,
    },
    /// It speaks in a way that is not understood.
    #[error("{node} cannot be understood: {why}")]
    Foreign {
        /// The node.
        node: NodeId,
        /// What is not.
        why: String,
    },
}

impl ConnectError {
    /// Whether the node may be dead.
    pub fn is_sign_of_death(&self) -> bool {
        matches!(self, Self::Unreachable { error, .. } if error.kind() != io::ErrorKind::TimedOut)
    }
}

/// An open, logged-in connection to a node.
#[derive(Debug)]
pub struct Connection {
    /// The node's number.
    pub node: usize,
    /// The node's name.
    pub id: NodeId,
    /// The node's epoch when it was made.
    pub epoch: u64,
    /// A number of its own within this thread.
    pub serial: u64,
    /// [`Meter::schemas`] when it was last looked at.
    pub(super) schemas: u64,
    /// Its schema has to be entered again: what the node's session knows of it is of no use.
    pub(super) unsettled: bool,
    /// What kind of connection it is.
    pub key: Key,
    /// From and to the node; the pool may cut it.
    pub stream: Transport,
    /// What has come from the node and has not been passed on.
    pub buffer: BytesMut,
    /// The state that the session on the node is in.
    pub image: Rc<Image>,
    /// What is prepared on it.
    pub statements: Statements,
    /// The client whose statement ran on it last, by the id it was greeted with.
    pub owner: u32,
    /// Its last owner may ask about its last statement.
    pub remembers: bool,
    /// When it was last given back.
    pub used: Instant,
    /// The node's figures.
    pub meter: Arc<Meter>,
    /// It tells every change of the session, which only the statements of one that asked for something else may suspend.
    pub(super) tracked: bool,
    /// The server's version and default collation.
    pub greeting: Greeting,
    _counted: Counted,
}

impl Connection {
    /// Whether it tells every change of the session.
    pub fn is_tracked(&self) -> bool {
        self.tracked
    }

    /// Takes so many bytes off the front of what has come.
    pub fn take_off(&mut self, length: usize) {
        if length == self.buffer.len() {
            self.buffer.clear();
        } else {
            self.buffer.advance(length);
        }
    }

    /// Whether the schema that it is in need not be entered again.
    pub(super) fn knows_its_schema(&self) -> bool {
        !self.unsettled && self.schemas == self.meter.schemas.load(Relaxed)
    }

    /// Whether nothing has come from the node since the last answer; between statements, news is the end of the
    /// connection. Asks the kernel only if it has reported something.
    pub fn is_quiet(&mut self) -> bool {
        self.buffer.is_empty() && self.stream.is_quiet()
    }
}

/// Makes a connection within the limit, under TLS as `tls` says.
pub async fn connect(
    place: &Place,
    account: &Known,
    key: Key,
    serial: u64,
    tls: Option<ToNode>,
    limit: Duration,
) -> Result<Connection, ConnectError> {
    let made = tokio::time::timeout(limit, open(place, account, key, serial, tls)).await;
    made.unwrap_or_else(|_| {
        Err(ConnectError::Unreachable { node: place.id.clone(), error: io::ErrorKind::TimedOut.into() })
    })
}

async fn open(
    place: &Place,
    account: &Known,
    key: Key,
    serial: u64,
    tls: Option<ToNode>,
) -> Result<Connection, ConnectError> {
    let unreachable = |error| ConnectError::Unreachable { node: place.id.clone(), error };
    let stream = TcpStream::connect(place.address).await.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let mut login = Login { place, stream: Transport::plain(stream), buffer: BytesMut::new(), sequence: 0 };
    let greeting = login.log_in(account, key, tls).await?;
    if key.collation > u8::MAX.into() {
        let collation = format!("SET collation_connection={}", key.collation);
        // One that the node does not know is left at the default, as by servers.
        if login.run(collation.as_bytes()).await.is_ok() {
            login.run(SET_TO_CONNECTION).await?;
        }
    }
    login.run(tracking(&greeting)).await?;
    Ok(Connection {
        node: place.index,
        id: place.id.clone(),
        epoch: place.epoch,
        serial,
        schemas: place.meter.schemas.load(Relaxed),
        unsettled: false,
        key,
        stream: login.stream,
        buffer: login.buffer,
        image: Rc::default(),
        statements: Statements::default(),
        owner: 0,
        remembers: false,
        used: Instant::now(),
        meter: place.meter.clone(),
        tracked: true,
        greeting,
        _counted: Counted::new(place.meter.clone()),
    })
}

/// The first steps on a new stream.
pub(super) struct Login<'a> {
    place: &'a Place,
    pub(super) stream: Transport,
    buffer: BytesMut,
    /// The number of the next packet in either direction.
    sequence: u8,
}

impl Login<'_> {
    fn unreachable(&self, error: io::Error) -> ConnectError {
        ConnectError::Unreachable { node: self.place.id.clone(), error }
    }

    pub(super) fn foreign(&self, why: impl ToString) -> ConnectError {
        ConnectError::Foreign { node: self.place.id.clone(), why: why.to_string() }
    }

    pub(super) fn refused(&self, payload: &[u8]) -> ConnectError {
        match ErrPacket::read(payload) {
            Ok(error) => ConnectError::Refused {
                node: self.place.id.clone(),
                code: error.code,
                state: String::from_utf8_lossy(error.state).into_owned(),
                message: String::from_utf8_lossy(error.message).into_owned(),
            },
            Err(error) => self.foreign(error),
        }
    }

    pub(super) async fn send(&mut self, payload: &[u8]) -> Result<(), ConnectError> {
        let mut packet = Vec::new();
        self.sequence = put_packet(&mut packet, self.sequence, payload);
        self.stream.write_all(&packet).await.map_err(|error| self.unreachable(error))
    }

    /// The next packet's payload.
    pub(super) async fn receive(&mut self) -> Result<BytesMut, ConnectError> {
        loop {
            match front(&self.buffer, Some(self.sequence), 1 << 16) {
                Ok(Front::Whole(length, last)) => {
                    self.sequence = last.wrapping_add(1);
                    let mut packet = self.buffer.split_to(length);
                    packet.advance(HEADER);
                    return Ok(packet);
                }
                Ok(Front::Partial) => {}
                Ok(Front::TooLong) => return Err(self.foreign(Malformed::Length)),
                Err(error) if self.buffer.get(HEADER) != Some(&0xFF) => return Err(self.foreign(error)),
                // Too many connections: an error instead of a greeting may carry any number.
                Err(_) => {
                    let packet = self.buffer.split_off(HEADER);
                    return Err(self.refused(&packet));
                }
            }
            match self.stream.read_more(&mut self.buffer).await {
                Ok(true) => {}
                Ok(false) => return Err(self.unreachable(io::ErrorKind::UnexpectedEof.into())),
                Err(error) => return Err(self.unreachable(error)),
            }
        }
    }

    /// Runs a statement without a result.
    async fn run(&mut self, text: &[u8]) -> Result<(), ConnectError> {
        self.sequence = 0;
        self.send(&[&[3], text].concat()).await?;
        self.expect_ok().await
    }

    async fn expect_ok(&mut self) -> Result<(), ConnectError> {
        let payload = self.receive().await?;
        match payload.first() {
            Some(0) => Ok(()),
            Some(0xFF) => Err(self.refused(&payload)),
            _ => Err(self.foreign(Malformed::OutOfTurn)),
        }
    }

    /// Asks for TLS where the node offers it, before anything is said of the account.
    async fn encrypt(
        &mut self,
        tls: ToNode,
        greeting: &Greeting,
        response: &mut Response,
    ) -> Result<(), ConnectError> {
        if !greeting.capabilities.has(Capabilities::SSL) {
            return if tls.required {
                Err(self.foreign("it does not offer TLS, which is required"))
            } else {
                Ok(())
            };
        }
        if !self.buffer.is_empty() {
            return Err(self.foreign(Malformed::OutOfTurn));
        }
        response.capabilities = response.capabilities.or(Capabilities::SSL);
        self.send(&tls_request(response)).await?;
        self.stream.connect_tls(&tls.connector, tls.name).await.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => self.foreign(format!("TLS: {error}")),
            _ => self.unreachable(error),
        })
    }

    async fn log_in(
        &mut self,
        account: &Known,
        key: Key,
        tls: Option<ToNode>,
    ) -> Result<Greeting, ConnectError> {
        let payload = self.receive().await?;
        if payload.first() == Some(&0xFF) {
            return Err(self.refused(&payload));
        }
        let greeting = Greeting::read(&payload).map_err(|error| self.foreign(error))?;
        let wanted = key.capabilities.or(Capabilities::TO_NODES);
        if !greeting.capabilities.has(wanted) {
            let missing = wanted.0 & !greeting.capabilities.0;
            return Err(self.foreign(format!("it lacks capabilities {missing:#x} that the client uses")));
        }
        let credentials = account.credentials();
        let mysql = greeting.is_mysql();
        let mut prover = Prover {
            credentials: &credentials,
            plugin: Plugin::of(&greeting.plugin).unwrap_or_default(),
            scramble: greeting.scramble.clone(),
        };
        // A password is not sent unasked, nor signed under a scramble that is too short for it.
        if matches!(prover.plugin, Plugin::Clear | Plugin::Ed25519) || prover.proof(false).is_none() {
            prover.plugin = Plugin::Native;
        }
        let attributes = greeting.capabilities.and(Capabilities::CONNECT_ATTRS);
        let mut response = Response {
            capabilities: wanted
                .or(Capabilities::PLUGIN_AUTH_LENENC)
                .or(attributes)
                .or(greeting.capabilities.and(Capabilities::MYSQL)),
            // The field has one byte; a larger number is set afterwards.
            collation: u8::try_from(key.collation).unwrap_or(if mysql { 45 } else { greeting.collation }),
            name: account.name.as_bytes().to_vec(),
            proof: prover.proof(false).map(|proof| proof.to_vec()).unwrap_or_default(),
            schema: None,
            plugin: Some(prover.plugin.name().into()),
            attributes: own_attributes(),
        };
        if let Some(tls) = tls {
            self.encrypt(tls, &greeting, &mut response).await?;
        }
        self.send(&response.write()).await?;
        self.prove(prover).await?;
        Ok(greeting)
    }
}

/// What the balancer says of itself to nodes. Their connections are shared, so that no client's attributes would be true.
fn own_attributes() -> Attributes {
    let pid = std::process::id().to_string();
    [
        ("_client_name", "tpcw"),
        ("_client_version", env!("CARGO_PKG_VERSION")),
        ("_pid", &pid),
        ("program_name", "tpcw"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into()
}
