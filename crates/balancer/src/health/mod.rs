//! Which nodes are alive, and what they say of themselves.
//!
//! One task a node probes it every `interval_ms` ([`probe`]) and lets its [`judge`] decide; what came out stands on the
//! [`Board`], which the watchers (`failover`, `elastic`) and the executor read. Sessions' sightings and a connection that
//! breaks bring the next probe forward to now.

pub mod durability;
pub mod judge;
pub mod lag;
pub mod probe;

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cluster::NodeId;
use cluster::replication::gtid::GtidPosition;
use tokio::sync::watch;
use tokio::time::Instant;

use self::judge::{HealthChange, Judge, Observation};
use self::lag::PrimaryPast;
use crate::config::Health;
use crate::event::{EventKind, EventLog};
use crate::nodes::{Answer, Facts};
use crate::telemetry::Meter;
use crate::telemetry::freshness::Behind;
use crate::telemetry::pace::Pace;

/// What is known of one node's health.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Which node.
    pub id: NodeId,
    /// The judge's verdict.
    pub alive: bool,
    /// How often it has come to life: rises with each [`HealthChange::Up`].
    pub lives: u64,
    /// What it last said of itself; kept when it dies.
    pub facts: Option<Facts>,
    /// When the probe began that brought the facts.
    pub facts_at: Option<Instant>,
    /// Why it is held for dead, empty while alive.
    pub evidence: String,
    /// When the first evidence of the present death was seen, and when the judge was sure.
    pub died: Option<(Instant, Instant)>,
    /// When it last came to life.
    pub up_at: Option<Instant>,
}

/// One node's place on the board.
#[derive(Debug)]
struct Place {
    sight: Sight,
    judge: Judge,
    meter: Arc<Meter>,
    /// What the last probe found, for what the reads since then are counted by.
    last: Last,
}

/// What the last probe of a node found.
#[derive(Debug, Default)]
struct Last {
    /// It was answered.
    answered: bool,
    /// Reads answered by then.
    reads: u64,
    /// How far behind the node was; `None`: unknown.
    behind: Option<Behind>,
    /// Where the primary stood.
    tip: Option<GtidPosition>,
}

/// The health of all nodes. Locked for moments only, never while anybody waits.
#[derive(Debug)]
pub struct Board {
    places: Mutex<Inner>,
    changed: watch::Sender<u64>,
    events: Arc<EventLog>,
}

#[derive(Debug)]
struct Inner {
    places: Vec<Place>,
    primary: Option<NodeId>,
    past: PrimaryPast,
}

impl Board {
    /// A board for nodes and their meters; a node starts alive when facts of it are known.
    pub fn new(
        nodes: Vec<(NodeId, Arc<Meter>, Option<Facts>)>,
        settings: &Health,
        events: Arc<EventLog>,
    ) -> Self {
        let now = Instant::now();
        let place = |(id, meter, facts): (NodeId, Arc<Meter>, Option<Facts>)| {
            let alive = facts.is_some();
            if let Some(facts) = &facts {
                meter.applied.store(Arc::new(facts.applied.clone()));
                meter.read_only.store(facts.read_only, Relaxed);
            }
            meter.lag_ms.store(-1, Relaxed);
            let evidence = if alive { String::new() } else { "did not answer at the start".to_owned() };
            let died = (!alive).then_some((now, now));
            let judge = Judge::new(settings.fall, settings.rise, alive);
            let facts_at = facts.as_ref().map(|_| now);
            let sight = Sight { id, alive, lives: 0, facts, facts_at, evidence, died, up_at: None };
            let last = Last { answered: alive, ..Last::default() };
            Place { sight, judge, meter, last }
        };
        let places = nodes.into_iter().map(place).collect();
        let inner = Inner { places, primary: None, past: PrimaryPast::default() };
        Self { places: Mutex::new(inner), changed: watch::Sender::new(0), events }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.places.lock().expect("no panic while the board is held")
    }

    /// All nodes, in the order of the configuration.
    pub fn sights(&self) -> Vec<Sight> {
        self.lock().places.iter().map(|place| place.sight.clone()).collect()
    }

    /// One node.
    pub fn sight(&self, id: &NodeId) -> Option<Sight> {
        self.lock().places.iter().find(|place| &place.sight.id == id).map(|place| place.sight.clone())
    }

    /// Whether the judge holds a node for alive.
    pub fn alive(&self, id: &NodeId) -> bool {
        self.lock().places.iter().any(|place| &place.sight.id == id && place.sight.alive)
    }

    /// Whether a node answered its last probe, whatever the judge still thinks of it.
    pub fn answers(&self, id: &NodeId) -> bool {
        self.lock().places.iter().any(|place| &place.sight.id == id && place.last.answered)
    }

