//! Real nodes: database servers, spoken to with the cluster room's admin connections and, for probes, one that is kept.
//!
//! Beside the probe's connection, on which nothing is under way between probes, a second one is kept in which the server
//! sleeps: when its process dies, the answer to that statement is a closed socket, at once ([`Nodes::broken`]).

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use cluster::{Account, Admin, AdminError, NodeId, replication};
use futures_util::future::BoxFuture;
use mysql_async::Conn;
use tokio::time::{Instant, timeout};

use super::dialect::Dialect;
use super::link::{LOGIN, Link, complaint};
use super::mysql::{self, Trouble};
use super::{Answer, Facts, NodeError, Nodes, Receiving, mariadb};
use crate::config::Config;

/// The limit of a statement on an admin connection; steps have their own, shorter ones.
const STATEMENT: Duration = Duration::from_secs(10);

/// The servers of a configuration.
pub struct Servers {
    nodes: BTreeMap<NodeId, Link>,
    replication: Account,
    /// What kind of server answered first, and which: all others are to be of it.
    kind: OnceLock<(NodeId, Dialect)>,
}

impl Servers {
    /// The nodes of `config`; nothing is connected yet.
    pub fn new(config: &Config) -> Self {
        let links = config.nodes.iter().map(|node| (NodeId::new(&node.name), Link::new(config, node)));
        Self {
            nodes: links.collect(),
            replication: Account::new(&config.replication.name, &config.replication.password),
            kind: OnceLock::new(),
        }
    }

    fn link(&self, node: &NodeId) -> &Link {
        self.nodes.get(node).expect("the control plane only asks for configured nodes")
    }

    fn is_mysql(&self) -> bool {
        self.kind.get().is_some_and(|(_, kind)| kind.is_mysql())
    }

    /// Why the node is not of the kind of the others, if it is not.
    fn stranger(&self, node: &NodeId, dialect: Dialect) -> Option<String> {
        let (first, kind) = self.kind.get_or_init(|| (node.clone(), dialect));
        (kind.is_mysql() != dialect.is_mysql())
            .then(|| format!("it is {dialect} and {first} is {kind}: all nodes must be of one kind"))
    }

    async fn facts(&self, node: &NodeId, conn: &mut Conn, dialect: Dialect) -> Result<Facts, Trouble> {
        if let Some(why) = self.stranger(node, dialect) {
            return Err(Trouble::Unfit(why));
        }
        match dialect {
            Dialect::MariaDb => Ok(mariadb::probe(conn).await?),
            Dialect::MySql(version) => mysql::probe(conn, version).await,
        }
    }

    async fn admin(&self, node: &NodeId, step: &'static str) -> Result<Admin, NodeError> {
        if self.is_mysql() {
            return Err(refused(node, step, mysql::OBSERVED));
        }
        let mut admin = Admin::connect(self.link(node).address, &self.link(node).operator, LOGIN)
            .await
            .map_err(failed(node, step))?;
        admin.set_limit(STATEMENT);
        Ok(admin)
    }

    /// Looks at a MySQL server over a fresh connection.
    async fn look(&self, node: &NodeId, step: &'static str) -> Result<Facts, NodeError> {
        let facts = async {
            let (mut conn, dialect) = self.link(node).connect().await?;
            let facts = self.facts(node, &mut conn, dialect).await?;
            conn.disconnect().await?;
            Ok(facts)
        };
        within(node, step, STATEMENT, facts).await
    }

    async fn state(&self, node: &NodeId, step: &'static str) -> Result<replication::Status, NodeError> {
        let mut admin = self.admin(node, step).await?;
        let status = replication::status(&mut admin).await.map_err(failed(node, step))?;
        admin.close().await;
        Ok(status)
    }
}

