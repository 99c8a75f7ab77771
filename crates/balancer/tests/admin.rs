//! The admin API over HTTP, as an operator's script meets it.

mod steering;

use std::net::SocketAddr;
use std::time::Duration;

use balancer::admin::api::{EventRow, NodeRow, Problem, Sessions, Settings, Status, StrategyBody};
use balancer::admin::{BODY, door};
use balancer::config::Elastic;
use balancer::event::EventKind;
use balancer::server::{self, Balancer};
use balancer::view::{ClusterView, NodeState, Strategy};
use cluster::{LocalCluster, Role};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use steering::{PATIENCE, config, session_options};

/// An answer: its status and its body.
struct Answer(u16, String);

impl Answer {
    fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.1).unwrap_or_else(|error| panic!("{error}: {} {}", self.0, self.1))
    }
}

/// One request on a connection of its own.
async fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.expect("the admin API listens");
        // A server that refuses a long body need not read it to its end.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).expect("text")
    };
    let text = timeout(PATIENCE, exchange).await.expect("an answer in time");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer(status, body.to_owned())
}

struct Stage {
    cluster: LocalCluster,
    balancer: Balancer,
    admin: SocketAddr,
}

impl Stage {
    async fn new(nodes: usize, candidates: &[&str]) -> Self {
        let cluster = LocalCluster::for_tests(nodes).await.expect("a cluster");
        let config = config(&cluster, candidates);
        let balancer = server::start(config, CancellationToken::new()).await.expect("it starts");
        let admin = balancer.admin_address.expect("the admin API is on");
        Self { cluster, balancer, admin }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let answer = ask(self.admin, "GET", path, "").await;
        assert_eq!(answer.0, 200, "{path}: {}", answer.1);
        answer.json()
    }

    async fn post(&self, path: &str) {
        let answer = ask(self.admin, "POST", path, "").await;
        assert_eq!(answer.0, 202, "{path}: {}", answer.1);
    }

    async fn until(&self, what: &str, pleases: impl FnMut(&ClusterView) -> bool) {
        if self.balancer.view.wait_for(PATIENCE, pleases).await.is_none() {
            panic!("{what}: {:#?}", self.balancer.events.after(0));
        }
    }

    async fn stop(self) {
        self.balancer.shutdown().await;
        self.cluster.stop().await.expect("all stops");
    }
}

