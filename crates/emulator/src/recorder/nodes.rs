//! The nodes as the control tells of them: counters become rows a second, happenings become events.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use report::record::{EventKind, NodeRow};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};
use tokio::time::timeout;

use super::events::EventLog;
use crate::control::{Control, NodeReading};

/// How long the control may take to answer. Later answers are not waited for; counters make up for it in the next second.
const PATIENCE: Duration = Duration::from_millis(500);

/// Asks the control once a second.
#[derive(Debug)]
pub(crate) struct NodeWatch {
    control: Arc<dyn Control>,
    before: BTreeMap<String, NodeReading>,
    sequence: u64,
}

impl NodeWatch {
    /// Takes the counters as they are now for zero, and what has happened so far for known.
    pub(crate) async fn start(control: Arc<dyn Control>) -> Self {
        let mut watch = Self { control, before: BTreeMap::new(), sequence: 0 };
        watch.before =
            watch.read().await.into_iter().map(|reading| (reading.node.clone(), reading)).collect();
        if let Ok(Ok(before)) = timeout(PATIENCE, watch.control.happenings(0)).await {
            watch.sequence = before.iter().map(|happening| happening.sequence).max().unwrap_or(0);
        }
        watch
    }

    async fn read(&self) -> Vec<NodeReading> {
        match timeout(PATIENCE, self.control.nodes()).await {
            Ok(Ok(readings)) => readings,
            Ok(Err(error)) => {
                tracing::debug!(%error, "the nodes cannot be read");
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    }

    /// One row a node for this second.
    pub(crate) async fn rows(&mut self, second: u32) -> Vec<NodeRow> {
        let readings = self.read().await;
        let rows = readings.iter().map(|now| row(second, now, self.before.get(&now.node))).collect();
        self.before.extend(readings.into_iter().map(|reading| (reading.node.clone(), reading)));
        rows
    }

    /// Writes what has happened since the last call.
    pub(crate) async fn tell(&mut self, log: &EventLog) {
        let Ok(Ok(happenings)) = timeout(PATIENCE, self.control.happenings(self.sequence)).await else {
            return;
        };
        for happening in happenings {
            self.sequence = self.sequence.max(happening.sequence);
            let detail = match kind(&happening.kind) {
                EventKind::Other => format!("{}: {}", happening.kind, happening.detail),
                _ => happening.detail,
            };
            log.tell(happening.at, kind(&happening.kind), &happening.node, &happening.cause, &detail);
        }
    }
}

fn kind(name: &str) -> EventKind {
    let name: StrDeserializer<'_, ValueError> = name.into_deserializer();
    EventKind::deserialize(name).unwrap_or(EventKind::Other)
}

fn row(second: u32, now: &NodeReading, before: Option<&NodeReading>) -> NodeRow {
    // A counter that has fallen began anew.
    let since = |counter: fn(&NodeReading) -> u64| {
        let (now, before) = (counter(now), before.map_or(0, counter));
        now.checked_sub(before).unwrap_or(now)
    };
    NodeRow {
        second,
        node: now.node.clone(),
        role: now.role.clone(),
        state: now.state.clone(),
        reads: since(|reading| reading.reads),
        writes: since(|reading| reading.writes),
        errors: since(|reading| reading.errors),
        mean_ms: now.mean_ms,
        p99_ms: now.p99_ms,
        lag_ms: now.lag_ms,
        connections: now.connections,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_become_differences_and_begin_anew_when_they_fall() {
        let reading = |reads| NodeReading { node: "n2".into(), reads, ..NodeReading::default() };
        for (before, now, expected) in [(None, 5, 5), (Some(5), 9, 4), (Some(9), 9, 0), (Some(9), 2, 2)] {
            let before = before.map(reading);
            assert_eq!(row(3, &reading(now), before.as_ref()).reads, expected, "{before:?} then {now}");
        }
    }

    #[test]
    fn kinds_are_known_by_their_names() {
        for known in [EventKind::ScaleOutDone, EventKind::Promoted, EventKind::Refused] {
            assert_eq!(kind(known.name()), known);
        }
        assert_eq!(kind("exploded"), EventKind::Other);
    }
}
