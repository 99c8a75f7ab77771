//! Real nodes: MariaDB servers, spoken to with the cluster room's admin connections and, for probes, one that is kept.
//!
//! Beside the probe's connection, on which nothing is under way between probes, a second one is kept in which the server
//! sleeps: when its process dies, the answer to that statement is a closed socket, at once ([`Nodes::broken`]).

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cluster::admin::log_in;
use cluster::replication::{self, Status};
use cluster::{Account, Admin, AdminError, Encryption, NodeId};
use futures_util::future::BoxFuture;
use mysql_async::prelude::Queryable;
use mysql_async::{ClientIdentity, Conn, DriverError, Error, IoError, Row, SslOpts};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::{Answer, Facts, Following, NodeError, Nodes, Receiving};
use crate::config::tls::{TlsMode, Verify};
use crate::config::{self, Config, NodesTls};

/// The limit of a statement on an admin connection; steps have their own, shorter ones.
const STATEMENT: Duration = Duration::from_secs(10);
/// The limit of a login.
const LOGIN: Duration = Duration::from_secs(2);
/// The primary lacks what the follower has (`ER_MASTER_FATAL_ERROR_READING_BINLOG`).
const DIVERGED: u32 = 1236;

/// All in one round trip. What was received is asked before what is applied, so that it can only be the older of both.
const PROBE: &str = "SHOW SLAVE STATUS; SELECT @@global.read_only, @@global.gtid_current_pos, \
    @@global.rpl_semi_sync_master_enabled, @@global.server_id";

/// The servers of a configuration.
pub struct MariaDb {
    nodes: BTreeMap<NodeId, Link>,
    replication: Account,
}

/// What is kept of one node.
struct Link {
    address: SocketAddr,
    /// Who asks there.
    operator: Account,
    /// The probe's connection, taken out while it is used: it comes back only with an answer.
    probe: Mutex<Option<Conn>>,
    sleeper: Mutex<Option<Sleeper>>,
}

/// A task whose end tells that the node's connection broke. Ends with this.
struct Sleeper(JoinHandle<bool>);

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl MariaDb {
    /// The nodes of `config`; nothing is connected yet.
    pub fn new(config: &Config) -> Self {
        let link = |node: &config::Node| Link {
            address: node.admin_address(),
            operator: operator(config, &node.name),
            probe: Mutex::new(None),
            sleeper: Mutex::new(None),
        };
        Self {
            nodes: config.nodes.iter().map(|node| (NodeId::new(&node.name), link(node))).collect(),
            replication: Account::new(&config.replication.name, &config.replication.password),
        }
    }

    fn link(&self, node: &NodeId) -> &Link {
        self.nodes.get(node).expect("the control plane only asks for configured nodes")
    }

    async fn admin(&self, node: &NodeId, step: &'static str) -> Result<Admin, NodeError> {
        let mut admin = Admin::connect(self.link(node).address, &self.link(node).operator, LOGIN)
            .await
            .map_err(failed(node, step))?;
        admin.set_limit(STATEMENT);
        Ok(admin)
    }

    async fn state(&self, node: &NodeId, step: &'static str) -> Result<Status, NodeError> {
        let mut admin = self.admin(node, step).await?;
        let status = replication::status(&mut admin).await.map_err(failed(node, step))?;
        admin.close().await;
        Ok(status)
    }
}

/// An admin connection's failure as the control plane sees it.
fn failed(node: &NodeId, step: &'static str) -> impl FnOnce(AdminError) -> NodeError {
    let node = node.clone();
    move |error| match error {
        AdminError::TimedOut { limit, .. } => {
            NodeError::TimedOut { node, step, limit_ms: limit.as_millis() as u64 }
        }
        AdminError::Connect { reason, .. } | AdminError::Lost { reason, .. } => {
            NodeError::Unreachable { node, reason }
        }
        other => NodeError::Server { node, step, reason: other.to_string() },
    }
}

