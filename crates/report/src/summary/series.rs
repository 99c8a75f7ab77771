//! Throughput in bins of 100 ms, and what an event did to it. The rules are told in [`super::cost`].

use std::ops::Range;

use crate::{
    folder::Folder,
    record::{FINE_BIN_MS, round3},
    summary::EventSummary,
};

/// Bins in a second.
const BINS: usize = (1000 / FINE_BIN_MS) as usize;
/// Length of the baseline in bins.
const BASELINE: usize = 10 * BINS;
/// The shortest baseline that is one.
const SHORTEST_BASELINE: usize = 3 * BINS;
/// Expected interactions that make a stretch without any unlikelier than 1 in 1000 in all the 300 bins in which it may begin:
/// −ln (0.001 / 300).
const UNLIKELY: f64 = 12.6;
/// Interactions that a window should expect.
const WINDOW_EXPECTS: f64 = 30.0;
/// How many standard deviations are beyond chance.
const BEYOND_CHANCE: f64 = 4.0;
/// The share of the baseline that counts as recovered.
const RECOVERED: f64 = 0.9;
/// The share that counts as wholly recovered.
const WHOLLY_RECOVERED: f64 = 0.99;
/// How long an event is followed, in s.
const FOLLOWED_S: f64 = 30.0;

/// The bin that holds a moment.
#[expect(clippy::cast_sign_loss, reason = "kept from 0 up")]
pub(super) fn bin_of(second: f64) -> usize {
    // Half a microsecond keeps 12.3 s out of the bin that ends there.
    ((second * BINS as f64 + 5e-6).floor().max(0.0)) as usize
}

/// The whole load in bins.
pub(super) struct Series {
    ok: Vec<u64>,
    errors: Vec<u64>,
    reconnects: Vec<u64>,
    sessions: Vec<u32>,
}

/// A fall that has just been, with the baseline from before it.
pub(super) struct Shadow {
    baseline: Baseline,
    /// The bin at which it ended.
    until: usize,
}

/// What throughput was before an event.
struct Baseline {
    /// Where that was read.
    range: Range<usize>,
    /// Interactions a bin.
    rate: f64,
    /// Browsers then.
    sessions: f64,
    /// Variance of the seconds over their mean, 1 at least.
    scatter: f64,
}

impl Series {
    pub(super) fn of(folder: &Folder) -> Self {
        let bins = folder.load_seconds() as usize * BINS;
        let mut series = Self {
            ok: vec![0; bins],
            errors: vec![0; bins],
            reconnects: vec![0; bins],
            sessions: vec![0; bins],
        };
        for bin in &folder.fine {
            let at = usize::try_from(bin.ms / FINE_BIN_MS).unwrap_or(usize::MAX);
            if at < bins {
                series.ok[at] += bin.ok;
                series.errors[at] += bin.errors;
                series.reconnects[at] += bin.reconnects;
            }
        }
        for second in &folder.seconds {
            let from = second.second as usize * BINS;
            series.sessions[from..from + BINS].fill(second.sessions);
        }
        series
    }

    /// Fills in the transient figures of a cause, followed until the `next` one at most. Takes the fall that the cause before
    /// left behind, and gives the one that the next must not measure itself against.
    pub(super) fn follow(
        &self,
        event: &mut EventSummary,
        next: f64,
        shadow: Option<Shadow>,
    ) -> Option<Shadow> {
        let end = self.ok.len().min(bin_of(next)).min(bin_of(event.second + FOLLOWED_S));
        let range = bin_of(event.second).min(end)..end;
        let at_ms = |bin: usize| round3(((bin as u64 * FINE_BIN_MS) as f64 - event.second * 1000.0).max(0.0));
        event.followed_s = Some(round3((end as f64 / BINS as f64 - event.second).max(0.0)));
        event.errors = Some(self.errors[range.clone()].iter().sum());
        event.reconnects = Some(self.reconnects[range.clone()].iter().sum());
        event.first_error_ms = range.clone().find(|&bin| self.errors[bin] > 0).map(at_ms);
        let shadow = shadow.filter(|s| s.until + BASELINE > range.start);
        let until = shadow.as_ref().map(|s| s.until);
        let baseline = shadow.map(|s| s.baseline).or_else(|| self.baseline(range.start))?;
        event.baseline_wips = Some(round3(baseline.rate * BINS as f64));
        let gaps = self.gaps(range.clone(), &baseline);
        let empty: usize = gaps.iter().map(Range::len).sum();
        event.unavailable_ms = Some((empty as u64 * FINE_BIN_MS) as f64);
        let window = baseline.window();
        if range.len() < window {
            return until.map(|until| Shadow { baseline, until });
        }
        event.usual_dip_pct = Some(self.deepest(baseline.range.clone(), &baseline));
        let Some(fall) = self.fall(range.clone(), &baseline, &gaps) else {
            event.dip_pct = Some(0.0);
            event.recovered_90_ms = Some(0.0);
            event.recovered_99_ms = Some(0.0);
            event.interactions_lost = Some(0.0);
            return until.map(|until| Shadow { baseline, until });
        };
        let recovered = self.recovery(fall..range.end, RECOVERED, &baseline, &gaps);
        let wholly =
            recovered.and_then(|from| self.recovery(from..range.end, WHOLLY_RECOVERED, &baseline, &gaps));
        let until = recovered.unwrap_or(range.end);
        event.dip_pct = Some(self.deepest(range.start..(until + window).min(range.end), &baseline));
        event.recovered_90_ms = recovered.map(at_ms);
        event.recovered_99_ms = wholly.map(at_ms);
        let missing = self.expected(range.start..until, &baseline) - self.ended(range.start..until);
        event.interactions_lost = Some(round3(missing.max(0.0)));
        Some(Shadow { baseline, until })
    }

