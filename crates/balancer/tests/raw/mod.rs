//! A client that speaks the protocol byte by byte, to send what no driver sends and to see what no driver shows.
#![allow(dead_code, reason = "each test file uses a part")]

use std::net::SocketAddr;
use std::time::Duration;

use balancer::wire::auth::native;
use balancer::wire::capabilities::{Capabilities, status};
use balancer::wire::packet::{HEADER, Reader, header, put_packet, put_text};
use balancer::wire::reply::{Expect, OkPacket, Scanner, Step, eof_status};
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long any single answer may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What all clients here ask for: long flags, 4.1, transactions, secure login, several results (also prepared), plugins.
const BASIC: u64 = 1 << 2 | 1 << 9 | 1 << 13 | 1 << 15 | 1 << 17 | 1 << 18 | 1 << 19 | 1 << 3 | 1 << 1;

/// A logged-in connection.
pub struct Raw {
    /// For what is no packet.
    pub stream: TcpStream,
    buffer: BytesMut,
    deprecate: bool,
    /// The id of the greeting.
    pub id: u32,
    /// What the greeting offers.
    pub offered: Capabilities,
}

impl Raw {
    /// Logs in as `shop` with the schema `tpcw`, asking for `more` than the basic capabilities.
    pub async fn connect(address: SocketAddr, more: Capabilities) -> Self {
        Self::connect_as(address, more, "shop", "secret").await
    }

    pub async fn connect_as(address: SocketAddr, more: Capabilities, user: &str, password: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let deprecate = more.has(Capabilities::DEPRECATE_EOF);
        let mut raw = Self { stream, buffer: BytesMut::new(), deprecate, id: 0, offered: more };
        let greeting = raw.packet().await;
        let greeting = balancer::wire::handshake::Greeting::read(&greeting[HEADER..]).unwrap();
        raw.id = greeting.id;
        raw.offered = greeting.capabilities;
        let bits = BASIC | more.0;
        let mut response = (bits as u32).to_le_bytes().to_vec();
        response.extend_from_slice(&(1u32 << 30).to_le_bytes());
        response.push(45);
        response.extend_from_slice(&[0; 19]);
        response.extend_from_slice(&((bits >> 32) as u32).to_le_bytes());
        response.extend_from_slice(user.as_bytes());
        response.push(0);
        let proof = native::proof(&native::once(password.as_bytes()), &greeting.scramble);
        response.push(proof.len() as u8);
        response.extend_from_slice(&proof);
        response.extend_from_slice(b"tpcw\0mysql_native_password\0");
        raw.send_at(1, &response).await;
        let answer = raw.packet().await;
        assert_eq!(answer[HEADER], 0, "login: {}", String::from_utf8_lossy(&answer));
        raw
    }

    /// Sends a command.
    pub async fn send(&mut self, payload: &[u8]) {
        self.send_at(0, payload).await;
    }

