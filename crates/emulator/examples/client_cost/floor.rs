//! The least that a client on this runtime can cost: the bytes of one prepared statement written to a socket, and as many packets read as its
//! answer has, without looking into them. No client library, no limit of time, no values, no record of how long it took.
//!
//! Source: the MariaDB knowledge base, "Client/Server protocol": handshake, `COM_STMT_PREPARE` and `COM_STMT_EXECUTE`.

use std::net::SocketAddr;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::{Cost, Error, POINT, ROWS, cpu_seconds};

/// `CLIENT_LONG_PASSWORD`, `CLIENT_CONNECT_WITH_DB`, `CLIENT_PROTOCOL_41`, `CLIENT_TRANSACTIONS`, `CLIENT_SECURE_CONNECTION`.
const CAPABILITIES: u32 = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000;
const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;
const TYPE_LONG: u8 = 0x03;
/// Of an answer of one column and one row: count, column, end, row, end.
const PACKETS: usize = 5;
/// Of the answer to a prepare of one parameter and one column: head, parameter, end, column, end.
const PACKETS_OF_PREPARE: usize = 5;

/// So many connections on the calling thread, each with one statement under way at all times.
pub async fn crowd(address: SocketAddr, connections: u64, length: Duration) -> Result<Cost, Error> {
    let mut ends = Vec::new();
    for _ in 0..connections {
        ends.push(End::prepared(address).await?);
    }
    let (begun, until) = (cpu_seconds(), Instant::now() + length);
    let mut tasks = JoinSet::new();
    for (seed, mut end) in (0..).zip(ends) {
        tasks.spawn(async move {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            let mut count = 0;
            while Instant::now() < until {
                end.execute(random.random_range(1..=ROWS)).await?;
                count += 1;
            }
            Ok::<u64, Error>(count)
        });
    }
    let counts: Result<Vec<u64>, Error> = tasks.join_all().await.into_iter().collect();
    Ok(Cost { statements: counts?.iter().sum(), cpu_seconds: cpu_seconds() - begun })
}

/// One connection with the statement prepared.
struct End {
    stream: TcpStream,
    /// What was read and not yet taken.
    buffer: Vec<u8>,
    filled: usize,
    form: [u8; 4],
}

impl End {
    async fn prepared(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut end = Self { stream, buffer: vec![0; 16 << 10], filled: 0, form: [0; 4] };
        end.packets(1).await?;
        let mut login = CAPABILITIES.to_le_bytes().to_vec();
        login.extend((16_u32 << 20).to_le_bytes());
        login.push(45);
        login.extend([0; 23]);
        // The account, no password, the database.
        login.extend(b"sbtest\0\0sbtest\0");
        end.send(1, &login).await?;
        end.packets(1).await?;
        let mut prepare = vec![COM_STMT_PREPARE];
        prepare.extend(POINT.sql.as_bytes());
        end.send(0, &prepare).await?;
        let head = end.packets(PACKETS_OF_PREPARE).await?;
        end.form = head.get(1..5).and_then(|form| form.try_into().ok()).ok_or("no form was prepared")?;
        Ok(end)
    }

    async fn execute(&mut self, id: u32) -> Result<(), Error> {
        let mut command = [0; 18];
        command[0] = COM_STMT_EXECUTE;
        command[1..5].copy_from_slice(&self.form);
        // No cursor, once, no parameter is null, its type follows.
        command[6] = 1;
        command[11] = 1;
        command[12] = TYPE_LONG;
        command[14..18].copy_from_slice(&id.to_le_bytes());
        self.send(0, &command).await?;
        let head = self.packets(PACKETS).await?;
        if head == [1] { Ok(()) } else { Err("no answer of one column".into()) }
    }

    async fn send(&mut self, number: u8, payload: &[u8]) -> Result<(), Error> {
        let mut packet = [0; 256];
        let end = 4 + payload.len();
        packet[..3].copy_from_slice(&(payload.len() as u32).to_le_bytes()[..3]);
        packet[3] = number;
        packet[4..end].copy_from_slice(payload);
        Ok(self.stream.write_all(&packet[..end]).await?)
    }

    /// Reads so many packets, which must be all that comes; the first one's payload, whose error is one.
    async fn packets(&mut self, wanted: usize) -> Result<&[u8], Error> {
        self.filled = 0;
        let (mut seen, mut at) = (0, 0);
        while seen < wanted {
            while let Some(length) = self.length_at(at) {
                seen += 1;
                at += 4 + length;
            }
            if seen < wanted {
                match self.stream.read(&mut self.buffer[self.filled..]).await? {
                    0 => return Err("the server closed the connection".into()),
                    more => self.filled += more,
                }
            }
            let refused = self.filled > 4 && self.buffer[4] == 0xff;
            if refused {
                let said = String::from_utf8_lossy(&self.buffer[..self.filled]);
                return Err(format!("refused: {said}").into());
            }
        }
        let first = self.length_at(0).unwrap_or_default();
        Ok(&self.buffer[4..4 + first])
    }

    /// The payload's length of the packet at a place, where the whole of it is there.
    fn length_at(&self, at: usize) -> Option<usize> {
        let head = self.buffer.get(at..at + 4).filter(|_| at + 4 <= self.filled)?;
        let length = u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize;
        (at + 4 + length <= self.filled).then_some(length)
    }
}
