//! How fast a replica applies: from this a read that needs what it lacks can tell whether waiting pays.

use std::time::Duration;

use tokio::time::Instant;

/// The weight of the newest figure in the averages.
const WEIGHT: f64 = 0.25;

/// What probes have found out about one replica. Replaced by each probe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// When the last probe began.
    pub at: Instant,
    /// The lag that it showed.
    pub lag: Duration,
    /// Transactions a millisecond, averaged over the intervals in which there was always something to apply; 0: unknown.
    pub per_ms: f64,
    /// The lag that it usually has while there is something to apply, in milliseconds.
    pub usual_ms: f64,
}

impl Pace {
    /// The first probe.
    pub fn first(at: Instant, lag: Duration) -> Self {
        Self { at, lag, per_ms: 0.0, usual_ms: lag.as_secs_f64() * 1e3 }
    }

    /// The next one: since the last, so many transactions were `applied`; `moved`: the primary has written any.
    pub fn next(self, at: Instant, lag: Duration, applied: u64, moved: bool) -> Self {
        let average = |old: f64, new: f64| old + (new - old) * WEIGHT;
        let mut next = Self { at, lag, ..self };
        if moved || !lag.is_zero() {
            next.usual_ms = average(self.usual_ms, lag.as_secs_f64() * 1e3);
        }
        // Only a replica that had something to apply all the time shows how fast it can be.
        if !self.lag.is_zero() && !lag.is_zero() {
            let elapsed = at.saturating_duration_since(self.at).as_secs_f64() * 1e3;
            let rate = applied as f64 / elapsed.max(1.0);
            next.per_ms = if self.per_ms == 0.0 { rate } else { average(self.per_ms, rate) };
        }
        next
    }

    /// How long from `now` until it will have applied `missing` more transactions than at the last probe, as far as can be
    /// told.
    pub fn expected(&self, missing: u64, now: Instant) -> Duration {
        let since = now.saturating_duration_since(self.at);
        if self.lag.is_zero() {
            return Duration::from_secs_f64(self.usual_ms.max(0.0) / 1e3);
        }
        if self.per_ms <= 0.0 {
            return self.lag;
        }
        // A day is as good as never, and far from what a duration cannot hold.
        let all = Duration::from_secs_f64((missing as f64 / self.per_ms / 1e3).min(86_400.0));
        all.saturating_sub(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(250);

    /// Probes every 250 ms, each with lag in ms, transactions applied since, and whether the primary wrote any.
    fn after(probes: &[(u64, u64, bool)]) -> (Pace, Instant) {
        let start = Instant::now();
        let mut pace = Pace::first(start, Duration::ZERO);
        for (at, (lag, applied, moved)) in probes.iter().enumerate() {
            let now = start + INTERVAL * (at as u32 + 1);
            pace = pace.next(now, Duration::from_millis(*lag), *applied, *moved);
        }
        (pace, pace.at)
    }

    #[test]
    fn a_replica_that_keeps_up_is_expected_at_once_however_much_comes() {
        let (pace, now) = after(&[(0, 500, true); 8]);
        assert_eq!(pace.expected(1_000, now), Duration::ZERO);
        assert_eq!(pace.expected(1, now + INTERVAL), Duration::ZERO);
    }

    #[test]
    fn a_delayed_replica_is_expected_after_its_delay() {
        // 1 s behind, 100 transactions a second.
        let (pace, now) = after(&[(900, 25, true); 12]);
        assert_eq!(pace.expected(100, now).as_millis(), 1000);
        assert_eq!(pace.expected(125, now + INTERVAL).as_millis(), 1000);
        // All applied, then one more transaction: it will be as late as ever.
        let idle = pace.next(now + INTERVAL, Duration::ZERO, 100, false);
        assert!(idle.expected(1, idle.at).as_millis() > 600, "{idle:?}");
    }

    #[test]
    fn one_that_catches_up_is_expected_by_its_speed_and_not_by_its_lag() {
        let (pace, now) = after(&[(2_000, 1_000, true); 4]);
        assert_eq!(pace.expected(400, now).as_millis(), 100);
        assert_eq!(pace.expected(400, now + Duration::from_millis(60)).as_millis(), 40);
        assert_eq!(pace.expected(400, now + INTERVAL), Duration::ZERO, "it should be there already");
    }

    #[test]
    fn one_that_stands_still_is_not_expected() {
        let (pace, now) = after(&[(250, 0, true), (500, 0, true), (750, 0, false)]);
        assert_eq!(pace.expected(1, now).as_millis(), 750, "no speed is known: as late as it is now");
        let (pace, now) = after(&[(250, 25, true), (500, 25, true), (750, 0, true), (1_000, 0, true)]);
        let stalled =
            (0..40).fold(pace, |pace, _| pace.next(pace.at + INTERVAL, pace.lag + INTERVAL, 0, false));
        assert!(stalled.expected(10, stalled.at) > Duration::from_secs(60), "{stalled:?} {now:?}");
    }

    #[test]
    fn it_is_forgiven_within_seconds() {
        let (pace, _) = after(&[(5_000, 10, true); 20]);
        let mut probes = 0;
        // It has caught up.
        let mut pace = pace.next(pace.at + INTERVAL, Duration::ZERO, 900, true);
        assert!(
            pace.expected(1, pace.at) > Duration::from_secs(3),
            "it may well fall behind again: {pace:?}"
        );
        while pace.expected(1, pace.at) > Duration::from_millis(300) {
            pace = pace.next(pace.at + INTERVAL, Duration::ZERO, 25, true);
            probes += 1;
        }
        assert!((2..=12).contains(&probes), "{probes}");
    }
}