fn facts(status: Status) -> Facts {
    let following = status.follows.map(|follows| Following {
        source: follows.host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, follows.port)),
        received: follows.received,
        // The admin room does not tell connecting from stopped; only the probe does.
        receiving: if follows.io_running { Receiving::Connected } else { Receiving::Connecting },
        applying: follows.sql_running,
        diverged: follows.last_errno == DIVERGED,
        error: follows.last_error,
    });
    Facts {
        server: status.server_id,
        read_only: status.read_only,
        applied: status.current,
        following,
        waits: status.semi_sync_master.on,
    }
}

impl Nodes for MariaDb {
    fn probe<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let link = self.link(node);
            let mut place = link.probe.lock().await;
            let mut conn = match place.take() {
                Some(conn) => conn,
                None => match log_in(link.address, &link.operator).await {
                    Ok(conn) => conn,
                    Err(error) => return complaint(error),
                },
            };
            let began = Instant::now();
            match ask(&mut conn).await {
                Ok(facts) => {
                    *place = Some(conn);
                    Answer::Facts(facts, began.elapsed())
                }
                Err(error) => complaint(error),
            }
        })
    }

    fn broken<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let link = self.link(node);
            let mut place = link.sleeper.lock().await;
            let sleeper = place.get_or_insert_with(|| {
                Sleeper(tokio::spawn(sleep_there(link.address, link.operator.clone())))
            });
            let broke = (&mut sleeper.0).await.unwrap_or(false);
            *place = None;
            if !broke {
                std::future::pending::<()>().await;
            }
        })
    }

    fn status<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Facts, NodeError>> {
        Box::pin(async move { self.state(node, "status").await.map(facts) })
    }

    fn fence<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async move {
            let mut admin = self.admin(node, "fence").await?;
            replication::fence(&mut admin).await.map_err(failed(node, "fence"))
        })
    }

    fn halt<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Facts, NodeError>> {
        Box::pin(async move {
            let mut admin = self.admin(node, "halt").await?;
            // On its way out a semi-sync receiver logs in to its primary once more to say so. Where that one hangs, it
            // would take 24 s by default, and 1 s with the shortest limit there is. Turning semi-sync off first does not
            // help: the receiver remembers what it began as (both measured on 10.11.19).
            const SHORT: &str = "SET GLOBAL rpl_semi_sync_slave_kill_conn_timeout=1";
            admin.run(SHORT).await.map_err(failed(node, "halt"))?;
            admin.run("STOP SLAVE IO_THREAD").await.map_err(failed(node, "halt"))?;
            replication::status(&mut admin).await.map(facts).map_err(failed(node, "halt"))
        })
    }

    fn drain<'a>(&'a self, node: &'a NodeId, limit: Duration) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async move {
            let mut admin = self.admin(node, "drain").await?;
            match replication::drain_relay_log(&mut admin, limit).await.map_err(failed(node, "drain"))? {
                true => Ok(()),
                false => {
                    let reason = "what was received could not all be applied".to_owned();
                    Err(NodeError::Server { node: node.clone(), step: "drain", reason })
                }
            }
        })
    }

    fn open<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async move {
            let mut admin = self.admin(node, "open").await?;
            replication::open(&mut admin).await.map_err(failed(node, "open"))
        })
    }

    fn extra<'a>(
        &'a self,
        node: &'a NodeId,
        primary: &'a NodeId,
    ) -> BoxFuture<'a, Result<Option<String>, NodeError>> {
        Box::pin(async move {
            let (theirs, ours) = (self.state(node, "compare").await?, self.state(primary, "compare").await?);
            let extra = replication::errant(&theirs.received(), &ours.binlog_state);
            let text: Vec<String> = extra.iter().map(ToString::to_string).collect();
            Ok((!text.is_empty())
                .then(|| format!("{} (the primary is at {})", text.join(", "), ours.current)))
        })
    }

    fn follow<'a>(&'a self, node: &'a NodeId, primary: &'a NodeId) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async move {
            let mut admin = self.admin(node, "follow").await?;
            let source = self.link(primary).address;
            replication::follow(&mut admin, &source.ip().to_string(), source.port(), &self.replication)
                .await
                .map_err(failed(node, "follow"))
        })
    }
}

