//! One connection: login by `caching_sha2_password`, then commands.

use std::io;
use std::sync::{Arc, OnceLock};

use balancer::wire::auth::{rsa, sha2};
use balancer::wire::capabilities::{Capabilities, status};
use balancer::wire::handshake::{Greeting, Response};
use balancer::wire::packet::{put_number, put_packet, put_text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Shared;
use super::statements::{Answer, Session};

/// Made once: it takes a while.
pub fn key() -> Arc<rsa::KeyPair> {
    static KEY: OnceLock<Arc<rsa::KeyPair>> = OnceLock::new();
    KEY.get_or_init(|| Arc::new(rsa::KeyPair::generate().unwrap())).clone()
}

fn password(name: &[u8]) -> Option<&'static [u8]> {
    match name {
        b"shop" => Some(b"secret"),
        b"operator" => Some(b"operator's"),
        _ => None,
    }
}

pub struct Dialogue {
    stream: TcpStream,
    world: Shared,
    index: usize,
    id: u32,
    key: Arc<rsa::KeyPair>,
    capabilities: Capabilities,
    sequence: u8,
}

impl Dialogue {
    pub fn new(stream: TcpStream, world: Shared, index: usize, id: u32, key: Arc<rsa::KeyPair>) -> Self {
        Self { stream, world, index, id, key, capabilities: Capabilities(0), sequence: 0 }
    }

    pub async fn run(mut self) -> io::Result<()> {
        let Some(response) = self.log_in().await? else { return Ok(()) };
        let mut session = Session::new(self.world.clone(), self.index, &response, self.id);
        loop {
            self.sequence = 0;
            let command = self.receive().await?;
            let answers = match (command[0], &command[1..]) {
                (1, _) => return Ok(()),
                (2, name @ (b"tpcw" | b"information_schema")) => vec![session.use_schema(name)],
                (2, other) => {
                    vec![Answer::error(1049, "42000", format!("Unknown database '{}'", other.escape_ascii()))]
                }
                (3, text) => self.query(&mut session, text).await,
                (14, _) => vec![Answer::default()],
                (27, option) => {
                    let on = option[0] == 0;
                    self.capabilities = self.capabilities.with(Capabilities::MULTI_STATEMENTS, on);
                    vec![Answer { eof: true, ..Answer::default() }]
                }
                (31, _) => {
                    session.reset();
                    vec![Answer::default()]
                }
                _ => vec![Answer::error(1047, "08S01", "Unknown command".to_owned())],
            };
            let last = answers.len() - 1;
            let mut out = Vec::new();
            for (at, answer) in answers.into_iter().enumerate() {
                self.put(&mut out, answer, at < last, session.in_transaction);
            }
            self.stream.write_all(&out).await?;
        }
    }

    async fn query(&self, session: &mut Session, text: &[u8]) -> Vec<Answer> {
        let text = String::from_utf8_lossy(text).into_owned();
        let several = self.capabilities.has(Capabilities::MULTI_STATEMENTS);
        let mut answers = Vec::new();
        for part in if several { text.split(';').collect() } else { vec![&*text] } {
            answers.push(session.run(part.trim()).await);
            if answers.last().is_some_and(|answer| answer.error.is_some()) {
                break;
            }
        }
        answers
    }

    fn put(&mut self, out: &mut Vec<u8>, answer: Answer, more: bool, in_transaction: bool) {
        let mut flags = status::AUTOCOMMIT;
        flags |= if more { status::MORE_RESULTS } else { 0 };
        flags |= if in_transaction { status::IN_TRANSACTION } else { 0 };
        let eof = [&[0xFE, 0, 0][..], &flags.to_le_bytes()].concat();
        let deprecates = self.capabilities.has(Capabilities::DEPRECATE_EOF);
        let mut packets = Vec::new();
        if let Some((code, state, message)) = &answer.error {
            packets.push(
                [&[0xFF][..], &code.to_le_bytes(), b"#", state.as_bytes(), message.as_bytes()].concat(),
            );
        } else if answer.eof {
            packets.push(eof);
        } else if answer.columns.is_empty() {
            packets.push(self.ok(0, flags, &answer));
        } else {
            packets.push(vec![answer.columns.len() as u8]);
            packets.extend(answer.columns.iter().map(|name| definition(name)));
            if !deprecates {
                packets.push(eof.clone());
            }
            packets.extend(answer.rows.iter().map(|row| {
                let mut packet = Vec::new();
                row.iter().for_each(|value| put_text(&mut packet, value.as_bytes()));
                packet
            }));
            packets.push(if deprecates { self.ok(0xFE, flags, &answer) } else { eof });
        }
        for packet in packets {
            self.sequence = put_packet(out, self.sequence, &packet);
        }
    }

