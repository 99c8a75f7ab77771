//! What a schedule (or a person) may ask of a local cluster: scaling goes to the balancer's admin API, as everybody's, faults to
//! the nodes' processes.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use balancer::telemetry::LatencySnapshot;
use balancer::view::{ClusterView, NodeView};
use cluster::{LocalCluster, LocalNode, NodeId};
use emulator::control::{
    Action, Control, ControlError, Done, Fault, Happening, NodeReading, NodeSelector, Part,
};
use emulator::fault::{BALANCER, Peer, Way};
use futures_util::future::BoxFuture;
use mysql_async::OptsBuilder;

use crate::api::Api;
use crate::front::Front;
use crate::provider::Provider;

/// The control of a local cluster behind its balancer.
#[derive(Debug)]
pub struct LocalControl {
    cluster: Arc<LocalCluster>,
    front: Arc<Front>,
    provider: Arc<Provider>,
    cause: &'static str,
    struck: Mutex<Option<NodeId>>,
    before: Mutex<HashMap<NodeId, LatencySnapshot>>,
}

impl LocalControl {
    /// Of these two; `cause` is what events say of who asked: `schedule`, `operator`.
    pub fn new(
        cluster: Arc<LocalCluster>,
        front: Arc<Front>,
        provider: Arc<Provider>,
        cause: &'static str,
    ) -> Self {
        Self { cluster, front, provider, cause, struck: Mutex::default(), before: Mutex::default() }
    }

    async fn carry_out(&self, action: Action) -> Result<Done, ControlError> {
        match action {
            Action::ScaleOut => match self.scale("out").await {
                Err(_) if self.provider.order(self.cause) => {
                    Ok(Done { node: String::new(), detail: "a node is copied first".to_owned() })
                }
                asked => asked,
            },
            Action::ScaleIn => self.scale("in").await,
            Action::Promote { node } => {
                let node = self.find(&node)?.to_string();
                self.tell("POST", &format!("/nodes/{node}/promote?cause={}", self.cause), "").await?;
                Ok(Done { node, detail: String::new() })
            }
            Action::Strategy { name } => {
                let body = serde_json::json!({ "strategy": name }).to_string();
                self.tell("PUT", "/strategy", &body).await?;
                Ok(Done::default())
            }
            Action::Fault { node, fault: Fault::KillBalancer } if is_balancer(&node) => {
                let done = of_balancer(self.front.kill().await)?;
                self.has_struck(NodeId::new(BALANCER));
                Ok(done)
            }
            Action::Heal { node } if self.means_balancer(&node) => of_balancer(self.front.heal().await),
            Action::Fault { node, fault } => self.strike(self.find(&node)?, fault).await,
            Action::Heal { node } => {
                let node = self.find(&node)?;
                let detail = self.cluster.heal(&node).await.map_err(words)?;
                Ok(Done { node: node.to_string(), detail })
            }
        }
    }

    async fn scale(&self, direction: &str) -> Result<Done, ControlError> {
        self.tell("POST", &format!("/scale/{direction}?cause={}", self.cause), "").await?;
        Ok(Done::default())
    }

    async fn tell(&self, method: &str, path: &str, body: &str) -> Result<(), ControlError> {
        let admin = self.front.admin_address().ok_or_else(|| words("the balancer has no admin API"))?;
        let told = Api::new(admin).ask(method, path, body).await;
        told.map(drop).map_err(|failure| words(failure.message))
    }

    async fn strike(&self, node: NodeId, fault: Fault) -> Result<Done, ControlError> {
        let fault = of_cluster(fault).ok_or_else(|| {
            ControlError(format!("kill_balancer strikes `{BALANCER}` and no other, not {node}"))
        })?;
        let detail = self.cluster.fail(&node, &fault).await.map_err(words)?;
        self.has_struck(node.clone());
        Ok(Done { node: node.to_string(), detail })
    }

    fn has_struck(&self, node: NodeId) {
        *self.struck.lock().expect("no panic while it is held") = Some(node);
    }

    fn means_balancer(&self, node: &NodeSelector) -> bool {
        let struck = self.struck.lock().expect("no panic while it is held");
        let last = struck.as_ref().is_some_and(|node| node.as_str() == BALANCER);
        is_balancer(node) || (*node == NodeSelector::Last && last)
    }

    fn find(&self, selector: &NodeSelector) -> Result<NodeId, ControlError> {
        let view = self.front.handle().view().load_full();
        let found = match selector {
            NodeSelector::Primary => view.primary().map(|node| node.id.clone()),
            NodeSelector::Replica => view.replicas().map(|node| node.id.clone()).min(),
            NodeSelector::Last => self.struck.lock().expect("no panic while it is held").clone(),
            NodeSelector::Named(name) => {
                view.nodes.iter().map(|node| &node.id).find(|id| id.as_str() == name).cloned()
            }
        };
        found.ok_or_else(|| ControlError(format!("{} (known: {})", missing(selector), names(&view))))
    }