/// The probe's one round trip.
async fn ask(conn: &mut Conn) -> Result<Facts, Error> {
    let mut answers = conn.query_iter(PROBE).await?;
    let replication: Vec<Row> = answers.collect().await?;
    let own: Vec<(String, Option<String>, String, u32)> = answers.collect().await?;
    answers.drop_result().await?;
    let (read_only, applied, waits, server) = own.into_iter().next().unwrap_or_default();
    // A number up to 11.x, a word later.
    let on = |text: &str| !matches!(text, "0" | "OFF");
    let position = |text: Option<String>| text.unwrap_or_default().parse().unwrap_or_default();
    Ok(Facts {
        server,
        read_only: on(&read_only),
        applied: position(applied),
        following: replication.first().map(following),
        waits: on(&waits),
    })
}

fn following(row: &Row) -> Following {
    let text = |name: &str| {
        row.get_opt::<Option<String>, _>(name).and_then(Result::ok).flatten().unwrap_or_default()
    };
    let number = |name: &str| row.get_opt::<u32, _>(name).and_then(Result::ok).unwrap_or_default();
    let (sql, io) = (text("Last_SQL_Error"), text("Last_IO_Error"));
    let port = u16::try_from(number("Master_Port")).unwrap_or_default();
    Following {
        source: text("Master_Host").parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port)),
        received: text("Gtid_IO_Pos").parse().unwrap_or_default(),
        receiving: match text("Slave_IO_Running").as_str() {
            "Yes" => Receiving::Connected,
            "No" => Receiving::Stopped,
            _ => Receiving::Connecting,
        },
        applying: text("Slave_SQL_Running") == "Yes",
        diverged: number("Last_IO_Errno") == DIVERGED,
        error: if sql.is_empty() { io } else { sql },
    }
}

/// A failed probe, told apart: dead, alive but unwilling, or nothing heard.
fn complaint(error: Error) -> Answer {
    let text = error.to_string();
    match error {
        Error::Server(error) => match error.code {
            1040 | 1203 | 1226 => Answer::Overloaded(text),
            1053 | 1927 => Answer::Broken(text),
            _ => Answer::Denied(text),
        },
        Error::Io(IoError::Io(error)) => match error.kind() {
            io::ErrorKind::ConnectionRefused => Answer::Refused(text),
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Answer::Broken(text),
            // Its certificate is not accepted, or it does not accept ours.
            io::ErrorKind::InvalidData => Answer::Denied(text),
            _ => Answer::Silent,
        },
        Error::Driver(DriverError::ConnectionClosed) => Answer::Broken(text),
        _ => Answer::Denied(text),
    }
}

/// Sleeps in the server until the connection breaks (true) or there is none (false).
async fn sleep_there(address: SocketAddr, operator: Account) -> bool {
    let Ok(Ok(mut conn)) = timeout(LOGIN, log_in(address, &operator)).await else { return false };
    loop {
        match conn.query_drop("DO SLEEP(3600)").await {
            Ok(()) | Err(Error::Server(_)) => {}
            Err(_) => return true,
        }
    }
}

/// The operator's account as it logs in to a node.
pub fn operator(config: &Config, node: &str) -> Account {
    let config::Account { name, password } = &config.operator;
    Account::new(name, password).encrypted(encryption(&config.nodes_tls, node))
}

/// How the operator's connections to a node are encrypted. The files are read for each connection anew.
fn encryption(settings: &NodesTls, node: &str) -> Option<Encryption> {
    let identity = match (&settings.certificate, &settings.key) {
        (Some(certificate), Some(key)) => {
            Some(ClientIdentity::new(certificate.clone().into(), key.clone().into()))
        }
        _ => None,
    };
    let options = SslOpts::default()
        .with_root_certs(settings.ca.iter().map(|path| path.clone().into()).collect())
        .with_disable_built_in_roots(settings.ca.is_some())
        .with_danger_accept_invalid_certs(settings.verify == Verify::None)
        .with_danger_skip_domain_validation(settings.verify == Verify::Ca)
        .with_danger_tls_hostname_override(settings.names.get(node).cloned())
        .with_client_identity(identity);
    let required = settings.mode == TlsMode::Required;
    (settings.mode != TlsMode::Off).then_some(Encryption { options, required })
}

/// The handle of one process's nodes, as the control plane wants it.
pub fn nodes(config: &Config) -> Arc<dyn Nodes> {
    Arc::new(MariaDb::new(config))
}
