//! Events: what a workload asks the cluster for, and when.

use serde::{Deserialize, Serialize};

use crate::control::{Action, Fault, NodeSelector};
use crate::fault::{BALANCER, FAULTS};

/// Something to ask for at a given second of the load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Seconds since the start of the load.
    #[serde(deserialize_with = "number")]
    pub at: f64,
    /// What.
    pub action: EventAction,
    /// Which node: `primary`, `replica`, `last` (the one that the last fault struck) or a name. For scaling and strategies none;
    /// for `heal` (and its other names `restart` and `continue`) it is `last` unless said otherwise, for `promote` `replica`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What follows a fault's name, such as `"50ms 10ms"` for `delay` or `"balancer in"` for `partition`; a strategy's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    /// The node is healed so many seconds after the fault, whatever else was done to it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_number")]
    pub heal_after: Option<f64>,
}

/// What an event can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "faults are described where they are made")]
pub enum EventAction {
    /// Add a serving node.
    ScaleOut,
    /// Take one away.
    ScaleIn,
    /// Make another node the primary, as planned.
    Promote,
    /// Spread reads in another way.
    Strategy,
    /// Undo whatever was done to a node.
    Heal,
    /// The same, said of a killed node.
    Restart,
    /// The same, said of a paused node.
    Continue,
    Kill,
    Stop,
    Pause,
    Slow,
    Refuse,
    Mute,
    Cut,
    CutCommit,
    Delay,
    Bandwidth,
    Partition,
    StopReplication,
    DelayReplication,
    TooManyConnections,
    DiskFull,
    KillBalancer,
}

impl EventAction {
    /// All faults.
    pub const FAULTS: [Self; 16] = [
        Self::Kill,
        Self::Stop,
        Self::Pause,
        Self::Slow,
        Self::Refuse,
        Self::Mute,
        Self::Cut,
        Self::CutCommit,
        Self::Delay,
        Self::Bandwidth,
        Self::Partition,
        Self::StopReplication,
        Self::DelayReplication,
        Self::TooManyConnections,
        Self::DiskFull,
        Self::KillBalancer,
    ];

    /// Its name in a workload.
    pub fn name(self) -> &'static str {
        match self {
            Self::ScaleOut => "scale_out",
            Self::ScaleIn => "scale_in",
            Self::Promote => "promote",
            Self::Strategy => "strategy",
            Self::Heal => "heal",
            Self::Restart => "restart",
            Self::Continue => "continue",
            fault => Self::FAULTS.iter().position(|known| *known == fault).map_or("", |at| FAULTS[at].0),
        }
    }
}

impl Event {
    /// The request that this event stands for.
    ///
    /// # Errors
    /// When node or words do not go with the action; the message says what is allowed.
    pub fn request(&self) -> Result<Action, String> {
        let node = self.node.as_deref().map(selector);
        let name = self.action.name();
        let fault = EventAction::FAULTS.contains(&self.action);
        if !fault && self.heal_after.is_some() {
            return Err(format!("{name} is no fault: it takes no heal_after"));
        }
        if !fault && self.action != EventAction::Strategy && self.with.is_some() {
            return Err(format!("{name} takes no with"));
        }
        if let Some(after) = self.heal_after.filter(|after| !after.is_finite() || *after < 0.0) {
            return Err(format!("heal_after = {after}: allowed is 0 or more seconds"));
        }
        match (self.action, node) {
            (EventAction::ScaleOut, None) => Ok(Action::ScaleOut),
            (EventAction::ScaleIn, None) => Ok(Action::ScaleIn),
            (EventAction::ScaleOut | EventAction::ScaleIn, Some(_)) => {
                Err(format!("{name} takes no node: the cluster chooses"))
            }
            (EventAction::Promote, Some(NodeSelector::Primary)) => {
                Err(format!("{name} = primary: it is the primary already"))
            }
            (EventAction::Promote, node) => {
                Ok(Action::Promote { node: node.unwrap_or(NodeSelector::Replica) })
            }
            (EventAction::Strategy, None) => match &self.with {
                Some(name) => Ok(Action::Strategy { name: name.clone() }),
                None => Err(format!("{name} needs its name: with = \"least_latency\"")),
            },
            (EventAction::Strategy, Some(_)) => Err(format!("{name} takes no node: it is the balancer's")),
            (EventAction::Heal | EventAction::Restart | EventAction::Continue, node) => {
                Ok(Action::Heal { node: node.unwrap_or(NodeSelector::Last) })
            }
            (EventAction::KillBalancer, node) if node.as_ref().is_none_or(is_balancer) => {
                let node = NodeSelector::Named(BALANCER.to_owned());
                Ok(Action::Fault { node, fault: Fault::KillBalancer })
            }
            (EventAction::KillBalancer, Some(_)) => Err(format!("{name} takes no node, or \"{BALANCER}\"")),
            (_, Some(node)) if is_balancer(&node) => {
                Err(format!("{name} strikes a node; the balancer can be struck by kill_balancer alone"))
            }
            (_, Some(node)) => {
                let words: Vec<&str> = self.with.as_deref().unwrap_or_default().split_whitespace().collect();
                Ok(Action::Fault { node, fault: Fault::parse(name, &words)? })
            }
            (_, None) => Err(format!(
                "{name} needs a node: \"primary\", \"replica\", \"last\" or a name such as \"n2\""
            )),
        }
    }
}

