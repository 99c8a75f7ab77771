//! A node that begins to serve has cold caches: its share of the reads grows from a twentieth to the whole.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::time::Instant;

/// The share at the very beginning: without any reads a node would never warm up.
const LEAST: f64 = 0.05;

/// Whether a node is warming up, and how far it is.
#[derive(Debug, Default)]
pub struct WarmUp {
    on: AtomicBool,
    span: ArcSwapOption<(Instant, Duration)>,
}

impl WarmUp {
    /// It begins now and takes so long.
    pub fn begin(&self, now: Instant, over: Duration) {
        self.span.store(Some((now, over).into()));
        self.on.store(!over.is_zero(), Relaxed);
    }

    /// Whether a choice has to look at [`WarmUp::share`]: one load for a warm node.
    pub fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// The part of its share that it gets now, up to 1; the first who finds it warm says so to all.
    pub fn share(&self, now: Instant) -> f64 {
        let Some(span) = self.span.load_full() else { return 1.0 };
        let (since, over) = *span;
        let done = now.saturating_duration_since(since).as_secs_f64() / over.as_secs_f64().max(1e-9);
        if done >= 1.0 {
            self.on.store(false, Relaxed);
        }
        done.clamp(LEAST, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_grows_to_the_whole() {
        let warm_up = WarmUp::default();
        let start = Instant::now();
        assert!(!warm_up.is_on(), "a node that has always served is warm");
        assert_eq!(warm_up.share(start), 1.0);
        warm_up.begin(start, Duration::from_secs(10));
        for (ms, share) in [(0, 0.05), (2_500, 0.25), (5_000, 0.5)] {
            assert_eq!(warm_up.share(start + Duration::from_millis(ms)), share, "{ms}");
            assert!(warm_up.is_on());
        }
        assert_eq!(warm_up.share(start + Duration::from_secs(10)), 1.0);
        assert!(!warm_up.is_on(), "it is warm, and nobody has to look at a clock again");
    }
}
