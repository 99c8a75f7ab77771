//! TLS between the balancer and nodes.

mod certificates;
mod nodes;

use std::net::SocketAddr;
use std::time::Duration;

use balancer::config::NodesTls;
use balancer::config::tls::{TlsMode, Verify};
use balancer::event::EventKind;
use balancer::server::{self, StartError};
use balancer::view::NodeState;
use certificates::Papers;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use nodes::{Front, Node};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long any single thing may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const ENCRYPTED: &str =
    "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME='Ssl_version'";

impl Papers {
    /// A server with a certificate for `names`.
    async fn node(&self, number: u32, names: &[&str]) -> Node {
        let files = self.authority.sign(names).write(self.folder.path(), &format!("node{number}"));
        let arguments = [("ca", &self.ca), ("cert", &files.certificate), ("key", &files.key)];
        let arguments = arguments.map(|(name, path)| format!("--ssl-{name}={}", path.display()));
        Node::start_with(number, arguments.to_vec()).await
    }

    fn required(&self, verify: Verify) -> NodesTls {
        NodesTls { mode: TlsMode::Required, ca: Some(self.ca.clone()), verify, ..NodesTls::default() }
    }
}

fn front(nodes: &[&Node], tls: NodesTls) -> Front {
    Front::start_with(nodes, |config| config.nodes_tls = tls)
}

/// How the statements of a client reach the node: the protocol's version, empty without TLS.
async fn reached(front: &Front) -> String {
    let mut client = front.client().await;
    client.query_first(ENCRYPTED).await.unwrap().unwrap()
}

/// What a client is told when no node can be used.
async fn refused(front: &Front) -> (u16, String) {
    match Conn::new(front.shop()).await {
        Err(Error::Server(error)) => (error.code, error.message),
        other => panic!("{:?}", other.map(|_| "a connection")),
    }
}

#[tokio::test]
async fn nodes_are_reached_under_tls_as_far_as_the_settings_ask_for_it() {
    let papers = Papers::new();
    let (named, plain) = (papers.node(1, &["db1.example"]).await, Node::start(2).await);
    let off = NodesTls::default();
    let preferred = NodesTls { mode: TlsMode::Preferred, ..NodesTls::default() };
    assert_eq!(reached(&front(&[&named], off)).await, "");
    assert_eq!(reached(&front(&[&named], preferred.clone())).await, "TLSv1.3");
    assert_eq!(reached(&front(&[&plain], preferred)).await, "");
    assert_eq!(reached(&front(&[&named], papers.required(Verify::None))).await, "TLSv1.3");
    assert_eq!(reached(&front(&[&named], papers.required(Verify::Ca))).await, "TLSv1.3");
    let names = [("n1".to_owned(), "db1.example".to_owned())].into();
    let by_name = NodesTls { names, ..papers.required(Verify::Identity) };
    assert_eq!(reached(&front(&[&named], by_name)).await, "TLSv1.3");

    let (code, message) = refused(&front(&[&plain], papers.required(Verify::None))).await;
    assert_eq!(code, 1105);
    assert!(message.contains("does not offer TLS, which is required"), "{message}");
    let (code, message) = refused(&front(&[&named], papers.required(Verify::Identity))).await;
    assert_eq!(code, 1105);
    assert!(message.contains("certificate not valid for name \"127.0.0.1\""), "{message}");
    let (code, message) = refused(&front(&[&named], Papers::new().required(Verify::Ca))).await;
    assert_eq!(code, 1105);
    assert!(message.contains("UnknownIssuer"), "{message}");
}

#[tokio::test]
async fn nodes_may_ask_for_the_balancers_certificate() {
    let papers = Papers::new();
    let node = papers.node(1, &["127.0.0.1"]).await;
    let mut root = node.root().await;
    root.query_drop("SET sql_log_bin=0; ALTER USER shop@'%' REQUIRE X509").await.unwrap();
    let without = front(&[&node], papers.required(Verify::Identity));
    assert_eq!(refused(&without).await.0, 1045, "the server's own refusal");
    let files = papers.authority.sign(&["the balancer"]).write(papers.folder.path(), "balancer");
    let tls = NodesTls {
        certificate: Some(files.certificate),
        key: Some(files.key),
        ..papers.required(Verify::Identity)
    };
    assert_eq!(reached(&front(&[&node], tls)).await, "TLSv1.3");
}

