//! Breaking and mending nodes of a local cluster.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::error::Error;
use crate::fault::link::{Trouble, Whom};
use crate::fault::{Fault, Peer};
use crate::node::NodeId;
use crate::provision::local::LocalCluster;
use crate::provision::member::Member;

impl LocalCluster {
    /// Breaks a node; returns what was done, in words for people. Several faults of one node add up.
    ///
    /// # Errors
    /// Where the fault does not fit the node's state, or needs a relay and there is none; then nothing was done.
    pub async fn fail(&self, id: &NodeId, fault: &Fault) -> Result<String, Error> {
        let member = self.living()?.member(id)?;
        match fault {
            Fault::Kill => return member.kill().await.map(|pid| format!("killed, process {pid}")),
            Fault::Pause => return member.pause().await.map(|pid| format!("paused, process {pid}")),
            Fault::Partition { from: Peer::Node(other), .. } if other == id => {
                return Err(Error::Spec(format!("{id} cannot be cut off from itself")));
            }
            Fault::Partition { from: Peer::Node(other), .. } => drop(self.member(other)?),
            _ => {}
        }
        let number = |id: &NodeId| self.member(id).ok().map(|member| member.server_id);
        match fault.trouble(number) {
            Some(trouble) => {
                member.trouble(trouble)?;
                self.cut_off_at_the_others(&member, fault);
            }
            None => member.strike(fault).await?,
        }
        Ok(fault.words())
    }

    /// Undoes whatever was done to a node; returns what that was, in words for people. A node that is well is left alone.
    pub async fn heal(&self, id: &NodeId) -> Result<String, Error> {
        let member = self.living()?.member(id)?;
        let links = self.end_trouble_of(&member);
        Ok(words(links, member.heal().await?))
    }

    /// Heals every node, all at the same time; returns what was done. The first failure is told after all were tried.
    pub async fn heal_all(&self) -> Result<Vec<(NodeId, String)>, Error> {
        let members = self.living()?.members();
        let mut healing = JoinSet::new();
        for member in members {
            let links = self.end_trouble_of(&member);
            healing.spawn(async move {
                let done = member.heal().await?;
                Ok::<_, Error>((member.id.clone(), words(links, done)))
            });
        }
        let results: Vec<_> = healing.join_all().await;
        let mut done: Vec<(NodeId, String)> = results.into_iter().collect::<Result<_, _>>()?;
        done.sort();
        Ok(done)
    }

    /// A node's own connections to others go through the others' relays: there they are cut off as well, seen from there.
    fn cut_off_at_the_others(&self, member: &Arc<Member>, fault: &Fault) {
        let Fault::Partition { from, way } = fault else { return };
        let silence = Some((Whom::Node(member.server_id), way.reversed()));
        for other in self.members() {
            let meant = match from {
                Peer::Balancer => false,
                Peer::All | Peer::Nodes => other.id != member.id,
                Peer::Node(id) => other.id == *id,
            };
            if let Some(relay) = other.relay().filter(|_| meant) {
                relay.strike(member.server_id, Trouble { silence, ..Trouble::default() });
            }
        }
    }

    fn end_trouble_of(&self, member: &Arc<Member>) -> bool {
        let members = self.members();
        let relays = members.iter().filter_map(|other| other.relay());
        relays.filter(|relay| relay.heal(member.server_id)).count() > 0
    }
}

/// What was done to heal a node.
fn words(links: bool, mut done: Vec<String>) -> String {
    if links {
        done.insert(0, "its network is well again".to_owned());
    }
    if done.is_empty() { "was well".to_owned() } else { done.join(", ") }
}