    /// Statements that a node has answered to sessions so far.
    pub fn served(&self, index: usize) -> u64 {
        let inner = self.lock();
        let meter = inner.places.get(index).map(|place| &place.meter);
        meter.map_or(0, |meter| meter.reads.load(Relaxed) + meter.writes.load(Relaxed))
    }

    /// For how long the judge has been sure of a node's death; `None` while it holds it for alive.
    pub fn dead_for(&self, id: &NodeId) -> Option<Duration> {
        let inner = self.lock();
        let place = inner.places.iter().find(|place| &place.sight.id == id)?;
        place.sight.died.map(|(_, sure)| sure.elapsed())
    }

    /// A receiver that wakes when anything was learned.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// From now on lag is measured against this node.
    pub fn set_primary(&self, primary: Option<NodeId>) {
        let mut inner = self.lock();
        if inner.primary != primary {
            inner.primary = primary;
            inner.past.forget();
        }
    }

    /// Takes in what a probe that began at `at` brought; tells whether the probe is to be repeated at once.
    pub fn take(&self, index: usize, at: Instant, answer: Answer) -> bool {
        let mut inner = self.lock();
        let Inner { places, primary, past } = &mut *inner;
        let Some(place) = places.get_mut(index) else { return false };
        let observation = match &answer {
            Answer::Facts(..) => Observation::Answered,
            Answer::Overloaded(_) | Answer::Denied(_) | Answer::Unfit(_) => Observation::Busy,
            Answer::Refused(_) => Observation::Refused,
            Answer::Broken(_) => Observation::Broken,
            Answer::Silent => Observation::Silent,
        };
        let change = place.judge.see(at, observation);
        place.last.answered = observation == Observation::Answered;
        if let Answer::Facts(facts, ping) = answer {
            let restarted = change == Some(HealthChange::Up);
            place.learn(at, facts, ping, restarted, primary.as_ref(), past);
        }
        if let Some(change) = &change {
            place.turn(change, &self.events);
        }
        let doubts = place.judge.doubts();
        drop(inner);
        self.changed.send_modify(|count| *count += 1);
        doubts
    }
}

impl Place {
    /// Takes in what the node says of itself, for the board and for the meter that sessions read.
    fn learn(
        &mut self,
        at: Instant,
        facts: Facts,
        ping: Duration,
        restarted: bool,
        primary: Option<&NodeId>,
        past: &mut PrimaryPast,
    ) {
        let meter = self.meter.clone();
        let meter = &*meter;
        meter.ping_us.store((ping.as_micros() as u64).max(1), Relaxed);
        meter.read_only.store(facts.read_only, Relaxed);
        self.count_reads(primary, past, at, &facts.applied);
        self.forecast(primary, past, at, &facts.applied);
        meter.forgive();
        // Sessions may have learned more than this probe, which looked earlier; a restarted node may have lost some.
        if restarted {
            meter.applied.store(Arc::new(facts.applied.clone()));
        } else {
            meter.learned(&facts.applied);
        }
        // After the position: whoever sees this moment sees at least what was there then.
        meter.probed.store(Some(Arc::new(at)));
        self.sight.facts = Some(facts);
        self.sight.facts_at = Some(at);
    }

    /// How far behind the node is, for routing; and how far behind the reads were that it has answered since the last probe.
    fn count_reads(
        &mut self,
        primary: Option<&NodeId>,
        past: &mut PrimaryPast,
        at: Instant,
        applied: &GtidPosition,
    ) {
        let behind = if primary == Some(&self.sight.id) {
            past.saw(at, applied);
            Some(Behind::default())
        } else {
            past.lag(at, applied)
                .zip(past.tip())
                .map(|(lag, tip)| Behind { ms: lag.as_millis() as u64, transactions: applied.behind(tip) })
        };
        let meter = &self.meter;
        meter.lag_ms.store(behind.map_or(-1, |behind| behind.ms as i64), Relaxed);
        meter.lag_transactions.store(behind.map_or(0, |behind| behind.transactions), Relaxed);
        let reads = meter.reads.load(Relaxed);
        let worse = match (self.last.behind, behind) {
            (Some(before), Some(now)) => Some(before.worse(now)),
            (None, now) => now,
            (Some(_), None) => None,
        };
        meter.freshness.record(reads.saturating_sub(self.last.reads), worse);
        (self.last.reads, self.last.behind) = (reads, behind);
    }

    /// How fast the node applies, for reads that may wait for it.
    fn forecast(
        &mut self,
        primary: Option<&NodeId>,
        past: &PrimaryPast,
        at: Instant,
        applied: &GtidPosition,
    ) {
        let tip = past.tip();
        let lag = past.lag(at, applied).filter(|_| primary != Some(&self.sight.id));
        let pace = lag.map(|lag| match self.meter.pace.load().as_deref() {
            None => Pace::first(at, lag),
            Some(pace) => {
                let before = self.sight.facts.as_ref().map(|facts| &facts.applied);
                let progress = before.map_or(0, |before| before.behind(applied));
                pace.next(at, lag, progress, self.last.tip.as_ref() != tip)
            }
        });
        self.meter.pace.store(pace.map(Arc::new));
        self.last.tip = tip.cloned();
    }

