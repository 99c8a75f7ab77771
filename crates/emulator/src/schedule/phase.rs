//! Phases: stretches of the load, each with a number of browsers and a ramp to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tokio::sync::watch;

/// A stretch of the load, in whole seconds, so that every second belongs to one phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Its name in `seconds.csv` and `events.csv`.
    pub name: String,
    /// Whether it counts.
    pub kind: PhaseKind,
    /// Its length in seconds, at least 1; with `until` its greatest.
    pub seconds: u32,
    /// What ends it before its `seconds` are over; left out, nothing does. Of a warm-up only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// With `until`: it does not end before so many seconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub least_seconds: u32,
    /// Browsers at the end of its ramp.
    #[serde(default)]
    pub sessions: Level,
    /// Seconds at its start over which the number of browsers goes evenly from what it was to `sessions`; 0 is at once.
    #[serde(default)]
    pub ramp_seconds: u32,
}

fn is_zero(seconds: &u32) -> bool {
    *seconds == 0
}

/// What may end a warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// The load has become steady: [`report::statistics::steady::Lookout`].
    Steady,
}

/// Whether a phase counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseKind {
    /// Shown, not counted: caches fill and browsers fall out of step.
    Warmup,
    /// Part of the measurement interval.
    Measure,
    /// Shown, not counted: the load goes away.
    Drain,
}

impl PhaseKind {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warmup => "warmup",
            Self::Measure => "measure",
            Self::Drain => "drain",
        }
    }
}

/// A number of browsers: a whole number, never more than the peak, or a share of the peak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Level {
    /// So many, or the peak if that is less.
    Count(u32),
    /// This share of the peak, 0 to 1, at least one browser unless it is 0.
    Share(f64),
}

/// What is accepted for a level, for messages.
const ALLOWED: &str = "a whole number of sessions, \"peak\", or a share of the peak such as \"25%\"";

impl Default for Level {
    fn default() -> Self {
        Self::Share(1.0)
    }
}

impl Level {
    /// So many browsers when the peak is `peak`.
    pub fn of(self, peak: u32) -> u32 {
        match self {
            Self::Count(count) => count.min(peak),
            Self::Share(0.0) => 0,
            Self::Share(share) => ((f64::from(peak) * share).round() as u32).clamp(1, peak.max(1)),
        }
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => to.serialize_u32(*count),
            Self::Share(1.0) => to.serialize_str("peak"),
            Self::Share(share) => to.collect_str(&format_args!("{}%", share * 100.0)),
        }
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl de::Visitor<'_> for Either {
            type Value = Level;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(ALLOWED)
            }
            fn visit_i64<E: de::Error>(self, count: i64) -> Result<Level, E> {
                u32::try_from(count)
                    .map(Level::Count)
                    .map_err(|_| E::invalid_value(de::Unexpected::Signed(count), &self))
            }
            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Level, E> {
                u32::try_from(count)
                    .map(Level::Count)
                    .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(count), &self))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Level, E> {
                share(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        from.deserialize_any(Either)
    }
}

fn share(text: &str) -> Option<Level> {
    if text == "peak" {
        return Some(Level::Share(1.0));
    }
    let per_cent: f64 = text.strip_suffix('%')?.trim().parse().ok()?;
    (0.0..=100.0).contains(&per_cent).then_some(Level::Share(per_cent / 100.0))
}

/// The phases laid out in time. Clones share one knowledge of when a warm-up without a fixed length ended.
#[derive(Clone, Debug)]
pub struct Plan {
    phases: Vec<Phase>,
    peak: u32,
    /// The second at which it ended; none while that is open, and where there is none.
    cut: Arc<watch::Sender<Option<u32>>>,
}

impl Plan {
    /// Lays out phases for this peak.
    pub fn new(phases: Vec<Phase>, peak: u32) -> Self {
        Self { phases, peak, cut: Arc::new(watch::channel(None).0) }
    }

    /// The length of the load in seconds, as far as that is known.
    pub fn seconds(&self) -> u32 {
        self.spans().last().map_or(0, |(_, end, _)| end)
    }

    /// Browsers at the end of a phase's ramp.
    pub fn level_of(&self, phase: &Phase) -> u32 {
        phase.sessions.of(self.peak)
    }

    /// The phases with the second in which each begins and the one before which it ends.
    pub fn spans(&self) -> impl Iterator<Item = (u32, u32, &Phase)> {
        let cut = *self.cut.borrow();
        self.phases.iter().scan(0, move |next, phase| {
            let start = *next;
            *next = cut.filter(|_| phase.until.is_some()).unwrap_or(start + phase.seconds);
            Some((start, *next, phase))
        })
    }

    /// The phase to which a second belongs; the last one for what comes after its end.
    pub fn phase_at(&self, second: u32) -> Option<&Phase> {
        self.spans().filter(|(start, ..)| *start <= second).last().map(|(.., phase)| phase)
    }

    /// How many browsers there should be at this time; none after the end.
    pub fn sessions_at(&self, at: Duration) -> u32 {
        let mut before = 0;
        for (start, end, phase) in self.spans() {
            let (level, at) = (phase.sessions.of(self.peak), at.as_secs_f64());
            if at < f64::from(end) {
                return ramped(before, level, at - f64::from(start), f64::from(phase.ramp_seconds));
            }
            before = level;
        }
        0
    }

