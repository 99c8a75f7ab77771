//! Faults by name: what a schedule or a person can do to a node, and how it is written.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::span::Span;

/// What can be done to a node. Every one is undone by healing the node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// SIGKILL.
    Kill,
    /// SIGTERM: the server shuts down in good order.
    Stop,
    /// SIGSTOP.
    Pause,
    /// The process gets so many per cent of its time.
    Slow {
        /// 1 to 99.
        percent: u8,
    },
    /// New connections are refused, standing ones go on.
    Refuse,
    /// New connections are accepted and never answered, standing ones go on.
    Mute,
    /// Every connection is cut when so many more bytes of the node's answers have passed.
    Cut {
        /// Bytes.
        after: u64,
    },
    /// The next commits are done, and instead of the answer the connection is cut.
    CutCommit {
        /// How many.
        commits: u32,
    },
    /// Everything to the node and from it arrives later.
    Delay {
        /// By so much, each way.
        by: Duration,
        /// And by something between nothing and so much.
        jitter: Duration,
    },
    /// The node's network carries no more.
    Bandwidth {
        /// Bytes a second.
        bytes_per_second: u64,
    },
    /// Nothing arrives, nothing is closed.
    Partition {
        /// From whom the node is cut off.
        from: Peer,
        /// Which direction is lost, seen from the node.
        way: Way,
    },
    /// A replica follows nobody for the time being.
    StopReplication,
    /// A replica applies each transaction so much later.
    DelayReplication {
        /// Whole seconds.
        seconds: u32,
    },
    /// All connections of the node are taken.
    TooManyConnections,
    /// No file of the node's data can grow.
    DiskFull,
    /// No fault of a node: the balancer dies, and is started anew when it is healed.
    KillBalancer,
}

/// From whom a node is cut off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// From everybody.
    #[default]
    All,
    /// From the balancer and everybody else who is no node.
    Balancer,
    /// From all other nodes.
    Nodes,
    /// From the node with this name.
    Node(String),
}

/// Which direction is lost, seen from the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Both.
    #[default]
    Both,
    /// What is sent to the node.
    In,
    /// What the node sends.
    Out,
}

/// What stands in a node's place where the balancer is meant.
pub const BALANCER: &str = "balancer";

/// A fault's name, what may follow it, and what it does: for messages and help.
pub const FAULTS: [(&str, &str, &str); 16] = [
    ("kill", "", "end the process at once (SIGKILL)"),
    ("stop", "", "shut the server down in good order (SIGTERM)"),
    ("pause", "", "stop the process in its tracks (SIGSTOP)"),
    ("slow", "[PERCENT]", "give the process so much of its time (10)"),
    ("refuse", "", "refuse new connections"),
    ("mute", "", "accept new connections and never answer"),
    ("cut", "[BYTES]", "cut every connection in mid-answer, after so many bytes (4096)"),
    ("cut_commit", "[COUNT]", "cut the connection between a COMMIT and its answer, so many times (1)"),
    ("delay", "[TIME [JITTER]]", "delay everything, each way (50ms 0ms)"),
    ("bandwidth", "[BYTES]", "carry no more bytes a second (100000)"),
    (
        "partition",
        "[all|balancer|nodes|NODE] [both|in|out]",
        "lose what goes to the node (in), what it sends (out)",
    ),
    ("stop_replication", "", "stop a replica's replication"),
    ("delay_replication", "[SECONDS]", "have a replica apply so late (5)"),
    ("too_many_connections", "", "take all connections of the node"),
    ("disk_full", "", "leave the node's data no space to grow"),
    ("kill_balancer", "", "end the balancer at once; NODE is `balancer`"),
];

impl Fault {
    /// The fault of a name with the words that follow it; what is left out has a usual value.
    ///
    /// # Errors
    /// For unknown names and words that do not fit; the message says what is allowed.
    pub fn parse(name: &str, words: &[&str]) -> Result<Self, String> {
        let name = name.replace('-', "_");
        let known = FAULTS.iter().find(|(known, ..)| *known == name);
        let Some((_, usage, _)) = known else {
            let names: Vec<&str> = FAULTS.iter().map(|(name, ..)| *name).collect();
            return Err(format!("there is no fault `{name}`; allowed: {}", names.join(", ")));
        };
        let most = if usage.is_empty() { 0 } else { usage.matches('[').count() };
        if words.len() > most {
            let takes = if usage.is_empty() { "nothing" } else { usage };
            return Err(format!("{name} takes {takes}, not `{}`", words.join(" ")));
        }
        let (first, second) = (words.first().copied(), words.get(1).copied());
        Ok(match name.as_str() {
            "kill" => Self::Kill,
            "stop" => Self::Stop,
            "pause" => Self::Pause,
            "slow" => {
                Self::Slow { percent: number(&name, first.map(|w| w.trim_end_matches('%')), 10, 1, 99)? }
            }
            "refuse" => Self::Refuse,
            "mute" => Self::Mute,
            "cut" => Self::Cut { after: number(&name, first, 4096, 0, 1 << 40)? },
            "cut_commit" => Self::CutCommit { commits: number(&name, first, 1, 1, 1_000_000)? },
            "delay" => Self::Delay { by: span(&name, first, 50)?, jitter: span(&name, second, 0)? },
            "bandwidth" => Self::Bandwidth { bytes_per_second: number(&name, first, 100_000, 1, 1 << 40)? },
            "partition" => Self::partition(words)?,
            "stop_replication" => Self::StopReplication,
            "delay_replication" => Self::DelayReplication { seconds: number(&name, first, 5, 1, 86_400)? },
            "disk_full" => Self::DiskFull,
            "kill_balancer" => Self::KillBalancer,
            _ => Self::TooManyConnections,
        })
    }

