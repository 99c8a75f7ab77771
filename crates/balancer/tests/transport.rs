//! TLS and compression between clients and the balancer.

mod certificates;
mod nodes;

use std::sync::Arc;
use std::time::Duration;

use balancer::config::Tls;
use balancer::event::{EventKind, EventLog};
use balancer::tls::watch;
use certificates::{Authority, Papers};
use futures_util::StreamExt;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Row, SslOpts};
use nodes::{Front, Node};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long any single thing may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that takes long packets, and a balancer that does.
async fn long_packets() -> (Node, Front, Papers) {
    let server = Node::start_with(1, vec!["--max-allowed-packet=64M".to_owned()]).await;
    let papers = Papers::new();
    let front = Front::start_with(&[&server], |config| config.tls = papers.tls());
    (server, front, papers)
}

/// What all connections have to carry.
async fn carries(options: OptsBuilder) {
    let mut client = Conn::new(options.max_allowed_packet(Some(64 << 20))).await.unwrap();
    client.query_drop("CREATE TEMPORARY TABLE t (id INT, s LONGTEXT)").await.unwrap();
    // Of all sizes around the limits of packets and frames, and of both kinds: packs well, packs badly.
    for size in [0usize, 1, 49, 50, 4000, 65_536, 0xFF_FFFF - 30, 0xFF_FFFF - 13, 17 << 20] {
        let text: String =
            (0..size).map(|at| char::from(b'a' + ((at * at / 7 + at / 300) % 26) as u8)).collect();
        let back: Option<String> = client.query_first(format!("SELECT '{text}'")).await.unwrap();
        assert!(back.as_ref() == Some(&text), "{size} bytes do not come back");
        // A client may send more in one long parameter than fits into one packet; these it does not.
        if size < 0xFF_FFFF - 100 {
            let back: Option<String> = client.exec_first("SELECT ?", (&text,)).await.unwrap();
            assert!(back.as_ref() == Some(&text), "{size} bytes do not come back as a parameter");
        }
    }
    let rows: Vec<(u32, String)> =
        client.query("SELECT seq, REPEAT('x', seq % 500) FROM seq_1_to_20000").await.unwrap();
    assert_eq!(rows.len(), 20_000);
    assert!(rows.iter().zip(1..).all(|(row, n)| row.0 == n && row.1.len() == n as usize % 500));
    let mut several = client.query_iter("SELECT 1; SELECT 2; DO 3; SELECT 4").await.unwrap();
    let mut told: Vec<Vec<u32>> = Vec::new();
    while !several.is_empty() {
        told.push(several.collect().await.unwrap());
    }
    drop(several);
    assert_eq!(told, [vec![1], vec![2], vec![], vec![4]]);
    // The first result ends with what has been sent, long before the second begins.
    let mut several = client
        .query_iter("SELECT seq, REPEAT('x', 99) FROM seq_1_to_3000; SELECT SLEEP(0.3), 7")
        .await
        .unwrap();
    assert_eq!(several.collect::<Row>().await.unwrap().len(), 3000);
    assert_eq!(several.collect::<(u32, u32)>().await.unwrap(), [(0, 7)]);
    drop(several);
    load(&mut client).await;
    let error = client.query_drop("SELECT nothing").await.unwrap_err();
    assert!(matches!(&error, mysql_async::Error::Server(error) if error.code == 1054), "{error}");
    client.ping().await.unwrap();
    client.disconnect().await.unwrap();
}

/// Files from the client, once by itself and once behind another result.
async fn load(client: &mut Conn) {
    let file: String = (0..200_000).map(|n| format!("{n}\trow {n} {}\n", "y".repeat(n % 40))).collect();
    let length = file.len();
    for text in ["", "SELECT 1; "] {
        let data = bytes::Bytes::from(file.clone());
        client.set_infile_handler(async move {
            let parts: Vec<_> =
                data.chunks(1 << 20).map(|part| Ok(bytes::Bytes::copy_from_slice(part))).collect();
            Ok(futures_util::stream::iter(parts).boxed())
        });
        client.query_drop(format!("{text}LOAD DATA LOCAL INFILE 'rows' INTO TABLE t")).await.unwrap();
        let told: Option<(u32, u64)> =
            client.query_first("SELECT COUNT(*), SUM(LENGTH(id) + LENGTH(s) + 2) FROM t").await.unwrap();
        assert_eq!(told, Some((200_000, length as u64)));
        client.query_drop("TRUNCATE t").await.unwrap();
    }
}

