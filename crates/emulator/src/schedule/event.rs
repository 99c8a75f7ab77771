//! Events: what a workload asks the cluster for, and when.

use serde::{Deserialize, Serialize};

use crate::control::{Action, Fault, NodeSelector};

/// Something to ask for at a given second of the load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Seconds since the start of the load.
    #[serde(deserialize_with = "number")]
    pub at: f64,
    /// What.
    pub action: EventAction,
    /// Which node: `primary`, `replica`, `last` (the one that the last fault struck) or a name. For scaling none; for
    /// `restart` and `continue` it is `last` unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

/// What an event can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventAction {
    /// Add a serving node.
    ScaleOut,
    /// Take one away.
    ScaleIn,
    /// SIGKILL a node.
    Kill,
    /// Start a killed node again.
    Restart,
    /// SIGSTOP a node.
    Pause,
    /// SIGCONT a paused node.
    Continue,
}

impl EventAction {
    /// Its name in a workload.
    pub fn name(self) -> &'static str {
        match self {
            Self::ScaleOut => "scale_out",
            Self::ScaleIn => "scale_in",
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Pause => "pause",
            Self::Continue => "continue",
        }
    }
}

impl Event {
    /// The request that this event stands for.
    ///
    /// # Errors
    /// When the node does not go with the action; the message says what is allowed.
    pub fn request(&self) -> Result<Action, String> {
        let node = self.node.as_deref().map(selector);
        match (self.action, node) {
            (EventAction::ScaleOut, None) => Ok(Action::ScaleOut),
            (EventAction::ScaleIn, None) => Ok(Action::ScaleIn),
            (EventAction::ScaleOut | EventAction::ScaleIn, Some(_)) => {
                Err(format!("{} takes no node: the cluster chooses", self.action.name()))
            }
            (EventAction::Kill, Some(node)) => Ok(Action::Fault { node, fault: Fault::Kill }),
            (EventAction::Pause, Some(node)) => Ok(Action::Fault { node, fault: Fault::Pause }),
            (EventAction::Kill | EventAction::Pause, None) => Err(format!(
                "{} needs a node: \"primary\", \"replica\", \"last\" or a name such as \"n2\"",
                self.action.name()
            )),
            (EventAction::Restart | EventAction::Continue, node) => {
                Ok(Action::Heal { node: node.unwrap_or(NodeSelector::Last) })
            }
        }
    }
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
            f.write_str("seconds since the start of the load")
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
        ];
        for (text, expected) in cases {
            assert_eq!(event(text).request(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_node_that_does_not_go_with_the_action_is_refused() {
        for text in ["at = 1\naction = 'kill'", "at = 1\naction = 'scale_in'\nnode = 'n2'"] {
            assert!(event(text).request().is_err(), "{text}");
        }
        assert!(toml::from_str::<Event>("at = 1\naction = 'explode'").is_err());
    }
}
