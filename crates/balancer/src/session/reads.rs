//! How a session's reads are chosen, what they must not miss, and the statements by which a client looks at it and
//! changes it.

use std::time::Duration;

use cluster::replication::gtid::GtidPosition;
use tokio::time::Instant;

use crate::config::{Config, Consistency, LONGEST_WAIT_MS, Listener};
use crate::route::promise::{LastRead, Promise};
use crate::route::{Plan, Route};
use crate::view::Strategy;

/// The settings of one session's reads, and what it has seen.
#[derive(Debug)]
pub struct Reads {
    /// What they are promised.
    pub consistency: Consistency,
    /// How they are spread; `None`: as everybody's.
    pub strategy: Option<Strategy>,
    /// For so long at most a replica is waited for.
    pub wait: Duration,
    /// How far behind a replica may be under `eventual`, in milliseconds; 0: as far as it is.
    pub max_lag_ms: u64,
    /// Whether each decision is kept for `SHOW tpcw ROUTE`.
    pub explain: bool,
    /// The last decision.
    pub last_route: Option<Box<Decision>>,
    /// All tokens that it was handed.
    token: GtidPosition,
    /// Under `monotonic`: what it has read on the primary, and the tokens.
    seen: GtidPosition,
    /// Under `monotonic`: its last read, while that is more than `seen` tells.
    last_read: Option<LastRead>,
    /// Nodes that this session has lately waited for in vain, a bit each, and until when that counts.
    behind: Option<(u64, Instant)>,
}

/// Where a statement went.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The plan.
    pub plan: Plan,
    /// The level that was in force.
    pub consistency: Consistency,
    /// The decision.
    pub route: Route,
    /// What tied the session to its connection; empty: nothing.
    pub tied_by: String,
    /// When it was made.
    pub at: Instant,
    /// How far behind the node was, as far as probes knew: milliseconds and transactions.
    pub behind: Option<(u64, u64)>,
}

/// A value that a variable cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingError {
    /// There is no such variable.
    Unknown(String),
    /// It cannot have this value; the words say what is allowed.
    Value {
        /// Which one.
        name: String,
        /// As written.
        value: String,
        /// What would be right.
        allowed: String,
    },
}

/// The variables there are.
pub const NAMES: [&str; 6] =
    ["tpcw_consistency", "tpcw_strategy", "tpcw_wait_ms", "tpcw_max_lag_ms", "tpcw_token", "tpcw_explain"];

impl Reads {
    /// The settings of a listener's sessions.
    pub fn new(config: &Config, listener: &Listener) -> Self {
        let wait_ms = listener.wait_ms.unwrap_or(config.causal.wait_ms);
        Self {
            consistency: listener.consistency.unwrap_or(config.consistency),
            strategy: listener.strategy,
            wait: Duration::from_millis(wait_ms),
            max_lag_ms: listener.max_lag_ms.unwrap_or(config.eventual.max_lag_ms),
            explain: false,
            last_route: None,
            token: GtidPosition::default(),
            seen: GtidPosition::default(),
            last_read: None,
            behind: None,
        }
    }

    /// Back to the listener's settings. What was seen and handed over is kept: the promises hold for the connection.
    pub fn reset(&mut self, config: &Config, listener: &Listener) {
        let (token, seen) = (std::mem::take(&mut self.token), std::mem::take(&mut self.seen));
        let last_read = self.last_read;
        *self = Self { token, seen, last_read, ..Self::new(config, listener) };
    }

    /// The level in force for a statement.
    pub fn level(&self, plan: &Plan) -> Consistency {
        plan.consistency.unwrap_or(self.consistency)
    }

    /// What a statement's reads are promised; `last_write`: how far the session's own writes have come.
    pub fn promise<'a>(&'a self, plan: &Plan, last_write: &'a GtidPosition) -> Promise<'a> {
        let consistency = self.level(plan);
        let needs = match consistency {
            Consistency::Causal => last_write,
            Consistency::Monotonic => &self.seen,
            Consistency::Eventual | Consistency::Primary => &self.token,
        };
        let last_read = self.last_read.filter(|_| consistency == Consistency::Monotonic);
        Promise { consistency, needs, last_read, wait: self.wait, max_lag_ms: self.max_lag_ms }
    }

    /// Takes a token: all reads from now on see at least that much. `last_write` grows with it.
    pub fn take_token(&mut self, token: &GtidPosition, last_write: &mut GtidPosition) {
        self.token.require(token);
        self.seen.require(token);
        last_write.require(token);
    }