fn refused(node: &NodeId, step: &'static str, reason: impl Into<String>) -> NodeError {
    NodeError::Server { node: node.clone(), step, reason: reason.into() }
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

/// Work on a MySQL server, within a limit.
async fn within<T>(
    node: &NodeId,
    step: &'static str,
    limit: Duration,
    work: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, NodeError> {
    match timeout(limit, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(Trouble::Error(mysql_async::Error::Server(error)))) => {
            Err(refused(node, step, error.to_string()))
        }
        Ok(Err(Trouble::Error(error))) => {
            Err(NodeError::Unreachable { node: node.clone(), reason: error.to_string() })
        }
        Ok(Err(Trouble::Unfit(reason))) => Err(refused(node, step, reason)),
        Err(_) => Err(NodeError::TimedOut { node: node.clone(), step, limit_ms: limit.as_millis() as u64 }),
    }
}

impl Nodes for Servers {
    fn observed(&self) -> Option<&'static str> {
        self.is_mysql().then_some(mysql::OBSERVED)
    }

    fn probe<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let link = self.link(node);
            let mut place = link.probe.lock().await;
            let (mut conn, dialect) = match place.take() {
                Some(kept) => kept,
                None => match link.connect().await {
                    Ok(made) => made,
                    Err(error) => return complaint(error),
                },
            };
            let began = Instant::now();
            match self.facts(node, &mut conn, dialect).await {
                Ok(facts) => {
                    *place = Some((conn, dialect));
                    Answer::Facts(facts, began.elapsed())
                }
                Err(Trouble::Error(error)) => complaint(error),
                Err(Trouble::Unfit(why)) => Answer::Unfit(why),
            }
        })
    }

    fn broken<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let link = self.link(node);
            let mut place = link.sleeper.lock().await;
            let sleeper = place.get_or_insert_with(|| link.sleep());
            let broke = (&mut sleeper.0).await.unwrap_or(false);
            *place = None;
            if !broke {
                std::future::pending::<()>().await;
            }
        })
    }

    fn status<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Facts, NodeError>> {
        Box::pin(async move {
            if self.is_mysql() {
                return self.look(node, "status").await;
            }
            let mut admin = self.admin(node, "status").await?;
            let facts = mariadb::status(&mut admin).await.map_err(failed(node, "status"))?;
            admin.close().await;
            Ok(facts)
        })
    }

    fn fence<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async move {
            if self.is_mysql() {
                let closed = self.look(node, "fence").await?.read_only;
                return if closed { Ok(()) } else { Err(refused(node, "fence", mysql::OBSERVED)) };
            }
            let mut admin = self.admin(node, "fence").await?;
            replication::fence(&mut admin).await.map_err(failed(node, "fence"))
        })
    }

    fn halt<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Facts, NodeError>> {
        Box::pin(async move {
            let mut admin = self.admin(node, "halt").await?;
            mariadb::halt(&mut admin).await.map_err(failed(node, "halt"))
        })
    }

    fn drain<'a>(&'a self, node: &'a NodeId, limit: Duration) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async move {
            let drained = if self.is_mysql() {
                let drain = async {
                    let (mut conn, dialect) = self.link(node).connect().await?;
                    match dialect {
                        Dialect::MySql(version) => mysql::drain(&mut conn, version, limit).await,
                        Dialect::MariaDb => Err(Trouble::Unfit("it has become a MariaDB server".into())),
                    }
                };
                within(node, "drain", limit + STATEMENT, drain).await?
            } else {
                let mut admin = self.admin(node, "drain").await?;
                replication::drain_relay_log(&mut admin, limit).await.map_err(failed(node, "drain"))?
            };
            match drained {
                true => Ok(()),
                false => Err(refused(node, "drain", "what was received could not all be applied")),
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
            if self.is_mysql() {
                // In this order: what the node has received meanwhile the primary has had before.
                let theirs = self.look(node, "compare").await?.received();
                let ours = self.look(primary, "compare").await?.applied;
                let extra = ours.set().missing(theirs.set());
                return Ok((!extra.is_empty()).then(|| format!("{extra} (the primary is at {ours})")));
            }
            let (theirs, ours) = (self.state(node, "compare").await?, self.state(primary, "compare").await?);
            let extra = replication::errant(&theirs.received(), &ours.binlog_state);
            let text: Vec<String> = extra.iter().map(ToString::to_string).collect();
            Ok((!text.is_empty())
                .then(|| format!("{} (the primary is at {})", text.join(", "), ours.current)))
        })
    }

    fn follow<'a>(&'a self, node: &'a NodeId, primary: &'a NodeId) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async move {
            if self.is_mysql() {
                let following = self.look(node, "follow").await?.following;
                // Nodes may know each other by other addresses than ours; only a known wrong one is wrong.
                let wrong = |link: (&NodeId, &Link)| {
                    link.0 != primary && following.as_ref().and_then(|f| f.source) == Some(link.1.address)
                };
                let follows =
                    following.as_ref().is_some_and(|f| f.receiving != Receiving::Stopped && f.applying);
                let well = follows && !self.nodes.iter().any(wrong);
                return if well { Ok(()) } else { Err(refused(node, "follow", mysql::OBSERVED)) };
            }
            let mut admin = self.admin(node, "follow").await?;
            let source = self.link(primary).address;
            replication::follow(&mut admin, &source.ip().to_string(), source.port(), &self.replication)
                .await
                .map_err(failed(node, "follow"))
        })
    }
}
