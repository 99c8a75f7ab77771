//! A client that is made of packets: begins with any plugin and notes what it is asked.

#![allow(dead_code, reason = "each test file uses a part")]

use balancer::wire::auth::{Plugin, ed25519, native, rsa, sha2};
use balancer::wire::capabilities::Capabilities;
use balancer::wire::handshake::{Greeting, Response, read_auth_switch};
use balancer::wire::packet::{header, put_packet};
use balancer::wire::reply::ErrPacket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection by hand.
pub struct Raw {
    stream: TcpStream,
    sequence: u8,
    pub greeting: Greeting,
    /// What happened during the logins, as words.
    pub trace: Vec<String>,
}

impl Raw {
    pub async fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let placeholder = Greeting {
            version: Vec::new(),
            id: 0,
            scramble: Vec::new(),
            capabilities: Capabilities::default(),
            collation: 0,
            plugin: Vec::new(),
        };
        let mut raw = Self { stream, sequence: 0, greeting: placeholder, trace: Vec::new() };
        raw.greeting = Greeting::read(&raw.receive().await).unwrap();
        raw
    }

    pub async fn receive(&mut self) -> Vec<u8> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).await.expect("a packet");
        let (length, sequence) = header(&head).unwrap();
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await.unwrap();
        self.sequence = sequence.wrapping_add(1);
        payload
    }

    pub async fn send(&mut self, payload: &[u8]) {
        let mut packet = Vec::new();
        put_packet(&mut packet, self.sequence, payload);
        self.stream.write_all(&packet).await.unwrap();
    }

    /// A login that begins with `plugin`; tells what it was asked, and `ok` or the error's code at the end.
    pub async fn log_in(port: u16, name: &str, password: &str, plugin: Plugin) -> (Self, String) {
        let mut raw = Self::connect(port).await;
        let scramble = raw.greeting.scramble.clone();
        let capabilities = Capabilities::PROTOCOL_41
            .or(Capabilities::PLUGIN_AUTH)
            .or(Capabilities::PLUGIN_AUTH_LENENC)
            .or(Capabilities::CONNECT_ATTRS);
        let response = Response {
            capabilities,
            collation: 45,
            name: name.into(),
            proof: proof(plugin, password.as_bytes(), &scramble),
            schema: None,
            plugin: Some(plugin.name().into()),
            attributes: vec![("program_name".into(), "raw".into())],
        };
        raw.send(&response.write()).await;
        let told = raw.go_on(password.as_bytes(), scramble).await;
        (raw, told)
    }

    /// Another user on the same connection.
    pub async fn change_user(
        &mut self,
        name: &str,
        password: &str,
        plugin: Plugin,
        collation: u16,
    ) -> String {
        self.sequence = 0;
        let mut payload = vec![0x11];
        payload.extend_from_slice(name.as_bytes());
        payload.extend_from_slice(&[0, 0, 0]);
        payload.extend_from_slice(&collation.to_le_bytes());
        payload.extend_from_slice(plugin.name().as_bytes());
        payload.extend_from_slice(&[0, 0]);
        self.trace.clear();
        self.send(&payload).await;
        self.go_on(password.as_bytes(), Vec::new()).await
    }

    /// A login of a client from before plugins.
    pub async fn log_in_without_plugins(&mut self, name: &str, password: &str) -> String {
        let scramble = self.greeting.scramble.clone();
        let response = Response {
            // With proofs of one length byte.
            capabilities: Capabilities::PROTOCOL_41.or(Capabilities(1 << 15)),
            collation: 45,
            name: name.into(),
            proof: proof(Plugin::Native, password.as_bytes(), &scramble),
            ..Response::default()
        };
        self.send(&response.write()).await;
        self.go_on(password.as_bytes(), scramble).await
    }

    /// Another user on the same connection, as such a client asks for it.
    pub async fn change_user_without_plugins(&mut self, name: &str, password: &str) -> String {
        let scramble = self.greeting.scramble.clone();
        let proof = proof(Plugin::Native, password.as_bytes(), &scramble);
        self.sequence = 0;
        let head = [&[0x11][..], name.as_bytes(), &[0, proof.len() as u8]].concat();
        self.trace.clear();
        self.send(&[&head[..], &proof, &[0, 45, 0]].concat()).await;
        self.go_on(password.as_bytes(), scramble).await
    }

    /// Begins with the password in clear text and answers whatever is asked with it again.
    pub async fn insist_on_clear(&mut self, name: &str, password: &str) -> String {
        let clear = [password.as_bytes(), &[0]].concat();
        let capabilities =
            Capabilities::PROTOCOL_41.or(Capabilities::PLUGIN_AUTH).or(Capabilities::PLUGIN_AUTH_LENENC);
        let response = Response {
            capabilities,
            collation: 45,
            name: name.into(),
            proof: clear.clone(),
            plugin: Some(Plugin::Clear.name().into()),
            ..Response::default()
        };
        self.send(&response.write()).await;
        loop {
            let payload = self.receive().await;
            match payload[0] {
                0 => return "ok".to_owned(),
                0xFF => self.trace.push(ErrPacket::read(&payload).unwrap().code.to_string()),
                0xFE => {
                    let (name, _) = read_auth_switch(&payload[1..]).unwrap();
                    self.trace.push(String::from_utf8_lossy(name).into_owned());
                    self.send(&clear).await;
                    continue;
                }
                _ => {
                    self.send(&clear).await;
                    continue;
                }
            }
            return self.trace.join(" ");
        }
    }

    async fn go_on(&mut self, password: &[u8], mut scramble: Vec<u8>) -> String {
        loop {
            let payload = self.receive().await;
            match payload[0] {
                0 => self.trace.push("ok".into()),
                0xFF => self.trace.push(ErrPacket::read(&payload).unwrap().code.to_string()),
                0xFE => {
                    let (name, fresh) = read_auth_switch(&payload[1..]).unwrap();
                    let plugin = Plugin::of(name).expect("a known plugin");
                    scramble = fresh.to_vec();
                    self.trace.push(plugin.name().into());
                    self.send(&proof(plugin, password, &scramble)).await;
                    continue;
                }
                _ if payload == [sha2::MORE, sha2::FAST] => {
                    self.trace.push("fast".into());
                    continue;
                }
                _ if payload == [sha2::MORE, sha2::FULL] => {
                    self.trace.push("full".into());
                    self.send(&[sha2::KEY_PLEASE]).await;
                    let pem = self.receive().await;
                    let sealed = rsa::seal(&pem[1..], password, &scramble).expect("a public key");
                    self.send(&sealed).await;
                    continue;
                }
                other => panic!("an unexpected packet {other:#x}"),
            }
            return self.trace.join(" ");
        }
    }

    /// The bytes of the one row that a text returns.
    pub async fn row(&mut self, sql: &str) -> String {
        self.sequence = 0;
        self.send(&[&[3], sql.as_bytes()].concat()).await;
        let first = self.receive().await;
        if first[0] == 0xFF {
            return String::from_utf8_lossy(&first).into_owned();
        }
        for _ in 0..=first[0] {
            self.receive().await;
        }
        let row = self.receive().await;
        self.receive().await;
        String::from_utf8_lossy(&row).into_owned()
    }
}

fn proof(plugin: Plugin, password: &[u8], scramble: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    match plugin {
        Plugin::Native => native::proof(&native::once(password), scramble).to_vec(),
        Plugin::Sha2 => sha2::proof(password, scramble).to_vec(),
        Plugin::Ed25519 => ed25519::proof(password, scramble).to_vec(),
        Plugin::Clear => [password, &[0]].concat(),
    }
}
