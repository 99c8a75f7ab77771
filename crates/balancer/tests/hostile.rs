//! Clients that break the protocol, on purpose or by dying: each harms only itself.

mod nodes;

use std::net::SocketAddr;
use std::time::Duration;

use balancer::wire::auth::native;
use balancer::wire::capabilities::Capabilities;
use balancer::wire::handshake::{Greeting, Response, read_auth_switch};
use balancer::wire::packet::{MAX_PAYLOAD, put_packet};
use fuzz::mutate::{Random, mutate};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use nodes::{Front, Node};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(20);

/// A client that sends what it likes.
struct Raw(TcpStream);

impl Raw {
    async fn connect(front: &Front) -> Self {
        Self(TcpStream::connect(front.plane.address).await.unwrap())
    }

    /// One that has logged in as it should.
    async fn logged_in(front: &Front) -> Self {
        Self::logged_in_at(front.plane.address).await
    }

    async fn logged_in_at(address: SocketAddr) -> Self {
        let mut raw = Self(TcpStream::connect(address).await.unwrap());
        let greeting = Greeting::read(&raw.packet().await.expect("a greeting")).unwrap();
        let wanted = Capabilities::PROTOCOL_41
            .or(Capabilities::PLUGIN_AUTH)
            .or(Capabilities::PLUGIN_AUTH_LENENC)
            .or(Capabilities::CONNECT_WITH_DB)
            .or(Capabilities(1 | 1 << 7 | 1 << 15 | 1 << 16));
        let response = Response {
            capabilities: wanted,
            collation: 45,
            name: b"shop".to_vec(),
            proof: native::proof(&native::once(b"secret"), &greeting.scramble).to_vec(),
            schema: Some(b"tpcw".to_vec()),
            ..Response::default()
        };
        raw.command(1, &response.write()).await;
        let mut answer = raw.packet().await.expect("an answer to the login");
        if answer[0] == 0xFE {
            let (_, scramble) = read_auth_switch(&answer[1..]).unwrap();
            let proof = native::proof(&native::once(b"secret"), scramble);
            raw.command(3, &proof).await;
            answer = raw.packet().await.expect("an answer to the proof");
        }
        assert_eq!(answer[0], 0, "{}", String::from_utf8_lossy(&answer));
        raw
    }

    async fn command(&mut self, sequence: u8, payload: &[u8]) {
        let mut bytes = Vec::new();
        put_packet(&mut bytes, sequence, payload);
        self.send(&bytes).await;
    }

    /// The other side may have hung up already.
    async fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// The next packet's payload; `None` when the other side has hung up.
    async fn packet(&mut self) -> Option<Vec<u8>> {
        let read = async {
            let mut header = [0; 4];
            self.0.read_exact(&mut header).await.ok()?;
            let mut payload = vec![0; u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize];
            self.0.read_exact(&mut payload).await.ok()?;
            Some(payload)
        };
        tokio::time::timeout(PATIENCE, read).await.expect("the balancer answers or hangs up")
    }

    /// Reads until the other side hangs up.
    async fn read_to_end(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut all)).await.expect("it hangs up");
        all
    }
}

/// Somebody who works while the others misbehave, and what must hold afterwards.
struct Witness {
    front: Front,
    server: Node,
    good: Conn,
}

impl Witness {
    async fn new() -> Self {
        let server = Node::start(1).await;
        let front = Front::start_with(&[&server], |config| {
            config.limits.login_ms = 1_000;
            config.limits.packet_bytes = 20 << 20;
            config.pool.max = 8;
        });
        let mut good = front.client().await;
        good.query_drop("CREATE TABLE l (id INT, s LONGTEXT)").await.unwrap();
        good.query_drop("BEGIN").await.unwrap();
        good.query_drop("INSERT INTO l VALUES (1, 'kept')").await.unwrap();
        Self { front, server, good }
    }

    /// The session beside goes on, in its transaction.
    async fn works(&mut self) {
        let told = tokio::time::timeout(PATIENCE, self.good.query_first("SELECT COUNT(*) FROM l")).await;
        assert_eq!(told.expect("the others are served").unwrap(), Some(1i64));
    }

