//! What lies between a client's bytes and the wire: what it is offered, TLS within the login, compression after it.

use bytes::BytesMut;

use super::client::{Client, Gone};
use super::worker::Worker;
use crate::config;
use crate::wire::capabilities::Capabilities;
use crate::wire::compression::{Algorithm, Compression};
use crate::wire::handshake::asks_for_tls;

/// What a client is offered: besides `offered`, encryption and compression by the settings.
pub fn offered(worker: &Worker, mut offered: Capabilities) -> Capabilities {
    let shared = &worker.shared;
    if shared.certificates.meets_clients() {
        offered = offered.or(Capabilities::SSL);
    }
    for packing in &shared.config.compression {
        offered = offered.or(match packing {
            config::Compression::Zlib => Capabilities::COMPRESS,
            config::Compression::Zstd => Capabilities::ZSTD,
        });
    }
    offered
}

/// Takes the client's first packet; if it asks for TLS, does what it asks for and takes the packet that follows.
pub async fn receive_first(client: &mut Client, worker: &Worker, limit: usize) -> Result<(), Gone> {
    client.receive(1, limit).await?;
    if !asks_for_tls(client.payload()) {
        return insist(client, worker).await;
    }
    let Some(acceptor) = worker.shared.certificates.acceptor() else {
        client.error(1043, "08S01", "Bad handshake").await?;
        return Err(Gone::Over);
    };
    client.finish_command();
    // What has come with the request is the beginning of TLS, and is never taken for anything said within it.
    let ahead = std::mem::replace(&mut client.buffer, BytesMut::new());
    client.stream.accept_tls(&acceptor, ahead).await?;
    client.receive(2, limit).await
}

/// Refuses a client that does not encrypt where that is asked for.
async fn insist(client: &mut Client, worker: &Worker) -> Result<(), Gone> {
    if !worker.shared.certificates.required() {
        return Ok(());
    }
    let message = "Connections using insecure transport are prohibited while --require_secure_transport=ON.";
    client.error(3159, "08004", message).await?;
    Err(Gone::Over)
}

/// How bytes will be packed, as agreed on; `payload` is the client's response to the greeting.
pub fn packing(agreed: Capabilities, payload: &[u8]) -> Option<Algorithm> {
    if agreed.has(Capabilities::COMPRESS) {
        Some(Algorithm::Zlib)
    } else if agreed.has(Capabilities::ZSTD) {
        // The level is the last byte, whatever stands before it.
        payload.last().map(|level| Algorithm::Zstd(*level))
    } else {
        None
    }
}

/// The client has logged in: from here on bytes are packed, if that was agreed on.
pub fn begin_packing(client: &mut Client, worker: &Worker) {
    if let Some(algorithm) = client.packing {
        let limit = worker.shared.config.limits.packet_bytes;
        client.stream.compress(Compression::new(algorithm, limit, worker.packers.clone()));
    }
}
