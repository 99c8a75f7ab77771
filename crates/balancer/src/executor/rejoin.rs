//! Brings a node that had been away back as a follower: closed for writers first, compared with the primary before and after it
//! has applied what it received, re-pointed, caught up. A node with transactions of its own is refused, and they are named.

use std::time::Duration;

use cluster::NodeId;

use super::job::{News, STEP, Tools, step};
use super::scale::{Caught, Threads, caught_up};
use crate::nodes::NodeError;

/// A node that has not caught up by then is tried again later.
pub const CATCH_UP: Duration = Duration::from_secs(60);

/// What was received from a former primary must be applied by then, or is waited for in the next try.
const DRAIN: Duration = Duration::from_secs(5);

/// The whole way back.
pub async fn rejoin(tools: &Tools, node: NodeId, primary: NodeId) -> News {
    match attach(tools, &node, &primary).await {
        Ok(Caught::Up) => News::CaughtUp(node),
        Ok(Caught::Behind(how)) => News::Failed(format!("{node} has not caught up: {how}")),
        Ok(Caught::Diverged(reason)) => News::Refused { node, reason },
        Err(error) => News::Failed(error.to_string()),
    }
}

async fn attach(tools: &Tools, node: &NodeId, primary: &NodeId) -> Result<Caught, NodeError> {
    // Whatever it was before, it may hold no writer of old when it becomes a follower.
    step(node, "fence", STEP, tools.nodes.fence(node)).await?;
    if let Some(extra) = extra(tools, node, primary).await? {
        return Ok(Caught::Diverged(extra));
    }
    // Pointing it anew throws away what it has received and not applied, which it may alone have acknowledged.
    if let Err(error) = step(node, "drain", 2 * DRAIN, tools.nodes.drain(node, DRAIN)).await {
        let facts = step(node, "status", STEP, tools.nodes.status(node)).await?;
        if facts.following.is_some_and(|following| following.applying) {
            return Err(error); // Not finished yet: the next try goes on from here.
        }
    }
    // Until the drain it may have received from a primary that was given up and is alive all the same.
    if let Some(extra) = extra(tools, node, primary).await? {
        return Ok(Caught::Diverged(extra));
    }
    tools.tell(News::Belongs(node.clone())).await;
    step(node, "follow", STEP, tools.nodes.follow(node, primary)).await?;
    caught_up(tools, node, primary, CATCH_UP, Threads::Starting).await
}

/// What the node has and the primary has not, for people.
async fn extra(tools: &Tools, node: &NodeId, primary: &NodeId) -> Result<Option<String>, NodeError> {
    let extra = step(node, "compare", STEP, tools.nodes.extra(node, primary)).await?;
    Ok(extra.map(|extra| format!("it has transactions that {primary} has not: {extra}")))
}