    /// Sends packets that count from `sequence`.
    pub async fn send_at(&mut self, sequence: u8, payload: &[u8]) {
        let mut packets = Vec::new();
        put_packet(&mut packets, sequence, payload);
        self.send_bytes(&packets).await;
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// One packet, header included.
    pub async fn packet(&mut self) -> Vec<u8> {
        self.try_packet().await.expect("a packet")
    }

    /// One packet; `None` when the other side has closed.
    pub async fn try_packet(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some((length, _)) = header(&self.buffer)
                && self.buffer.len() >= HEADER + length
            {
                return Some(self.buffer.split_to(HEADER + length).to_vec());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
        read.expect("something comes in time").is_ok_and(|read| read > 0)
    }

    /// Whether nothing is left that was not asked for.
    pub fn is_quiet(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The whole answer, as bytes with headers.
    pub async fn answer(&mut self, expect: Expect) -> Vec<u8> {
        self.try_answer(expect).await.expect("the other side has closed")
    }

    /// The same; `None` when the other side closes instead.
    pub async fn try_answer(&mut self, expect: Expect) -> Option<Vec<u8>> {
        let mut scanner = Scanner::new(expect, self.deprecate);
        loop {
            let more = match scanner.step(&self.buffer).expect("an answer") {
                Step::More => {
                    if !self.more().await {
                        return None;
                    }
                    continue;
                }
                Step::Prepared(_) => continue,
                Step::Ok(range) => {
                    OkPacket::read(&self.buffer[range.start + HEADER..range.end]).unwrap().status
                        & status::MORE_RESULTS
                        != 0
                }
                Step::Eof(range) => {
                    eof_status(&self.buffer[range.start + HEADER..range.end]).unwrap() & status::MORE_RESULTS
                        != 0
                }
                Step::Infile(_) => return Some(self.buffer.split_to(scanner.at).to_vec()),
                _ => false,
            };
            if !more {
                return Some(self.buffer.split_to(scanner.at).to_vec());
            }
            scanner.next_result();
        }
    }

    /// Sends a command and takes its whole answer, whatever its kind; empty when the other side closes instead.
    pub async fn ask(&mut self, payload: &[u8]) -> Vec<u8> {
        self.send(payload).await;
        match payload[0] {
            0x16 => self.answer(Expect::Prepared).await,
            0x1C | 0x04 => self.answer(Expect::Definitions).await,
            0x17 if payload.get(5).is_some_and(|flags| *flags != 0) => self.answer(Expect::Cursor).await,
            0x03 | 0x17 | 0xFA | 0x0A => self.answer(Expect::Result).await,
            _ => self.try_packet().await.unwrap_or_default(),
        }
    }

    pub async fn query(&mut self, sql: &str) -> Vec<u8> {
        self.ask(&[&[3], sql.as_bytes()].concat()).await
    }

    /// The first value of the first row of a text result.
    pub async fn value(&mut self, sql: &str) -> String {
        let answer = self.query(sql).await;
        let row = payloads(&answer).nth(if self.deprecate { 2 } else { 3 });
        let row = row.unwrap_or_else(|| panic!("{sql}: {}", String::from_utf8_lossy(&answer)));
        if row[0] == 0xFB {
            return "NULL".to_owned();
        }
        String::from_utf8_lossy(Reader::new(row).text().unwrap()).into_owned()
    }

    /// Prepares a statement; returns its id.
    pub async fn prepare(&mut self, sql: &str) -> u32 {
        let answer = self.ask(&[&[0x16], sql.as_bytes()].concat()).await;
        assert_eq!(answer[HEADER], 0, "{sql}: {}", String::from_utf8_lossy(&answer));
        u32::from_le_bytes(answer[HEADER + 1..HEADER + 5].try_into().unwrap())
    }

    /// Executes a statement with text parameters.
    pub async fn execute(&mut self, id: u32, cursor: u8, values: &[&str]) -> Vec<u8> {
        self.ask(&execute(id, cursor, values)).await
    }
}

/// COM_STMT_EXECUTE with text parameters.
pub fn execute(id: u32, cursor: u8, values: &[&str]) -> Vec<u8> {
    let mut out = vec![0x17];
    out.extend_from_slice(&id.to_le_bytes());
    out.push(cursor);
    out.extend_from_slice(&1u32.to_le_bytes());
    if !values.is_empty() {
        out.extend(std::iter::repeat_n(0, values.len().div_ceil(8)));
        out.push(1);
        values.iter().for_each(|_| out.extend_from_slice(&[253, 0]));
        values.iter().for_each(|value| put_text(&mut out, value.as_bytes()));
    }
    out
}

/// COM_STMT_FETCH.
pub fn fetch(id: u32, rows: u32) -> Vec<u8> {
    [&[0x1C][..], &id.to_le_bytes(), &rows.to_le_bytes()].concat()
}

/// A command that names a statement and nothing else: close, reset.
pub fn about(command: u8, id: u32) -> Vec<u8> {
    [&[command][..], &id.to_le_bytes()].concat()
}

/// The payloads of an answer's packets.
pub fn payloads(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, _) = header(bytes)?;
        let payload = bytes.get(HEADER..HEADER + length)?;
        bytes = &bytes[HEADER + length..];
        Some(payload)
    })
}

/// Code and message of the error that ends an answer.
pub fn error(answer: &[u8]) -> Option<(u16, String)> {
    let last = payloads(answer).last()?;
    if last.first() != Some(&0xFF) {
        return None;
    }
    let error = balancer::wire::reply::ErrPacket::read(last).ok()?;
    Some((error.code, String::from_utf8_lossy(error.message).into_owned()))
}
