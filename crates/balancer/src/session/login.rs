//! Greeting, authentication, agreement.
//!
//! A client begins with a proof by the plugin that it likes best. If that is one by which its account's password can be
//! checked here and proved to the nodes, it is taken; otherwise the client is asked for another one (auth switch). A name
//! that is not known goes through the dialogue of one that is.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::accounts::known::Known;
use crate::wire::auth::Plugin;
use crate::wire::auth::sha2;
use crate::wire::capabilities::Capabilities;
use crate::wire::handshake::{Attributes, Greeting, Response, auth_switch};

use super::agree;
use super::client::{Client, Gone};
use super::worker::Worker;

/// A login packet is no longer than this.
const LIMIT: usize = 64 << 10;

/// Who has logged in, and what for.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    /// The account.
    pub account: Arc<Known>,
    /// The schema to begin in.
    pub schema: Option<Vec<u8>>,
    /// The client's collation.
    pub collation: u16,
    /// What the client says of itself.
    pub attributes: Attributes,
    /// The greeting's scramble, if the client has no plugins: it proves anew under it when it becomes somebody else.
    pub scramble: Option<Vec<u8>>,
}

/// What a client begins with.
struct Claim {
    name: Vec<u8>,
    plugin: Option<Vec<u8>>,
    /// A proof, and the scramble that it was made under.
    proof: Option<(Vec<u8>, Vec<u8>)>,
}

/// Greets a client and lets it prove who it is. The final OK is the caller's to send.
pub async fn log_in(client: &mut Client, worker: &Worker) -> Result<LoggedIn, Gone> {
    let plugin = worker.shared.accounts.settings.default_plugin;
    let scramble = worker.scramble();
    let face = worker.shared.face.load_full();
    let offered = agree::offered(worker, face.capabilities);
    let greeting = Greeting {
        version: face.version.clone(),
        id: client.id,
        scramble: scramble.clone(),
        capabilities: offered,
        collation: face.collation,
        plugin: plugin.name().into(),
    };
    client.send(&greeting.write()).await?;
    agree::receive_first(client, worker, LIMIT).await?;
    let response = match Response::read(client.payload()) {
        Ok(response) => response,
        Err(error) => {
            client.error(1043, "08S01", "Bad handshake").await?;
            return Err(error.into());
        }
    };
    client.capabilities = response.capabilities.and(offered);
    client.packing = agree::packing(client.capabilities, client.payload());
    let Response { collation, name, proof, schema, attributes, .. } = response;
    let named = client.capabilities.has(Capabilities::PLUGIN_AUTH);
    let claimed = response.plugin.filter(|_| named).unwrap_or_else(|| Plugin::Native.name().into());
    let claim = Claim { name, plugin: Some(claimed), proof: Some((proof, scramble.clone())) };
    let account = authenticate(client, worker, claim).await?;
    let scramble = (!named).then_some(scramble);
    Ok(LoggedIn { account, schema, collation: collation.into(), attributes, scramble })
}

/// Lets a client prove that it is somebody else from now on. Its proof is asked for anew, since the scramble of the greeting
/// has been used; only a client without plugins gives `proof`, under that scramble, as servers let it.
pub async fn log_in_again(
    client: &mut Client,
    worker: &Worker,
    name: Vec<u8>,
    plugin: Option<Vec<u8>>,
    proof: Option<(Vec<u8>, Vec<u8>)>,
) -> Result<Arc<Known>, Gone> {
    let plugin = if proof.is_some() { Some(Plugin::Native.name().into()) } else { plugin };
    authenticate(client, worker, Claim { name, plugin, proof }).await
}

/// The account that a client proves to be; without one the client is told 1045 and sent away.
async fn authenticate(client: &mut Client, worker: &Worker, claim: Claim) -> Result<Arc<Known>, Gone> {
    let accounts = &worker.shared.accounts;
    let peer = client.stream.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    // Made for everybody: an unknown name takes as long as a wrong password.
    let decoy = accounts.decoy(&claim.name);
    let account = accounts.find(&claim.name, peer).unwrap_or(decoy);
    if let Some(foreign) = &account.foreign {
        client.error(1524, "HY000", &format!("Plugin '{foreign}' is not loaded")).await?;
        return Err(Gone::Over);
    }
    let mut dialogue = Dialogue { client, worker, account, plugin: Plugin::Native, empty: true };
    let proof = dialogue.agree(claim.plugin.as_deref(), claim.proof).await?;
    if dialogue.proves(&proof.0, &proof.1).await? {
        return Ok(dialogue.account);
    }
    // The account may be new, or its password may have changed on the nodes.
    accounts.refreshed().await;
    let before = dialogue.account.id;
    if let Some(account) = accounts.find(&claim.name, peer).filter(|account| account.id != before) {
        dialogue.account = account;
        if dialogue.proven_at_once(&proof.0, &proof.1) {
            return Ok(dialogue.account);
        }
    }
    let using = if dialogue.empty { "NO" } else { "YES" };
    let name = String::from_utf8_lossy(&claim.name).into_owned();
    let message = format!("Access denied for user '{name}'@'{peer}' (using password: {using})");
    dialogue.client.error(1045, "28000", &message).await?;
    Err(Gone::Over)
}