    /// An OK packet; the changes of the session come with it if the client can read them.
    fn ok(&self, first: u8, mut flags: u16, answer: &Answer) -> Vec<u8> {
        let tracks = self.capabilities.has(Capabilities::SESSION_TRACK) && !answer.changes.is_empty();
        flags |= if tracks { status::SESSION_STATE_CHANGED } else { 0 };
        let mut out = vec![first];
        put_number(&mut out, answer.affected);
        put_number(&mut out, 0);
        out.extend_from_slice(&flags.to_le_bytes());
        out.extend_from_slice(&[0, 0]);
        if tracks {
            put_text(&mut out, b"");
            put_text(&mut out, &answer.changes);
        }
        out
    }

    async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header).await?;
        self.sequence = header[3].wrapping_add(1);
        let mut payload = vec![0; u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize];
        self.stream.read_exact(&mut payload).await?;
        Ok(payload)
    }

    async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut out = Vec::new();
        self.sequence = put_packet(&mut out, self.sequence, payload);
        self.stream.write_all(&out).await
    }

    async fn log_in(&mut self) -> io::Result<Option<Response>> {
        let version = self.world.lock().nodes[self.index].version;
        let scramble: Vec<u8> = (0..20).map(|at| b'!' + (at * 7 + self.id as u8) % 90).collect();
        let greeting = Greeting {
            version: version.into(),
            id: self.id,
            scramble: scramble.clone(),
            // All of an 8.0's, without TLS and compression.
            capabilities: Capabilities(0x81FF_F7DF | Capabilities::MYSQL.0),
            collation: 255,
            plugin: b"caching_sha2_password".to_vec(),
        };
        self.send(&greeting.write()).await?;
        let payload = self.receive().await?;
        let response = Response::read(&payload).expect("a response");
        self.capabilities = response.capabilities;
        let Some(expected) = password(&response.name) else { return self.deny(&response).await };
        let mut proof = response.proof.clone();
        if response.plugin.as_deref() != Some(b"caching_sha2_password") {
            self.send(&[b"\xfecaching_sha2_password\0", &scramble[..], b"\0"].concat()).await?;
            proof = self.receive().await?;
        }
        let known = self.world.lock().nodes[self.index].cached.contains(&response.name);
        if !known {
            // The server has nothing in its cache and asks for the password itself.
            self.send(&[1, 4]).await?;
            assert_eq!(self.receive().await?, [2], "without TLS the key is asked for");
            self.send(&[b"\x01", self.key.pem.as_bytes()].concat()).await?;
            let sealed = self.receive().await?;
            let told = self.key.open(&sealed, &scramble).expect("sealed under the key");
            if told.as_slice() != expected {
                return self.deny(&response).await;
            }
            self.world.lock().nodes[self.index].cached.insert(response.name.clone());
        } else if sha2::proves(&proof, &sha2::digest(expected), &scramble) {
            self.send(&[1, 3]).await?;
        } else {
            return self.deny(&response).await;
        }
        let ok = self.ok(0, status::AUTOCOMMIT, &Answer::default());
        self.send(&ok).await?;
        Ok(Some(response))
    }

    async fn deny(&mut self, response: &Response) -> io::Result<Option<Response>> {
        let name = String::from_utf8_lossy(&response.name).into_owned();
        let message = format!("Access denied for user '{name}'@'localhost' (using password: YES)");
        self.send(&balancer::wire::reply::err(1045, "28000", &message)).await?;
        Ok(None)
    }
}

/// A column of text.
fn definition(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for part in ["def", "", "", "", name, name] {
        put_text(&mut out, part.as_bytes());
    }
    out.extend_from_slice(&[12, 45, 0, 0, 1, 0, 0, 0xFD, 0, 0, 0, 0, 0]);
    out
}