    fn partition(words: &[&str]) -> Result<Self, String> {
        let (mut from, mut way) = (None, None);
        for word in words {
            let given = match *word {
                "both" => way.replace(Way::Both).is_some(),
                "in" => way.replace(Way::In).is_some(),
                "out" => way.replace(Way::Out).is_some(),
                "all" => from.replace(Peer::All).is_some(),
                "balancer" => from.replace(Peer::Balancer).is_some(),
                "nodes" => from.replace(Peer::Nodes).is_some(),
                node => from.replace(Peer::Node(node.to_owned())).is_some(),
            };
            if given {
                return Err(format!("partition: `{}` says one thing twice", words.join(" ")));
            }
        }
        Ok(Self::Partition { from: from.unwrap_or_default(), way: way.unwrap_or_default() })
    }

    /// Its name, as a schedule and a person write it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Pause => "pause",
            Self::Slow { .. } => "slow",
            Self::Refuse => "refuse",
            Self::Mute => "mute",
            Self::Cut { .. } => "cut",
            Self::CutCommit { .. } => "cut_commit",
            Self::Delay { .. } => "delay",
            Self::Bandwidth { .. } => "bandwidth",
            Self::Partition { .. } => "partition",
            Self::StopReplication => "stop_replication",
            Self::DelayReplication { .. } => "delay_replication",
            Self::TooManyConnections => "too_many_connections",
            Self::DiskFull => "disk_full",
            Self::KillBalancer => "kill_balancer",
        }
    }

    /// Whether it takes a relay in front of the node.
    pub fn needs_relay(&self) -> bool {
        matches!(
            self,
            Self::Refuse
                | Self::Mute
                | Self::Cut { .. }
                | Self::CutCommit { .. }
                | Self::Delay { .. }
                | Self::Bandwidth { .. }
                | Self::Partition { .. }
        )
    }
}

fn number<T>(name: &str, word: Option<&str>, usual: T, least: T, most: T) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    let Some(word) = word else { return Ok(usual) };
    let number = word.parse().ok().filter(|number| *number >= least && *number <= most);
    number.ok_or_else(|| format!("{name}: `{word}`: allowed is a whole number from {least} to {most}"))
}

fn span(name: &str, word: Option<&str>, usual_ms: u64) -> Result<Duration, String> {
    let span = word.map_or(Ok(Span::millis(usual_ms)), str::parse);
    span.map(|span| span.0).map_err(|error| format!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Fault, String> {
        let words: Vec<&str> = text.split(' ').collect();
        Fault::parse(words[0], &words[1..])
    }

    #[test]
    fn faults_are_read_with_what_follows_them() {
        let ms = Duration::from_millis;
        for (text, fault) in [
            ("kill", Fault::Kill),
            ("slow", Fault::Slow { percent: 10 }),
            ("slow 25%", Fault::Slow { percent: 25 }),
            ("cut-commit 3", Fault::CutCommit { commits: 3 }),
            ("delay", Fault::Delay { by: ms(50), jitter: ms(0) }),
            ("delay 20ms 5ms", Fault::Delay { by: ms(20), jitter: ms(5) }),
            ("partition", Fault::Partition { from: Peer::All, way: Way::Both }),
            ("partition in", Fault::Partition { from: Peer::All, way: Way::In }),
            ("partition n2 out", Fault::Partition { from: Peer::Node("n2".into()), way: Way::Out }),
            ("partition out balancer", Fault::Partition { from: Peer::Balancer, way: Way::Out }),
        ] {
            assert_eq!(parse(text), Ok(fault), "{text}");
        }
        for (name, ..) in FAULTS {
            assert_eq!(parse(name).map(|fault| fault.name()), Ok(name), "it needs nothing more");
        }
    }

    #[test]
    fn what_does_not_fit_is_answered_with_what_is_allowed() {
        for (text, part) in [
            ("explode", "allowed: kill, stop"),
            ("kill softly", "kill takes nothing"),
            ("slow 100", "from 1 to 99"),
            ("slow soon", "from 1 to 99"),
            ("delay 5", "a number with a unit"),
            ("partition in out", "twice"),
            ("partition n2 n3", "twice"),
            ("cut 1 2", "cut takes [BYTES]"),
        ] {
            let message = parse(text).expect_err(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
