//! `tpcw cluster status`: where the cluster is, as its keeper says, and how it is, as its balancer's admin API says.

use std::net::SocketAddr;

use balancer::admin::api::{EventRow, NodeRow};
use serde::Serialize;

use crate::api::Api;
use crate::keeper::Place;

/// Events that are shown.
const EVENTS: usize = 10;

/// A node in a status.
#[derive(Clone, Debug, Serialize)]
pub struct NodeStatus {
    /// Its name.
    pub node: String,
    /// `primary`, `replica`, `candidate`.
    pub role: String,
    /// `serving`, `standby`, …
    pub state: String,
    /// Reads answered so far.
    pub reads: u64,
    /// Other statements answered so far.
    pub writes: u64,
    /// How far its data is behind, in ms.
    pub lag_ms: Option<f64>,
    /// Connections that the balancer holds to it.
    pub connections: u32,
}

/// A cluster's status.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The cluster's name.
    pub name: String,
    /// The keeper's process.
    pub pid: u32,
    /// The shop's address behind the balancer, with its password.
    pub target: String,
    /// The balancer's admin API.
    pub admin: Option<SocketAddr>,
    /// Why nothing is known of nodes and events; absent when they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The nodes.
    pub nodes: Vec<NodeStatus>,
    /// The newest events, oldest first: how many seconds ago, and what.
    pub events: Vec<(f64, String)>,
}

impl Status {
    /// Of the cluster at a place. A balancer that does not answer leaves its part out.
    pub async fn of(place: Place) -> Self {
        let known = match place.admin.map(Api::new) {
            Some(api) => ask(&api).await,
            None => Err("it has no admin API".to_owned()),
        };
        let (problem, nodes, events) = match known {
            Ok((nodes, events)) => (None, nodes, events),
            Err(problem) => (Some(problem), Vec::new(), Vec::new()),
        };
        let Place { name, pid, target, admin } = place;
        let events = events.iter().skip(events.len().saturating_sub(EVENTS));
        Self {
            name,
            pid,
            target,
            admin,
            problem,
            nodes: nodes.into_iter().map(node).collect(),
            events: events.map(|event| (event.age_ms / 1e3, words(event))).collect(),
        }
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut text = format!("cluster {} (process {})\n", self.name, self.pid);
        text.push_str(&format!("  shop:      {}\n", self.target));
        if let Some(admin) = self.admin {
            text.push_str(&format!("  admin API: http://{admin}\n"));
        }
        if let Some(problem) = &self.problem {
            text.push_str(&format!("  balancer:  {problem}\n"));
            return text;
        }
        text.push_str("\n  node  role       state          reads     writes    lag ms  connections\n");
        for node in &self.nodes {
            let lag = node.lag_ms.map_or_else(|| "-".to_owned(), |lag| format!("{lag:.0}"));
            text.push_str(&format!(
                "  {:<5} {:<10} {:<10} {:>9} {:>10} {lag:>9} {:>12}\n",
                node.node, node.role, node.state, node.reads, node.writes, node.connections
            ));
        }
        if !self.events.is_empty() {
            text.push_str("\n  last events\n");
        }
        for (ago, what) in &self.events {
            text.push_str(&format!("  {ago:>7.1} s ago  {what}\n"));
        }
        text
    }
}

async fn ask(api: &Api) -> Result<(Vec<NodeRow>, Vec<EventRow>), String> {
    let nodes = api.nodes().await.map_err(|failure| failure.message)?;
    let events = api.events(0).await.map_err(|failure| failure.message)?;
    Ok((nodes, events))
}

fn node(row: NodeRow) -> NodeStatus {
    NodeStatus {
        node: row.node,
        role: row.role.as_str().to_owned(),
        state: row.state.as_str().to_owned(),
        reads: row.reads,
        writes: row.writes,
        lag_ms: row.lag_ms,
        connections: row.connections,
    }
}

fn words(event: &EventRow) -> String {
    let kind = event.kind.name().replace('_', " ");
    let parts = [&*kind, &*event.node, &*event.cause, &*event.detail];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}
