//! Whether to add a node, take one away or hold still. Pure.
//!
//! ```text
//! too few serve ───────────────────────────────▶ out, at once and before all else
//! an action under way, or the cool-down ───────▶ hold
//! too slow, window at least half filled ───────▶ out
//! idle, window filled ─────────────────────────▶ in
//! ```
//!
//! The two limits on latency lie apart, the cool-down begins when an action has *finished*, and the window begins anew
//! then: nothing measured before an action can cause the next one.

use std::time::Duration;

use tokio::time::Instant;

use super::rules;
use super::window::Average;
use crate::config::Elastic;

/// What is decided, with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Add a node.
    Out {
        /// Why.
        cause: String,
        /// Too few serve: goes before everything else.
        urgent: bool,
    },
    /// Take one away.
    In {
        /// Why.
        cause: String,
    },
    /// A node is wanted, and no candidate stands by: whoever can make one may do so.
    Lack {
        /// What for.
        reason: String,
    },
    /// Leave it as it is.
    Hold {
        /// Why.
        reason: String,
    },
}

/// All that a decision is made from.
#[derive(Clone, Debug)]
pub struct Situation {
    /// This moment.
    pub now: Instant,
    /// Nodes that serve, primary included.
    pub serving: usize,
    /// Nodes asked for and not serving yet.
    pub coming: usize,
    /// Nodes on their way out.
    pub leaving: usize,
    /// Candidates that are alive and stand by.
    pub standby: usize,
    /// A primary is being replaced.
    pub promoting: bool,
    /// Statements under way on serving nodes.
    pub in_flight: u64,
    /// Latency of reads.
    pub average: Average,
    /// When the last scaling action ended.
    pub scaled_at: Option<Instant>,
}

/// Decides.
pub fn decide(situation: &Situation, settings: &Elastic) -> Decision {
    let Situation { now, serving, coming, leaving, standby, average, .. } = situation;
    let hold = |reason: &str| Decision::Hold { reason: reason.to_owned() };
    let lack = |reason: &str| Decision::Lack { reason: reason.to_owned() };
    if let Some(cause) = rules::too_few(*serving, *coming, settings) {
        return if *standby > 0 {
            Decision::Out { cause, urgent: true }
        } else {
            lack("too few nodes, and no candidate")
        };
    }
    if situation.promoting {
        return hold("the primary is being replaced");
    }
    if coming + leaving > 0 {
        return hold("an action is under way");
    }
    let cooled = situation.scaled_at.is_none_or(|at| now.saturating_duration_since(at) >= cooldown(settings));
    if !cooled {
        return hold("cool-down");
    }
    if average.filled < 0.5 {
        return hold("the window is less than half filled");
    }
    if let Some(cause) = rules::too_slow(average, settings) {
        return match settings.ceiling {
            ceiling if ceiling != 0 && *serving >= ceiling => hold("slow, but no more nodes may serve"),
            _ if *standby == 0 => lack("slow, and no candidate"),
            _ => Decision::Out { cause, urgent: false },
        };
    }
    match rules::idle(average, situation.in_flight, settings) {
        Some(_) if *serving <= settings.floor => hold("idle, at the floor"),
        Some(_) if average.filled < 1.0 => hold("idle, the window is not filled yet"),
        Some(cause) => Decision::In { cause },
        None => hold("latency between the limits"),
    }
}