    /// What another session would have to see to miss nothing that this one has written, and read on the primary.
    pub fn token(&self, last_write: &GtidPosition) -> GtidPosition {
        let mut token = last_write.clone();
        token.require(&self.seen);
        token
    }

    /// It has read on this node, and nobody knows how far that was.
    pub fn has_read_on(&mut self, node: usize, epoch: u64) {
        self.last_read = Some(LastRead { node, epoch, at: Instant::now() });
    }

    /// It has read on the primary, which has come no further than this.
    pub fn has_seen(&mut self, position: &GtidPosition) {
        self.seen.require(position);
        self.last_read = None;
    }

    /// Whether a wait in vain tells others anything: not with a token, which may come from anywhere, nor with a wait of the
    /// session's own.
    pub fn waits_as_all_do(&self, config: &Config) -> bool {
        self.token.is_empty() && self.wait >= Duration::from_millis(config.causal.wait_ms)
    }

    /// It has waited for this node in vain, and does not again for so long.
    pub fn is_behind(&mut self, bit: u64, for_so_long: Duration) {
        let bits = self.behind() | bit;
        self.behind = Some((bits, Instant::now() + for_so_long));
    }

    /// Nodes that it has lately waited for in vain, a bit each.
    pub fn behind(&self) -> u64 {
        self.behind.filter(|(_, until)| *until > Instant::now()).map_or(0, |(bits, _)| bits)
    }

    /// The value of a variable, as text; `None`: there is no such variable.
    pub fn get(&self, name: &[u8], last_write: &GtidPosition) -> Option<(&'static str, String)> {
        let known = NAMES.into_iter().find(|known| known.as_bytes().eq_ignore_ascii_case(name))?;
        let value = match known {
            "tpcw_consistency" => self.consistency.as_str().to_owned(),
            "tpcw_strategy" => self.strategy.map_or("default", Strategy::as_str).to_owned(),
            "tpcw_wait_ms" => self.wait.as_millis().to_string(),
            "tpcw_max_lag_ms" => self.max_lag_ms.to_string(),
            "tpcw_token" => self.token(last_write).to_string(),
            _ => u8::from(self.explain).to_string(),
        };
        Some((known, value))
    }

    /// Sets a variable; `DEFAULT` is the listener's setting.
    pub fn set(
        &mut self,
        name: &[u8],
        value: &[u8],
        defaults: &Self,
        last_write: &mut GtidPosition,
    ) -> Result<(), SettingError> {
        let shown = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        let Some(name) = NAMES.into_iter().find(|known| known.as_bytes().eq_ignore_ascii_case(name)) else {
            return Err(SettingError::Unknown(shown(name)));
        };
        let default = value.eq_ignore_ascii_case(b"DEFAULT");
        let wrong =
            |allowed: String| SettingError::Value { name: name.to_owned(), value: shown(value), allowed };
        let number = |limit: u64| {
            let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<u64>().ok());
            let allowed = || wrong(format!("whole milliseconds, 0 to {limit}"));
            number.filter(|number| *number <= limit).ok_or_else(allowed)
        };
        match name {
            "tpcw_consistency" if default => self.consistency = defaults.consistency,
            "tpcw_consistency" => {
                let allowed = || wrong(Consistency::ALL.map(Consistency::as_str).join(", "));
                self.consistency = Consistency::of(value).ok_or_else(allowed)?;
            }
            "tpcw_strategy" if default => self.strategy = defaults.strategy,
            "tpcw_strategy" => {
                let allowed = || wrong(Strategy::ALL.map(Strategy::as_str).join(", "));
                self.strategy = Some(Strategy::of(value).ok_or_else(allowed)?);
            }
            "tpcw_wait_ms" if default => self.wait = defaults.wait,
            "tpcw_wait_ms" => self.wait = Duration::from_millis(number(LONGEST_WAIT_MS)?),
            "tpcw_max_lag_ms" if default => self.max_lag_ms = defaults.max_lag_ms,
            "tpcw_max_lag_ms" => self.max_lag_ms = number(i64::MAX as u64)?,
            "tpcw_token" => {
                let token = token(value)
                    .ok_or_else(|| wrong("GTIDs domain-server-sequence, separated by commas".to_owned()))?;
                self.take_token(&token, last_write);
            }
            _ => {
                self.explain = match value.to_ascii_uppercase().as_slice() {
                    b"1" | b"ON" | b"TRUE" => true,
                    b"0" | b"OFF" | b"FALSE" | b"DEFAULT" => false,
                    _ => return Err(wrong("0, 1, ON, OFF".to_owned())),
                };
                self.last_route = None;
            }
        }
        Ok(())
    }
}