    /// All strangers are gone, with whatever they held at the node; newcomers are served.
    async fn stays_alone(mut self) {
        self.works().await;
        tokio::time::timeout(PATIENCE, async {
            while self.front.plane.clients() > 1 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("the strangers are gone");
        let mut root = self.server.root().await;
        // What they had begun is over: no statement runs, no transaction but one is open, no lock is held.
        let sql = "SELECT (SELECT COUNT(*) FROM information_schema.innodb_trx) * 1000
            + (SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'shop' AND command <> 'Sleep')";
        tokio::time::timeout(PATIENCE, async {
            while root.query_first::<i64, _>(sql).await.unwrap() != Some(1000) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("nothing of theirs goes on at the node");
        let sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'shop'";
        let connections: i64 = root.query_first(sql).await.unwrap().unwrap();
        assert!(connections <= 8, "{connections} connections for a pool of 8");
        for _ in 0..3 {
            let answer: i64 = self.front.client().await.query_first("SELECT 42").await.unwrap().unwrap();
            assert_eq!(answer, 42);
        }
        self.good.query_drop("COMMIT").await.unwrap();
    }
}

#[tokio::test]
async fn strangers_before_the_login_are_cut_off() {
    let mut witness = Witness::new().await;
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(9);
    let mut huge = vec![0xFF, 0xFF, 0xFF, 1];
    huge.resize(100_000, b'x');
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        &hello,
        &huge,
        b"\xff\xff\xff\x01",
        b"\x05\x00\x00\x01",
        b"\x00\x00\x00\x01",
        b"\x01\x00\x00\x07\x0e",
        b"\x20\x00\x00\x01\x00\x00\x00\x00",
        b"",
    ] {
        let mut raw = Raw::connect(&witness.front).await;
        raw.send(bytes).await;
        let told = raw.read_to_end().await;
        assert!(told.len() < 400, "a greeting and an error at most: {}", told.escape_ascii());
        witness.works().await;
    }
    witness.stays_alone().await;
}

#[tokio::test]
async fn broken_packets_end_their_own_session_with_an_error() {
    let mut witness = Witness::new().await;
    let mut too_long = vec![0xFF, 0xFF, 0xFF, 0];
    too_long.resize(MAX_PAYLOAD + 4, b'x');
    too_long.extend_from_slice(&[0xFF, 0xFF, 0xFF, 1]);
    for (bytes, code) in [
        (&b"\x01\x00\x00\x05\x0e"[..], 1156u16),
        (&[&b"\x09\x00\x00\x00\x03SELECT 1"[..], b"\x09\x00\x00\x01\x03SELECT 1"].concat(), 1156),
        (b"\x00\x00\x00\x00", 1835),
        (&too_long, 1153),
    ] {
        let mut raw = Raw::logged_in(&witness.front).await;
        raw.send(bytes).await;
        let told = raw.read_to_end().await;
        let [low, high] = code.to_le_bytes();
        let found = memchr::memmem::find(&told, &[0xFF, low, high, b'#']);
        assert!(found.is_some(), "{code} is told: {}", told.escape_ascii());
        witness.works().await;
    }
    witness.stays_alone().await;
}

/// An execute that is whole as a packet and cut short inside: the server refuses it and the session goes on.
#[tokio::test]
async fn an_execute_cut_short_is_refused_as_by_the_server() {
    let mut witness = Witness::new().await;
    // One of its own: MariaDB 10.11.19 was seen to crash some time after such packets (`segfault at 0`).
    let server = Node::start(2).await;
    for command in [&b"\x17"[..], b"\x17\x01", b"\x17\x01\x00\x00\x00\x00"] {
        let mut told = Vec::new();
        for address in [server.address(), witness.front.plane.address] {
            let mut raw = Raw::logged_in_at(address).await;
            raw.command(0, command).await;
            let refused = raw.packet().await.expect("an error");
            raw.command(0, b"\x0e").await;
            told.push((refused, raw.packet().await.expect("the session goes on")[0]));
        }
        assert_eq!(told[1], told[0], "{}", command.escape_ascii());
        assert_eq!(told[0].0[..3], [0xFF, 0x2B, 0x07], "1835");
        witness.works().await;
    }
    witness.stays_alone().await;
}

#[tokio::test]
async fn clients_that_vanish_leave_nothing_behind() {
    let mut witness = Witness::new().await;
    let big = "SELECT REPEAT('x', 1000000) FROM seq_1_to_200";
    for round in 0..3 {
        for (commands, answers) in [
            (&["SELECT 1"][..], 0),
            (&["SELECT SLEEP(0.2)"], 0),
            (&["BEGIN", "INSERT INTO l VALUES (2, 'lost')"], 2),
            (&["SELECT GET_LOCK('theirs', 0)"], 4),
            (&["LOCK TABLES who READ"], 0),
            (&[big], 1),
            (&["LOAD DATA LOCAL INFILE 'x' INTO TABLE l"], 1),
            (&["CREATE TEMPORARY TABLE t (a INT)"], 1),
        ] {
            let mut raw = Raw::logged_in(&witness.front).await;
            for command in commands {
                raw.command(0, &[b"\x03", command.as_bytes()].concat()).await;
            }
            for _ in 0..answers {
                raw.packet().await;
            }
            if round == 1 {
                raw.send(b"\x50\x00\x00\x02half a packet").await;
            }
            if round == 2 {
                raw.0.set_zero_linger().unwrap();
            }
            drop(raw);
            witness.works().await;
        }
    }
    witness.stays_alone().await;
}

#[tokio::test]
async fn commands_that_are_pipelined_are_answered_in_their_order() {
    let mut witness = Witness::new().await;
    let mut raw = Raw::logged_in(&witness.front).await;
    let mut bytes = Vec::new();
    for number in 0..200 {
        put_packet(&mut bytes, 0, format!("\x03SELECT {number}").as_bytes());
        put_packet(&mut bytes, 0, b"\x19\x07\x00\x00\x00");
        put_packet(&mut bytes, 0, b"\x0e");
        put_packet(&mut bytes, 0, b"\xe7junk");
    }
    raw.send(&bytes).await;
    for number in 0..200 {
        let mut packets = Vec::new();
        for _ in 0..7 {
            packets.push(raw.packet().await.expect("all are answered"));
        }
        // Count, definition, EOF, row, EOF, OK for the ping, an error for the junk.
        assert_eq!(&packets[3][1..], number.to_string().as_bytes());
        assert_eq!((packets[5][0], packets[6][0]), (0, 0xFF));
        assert_eq!(&packets[6][1..3], 1047u16.to_le_bytes());
    }
    drop(raw);
    witness.works().await;
    witness.stays_alone().await;
}

#[tokio::test]
async fn commands_at_the_border_of_a_packet_are_whole() {
    let mut witness = Witness::new().await;
    witness.server.root().await.query_drop("SET GLOBAL max_allowed_packet = 64 << 20").await.unwrap();
    for length in [MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1, MAX_PAYLOAD + 100] {
        let mut raw = Raw::logged_in(&witness.front).await;
        let mut command = b"\x03SELECT LENGTH('".to_vec();
        command.resize(length - 2, b'x');
        command.extend_from_slice(b"')");
        raw.command(0, &command).await;
        let mut packets = Vec::new();
        for _ in 0..5 {
            packets.push(raw.packet().await.expect("an answer"));
        }
        let expected = (length - 2 - b"\x03SELECT LENGTH('".len()).to_string();
        assert_eq!(&packets[3][1..], expected.as_bytes(), "a command of {length} bytes");
        raw.command(0, b"\x0e").await;
        assert_eq!(raw.packet().await.unwrap()[0], 0);
        witness.works().await;
    }
    witness.stays_alone().await;
}

#[tokio::test]
async fn one_that_does_not_read_slows_only_itself() {
    let mut witness = Witness::new().await;
    let mut idle = Vec::new();
    for _ in 0..4 {
        let mut raw = Raw::logged_in(&witness.front).await;
        raw.command(0, b"\x03SELECT REPEAT('x', 1000000) FROM seq_1_to_200").await;
        assert_eq!(raw.packet().await.unwrap(), [1], "it has begun");
        idle.push(raw);
    }
    for _ in 0..50 {
        witness.works().await;
    }
    drop(idle);
    witness.stays_alone().await;
}

/// Conversations that were good once. How many is set by `TPCW_CONVERSATIONS`.
#[tokio::test]
async fn mutated_conversations_harm_nobody_else() {
    const SEED: u64 = 3;
    let many = std::env::var("TPCW_CONVERSATIONS").map_or(150, |many| many.parse().unwrap());
    let mut witness = Witness::new().await;
    let corpus: Vec<Vec<u8>> = fuzz::corpus::commands()
        .into_iter()
        .filter(|bytes| bytes.get(3) == Some(&0))
        .chain(
            fuzz::corpus::statements()
                .into_iter()
                .filter(|text| !text.windows(5).any(|w| w == b"FLUSH"))
                .map(|text| {
                    let mut packet = Vec::new();
                    put_packet(&mut packet, 0, &[b"\x03", &*text].concat());
                    packet
                }),
        )
        .collect();
    for conversation in 0..many {
        let mut random = Random::of(SEED, 0, conversation);
        let mut raw = match random.below(4) {
            0 => Raw::connect(&witness.front).await,
            _ => Raw::logged_in(&witness.front).await,
        };
        let mut bytes = Vec::new();
        for _ in 0..=random.below(4) {
            mutate(&corpus, fuzz::corpus::WORDS, &mut random, &mut bytes);
            raw.send(&bytes).await;
        }
        if random.below(2) == 0 {
            let mut some = [0; 512];
            let _ = tokio::time::timeout(Duration::from_millis(5), raw.0.read(&mut some)).await;
        }
        drop(raw);
        if conversation % 10 == 0 {
            let told: Result<Option<i64>, _> = witness.good.query_first("SELECT 1").await;
            assert_eq!(told.unwrap(), Some(1), "seed {SEED}, conversation {conversation}");
        }
    }
    witness.stays_alone().await;
}
