//! The balancer proves to a node who it is: the node chooses the plugin, and may ask further.

use zeroize::Zeroizing;

use super::connect::{ConnectError, Login};
use crate::accounts::known::Credentials;
use crate::wire::auth::{Plugin, ed25519, native, rsa, sha2};
use crate::wire::handshake::read_auth_switch;
use crate::wire::packet::Malformed;

/// A node that asks more often than this is not going to be satisfied.
const ROUNDS: usize = 8;

/// What is answered to the node's first words, and how the rest is gone through.
pub(super) struct Prover<'a> {
    pub credentials: &'a Credentials,
    pub plugin: Plugin,
    pub scramble: Vec<u8>,
}

impl Prover<'_> {
    /// The proof by the plugin of the moment; `None` where the password is not known in the form that it needs.
    pub fn proof(&self, secure: bool) -> Option<Zeroizing<Vec<u8>>> {
        let Credentials { password, once, .. } = self.credentials;
        if password.as_ref().is_some_and(|password| password.is_empty()) {
            return Some(Zeroizing::default());
        }
        let proof = match self.plugin {
            Plugin::Native => native::proof(once.as_deref()?, &self.scramble).to_vec(),
            Plugin::Sha2 => sha2::proof(password.as_deref()?, &self.scramble).to_vec(),
            Plugin::Ed25519 => ed25519::proof(password.as_deref()?, &self.scramble).to_vec(),
            Plugin::Clear if secure => [password.as_deref()?, &[0][..]].concat(),
            Plugin::Clear => return None,
        };
        Some(Zeroizing::new(proof))
    }
}

impl Login<'_> {
    /// Goes through the dialogue until the node says OK.
    pub(super) async fn prove(&mut self, mut prover: Prover<'_>) -> Result<(), ConnectError> {
        for _ in 0..ROUNDS {
            let payload = self.receive().await?;
            let answer = match (payload.first(), payload.get(1)) {
                (Some(0), _) => return Ok(()),
                (Some(0xFF), _) => return Err(self.refused(&payload)),
                (Some(0xFE), Some(_)) => {
                    let (plugin, scramble) =
                        read_auth_switch(&payload[1..]).map_err(|error| self.foreign(error))?;
                    let named = String::from_utf8_lossy(plugin).into_owned();
                    prover.plugin = Plugin::of(plugin)
                        .ok_or_else(|| self.foreign(format!("it wants the login plugin {named}")))?;
                    prover.scramble = scramble.to_vec();
                    self.proof(&prover)?
                }
                (Some(&sha2::MORE), Some(&sha2::FAST)) if prover.plugin == Plugin::Sha2 => continue,
                (Some(&sha2::MORE), Some(&sha2::FULL)) if prover.plugin == Plugin::Sha2 => {
                    let password = self.password(&prover)?;
                    if self.stream.is_secure() {
                        Zeroizing::new([&password[..], &[0]].concat())
                    } else {
                        self.send(&[sha2::KEY_PLEASE]).await?;
                        let key = self.receive().await?;
                        let pem = key.strip_prefix(&[sha2::MORE]).unwrap_or_default();
                        let sealed = rsa::seal(pem, &password, &prover.scramble);
                        Zeroizing::new(sealed.map_err(|error| self.foreign(error))?)
                    }
                }
                _ => return Err(self.foreign(Malformed::OutOfTurn)),
            };
            self.send(&answer).await?;
        }
        Err(self.foreign("its login does not end"))
    }

    fn proof(&self, prover: &Prover<'_>) -> Result<Zeroizing<Vec<u8>>, ConnectError> {
        let secure = self.stream.is_secure();
        prover.proof(secure).ok_or_else(|| match prover.plugin {
            Plugin::Clear if !secure => {
                self.foreign("it wants the password in clear text over a connection without TLS")
            }
            plugin => self.unknown_password(plugin),
        })
    }

    fn password(&self, prover: &Prover<'_>) -> Result<Zeroizing<Vec<u8>>, ConnectError> {
        prover.credentials.password.clone().ok_or_else(|| self.unknown_password(prover.plugin))
    }

    fn unknown_password(&self, plugin: Plugin) -> ConnectError {
        let plugin = plugin.name();
        self.foreign(format!(
            "it wants the login plugin {plugin}, for which the account's password has to be known, and only a hash of it is"
        ))
    }
}