    fn read(&self, node: &NodeView) -> NodeReading {
        let meter = &node.meter;
        let mut now = meter.read_latency.snapshot();
        now.merge(&meter.write_latency.snapshot());
        let mut before = self.before.lock().expect("no panic while it is held");
        let since = before
            .insert(node.id.clone(), now.clone())
            .map_or_else(|| now.clone(), |before| now.since(&before));
        let lag = meter.lag_ms.load(Relaxed);
        NodeReading {
            node: node.id.to_string(),
            role: node.role.as_str().to_owned(),
            state: node.state.as_str().to_owned(),
            reads: meter.reads.load(Relaxed),
            writes: meter.writes.load(Relaxed),
            errors: meter.errors.load(Relaxed),
            mean_ms: since.mean_ms(),
            p99_ms: since.quantile_ms(0.99),
            lag_ms: (lag >= 0).then_some(lag as f64),
            connections: meter.connections.load(Relaxed),
        }
    }
}

impl Control for LocalControl {
    fn parts(&self) -> Vec<Part> {
        let view = self.front.handle().view().load_full();
        let primary = view.primary().map(|node| node.id.as_str().to_owned());
        let operator = &self.cluster.accounts().operator;
        let part = |node: LocalNode| Part {
            name: node.id.to_string(),
            process: node.pid,
            server: OptsBuilder::default()
                .ip_or_hostname(node.server.ip().to_string())
                .tcp_port(node.server.port())
                .user(Some(operator.user.clone()))
                .pass(Some(operator.password.expose().to_owned()))
                .db_name(Some(self.cluster.database().to_owned()))
                .into(),
            primary: primary.as_deref() == Some(node.id.as_str()),
        };
        self.cluster.nodes().into_iter().map(part).collect()
    }

    fn ask(&self, action: Action) -> BoxFuture<'_, Result<Done, ControlError>> {
        Box::pin(self.carry_out(action))
    }

    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeReading>, ControlError>> {
        Box::pin(async {
            Ok(self.front.handle().view().load_full().nodes.iter().map(|node| self.read(node)).collect())
        })
    }

    fn happenings(&self, after: u64) -> BoxFuture<'_, Result<Vec<Happening>, ControlError>> {
        let happening = |event: balancer::event::ClusterEvent| Happening {
            sequence: event.sequence,
            at: event.at,
            kind: event.kind.name().to_owned(),
            node: event.node.map_or_else(String::new, |node| node.to_string()),
            cause: event.cause,
            detail: event.detail,
        };
        Box::pin(async move { Ok(self.front.events_after(after).into_iter().map(happening).collect()) })
    }
}

fn is_balancer(node: &NodeSelector) -> bool {
    matches!(node, NodeSelector::Named(name) if name == BALANCER)
}

fn of_balancer(done: Result<String, String>) -> Result<Done, ControlError> {
    let detail = done.map_err(ControlError)?;
    Ok(Done { node: BALANCER.to_owned(), detail })
}

/// A fault as the cluster's room names it; `None`: it is none of a node.
fn of_cluster(fault: Fault) -> Option<cluster::Fault> {
    use cluster::Fault as Done;
    Some(match fault {
        Fault::KillBalancer => return None,
        Fault::Kill => Done::Kill,
        Fault::Stop => Done::Stop,
        Fault::Pause => Done::Pause,
        Fault::Slow { percent } => Done::Slow { percent },
        Fault::Refuse => Done::Refuse,
        Fault::Mute => Done::Mute,
        Fault::Cut { after } => Done::Cut { after },
        Fault::CutCommit { commits } => Done::CutCommit { commits },
        Fault::Delay { by, jitter } => Done::Delay { by, jitter },
        Fault::Bandwidth { bytes_per_second } => Done::Bandwidth { bytes_per_second },
        Fault::Partition { from, way } => Done::Partition {
            from: match from {
                Peer::All => cluster::Peer::All,
                Peer::Balancer => cluster::Peer::Balancer,
                Peer::Nodes => cluster::Peer::Nodes,
                Peer::Node(name) => cluster::Peer::Node(NodeId::new(name)),
            },
            way: match way {
                Way::Both => cluster::Way::Both,
                Way::In => cluster::Way::In,
                Way::Out => cluster::Way::Out,
            },
        },
        Fault::StopReplication => Done::StopReplication,
        Fault::DelayReplication { seconds } => Done::DelayReplication { seconds },
        Fault::TooManyConnections => Done::TooManyConnections,
        Fault::DiskFull => Done::DiskFull,
    })
}

fn words(error: impl std::fmt::Display) -> ControlError {
    ControlError(error.to_string())
}

fn names(view: &ClusterView) -> String {
    view.nodes.iter().map(|node| node.id.as_str()).collect::<Vec<_>>().join(", ")
}

fn missing(selector: &NodeSelector) -> String {
    match selector {
        NodeSelector::Primary => "there is no primary at the moment".to_owned(),
        NodeSelector::Replica => "no replica serves at the moment".to_owned(),
        NodeSelector::Last => "no node has been struck yet".to_owned(),
        NodeSelector::Named(name) => format!("there is no node `{name}`"),
    }
}
