//! Certificates and what is made of them: how clients are met and how nodes are reached under TLS.
//!
//! The files are read at the start and again on SIGHUP, on `POST /tls/reload`, and within a second or two after they have
//! changed ([`watch`]). New connections use what was read last; those that are open stay as they are. Files that cannot be
//! used change nothing.

mod clients;
mod files;
mod nodes;
pub mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use self::files::Stamp;
use crate::config::tls::TlsMode;
use crate::config::{Config, NodesTls, Tls};

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or there is nothing of use in it.
    #[error("{path}: {problem}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Certificate and key are no pair, or are of a kind that is not known.
    #[error("{key}: {source}")]
    Unfit {
        /// Which setting, as in the file.
        key: &'static str,
        /// What is wrong.
        source: rustls::Error,
    },
    /// A name that cannot stand in a certificate.
    #[error("nodes_tls.names: `{0}` is neither a host name nor an IP address")]
    Name(String),
}

/// All that was read from the files of the settings.
#[derive(Debug)]
pub struct Certificates {
    tls: Tls,
    nodes_tls: NodesTls,
    clients: ArcSwapOption<ServerConfig>,
    nodes: ArcSwapOption<ClientConfig>,
}

/// How a node is reached under TLS.
#[derive(Clone)]
pub struct ToNode {
    /// Does it.
    pub connector: TlsConnector,
    /// Whose certificate is expected.
    pub name: ServerName<'static>,
    /// Whether a node that cannot is refused.
    pub required: bool,
}

impl Certificates {
    /// Reads what the settings name.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn load(config: &Config) -> Result<Self, TlsError> {
        let (tls, nodes_tls) = (config.tls.clone(), config.nodes_tls.clone());
        if let Some(name) = nodes_tls.names.values().find(|name| ServerName::try_from(name.as_str()).is_err())
        {
            return Err(TlsError::Name(name.clone()));
        }
        let read = Self { tls, nodes_tls, clients: ArcSwapOption::empty(), nodes: ArcSwapOption::empty() };
        read.reload()?;
        Ok(read)
    }

    /// Reads all files again. New connections use them; if one of them cannot be used, nothing changes.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn reload(&self) -> Result<(), TlsError> {
        let clients = clients::config(&self.tls)?;
        let nodes = nodes::config(&self.nodes_tls)?;
        self.clients.store(clients.map(Arc::new));
        self.nodes.store(nodes.map(Arc::new));
        Ok(())
    }

    /// Whether any file is used at all.
    pub fn any(&self) -> bool {
        self.files().next().is_some()
    }

    /// Whether clients are offered TLS.
    pub fn meets_clients(&self) -> bool {
        self.tls.certificate.is_some()
    }

    /// Meets clients under TLS; `None`: they are not offered it.
    pub fn acceptor(&self) -> Option<TlsAcceptor> {
        self.clients.load_full().map(TlsAcceptor::from)
    }

    /// Whether clients without TLS are refused.
    pub fn required(&self) -> bool {
        self.tls.required
    }

    /// How the node of this name and address is reached; `None`: without TLS.
    pub fn to_node(&self, name: &str, address: std::net::IpAddr) -> Option<ToNode> {
        let connector = self.nodes.load_full().map(TlsConnector::from)?;
        let given = self.nodes_tls.names.get(name).and_then(|name| ServerName::try_from(name.clone()).ok());
        let name = given.unwrap_or_else(|| ServerName::from(address));
        Some(ToNode { connector, name, required: self.nodes_tls.mode == TlsMode::Required })
    }

    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let (tls, nodes) = (&self.tls, &self.nodes_tls);
        let nodes = [&nodes.ca, &nodes.certificate, &nodes.key]
            .into_iter()
            .filter(move |_| nodes.mode != TlsMode::Off);
        [&tls.certificate, &tls.key, &tls.client_ca].into_iter().chain(nodes).flatten()
    }

    fn stamp(&self) -> Stamp {
        Stamp::of(self.files())
    }
}

impl std::fmt::Debug for ToNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToNode").field("name", &self.name).field("required", &self.required).finish()
    }
}
