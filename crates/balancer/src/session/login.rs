//! Greeting, authentication, agreement.

use crate::wire::auth::{NATIVE, native_proves};
use crate::wire::capabilities::Capabilities;
use crate::wire::handshake::{Greeting, Response, auth_switch};

use super::agree;
use super::client::{Client, Gone};
use super::worker::Worker;

/// A login packet is no longer than this.
const LIMIT: usize = 64 << 10;

/// Who has logged in, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedIn {
    /// The account's place in the configuration.
    pub account: usize,
    /// The schema to begin in.
    pub schema: Option<Vec<u8>>,
    /// The client's collation.
    pub collation: u8,
}

/// Greets a client and lets it prove who it is. The final OK is the caller's to send.
pub async fn log_in(client: &mut Client, worker: &Worker) -> Result<LoggedIn, Gone> {
    let scramble = worker.scramble();
    let face = worker.shared.face.load_full();
    let offered = agree::offered(worker, Capabilities::OFFERED);
    let greeting = Greeting {
        version: face.version.clone(),
        id: client.id,
        scramble: scramble.clone(),
        capabilities: offered,
        collation: face.collation,
        plugin: NATIVE.to_vec(),
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
    let native = response.plugin.as_deref().is_none_or(|plugin| plugin == NATIVE);
    let (proof, scramble) =
        if native { (response.proof, scramble) } else { ask_again(client, worker).await? };
    let account = prove(client, worker, &response.name, &proof, &scramble).await?;
    Ok(LoggedIn { account, schema: response.schema, collation: response.collation })
}

/// Asks for a proof by the plugin that is spoken here, under a fresh scramble.
pub async fn ask_again(client: &mut Client, worker: &Worker) -> Result<(Vec<u8>, Vec<u8>), Gone> {
    let scramble = worker.scramble();
    client.send(&auth_switch(NATIVE, &scramble)).await?;
    client.receive(client.sequence, LIMIT).await?;
    Ok((client.payload().to_vec(), scramble))
}

/// The account that a proof is good for; without one the client is told 1045 and sent away.
pub async fn prove(
    client: &mut Client,
    worker: &Worker,
    name: &[u8],
    proof: &[u8],
    scramble: &[u8],
) -> Result<usize, Gone> {
    let accounts = &worker.shared.config.accounts;
    let found = accounts.iter().position(|account| account.name.as_bytes() == name);
    // An unknown name takes as long as a wrong password.
    let password = found.map_or("no account has this", |at| &accounts[at].password);
    let proven = native_proves(proof, password.as_bytes(), scramble);
    if let (Some(account), true) = (found, proven) {
        return Ok(account);
    }
    let peer = client.stream.peer_addr().map_or_else(|_| "unknown".to_owned(), |peer| peer.ip().to_string());
    let using = if proof.is_empty() { "NO" } else { "YES" };
    let name = String::from_utf8_lossy(name).into_owned();
    let message = format!("Access denied for user '{name}'@'{peer}' (using password: {using})");
    client.error(1045, "28000", &message).await?;
    Err(Gone::Over)
}