#[tokio::test]
async fn tls_carries_what_a_plain_connection_carries() {
    let (_server, front, papers) = long_packets().await;
    carries(front.shop()).await;
    carries(front.shop().ssl_opts(papers.trust())).await;
}

#[tokio::test]
async fn compression_carries_what_a_plain_connection_carries() {
    let (_server, front, papers) = long_packets().await;
    carries(front.shop().compression(mysql_async::Compression::fast())).await;
    carries(front.shop().compression(mysql_async::Compression::fast()).ssl_opts(papers.trust())).await;
}

#[tokio::test]
async fn tls_is_offered_truthfully_and_can_be_required() {
    let server = Node::start(1).await;
    let papers = Papers::new();
    let without = Front::start(&[&server]);
    let told = Conn::new(without.shop().ssl_opts(papers.trust())).await.unwrap_err().to_string();
    assert!(told.contains("does not have this capability") || told.contains("SSL"), "{told}");
    let required =
        Front::start_with(&[&server], |config| config.tls = Tls { required: true, ..papers.tls() });
    match Conn::new(required.shop()).await.unwrap_err() {
        mysql_async::Error::Server(error) => assert_eq!((error.code, error.state.as_str()), (3159, "08004")),
        error => panic!("{error}"),
    }
    let mut client = Conn::new(required.shop().ssl_opts(papers.trust())).await.unwrap();
    assert_eq!(client.query_first::<u32, _>("SELECT 5").await.unwrap(), Some(5));
    // Who does not know the authority does not come in, and nobody else is harmed.
    let other = Papers::new();
    let told = Conn::new(required.shop().ssl_opts(other.trust())).await.unwrap_err().to_string();
    assert!(told.contains("UnknownIssuer"), "{told}");
    client.ping().await.unwrap();
}

#[tokio::test]
async fn clients_may_have_to_show_a_certificate() {
    let server = Node::start(1).await;
    let papers = Papers::new();
    let front = Front::start_with(&[&server], |config| {
        config.tls = Tls { required: true, client_ca: Some(papers.ca.clone()), ..papers.tls() };
    });
    let identity = |authority: &Authority, name: &str| {
        let files = authority.sign(&["a client"]).write(papers.folder.path(), name);
        mysql_async::ClientIdentity::new(files.certificate.into(), files.key.into())
    };
    let known = papers.trust().with_client_identity(Some(identity(&papers.authority, "known")));
    let mut client = Conn::new(front.shop().ssl_opts(known)).await.unwrap();
    client.ping().await.unwrap();
    assert!(Conn::new(front.shop().ssl_opts(papers.trust())).await.is_err(), "no certificate");
    let stranger = papers.trust().with_client_identity(Some(identity(&Authority::new("nobody"), "stranger")));
    assert!(Conn::new(front.shop().ssl_opts(stranger)).await.is_err(), "one that counts for nothing");
    client.ping().await.unwrap();
}

#[tokio::test]
async fn certificates_are_exchanged_while_connections_are_open() {
    let server = Node::start(1).await;
    let papers = Papers::new();
    let front = Front::start_with(&[&server], |config| config.tls = papers.tls());
    let events = Arc::new(EventLog::new());
    let watching = tokio::spawn(watch::run(front.certificates.clone(), events.clone()));
    let mut old = Conn::new(front.shop().ssl_opts(papers.trust())).await.unwrap();
    let told = async |kind: EventKind, count: usize| {
        let all = || events.after(0).into_iter().filter(|event| event.kind == kind).collect::<Vec<_>>();
        let grown = async {
            while all().len() < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, grown).await.expect("the watch notices");
        all().pop().unwrap()
    };

    let next = Authority::new("the next authority");
    let next_ca = next.write(papers.folder.path(), "next-ca");
    next.sign(&["localhost", "127.0.0.1"]).write(papers.folder.path(), "balancer");
    assert_eq!(told(EventKind::CertificatesReloaded, 1).await.cause, "files have changed");
    let trust = SslOpts::default().with_root_certs(vec![next_ca.into()]).with_disable_built_in_roots(true);
    let mut new = Conn::new(front.shop().ssl_opts(trust.clone())).await.unwrap();
    assert!(Conn::new(front.shop().ssl_opts(papers.trust())).await.is_err(), "the old one is gone");
    old.ping().await.expect("what is open stays open");

    // A key that does not fit, and no key at all.
    let key = papers.folder.path().join("balancer.key");
    let good = std::fs::read(&key).unwrap();
    for (count, bad) in [(1, papers.authority.sign(&["localhost"]).key), (2, "nothing of use".to_owned())] {
        std::fs::write(&key, bad).unwrap();
        let event = told(EventKind::ActionFailed, count).await;
        assert!(event.detail.starts_with("the certificates stay as they were: "), "{}", event.detail);
        Conn::new(front.shop().ssl_opts(trust.clone())).await.expect("what was good stays in use");
    }
    std::fs::write(&key, good).unwrap();
    told(EventKind::CertificatesReloaded, 2).await;
    Conn::new(front.shop().ssl_opts(trust)).await.unwrap();
    new.ping().await.unwrap();
    old.ping().await.unwrap();
    watching.abort();
}

