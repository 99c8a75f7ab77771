//! The API is what its description says, asks for its token, and tells events as they happen. No node is needed: the control
//! plane runs on fake ones.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::simulation::{Stage, stage};

const PATIENCE: Duration = Duration::from_secs(20);

/// A control plane, where its API listens, and what ends it.
async fn api(token: Option<Token>) -> (Stage, SocketAddr, CancellationToken) {
    let stage = Stage::new(stage::config(3, 1), 1, None).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (address, stop) = (listener.local_addr().expect("bound"), CancellationToken::new());
    tokio::spawn(serve(listener, stage.handle.clone(), token, stop.clone()));
    (stage, address, stop)
}

async fn send(address: SocketAddr, method: &str, path: &str, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = format!("{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{head}\r\n");
    stream.write_all(request.as_bytes()).await.expect("it listens");
    stream
}

async fn ask(address: SocketAddr, method: &str, path: &str, head: &str) -> (u16, String) {
    let mut stream = send(address, method, path, head).await;
    let mut text = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut text)).await.expect("in time").expect("text");
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, text.split_once("\r\n\r\n").expect("a body").1.to_owned())
}

fn description() -> Value {
    serde_json::from_str(OPENAPI).expect("the description is JSON")
}

/// `GET /nodes/{}`: whatever stands in braces.
fn plain(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    path.split('{')
        .map(|part| part.split_once('}').map_or(part, |(_, rest)| rest))
        .collect::<Vec<_>>()
        .join("{}")
}

#[tokio::test]
async fn the_description_names_the_paths_that_there_are() {
    let description = description();
    let mut described = BTreeSet::new();
    for (path, methods) in description["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            described.insert(plain(&format!("{} {path}", method.to_uppercase())));
        }
    }
    assert_eq!(described, PATHS.iter().map(|path| plain(path)).collect());
    let (_stage, address, _stop) = api(None).await;
    for path in described {
        let (method, path) = path.split_once(' ').expect("a method");
        if path == "/events/stream" {
            continue; // It does not end.
        }
        let fitting = match path {
            "/nodes/{}/{}" => "/nodes/n2/drain",
            "/scale/{}" => "/scale/out",
            "/health/{}" => "/health/live",
            other => other,
        };
        let (status, text) = ask(address, method, fitting, "").await;
        assert!(![404, 405].contains(&status), "{method} {path}: {status} {text}");
    }
}

#[tokio::test]
async fn answers_have_the_keys_that_are_described() {
    let (stage, address, _stop) = api(None).await;
    stage.handle.ask(Action::Drain("n2".into()), "test").expect("n2 serves");
    for _ in 0..200 {
        if !stage.handle.events_after(0).is_empty() {
            break;
        }
        stage.handle.ask(Action::ScaleOut(None), "test").ok();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let description = description();
    for (path, schema) in [
        ("/status", "Status"),
        ("/nodes", "Node"),
        ("/events", "Event"),
        ("/settings", "Settings"),
        ("/elastic", "Elastic"),
    ] {
        let (status, text) = ask(address, "GET", path, "").await;
        assert_eq!(status, 200, "{path}: {text}");
        let answer: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"));
        let one = answer.as_array().map_or(&answer, |list| list.first().expect("not empty"));
        let keys: BTreeSet<&String> = one.as_object().expect("an object").keys().collect();
        let properties = description["components"]["schemas"][schema]["properties"].as_object();
        assert_eq!(keys, properties.expect("a schema").keys().collect(), "{path}");
    }
}

#[tokio::test]
async fn without_the_token_nobody_gets_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    std::fs::write(&path, "short\n").expect("written");
    assert!(Token::read(&path).is_err(), "it could be guessed");
    std::fs::write(&path, "correct-horse-battery\n").expect("written");
    let token = Token::read(&path).expect("long enough");
    let (_stage, address, _stop) = api(Some(token)).await;
    for (head, path, expected) in [
        ("", "/status", 401),
        ("", "/nothing", 401),
        ("Authorization: Bearer correct-horse-batterx\r\n", "/status", 401),
        ("Authorization: Basic correct-horse-battery\r\n", "/status", 401),
        ("Authorization: Bearer correct-horse-battery\r\n", "/status", 200),
        ("", "/health/live", 200),
    ] {
        let (status, text) = ask(address, "GET", path, head).await;
        assert_eq!(status, expected, "{path} {head}: {text}");
    }
    let (status, _) = ask(address, "POST", "/scale/out", "").await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn events_are_told_as_they_happen() {
    let (stage, address, _stop) = api(None).await;
    let mut stream = send(address, "GET", "/events/stream", "").await;
    let mut text = String::new();
    stage.handle.ask(Action::ScaleOut(None), "test").expect("n3 stands by");
    let read = async {
        while !text.contains("event: scale_out_done") {
            let mut bytes = [0; 4096];
            let n = stream.read(&mut bytes).await.expect("it goes on");
            assert!(n > 0, "it ended: {text}");
            text.push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
    };
    timeout(PATIENCE, read).await.expect("in time");
    assert!(text.contains("text/event-stream"), "{text}");
    assert!(text.contains("event: scale_out_requested") && text.contains("\"cause\":\"test\""), "{text}");
    // Whoever has seen the first goes on with the second.
    let mut later = send(address, "GET", "/events/stream", "Last-Event-ID: 1\r\n").await;
    let mut text = String::new();
    let read = async {
        while !text.contains("event: scale_out_done") {
            let mut bytes = [0; 4096];
            let n = later.read(&mut bytes).await.expect("it goes on");
            text.push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
    };
    timeout(PATIENCE, read).await.expect("in time");
    assert!(!text.contains("event: scale_out_requested"), "{text}");
}