fn is_balancer(node: &NodeSelector) -> bool {
    matches!(node, NodeSelector::Named(name) if name == BALANCER)
}

/// A number that is there.
fn some_number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    number(from).map(Some)
}

fn selector(text: &str) -> NodeSelector {
    match text {
        "primary" => NodeSelector::Primary,
        "replica" => NodeSelector::Replica,
        "last" => NodeSelector::Last,
        name => NodeSelector::Named(name.to_owned()),
    }
}

/// Whole numbers of seconds are numbers too.
fn number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    struct Number;
    impl serde::de::Visitor<'_> for Number {
        type Value = f64;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a number of seconds")
        }
        fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<f64, E> {
            Ok(value as f64)
        }
        fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<f64, E> {
            Ok(value as f64)
        }
        fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<f64, E> {
            Ok(value)
        }
    }
    from.deserialize_any(Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        toml::from_str(text).expect(text)
    }

    #[test]
    fn events_become_requests() {
        let kill = |node| Action::Fault { node, fault: Fault::Kill };
        let cases = [
            ("at = 1\naction = 'scale_out'", Action::ScaleOut),
            ("at = 1.5\naction = 'scale_in'", Action::ScaleIn),
            ("at = 1\naction = 'kill'\nnode = 'replica'", kill(NodeSelector::Replica)),
            ("at = 1\naction = 'kill'\nnode = 'n3'", kill(NodeSelector::Named("n3".into()))),
            (
                "at = 1\naction = 'pause'\nnode = 'primary'",
                Action::Fault { node: NodeSelector::Primary, fault: Fault::Pause },
            ),
            ("at = 1\naction = 'restart'", Action::Heal { node: NodeSelector::Last }),
            (
                "at = 1\naction = 'continue'\nnode = 'n1'",
                Action::Heal { node: NodeSelector::Named("n1".into()) },
            ),
            ("at = 1\naction = 'promote'", Action::Promote { node: NodeSelector::Replica }),
            (
                "at = 1\naction = 'promote'\nnode = 'n3'",
                Action::Promote { node: NodeSelector::Named("n3".into()) },
            ),
            ("at = 1\naction = 'strategy'\nwith = 'random'", Action::Strategy { name: "random".into() }),
        ];
        for (text, expected) in cases {
            assert_eq!(event(text).request(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn every_fault_has_its_name_and_what_follows_it() {
        for action in EventAction::FAULTS {
            let name = action.name();
            let node = if action == EventAction::KillBalancer { BALANCER } else { "n2" };
            let event = event(&format!("at = 1\naction = '{name}'\nnode = '{node}'\nheal_after = 2"));
            assert_eq!((event.action, event.heal_after), (action, Some(2.0)));
            assert!(matches!(event.request(), Ok(Action::Fault { .. })), "{name}");
        }
        let slow = event("at = 1\naction = 'slow'\nnode = 'n2'\nwith = '25%'");
        let fault = Fault::Slow { percent: 25 };
        assert_eq!(slow.request(), Ok(Action::Fault { node: NodeSelector::Named("n2".into()), fault }));
        for text in [
            "at = 1\naction = 'kill'\nnode = 'n2'\nwith = 'care'",
            "at = 1\naction = 'heal'\nheal_after = 1",
            "at = 1\naction = 'mute'\nnode = 'n2'\nheal_after = -1",
        ] {
            assert!(event(text).request().is_err(), "{text}");
        }
    }

    #[test]
    fn a_node_that_does_not_go_with_the_action_is_refused() {
        for text in [
            "at = 1\naction = 'kill'",
            "at = 1\naction = 'kill'\nnode = 'balancer'",
            "at = 1\naction = 'kill_balancer'\nnode = 'n2'",
            "at = 1\naction = 'scale_in'\nnode = 'n2'",
            "at = 1\naction = 'promote'\nnode = 'primary'",
            "at = 1\naction = 'promote'\nwith = 'care'",
            "at = 1\naction = 'strategy'",
            "at = 1\naction = 'strategy'\nnode = 'n2'\nwith = 'random'",
        ] {
            assert!(event(text).request().is_err(), "{text}");
        }
        assert!(toml::from_str::<Event>("at = 1\naction = 'explode'").is_err());
    }
}