/// Domains or intervals that a token may name; more than any cluster has, and few enough to compare with each read.
const MOST_PARTS: usize = 64;
/// No such token is longer.
const LONGEST: usize = 16 << 10;

/// A token as text.
pub fn token(text: &[u8]) -> Option<GtidPosition> {
    let text = text.get(..LONGEST).is_none().then_some(text)?;
    let position: GtidPosition = std::str::from_utf8(text).ok()?.parse().ok()?;
    (position.parts() <= MOST_PARTS).then_some(position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::classify::{Kind, Marks};

    fn reads() -> Reads {
        Reads {
            consistency: Consistency::Causal,
            strategy: None,
            wait: Duration::from_millis(300),
            max_lag_ms: 0,
            explain: false,
            last_route: None,
            token: GtidPosition::default(),
            seen: GtidPosition::default(),
            last_read: None,
            behind: None,
        }
    }

    #[test]
    fn variables_are_set_and_told() {
        let (mut reads, defaults, mut written) = (reads(), reads(), GtidPosition::default());
        for (name, value, told) in [
            ("tpcw_consistency", "Monotonic", "monotonic"),
            ("TPCW_CONSISTENCY", "default", "causal"),
            ("tpcw_strategy", "peak_ewma", "peak_ewma"),
            ("tpcw_strategy", "DEFAULT", "default"),
            ("tpcw_wait_ms", "60000", "60000"),
            ("tpcw_wait_ms", "default", "300"),
            ("tpcw_max_lag_ms", "5", "5"),
            ("tpcw_explain", "on", "1"),
            ("tpcw_explain", "0", "0"),
            ("tpcw_token", "0-1-5", "0-1-5"),
            ("tpcw_token", "1-2-3,0-1-4", "0-1-5,1-2-3"),
            ("tpcw_token", "", "0-1-5,1-2-3"),
        ] {
            reads.set(name.as_bytes(), value.as_bytes(), &defaults, &mut written).expect(name);
            assert_eq!(reads.get(name.as_bytes(), &written).unwrap().1, told, "{name}={value}");
        }
        assert_eq!(reads.get(b"tpcw_weather", &written), None);
    }

    #[test]
    fn nonsense_is_refused_with_what_is_allowed() {
        let (mut reads, defaults, mut written) = (reads(), reads(), GtidPosition::default());
        for (name, value) in [
            ("tpcw_consistency", "strong"),
            ("tpcw_strategy", ""),
            ("tpcw_wait_ms", "60001"),
            ("tpcw_wait_ms", "-1"),
            ("tpcw_max_lag_ms", "soon"),
            ("tpcw_token", "0-1"),
            ("tpcw_token", "3E11FA47-71CA-11E1-9E33-C80AA9429562:5-1"),
            ("tpcw_token", "DEFAULT"),
            ("tpcw_explain", "2"),
        ] {
            let refused = reads.set(name.as_bytes(), value.as_bytes(), &defaults, &mut written);
            assert!(matches!(refused, Err(SettingError::Value { .. })), "{name}={value}: {refused:?}");
        }
        let refused = reads.set(b"tpcw_weather", b"fine", &defaults, &mut written);
        assert_eq!(refused, Err(SettingError::Unknown("tpcw_weather".into())));
        let many: Vec<String> = (0..65).map(|domain| format!("{domain}-1-1")).collect();
        assert!(token(many.join(",").as_bytes()).is_none(), "a token is no place to keep things");
    }

    #[test]
    fn each_level_needs_its_own() {
        let mut reads = reads();
        let mut written: GtidPosition = "0-1-10".parse().unwrap();
        reads.take_token(&"0-1-7".parse().unwrap(), &mut written);
        reads.has_seen(&"0-1-8".parse().unwrap());
        reads.has_read_on(2, 1);
        let mut plan = Plan::plain(Kind::Read, Marks::NONE, "reads");
        for (level, needs, last_read) in [
            (Consistency::Causal, "0-1-10", false),
            (Consistency::Monotonic, "0-1-8", true),
            (Consistency::Eventual, "0-1-7", false),
        ] {
            plan.consistency = Some(level);
            let promise = reads.promise(&plan, &written);
            assert_eq!((promise.needs.to_string().as_str(), promise.last_read.is_some()), (needs, last_read));
        }
        assert_eq!(reads.token(&written).to_string(), "0-1-10");
        reads.has_seen(&"0-1-12".parse().unwrap());
        plan.consistency = Some(Consistency::Monotonic);
        assert_eq!(reads.promise(&plan, &written).last_read, None, "what it has seen is known exactly");
        assert_eq!(reads.token(&written).to_string(), "0-1-12");
    }
}