    /// The phase whose end is open, with the seconds between which it lies if it goes on for its most.
    pub(crate) fn open_ended(&self) -> Option<(u32, u32, &Phase)> {
        let open = |(_, _, phase): &(u32, u32, &Phase)| phase.until.is_some();
        self.spans().find(open).map(|(start, _, phase)| (start, start + phase.seconds, phase))
    }

    /// The phase whose end is open ends before this second; all that follows comes as much earlier.
    pub(crate) fn cut(&self, second: u32) {
        self.cut.send_replace(Some(second));
    }

    /// The second at which the open end was set.
    pub(crate) fn was_cut(&self) -> Option<u32> {
        *self.cut.borrow()
    }

    /// Tells when the open end is set.
    pub(crate) fn follow(&self) -> watch::Receiver<Option<u32>> {
        self.cut.subscribe()
    }

    /// When something comes that the workload puts at this second: after a warm-up that ended early, as much earlier.
    pub(crate) fn moved(&self, at: f64) -> f64 {
        let (Some(cut), Some((_, most, _))) = (self.was_cut(), self.open_ended()) else { return at };
        if at < f64::from(most) { at } else { at - f64::from(most - cut) }
    }
}

/// The number on an even way from one level to another, `into` seconds after it began.
fn ramped(from: u32, to: u32, into: f64, ramp: f64) -> u32 {
    if into >= ramp {
        return to;
    }
    let way = (f64::from(to) - f64::from(from)) * (into / ramp);
    (f64::from(from) + way).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(name: &str, seconds: u32, sessions: Level, ramp_seconds: u32) -> Phase {
        let (name, kind) = (name.into(), PhaseKind::Measure);
        Phase { name, kind, seconds, until: None, least_seconds: 0, sessions, ramp_seconds }
    }

    #[test]
    fn what_follows_an_open_end_comes_earlier_when_that_does() {
        let mut warm = phase("warm", 100, Level::default(), 20);
        warm.until = Some(Until::Steady);
        let plan = Plan::new(
            vec![phase("cold", 10, Level::Count(4), 0), warm, phase("hot", 50, Level::Count(8), 10)],
            40,
        );
        let other = plan.clone();
        assert_eq!((plan.seconds(), plan.moved(9.0), plan.moved(110.0)), (160, 9.0, 110.0));
        assert_eq!(plan.open_ended().map(|(start, most, _)| (start, most)), Some((10, 110)));
        plan.cut(70);
        assert_eq!(
            (other.seconds(), other.moved(9.0), other.moved(110.0), other.moved(130.5)),
            (120, 9.0, 70.0, 90.5)
        );
        assert_eq!(other.open_ended().map(|(start, most, _)| (start, most)), Some((10, 110)), "as planned");
        for (at, name, sessions) in [(69, "warm", 40), (70, "hot", 40), (80, "hot", 8), (119, "hot", 8)] {
            assert_eq!(other.phase_at(at).expect("a phase").name, name, "{at}");
            assert_eq!(other.sessions_at(Duration::from_secs(at.into())), sessions, "{at}");
        }
        assert_eq!(other.sessions_at(Duration::from_secs(120)), 0);
    }

    #[test]
    fn levels_are_counts_or_shares_and_never_above_the_peak() {
        let cases = [
            (Level::Count(10), 60, 10),
            (Level::Count(10), 5, 5),
            (Level::Count(0), 60, 0),
            (Level::Share(1.0), 60, 60),
            (Level::Share(0.25), 60, 15),
            (Level::Share(0.01), 10, 1),
            (Level::Share(0.0), 60, 0),
        ];
        for (level, peak, expected) in cases {
            assert_eq!(level.of(peak), expected, "{level:?} of {peak}");
        }
    }

    #[test]
    fn browsers_go_up_and_down_evenly() {
        let plan = Plan::new(
            vec![
                phase("low", 10, Level::Count(10), 0),
                phase("up", 20, Level::default(), 10),
                phase("down", 10, Level::Count(10), 5),
            ],
            60,
        );
        let table = [
            (0.0, 10),
            (9.9, 10),
            (10.0, 10),
            (15.0, 35),
            (20.0, 60),
            (29.9, 60),
            (32.5, 35),
            (35.0, 10),
            (39.9, 10),
            (40.0, 0),
        ];
        for (at, expected) in table {
            assert_eq!(plan.sessions_at(Duration::from_secs_f64(at)), expected, "at {at} s");
        }
        assert_eq!(plan.seconds(), 40);
        let names: Vec<_> =
            [0, 9, 10, 30, 99].map(|second| plan.phase_at(second).expect("a phase").name.as_str()).into();
        assert_eq!(names, ["low", "low", "up", "down", "down"]);
    }

    #[test]
    fn levels_are_read_in_each_form_and_refused_with_what_is_allowed() {
        let read =
            |text: &str| toml::from_str::<Phase>(&format!("name='a'\nkind='warmup'\nseconds=1\n{text}"));
        for (text, level) in [
            ("sessions = 10", Level::Count(10)),
            ("sessions = 'peak'", Level::Share(1.0)),
            ("sessions = '25%'", Level::Share(0.25)),
            ("", Level::Share(1.0)),
        ] {
            assert_eq!(read(text).expect(text).sessions, level);
        }
        for text in ["sessions = -1", "sessions = '101%'", "sessions = 'many'", "sessions = 0.5"] {
            let message = read(text).expect_err(text).to_string();
            assert!(message.contains("share of the peak"), "{message}");
        }
    }
}