    fn turn(&mut self, change: &HealthChange, events: &EventLog) {
        let now = Instant::now();
        let sight = &mut self.sight;
        match change {
            HealthChange::Down { evidence, first } => {
                sight.alive = false;
                sight.evidence.clone_from(evidence);
                sight.died = Some((*first, now));
                self.meter.lag_ms.store(-1, Relaxed);
                self.meter.pace.store(None);
                self.last.behind = None;
                let sure = now.saturating_duration_since(*first).as_millis();
                events.tell(
                    EventKind::NodeDown,
                    Some(&sight.id),
                    evidence.as_str(),
                    format!("detected after {sure} ms"),
                );
            }
            HealthChange::Up => {
                let away =
                    sight.died.map_or(0, |(first, _)| now.saturating_duration_since(first).as_millis());
                sight.alive = true;
                sight.lives += 1;
                sight.evidence.clear();
                sight.died = None;
                sight.up_at = Some(now);
                events.tell(
                    EventKind::NodeUp,
                    Some(&sight.id),
                    "it answers again",
                    format!("after {away} ms"),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> (Board, Arc<Meter>) {
        let meter = Arc::new(Meter::default());
        let nodes = vec![
            ("n1".into(), Arc::new(Meter::default()), Some(Facts::default())),
            ("n2".into(), meter.clone(), Some(Facts::default())),
        ];
        (Board::new(nodes, &Health::default(), Arc::new(EventLog::new())), meter)
    }

    fn at_position(n: u64) -> Answer {
        let applied = format!("0-1-{n}").parse().expect("a position");
        Answer::Facts(Facts { applied, read_only: true, ..Facts::default() }, Duration::from_micros(80))
    }

    #[tokio::test(start_paused = true)]
    async fn probes_feed_the_meter() {
        let (board, meter) = board();
        board.set_primary(Some("n1".into()));
        board.take(1, Instant::now(), at_position(10));
        assert_eq!(meter.lag_ms.load(Relaxed), -1, "no primary's position is known yet");
        board.take(0, Instant::now(), at_position(12));
        tokio::time::advance(Duration::from_millis(300)).await;
        board.take(1, Instant::now(), at_position(11));
        assert_eq!(meter.lag_ms.load(Relaxed), 300);
        board.take(1, Instant::now(), at_position(12));
        assert_eq!((meter.lag_ms.load(Relaxed), meter.ping_us.load(Relaxed)), (0, 80));
        board.take(1, Instant::now(), at_position(3));
        assert_eq!(meter.applied.load().sequence(0), 12, "a living node never moves back");
    }

    #[tokio::test(start_paused = true)]
    async fn reads_are_counted_by_how_far_behind_they_were() {
        let (board, meter) = board();
        board.set_primary(Some("n1".into()));
        board.take(0, Instant::now(), at_position(10));
        board.take(1, Instant::now(), at_position(10));
        meter.reads.store(100, Relaxed);
        board.take(1, Instant::now(), at_position(10));
        assert_eq!(meter.freshness.snapshot().ms.counts[0], 100, "all fresh");
        board.take(0, Instant::now(), at_position(40));
        tokio::time::advance(Duration::from_millis(300)).await;
        meter.reads.store(107, Relaxed);
        board.take(1, Instant::now(), at_position(15));
        assert_eq!(meter.lag_transactions.load(Relaxed), 25);
        // Caught up meanwhile, and counted by what it was behind at the worse end of the interval.
        meter.reads.store(110, Relaxed);
        board.take(1, Instant::now(), at_position(40));
        let told = meter.freshness.snapshot();
        assert_eq!(
            (told.ms.counts[6], told.transactions.counts[5], told.ms.sum),
            (10, 10, 3_000),
            "{told:?}"
        );
        assert_eq!((meter.lag_ms.load(Relaxed), meter.lag_transactions.load(Relaxed)), (0, 0));
        assert!(meter.pace.load().is_some() && meter.probed.load().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_death_is_told_once_with_its_evidence() {
        let (board, _) = board();
        assert!(
            board.take(1, Instant::now(), Answer::Broken("reset".into())),
            "a break wants a check at once"
        );
        assert!(board.alive(&"n2".into()));
        assert!(!board.take(1, Instant::now(), Answer::Refused("refused".into())));
        board.take(1, Instant::now(), Answer::Refused("refused".into()));
        assert!(!board.alive(&"n2".into()));
        let told: Vec<_> = board.events.after(0).into_iter().map(|event| event.kind).collect();
        assert_eq!(told, [EventKind::NodeDown]);
    }
}
