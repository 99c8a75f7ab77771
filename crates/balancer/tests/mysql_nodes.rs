//! Nodes of MySQL's kind, from the first look to a primary that others have changed. The servers are fakes that speak MySQL's
//! dialect and refuse MariaDB's ([`mysql`]): no MySQL server is at hand where these tests run.

mod mysql;
mod nodes;

use std::net::SocketAddr;
use std::time::Duration;

use balancer::config::Config;
use balancer::event::EventKind;
use balancer::request::Action;
use balancer::server::{self, Balancer, StartError};
use balancer::view::{ClusterView, NodeState};
use cluster::Role;
use mysql::{Server, Shared, config, uuid};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder};
use nodes::{eventually, opts};
use tokio_util::sync::CancellationToken;

/// A primary, two replicas and a balancer.
struct Stage {
    world: Shared,
    servers: Vec<Server>,
    balancer: Balancer,
}

impl Stage {
    async fn start(version: &'static str) -> Self {
        Self::start_with(version, |_| {}).await
    }

    async fn start_with(version: &'static str, change: impl FnOnce(&mut Config)) -> Self {
        let world = Shared::default();
        let mut servers = Vec::new();
        for _ in 0..3 {
            servers.push(Server::start(&world, version).await);
        }
        let mut config = config(&addresses(&servers));
        config.failover.hold_ms = 500;
        change(&mut config);
        let balancer = server::start(config, CancellationToken::new()).await.expect("it starts");
        Self { world, servers, balancer }
    }

    fn client_options(&self) -> OptsBuilder {
        opts(self.balancer.address.port(), "shop", "secret").db_name(Some("tpcw"))
    }

    async fn client(&self) -> Conn {
        Conn::new(self.client_options()).await.expect("a client logs in")
    }

    fn said(&self, node: usize, text: &str) -> usize {
        self.world.said(node, text)
    }

    fn roles(&self) -> Vec<(Role, NodeState)> {
        roles(&self.balancer.view.load())
    }

    async fn until(&self, what: &str, so: impl Fn(&[(Role, NodeState)]) -> bool) {
        eventually(what, async || so(&self.roles())).await;
    }

    fn last(&self, kind: EventKind) -> Option<String> {
        let event = self.balancer.events.after(0).into_iter().rfind(|event| event.kind == kind)?;
        Some(format!("{:?}: {} ({})", event.node, event.cause, event.detail))
    }
}

fn addresses(servers: &[Server]) -> Vec<SocketAddr> {
    servers.iter().map(|server| server.address).collect()
}

fn roles(view: &ClusterView) -> Vec<(Role, NodeState)> {
    view.nodes.iter().map(|node| (node.role, node.state)).collect()
}

/// How long writes may take to find their new primary on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const PRIMARY: (Role, NodeState) = (Role::Primary, NodeState::Serving);
const REPLICA: (Role, NodeState) = (Role::Replica, NodeState::Serving);

async fn count(client: &mut Conn) -> usize {
    client.query_first("SELECT COUNT(*) FROM t").await.unwrap().unwrap()
}

#[tokio::test]
async fn reads_are_spread_and_writes_go_to_the_primary() {
    // Old words for replication, new ones beside the old, the new ones alone.
    for version in ["8.0.19", "8.0.36", "8.4.3"] {
        let stage = Stage::start(version).await;
        assert_eq!(stage.roles(), [PRIMARY, REPLICA, REPLICA], "{version}");
        let mut client = stage.client().await;
        for number in 0..4 {
            client.query_drop(format!("INSERT INTO t VALUES ({number})")).await.unwrap();
            assert_eq!(client.affected_rows(), 1);
        }
        assert_eq!(count(&mut client).await, 4);
        let mut reader = stage.client().await;
        for _ in 0..10 {
            count(&mut reader).await;
        }
        let said = |text| [0, 1, 2].map(|node| stage.said(node, text));
        assert_eq!(said("INSERT"), [4, 0, 0], "{version}");
        let [primary, first, second] = said("SELECT COUNT");
        assert!(primary == 0 && first >= 5 && second >= 5, "{version}: {first}, {second}");
        assert_eq!(client.server_version(), version_of(version), "clients are shown the nodes' version");
        let refused = client.query_drop("SELECT nonsense FROM").await.expect_err("MySQL's own words");
        assert!(matches!(refused, Error::Server(error) if error.code == 1064));
    }
}

fn version_of(text: &str) -> (u16, u16, u16) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap());
    (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap())
}

