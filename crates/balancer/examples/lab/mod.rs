//! What the measuring programs here share: a node, a balancer in a process of its own, and clients.
#![allow(dead_code, reason = "each program uses a part of it")]

pub mod crew;
pub mod figures;

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use balancer::config::Config;
use cluster::{Account, LocalCluster};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio_util::sync::CancellationToken;

/// Whatever may go wrong.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The argument with which a program runs itself again as the balancer; the configuration comes as a line of JSON.
const AS_BALANCER: &str = "--as-balancer";

/// Rows of the table that clients read.
pub const ROWS: u32 = 10_000;

/// Runs the balancer and never returns to the caller's own work, if that is what this process was started for.
///
/// # Errors
/// The balancer does not start.
pub async fn balancer_if_asked() -> Result<bool, Error> {
    if std::env::args().nth(1).as_deref() != Some(AS_BALANCER) {
        return Ok(false);
    }
    let mut input = BufReader::new(tokio::io::stdin());
    let mut line = String::new();
    input.read_line(&mut line).await?;
    let config: Config = serde_json::from_str(&line)?;
    let balancer = balancer::server::start(config, CancellationToken::new()).await?;
    announce(balancer.address);
    // Ends with its parent, which holds the other end.
    let mut nothing = Vec::new();
    input.read_to_end(&mut nothing).await?;
    balancer.shutdown().await;
    Ok(true)
}

#[expect(clippy::print_stdout, reason = "that is how the parent learns the address")]
fn announce(address: SocketAddr) {
    println!("{address}");
}

/// The balancer's process; it ends when this is dropped.
pub struct Balancer {
    /// Where clients connect.
    pub address: SocketAddr,
    /// Its number.
    pub pid: u32,
    _child: Child,
    _input: ChildStdin,
}

impl Balancer {
    /// Starts this very program again as a balancer in front of the cluster's first node. `change` edits its settings.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(cluster: &LocalCluster, change: serde_json::Value) -> Result<Self, Error> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(AS_BALANCER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut input = child.stdin.take().ok_or("the balancer has no input")?;
        input.write_all(format!("{}\n", config(cluster, change)).as_bytes()).await?;
        let output = child.stdout.take().ok_or("the balancer has no output")?;
        let line = BufReader::new(output).lines().next_line().await?;
        let address = line.ok_or("the balancer did not start")?.parse()?;
        let pid = child.id().ok_or("the balancer has ended")?;
        Ok(Self { address, pid, _child: child, _input: input })
    }
}

fn config(cluster: &LocalCluster, change: serde_json::Value) -> serde_json::Value {
    let account = |account: &Account| json!({"name": account.user, "password": account.password.expose()});
    let accounts = cluster.accounts();
    let nodes = cluster.nodes();
    let mut config = json!({
        "listen": "127.0.0.1:0",
        "accounts": [account(&accounts.shop)],
        "operator": account(&accounts.operator),
        "replication": account(&accounts.replication),
        "nodes": [{"name": "n1", "address": nodes[0].server.to_string()}],
        "elastic": {"automatic": false},
    });
    if let (Some(config), serde_json::Value::Object(change)) = (config.as_object_mut(), change) {
        config.extend(change);
    }
    config
}

/// A local node with the table `point`.
///
/// # Errors
/// The node does not start.
pub async fn node() -> Result<LocalCluster, Error> {
    let cluster = LocalCluster::for_tests(1).await?;
    let mut owner = Conn::new(options(cluster.nodes()[0].server, &cluster.accounts().shop)).await?;
    owner.query_drop("CREATE TABLE point (id INT PRIMARY KEY, c CHAR(120) NOT NULL)").await?;
    let fill = format!("INSERT INTO point SELECT seq, REPEAT(CHAR(97 + seq % 26), 120) FROM seq_1_to_{ROWS}");
    owner.query_drop(fill).await?;
    Ok(cluster)
}

/// A client of the shop's account.
pub fn options(address: SocketAddr, account: &Account) -> OptsBuilder {
    OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some(account.user.clone()))
        .pass(Some(account.password.expose()))
        .db_name(Some("tpcw"))
        .prefer_socket(false)
        .max_allowed_packet(Some(16 << 20))
        .wait_timeout(Some(28_800))
}

/// Connections of the shop's account at the node, in the node's own words.
///
/// # Errors
/// The node cannot be asked.
pub async fn node_connections(asker: &mut Conn) -> Result<u64, Error> {
    let sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'shop'";
    asker.query_first(sql).await?.ok_or_else(|| "no count".into())
}

/// As the operator, directly.
///
/// # Errors
/// The node cannot be reached.
pub async fn operator(cluster: &LocalCluster) -> Result<Conn, Error> {
    let options = options(cluster.nodes()[0].server, &cluster.accounts().operator).db_name(None::<String>);
    Ok(Conn::new(options).await?)
}

/// The value after `--name`, or a default.
///
/// # Errors
/// It cannot be read.
pub fn argument<T: std::str::FromStr>(name: &str, default: T) -> Result<T, Error> {
    let mut arguments = std::env::args().skip(1);
    let Some(_) = arguments.find(|argument| argument == name) else { return Ok(default) };
    let value = arguments.next().ok_or_else(|| format!("{name} wants a value"))?;
    value.parse().map_err(|_| format!("{name}: `{value}` cannot be read").into())
}

/// Lets this process, and those it starts, have so many files open.
///
/// # Errors
/// The system does not allow it.
pub fn open_files(wanted: u64) -> Result<(), Error> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(wanted), maximum: limit.maximum.map(|most| most.max(wanted)) };
    setrlimit(Resource::Nofile, raised).map_err(|error| {
        let allowed = limit.maximum.map_or_else(|| "any number".to_owned(), |most| most.to_string());
        format!("{wanted} open files are needed and {allowed} are allowed (ulimit -Hn): {error}").into()
    })
}

/// Waits.
pub async fn pause(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}