/// The cool-down: as set, or one window.
pub fn cooldown(settings: &Elastic) -> Duration {
    Duration::from_millis(if settings.cooldown_ms == 0 { settings.window_ms } else { settings.cooldown_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn situation(mean_ms: Option<f64>) -> Situation {
        Situation {
            now: Instant::now() + Duration::from_secs(1000),
            serving: 3,
            coming: 0,
            leaving: 0,
            standby: 1,
            promoting: false,
            in_flight: 0,
            average: Average { reads: 100, mean_ms, filled: 1.0 },
            scaled_at: None,
        }
    }

    #[test]
    fn decisions() {
        type Change = fn(&mut Situation);
        let (slow, idle, middle) = (Some(500.0), Some(10.0), Some(100.0));
        let table: &[(&str, Option<f64>, Change, &str)] = &[
            ("slow", slow, |_| {}, "out: read latency 500.0 ms above 400 ms"),
            ("idle", idle, |_| {}, "in: read latency 10.0 ms below 50 ms"),
            ("no reads", None, |_| {}, "in: no reads"),
            ("no answers", None, |s| s.in_flight = 9, "hold: latency between the limits"),
            ("between", middle, |_| {}, "hold: latency between the limits"),
            (
                "slow, half a window",
                slow,
                |s| s.average.filled = 0.5,
                "out: read latency 500.0 ms above 400 ms",
            ),
            (
                "slow, too young",
                slow,
                |s| s.average.filled = 0.4,
                "hold: the window is less than half filled",
            ),
            (
                "idle, half a window",
                idle,
                |s| s.average.filled = 0.9,
                "hold: idle, the window is not filled yet",
            ),
            ("slow, nobody left", slow, |s| s.standby = 0, "lack: slow, and no candidate"),
            ("slow, one comes", slow, |s| s.coming = 1, "hold: an action is under way"),
            ("idle, one goes", idle, |s| s.leaving = 1, "hold: an action is under way"),
            ("idle, at the floor", idle, |s| s.serving = 2, "hold: idle, at the floor"),
            ("cooling", slow, |s| s.scaled_at = Some(s.now - Duration::from_secs(59)), "hold: cool-down"),
            (
                "cooled",
                slow,
                |s| s.scaled_at = Some(s.now - Duration::from_secs(60)),
                "out: read latency 500.0 ms above 400 ms",
            ),
            ("failover", slow, |s| s.promoting = true, "hold: the primary is being replaced"),
            (
                "too few, also while cooling",
                idle,
                |s| (s.serving, s.scaled_at) = (1, Some(s.now)),
                "urgent: 1 nodes serve and 0 come, 2 at least must",
            ),
            (
                "too few, one comes",
                middle,
                |s| (s.serving, s.coming) = (1, 1),
                "hold: an action is under way",
            ),
            (
                "too few, nobody left",
                idle,
                |s| (s.serving, s.standby) = (1, 0),
                "lack: too few nodes, and no candidate",
            ),
        ];
        for (name, mean, change, expected) in table {
            let mut situation = situation(*mean);
            change(&mut situation);
            let decided = match decide(&situation, &Elastic::default()) {
                Decision::Out { cause, urgent: true } => format!("urgent: {cause}"),
                Decision::Out { cause, urgent: false } => format!("out: {cause}"),
                Decision::In { cause } => format!("in: {cause}"),
                Decision::Lack { reason } => format!("lack: {reason}"),
                Decision::Hold { reason } => format!("hold: {reason}"),
            };
            assert_eq!(decided, *expected, "{name}");
        }
    }

    #[test]
    fn the_ceiling_holds() {
        let settings = Elastic { ceiling: 3, ..Elastic::default() };
        assert!(matches!(decide(&situation(Some(900.0)), &settings), Decision::Hold { .. }));
    }

    /// A load whose latency depends on the nodes that share it: the controller must find its size and stay there.
    #[test]
    fn it_does_not_flap() {
        let settings = Elastic { window_ms: 10_000, ..Elastic::default() };
        let (mut serving, mut actions, mut scaled_at) = (3, 0, None);
        let start = Instant::now();
        for second in 0..600 {
            let now = start + Duration::from_secs(second);
            let since = scaled_at.unwrap_or(start);
            let filled = (now.saturating_duration_since(since).as_secs_f64() / 10.0).min(1.0);
            let average = Average { reads: 1, mean_ms: Some(1300.0 / serving as f64), filled };
            let now_is =
                Situation { now, serving, standby: 6 - serving, average, scaled_at, ..situation(None) };
            match decide(&now_is, &settings) {
                Decision::Out { .. } => serving += 1,
                Decision::In { .. } => serving -= 1,
                Decision::Lack { .. } | Decision::Hold { .. } => continue,
            }
            (actions, scaled_at) = (actions + 1, Some(now));
        }
        assert_eq!((serving, actions), (4, 1));
    }
}
