//! What stands between the load and the node: each hop is a process of its own in front of the same node.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use balancer::config::Config;
use clap::ValueEnum;
use cluster::LocalCluster;
use serde_json::json;
use tokio::io::AsyncBufReadExt as _;
use tokio::process::{Child, Command};

use crate::{Failure, floor};

/// A hop that does not answer by then does not work.
const START: Duration = Duration::from_secs(10);

/// The kinds of hops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Hop {
    /// None: the load goes to the node.
    Direct,
    /// A forwarder that looks at nothing, on the balancer's runtime.
    Floor,
    /// The same on bare system calls.
    Epoll,
    /// HAProxy in TCP mode, a thread a core.
    Haproxy,
    /// The balancer.
    Balancer,
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Direct => "direct",
            Self::Floor => "floor",
            Self::Epoll => "floor (epoll)",
            Self::Haproxy => "haproxy",
            Self::Balancer => "balancer",
        })
    }
}

/// A hop that runs. Dropped, it is ended.
#[derive(Debug)]
pub struct Running {
    /// What it is.
    pub hop: Hop,
    /// Where the load connects.
    pub address: SocketAddr,
    /// Its process, if it has one of its own.
    pub pid: Option<u32>,
    _process: Option<Child>,
}

impl Running {
    /// Starts a hop in front of a cluster's first node. `program`: a `tpcw` to take for the balancer, instead of the
    /// library that this program was built with.
    ///
    /// # Errors
    /// It cannot be started, or does not listen in time.
    pub async fn start(
        hop: Hop,
        cluster: &LocalCluster,
        folder: &Path,
        program: Option<&Path>,
    ) -> Result<Self, Failure> {
        let node = cluster.nodes()[0].address;
        if hop == Hop::Direct {
            return Ok(Self { hop, address: node, pid: None, _process: None });
        }
        let address = free_address()?;
        let mut command = match (hop, program) {
            (Hop::Haproxy, _) => haproxy(folder, address, node)?,
            (Hop::Balancer, Some(program)) => {
                let mut command = Command::new(program);
                command.args(["balance", "--config"]).arg(write_config(cluster, folder, address)?);
                command
            }
            (Hop::Balancer, None) => this_program("balance", &[&write_config(cluster, folder, address)?])?,
            _ => {
                let name = if hop == Hop::Epoll { "epoll" } else { "tokio" };
                this_program(name, &[&PathBuf::from(address.to_string()), &PathBuf::from(node.to_string())])?
            }
        };
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().map_err(|error| {
            let advice = if hop == Hop::Haproxy { " (Debian: apt-get install haproxy)" } else { "" };
            Failure::new(format!("{hop} cannot be started: {error}{advice}"))
        })?;
        let pid = process.id();
        wait_for(hop, address, &mut process).await?;
        Ok(Self { hop, address, pid, _process: Some(process) })
    }
}

/// Waits until somebody listens; a process that ends before is an error, with its last line.
async fn wait_for(hop: Hop, address: SocketAddr, process: &mut Child) -> Result<(), Failure> {
    let until = tokio::time::Instant::now() + START;
    while tokio::net::TcpStream::connect(address).await.is_err() {
        let ended = process.try_wait().map_err(|error| Failure::new(error.to_string()))?;
        if ended.is_some() || tokio::time::Instant::now() > until {
            let mut last = String::new();
            if let (Some(_), Some(stderr)) = (ended, process.stderr.take()) {
                let mut lines = tokio::io::BufReader::new(stderr).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    last = line;
                }
            }
            return Err(Failure::new(format!("{hop} does not listen on {address}: {last}")));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn free_address() -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map_err(|error| Failure::new(format!("no free port: {error}")))
}

fn this_program(role: &str, arguments: &[&PathBuf]) -> Result<Command, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::new(error.to_string()))?;
    let mut command = Command::new(program);
    command.arg("hop").arg(role).args(arguments);
    Ok(command)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

fn haproxy(folder: &Path, address: SocketAddr, node: SocketAddr) -> Result<Command, Failure> {
    let path = folder.join("haproxy.cfg");
    let text = format!(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n\
         listen mysql\n bind {address}\n server n1 {node}\n"
    );
    write(&path, &text)?;
    let mut command = Command::new("haproxy");
    command.args(["-db", "-q", "-f"]).arg(path);
    Ok(command)
}

/// A balancer as anyone would have it: all defaults, one account, one node.
fn write_config(cluster: &LocalCluster, folder: &Path, address: SocketAddr) -> Result<PathBuf, Failure> {
    let account =
        |account: &cluster::Account| json!({ "name": account.user, "password": account.password.expose() });
    let accounts = cluster.accounts();
    let config = json!({
        "listen": address.to_string(),
        "accounts": [account(&accounts.shop)],
        "operator": account(&accounts.operator),
        "replication": account(&accounts.replication),
        "nodes": [{ "name": "n1", "address": cluster.nodes()[0].address.to_string() }],
    });
    let path = folder.join("balancer.toml");
    let text = toml::to_string(&config).map_err(|error| Failure::new(error.to_string()))?;
    write(&path, &text)?;
    Ok(path)
}

/// This program as a hop: `hop balance CONFIG`, `hop tokio LISTEN NODE`, `hop epoll LISTEN NODE`. Ends when its standard
/// input does, that is with the program that started it.
pub fn serve(arguments: &[String]) -> Result<(), Failure> {
    let failed = |error: &dyn fmt::Display| Failure::new(format!("hop: {error}"));
    std::thread::spawn(|| {
        let ended = BufReader::new(std::io::stdin()).lines().all(|line| line.is_ok());
        std::process::exit(i32::from(!ended));
    });
    let [role, rest @ ..] = arguments else { return Err(failed(&"no role")) };
    if role == "balance" {
        let text = rest.first().map(std::fs::read_to_string).transpose().map_err(|error| failed(&error))?;
        let config: Config = toml::from_str(&text.unwrap_or_default()).map_err(|error| failed(&error))?;
        return balance(config).map_err(|error| failed(&error));
    }
    let [listen, node] = rest else { return Err(failed(&"two addresses are needed")) };
    let listener = TcpListener::bind(listen).map_err(|error| failed(&error))?;
    let node = node.parse().map_err(|error| failed(&error))?;
    let forward = if role == "epoll" { floor::on_epoll } else { floor::on_tokio };
    forward(&listener, node).map_err(|error| failed(&error))
}

/// The balancer, as `tpcw balance` runs it.
fn balance(config: Config) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let stop = tokio_util::sync::CancellationToken::new();
        let _running = balancer::server::start(config, stop.clone()).await?;
        stop.cancelled().await;
        Ok(())
    })
}