#[tokio::test]
async fn a_session_sees_its_own_writes_on_replicas_that_are_late() {
    let stage = Stage::start_with("8.0.36", |config| config.causal.wait_ms = 1000).await;
    for node in 1..3 {
        stage.world.lock().nodes[node].delay = Duration::from_millis(30);
    }
    let (mut writer, mut other) = (stage.client().await, stage.client().await);
    for number in 1..=20 {
        writer.query_drop(format!("INSERT INTO t VALUES ({number})")).await.unwrap();
        assert_eq!(count(&mut writer).await, number, "its own write");
        let token: String = writer.query_first("SELECT @@tpcw_token").await.unwrap().unwrap();
        let mine = if number == 1 { "2".to_owned() } else { format!("2-{}", number + 1) };
        assert_eq!(token, format!("{}:{mine}", uuid(0)), "all that it has written");
        other.query_drop(format!("SET tpcw_token='{token}'")).await.unwrap();
        assert_eq!(count(&mut other).await, number, "what was handed over");
    }
    let waits = stage.said(1, "SELECT WAIT_FOR") + stage.said(2, "SELECT WAIT_FOR");
    assert!(waits > 0, "replicas are waited for");
    writer.query_drop("BEGIN").await.unwrap();
    writer.query_drop("INSERT INTO t VALUES (21)").await.unwrap();
    writer.query_drop("INSERT INTO t VALUES (22)").await.unwrap();
    writer.query_drop("COMMIT").await.unwrap();
    assert_eq!(count(&mut writer).await, 22, "a transaction's writes");
}

#[tokio::test]
async fn a_replica_too_late_is_not_waited_for_and_a_strange_token_is_the_primarys() {
    let stage = Stage::start_with("8.0.36", |config| config.causal.wait_ms = 50).await;
    for node in 1..3 {
        stage.world.lock().nodes[node].delay = Duration::from_secs(3600);
    }
    let mut client = stage.client().await;
    for number in 1..=5 {
        client.query_drop(format!("INSERT INTO t VALUES ({number})")).await.unwrap();
        assert_eq!(count(&mut client).await, number);
    }
    assert!(stage.said(0, "SELECT COUNT") > 0);
    for token in ["0-1-270", "00000000-0000-0000-0000-00000000000b:7"] {
        let mut client = stage.client().await;
        client.query_drop(format!("SET tpcw_token='{token}'")).await.unwrap();
        assert_eq!(count(&mut client).await, 5, "{token}");
    }
    assert_eq!(stage.said(1, "SELECT MASTER") + stage.said(2, "SELECT MASTER"), 0);
}

#[tokio::test]
async fn clients_without_the_short_end_of_results_see_their_writes_too() {
    let stage = Stage::start("8.0.36").await;
    for node in 1..3 {
        stage.world.lock().nodes[node].delay = Duration::from_millis(20);
    }
    let mut client = Conn::new(stage.client_options().client_found_rows(true)).await.unwrap();
    client.query_drop("SET tpcw_consistency='monotonic'").await.unwrap();
    let mut last = 0;
    for number in 1..=10 {
        client.query_drop(format!("INSERT INTO t VALUES ({number})")).await.unwrap();
        let primary: Option<String> =
            client.query_first("/* tpcw: role=primary */ SELECT @@server_id").await.unwrap();
        assert_eq!(primary.as_deref(), Some("1"));
        let now = count(&mut client).await;
        assert!(now >= last && now >= number, "{now} of {number} after {last}");
        last = now;
    }
    assert!(stage.said(0, "SELECT @@GLOBAL.gtid_executed") > 0, "the position is asked for in MySQL's words");
}

#[tokio::test]
async fn a_connection_that_was_reset_has_its_character_set_again() {
    let stage = Stage::start_with("8.0.36", |config| config.pool.max = 1).await;
    let mut first = stage.client().await;
    let plain: String = first.query_first("SELECT @@collation_connection").await.unwrap().unwrap();
    first.query_drop("SET time_zone='+01:00'").await.unwrap();
    first.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
    let mut second = stage.client().await;
    second.query_drop("INSERT INTO t VALUES (2)").await.unwrap();
    assert!(stage.said(0, "COM_RESET_CONNECTION") > 0, "the zone of the first was not the second's");
    let world = stage.world.lock();
    let writes = world.nodes[0].log.iter().filter(|(text, _)| text.starts_with("INSERT"));
    let collations: Vec<&str> = writes.map(|(_, collation)| &**collation).collect();
    assert_eq!(collations, [&*plain, &*plain]);
}

