//! Settings of encryption and compression.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ConfigError, Node};

/// Encryption with clients. Without a certificate there is none, and clients are not offered any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// The certificate and what signed it, up to but without the root: PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key: PEM (PKCS #8, PKCS #1 or SEC1).
    pub key: Option<PathBuf>,
    /// Clients have to show a certificate that these have signed: PEM. Needs `required`.
    pub client_ca: Option<PathBuf>,
    /// Whether clients that do not encrypt are refused, with error 3159.
    pub required: bool,
}

/// Encryption with nodes: of sessions' connections, probes and admin statements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodesTls {
    /// Whether to encrypt.
    pub mode: TlsMode,
    /// Who may have signed the nodes' certificates: PEM.
    pub ca: Option<PathBuf>,
    /// What of a node's certificate is looked at.
    pub verify: Verify,
    /// The balancer's certificate for nodes that ask for one: PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key: PEM.
    pub key: Option<PathBuf>,
    /// The name in a node's certificate, by the node's name; without an entry its IP address has to stand there.
    pub names: BTreeMap<String, String>,
}

/// When to encrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    /// Never.
    #[default]
    Off,
    /// Where the node can.
    Preferred,
    /// Always; a node that cannot is not used.
    Required,
}

/// What of a node's certificate is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    /// Nothing: helps against listeners only.
    #[default]
    None,
    /// Who signed it, and when it is valid.
    Ca,
    /// That too, and whose it is.
    Identity,
}

/// How a client's bytes may be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// RFC 1950.
    Zlib,
    /// RFC 8878.
    Zstd,
}

impl Compression {
    /// All there are.
    pub fn all() -> Vec<Self> {
        vec![Self::Zlib, Self::Zstd]
    }
}

fn fail(key: &str, problem: &str) -> Result<(), ConfigError> {
    Err(ConfigError { key: key.to_owned(), problem: problem.to_owned() })
}

impl Tls {
    /// Refuses what makes no sense, naming the key and what is allowed.
    pub fn check(&self) -> Result<(), ConfigError> {
        match (&self.certificate, &self.key) {
            (Some(_), None) => return fail("tls.key", "missing: the certificate needs its private key"),
            (None, Some(_)) => return fail("tls.certificate", "missing: the key needs its certificate"),
            (None, None) if self.required || self.client_ca.is_some() => {
                return fail("tls.certificate", "missing: encryption needs a certificate and its key");
            }
            _ => {}
        }
        if self.client_ca.is_some() && !self.required {
            let problem = "clients that do not encrypt would need no certificate: set `required = true`";
            return fail("tls.client_ca", problem);
        }
        Ok(())
    }
}

impl NodesTls {
    /// Refuses what makes no sense, naming the key and what is allowed.
    pub fn check(&self, nodes: &[Node]) -> Result<(), ConfigError> {
        if self.certificate.is_some() != self.key.is_some() {
            return fail("nodes_tls.certificate", "certificate and key are needed together");
        }
        if self.verify != Verify::None && self.ca.is_none() {
            return fail("nodes_tls.ca", "missing: `verify` needs to know whose signature counts");
        }
        if self.verify != Verify::None && self.mode == TlsMode::Preferred {
            let problem =
                "`preferred` can be talked out of encryption, so nothing is verified: use `required`";
            return fail("nodes_tls.mode", problem);
        }
        match self.names.keys().find(|name| nodes.iter().all(|node| node.name != **name)) {
            Some(name) => fail("nodes_tls.names", &format!("there is no node `{name}`")),
            None => Ok(()),
        }
    }
}