/// The packets of one authentication.
struct Dialogue<'a> {
    client: &'a mut Client,
    worker: &'a Worker,
    account: Arc<Known>,
    plugin: Plugin,
    /// The client has sent no password.
    empty: bool,
}

impl Dialogue<'_> {
    /// A proof by a plugin that fits the account, and the scramble that it was made under.
    async fn agree(
        &mut self,
        claimed: Option<&[u8]>,
        proof: Option<(Vec<u8>, Vec<u8>)>,
    ) -> Result<(Vec<u8>, Vec<u8>), Gone> {
        let claimed = claimed.and_then(Plugin::of);
        let default = self.worker.shared.accounts.settings.default_plugin;
        self.plugin = self.account.plugin(claimed, default, self.client.stream.is_secure());
        let switches = self.client.capabilities.has(Capabilities::PLUGIN_AUTH);
        // An ed25519 proof is made under a longer scramble than the greeting's; and the C libraries send nothing at first
        // where they are to use another plugin than the one that was greeted with (`--default-auth`).
        let begun = proof.filter(|(proof, _)| {
            let awaits = proof.is_empty() && claimed != Some(default) && switches;
            claimed == Some(self.plugin) && self.plugin != Plugin::Ed25519 && !awaits
        });
        if let Some(proof) = begun {
            return Ok(proof);
        }
        if !switches {
            let message = "Client does not support authentication protocol requested by server; \
                           consider upgrading MariaDB client";
            self.client.error(1251, "08004", message).await?;
            return Err(Gone::Over);
        }
        let scramble = self.worker.scramble_of(self.plugin.scramble());
        self.client.send(&auth_switch(self.plugin, &scramble)).await?;
        Ok((self.answer().await?, scramble))
    }

    async fn answer(&mut self) -> Result<Vec<u8>, Gone> {
        self.client.receive(self.client.sequence, LIMIT).await?;
        Ok(self.client.payload().to_vec())
    }

    /// Whether the client proves its password, asking further where the plugin wants it.
    async fn proves(&mut self, proof: &[u8], scramble: &[u8]) -> Result<bool, Gone> {
        // MySQL's own clients send a zero for no password.
        self.empty = proof.is_empty() || proof == [0];
        if self.empty {
            return Ok(self.account.takes_no_password());
        }
        match self.plugin {
            Plugin::Native | Plugin::Ed25519 => Ok(self.proven_at_once(proof, scramble)),
            Plugin::Clear => self.is_password(proof).await,
            Plugin::Sha2 => match self.account.proven_by_sha2(proof, scramble) {
                Some(true) => {
                    self.client.send(&[sha2::MORE, sha2::FAST]).await?;
                    Ok(true)
                }
                Some(false) => Ok(false),
                None => self.full(scramble).await,
            },
        }
    }

    /// Whether a proof is right, without another word from the client.
    fn proven_at_once(&self, proof: &[u8], scramble: &[u8]) -> bool {
        match self.plugin {
            Plugin::Native => self.account.proven_by_native(proof, scramble),
            Plugin::Ed25519 => self.account.proven_by_ed25519(proof, scramble),
            Plugin::Sha2 | Plugin::Clear => false,
        }
    }

    /// The long dialogue of `caching_sha2_password`: the password itself, over TLS or under the public key.
    async fn full(&mut self, scramble: &[u8]) -> Result<bool, Gone> {
        self.client.send(&[sha2::MORE, sha2::FULL]).await?;
        let answer = Zeroizing::new(self.answer().await?);
        if self.client.stream.is_secure() {
            return self.is_password(&answer).await;
        }
        if *answer != [sha2::KEY_PLEASE] {
            return Ok(false);
        }
        let keys = &self.worker.shared.accounts.keys;
        let pair = match keys.pair().await {
            Ok(pair) => pair,
            Err(error) => {
                tracing::error!(%error, "no key for passwords on unencrypted connections");
                return Ok(false);
            }
        };
        self.client.send(&[&[sha2::MORE], pair.pem.as_bytes()].concat()).await?;
        let sealed = self.answer().await?;
        match keys.open(sealed, scramble.to_vec()).await {
            Ok(password) => Ok(keys.proven(self.account.clone(), password).await),
            Err(error) => {
                tracing::debug!(%error, "a password cannot be opened");
                Ok(false)
            }
        }
    }

    /// Whether a packet holds the password, with a zero at its end.
    async fn is_password(&mut self, packet: &[u8]) -> Result<bool, Gone> {
        let password = Zeroizing::new(packet.strip_suffix(&[0]).unwrap_or(packet).to_vec());
        let accounts = &self.worker.shared.accounts;
        Ok(accounts.keys.proven(self.account.clone(), password).await)
    }
}