#[tokio::test]
async fn a_client_that_does_not_read_slows_only_its_own_statement() {
    let (_server, front, papers) = long_packets().await;
    for compression in [None, Some(mysql_async::Compression::fast())] {
        let options = || front.shop().ssl_opts(papers.trust()).compression(compression);
        let mut slow = Conn::new(options()).await.unwrap();
        let mut result =
            slow.exec_iter("SELECT seq, REPEAT(MD5(seq), 300) FROM seq_1_to_5000", ()).await.unwrap();
        let first: Row = result.next().await.unwrap().unwrap();
        assert_eq!(first.get::<u32, _>(0), Some(1));
        // Meanwhile 48 MB wait at the node.
        let mut other = Conn::new(options()).await.unwrap();
        for n in 0..200u32 {
            let told = timeout(PATIENCE, other.exec_first::<u32, _, _>("SELECT ? + 1", (n,))).await;
            assert_eq!(told.expect("the others go on").unwrap(), Some(n + 1));
        }
        let mut rows = 1;
        while let Some(row) = result.next().await.unwrap() {
            rows += 1;
            assert_eq!(row.get::<u32, _>(0), Some(rows));
        }
        assert_eq!(rows, 5000);
    }
}

/// The greeting's packet.
async fn greeting(stream: &mut TcpStream) -> Vec<u8> {
    let mut packet = vec![0; 4];
    stream.read_exact(&mut packet).await.unwrap();
    let length = u32::from_le_bytes([packet[0], packet[1], packet[2], 0]) as usize;
    packet.resize(4 + length, 0);
    stream.read_exact(&mut packet[4..]).await.unwrap();
    packet
}

/// A request for TLS, as a packet.
fn tls_request() -> Vec<u8> {
    let mut packet = vec![32, 0, 0, 1];
    packet.extend_from_slice(&(1u32 << 9 | 1 << 11 | 1 << 15 | 1 << 19).to_le_bytes());
    packet.extend_from_slice(&[0, 0, 0, 1, 45]);
    packet.resize(36, 0);
    packet
}

#[tokio::test]
async fn handshakes_that_break_off_end_their_session_and_nothing_else() {
    let server = Node::start(1).await;
    let papers = Papers::new();
    let front = Front::start_with(&[&server], |config| {
        config.tls = papers.tls();
        config.limits.login_ms = 2_000;
    });
    let mut good = Conn::new(front.shop().ssl_opts(papers.trust())).await.unwrap();
    // What is said in clear text behind the request is taken as TLS, never as a login.
    let mut in_clear = tls_request();
    in_clear.extend_from_slice(&[40, 0, 0, 2]);
    in_clear.resize(in_clear.len() + 40, 0);
    // The beginning of a first message that never ends.
    let mut half = tls_request();
    half.extend_from_slice(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3]);
    for said in [tls_request(), in_clear, half, tls_request()[..20].to_vec()] {
        for shut in [true, false] {
            let mut bad = TcpStream::connect(front.plane.address).await.unwrap();
            greeting(&mut bad).await;
            bad.write_all(&said).await.unwrap();
            if shut {
                bad.shutdown().await.unwrap();
            }
            let mut rest = Vec::new();
            let ended = timeout(PATIENCE, bad.read_to_end(&mut rest)).await.expect("the session ends");
            assert!(ended.is_err() || !rest.windows(7).any(|part| part == b"\x07\0\0\x02\0\0\0"), "no OK");
        }
        good.ping().await.unwrap();
    }
    // A client that has said all it wanted under TLS, and reads no more.
    let half_closed = Conn::new(front.shop().ssl_opts(papers.trust())).await.unwrap();
    drop(half_closed);
    let alone = async {
        while front.plane.clients() > 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, alone).await.expect("all others are gone");
    good.ping().await.unwrap();
}
