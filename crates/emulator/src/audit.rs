//! The audit: what every node really holds, set against what browsers were told.
//!
//! Every node is read directly, none through a balancer, once all have applied the same transactions. An acknowledged order
//! must be there once, with its number and total; one of unknown outcome at most once; one that was refused not at all, and
//! nothing that no browser sent. Tables must be equal between nodes, and the data must meet the shop's conditions.

mod node;
mod verdict;

use std::path::Path;
use std::time::Duration;

use bookstore::Scale;
use bookstore::check;
use report::record::{Audit, Condition};
use tokio::time::{Instant, sleep};

use self::node::Reader;
use self::verdict::{Books, Findings};
use crate::ledger;

/// How often nodes that are not there yet, or not up to date, are asked again.
const AGAIN: Duration = Duration::from_millis(100);

/// A node to audit, read directly and not through a balancer.
#[derive(Clone, Debug)]
pub struct AuditNode {
    /// Its name.
    pub name: String,
    /// Address and an account that may read everything; the database is the shop's.
    pub opts: mysql_async::Opts,
}

/// What to audit and how patiently.
#[derive(Clone, Copy, Debug)]
pub struct AuditOptions {
    /// How large the shop was before the run.
    pub scale: Scale,
    /// How long to wait until every node can be read and has applied everything.
    pub patience: Duration,
    /// Stale reads that the run itself counted.
    pub stale_reads: u64,
}

/// Why there can be no audit at all. A node that cannot be read is no such reason; the audit says so.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The ledger cannot be read.
    #[error("cannot read the ledger {path}: {message}")]
    Ledger {
        /// Its place.
        path: String,
        /// Why.
        message: String,
    },
    /// No node at all could be read.
    #[error("no node can be read: {0}")]
    NoNode(String),
}

/// Audits the nodes, the first of which is the primary. Nodes left out on purpose are the caller's to leave out; one that
/// cannot be read within the patience is named in the result's `unreachable`.
///
/// # Errors
/// See [`AuditError`].
pub async fn audit(nodes: &[AuditNode], ledger: &Path, options: AuditOptions) -> Result<Audit, AuditError> {
    let entries = ledger::read(ledger).map_err(|error| AuditError::Ledger {
        path: ledger.display().to_string(),
        message: error.to_string(),
    })?;
    let books = Books::of(&entries);
    let deadline = Instant::now() + options.patience;
    let mut audit = Audit { stale_reads: options.stale_reads, ..books.begin() };
    let mut readers = reach(nodes, deadline, &mut audit).await?;
    level(&mut readers, deadline, &mut audit).await;
    let mut findings = Findings::default();
    let mut sums: Option<(String, Vec<(String, u64)>)> = None;
    for reader in &mut readers {
        let mut told = match reader.orders(options.scale.orders()).await {
            Ok(orders) => books.compare(&orders, &mut findings),
            Err(message) => {
                unreadable(&mut audit, &reader.name, &message);
                continue;
            }
        };
        match reader.checksums().await {
            Ok(found) => match &sums {
                Some((_, reference)) => told.diverged_tables = differing(reference, &found),
                None => sums = Some((reader.name.clone(), found)),
            },
            Err(message) => unreadable(&mut audit, &reader.name, &message),
        }
        audit.nodes.insert(reader.name.clone(), told);
    }
    findings.enter(&mut audit);
    audit.replicas_diverged =
        audit.nodes.values().filter(|node| !node.diverged_tables.is_empty()).count() as u64;
    conditions(&mut readers, &mut audit).await;
    Ok(audit)
}

/// Connects to every node, for as long as the patience lasts.
async fn reach(nodes: &[AuditNode], deadline: Instant, audit: &mut Audit) -> Result<Vec<Reader>, AuditError> {
    let mut readers = Vec::new();
    let mut last = "none was named".to_owned();
    for node in nodes {
        loop {
            match Reader::connect(node).await {
                Ok(reader) => {
                    readers.push(reader);
                    break;
                }
                Err(message) if Instant::now() >= deadline => {
                    last = format!("{}: {message}", node.name);
                    unreadable(audit, &node.name, &message);
                    break;
                }
                Err(_) => sleep(AGAIN).await,
            }
        }
    }
    if readers.is_empty() { Err(AuditError::NoNode(last)) } else { Ok(readers) }
}

fn unreadable(audit: &mut Audit, node: &str, message: &str) {
    audit.unreachable.push(node.to_owned());
    audit.notes.push(format!("{node} cannot be read: {message}"));
}

/// Waits until all nodes have applied the same transactions. Where they do not, what is missing will be found missing.
async fn level(readers: &mut [Reader], deadline: Instant, audit: &mut Audit) {
    loop {
        let mut positions = Vec::new();
        for reader in readers.iter_mut() {
            let position = reader.position().await.unwrap_or_else(|message| format!("unknown ({message})"));
            positions.push((reader.name.clone(), position));
        }
        if positions.iter().all(|(_, position)| *position == positions[0].1) {
            return;
        }
        if Instant::now() >= deadline {
            let told: Vec<_> =
                positions.iter().map(|(name, position)| format!("{name} {position}")).collect();
            audit
                .notes
                .push(format!("the nodes have not applied the same transactions: {}", told.join(", ")));
            return;
        }
        sleep(AGAIN).await;
    }
}

/// Tables that are not the same, those that only one of the two has included.
fn differing(reference: &[(String, u64)], found: &[(String, u64)]) -> Vec<String> {
    let lacks = |other: &[(String, u64)], of: &(String, u64)| !other.contains(of);
    let changed = reference.iter().filter(|of| lacks(found, of));
    let added = found.iter().filter(|(table, _)| !reference.iter().any(|(known, _)| known == table));
    changed.chain(added).map(|(table, _)| table.clone()).collect()
}

/// The shop's own conditions, on the first node: the others were compared with it.
async fn conditions(readers: &mut [Reader], audit: &mut Audit) {
    let first = readers.first_mut().expect("at least one node could be reached");
    match first.conditions().await {
        Ok(found) => {
            audit.conditions_failed = found.iter().filter(|condition| condition.failed()).count() as u64;
            audit.conditions = found.iter().map(condition).collect();
            let samples = found.iter().filter(|condition| condition.failed() && !condition.sample.is_empty());
            audit.notes.extend(samples.map(|failed| format!("{}: for one, {}", failed.name, failed.sample)));
        }
        Err(message) => {
            audit.conditions_failed = 1;
            audit.notes.push(format!("the conditions cannot be looked at on {}: {message}", first.name));
        }
    }
}

fn condition(found: &check::Condition) -> Condition {
    Condition { name: found.name.to_owned(), offending: found.offending, informative: found.informative }
}