    /// The 10 s before a bin; `None` when there are not three, or nothing ended in them.
    fn baseline(&self, at: usize) -> Option<Baseline> {
        let range = at.saturating_sub(BASELINE)..at;
        let ok = &self.ok[range.clone()];
        let rate = ok.iter().sum::<u64>() as f64 / ok.len().max(1) as f64;
        if ok.len() < SHORTEST_BASELINE || rate <= 0.0 {
            return None;
        }
        let sessions =
            self.sessions[range.clone()].iter().map(|&s| f64::from(s)).sum::<f64>() / ok.len() as f64;
        let seconds: Vec<f64> = ok.rchunks_exact(BINS).map(|s| s.iter().sum::<u64>() as f64).collect();
        let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
        let squares: f64 = seconds.iter().map(|s| (s - mean).powi(2)).sum();
        let scatter = squares / (seconds.len() - 1) as f64 / mean.max(f64::MIN_POSITIVE);
        Some(Baseline { range, rate, sessions, scatter: scatter.max(1.0) })
    }

    /// Interactions that the baseline promises for some bins.
    fn expected(&self, bins: Range<usize>, baseline: &Baseline) -> f64 {
        let share = |sessions: u32| (f64::from(sessions) / baseline.sessions.max(1.0)).min(1.0);
        self.sessions[bins].iter().map(|&s| baseline.rate * share(s)).sum()
    }

    fn ended(&self, bins: Range<usize>) -> f64 {
        self.ok[bins].iter().sum::<u64>() as f64
    }

    /// Stretches in which nobody got an answer.
    fn gaps(&self, range: Range<usize>, baseline: &Baseline) -> Vec<Range<usize>> {
        let mut gaps = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let silent = |bin: usize| self.ok[bin] == 0 && self.sessions[bin] > 0;
            let end = (at..range.end).find(|&bin| !silent(bin)).unwrap_or(range.end);
            let unlikely = self.expected(at..end, baseline) > UNLIKELY;
            let error = (at..end).find(|&bin| self.errors[bin] > 0);
            if let Some(from) = if unlikely { Some(at) } else { error } {
                gaps.push(from..end);
            }
            at = end + 1;
        }
        gaps
    }

    /// Where throughput falls beyond chance.
    fn fall(&self, range: Range<usize>, baseline: &Baseline, gaps: &[Range<usize>]) -> Option<usize> {
        let below = windows(range, baseline.window()).find(|window| {
            let (expected, ended) = (self.expected(window.clone(), baseline), self.ended(window.clone()));
            let chance = BEYOND_CHANCE * (baseline.scatter * expected).sqrt();
            ended < RECOVERED * expected && ended < expected - chance
        });
        below.map(|w| w.start).into_iter().chain(gaps.first().map(|g| g.start)).min()
    }

    /// The first window that reaches this share of the baseline with nothing unavailable in it.
    fn recovery(
        &self,
        range: Range<usize>,
        share: f64,
        baseline: &Baseline,
        gaps: &[Range<usize>],
    ) -> Option<usize> {
        windows(range, baseline.window())
            .find(|window| {
                let gap = gaps.iter().any(|g| g.start < window.end && window.start < g.end);
                !gap && self.ended(window.clone()) >= share * self.expected(window.clone(), baseline)
            })
            .map(|window| window.start)
    }

    /// The deepest dip of any window, in per cent of what was expected.
    fn deepest(&self, range: Range<usize>, baseline: &Baseline) -> f64 {
        let dip = |window: Range<usize>| {
            let expected = self.expected(window.clone(), baseline);
            if expected > 0.0 { 100.0 * (1.0 - self.ended(window) / expected) } else { 0.0 }
        };
        round3(windows(range, baseline.window()).map(dip).fold(0.0, f64::max))
    }
}

impl Baseline {
    /// Length of the window over which throughput is judged, in bins.
    #[expect(clippy::cast_sign_loss, reason = "the rate is above 0")]
    fn window(&self) -> usize {
        ((WINDOW_EXPECTS / self.rate).ceil() as usize).clamp(BINS, 10 * BINS)
    }
}

fn windows(range: Range<usize>, length: usize) -> impl Iterator<Item = Range<usize>> {
    (range.start..(range.end + 1).saturating_sub(length)).map(move |start| start..start + length)
}
