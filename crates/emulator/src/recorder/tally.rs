//! One worker's figures: an open second, and whole ones that wait for the collector.

use std::sync::Mutex;

use bookstore::Interaction;
use bookstore::store::FailureClass;
use report::record::FINE_BIN_MS;
use tokio::time::{Duration, Instant};

use super::slice::{BINS, Served, Slice};
use crate::target::{Answered, StatementKind};
use crate::think::means;

/// Whole seconds that may wait for a collector that is late; beyond that a second is added to the one before.
const MOST_WAITING: usize = 8;

/// Shared by the browsers of one worker, all on one thread, and the collector: the lock is free but for an instant a second.
#[derive(Debug)]
pub struct Tally {
    start: Instant,
    slices: Mutex<Slices>,
}

#[derive(Debug)]
struct Slices {
    open: Slice,
    whole: Vec<Slice>,
    spare: Vec<Slice>,
}

impl Slices {
    /// The slice of a second. A page that ended in a second already taken away counts for the open one.
    fn of(&mut self, second: u32) -> &mut Slice {
        if second > self.open.second {
            self.roll(second);
        }
        &mut self.open
    }

    fn roll(&mut self, second: u32) {
        let mut next = self.spare.pop().unwrap_or_default();
        next.second = second;
        let mut done = std::mem::replace(&mut self.open, next);
        if self.whole.len() < MOST_WAITING {
            return self.whole.push(done);
        }
        if let Some(last) = self.whole.last_mut() {
            last.merge(&done);
            done.reset();
            self.spare.push(done);
        }
    }
}

/// When a page ended, and how long it took.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The end.
    pub now: Instant,
    /// From when it was due.
    pub took: Duration,
    /// From when its last try, the one that went well, was asked for.
    pub service: Duration,
}

/// How a browser comes to a page.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The page before it, of whichever visit; none for the first.
    pub from: Option<Interaction>,
    /// The page.
    pub to: Interaction,
    /// The think time that was drawn before it, if any.
    pub thought: Option<Duration>,
    /// The mean of think times.
    pub mean: Duration,
}

impl Tally {
    /// An empty one; seconds count from `start`.
    pub fn new(start: Instant) -> Self {
        let slices = Slices { open: Slice::new(), whole: Vec::new(), spare: Vec::new() };
        Self { start, slices: Mutex::new(slices) }
    }

    fn at(&self, now: Instant, note: impl FnOnce(&mut Slice, usize)) {
        let elapsed = now.saturating_duration_since(self.start);
        let second = u32::try_from(elapsed.as_secs()).unwrap_or(u32::MAX);
        let bin = (elapsed.subsec_millis() as usize / FINE_BIN_MS as usize).min(BINS - 1);
        let mut slices = self.slices.lock().expect("no panic while a tally is held");
        note(slices.of(second), bin);
    }

    /// A page ended well just now.
    pub fn served(&self, from: Option<Interaction>, page: Interaction, times: Times, answered: &[Answered]) {
        let Times { now, took, service } = times;
        let wrote = answered.iter().any(|answered| answered.kind == StatementKind::Durable);
        self.at(now, |slice, bin| {
            slice.serve(bin, Served { from, page, took, service, wrote });
            answered.iter().for_each(|answered| slice.answer(*answered));
        });
    }

    /// A try of a page failed just now.
    pub fn failed(
        &self,
        now: Instant,
        page: Interaction,
        class: FailureClass,
        took: Duration,
        answered: &[Answered],
    ) {
        self.at(now, |slice, bin| {
            slice.fail(bin, page, class, took);
            answered.iter().for_each(|answered| slice.answer(*answered));
        });
    }

    /// A browser woke up, just now and so late, to ask for a page.
    pub fn woke(&self, now: Instant, step: Step, late: Duration) {
        self.at(now, |slice, _| {
            slice.wake(late);
            if let Some(thought) = step.thought {
                slice.think(means(thought, step.mean), means(thought + late, step.mean));
            }
            if let Some(from) = step.from {
                slice.step(from, step.to);
            }
        });
    }

    /// A walk led to a page that nobody asked for: the visitor of an open load left instead.
    pub fn left(&self, now: Instant, from: Interaction, to: Interaction) {
        self.at(now, |slice, _| slice.step(from, to));
    }

    /// A visit begins, which is to last so many means at least.
    pub fn began_visit(&self, now: Instant, planned: f64) {
        self.at(now, |slice, _| slice.begin_visit(planned));
    }

    /// A visit ended by itself, having lasted so many means.
    pub fn ended_visit(&self, now: Instant, planned: f64, lasted: f64) {
        self.at(now, |slice, _| slice.end_visit(planned, lasted));
    }

    /// A connection was made in place of a lost one.
    pub fn reconnected(&self, now: Instant) {
        self.at(now, Slice::reconnect);
    }

    /// A page was given up.
    pub fn gave_up(&self, now: Instant) {
        self.at(now, |slice, _| slice.given_up += 1);
    }

    /// A page was older than what the browser knew.
    pub fn stale(&self, now: Instant, across_connections: bool) {
        self.at(now, |slice, _| {
            if across_connections {
                slice.stale_across += 1;
            } else {
                slice.stale += 1;
            }
        });
    }