#[tokio::test]
async fn encrypted_connections_are_cut_found_broken_and_used_again_as_others_are() {
    let papers = Papers::new();
    let (primary, mut replica) = (papers.node(1, &["127.0.0.1"]).await, papers.node(2, &["127.0.0.1"]).await);
    for (node, number) in [(&primary, 1), (&replica, 2)] {
        let mut root = node.root().await;
        let table = format!("CREATE TABLE tpcw.t AS SELECT {number} AS node");
        root.query_drop(format!("SET sql_log_bin=0; {table}")).await.unwrap();
    }
    let front = front(&[&primary, &replica], papers.required(Verify::Identity));
    let mut client = front.client().await;
    let (which, own) = ("SELECT node FROM t", "SELECT /* tpcw: node=n2 */ CONNECTION_ID()");
    let there = |node: &Node| Some(if node.port == primary.port { 1 } else { 2 });
    assert_eq!(client.query_first::<u32, _>(which).await.unwrap(), there(&replica));
    let first: Option<u32> = client.query_first(own).await.unwrap();
    for _ in 0..20 {
        assert_eq!(client.query_first::<u32, _>(own).await.unwrap(), first, "an idle connection is quiet");
    }

    // A statement on a node that hangs sees its connection cut, and is asked elsewhere.
    replica.pause(true).await;
    let waiting = tokio::spawn(async move {
        let told = client.query_first::<u32, _>(which).await.unwrap();
        (client, told)
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    let generation = |state: NodeState| {
        front.publish(|view| {
            view.nodes[1].state = state;
            view.nodes[1].epoch += 1;
        });
    };
    generation(NodeState::Down);
    let (mut client, told) = timeout(PATIENCE, waiting).await.expect("it is cut").unwrap();
    assert_eq!(told, there(&primary));
    replica.pause(false).await;
    generation(NodeState::Serving);
    assert_eq!(client.query_first::<u32, _>(which).await.unwrap(), there(&replica));

    // An idle connection to a server that went away is found broken before anything is sent on it.
    replica.kill();
    replica.restart().await;
    assert_eq!(client.query_first::<u32, _>(which).await.unwrap(), there(&replica));

    // Long ones in either direction.
    let text = "0123456789abcdef".repeat(200_000);
    let back: Option<String> = client.query_first(format!("SELECT '{text}'")).await.unwrap();
    assert!(back == Some(text));
}

#[tokio::test]
async fn new_authorities_are_learned_while_it_runs() {
    let (old, new) = (Papers::new(), Papers::new());
    let (first, second) = (old.node(1, &["127.0.0.1"]).await, new.node(2, &["127.0.0.1"]).await);
    let front = front(&[&first, &second], old.required(Verify::Identity));
    let mut client = front.client().await;
    let on_replica = "SELECT 5";
    // The replica's certificate is not accepted.
    assert!(client.query_first::<u32, _>(on_replica).await.is_err());
    let both = [&old.ca, &new.ca].map(|path| std::fs::read_to_string(path).unwrap()).concat();
    std::fs::write(&old.ca, both).unwrap();
    front.certificates.reload().unwrap();
    assert_eq!(client.query_first::<u32, _>(on_replica).await.unwrap(), Some(5));
}

/// A request to the admin API: the status and the body.
async fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let text = format!("{request} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("an answer").unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn the_control_plane_reaches_nodes_under_tls_and_reloads_certificates_when_asked() {
    let papers = Papers::new();
    let node = papers.node(1, &["db1.example"]).await;
    let mut root = node.root().await;
    let user = "CREATE USER operator@'%' IDENTIFIED BY 'o' REQUIRE X509; GRANT ALL ON *.* TO operator@'%'";
    root.query_drop(format!("SET sql_log_bin=0; {user}")).await.unwrap();
    papers.authority.sign(&["the balancer"]).write(papers.folder.path(), "own");
    let text = |tls: &str| {
        format!(
            "listen = '127.0.0.1:0'\nadmin = '127.0.0.1:0'\n\
             operator = {{ name = 'operator', password = 'o' }}\n\
             replication = {{ name = 'repl', password = 'repl' }}\n\
             accounts = [{{ name = 'shop', password = 'secret' }}]\n\
             [[nodes]]\nname = 'n1'\naddress = '127.0.0.1:{}'\n\
             [nodes_tls]\n{}",
            node.port,
            tls.replace("DIR", &papers.folder.path().display().to_string())
        )
    };
    let start = async |tls: &str| {
        server::start(toml::from_str(&text(tls)).expect("settings"), CancellationToken::new()).await
    };
    let denied = start("mode = 'required'").await.expect_err("the operator has to show a certificate");
    assert!(matches!(denied, StartError::Denied { .. }), "{denied}");
    let own = "mode = 'required'\ncertificate = 'DIR/own.pem'\nkey = 'DIR/own.key'\nca = 'DIR/ca.pem'\n";
    let denied = start(&format!("{own}verify = 'identity'")).await.expect_err("by address");
    assert!(denied.to_string().contains("not valid for name"), "{denied}");
    let missing = start("mode = 'required'\nca = 'DIR/nothing'\nverify = 'ca'").await.expect_err("no file");
    assert!(
        missing.to_string().ends_with("nothing: cannot be read: No such file or directory (os error 2)"),
        "{missing}"
    );
    let odd = start("mode = 'preferred'\nca = 'DIR/ca.pem'\nverify = 'ca'").await.expect_err("no sense");
    assert!(odd.to_string().starts_with("configuration: nodes_tls.mode: "), "{odd}");

    let balancer =
        start(&format!("{own}verify = 'identity'\nnames = {{ n1 = 'db1.example' }}")).await.unwrap();
    let mut client = Conn::new(nodes::opts(balancer.address.port(), "shop", "secret")).await.unwrap();
    assert_eq!(client.query_first::<String, _>(ENCRYPTED).await.unwrap().unwrap(), "TLSv1.3");
    let admin = balancer.admin_address.unwrap();
    let (code, body) = ask(admin, "POST /tls/reload").await;
    assert_eq!((code, body.contains("new connections use")), (200, true), "{body}");
    std::fs::write(papers.folder.path().join("own.key"), "nothing").unwrap();
    let (code, body) = ask(admin, "POST /tls/reload").await;
    assert_eq!((code, body.contains("own.key: holds no private key in PEM")), (422, true), "{body}");
    let told = balancer.events.after(0);
    let told: Vec<_> = told.iter().map(|event| (event.kind, event.cause.as_str())).collect();
    assert!(told.contains(&(EventKind::CertificatesReloaded, "admin API")), "{told:?}");
    assert!(told.contains(&(EventKind::ActionFailed, "admin API")), "{told:?}");
    client.query_drop("DO 1").await.unwrap();
    balancer.shutdown().await;
}
