//! How long a session has waited, for its client or for its node, in beats of its thread.
//!
//! What is to happen after a second or more without news (a large buffer given up, a client looked after, a limit of
//! time) is seldom reached. A timer for it would be set and taken back at each statement; counting beats costs nothing.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Counts the beats of one wait after the other.
#[derive(Debug)]
pub struct Lull {
    beats: Cell<u32>,
    /// The session is woken at this beat.
    due: Cell<u32>,
    waker: RefCell<Option<Waker>>,
}

impl Default for Lull {
    fn default() -> Self {
        Self { beats: Cell::new(0), due: Cell::new(u32::MAX), waker: RefCell::default() }
    }
}

impl Lull {
    /// Another wait begins.
    pub fn restart(&self) {
        self.beats.set(0);
        self.due.set(u32::MAX);
    }

    /// A second has passed.
    pub fn beat(&self) {
        self.beats.set(self.beats.get().saturating_add(1));
        if self.beats.get() >= self.due.get() {
            self.due.set(u32::MAX);
            if let Some(waker) = &*self.waker.borrow() {
                waker.wake_by_ref();
            }
        }
    }

    /// Whether the wait has lasted for so many beats; if not, the task that polls is woken when it has. The first beat
    /// comes at any time within the first second.
    pub fn has_lasted(&self, beats: u32, context: &Context<'_>) -> bool {
        if self.beats.get() >= beats {
            return true;
        }
        if self.due.get() > beats {
            self.due.set(beats);
            // A session is one task all its life.
            self.waker.borrow_mut().get_or_insert_with(|| context.waker().clone());
        }
        false
    }
}

/// A moment that is seldom reached: a timer is set for it only when it is less than a second or two away.
#[derive(Debug)]
pub struct Deadline {
    at: Instant,
    beat: u32,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// After `limit` from now, in the wait that is under way.
    pub fn after(limit: Duration, lull: &Lull) -> Self {
        let seconds = u32::try_from(limit.as_secs()).unwrap_or(u32::MAX - 1);
        // Further than clocks reach is as good as never.
        let at = Instant::now() + limit.min(Duration::from_secs(u64::from(u32::MAX)));
        Self { at, beat: lull.beats.get().saturating_add(seconds), timer: None }
    }

    /// Whether it has come; if not, the task that polls is woken when it has.
    pub fn has_come(&mut self, lull: &Lull, context: &mut Context<'_>) -> bool {
        if self.timer.is_none() && !lull.has_lasted(self.beat, context) {
            return false;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(self.at)));
        timer.as_mut().poll(context).is_ready()
    }

    /// What comes of `work`; `None` if the moment comes first.
    pub async fn or<T>(mut self, lull: &Rc<Lull>, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if self.has_come(lull, context) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn who_waits_is_woken_once_and_only_when_it_has_to_be() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let (context, lull) = (Context::from_waker(&waker), Lull::default());
        lull.beat();
        assert!(
            !lull.has_lasted(4, &context) && !lull.has_lasted(2, &context) && lull.has_lasted(1, &context)
        );
        lull.beat();
        assert_eq!(count.0.load(Relaxed), 1, "the nearer one");
        assert!(lull.has_lasted(2, &context) && !lull.has_lasted(4, &context));
        lull.beat();
        assert_eq!(count.0.load(Relaxed), 1);
        lull.restart();
        (0..9).for_each(|_| lull.beat());
        assert_eq!(count.0.load(Relaxed), 1, "nobody waits for anything any more");
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_is_set_when_the_end_is_near() {
        let lull = Rc::new(Lull::default());
        let mut context = Context::from_waker(Waker::noop());
        let mut far = Deadline::after(Duration::from_millis(2_500), &lull);
        let mut near = Deadline::after(Duration::from_millis(900), &lull);
        assert!(!far.has_come(&lull, &mut context) && !near.has_come(&lull, &mut context));
        assert!(far.timer.is_none() && near.timer.is_some());
        lull.beat();
        tokio::time::advance(Duration::from_millis(1_000)).await;
        assert!(near.has_come(&lull, &mut context) && !far.has_come(&lull, &mut context));
        lull.beat();
        tokio::time::advance(Duration::from_millis(1_000)).await;
        assert!(!far.has_come(&lull, &mut context) && far.timer.is_some());
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(far.has_come(&lull, &mut context));
        let soon = Deadline::after(Duration::from_millis(5), &lull);
        assert_eq!(soon.or(&lull, std::future::pending::<()>()).await, None);
        let never = Deadline::after(Duration::MAX, &lull);
        assert_eq!(never.or(&lull, async { 7 }).await, Some(7));
    }
}