fn is(id: &'static str, role: Role, state: NodeState) -> impl FnMut(&ClusterView) -> bool {
    move |view| view.nodes.iter().any(|n| n.id.as_str() == id && n.role == role && n.state == state)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_reads_and_changes_everything_over_http() {
    let stage = Stage::new(3, &["n3"]).await;
    look(&stage).await;
    see_who_is_pinned(&stage).await;
    change_settings(&stage).await;
    use NodeState::*;
    stage.post("/nodes/n2/disable").await;
    stage.until("n2 is off", is("n2", Role::Replica, Disabled)).await;
    stage.post("/nodes/n2/enable").await;
    stage.until("n2 is on", is("n2", Role::Replica, Serving)).await;
    stage.post("/nodes/n2/drain").await;
    stage.until("n2 is drained", is("n2", Role::Replica, Disabled)).await;
    stage.post("/nodes/n2/enable").await;
    stage.until("n2 is on again", is("n2", Role::Replica, Serving)).await;
    stage.post("/scale/out").await;
    stage.until("n3 serves", is("n3", Role::Replica, Serving)).await;
    stage.post("/scale/in?node=n3&cause=night%20shift").await;
    stage.until("n3 stands by", is("n3", Role::Candidate, Standby)).await;
    stage.post("/nodes/n2/promote").await;
    stage.until("n2 is the primary", is("n2", Role::Primary, Serving)).await;
    stage.until("n1 follows it", is("n1", Role::Replica, Serving)).await;
    events_have_numbers_and_ages(&stage).await;
    stage.stop().await;
}

async fn look(stage: &Stage) {
    let status: Status = stage.get("/status").await;
    assert_eq!((status.primary.as_deref(), status.serving), (Some("n1"), 2));
    assert_eq!(status.warnings, [""; 0], "n1 waits for its followers");
    let events: Vec<EventRow> = stage.get("/events").await;
    assert_eq!(events, [], "nothing has happened yet");
    let nodes: Vec<NodeRow> = stage.get("/nodes").await;
    let told: Vec<_> = nodes.iter().map(|row| (row.node.as_str(), row.role, row.state, row.alive)).collect();
    let expected = [
        ("n1", Role::Primary, NodeState::Serving, true),
        ("n2", Role::Replica, NodeState::Serving, true),
        ("n3", Role::Candidate, NodeState::Standby, true),
    ];
    assert_eq!(told, expected);
    for (path, text) in [("/health/live", "live\n"), ("/health/ready", "ready\n")] {
        let answer = ask(stage.admin, "GET", path, "").await;
        assert_eq!((answer.0, answer.1.as_str()), (200, text));
    }
    let page = ask(stage.admin, "GET", "/metrics", "").await.1;
    assert!(page.contains("\ntpcw_node_up{node=\"n3\",role=\"candidate\"} 1\n"), "{page}");
    prometheus_can_read(&page);
}

async fn see_who_is_pinned(stage: &Stage) {
    let options = session_options(stage.balancer.address, &stage.cluster.accounts().shop);
    let (mut pinned, idle) = (Conn::new(options.clone()).await.unwrap(), Conn::new(options).await.unwrap());
    pinned.query_drop("BEGIN").await.unwrap();
    let told: Sessions = stage.get("/sessions").await;
    assert_eq!((told.sessions, told.pinned, told.list.len()), (2, 1, 2));
    assert_eq!((told.pinned_by["transaction"], told.pinned_by["locks"]), (1, 0));
    let told: Sessions = stage.get("/sessions?pinned=true&limit=5").await;
    assert_eq!((told.list.len(), told.list[0].statement.as_str()), (1, "BEGIN"));
    let page = ask(stage.admin, "GET", "/metrics", "").await.1;
    assert!(page.contains("\ntpcw_sessions_pinned{cause=\"transaction\"} 1\n"), "{page}");
    assert_eq!(ask(stage.admin, "GET", "/sessions?limit=many", "").await.0, 400);
    pinned.disconnect().await.unwrap();
    idle.disconnect().await.unwrap();
}

/// Every sample belongs to a family that was announced before, has a number, and is there once.
fn prometheus_can_read(page: &str) {
    let mut families = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for line in page.lines() {
        if let Some(announced) = line.strip_prefix("# TYPE ") {
            let (name, kind) = announced.split_once(' ').expect("a kind");
            assert!(["counter", "gauge", "summary", "histogram"].contains(&kind), "{line}");
            assert!(!families.contains(&name), "twice: {line}");
            families.push(name);
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            value.parse::<f64>().unwrap_or_else(|error| panic!("{line}: {error}"));
            let name = series.split('{').next().expect("a name");
            let family =
                ["_sum", "_count", "_bucket"].iter().fold(name, |name, end| name.trim_end_matches(end));
            assert_eq!(families.last(), Some(&family), "{line}");
            assert!(seen.insert(series), "twice: {line}");
        }
    }
    assert!(families.len() > 10 && page.ends_with('\n'), "{page}");
}

async fn change_settings(stage: &Stage) {
    let answer = ask(stage.admin, "PUT", "/strategy", r#"{"strategy":"least_latency"}"#).await;
    assert_eq!(answer.0, 200, "{}", answer.1);
    stage.until("reads are spread anew", |view| view.strategy == Strategy::LeastLatency).await;
    assert_eq!(stage.get::<StrategyBody>("/strategy").await.strategy, Strategy::LeastLatency);
    let before: Elastic = stage.get("/elastic").await;
    let wanted = Elastic { out_above_ms: 300.0, ..before };
    let answer = ask(stage.admin, "PUT", "/elastic", &serde_json::to_string(&wanted).expect("JSON")).await;
    assert_eq!((answer.0, answer.json::<Elastic>()), (200, wanted.clone()));
    assert_eq!(stage.get::<Settings>("/settings").await.elastic, wanted);
}

async fn events_have_numbers_and_ages(stage: &Stage) {
    let events: Vec<EventRow> = stage.get("/events").await;
    let pairs = || events.iter().zip(events.iter().skip(1));
    assert!(pairs().all(|(a, b)| a.sequence + 1 == b.sequence && a.age_ms >= b.age_ms), "{events:#?}");
    assert!(events.iter().all(|event| event.age_ms >= 0.0));
    let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
    use EventKind::*;
    for kind in [ScaleOutRequested, ScaleOutDone, ScaleInRequested, ScaleInDone, Promoted, Rejoined] {
        assert!(kinds.contains(&kind), "{kind:?} is missing in {events:#?}");
    }
    assert!(!kinds.contains(&ActionFailed), "{events:#?}");
    let cause_of = |kind| events.iter().find(|event| event.kind == kind).map(|event| event.cause.as_str());
    assert_eq!(cause_of(ScaleOutRequested), Some("admin API"), "where nothing was said");
    assert_eq!(cause_of(ScaleInRequested), Some("night shift"));
    let last = events.last().expect("an event").sequence;
    let newer: Vec<EventRow> = stage.get(&format!("/events?after={}", last - 1)).await;
    assert_eq!(newer.iter().map(|event| event.sequence).collect::<Vec<_>>(), [last]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_refused_with_what_would() {
    let stage = Stage::new(2, &[]).await;
    let long = format!(r#"{{"strategy":"{}"}}"#, "x".repeat(2 * BODY));
    let table: &[(&str, &str, &str, u16, &str, &str)] = &[
        ("GET", "/nothing", "", 404, "there is no such path", "GET /status"),
        ("DELETE", "/status", "", 405, "does not take this method", "GET /status"),
        ("POST", "/nodes/n9/drain", "", 404, "no node `n9`", "n2"),
        ("POST", "/nodes/n2/shoot", "", 404, "cannot be asked to `shoot`", "drain"),
        ("POST", "/nodes/n%FF/drain", "", 400, "", "GET /status"),
        ("POST", "/nodes/n1/drain", "", 409, "n1 is the primary", ""),
        ("POST", "/nodes/n1/promote", "", 409, "n1 is the primary already", ""),
        ("POST", "/nodes/n2/enable", "", 409, "n2 is not disabled", ""),
        ("POST", "/scale/up", "", 404, "no direction `up`", "out"),
        ("POST", "/scale/out", "", 409, "no candidate stands by", ""),
        ("POST", "/scale/in", "", 409, "the floor", ""),
        ("POST", "/scale/out?nod=n2", "", 400, "nod", "node=<name of a node>"),
        (
            "POST",
            "/scale/out?cause=",
            "",
            400,
            "no cause",
            "cause=<1 to 64 letters, digits, blanks or -_.:/#>",
        ),
        ("POST", "/nodes/n2/drain?cause=a%0Ab", "", 400, "no cause", ""),
        ("POST", "/nodes/n2/drain?node=n2", "", 400, "node", ""),
        ("GET", "/events?after=x", "", 400, "", "after=<number of the last event seen>"),
        ("PUT", "/strategy", r#"{"strategy":"fastest"}"#, 422, "fastest", "least_latency"),
        ("PUT", "/strategy", "{", 400, "", "round_robin"),
        ("PUT", "/strategy", &long, 413, "", "round_robin"),
        ("PUT", "/elastic", r#"{"flor":2}"#, 422, "flor", "floor"),
        ("PUT", "/elastic", r#"{"floor":0}"#, 422, "elastic.floor: 0 is not allowed; at least 1", ""),
    ];
    for (method, path, body, status, error, allowed) in table {
        let answer = ask(stage.admin, method, path, body).await;
        assert_eq!(answer.0, *status, "{method} {path}: {}", answer.1);
        let problem: Problem = answer.json();
        assert!(problem.error.contains(error), "{method} {path}: {problem:?}");
        assert!(!problem.error.is_empty());
        assert!(allowed.is_empty() || problem.allowed.iter().any(|a| a == allowed), "{path}: {problem:?}");
    }
    assert_eq!(stage.get::<Vec<EventRow>>("/events").await, [], "and nothing was done");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_harm_only_themselves() {
    let stage = Stage::new(1, &[]).await;
    let mut slow = Vec::new();
    for _ in 0..door::CONNECTIONS - 1 {
        let mut stream = TcpStream::connect(stage.admin).await.expect("the admin API listens");
        stream.write_all(b"PUT /strategy HTTP/1.1\r\nContent-Le").await.expect("half a request");
        slow.push(stream);
    }
    let status: Status = stage.get("/status").await;
    assert_eq!(status.primary.as_deref(), Some("n1"));
    // They are cut off, which makes room again, also when there is none left.
    slow.push(TcpStream::connect(stage.admin).await.expect("it still listens"));
    let status: Status = stage.get("/status").await;
    assert_eq!(status.serving, 1);
    let mut rest = Vec::new();
    let ended = timeout(PATIENCE, slow[0].read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "it was cut off");
    // One that has only begun does not hold up the end.
    let mut late = TcpStream::connect(stage.admin).await.expect("it still listens");
    late.write_all(b"GET /sta").await.expect("half a request");
    timeout(Duration::from_secs(3), stage.balancer.shutdown()).await.expect("it ends all the same");
    stage.cluster.stop().await.expect("all stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_leaves_after_the_transactions_that_are_open_on_it() {
    let stage = Stage::new(3, &[]).await;
    let shop = &stage.cluster.accounts().shop;
    let options = session_options(stage.balancer.address, shop);
    let mut session = timeout(PATIENCE, Conn::new(options)).await.expect("in time").expect("a session");
    session.query_drop("START TRANSACTION READ ONLY").await.expect("a transaction");
    let on: Option<u32> = session.query_first("SELECT @@server_id").await.expect("a read");
    let node = format!("n{}", on.expect("a number"));
    let nodes: Vec<NodeRow> = stage.get("/nodes").await;
    let row = nodes.iter().find(|row| row.node == node).expect("a known node");
    assert_eq!((row.role, row.pinned), (Role::Replica, 1), "{nodes:#?}");

    stage.post(&format!("/scale/in?node={node}")).await;
    let state = |wanted: NodeState| {
        let node = node.clone();
        move |view: &ClusterView| view.nodes.iter().any(|n| n.id.as_str() == node && n.state == wanted)
    };
    stage.until("it drains", state(NodeState::Draining)).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(state(NodeState::Draining)(&stage.balancer.view.load()), "a transaction is open on it");
    let again: Option<u32> = session.query_first("SELECT @@server_id").await.expect("it goes on there");
    assert_eq!(again, on);
    session.query_drop("COMMIT").await.expect("it ends");
    stage.until("it stands by", state(NodeState::Standby)).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_waits_for_nobody_is_warned_of_and_left_as_it_is() {
    let cluster = LocalCluster::for_tests(2).await.expect("a cluster");
    let mut n1 = cluster.admin(&"n1".into(), PATIENCE).await.expect("n1 answers");
    n1.run("SET GLOBAL rpl_semi_sync_master_enabled=OFF").await.expect("it is switched off");
    let config = config(&cluster, &[]);
    let balancer = server::start(config, CancellationToken::new()).await.expect("it starts");
    let warnings = balancer.handle.status().warnings;
    assert!(warnings.iter().any(|w| w.starts_with("primary n1 acknowledges writes before")), "{warnings:?}");
    let on: Vec<u8> = n1.rows("SELECT @@global.rpl_semi_sync_master_enabled").await.expect("n1 answers");
    assert_eq!(on, [0]);
    balancer.shutdown().await;
    cluster.stop().await.expect("all stops");
}
