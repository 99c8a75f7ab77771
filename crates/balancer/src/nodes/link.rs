//! What is kept of one node: its connections, and how they are made.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use cluster::admin::log_in;
use cluster::{Account, Encryption};
use mysql_async::prelude::Queryable;
use mysql_async::{ClientIdentity, Conn, DriverError, Error, IoError, SslOpts};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Answer;
use super::dialect::Dialect;
use crate::config::tls::{TlsMode, Verify};
use crate::config::{self, Config, NodesTls};

/// The limit of a login.
pub(super) const LOGIN: Duration = Duration::from_secs(2);

/// What is kept of one node.
pub(super) struct Link {
    /// Where probes and admin statements reach it.
    pub address: SocketAddr,
    /// Who asks there.
    pub operator: Account,
    /// The probe's connection, taken out while it is used: it comes back only with an answer.
    pub probe: Mutex<Option<(Conn, Dialect)>>,
    pub sleeper: Mutex<Option<Sleeper>>,
}

impl Link {
    /// Of one node of `config`; nothing is connected yet.
    pub fn new(config: &Config, node: &config::Node) -> Self {
        Self {
            address: node.admin_address(),
            operator: operator(config, &node.name),
            probe: Mutex::new(None),
            sleeper: Mutex::new(None),
        }
    }

    /// A new connection, and what kind of server answers there.
    pub async fn connect(&self) -> Result<(Conn, Dialect), Error> {
        let mut conn = log_in(self.address, &self.operator).await?;
        let dialect = Dialect::of(&mut conn).await?;
        Ok((conn, dialect))
    }

    /// Begins to sleep there.
    pub fn sleep(&self) -> Sleeper {
        Sleeper(tokio::spawn(sleep_there(self.address, self.operator.clone())))
    }
}

/// A task whose end tells that the node's connection broke. Ends with this.
pub(super) struct Sleeper(pub JoinHandle<bool>);

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A failed probe, told apart: dead, alive but unwilling, or nothing heard.
pub(super) fn complaint(error: Error) -> Answer {
    let text = error.to_string();
    match error {
        Error::Server(error) => match error.code {
            1040 | 1203 | 1226 => Answer::Overloaded(text),
            1053 | 1927 => Answer::Broken(text),
            _ => Answer::Denied(text),
        },
        Error::Io(IoError::Io(error)) => match error.kind() {
            io::ErrorKind::ConnectionRefused => Answer::Refused(text),
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Answer::Broken(text),
            // Its certificate is not accepted, or it does not accept ours.
            io::ErrorKind::InvalidData => Answer::Denied(text),
            _ => Answer::Silent,
        },
        Error::Driver(DriverError::ConnectionClosed) => Answer::Broken(text),
        _ => Answer::Denied(text),
    }
}

/// Sleeps in the server until the connection breaks (true) or there is none (false).
async fn sleep_there(address: SocketAddr, operator: Account) -> bool {
    let Ok(Ok(mut conn)) = timeout(LOGIN, log_in(address, &operator)).await else { return false };
    loop {
        match conn.query_drop("DO SLEEP(3600)").await {
            Ok(()) | Err(Error::Server(_)) => {}
            Err(_) => return true,
        }
    }
}

/// The operator's account as it logs in to a node.
pub fn operator(config: &Config, node: &str) -> Account {
    let config::Account { name, password } = &config.operator;
    Account::new(name, password).encrypted(encryption(&config.nodes_tls, node))
}

/// How the operator's connections to a node are encrypted. The files are read for each connection anew.
fn encryption(settings: &NodesTls, node: &str) -> Option<Encryption> {
    let identity = match (&settings.certificate, &settings.key) {
        (Some(certificate), Some(key)) => {
            Some(ClientIdentity::new(certificate.clone().into(), key.clone().into()))
        }
        _ => None,
    };
    let options = SslOpts::default()
        .with_root_certs(settings.ca.iter().map(|path| path.clone().into()).collect())
        .with_disable_built_in_roots(settings.ca.is_some())
        .with_danger_accept_invalid_certs(settings.verify == Verify::None)
        .with_danger_skip_domain_validation(settings.verify == Verify::Ca)
        .with_danger_tls_hostname_override(settings.names.get(node).cloned())
        .with_client_identity(identity);
    let required = settings.mode == TlsMode::Required;
    (settings.mode != TlsMode::Off).then_some(Encryption { options, required })
}