    /// Adds everything up to and with `second` to `sum`; what ends in these seconds from now on counts for the next.
    pub fn take(&self, second: u32, sum: &mut Slice) {
        for mut slice in self.detach(second) {
            sum.merge(&slice);
            slice.reset();
            self.slices.lock().expect("no panic while a tally is held").spare.push(slice);
        }
    }

    fn detach(&self, second: u32) -> Vec<Slice> {
        let mut slices = self.slices.lock().expect("no panic while a tally is held");
        if slices.open.second <= second {
            slices.roll(second + 1);
        }
        let later = slices.whole.iter().position(|slice| slice.second > second);
        let count = later.unwrap_or(slices.whole.len());
        slices.whole.drain(..count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::slice::PAGES;

    const MS: Duration = Duration::from_millis(1);

    fn times(now: Instant, took: Duration) -> Times {
        Times { now, took, service: took / 2 }
    }

    #[tokio::test(start_paused = true)]
    async fn pages_count_for_the_second_in_which_they_ended() {
        let start = Instant::now();
        let tally = Tally::new(start);
        for ms in [0, 500, 999, 1000, 2500, 2999] {
            tally.served(None, Interaction::Home, times(start + MS * ms, MS * 5), &[]);
        }
        for (second, expected) in [(0, 3), (1, 1), (2, 2), (3, 0)] {
            let mut sum = Slice::new();
            tally.take(second, &mut sum);
            assert_eq!(sum.served(), expected, "second {second}");
        }
        tally.served(None, Interaction::Home, times(start + MS * 2_900, MS), &[]);
        let mut sum = Slice::new();
        tally.take(4, &mut sum);
        assert_eq!(sum.served(), 1, "what is told late counts for the next second, and is not lost");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_lost_when_the_collector_sleeps() {
        let start = Instant::now();
        let tally = Tally::new(start);
        for second in 0..100 {
            tally.failed(
                start + Duration::from_secs(second),
                Interaction::BuyConfirm,
                FailureClass::Deadlock,
                MS,
                &[],
            );
        }
        assert!(tally.slices.lock().expect("free").whole.len() <= MOST_WAITING);
        let mut sum = Slice::new();
        tally.take(1_000, &mut sum);
        assert_eq!((sum.failures(), sum.failed.len()), (100, 100));
    }

    #[tokio::test(start_paused = true)]
    async fn two_workers_merge_exactly() {
        let start = Instant::now();
        let both = [Tally::new(start), Tally::new(start)];
        let alone = Tally::new(start);
        for number in 0..20_000_u32 {
            let (now, took) =
                (start + MS * (number % 3_000), Duration::from_micros(u64::from(number) * 37 + 1));
            let page = Interaction::ALL[number as usize % PAGES];
            let answered = [
                Answered { kind: StatementKind::Read, took },
                Answered { kind: StatementKind::Durable, took: took / 2 },
            ];
            for tally in [&both[number as usize % 2], &alone] {
                if number % 5 == 0 {
                    tally.failed(now, page, FailureClass::ALL[number as usize % 8], took, &answered[..1]);
                } else {
                    tally.served(Some(Interaction::Home), page, times(now, took), &answered);
                }
                let (mean, thought) = (MS * 10, Some(MS * (number % 100)));
                tally.woke(now, Step { from: Some(Interaction::Home), to: page, thought, mean }, took);
                tally.began_visit(now, f64::from(number % 50) / 10.0);
                tally.ended_visit(now, f64::from(number % 30) / 10.0, f64::from(number % 70) / 10.0);
            }
        }
        let (mut merged, mut single) = (Slice::new(), Slice::new());
        both.iter().for_each(|tally| tally.take(3, &mut merged));
        alone.take(3, &mut single);
        assert_eq!((merged.served(), merged.failures()), (16_000, 4_000));
        assert_eq!(merged.pages, single.pages);
        assert_eq!((&merged.reads, &merged.writes), (&single.reads, &single.writes));
        assert_eq!((&merged.failed, &merged.late), (&single.failed, &single.late));
        assert_eq!((&merged.service, merged.service.len()), (&single.service, 16_000));
        assert_eq!((merged.errors, merged.bins), (single.errors, single.bins));
        assert_eq!((merged.transitions, merged.steps), (single.transitions, single.steps));
        assert_eq!((merged.thinks, merged.slept), (single.thinks, single.slept));
        assert_eq!((merged.planned, merged.ended), (single.planned, single.ended));
        assert_eq!((merged.lasted, merged.lasted.total()), (single.lasted, 20_000));
        let by_class: u64 = merged.errors.iter().flatten().sum();
        let by_bin: u64 = merged.bins.iter().map(|bin| bin.errors).sum();
        assert_eq!((by_class, by_bin, merged.failed.len()), (4_000, 4_000, 4_000), "classes add up");
    }

    #[tokio::test(start_paused = true)]
    async fn an_hour_is_not_clipped() {
        let tally = Tally::new(Instant::now());
        tally.served(None, Interaction::Home, times(Instant::now(), Duration::from_secs(3_599)), &[]);
        let mut sum = Slice::new();
        tally.take(0, &mut sum);
        let longest = sum.all_pages().max() as f64 / 1e6;
        assert!((longest - 3_599.0).abs() < 4.0, "{longest} s");
    }
}
