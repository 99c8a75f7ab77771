//! A client that is only bytes: for what no driver would do.
#![allow(dead_code, reason = "each test file uses a part")]

use std::net::SocketAddr;

use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// PROTOCOL_41, CONNECT_WITH_DB, SECURE_CONNECTION, PLUGIN_AUTH, MULTI_STATEMENTS.
const CAPABILITIES: u32 = 1 << 9 | 1 << 3 | 1 << 15 | 1 << 19 | 1 << 16;

/// A logged-in stream.
pub struct Raw(pub TcpStream);

impl Raw {
    /// Logs in with `mysql_native_password`.
    pub async fn log_in(address: SocketAddr, name: &str, password: &str, schema: &str) -> Self {
        Self::log_in_with(0, address, name, password, schema).await
    }

    /// The same, with further capabilities.
    pub async fn log_in_with(
        capabilities: u32,
        address: SocketAddr,
        name: &str,
        password: &str,
        schema: &str,
    ) -> Self {
        let mut raw = Self(TcpStream::connect(address).await.unwrap());
        let (_, greeting) = raw.receive().await.expect("a greeting");
        let version_end = 1 + greeting[1..].iter().position(|byte| *byte == 0).unwrap();
        let (first, second) = (version_end + 5, version_end + 5 + 8 + 1 + 18);
        let scramble = [&greeting[first..first + 8], &greeting[second..second + 12]].concat();
        let hash = Sha1::digest(password);
        let mask = Sha1::digest([&scramble[..], &Sha1::digest(hash)[..]].concat());
        let proof: Vec<u8> = hash.iter().zip(mask).map(|(hash, mask)| hash ^ mask).collect();
        let mut response = (CAPABILITIES | capabilities).to_le_bytes().to_vec();
        response.extend_from_slice(&(1u32 << 24).to_le_bytes());
        response.push(45);
        response.extend_from_slice(&[0; 23]);
        response.extend_from_slice(name.as_bytes());
        response.extend_from_slice(&[0, proof.len() as u8]);
        response.extend_from_slice(&proof);
        response.extend_from_slice(schema.as_bytes());
        response.extend_from_slice(b"\0mysql_native_password\0");
        raw.send(1, &response).await;
        let (_, answer) = raw.receive().await.expect("an answer");
        assert_eq!(answer[0], 0, "{}", String::from_utf8_lossy(&answer));
        raw
    }

    /// Sends one packet.
    pub async fn send(&mut self, sequence: u8, payload: &[u8]) {
        let mut packet = (payload.len() as u32).to_le_bytes();
        packet[3] = sequence;
        self.0.write_all(&[&packet[..], payload].concat()).await.unwrap();
    }

    /// Receives one packet: its number and payload; `None` when the stream has ended.
    pub async fn receive(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut header = [0; 4];
        self.0.read_exact(&mut header).await.ok()?;
        let length = u32::from_le_bytes([header[0], header[1], header[2], 0]);
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        Some((header[3], payload))
    }

    /// Prepares a statement with one parameter and one column; its id.
    pub async fn prepare(&mut self, text: &[u8]) -> [u8; 4] {
        self.send(0, &[b"\x16", text].concat()).await;
        let (_, first) = self.receive().await.expect("an answer");
        assert_eq!(first[0], 0, "{}", String::from_utf8_lossy(&first));
        for _ in 0..4 {
            self.receive().await.expect("definitions and their ends");
        }
        first[1..5].try_into().unwrap()
    }

    /// The code of an error packet.
    pub async fn error(&mut self) -> u16 {
        let (_, payload) = self.receive().await.expect("an error packet");
        assert_eq!(payload[0], 0xFF, "{payload:?}");
        u16::from_le_bytes([payload[1], payload[2]])
    }
}
