//! How much a local node can do.
//!
//! Nodes on one machine share its cores, so that one more of them would add nothing. With a capacity of its own each node
//! behaves as if it stood on its own machine: a processor quota where the system allows it, a limited link otherwise.

pub(crate) mod quota;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// How nodes are limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapacityMode {
    /// A processor quota if this system allows one, else the link.
    #[default]
    Auto,
    /// A processor quota or an error.
    Quota,
    /// The link.
    Link,
}

/// The limits of each local node. What is `None` (or 0) is not limited.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capacity {
    /// Processor time a node may use, in cores: 0.25 is a quarter of one. Applied as a quota.
    pub processor_share: Option<f64>,
    /// Statements a second that a node's link lets through, one after the other as a single queue with a constant service
    /// time of 1/N. Applied by the link.
    pub statements_per_second: Option<u32>,
    /// Added to every statement by the link, in ms.
    pub delay_ms: f64,
    /// Bytes a second that the link carries towards the client.
    pub bytes_per_second: Option<u64>,
    /// Which of the two ways to use.
    pub mode: CapacityMode,
}

/// What was really applied; for the manifest and the report.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct AppliedCapacity {
    /// `none`, `quota_cgroup_v1`, `quota_cgroup_v2` or `link`.
    pub method: String,
    /// Cores a node, under a quota.
    pub processor_share: Option<f64>,
    /// The period over which the quota counts, in ms, under a quota.
    pub period_ms: Option<f64>,
    /// See [`Capacity::statements_per_second`]; under a link.
    pub statements_per_second: Option<u32>,
    /// See [`Capacity::delay_ms`]; under a link.
    pub delay_ms: f64,
    /// See [`Capacity::bytes_per_second`]; under a link.
    pub bytes_per_second: Option<u64>,
    /// In one sentence, for people.
    pub text: String,
}

/// The way that was chosen for all nodes of a cluster.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    None,
    Quota { groups: quota::Groups, share: f64 },
    Link(crate::fault::link::LinkLimits),
}

impl Capacity {
    /// Refuses figures that make no sense.
    pub fn check(&self) -> Result<(), Error> {
        let bad = |what: &str| Err(Error::Spec(format!("capacity: {what}")));
        if self.processor_share.is_some_and(|share| !(0.01..=256.0).contains(&share)) {
            return bad("processor_share must be between 0.01 and 256 cores");
        }
        if self.statements_per_second == Some(0) || self.bytes_per_second == Some(0) {
            return bad("a rate of 0 would let nothing through");
        }
        if !(0.0..=60_000.0).contains(&self.delay_ms) {
            return bad("delay_ms must be between 0 and 60,000");
        }
        if self.mode == CapacityMode::Quota && self.processor_share.is_none() {
            return bad("mode `quota` needs processor_share");
        }
        if self.mode == CapacityMode::Link && !self.limits_link() {
            return bad("mode `link` needs statements_per_second, delay_ms or bytes_per_second");
        }
        Ok(())
    }

    fn limits_link(&self) -> bool {
        self.statements_per_second.is_some() || self.delay_ms > 0.0 || self.bytes_per_second.is_some()
    }

    /// Chooses the way.
    pub(crate) fn plan(&self) -> Result<Plan, Error> {
        self.check()?;
        let quota = match (self.mode, self.processor_share) {
            (CapacityMode::Link, _) | (_, None) => Err("it was not asked for".to_owned()),
            (_, Some(share)) => quota::Groups::find().map(|groups| Plan::Quota { groups, share }),
        };
        match quota {
            Ok(plan) => Ok(plan),
            Err(reason) if self.mode == CapacityMode::Quota => Err(Error::Capacity(reason)),
            Err(_) if self.limits_link() => Ok(Plan::Link(crate::fault::link::LinkLimits {
                statements_per_second: self.statements_per_second,
                delay: std::time::Duration::from_secs_f64(self.delay_ms / 1000.0),
                bytes_per_second: self.bytes_per_second,
            })),
            Err(_) if self.processor_share.is_none() => Ok(Plan::None),
            Err(reason) => Err(Error::Capacity(format!(
                "a processor quota is not possible ({reason}) and no limits for the link are given \
                 (statements_per_second, delay_ms, bytes_per_second)"
            ))),
        }
    }
}

impl Plan {
    /// What the plan does, in figures and words.
    pub(crate) fn applied(&self) -> AppliedCapacity {
        match self {
            Self::None => AppliedCapacity {
                method: "none".to_owned(),
                text: "all nodes share this machine's cores without limits".to_owned(),
                ..AppliedCapacity::default()
            },
            Self::Quota { groups, share } => AppliedCapacity {
                method: groups.method().to_owned(),
                processor_share: Some(*share),
                period_ms: Some(quota::period(*share).as_secs_f64() * 1000.0),
                text: format!("each node may use {share} of a processor core (quota by control group)"),
                ..AppliedCapacity::default()
            },
            Self::Link(limits) => AppliedCapacity {
                method: "link".to_owned(),
                statements_per_second: limits.statements_per_second,
                delay_ms: limits.delay.as_secs_f64() * 1000.0,
                bytes_per_second: limits.bytes_per_second,
                text: limits.text(),
                ..AppliedCapacity::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacities_that_make_no_sense_are_refused() {
        let good = Capacity { processor_share: Some(0.25), ..Capacity::default() };
        assert!(good.check().is_ok() && Capacity::default().check().is_ok());
        for bad in [
            Capacity { processor_share: Some(0.0), ..good.clone() },
            Capacity { processor_share: Some(f64::NAN), ..good.clone() },
            Capacity { statements_per_second: Some(0), ..good.clone() },
            Capacity { delay_ms: -1.0, ..good.clone() },
            Capacity { mode: CapacityMode::Link, ..good.clone() },
            Capacity { mode: CapacityMode::Quota, processor_share: None, ..good.clone() },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn without_figures_nothing_is_limited() {
        assert_eq!(Capacity::default().plan().unwrap().applied().method, "none");
        let link =
            Capacity { statements_per_second: Some(500), mode: CapacityMode::Link, ..Capacity::default() };
        let applied = link.plan().unwrap().applied();
        assert_eq!((applied.method.as_str(), applied.statements_per_second), ("link", Some(500)));
    }
}