#[tokio::test]
async fn a_primary_that_dies_is_not_replaced_and_others_may_replace_it() {
    let mut stage = Stage::start("8.4.3").await;
    let mut client = stage.client().await;
    client.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
    stage.servers[0].kill().await;
    stage.until("n1 is out", |roles| roles[0] == (Role::Primary, NodeState::Down)).await;
    assert_eq!(count(&mut stage.client().await).await, 1, "replicas serve on");
    let refused = stage.client().await.query_drop("INSERT INTO t VALUES (2)").await;
    assert!(matches!(refused, Err(Error::Server(error)) if error.code == 1290), "nobody takes writes");
    stage.balancer.handle.ask(Action::Switchover("n2".into()), "test").expect("it may be asked for");
    eventually("it is refused", async || {
        stage.last(EventKind::ActionFailed).is_some_and(|told| told.contains("MySQL servers are observed"))
    })
    .await;
    // Somebody else's tool does it.
    stage.world.promote(1);
    stage.until("n2 is found", |roles| roles[1] == PRIMARY && roles[2] == REPLICA).await;
    let mut client = stage.client().await;
    client.query_drop("INSERT INTO t VALUES (2)").await.unwrap();
    assert_eq!((count(&mut client).await, stage.said(1, "INSERT")), (2, 1));
    // The dead one comes back as a replica of the new one.
    stage.servers[0].restart().await;
    stage.until("all serve", |roles| roles == [REPLICA, PRIMARY, REPLICA]).await;
    assert_eq!(count(&mut client).await, 2);
}

#[tokio::test]
async fn a_primary_that_comes_back_is_the_primary_again() {
    let mut stage = Stage::start("8.0.36").await;
    stage.servers[0].kill().await;
    stage.until("n1 is out", |roles| roles[0].1 == NodeState::Down).await;
    stage.servers[0].restart().await;
    stage.until("all serve", |roles| roles == [PRIMARY, REPLICA, REPLICA]).await;
    stage.client().await.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
}

#[tokio::test]
async fn a_planned_change_by_others_moves_the_writes() {
    let stage = Stage::start_with("8.0.36", |config| config.failover.hold_ms = 20_000).await;
    let mut client = stage.client().await;
    client.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
    let writer = async {
        let mut written = 1;
        while stage.said(2, "INSERT") < 20 {
            written += 1;
            client.query_drop(format!("INSERT INTO t VALUES ({written})")).await.unwrap();
        }
        assert_eq!(count(&mut client).await, written, "each write once, none refused");
    };
    let change = async {
        eventually("writes have begun", async || stage.said(0, "INSERT") > 20).await;
        stage.world.promote(2);
    };
    tokio::time::timeout(PATIENCE, async { tokio::join!(writer, change) }).await.expect("writes go on");
    stage.until("all serve", |roles| roles == [REPLICA, REPLICA, PRIMARY]).await;
}

async fn start_error(nodes: &[SocketAddr]) -> String {
    match server::start(config(nodes), CancellationToken::new()).await {
        Err(error @ StartError::Unfit { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_missing_is_told_at_the_start() {
    let world = Shared::default();
    let servers = [Server::start(&world, "8.0.36").await, Server::start(&world, "8.0.36").await];
    world.lock().nodes[1].gtid_mode = "OFF_PERMISSIVE";
    let told = start_error(&addresses(&servers)).await;
    assert_eq!(told, "n2 cannot be a node: gtid_mode=OFF_PERMISSIVE there, and gtid_mode=ON is needed");
    let old = Shared::default();
    let told = start_error(&[Server::start(&old, "5.7.44").await.address]).await;
    assert_eq!(told, "n1 cannot be a node: it is MySQL 5.7.44, and 8.0 or later is needed");
}

#[tokio::test]
async fn nodes_of_two_kinds_are_refused() {
    let world = Shared::default();
    let (mysql, mariadb) = (Server::start(&world, "8.4.3").await, nodes::Node::start(1).await);
    let mut root = mariadb.root().await;
    root.query_drop("CREATE USER operator@'%' IDENTIFIED BY 'operator''s'").await.unwrap();
    root.query_drop("GRANT ALL ON *.* TO operator@'%'").await.unwrap();
    let told = start_error(&[mysql.address, mariadb.address()]).await;
    assert!(told.contains("all nodes must be of one kind") && told.contains("MySQL 8.4.3"), "{told}");
}
